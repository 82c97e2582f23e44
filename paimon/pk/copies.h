/* Files that only get a new level: the same bytes under a new name (leat_storage_copy), made on an I/O thread. A commit
 * then deletes and adds two names; readers that go by names alone would take the one name for deleted. */
#pragma once

#include <stdatomic.h>

#include "paimon/pk/file.h"
#include "paimon/pk/file_reader.h"

typedef struct leat_pk_copies {
    leat_job job; /* first */
    leat_pk_io io;
    leat_arena arena;
    const char *(*paths)[2]; /* from, to */
    size_t count, capacity;
    leat_code code;
    leat_error error;
    bool is_started;
    atomic_bool has_ended;
} leat_pk_copies;

void leat_pk_copies_init(leat_pk_copies *copies, const leat_pk_io *io);
/* Before the first step. */
LEAT_CHECKED leat_code leat_pk_copies_add(leat_pk_copies *copies, const char *bucket_path, const leat_paimon_file *from,
                                          const leat_paimon_file *to, leat_error *error);
/* Starts when called first; true once all copies are durable. Wakes the operator. */
LEAT_CHECKED leat_code leat_pk_copies_step(leat_pk_copies *copies, bool *is_done, leat_error *error);
void leat_pk_copies_done(leat_pk_copies *copies); /* when its job does not run */
