/* Lookups: finding rows of a table by key, as of now. The lookup join operator (operators/lookup_join.c) owns one a
 * subtask and is the only caller; nothing blocks, what must runs as jobs through the context.
 *
 *   get_many(keys) → for each key: how many rows (appended to the result, in key order), or PENDING
 *   a PENDING key has been asked for; the operator's on_wake follows, and it asks again
 */
#pragma once

#include "flow/operator.h"

typedef struct leat_lookup leat_lookup;

enum { LEAT_LOOKUP_PENDING = -1 };

typedef struct leat_lookup_result {
    leat_batch_builder rows; /* of the wanted columns, empty, for LEAT_BATCH_ROWS_MAX rows */
    int32_t *counts;         /* of key first + i at [i]: rows found (0: none as of now), or LEAT_LOOKUP_PENDING */
} leat_lookup_result;

typedef struct leat_lookup_vtable {
    leat_code (*open)(leat_lookup *self, leat_error *error);
    /* Keys: the selected rows of `keys` (columns in the order given when planned), from position `first` on. The rows
     * of a key are appended together; it stops before a key whose rows do not fit any more. *done is the number of keys
     * answered (at least one, when there is one: a key with more than LEAT_BATCH_ROWS_MAX rows is LEAT_LIMIT). */
    leat_code (*get_many)(leat_lookup *self, const leat_batch *keys, int32_t first, leat_lookup_result *result,
                          int32_t *done, leat_error *error);
    /* Called on wakes and about once a second: takes over what jobs brought (refreshes, answers). *changed: keys that
     * were missing may be there now. */
    leat_code (*refresh)(leat_lookup *self, bool *changed, leat_error *error);
    void (*close)(leat_lookup *self); /* its jobs have ended before */
    /* Its topic has news: the next `refresh`, which follows at once, looks for them. NULL: it has no topic. */
    void (*on_news)(leat_lookup *self);
} leat_lookup_vtable;

struct leat_lookup {
    const leat_lookup_vtable *vtable;
    leat_operator_context *context;
    const char *topic; /* what it follows (flow/operator.h), set when it is created; NULL: nothing */
};

typedef struct leat_lookup_factory {
    const char *type;
    leat_code (*create)(leat_operator_context *context, const uint8_t *config, size_t config_size, leat_lookup **out,
                        leat_error *error);
} leat_lookup_factory;
