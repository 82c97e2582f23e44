/* What the table holds when a writer or an assigner starts: live files and key hashes, read by a job. */
#pragma once

#include <stdatomic.h>

#include "flow/operator.h"
#include "paimon/manifest.h"

typedef struct leat_pk_key_hashes {
    const leat_paimon_index_file *file;
    int32_t *hashes;
    size_t count;
} leat_pk_key_hashes;

typedef struct leat_pk_loader {
    leat_job job; /* first */
    leat_operator_context *context;
    const leat_paimon_table *table; /* borrowed */
    bool wants_files, wants_hashes;
    leat_arena arena;
    int64_t snapshot_id; /* 0: the table is empty */
    leat_paimon_entries entries;
    leat_pk_key_hashes *hashes;
    size_t hashes_count;
    const char *index_manifest; /* NULL: none */
    char *known_index_manifest; /* of the last load: when it is unchanged, no hashes are read */
    leat_code code;
    leat_error error;
    atomic_bool has_ended;
    bool is_running;
} leat_pk_loader;

/* The loader is zeroed, or was loaded and reset. Wakes the operator when done. */
LEAT_CHECKED leat_code leat_pk_loader_start(leat_pk_loader *loader, leat_operator_context *context,
                                            const leat_paimon_table *table, leat_error *error);
/* True once when it has ended; the job's error comes out here. */
LEAT_CHECKED leat_code leat_pk_loader_poll(leat_pk_loader *loader, bool *has_ended, leat_error *error);
/* Frees what was read; remembers which index it was. */
void leat_pk_loader_reset(leat_pk_loader *loader);
void leat_pk_loader_done(leat_pk_loader *loader);
