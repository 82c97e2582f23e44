#include "paimon/pk/merge_function.h"

#include <string.h>

#include "paimon/pk/value.h"

/* --- cells --- */

static void *cell(leat_pk_column *column, int32_t target)
{
    return column->column.values_buffer->data + (size_t)target * leat_layout_bytes(column->column.layout);
}

static void set_null(leat_pk_column *column, int32_t target)
{
    memset(cell(column, target), 0, leat_layout_bytes(column->column.layout));
    leat_bit_clear(column->column.validity_buffer->data, target);
}

static void set_valid(leat_pk_column *column, int32_t target)
{
    leat_bit_set(column->column.validity_buffer->data, target);
}

static bool is_null(const leat_pk_column *column, int32_t target)
{
    return !leat_bit_get(column->column.validity, target);
}

static leat_code copy_cell(leat_pk_state *state, leat_pk_column *column, int32_t target, const leat_column *from,
                           int32_t row, leat_error *error)
{
    if (leat_column_is_null(from, row)) {
        set_null(column, target);
        return LEAT_OK;
    }
    set_valid(column, target);
    size_t width = leat_layout_bytes(from->layout);
    switch (from->layout) {
    case LEAT_LAYOUT_VIEW: return leat_pk_state_set_view(state, column, target, from, row, error);
    case LEAT_LAYOUT_8:
    case LEAT_LAYOUT_16:
    case LEAT_LAYOUT_32:
    case LEAT_LAYOUT_64:
    case LEAT_LAYOUT_128: break;
    }
    memcpy(cell(column, target), (const uint8_t *)from->values + (size_t)row * width, width);
    return LEAT_OK;
}

/* --- arithmetic on one cell: +, −, ×, ÷ as Java does them: integers wrap, decimals out of range become NULL --- */

typedef enum arithmetic { PLUS, MINUS, TIMES, DIVIDE } arithmetic;

static unsigned __int128 power_of_ten(int32_t exponent)
{
    unsigned __int128 power = 1;
    for (int32_t i = 0; i < exponent; i++)
        power *= 10;
    return power;
}

static bool decimal_fits(__int128 value, int32_t precision)
{
    unsigned __int128 size = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    return size < power_of_ten(precision);
}

/* False: the result does not fit, or does not come out even. Scales of operands and result are equal. */
static bool decimal_times(const leat_type *type, arithmetic op, __int128 a, __int128 b, __int128 *out)
{
    __int128 scale = (__int128)power_of_ten(type->scale), wide;
    if (op == TIMES) {
        if (__builtin_mul_overflow(a, b, &wide)) return false;
        __int128 rest = wide % scale;
        wide /= scale;
        if (rest < 0 ? -rest * 2 >= scale : rest * 2 >= scale) wide += rest < 0 ? -1 : 1; /* half up */
    } else {
        if (b == 0 || __builtin_mul_overflow(a, scale, &wide) || wide % b != 0) return false;
        wide /= b;
    }
    *out = wide;
    return true;
}

static bool decimal_compute(const leat_type *type, arithmetic op, __int128 a, __int128 b, __int128 *out)
{
    __int128 result = 0;
    bool is_fine = true;
    switch (op) {
    case PLUS: result = a + b; break; /* 38 digits each: far from the end of 128 bits */
    case MINUS: result = a - b; break;
    case TIMES:
    case DIVIDE: is_fine = decimal_times(type, op, a, b, &result); break;
    }
    *out = result;
    return is_fine && decimal_fits(result, type->precision);
}

/* False: division by zero. */
static bool integer_compute(arithmetic op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case PLUS: *out = (int64_t)((uint64_t)a + (uint64_t)b); return true;
    case MINUS: *out = (int64_t)((uint64_t)a - (uint64_t)b); return true;
    case TIMES: *out = (int64_t)((uint64_t)a * (uint64_t)b); return true;
    case DIVIDE: break;
    }
    if (b == 0) return false;
    *out = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    return true;
}

