#include "connectors/datagen/datagen.h"

#include <math.h>
#include <string.h>

#include "common/memory.h"

enum { ROWS_PER_BATCH = 8192, TICK_US = 100000, ARENA_BYTES_MAX = 1 << 20, SCRATCH_TEXT_MAX = 1 << 20 };

typedef struct datagen {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_datagen_config config;
    uint64_t random;                  /* a counter; mixed for each value */
    int64_t made;                     /* rows by this subtask */
    int64_t rows_limit;               /* of this subtask; INT64_MAX: endless */
    int64_t rows_a_second;            /* of this subtask */
    int64_t started_us, started_made; /* the rate counts from here */
    bool has_sequence;
} datagen;

leat_datagen_field leat_datagen_field_default(const leat_type *type)
{
    leat_datagen_field field = {.kind = LEAT_DATAGEN_RANDOM};
    switch (type->kind) {
    case LEAT_TYPE_TINYINT: field.min = INT8_MIN, field.max = INT8_MAX; break;
    case LEAT_TYPE_SMALLINT: field.min = INT16_MIN, field.max = INT16_MAX; break;
    case LEAT_TYPE_INT: field.min = INT32_MIN, field.max = INT32_MAX; break;
    case LEAT_TYPE_BIGINT: field.min = INT64_MIN, field.max = INT64_MAX; break;
    case LEAT_TYPE_FLOAT: field.max_double = 3.4028234663852886e38; break;
    case LEAT_TYPE_DOUBLE: field.max_double = 1.7976931348623157e308; break;
    case LEAT_TYPE_DECIMAL:
        field.max = 1;
        for (int i = 0; i < type->precision && i < 18; i++)
            field.max *= 10;
        field.max--;
        break;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_BINARY: field.length = type->precision; break;
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_VARBINARY: field.length = type->precision == LEAT_LENGTH_MAX ? 100 : type->precision; break;
    default: break;
    }
    return field;
}

void leat_datagen_config_write(const leat_datagen_config *config, leat_bytes *out)
{
    leat_schema_write(&config->schema, out);
    leat_bytes_put_i64(out, config->rows_per_second);
    leat_bytes_put_i64(out, config->rows_count);
    for (int32_t i = 0; i < config->schema.fields_count; i++) {
        const leat_datagen_field *field = &config->fields[i];
        leat_bytes_put_u8(out, (uint8_t)field->kind);
        leat_bytes_put_u8(out, field->is_var_length);
        leat_bytes_put_i64(out, field->min);
        leat_bytes_put_i64(out, field->max);
        leat_bytes_put(out, &field->min_double, 8);
        leat_bytes_put(out, &field->max_double, 8);
        leat_bytes_put(out, &field->null_rate, 8);
        leat_bytes_put_i64(out, field->length);
        leat_bytes_put_i64(out, field->max_past_ms);
    }
}

static double read_double(leat_reader *reader)
{
    double value = 0;
    const uint8_t *bytes = leat_reader_take(reader, sizeof value);
    if (bytes) memcpy(&value, bytes, sizeof value);
    return value;
}

static leat_code read_config(datagen *self, const uint8_t *data, size_t size, leat_error *error)
{
    leat_datagen_config *config = &self->config;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    LEAT_TRY(leat_schema_read(&reader, &self->arena, &config->schema, error));
    config->rows_per_second = leat_reader_i64(&reader);
    config->rows_count = leat_reader_i64(&reader);
    config->fields = leat_arena_take(&self->arena, (size_t)config->schema.fields_count * sizeof *config->fields);
    if (!config->fields) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < config->schema.fields_count; i++) {
        leat_datagen_field *field = &config->fields[i];
        field->kind = leat_reader_u8(&reader) ? LEAT_DATAGEN_SEQUENCE : LEAT_DATAGEN_RANDOM;
        field->is_var_length = leat_reader_u8(&reader) != 0;
        field->min = leat_reader_i64(&reader);
        field->max = leat_reader_i64(&reader);
        field->min_double = read_double(&reader);
        field->max_double = read_double(&reader);
        field->null_rate = read_double(&reader);
        field->length = (int32_t)leat_reader_i64(&reader);
        field->max_past_ms = leat_reader_i64(&reader);
        self->has_sequence = self->has_sequence || field->kind == LEAT_DATAGEN_SEQUENCE;
        if (field->length < 0 || field->length > SCRATCH_TEXT_MAX) {
            return leat_fail(error, LEAT_LIMIT, "column '%s': length %d", config->schema.fields[i].name, field->length);
        }
    }
    return leat_reader_check(&reader, true, "datagen configuration", error);
}

