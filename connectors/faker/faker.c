#include "connectors/faker/faker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/memory.h"
#include "connectors/faker/expression.h"
#include "formats/text/scalar.h"

enum { ROWS_PER_BATCH = 1024, ARENA_BYTES_MAX = 4 << 20 };

typedef struct faker {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_faker_config config;
    leat_faker_expression **expressions;
    leat_faker_source source;
    leat_batch_builder builder;
    leat_bytes text;
    int64_t made, rows_limit, rows_a_second;
    int64_t started_us, started_made;
} faker;

void leat_faker_config_write(const leat_faker_config *config, leat_bytes *out)
{
    leat_schema_write(&config->schema, out);
    leat_bytes_put_i64(out, config->rows_per_second);
    leat_bytes_put_i64(out, config->rows_count);
    for (int32_t i = 0; i < config->schema.fields_count; i++) {
        leat_bytes_put_block(out, config->expressions[i], strlen(config->expressions[i]));
        leat_bytes_put(out, &config->null_rates[i], 8);
    }
}

static leat_code read_config(faker *self, const uint8_t *data, size_t size, leat_error *error)
{
    leat_faker_config *config = &self->config;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    LEAT_TRY(leat_schema_read(&reader, &self->arena, &config->schema, error));
    config->rows_per_second = leat_reader_i64(&reader);
    config->rows_count = leat_reader_i64(&reader);
    size_t count = (size_t)config->schema.fields_count;
    self->expressions = leat_arena_take(&self->arena, (count + 1) * sizeof *self->expressions);
    config->null_rates = leat_arena_take(&self->arena, (count + 1) * sizeof *config->null_rates);
    if (!self->expressions || !config->null_rates) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        size_t length;
        const uint8_t *text = leat_reader_block(&reader, &length);
        const uint8_t *rate = leat_reader_take(&reader, 8);
        if (!text || !rate) break;
        memcpy(&config->null_rates[i], rate, 8);
        char *copy = leat_arena_strndup(&self->arena, (const char *)text, length);
        if (!copy) return leat_fail_no_memory(error);
        LEAT_TRY(leat_faker_parse(copy, &self->arena, &self->expressions[i], error));
    }
    return leat_reader_check(&reader, true, "faker configuration", error);
}

/* --- text → value (spec: connectors §8) --- */

static leat_code wrong(const leat_field *field, const char *text, leat_error *error)
{
    return leat_fail(error, LEAT_INVALID, "column '%s': For input string: \"%s\"", field->name, text);
}

