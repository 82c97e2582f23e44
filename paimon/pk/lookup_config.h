/* What the two lookups of primary-key tables have in common: which columns they keep, where the key's columns are among
 * the lookup's keys, how rows that were found are seen. A configuration is immutable once read. */
#pragma once

#include "paimon/pk/state.h"
#include "paimon/table.h"

typedef struct leat_pk_lookup_config {
    leat_arena arena;
    leat_paimon_table table;
    leat_pk_options table_options;
    int32_t *kept, kept_count; /* columns of the table */
    /* Of the kept columns, deduplicated by the whole primary key: its trimmed columns, then the partition's. */
    leat_pk_options options;
    leat_type *key_types;                            /* of options.keys */
    int32_t *probe_columns;                          /* for each of options.keys its place among the lookup's keys */
    int32_t *wanted, wanted_count;                   /* places among the kept ones */
    int32_t *extra_keys, *extra_places, extra_count; /* other compared columns: place among the keys, the kept ones */
    int64_t interval_ms;                             /* between two looks for new snapshots */
} leat_pk_lookup_config;

LEAT_CHECKED leat_code leat_pk_lookup_config_read(leat_pk_lookup_config *self, const uint8_t *config, size_t size,
                                                  leat_error *error);
void leat_pk_lookup_config_done(leat_pk_lookup_config *self);

/* Rows of a state as a batch: the wanted columns, then the kept ones. It borrows the state's buffers, and must be
 * refreshed when the state has changed. */
LEAT_CHECKED leat_code leat_pk_lookup_view_new(const leat_pk_lookup_config *self, leat_batch **out, leat_error *error);
void leat_pk_lookup_view_refresh(const leat_pk_lookup_config *self, const leat_pk_state *state, leat_batch *view);
void leat_pk_lookup_view_free(leat_batch *view); /* NULL is fine */

/* Whether the compared columns that are no key columns are equal, too: NULL equals nothing. */
bool leat_pk_lookup_extras_match(const leat_pk_lookup_config *self, const leat_batch *keys, int32_t row,
                                 const leat_batch *view, int32_t target);
/* What hash tables over the key take: hashes[i] of position first + i. `scratch` has room for all selected rows. */
void leat_pk_lookup_hash(const leat_pk_lookup_config *self, const leat_batch *keys, int32_t first, uint64_t *scratch,
                         uint32_t *hashes);
/* As above, of a batch of the kept columns. */
void leat_pk_lookup_hash_kept(const leat_pk_lookup_config *self, const leat_batch *batch, uint64_t *scratch,
                              uint32_t *hashes);