/* splitmix64: a counter and a mixer, so that a loop over a column has no dependency from value to value. */
static inline uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);

static inline uint64_t next_random(datagen *self)
{
    return mix(self->random += golden);
}

/* A number in [0, span] without bias that matters: the high half of a 64 × 64 multiplication. */
static inline uint64_t in_span(uint64_t random, uint64_t span)
{
    return span == UINT64_MAX ? random : (uint64_t)(((unsigned __int128)random * (span + 1)) >> 64);
}

/* Sketch: one multiplication chain a value (about 1 ns), 4 bytes written; three INT columns take 2.6 ns a row. */
#define FILL_RANDOM(ctype)                                                                                             \
    static void fill_##ctype(uint64_t base, int64_t min, int64_t max, ctype *restrict out, int32_t rows)               \
    {                                                                                                                  \
        uint64_t span = (uint64_t)max - (uint64_t)min;                                                                 \
        for (int32_t i = 0; i < rows; i++) {                                                                           \
            out[i] = (ctype)(uint64_t)((uint64_t)min + in_span(mix(base + (uint64_t)(i + 1) * golden), span));         \
        }                                                                                                              \
    }
FILL_RANDOM(int8_t)
FILL_RANDOM(int16_t)
FILL_RANDOM(int64_t)

/* Spans below 2^32 need only 32 random bits and a 32 × 32 multiplication: two values a mix. */
static void fill_int32_t(uint64_t base, int64_t min, int64_t max, int32_t *restrict out, int32_t rows)
{
    uint64_t span = (uint64_t)(max - min) + 1; /* at most 2^32 */
    int32_t i = 0;
    for (; i + 1 < rows; i += 2) {
        uint64_t random = mix(base + (uint64_t)(i + 1) * golden);
        out[i] = (int32_t)(min + (int64_t)(((random & UINT32_MAX) * span) >> 32));
        out[i + 1] = (int32_t)(min + (int64_t)(((random >> 32) * span) >> 32));
    }
    if (i < rows) out[i] = (int32_t)(min + (int64_t)(((mix(base + (uint64_t)(i + 1) * golden) >> 32) * span) >> 32));
}

static double random_double(datagen *self, const leat_datagen_field *field)
{
    double unit = (double)(next_random(self) >> 11) * 0x1.0p-53;
    return field->min_double + unit * (field->max_double - field->min_double);
}

static int64_t today_ms(int64_t now_ms)
{
    return now_ms - ((now_ms % 86400000) + 86400000) % 86400000;
}

static void fill_numbers(datagen *self, const leat_type *type, const leat_datagen_field *field, uint8_t *out,
                         int32_t rows)
{
    uint64_t base = self->random;
    self->random += golden * ((uint64_t)rows + 1);
    switch (type->kind) {
    case LEAT_TYPE_TINYINT: fill_int8_t(base, field->min, field->max, (int8_t *)out, rows); break;
    case LEAT_TYPE_SMALLINT: fill_int16_t(base, field->min, field->max, (int16_t *)(void *)out, rows); break;
    case LEAT_TYPE_INT: fill_int32_t(base, field->min, field->max, (int32_t *)(void *)out, rows); break;
    default: fill_int64_t(base, field->min, field->max, (int64_t *)(void *)out, rows); break;
    }
}

