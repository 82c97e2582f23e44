#include "columnar/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static const uint64_t null_hash = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t mix(uint64_t hash, uint64_t value)
{
    /* One 64x64 -> 128 multiply folded: the mixing step of XXH3 itself. */
    unsigned __int128 product = (unsigned __int128)(hash ^ value) * UINT64_C(0x9fb21c651e98df25);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_u64(uint64_t value)
{
    return XXH3_64bits_withSeed(&value, sizeof value, 0);
}

static uint64_t normalise_double(double value)
{
    if (value != value) return UINT64_C(0x7ff8000000000000);
    if (value == 0) value = 0; /* -0.0 */
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline uint64_t hash_i8(const leat_column *column, int32_t row)
{
    return hash_u64((uint64_t)((const int8_t *)column->values)[row]);
}

static inline uint64_t hash_i16(const leat_column *column, int32_t row)
{
    return hash_u64((uint64_t)((const int16_t *)column->values)[row]);
}

static inline uint64_t hash_i32(const leat_column *column, int32_t row)
{
    return hash_u64((uint64_t)((const int32_t *)column->values)[row]);
}

static inline uint64_t hash_i64(const leat_column *column, int32_t row)
{
    return hash_u64(((const uint64_t *)column->values)[row]);
}

static inline uint64_t hash_float(const leat_column *column, int32_t row)
{
    return hash_u64(normalise_double((double)((const float *)column->values)[row]));
}

static inline uint64_t hash_double(const leat_column *column, int32_t row)
{
    return hash_u64(normalise_double(((const double *)column->values)[row]));
}

static inline uint64_t hash_i128(const leat_column *column, int32_t row)
{
    return XXH3_64bits((const uint8_t *)column->values + (size_t)row * 16, 16);
}

static inline uint64_t hash_view(const leat_column *column, int32_t row)
{
    const leat_view *view = (const leat_view *)column->values + row;
    return XXH3_64bits(leat_view_data(column, view), (size_t)view->length);
}

/* One loop a kind of value; NULLs and the selection are looked at only where there are any. */
#define HASH_COLUMN(name)                                                                                              \
    static void name##_column(const leat_batch *batch, const leat_column *column, bool is_first,                       \
                              uint64_t *restrict hashes)                                                               \
    {                                                                                                                  \
        if (is_first && !batch->selection && !column->validity) {                                                      \
            for (int32_t i = 0; i < batch->rows; i++)                                                                  \
                hashes[i] = name(column, i);                                                                           \
            return;                                                                                                    \
        }                                                                                                              \
        for (int32_t i = 0; i < batch->selected; i++) {                                                                \
            int32_t row = leat_batch_row(batch, i);                                                                    \
            uint64_t hash = leat_column_is_null(column, row) ? null_hash : name(column, row);                          \
            hashes[i] = is_first ? hash : mix(hashes[i], hash);                                                        \
        }                                                                                                              \
    }
HASH_COLUMN(hash_i8)
HASH_COLUMN(hash_i16)
HASH_COLUMN(hash_i32)
HASH_COLUMN(hash_i64)
HASH_COLUMN(hash_float)
HASH_COLUMN(hash_double)
HASH_COLUMN(hash_i128)
HASH_COLUMN(hash_view)

void leat_hash_rows(const leat_batch *batch, const int32_t *columns, const leat_type *types, int32_t columns_count,
                    uint64_t *hashes)
{
    for (int32_t c = 0; c < columns_count; c++) {
        const leat_column *column = &batch->columns[columns[c]];
        leat_type_kind kind = types[c].kind;
        bool is_first = c == 0;
        switch (column->layout) {
        case LEAT_LAYOUT_8: hash_i8_column(batch, column, is_first, hashes); break;
        case LEAT_LAYOUT_16: hash_i16_column(batch, column, is_first, hashes); break;
        case LEAT_LAYOUT_32:
            if (kind == LEAT_TYPE_FLOAT)
                hash_float_column(batch, column, is_first, hashes);
            else
                hash_i32_column(batch, column, is_first, hashes);
            break;
        case LEAT_LAYOUT_64:
            if (kind == LEAT_TYPE_DOUBLE)
                hash_double_column(batch, column, is_first, hashes);
            else
                hash_i64_column(batch, column, is_first, hashes);
            break;
        case LEAT_LAYOUT_128: hash_i128_column(batch, column, is_first, hashes); break;
        case LEAT_LAYOUT_VIEW: hash_view_column(batch, column, is_first, hashes); break;
        }
    }
    if (columns_count == 0) memset(hashes, 0, (size_t)batch->selected * sizeof *hashes);
}

int32_t leat_default_max_parallelism(int32_t parallelism)
{
    int64_t wanted = (int64_t)parallelism + parallelism / 2;
    int64_t power = 128;
    while (power < wanted && power < 32768)
        power *= 2;
    return (int32_t)power;
}