static leat_code set_time(faker *self, int32_t column, const leat_field *field, const char *text, leat_error *error)
{
    if (field->type.kind == LEAT_TYPE_TIME) { /* nanoseconds of the day */
        char *end;
        long long nanos = strtoll(text, &end, 10);
        if (end == text || *end) return wrong(field, text, error);
        int32_t ms = (int32_t)(nanos / 1000000);
        leat_batch_builder_set_fixed(&self->builder, column, &ms);
        return LEAT_OK;
    }
    struct tm parts = {.tm_isdst = -1};
    int taken = 0;
    int fields = sscanf(text, "%4d-%2d-%2d %2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                        &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &taken);
    if (fields != 6) return wrong(field, text, error);
    int64_t micros = 0, unit = 100000;
    const char *at = text + taken;
    if (*at == '.') {
        for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
            micros += (*at - '0') * unit;
    }
    if (*at) return wrong(field, text, error);
    parts.tm_year -= 1900;
    parts.tm_mon--;
    micros += (int64_t)mktime(&parts) * 1000000; /* of the system's zone, as flink-faker reads it */
    int32_t days = (int32_t)((micros - (micros % INT64_C(86400000000) + INT64_C(86400000000)) % INT64_C(86400000000)) /
                             INT64_C(86400000000));
    bool is_date = field->type.kind == LEAT_TYPE_DATE;
    leat_batch_builder_set_fixed(&self->builder, column, is_date ? (const void *)&days : (const void *)&micros);
    return LEAT_OK;
}

static leat_code set_value(faker *self, int32_t column, leat_error *error)
{
    const leat_field *field = &self->config.schema.fields[column];
    const char *text = self->text.data ? (const char *)self->text.data : "";
    switch (field->type.kind) {
    case LEAT_TYPE_BOOLEAN: {
        uint8_t flag = strcasecmp(text, "true") == 0;
        leat_batch_builder_set_fixed(&self->builder, column, &flag);
        return LEAT_OK;
    }
    case LEAT_TYPE_TINYINT:
    case LEAT_TYPE_SMALLINT:
    case LEAT_TYPE_INT:
    case LEAT_TYPE_BIGINT:
    case LEAT_TYPE_FLOAT:
    case LEAT_TYPE_DOUBLE:
    case LEAT_TYPE_DECIMAL: {
        leat_code code = leat_scalar_parse(&field->type, text, self->text.size, &(leat_scalar_options){0},
                                           &self->builder, column, error);
        return code == LEAT_INVALID ? wrong(field, text, error) : code;
    }
    case LEAT_TYPE_DATE:
    case LEAT_TYPE_TIME:
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: return set_time(self, column, field, text, error);
    default: return leat_batch_builder_set_bytes(&self->builder, column, text, self->text.size, error);
    }
}

static leat_code make_row(faker *self, leat_error *error)
{
    LEAT_TRY(leat_batch_builder_begin_row(&self->builder, LEAT_ROW_INSERT, error));
    for (int32_t i = 0; i < self->config.schema.fields_count; i++) {
        double unit = (double)(leat_faker_next(&self->source) >> 11) * 0x1.0p-53;
        if (unit < self->config.null_rates[i]) continue;
        leat_bytes_reset(&self->text);
        leat_faker_make(self->expressions[i], &self->source, &self->text);
        leat_bytes_put_u8(&self->text, 0); /* directives may end without a NUL */
        LEAT_TRY(leat_bytes_check(&self->text, error));
        self->text.size--;
        LEAT_TRY(set_value(self, i, error));
    }
    self->made++;
    return LEAT_OK;
}

static leat_code faker_produce(leat_operator *operator, leat_source_status * status, leat_error *error)
{
    faker *self = (faker *)operator;
    leat_env *env = operator->context->env;
    int64_t now_us = leat_env_mono_us(env), left = self->rows_limit - self->made;
    if (left <= 0) {
        *status = LEAT_SOURCE_END;
        return LEAT_OK;
    }
    /* A subtask makes a second's share at once, then waits for the next full second since its start. */
    int64_t seconds = (now_us - self->started_us) / 1000000 + 1, allowed;
    if (__builtin_mul_overflow(seconds, self->rows_a_second, &allowed)) allowed = INT64_MAX;
    int64_t due = allowed - (self->made - self->started_made);
    if (due <= 0) {
        *status = LEAT_SOURCE_IDLE;
        leat_context_set_timer(operator->context, self->started_us + seconds * 1000000);
        return LEAT_OK;
    }
    int64_t rows = due < left ? due : left;
    if (rows > ROWS_PER_BATCH) rows = ROWS_PER_BATCH;
    self->source.now_ms = leat_env_now_ms(env);
    for (int64_t i = 0; i < rows; i++)
        LEAT_TRY(make_row(self, error));
    leat_batch *batch;
    LEAT_TRY(leat_batch_builder_finish(&self->builder, &batch, error));
    *status = LEAT_SOURCE_MORE;
    leat_code code = leat_context_emit(operator->context, &batch, error);
    leat_batch_free(batch);
    return code;
}

static leat_code faker_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    faker *self = (faker *)operator;
    const leat_operator_context *context = operator->context;
    int64_t parallelism = context->parallelism;
    self->source.random = leat_env_random(context->env);
    self->rows_a_second = self->config.rows_per_second / parallelism;
    if (context->subtask == 0) self->rows_a_second += self->config.rows_per_second % parallelism;
    if (self->rows_a_second < 1) self->rows_a_second = 1;
    self->rows_limit = INT64_MAX;
    if (self->config.rows_count >= 0) {
        self->rows_limit =
            self->config.rows_count / parallelism + (context->subtask < self->config.rows_count % parallelism);
    }
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        if (restored->parts[i].subtask != context->subtask || restored->parts[i].parallelism != parallelism) continue;
        leat_reader reader;
        leat_reader_init(&reader, restored->parts[i].state, restored->parts[i].state_size);
        self->made = leat_reader_i64(&reader);
        LEAT_TRY(leat_reader_check(&reader, true, "faker state", error));
    }
    self->started_us = leat_env_mono_us(context->env);
    self->started_made = self->made;
    return leat_batch_builder_init_schema(&self->builder, &self->config.schema, ROWS_PER_BATCH, error);
}

static leat_code faker_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                leat_error *error)
{
    (void)progress;
    leat_bytes_put_i64(&snapshot->state, ((faker *)operator)->made);
    return leat_bytes_check(&snapshot->state, error);
}

static void faker_close(leat_operator *operator)
{
    faker *self = (faker *)operator;
    leat_batch_builder_done(&self->builder);
    leat_bytes_done(&self->text);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable faker_vtable = {
    .type = "faker", .open = faker_open, .snapshot = faker_snapshot, .produce = faker_produce, .close = faker_close};

static leat_code faker_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                              leat_operator **out, leat_error *error)
{
    (void)context;
    faker *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & faker_vtable;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = read_config(self, config, config_size, error);
    if (code != LEAT_OK) {
        faker_close(&self->operator);
        return code;
    }
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_faker_factory = {"faker", faker_create};