static void fill_other(datagen *self, const leat_type *type, const leat_datagen_field *field, uint8_t *out,
                       int32_t rows)
{
    int64_t now_ms = leat_env_now_ms(self->operator.context->env);
    for (int32_t i = 0; i < rows; i++) {
        switch (type->kind) {
        case LEAT_TYPE_BOOLEAN: out[i] = (uint8_t)(next_random(self) >> 63); break;
        case LEAT_TYPE_FLOAT: ((float *)(void *)out)[i] = (float)random_double(self, field); break;
        case LEAT_TYPE_DOUBLE: ((double *)(void *)out)[i] = random_double(self, field); break;
        case LEAT_TYPE_DECIMAL:
            ((__int128 *)(void *)out)[i] =
                field->min + (__int128)in_span(next_random(self), (uint64_t)field->max - (uint64_t)field->min);
            break;
        case LEAT_TYPE_DATE: ((int32_t *)(void *)out)[i] = (int32_t)(today_ms(now_ms) / 86400000); break;
        case LEAT_TYPE_TIME: ((int32_t *)(void *)out)[i] = (int32_t)(now_ms - today_ms(now_ms)); break;
        default: {
            int64_t past = field->max_past_ms ? (int64_t)in_span(next_random(self), (uint64_t)field->max_past_ms) : 0;
            ((int64_t *)(void *)out)[i] = (now_ms - past) * 1000;
        }
        }
    }
}

/* The n-th value of a sequence, over all subtasks: each takes every parallelism-th. */
static int64_t sequence_value(const datagen *self, const leat_datagen_field *field, int32_t row)
{
    const leat_operator_context *context = self->operator.context;
    return field->min + context->subtask + (self->made + row) * context->parallelism;
}

static void put_integer(leat_type_kind kind, uint8_t *out, int32_t row, int64_t value)
{
    switch (kind) {
    case LEAT_TYPE_TINYINT: ((int8_t *)out)[row] = (int8_t)value; break;
    case LEAT_TYPE_SMALLINT: ((int16_t *)(void *)out)[row] = (int16_t)value; break;
    case LEAT_TYPE_INT: ((int32_t *)(void *)out)[row] = (int32_t)value; break;
    case LEAT_TYPE_BIGINT: ((int64_t *)(void *)out)[row] = value; break;
    case LEAT_TYPE_FLOAT: ((float *)(void *)out)[row] = (float)value; break;
    case LEAT_TYPE_DOUBLE: ((double *)(void *)out)[row] = (double)value; break;
    default: ((__int128 *)(void *)out)[row] = value; break; /* DECIMAL: unscaled, as the planner gave start and end */
    }
}

static leat_code fill_text(datagen *self, const leat_type *type, const leat_datagen_field *field, leat_column *column,
                           leat_view *views, int32_t rows, leat_error *error)
{
    static const char hex[] = "0123456789abcdef";
    leat_buffer *heap = NULL;
    size_t heap_used = 0;
    leat_code code = LEAT_OK;
    uint8_t *text = leat_alloc((size_t)field->length + 32);
    if (!text) return leat_fail_no_memory(error);
    for (int32_t i = 0; code == LEAT_OK && i < rows; i++) {
        size_t length = (size_t)field->length;
        if (field->kind == LEAT_DATAGEN_SEQUENCE) {
            length = (size_t)snprintf((char *)text, 32, "%lld", (long long)sequence_value(self, field, i));
        } else {
            if (field->is_var_length && length) length = 1 + (size_t)in_span(next_random(self), length - 1);
            uint64_t random = 0;
            for (size_t c = 0; c < length; c++) {
                if (c % 8 == 0) random = next_random(self);
                text[c] = leat_type_is_text(type) ? (uint8_t)hex[random & 15] : (uint8_t)random;
                random >>= 8;
            }
        }
        code = leat_view_make(&views[i], text, length, &heap, &heap_used, error);
    }
    leat_free(text);
    if (heap) {
        column->heaps = leat_alloc(sizeof *column->heaps);
        if (!column->heaps) {
            leat_buffer_unref(heap);
            return leat_fail_no_memory(error);
        }
        heap->size_bytes = heap_used;
        column->heaps[0] = heap;
        column->heaps_count = 1;
    }
    return code;
}