static double float_compute(arithmetic op, double a, double b)
{
    switch (op) {
    case PLUS: return a + b;
    case MINUS: return a - b;
    case TIMES: return a * b;
    case DIVIDE: break;
    }
    return a / b;
}

static int64_t load_integer(const leat_column *column, int32_t row)
{
    switch (column->layout) {
    case LEAT_LAYOUT_8: return ((const int8_t *)column->values)[row];
    case LEAT_LAYOUT_16: return ((const int16_t *)column->values)[row];
    case LEAT_LAYOUT_32: return ((const int32_t *)column->values)[row];
    case LEAT_LAYOUT_64: return ((const int64_t *)column->values)[row];
    case LEAT_LAYOUT_128:
    case LEAT_LAYOUT_VIEW: break;
    }
    return 0;
}

/* target := target op from[row], neither NULL. */
static leat_code compute_cell(leat_pk_column *column, int32_t target, arithmetic op, const leat_column *from,
                              int32_t row, leat_error *error)
{
    void *at = cell(column, target);
    if (column->type.kind == LEAT_TYPE_DECIMAL) {
        __int128 a, b, result;
        memcpy(&a, at, sizeof a);
        memcpy(&b, (const uint8_t *)from->values + (size_t)row * sizeof b, sizeof b);
        if (!decimal_compute(&column->type, op, a, b, &result)) {
            if (op == DIVIDE)
                return leat_fail(error, LEAT_INVALID, "retract of a product: the decimal division has a rest");
            set_null(column, target);
            return LEAT_OK;
        }
        memcpy(at, &result, sizeof result);
        return LEAT_OK;
    }
    if (column->type.kind == LEAT_TYPE_DOUBLE) {
        *(double *)at = float_compute(op, *(double *)at, ((const double *)from->values)[row]);
        return LEAT_OK;
    }
    if (column->type.kind == LEAT_TYPE_FLOAT) {
        *(float *)at = (float)float_compute(op, (double)*(float *)at, (double)((const float *)from->values)[row]);
        return LEAT_OK;
    }
    int64_t result;
    if (!integer_compute(op, load_integer(&column->column, target), load_integer(from, row), &result)) {
        return leat_fail(error, LEAT_INVALID, "retract of a product: division by zero");
    }
    memcpy(at, &result, leat_layout_bytes(column->column.layout)); /* little-endian: the low bytes wrap */
    return LEAT_OK;
}

/* --- one record --- */

static leat_code add_cell(leat_pk_state *state, leat_pk_column *column, int32_t target, const leat_column *from,
                          int32_t row, bool is_first, leat_error *error)
{
    bool in_null = leat_column_is_null(from, row);
    switch (column->function) {
    case LEAT_PK_PRIMARY_KEY:
    case LEAT_PK_LAST_VALUE: return copy_cell(state, column, target, from, row, error);
    case LEAT_PK_FIRST_VALUE: return is_first ? copy_cell(state, column, target, from, row, error) : LEAT_OK;
    case LEAT_PK_LAST_NON_NULL_VALUE:
    case LEAT_PK_FIRST_NON_NULL_VALUE:
    case LEAT_PK_SUM:
    case LEAT_PK_PRODUCT:
    case LEAT_PK_MIN:
    case LEAT_PK_MAX:
    case LEAT_PK_BOOL_AND:
    case LEAT_PK_BOOL_OR: break;
    }
    if (in_null) return LEAT_OK;
    if (is_null(column, target)) return copy_cell(state, column, target, from, row, error);
    switch (column->function) {
    case LEAT_PK_SUM: return compute_cell(column, target, PLUS, from, row, error);
    case LEAT_PK_PRODUCT: return compute_cell(column, target, TIMES, from, row, error);
    case LEAT_PK_MIN:
        if (leat_pk_compare(&column->type, from, row, &column->column, target) > 0) return LEAT_OK;
        return copy_cell(state, column, target, from, row, error);
    case LEAT_PK_MAX:
        if (leat_pk_compare(&column->type, from, row, &column->column, target) <= 0) return LEAT_OK;
        return copy_cell(state, column, target, from, row, error);
    case LEAT_PK_BOOL_AND: *(int8_t *)cell(column, target) &= ((const int8_t *)from->values)[row]; return LEAT_OK;
    case LEAT_PK_BOOL_OR: *(int8_t *)cell(column, target) |= ((const int8_t *)from->values)[row]; return LEAT_OK;
    case LEAT_PK_FIRST_NON_NULL_VALUE: return LEAT_OK;
    case LEAT_PK_PRIMARY_KEY:
    case LEAT_PK_LAST_VALUE:
    case LEAT_PK_FIRST_VALUE:
    case LEAT_PK_LAST_NON_NULL_VALUE: break;
    }
    return copy_cell(state, column, target, from, row, error);
}

