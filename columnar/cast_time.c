/* CAST among DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ, and the functions that read the clock. */
#include "columnar/cast.h"
#include "columnar/kernels.h"
#include "columnar/timezone.h"

static const int64_t day_us = INT64_C(86400000000);

static int64_t floor_to(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

static int64_t to_precision(int64_t us, int32_t precision)
{
    static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    return floor_to(us, units[precision > 6 ? 6 : precision]);
}

/* The operand as a local wall-clock time in microseconds. */
static int64_t local_at(const leat_kernel_call *call, const leat_operand *in, int32_t row)
{
    switch (in->type->kind) {
    case LEAT_TYPE_DATE: return LEAT_AT(int32_t, in, row) * day_us;
    case LEAT_TYPE_TIME: return (int64_t)LEAT_AT(int32_t, in, row) * 1000;
    case LEAT_TYPE_TIMESTAMP_LTZ: return leat_zone_to_local_us(call->zone, LEAT_AT(int64_t, in, row));
    default: return LEAT_AT(int64_t, in, row);
    }
}

static leat_code cast_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    const leat_operand *in = &call->operands[0];
    bool keeps_instant = in->type->kind == LEAT_TYPE_TIMESTAMP_LTZ && call->type->kind == LEAT_TYPE_TIMESTAMP_LTZ;
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        int64_t local = keeps_instant ? LEAT_AT(int64_t, in, row) : local_at(call, in, row);
        switch (call->type->kind) {
        case LEAT_TYPE_DATE: ((int32_t *)call->values)[row] = (int32_t)(floor_to(local, day_us) / day_us); break;
        case LEAT_TYPE_TIME: {
            int64_t ms = (local - floor_to(local, day_us)) / 1000;
            ((int32_t *)call->values)[row] = (int32_t)ms;
            break;
        }
        case LEAT_TYPE_TIMESTAMP_LTZ:
            if (!keeps_instant) local = leat_zone_to_utc_us(call->zone, local);
            ((int64_t *)call->values)[row] = to_precision(local, call->type->precision);
            break;
        default: ((int64_t *)call->values)[row] = to_precision(local, call->type->precision);
        }
    }
    return LEAT_OK;
}

static leat_code copy_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    size_t width = leat_layout_bytes(leat_type_layout(call->type));
    const leat_operand *in = &call->operands[0];
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        memcpy((uint8_t *)call->values + (size_t)row * width,
               (const uint8_t *)in->column->values + (size_t)leat_operand_row(in, row) * width, width);
    }
    return LEAT_OK;
}

leat_kernel_choice leat_cast_select_time(const leat_type *from, const leat_type *to)
{
    if (!leat_cast_is_known(from, to)) return (leat_kernel_choice){0};
    bool is_interval = from->kind >= LEAT_TYPE_INTERVAL_YEAR_MONTH;
    return (leat_kernel_choice){.run = is_interval ? copy_rows : cast_rows};
}

/* One instant for all calls of a batch: NOW() = CURRENT_TIMESTAMP. */
static int64_t now_us(const leat_kernel_call *call)
{
    leat_env *env = call->options ? call->options->env : NULL;
    if (!*call->now_ms && env) *call->now_ms = leat_env_now_ms(env);
    return *call->now_ms * 1000;
}

#define CLOCK(name, ctype, expression)                                                                                 \
    static leat_code name##_rows(leat_kernel_call *call, leat_error *error)                                            \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        int64_t utc = now_us(call), local = leat_zone_to_local_us(call->zone, utc);                                    \
        ctype value = (ctype)(expression);                                                                             \
        (void)local;                                                                                                   \
        for (int32_t i = 0; i < call->active_count; i++)                                                               \
            ((ctype *)call->values)[call->active[i]] = value;                                                          \
        return LEAT_OK;                                                                                                \
    }                                                                                                                  \
    LEAT_SELECT(name, .run = name##_rows)
CLOCK(now, int64_t, utc)
CLOCK(local_timestamp, int64_t, local)
CLOCK(current_date, int32_t, floor_to(local, day_us) / day_us)
CLOCK(current_time, int32_t, floor_to(local - floor_to(local, day_us), 1000000) / 1000)

/* TO_TIMESTAMP_LTZ(number, 0 or 3): seconds or milliseconds since the epoch. */
static leat_code to_timestamp_ltz_rows(leat_kernel_call *call, leat_error *error)
{
    const leat_operand *in = &call->operands[0];
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        int32_t precision = LEAT_AT(int32_t, &call->operands[1], row);
        if (precision != 0 && precision != 3) {
            return leat_fail(error, LEAT_INVALID,
                             "The precision value '%d' for function TO_TIMESTAMP_LTZ(numeric, precision) is "
                             "unsupported, the supported value is '0' for second or '3' for millisecond.",
                             precision);
        }
        int64_t us;
        bool fits = !__builtin_mul_overflow(LEAT_AT(int64_t, in, row), precision == 0 ? 1000000 : 1000, &us);
        bool is_shown =
            fits && us >= INT64_C(-62167219200000000) && us < INT64_C(253402300800000000); /* 0000 to 9999 */
        if (is_shown)
            ((int64_t *)call->values)[row] = us;
        else
            leat_call_set_null(call, row);
    }
    return LEAT_OK;
}

LEAT_SELECT(to_timestamp_ltz, .run = to_timestamp_ltz_rows, .can_fail = true)
