#include "operators/accumulator.h"

#include <string.h>

#include "columnar/decimal.h"
#include "common/memory.h"

static bool is_text(const leat_type *type)
{
    return leat_type_layout(type) == LEAT_LAYOUT_VIEW;
}

static bool is_real(const leat_type *type)
{
    return type->kind == LEAT_TYPE_FLOAT || type->kind == LEAT_TYPE_DOUBLE;
}

static bool is_extreme(const leat_accumulator_kind *kind)
{
    return kind->call.function == LEAT_AGGREGATE_MIN || kind->call.function == LEAT_AGGREGATE_MAX;
}

void leat_accumulator_clear(const leat_accumulator_kind *kind, leat_accumulator *self)
{
    leat_multiset_free(self->set);
    bool owns_text = is_extreme(kind) && !kind->keeps_set && self->count > 0 && is_text(&kind->argument);
    if (owns_text) leat_free((void *)(uintptr_t)self->value.text.data);
    *self = (leat_accumulator){0};
}

/* FLOAT sums are kept as FLOATs are added: rounded to FLOAT at each step. */
static void add_sum(const leat_accumulator_kind *kind, leat_accumulator *self, const leat_scalar *value, int sign)
{
    const leat_type *type = &kind->argument;
    self->count += sign;
    if (type->kind == LEAT_TYPE_DECIMAL) {
        __int128 sum = self->value.i128 + (sign > 0 ? value->i128 : -value->i128); /* both below 10^38: no wrap */
        self->value.i128 = sum;
        if (!leat_decimal_fits(sum, LEAT_DECIMAL_PRECISION_MAX)) {
            self->has_overflown = true;
            self->value.i128 = 0;
        }
    } else if (type->kind == LEAT_TYPE_FLOAT && kind->call.function == LEAT_AGGREGATE_SUM) {
        self->value.f64 = (double)((float)self->value.f64 + (float)sign * (float)value->f64);
    } else if (is_real(type)) {
        self->value.f64 += sign * value->f64;
    } else {
        self->value.i64 = (int64_t)((uint64_t)self->value.i64 + (uint64_t)(sign * value->i64)); /* wraps */
    }
    if (self->count == 0) self->value.i128 = 0;
}

static leat_code take_extreme(const leat_accumulator_kind *kind, leat_accumulator *self, const leat_scalar *value,
                              leat_error *error)
{
    if (self->count > 0) {
        int order = leat_scalar_compare(&kind->argument, value, &self->value);
        bool is_better = kind->call.function == LEAT_AGGREGATE_MIN ? order < 0 : order > 0;
        self->count++;
        if (!is_better) return LEAT_OK;
    } else {
        self->count = 1;
        self->value = (leat_scalar){.i128 = 0};
    }
    if (!is_text(&kind->argument)) {
        self->value = *value;
        return LEAT_OK;
    }
    char *copy = leat_strndup(value->text.data, (size_t)value->text.length);
    if (!copy) {
        if (self->count == 1) self->count = 0;
        return leat_fail_no_memory(error);
    }
    leat_free((void *)(uintptr_t)self->value.text.data);
    self->value.text.data = copy;
    self->value.text.length = value->text.length;
    return LEAT_OK;
}

/* Through the set of values: a value enters the aggregate with its first occurrence and leaves with its last. */
static leat_code add_kept(const leat_accumulator_kind *kind, leat_accumulator *self, const leat_scalar *value, int sign,
                          leat_error *error)
{
    if (!self->set) self->set = leat_multiset_new();
    if (!self->set) return leat_fail_no_memory(error);
    int64_t was, is;
    LEAT_TRY(leat_multiset_add(self->set, &kind->argument, value, sign, &was, &is, error));
    if (is_extreme(kind)) {
        self->count += sign;
        return LEAT_OK;
    }
    int change = (is > 0) - (was > 0);
    if (change == 0) return LEAT_OK;
    if (kind->call.function == LEAT_AGGREGATE_COUNT)
        self->count += change;
    else
        add_sum(kind, self, value, change);
    return LEAT_OK;
}

static leat_code add_one(const leat_accumulator_kind *kind, leat_accumulator *self, const leat_column *column,
                         int32_t row, int sign, leat_error *error)
{
    if (column && leat_column_is_null(column, row)) return LEAT_OK;
    bool only_counts = kind->call.function == LEAT_AGGREGATE_COUNT_STAR ||
                       (kind->call.function == LEAT_AGGREGATE_COUNT && !kind->keeps_set);
    if (only_counts) {
        self->count += sign;
        return LEAT_OK;
    }
    leat_scalar value = leat_scalar_of(&kind->argument, column, row);
    if (kind->keeps_set) return add_kept(kind, self, &value, sign, error);
    if (is_extreme(kind)) return take_extreme(kind, self, &value, error);
    add_sum(kind, self, &value, sign);
    return LEAT_OK;
}

/* SUM of integers without NULLs and retractions, the commonest: a load, an add, a store a row. */
#define FAST_SUM(ctype)                                                                                                \
    {                                                                                                                  \
        const ctype *values = column->values;                                                                          \
        for (int32_t i = 0; i < count; i++) {                                                                          \
            accumulators[i]->value.i64 = (int64_t)((uint64_t)accumulators[i]->value.i64 + (uint64_t)values[rows[i]]);  \
            accumulators[i]->count++;                                                                                  \
        }                                                                                                              \
        return true;                                                                                                   \
    }