static leat_code refuse_retract(const leat_pk_column *column, leat_error *error)
{
    static const char *const names[] = {"primary-key",
                                        "last_value",
                                        "last_non_null_value",
                                        "first_value",
                                        "first_non_null_value",
                                        "sum",
                                        "product",
                                        "min",
                                        "max",
                                        "bool_and",
                                        "bool_or"};
    (void)leat_fail(error, LEAT_INVALID, "aggregate function '%s' does not support retraction",
                    names[column->function]);
    leat_fail_hint(error, "set 'fields.<column>.ignore-retract' = 'true' to keep the value when a row is retracted");
    return LEAT_INVALID;
}

/* x − NULL = x; NULL − x = −x. */
static leat_code negate_into(leat_pk_state *state, leat_pk_column *column, int32_t target, const leat_column *from,
                             int32_t row, leat_error *error)
{
    LEAT_TRY(copy_cell(state, column, target, from, row, error));
    void *at = cell(column, target);
    if (column->type.kind == LEAT_TYPE_DECIMAL) {
        __int128 value;
        memcpy(&value, at, sizeof value);
        value = -value;
        memcpy(at, &value, sizeof value);
    } else if (column->type.kind == LEAT_TYPE_DOUBLE) {
        *(double *)at = -*(double *)at;
    } else if (column->type.kind == LEAT_TYPE_FLOAT) {
        *(float *)at = -*(float *)at;
    } else {
        int64_t value = (int64_t)(0 - (uint64_t)load_integer(&column->column, target));
        memcpy(at, &value, leat_layout_bytes(column->column.layout));
    }
    return LEAT_OK;
}

static leat_code retract_cell(leat_pk_state *state, leat_pk_column *column, int32_t target, const leat_column *from,
                              int32_t row, leat_error *error)
{
    if (column->function == LEAT_PK_PRIMARY_KEY) return copy_cell(state, column, target, from, row, error);
    if (column->ignore_retract) return LEAT_OK;
    bool in_null = leat_column_is_null(from, row);
    switch (column->function) {
    case LEAT_PK_SUM:
        if (in_null) return LEAT_OK;
        return is_null(column, target) ? negate_into(state, column, target, from, row, error)
                                       : compute_cell(column, target, MINUS, from, row, error);
    case LEAT_PK_PRODUCT:
        if (in_null) return LEAT_OK;
        return is_null(column, target) ? copy_cell(state, column, target, from, row, error)
                                       : compute_cell(column, target, DIVIDE, from, row, error);
    case LEAT_PK_LAST_VALUE: set_null(column, target); return LEAT_OK;
    case LEAT_PK_LAST_NON_NULL_VALUE:
        if (!in_null) set_null(column, target);
        return LEAT_OK;
    case LEAT_PK_PRIMARY_KEY:
    case LEAT_PK_FIRST_VALUE:
    case LEAT_PK_FIRST_NON_NULL_VALUE:
    case LEAT_PK_MIN:
    case LEAT_PK_MAX:
    case LEAT_PK_BOOL_AND:
    case LEAT_PK_BOOL_OR: break;
    }
    return refuse_retract(column, error);
}