static leat_code fill_nulls(datagen *self, const leat_datagen_field *field, leat_column *column, uint8_t *values,
                            int32_t rows, leat_error *error)
{
    if (field->null_rate <= 0) return LEAT_OK;
    size_t width = leat_layout_bytes(column->layout), bytes = ((size_t)rows + 7) / 8;
    column->validity_buffer = leat_buffer_new(bytes);
    if (!column->validity_buffer) return leat_fail_no_memory(error);
    uint8_t *validity = column->validity_buffer->data;
    memset(validity, 0xff, bytes);
    for (int32_t i = 0; i < rows; i++) {
        if ((double)(next_random(self) >> 11) * 0x1.0p-53 >= field->null_rate) continue;
        leat_bit_clear(validity, i);
        memset(values + (size_t)i * width, 0, width);
    }
    column->validity = validity;
    return LEAT_OK;
}

static leat_code fill_column(datagen *self, int32_t index, leat_column *column, int32_t rows, leat_error *error)
{
    const leat_type *type = &self->config.schema.fields[index].type;
    const leat_datagen_field *field = &self->config.fields[index];
    column->layout = leat_type_layout(type);
    column->values_buffer = leat_buffer_new((size_t)rows * leat_layout_bytes(column->layout));
    if (!column->values_buffer) return leat_fail_no_memory(error);
    uint8_t *values = column->values_buffer->data;
    column->values = values;
    if (column->layout == LEAT_LAYOUT_VIEW) {
        LEAT_TRY(fill_text(self, type, field, column, (leat_view *)(void *)values, rows, error));
    } else if (field->kind == LEAT_DATAGEN_SEQUENCE) {
        for (int32_t i = 0; i < rows; i++)
            put_integer(type->kind, values, i, sequence_value(self, field, i));
    } else if (leat_type_is_integer(type)) {
        fill_numbers(self, type, field, values, rows);
    } else {
        fill_other(self, type, field, values, rows);
    }
    return fill_nulls(self, field, column, values, rows, error);
}

/* Rows that may be made now: by the rate, the limit, the ends of the sequences. */
static int64_t rows_due(datagen *self, int64_t now_us)
{
    int64_t left = self->rows_limit - self->made;
    const leat_operator_context *context = self->operator.context;
    for (int32_t i = 0; self->has_sequence && i < self->config.schema.fields_count; i++) {
        const leat_datagen_field *field = &self->config.fields[i];
        if (field->kind != LEAT_DATAGEN_SEQUENCE) continue;
        int64_t total = field->max - field->min + 1 - context->subtask;
        int64_t mine = total <= 0 ? 0 : (total + context->parallelism - 1) / context->parallelism;
        if (mine - self->made < left) left = mine - self->made;
    }
    if (left <= 0) return -1;
    /* As in Flink the first row comes at once, then evenly. */
    double elapsed_s = (double)(now_us - self->started_us) / 1e6;
    double allowed = elapsed_s * (double)self->rows_a_second + 1;
    int64_t by_rate = allowed > 9e18 ? INT64_MAX : (int64_t)allowed - (self->made - self->started_made);
    return by_rate < left ? (by_rate > 0 ? by_rate : 0) : left;
}

