/* The lookup join: each row of the stream meets the rows of a table that have its key as of now (flow/lookup.h).
 *
 *   batch ── keys ──▶ lookup.get_many ──┬─ rows found ─▶ output
 *                                       ├─ none        ─▶ attempts left: held, asked again after the delay; else inner:
 * dropped, │                 left: NULLs └─ PENDING     ─▶ held, asked again on the next wake
 *
 * Held rows wait in a bounded set with one request a distinct key. UNORDERED: other rows go on past them. ORDERED: rows
 * behind a held one wait too. When the set is full, the rest of the batch is held state as well, and no further input
 * is taken until there is room, but barriers pass: all of it is in the snapshot. Attempts count across restores. Output
 * columns and row kinds are the stream's; what was emitted is never updated when the table changes. */
#pragma once

#include "columnar/expr.h"
#include "flow/lookup.h"
#include "flow/registry.h"

typedef struct leat_lookup_join_config {
    leat_schema input;
    leat_schema table;       /* the columns that the lookup delivers, in its order */
    const char *lookup_type; /* of a leat_lookup_factory in the registry */
    const uint8_t *lookup_config;
    size_t lookup_config_size;
    int32_t keys_count;
    const int32_t *key_columns; /* columns of the input, in the order of the lookup's keys */
    bool is_left;               /* LEFT JOIN: rows without a match come out with NULLs */
    const leat_expr
        *condition; /* over input ++ table; NULL: none. For a LEFT JOIN part of ON: a row that fails has no match */
    int32_t output_count;
    const int32_t *output; /* columns of input ++ table */
    bool allow_unordered;
    int32_t capacity;       /* distinct keys waiting; 0: 100, as Flink */
    int64_t timeout_ms;     /* of one unanswered request (PENDING); 0: 180 s. Then the job fails */
    int64_t retry_delay_ms; /* on a miss: fixed delay */
    int32_t retry_attempts; /* at most; 0: no retry */
    const char *time_zone;
} leat_lookup_join_config;

void leat_lookup_join_config_write(const leat_lookup_join_config *config, leat_bytes *out);

extern const leat_operator_factory leat_lookup_join_factory; /* "lookup-join" */