/* The row is cleared; columns that can't be NULL keep what the record says. */
static leat_code clear_row(leat_pk_state *state, int32_t target, const leat_batch *batch, int32_t row,
                           leat_error *error)
{
    for (int32_t i = 0; i < state->columns_count; i++) {
        leat_pk_column *column = &state->columns[i];
        if (!column->type.nullable || column->function == LEAT_PK_PRIMARY_KEY) {
            LEAT_TRY(copy_cell(state, column, target, &batch->columns[i], row, error));
        } else {
            set_null(column, target);
        }
    }
    return LEAT_OK;
}

/* A second record has come to a row of one retraction, which passed as it was: now it counts as one. */
static leat_code replay_first(leat_pk_state *state, int32_t target, leat_error *error)
{
    state->records[target] = 2;
    leat_row_kind kind = (leat_row_kind)state->kinds[target];
    if (leat_row_kind_is_add((int8_t)kind)) {
        state->kinds[target] = LEAT_ROW_INSERT;
        return LEAT_OK;
    }
    state->lone_retracts--;
    bool is_cleared = kind == LEAT_ROW_DELETE && state->remove_record_on_delete;
    for (int32_t i = 0; i < state->columns_count; i++) {
        leat_pk_column *column = &state->columns[i];
        if (column->function == LEAT_PK_PRIMARY_KEY) continue;
        if (is_cleared) {
            if (column->type.nullable) set_null(column, target);
            continue;
        }
        /* Its values are the operand of a retraction from nothing. */
        leat_column operand = column->column;
        if (is_null(column, target)) continue;
        if (column->function == LEAT_PK_SUM && !column->ignore_retract) {
            LEAT_TRY(negate_into(state, column, target, &operand, target, error));
        } else if (column->function == LEAT_PK_PRODUCT && !column->ignore_retract) {
            continue;
        } else if (!column->ignore_retract && column->function != LEAT_PK_LAST_VALUE &&
                   column->function != LEAT_PK_LAST_NON_NULL_VALUE) {
            return refuse_retract(column, error);
        } else {
            set_null(column, target);
        }
    }
    state->kinds[target] = is_cleared ? LEAT_ROW_DELETE : LEAT_ROW_INSERT;
    return LEAT_OK;
}

static leat_code copy_row(leat_pk_state *state, int32_t target, const leat_batch *batch, int32_t row, leat_error *error)
{
    for (int32_t i = 0; i < state->columns_count; i++) {
        LEAT_TRY(copy_cell(state, &state->columns[i], target, &batch->columns[i], row, error));
    }
    return LEAT_OK;
}

static leat_code aggregate_row(leat_pk_state *state, int32_t target, const leat_batch *batch, int32_t row,
                               leat_row_kind kind, leat_error *error)
{
    if (state->records[target] == 1) LEAT_TRY(replay_first(state, target, error));
    if (kind == LEAT_ROW_DELETE && state->remove_record_on_delete) {
        state->kinds[target] = LEAT_ROW_DELETE;
        return clear_row(state, target, batch, row, error);
    }
    bool is_add = leat_row_kind_is_add((int8_t)kind);
    for (int32_t i = 0; i < state->columns_count; i++) {
        leat_pk_column *column = &state->columns[i];
        const leat_column *from = &batch->columns[i];
        LEAT_TRY(is_add ? add_cell(state, column, target, from, row, false, error)
                        : retract_cell(state, column, target, from, row, error));
    }
    state->kinds[target] = LEAT_ROW_INSERT;
    return LEAT_OK;
}

