#include "operators/values.h"

#include "common/memory.h"
#include "operators/config.h"

enum { VALUES_ROWS_MAX = 1000000 };

typedef struct values {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_values_config config;
    int32_t next; /* row */
} values;

void leat_values_config_write(const leat_values_config *config, leat_bytes *out)
{
    leat_schema_write(&config->output, out);
    leat_bytes_put_text(out, config->time_zone);
    leat_bytes_put_u32(out, (uint32_t)config->rows_count);
    int32_t count = config->rows_count * config->output.fields_count;
    for (int32_t i = 0; i < count; i++)
        leat_expr_write(config->exprs[i], out);
}

static leat_code read_config(values *self, const uint8_t *data, size_t size, leat_error *error)
{
    leat_values_config *config = &self->config;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    LEAT_TRY(leat_schema_read(&reader, &self->arena, &config->output, error));
    LEAT_TRY(leat_reader_text(&reader, &self->arena, &config->time_zone, error));
    uint32_t rows = leat_reader_u32(&reader);
    if (rows > VALUES_ROWS_MAX) return leat_fail(error, LEAT_LIMIT, "VALUES of more than %d rows", VALUES_ROWS_MAX);
    config->rows_count = (int32_t)rows;
    uint32_t count = rows * (uint32_t)config->output.fields_count;
    LEAT_TRY(leat_config_take_exprs(&reader, &self->arena, count, &config->exprs, error));
    return leat_reader_check(&reader, true, "values configuration", error);
}

static leat_code values_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    values *self = (values *)operator;
    if (operator->context->subtask != 0) self->next = self->config.rows_count;
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        leat_reader reader;
        leat_reader_init(&reader, restored->parts[i].state, restored->parts[i].state_size);
        int64_t next = leat_reader_i64(&reader);
        LEAT_TRY(leat_reader_check(&reader, true, "values state", error));
        bool is_mine = operator->context->subtask == 0 && restored->parts[i].subtask == 0;
        if (is_mine && next >= 0 && next <= self->config.rows_count) self->next = (int32_t)next;
    }
    return LEAT_OK;
}

/* One row: its expressions as one program over a batch without columns. */
static leat_code append_row(values *self, leat_batch_builder *builder, int32_t row, leat_error *error)
{
    int32_t count = self->config.output.fields_count;
    leat_program_options options = {.time_zone = self->config.time_zone, .env = self->operator.context->env };
    leat_schema none = {0};
    leat_program *program;
    leat_column *columns = leat_calloc((size_t)count + 1, sizeof *columns);
    if (!columns) return leat_fail_no_memory(error);
    const leat_expr *const *exprs = self->config.exprs + (size_t)row * (size_t)count;
    leat_code code = leat_program_compile(exprs, count, &none, &options, &program, error);
    if (code == LEAT_OK) {
        leat_batch batch = {.rows = 1, .selected = 1};
        code = leat_program_run(program, &batch, columns, error);
        if (code == LEAT_OK) code = leat_batch_builder_begin_row(builder, LEAT_ROW_INSERT, error);
        for (int32_t i = 0; code == LEAT_OK && i < count; i++) {
            code = leat_batch_builder_copy_value(builder, i, &columns[i], 0, error);
        }
        for (int32_t i = 0; i < count; i++)
            leat_column_clear(&columns[i]);
        leat_program_free(program);
    }
    leat_free(columns);
    return code;
}

static leat_code values_produce(leat_operator *operator, leat_source_status * status, leat_error *error)
{
    values *self = (values *)operator;
    int32_t left = self->config.rows_count - self->next;
    *status = LEAT_SOURCE_END;
    if (left <= 0) return LEAT_OK;
    int32_t rows = left < 1024 ? left : 1024;
    leat_batch_builder builder;
    LEAT_TRY(leat_batch_builder_init_schema(&builder, &self->config.output, rows, error));
    leat_code code = LEAT_OK;
    for (int32_t i = 0; code == LEAT_OK && i < rows; i++)
        code = append_row(self, &builder, self->next + i, error);
    leat_batch *batch = NULL;
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, &batch, error);
    leat_batch_builder_done(&builder);
    if (code != LEAT_OK) return code;
    self->next += rows;
    *status = LEAT_SOURCE_MORE;
    code = leat_context_emit(operator->context, &batch, error);
    leat_batch_free(batch);
    return code;
}

static leat_code values_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                 leat_error *error)
{
    (void)progress;
    leat_bytes_put_i64(&snapshot->state, ((values *)operator)->next);
    return leat_bytes_check(&snapshot->state, error);
}

static void values_close(leat_operator *operator)
{
    leat_arena_done(&((values *)operator)->arena);
    leat_free(operator);
}

static const leat_operator_vtable values_vtable = {.type = "values",
                                                   .open = values_open,
                                                   .snapshot = values_snapshot,
                                                   .produce = values_produce,
                                                   .close = values_close};

static leat_code values_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    values *self = leat_operator_new(sizeof *self, offsetof(values, arena));
    if (!self) return leat_fail_no_memory(error);
    self->operator=(leat_operator){&values_vtable, context};
    leat_code code = read_config(self, config, config_size, error);
    if (code == LEAT_OK)
        *out = &self->operator;
    else
        values_close(&self->operator);
    return code;
}

const leat_operator_factory leat_values_factory = {"values", values_create};
