#include "paimon/pk/value.h"

#include <string.h>

/* The order of doubles as Java compares them: all NaNs are one, the greatest. */
static int64_t double_order(double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value) bits = 0x7ff8000000000000;
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

static int64_t fixed_order(const leat_type *type, const leat_column *column, int32_t row)
{
    switch (column->layout) {
    case LEAT_LAYOUT_8: return ((const int8_t *)column->values)[row];
    case LEAT_LAYOUT_16: return ((const int16_t *)column->values)[row];
    case LEAT_LAYOUT_32:
        return type->kind == LEAT_TYPE_FLOAT ? double_order((double)((const float *)column->values)[row])
                                             : ((const int32_t *)column->values)[row];
    case LEAT_LAYOUT_64:
        return type->kind == LEAT_TYPE_DOUBLE ? double_order(((const double *)column->values)[row])
                                              : ((const int64_t *)column->values)[row];
    case LEAT_LAYOUT_128:
    case LEAT_LAYOUT_VIEW: break;
    }
    return 0;
}

static __int128 decimal_at(const leat_column *column, int32_t row)
{
    __int128 value;
    memcpy(&value, (const uint8_t *)column->values + (size_t)row * sizeof value, sizeof value);
    return value;
}

static int compare_views(const leat_column *left, int32_t left_row, const leat_column *right, int32_t right_row)
{
    const leat_view *a = (const leat_view *)left->values + left_row;
    const leat_view *b = (const leat_view *)right->values + right_row;
    size_t shorter = (size_t)(a->length < b->length ? a->length : b->length);
    int order = memcmp(leat_view_data(left, a), leat_view_data(right, b), shorter);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

int leat_pk_compare(const leat_type *type, const leat_column *left, int32_t left_row, const leat_column *right,
                    int32_t right_row)
{
    bool left_null = leat_column_is_null(left, left_row), right_null = leat_column_is_null(right, right_row);
    if (left_null || right_null) return (int)right_null - (int)left_null;
    if (left->layout == LEAT_LAYOUT_VIEW) return compare_views(left, left_row, right, right_row);
    if (left->layout == LEAT_LAYOUT_128) {
        __int128 a = decimal_at(left, left_row), b = decimal_at(right, right_row);
        return (a > b) - (a < b);
    }
    int64_t a = fixed_order(type, left, left_row), b = fixed_order(type, right, right_row);
    return (a > b) - (a < b);
}

uint64_t leat_pk_prefix(const leat_type *type, const leat_column *column, int32_t row)
{
    if (leat_column_is_null(column, row)) return 0;
    if (column->layout == LEAT_LAYOUT_VIEW) {
        const leat_view *view = (const leat_view *)column->values + row;
        uint8_t bytes[8] = {0};
        memcpy(bytes, leat_view_data(column, view), view->length < 8 ? (size_t)view->length : 8);
        uint64_t value;
        memcpy(&value, bytes, sizeof value);
        return __builtin_bswap64(value);
    }
    if (column->layout == LEAT_LAYOUT_128) {
        return (uint64_t)((unsigned __int128)decimal_at(column, row) >> 64) ^ (UINT64_C(1) << 63);
    }
    return (uint64_t)fixed_order(type, column, row) ^ (UINT64_C(1) << 63);
}