leat_code leat_pk_state_add(leat_pk_state *state, int32_t target, const leat_batch *batch, int32_t row,
                            leat_row_kind kind, int64_t sequence, leat_error *error)
{
    bool is_first = state->records[target] == 0;
    bool is_add = leat_row_kind_is_add((int8_t)kind);
    if (is_first || state->engine == LEAT_PK_DEDUPLICATE) {
        if (!is_first && !is_add && state->ignore_delete) return LEAT_OK;
        LEAT_TRY(copy_row(state, target, batch, row, error));
        state->kinds[target] = (int8_t)kind;
        state->records[target] = is_first ? 1 : 2;
        if (is_first && !is_add && state->engine == LEAT_PK_AGGREGATION) state->lone_retracts++;
    } else {
        LEAT_TRY(aggregate_row(state, target, batch, row, kind, error));
    }
    state->sequences[target] = sequence;
    return LEAT_OK;
}

/* --- many records, a column at a time. All are puts (or the engine takes any kind): NULL is where every function
 * starts, so that no case is needed for the first record of a row. --- */

typedef struct many {
    const uint16_t *rows;
    const uint32_t *targets;
    const uint8_t *is_first;
    int32_t count;
} many;

/* 4 bytes read, 4 read and written, one bit set a row: the targets of few keys stay in L1. */
#define DEFINE_SUM(name, type, wide)                                                                                   \
    static void sum_##name(leat_pk_column *column, const leat_column *from, const many *in)                            \
    {                                                                                                                  \
        type *restrict sums = (type *)(void *)column->column.values_buffer->data;                                      \
        uint8_t *restrict validity = column->column.validity_buffer->data;                                             \
        const type *restrict values = from->values;                                                                    \
        for (int32_t i = 0; i < in->count; i++) {                                                                      \
            uint32_t target = in->targets[i];                                                                          \
            uint16_t row = in->rows[i];                                                                                \
            if (from->validity && !leat_bit_get(from->validity, row)) continue;                                        \
            sums[target] = (type)((wide)sums[target] + (wide)values[row]);                                             \
            leat_bit_set(validity, (int32_t)target);                                                                   \
        }                                                                                                              \
    }

DEFINE_SUM(i8, int8_t, uint32_t)
DEFINE_SUM(i16, int16_t, uint32_t)
DEFINE_SUM(i32, int32_t, uint32_t)
DEFINE_SUM(i64, int64_t, uint64_t)

static bool sum_many(leat_pk_column *column, const leat_column *from, const many *in)
{
    switch (column->type.kind) {
    case LEAT_TYPE_TINYINT: sum_i8(column, from, in); return true;
    case LEAT_TYPE_SMALLINT: sum_i16(column, from, in); return true;
    case LEAT_TYPE_INT: sum_i32(column, from, in); return true;
    case LEAT_TYPE_BIGINT: sum_i64(column, from, in); return true;
    default: return false; /* FLOAT, DOUBLE (−0.0 + 0.0) and DECIMAL (overflow) go cell by cell */
    }
}

#define DEFINE_COPY(bits, type)                                                                                        \
    static void copy_##bits(leat_pk_column *column, const leat_column *from, const many *in)                           \
    {                                                                                                                  \
        type *restrict to = (type *)(void *)column->column.values_buffer->data;                                        \
        uint8_t *restrict validity = column->column.validity_buffer->data;                                             \
        const type *restrict values = from->values;                                                                    \
        for (int32_t i = 0; i < in->count; i++) {                                                                      \
            to[in->targets[i]] = values[in->rows[i]];                                                                  \
            leat_bit_set(validity, (int32_t)in->targets[i]);                                                           \
        }                                                                                                              \
    }

DEFINE_COPY(8, uint8_t)
DEFINE_COPY(16, uint16_t)
DEFINE_COPY(32, uint32_t)
DEFINE_COPY(64, uint64_t)