static leat_code datagen_produce(leat_operator *operator, leat_source_status * status, leat_error *error)
{
    datagen *self = (datagen *)operator;
    int64_t now_us = leat_env_mono_us(operator->context->env);
    int64_t due = rows_due(self, now_us);
    if (due < 0) {
        *status = LEAT_SOURCE_END;
        return LEAT_OK;
    }
    if (due == 0) {
        *status = LEAT_SOURCE_IDLE;
        int64_t gap_us = 1000000 / self->rows_a_second;
        leat_context_set_timer(operator->context, now_us + (gap_us > 1000 ? gap_us : 1000));
        return LEAT_OK;
    }
    int32_t rows = due < ROWS_PER_BATCH ? (int32_t)due : ROWS_PER_BATCH;
    leat_batch *batch = leat_batch_new(self->config.schema.fields_count);
    if (!batch) return leat_fail_no_memory(error);
    batch->rows = batch->selected = rows;
    leat_code code = LEAT_OK;
    for (int32_t i = 0; code == LEAT_OK && i < batch->columns_count; i++) {
        code = fill_column(self, i, &batch->columns[i], rows, error);
    }
    if (code == LEAT_OK) {
        self->made += rows;
        *status = LEAT_SOURCE_MORE;
        code = leat_context_emit(operator->context, &batch, error);
    }
    leat_batch_free(batch);
    return code;
}

static leat_code datagen_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    datagen *self = (datagen *)operator;
    const leat_operator_context *context = operator->context;
    int64_t parallelism = context->parallelism;
    self->random = leat_env_random(context->env);
    self->rows_a_second = self->config.rows_per_second / parallelism;
    if (self->rows_a_second < 1) self->rows_a_second = 1;
    self->rows_limit = INT64_MAX;
    if (self->config.rows_count >= 0) {
        self->rows_limit =
            self->config.rows_count / parallelism + (context->subtask < self->config.rows_count % parallelism);
    }
    for (int32_t i = 0; i < self->config.schema.fields_count; i++) {
        const leat_datagen_field *field = &self->config.fields[i];
        bool is_random = field->kind == LEAT_DATAGEN_RANDOM;
        if (is_random && (field->min > field->max || field->min_double > field->max_double)) {
            return leat_fail(error, LEAT_INVALID, "column '%s': the least value is greater than the greatest",
                             self->config.schema.fields[i].name);
        }
    }
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        if (restored->parts[i].subtask != context->subtask || restored->parts[i].parallelism != parallelism) continue;
        leat_reader reader;
        leat_reader_init(&reader, restored->parts[i].state, restored->parts[i].state_size);
        self->made = leat_reader_i64(&reader);
        LEAT_TRY(leat_reader_check(&reader, true, "datagen state", error));
    }
    self->started_us = leat_env_mono_us(context->env);
    self->started_made = self->made;
    return LEAT_OK;
}

static leat_code datagen_on_timer(leat_operator *operator, int64_t now_us, leat_progress *progress, leat_error *error)
{
    (void)operator;
    (void)now_us;
    (void)progress;
    (void)error;
    return LEAT_OK; /* produce is called after it */
}

static leat_code datagen_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                  leat_error *error)
{
    (void)progress;
    leat_bytes_put_i64(&snapshot->state, ((datagen *)operator)->made);
    return leat_bytes_check(&snapshot->state, error);
}

static void datagen_close(leat_operator *operator)
{
    datagen *self = (datagen *)operator;
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable datagen_vtable = {
    .type = "datagen",
    .open = datagen_open,
    .on_timer = datagen_on_timer,
    .snapshot = datagen_snapshot,
    .produce = datagen_produce,
    .close = datagen_close,
};

static leat_code datagen_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                                leat_operator **out, leat_error *error)
{
    (void)context;
    datagen *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & datagen_vtable;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = read_config(self, config, config_size, error);
    if (code != LEAT_OK) {
        datagen_close(&self->operator);
        return code;
    }
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_datagen_factory = {"datagen", datagen_create};