static bool accumulate_fast(const leat_accumulator_kind *kind, const leat_column *column, const uint16_t *rows,
                            const int8_t *signs, int32_t count, leat_accumulator *const *accumulators)
{
    if (signs || kind->keeps_set) return false;
    bool has_nulls = column && column->validity;
    leat_aggregate_function function = kind->call.function;
    if (function == LEAT_AGGREGATE_COUNT_STAR || (function == LEAT_AGGREGATE_COUNT && !has_nulls)) {
        for (int32_t i = 0; i < count; i++)
            accumulators[i]->count++;
        return true;
    }
    if (!column || has_nulls || is_extreme(kind)) return false;
    switch (kind->argument.kind) {
    case LEAT_TYPE_TINYINT: FAST_SUM(int8_t)
    case LEAT_TYPE_SMALLINT: FAST_SUM(int16_t)
    case LEAT_TYPE_INT: FAST_SUM(int32_t)
    case LEAT_TYPE_BIGINT: FAST_SUM(int64_t)
    default: return false;
    }
}

leat_code leat_accumulate(const leat_accumulator_kind *kind, const leat_column *column, const uint16_t *rows,
                          const int8_t *signs, int32_t count, leat_accumulator *const *accumulators, leat_error *error)
{
    if (accumulate_fast(kind, column, rows, signs, count, accumulators)) return LEAT_OK;
    for (int32_t i = 0; i < count; i++) {
        LEAT_TRY(add_one(kind, accumulators[i], column, rows[i], signs ? signs[i] : 1, error));
    }
    return LEAT_OK;
}

static leat_code set_average(const leat_accumulator_kind *kind, const leat_accumulator *self,
                             leat_batch_builder *builder, int32_t at, leat_error *error)
{
    const leat_type *type = &kind->call.type;
    leat_scalar result = {.i128 = 0};
    if (kind->argument.kind == LEAT_TYPE_DECIMAL) {
        bool fits = leat_decimal_divide(self->value.i128, kind->argument.scale, self->count, 0, type->precision,
                                        type->scale, &result.i128);
        if (!fits) return LEAT_OK;
    } else if (is_real(&kind->argument)) {
        result.f64 = self->value.f64 / (double)self->count;
    } else {
        result.i64 = self->value.i64 / self->count;
    }
    return leat_scalar_set(type, &result, builder, at, error);
}

leat_code leat_accumulator_set(const leat_accumulator_kind *kind, const leat_accumulator *self,
                               leat_batch_builder *builder, int32_t at, leat_error *error)
{
    switch (kind->call.function) {
    case LEAT_AGGREGATE_COUNT_STAR:
    case LEAT_AGGREGATE_COUNT: leat_batch_builder_set_fixed(builder, at, &self->count); return LEAT_OK;
    case LEAT_AGGREGATE_SUM:
        if (self->count == 0 || self->has_overflown) return LEAT_OK;
        return leat_scalar_set(&kind->call.type, &self->value, builder, at, error);
    case LEAT_AGGREGATE_AVG:
        if (self->count == 0 || self->has_overflown) return LEAT_OK;
        return set_average(kind, self, builder, at, error);
    case LEAT_AGGREGATE_MIN:
    case LEAT_AGGREGATE_MAX: break;
    }
    const leat_scalar *value = self->count > 0 ? &self->value : NULL;
    if (kind->keeps_set) {
        value = !self->set                                  ? NULL
                : kind->call.function == LEAT_AGGREGATE_MIN ? leat_multiset_least(self->set)
                                                            : leat_multiset_greatest(self->set);
    }
    return value ? leat_scalar_set(&kind->argument, value, builder, at, error) : LEAT_OK;
}

void leat_accumulator_write(const leat_accumulator_kind *kind, const leat_accumulator *self, leat_bytes *out)
{
    leat_bytes_put_i64(out, self->count);
    leat_bytes_put_u8(out, self->has_overflown);
    leat_bytes_put_u8(out, self->set != NULL);
    if (self->set) leat_multiset_write(self->set, &kind->argument, out);
    bool has_value = !is_extreme(kind) || (!kind->keeps_set && self->count > 0);
    leat_bytes_put_u8(out, has_value);
    if (!has_value) return;
    if (is_extreme(kind))
        leat_scalar_write(&kind->argument, &self->value, out);
    else
        leat_bytes_put(out, &self->value.i128, 16);
}

leat_code leat_accumulator_read(const leat_accumulator_kind *kind, leat_accumulator *self, leat_reader *reader,
                                leat_error *error)
{
    self->count = leat_reader_i64(reader);
    self->has_overflown = leat_reader_u8(reader) != 0;
    if (leat_reader_u8(reader)) {
        self->set = leat_multiset_new();
        if (!self->set) return leat_fail_no_memory(error);
        LEAT_TRY(leat_multiset_read(self->set, &kind->argument, reader, error));
    }
    if (leat_reader_u8(reader)) {
        if (is_extreme(kind)) {
            leat_scalar value = leat_scalar_read(&kind->argument, reader);
            int64_t count = self->count;
            self->count = 0;
            if (!reader->failed) LEAT_TRY(take_extreme(kind, self, &value, error));
            self->count = count > 0 ? count : 0;
        } else {
            const uint8_t *sum = leat_reader_take(reader, 16);
            if (sum) memcpy(&self->value.i128, sum, 16);
        }
    }
    return leat_reader_check(reader, false, "an aggregate's state", error);
}
