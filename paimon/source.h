/* Reading Paimon tables: the reader "paimon-source" and its enumerator, batch and streaming (spec/paimon merge-tree.md
 * §6).
 *
 *   enumerator: snapshot's splits ── then ── what each later snapshot changed ─▶ pending ──asked──▶ reader: rows
 *
 * State: of the enumerator the next snapshot and the pending splits; of a reader its splits and how many rows of the
 * first it has emitted. Splits of primary-key tables in streaming reads belong to one subtask a bucket, so that changes
 * of a key stay in order. */
#pragma once

#include "flow/registry.h"
#include "paimon/scan.h"
#include "paimon/table.h"

typedef struct leat_paimon_source_config {
    const leat_paimon_table *table; /* with the options of hints */
    const int32_t *columns;         /* wanted columns of the table's schema, in this order */
    int32_t columns_count;
    bool is_streaming;
    /* To leave files out; the planner filters again. */
    const leat_paimon_predicate *predicates;
    int32_t predicates_count;
} leat_paimon_source_config;

LEAT_CHECKED leat_code leat_paimon_source_config_write(const leat_paimon_source_config *config, leat_bytes *out,
                                                       leat_error *error);
/* Everything in the arena; the table is ended by the caller (leat_paimon_table_done) also after an error. */
LEAT_CHECKED leat_code leat_paimon_source_config_read(const uint8_t *data, size_t size, leat_arena *arena,
                                                      leat_paimon_table *table, leat_paimon_source_config *out,
                                                      leat_error *error);
/* Checks scan.* options: LEAT_UNSUPPORTED names those that this version does not have. */
LEAT_CHECKED leat_code leat_paimon_source_check(const leat_paimon_table *table, bool is_streaming, leat_error *error);

extern const leat_operator_factory leat_paimon_source_factory;
extern const leat_enumerator_factory leat_paimon_source_enumerator_factory;

/* What travels to a reader. */
typedef struct leat_paimon_source_schema {
    int64_t id;
    const uint8_t *text; /* of the schema file; a file was written with it */
    size_t size;
} leat_paimon_source_schema;

enum { LEAT_PAIMON_ANY_READER = -1 };

typedef struct leat_paimon_source_split {
    int32_t affinity; /* splits of one affinity go to one reader, in order; LEAT_PAIMON_ANY_READER */
    leat_paimon_split split;
    leat_paimon_source_schema *schemas; /* those of the files that are not the table's */
    uint32_t schemas_count;
} leat_paimon_source_split;

void leat_paimon_source_split_write(const leat_paimon_source_split *split, leat_bytes *out);
LEAT_CHECKED leat_code leat_paimon_source_split_read(const uint8_t *data, size_t size, leat_arena *arena,
                                                     leat_paimon_source_split *out, leat_error *error);
/* Only the first field. */
LEAT_CHECKED leat_code leat_paimon_source_split_affinity(const uint8_t *data, size_t size, int32_t *out,
                                                         leat_error *error);
static inline int32_t leat_paimon_source_owner(int32_t affinity, int32_t parallelism)
{
    return affinity < 0 ? LEAT_PAIMON_ANY_READER : affinity % parallelism;
}
