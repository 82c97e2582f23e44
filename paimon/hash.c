#include "paimon/hash.h"

#include "paimon/binary_row.h"

static inline uint32_t rotate(uint32_t value, int by)
{
    return value << by | value >> (32 - by);
}

static inline uint32_t mix_word(uint32_t hash, uint32_t word)
{
    hash ^= rotate(word * 0xcc9e2d51u, 15) * 0x1b873593u;
    return rotate(hash, 13) * 5 + 0xe6546b64u;
}

static inline int32_t finish(uint32_t hash, uint32_t size)
{
    hash ^= size;
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
    return (int32_t)(hash ^ hash >> 16);
}

enum { SEED = 42 };

int32_t leat_paimon_hash(const uint8_t *data, size_t size)
{
    uint32_t hash = SEED;
    for (size_t at = 0; at + 4 <= size; at += 4) {
        uint32_t word;
        memcpy(&word, data + at, sizeof word);
        hash = mix_word(hash, word);
    }
    return finish(hash, (uint32_t)size);
}

/* A row of one fixed-width field: two words of null bits, two of the slot. */
static inline int32_t hash_single(bool is_null, uint64_t slot)
{
    uint32_t hash = mix_word(SEED, is_null ? 0x100 : 0);
    hash = mix_word(hash, 0);
    hash = mix_word(hash, (uint32_t)slot);
    hash = mix_word(hash, (uint32_t)(slot >> 32));
    return finish(hash, 16);
}

#define HASH_SINGLE(name, type, slot_type)                                                                             \
    static void name(const leat_batch *batch, const leat_column *column, int32_t *restrict hashes)                     \
    {                                                                                                                  \
        const type *restrict values = column->values;                                                                  \
        for (int32_t i = 0; i < batch->selected; i++) {                                                                \
            int32_t row = leat_batch_row(batch, i);                                                                    \
            bool is_null = leat_column_is_null(column, row);                                                           \
            hashes[i] = hash_single(is_null, is_null ? 0 : (slot_type)values[row]);                                    \
        }                                                                                                              \
    }

HASH_SINGLE(hash_32, int32_t, uint32_t)
HASH_SINGLE(hash_64, int64_t, uint64_t)

leat_code leat_paimon_hash_rows(const leat_batch *batch, const int32_t *columns, const leat_type *types,
                                int32_t columns_count, leat_bytes *scratch, int32_t *hashes, leat_error *error)
{
    LEAT_TRY(leat_binary_row_check_types(types, columns_count, error));
    leat_type_kind kind = columns_count == 1 ? types[0].kind : LEAT_TYPE_NULL;
    if (kind == LEAT_TYPE_INT || kind == LEAT_TYPE_DATE || kind == LEAT_TYPE_TIME || kind == LEAT_TYPE_FLOAT) {
        hash_32(batch, &batch->columns[columns[0]], hashes);
        return LEAT_OK;
    }
    if (kind == LEAT_TYPE_BIGINT || kind == LEAT_TYPE_DOUBLE) {
        hash_64(batch, &batch->columns[columns[0]], hashes);
        return LEAT_OK;
    }
    for (int32_t i = 0; i < batch->selected; i++) {
        leat_bytes_reset(scratch);
        leat_binary_row_from_batch(batch, leat_batch_row(batch, i), columns, types, columns_count, false, scratch);
        if (scratch->failed) return leat_fail_no_memory(error);
        hashes[i] = leat_paimon_hash(scratch->data, scratch->size);
    }
    return LEAT_OK;
}
