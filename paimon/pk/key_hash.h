/* Paimon's hash of key columns, a batch at once, with what makes the usual keys cheap: single INT, DATE and BIGINT keys
 * are hashed without building rows, and hashes of single text keys are remembered (a stream has few countries). */
#pragma once

#include "columnar/batch.h"
#include "columnar/type.h"
#include "common/bytes.h"

enum { LEAT_PK_MEMO_ENTRIES = 1024, LEAT_PK_MEMO_TEXT = 48 };

typedef struct leat_pk_memo_entry {
    int32_t length; /* + 1; 0: empty */
    int32_t hash;
    char text[LEAT_PK_MEMO_TEXT];
} leat_pk_memo_entry;

typedef struct leat_pk_key_hash {
    const int32_t *columns;
    const leat_type *types;
    int32_t columns_count;
    leat_pk_memo_entry *memo; /* of text keys */
    leat_bytes scratch;
} leat_pk_key_hash;

LEAT_CHECKED leat_code leat_pk_key_hash_init(leat_pk_key_hash *self, const int32_t *columns, const leat_type *types,
                                             int32_t columns_count, leat_error *error);
void leat_pk_key_hash_done(leat_pk_key_hash *self);
/* hashes[i] of the i-th selected row. */
LEAT_CHECKED leat_code leat_pk_key_hash_run(leat_pk_key_hash *self, const leat_batch *batch, int32_t *hashes,
                                            leat_error *error);
