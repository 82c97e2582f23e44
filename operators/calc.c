#include "operators/calc.h"

#include "common/memory.h"
#include "operators/config.h"

typedef struct calc {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_calc_config config;
    leat_program *filter, *projection;
} calc;

void leat_calc_config_write(const leat_calc_config *config, leat_bytes *out)
{
    leat_schema_write(&config->input, out);
    leat_bytes_put_u8(out, config->keeps_columns);
    leat_bytes_put_text(out, config->time_zone);
    leat_bytes_put_u8(out, config->condition != NULL);
    if (config->condition) leat_expr_write(config->condition, out);
    leat_bytes_put_u32(out, config->keeps_columns ? 0 : (uint32_t)config->exprs_count);
    for (int32_t i = 0; !config->keeps_columns && i < config->exprs_count; i++)
        leat_expr_write(config->exprs[i], out);
}

static leat_code read_config(calc *self, const uint8_t *data, size_t size, leat_error *error)
{
    leat_calc_config *config = &self->config;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    LEAT_TRY(leat_schema_read(&reader, &self->arena, &config->input, error));
    config->keeps_columns = leat_reader_u8(&reader) != 0;
    LEAT_TRY(leat_reader_text(&reader, &self->arena, &config->time_zone, error));
    if (leat_reader_u8(&reader)) LEAT_TRY(leat_expr_read(&reader, &self->arena, &config->condition, error));
    uint32_t count = leat_reader_u32(&reader);
    LEAT_TRY(leat_config_take_exprs(&reader, &self->arena, count, &config->exprs, error));
    config->exprs_count = (int32_t)count;
    return leat_reader_check(&reader, true, "calc configuration", error);
}

static leat_code calc_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    (void)restored;
    calc *self = (calc *)operator;
    leat_program_options options = {.time_zone = self->config.time_zone, .env = operator->context->env };
    if (self->config.condition) {
        LEAT_TRY(leat_program_compile(&self->config.condition, 1, &self->config.input, &options, &self->filter, error));
    }
    if (self->config.keeps_columns) return LEAT_OK;
    return leat_program_compile(self->config.exprs, self->config.exprs_count, &self->config.input, &options,
                                &self->projection, error);
}

/* Rows and kinds are those of `from`; columns are the program's. */
static leat_code project(calc *self, const leat_batch *from, leat_batch **out, leat_error *error)
{
    leat_batch *to = leat_batch_new(self->config.exprs_count);
    if (!to) return leat_fail_no_memory(error);
    leat_code code = leat_program_run(self->projection, from, to->columns, error);
    if (code != LEAT_OK) {
        leat_batch_free(to);
        return code;
    }
    leat_batch_share_rows(to, from);
    *out = to;
    return LEAT_OK;
}

static leat_code calc_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                              leat_error *error)
{
    (void)input;
    (void)progress;
    calc *self = (calc *)operator;
    if (self->filter) {
        LEAT_TRY(leat_program_filter(self->filter, *batch, error));
        if ((*batch)->selected == 0) return LEAT_OK;
    }
    if (!self->projection) return leat_context_emit(operator->context, batch, error);
    leat_batch *projected = NULL;
    LEAT_TRY(project(self, *batch, &projected, error));
    leat_code code = leat_context_emit(operator->context, &projected, error);
    leat_batch_free(projected);
    return code;
}

static void calc_close(leat_operator *operator)
{
    calc *self = (calc *)operator;
    leat_program_free(self->filter);
    leat_program_free(self->projection);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable calc_vtable = {
    .type = "calc", .open = calc_open, .process_batch = calc_process, .close = calc_close};

static leat_code calc_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                             leat_operator **out, leat_error *error)
{
    calc *self = leat_operator_new(sizeof *self, offsetof(calc, arena));
    if (!self) return leat_fail_no_memory(error);
    self->operator=(leat_operator){&calc_vtable, context};
    leat_code code = read_config(self, config, config_size, error);
    if (code == LEAT_OK)
        *out = &self->operator;
    else
        calc_close(&self->operator);
    return code;
}

const leat_operator_factory leat_calc_factory = {"calc", calc_create};