static leat_code copy_many(leat_pk_state *state, leat_pk_column *column, const leat_column *from, const many *in,
                           leat_error *error)
{
    bool is_key = column->function == LEAT_PK_PRIMARY_KEY;
    if (!from->validity && !is_key) {
        switch (from->layout) {
        case LEAT_LAYOUT_8: copy_8(column, from, in); return LEAT_OK;
        case LEAT_LAYOUT_16: copy_16(column, from, in); return LEAT_OK;
        case LEAT_LAYOUT_32: copy_32(column, from, in); return LEAT_OK;
        case LEAT_LAYOUT_64: copy_64(column, from, in); return LEAT_OK;
        case LEAT_LAYOUT_128:
        case LEAT_LAYOUT_VIEW: break;
        }
    }
    for (int32_t i = 0; i < in->count; i++) {
        if (is_key && !in->is_first[i]) continue; /* a key's later records have the same key */
        LEAT_TRY(copy_cell(state, column, (int32_t)in->targets[i], from, in->rows[i], error));
    }
    return LEAT_OK;
}

static leat_code add_column(leat_pk_state *state, leat_pk_column *column, const leat_column *from, const many *in,
                            leat_error *error)
{
    bool is_copied = state->engine == LEAT_PK_DEDUPLICATE || column->function == LEAT_PK_LAST_VALUE ||
                     column->function == LEAT_PK_PRIMARY_KEY ||
                     (column->function == LEAT_PK_LAST_NON_NULL_VALUE && !from->validity);
    if (is_copied) return copy_many(state, column, from, in, error);
    if (column->function == LEAT_PK_SUM && sum_many(column, from, in)) return LEAT_OK;
    for (int32_t i = 0; i < in->count; i++) {
        LEAT_TRY(add_cell(state, column, (int32_t)in->targets[i], from, in->rows[i], in->is_first[i], error));
    }
    return LEAT_OK;
}

static bool has_retracts(const leat_batch *batch, const uint16_t *rows, int32_t count)
{
    if (!batch->kinds) return false;
    uint8_t any = 0;
    for (int32_t i = 0; i < count; i++)
        any |= (uint8_t)!leat_row_kind_is_add(batch->kinds[rows[i]]);
    return any;
}

static void note_kinds(leat_pk_state *state, const leat_batch *batch, const many *in, int64_t first_sequence,
                       uint8_t *is_first)
{
    bool keeps_kind = state->engine == LEAT_PK_DEDUPLICATE;
    for (int32_t i = 0; i < in->count; i++) {
        uint32_t target = in->targets[i];
        uint8_t records = state->records[target];
        is_first[i] = records == 0;
        state->records[target] = records == 0 ? 1 : 2;
        state->kinds[target] =
            records == 0 || keeps_kind ? leat_batch_kind(batch, in->rows[i]) : (int8_t)LEAT_ROW_INSERT;
        state->sequences[target] = first_sequence + i;
    }
}

leat_code leat_pk_state_add_many(leat_pk_state *state, const leat_batch *batch, const uint16_t *rows,
                                 const uint32_t *targets, int32_t count, int64_t first_sequence, leat_error *error)
{
    LEAT_ASSERT(count <= LEAT_BATCH_ROWS_MAX);
    bool is_slow = state->engine == LEAT_PK_AGGREGATION ? state->lone_retracts > 0 || has_retracts(batch, rows, count)
                                                        : state->ignore_delete && has_retracts(batch, rows, count);
    if (is_slow) {
        for (int32_t i = 0; i < count; i++) {
            leat_row_kind kind = (leat_row_kind)leat_batch_kind(batch, rows[i]);
            LEAT_TRY(leat_pk_state_add(state, (int32_t)targets[i], batch, rows[i], kind, first_sequence + i, error));
        }
        return LEAT_OK;
    }
    uint8_t is_first[LEAT_BATCH_ROWS_MAX];
    many in = {rows, targets, is_first, count};
    note_kinds(state, batch, &in, first_sequence, is_first);
    for (int32_t i = 0; i < state->columns_count; i++) {
        LEAT_TRY(add_column(state, &state->columns[i], &batch->columns[i], &in, error));
    }
    return LEAT_OK;
}
