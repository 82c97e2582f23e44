#include "operators/not_null.h"

#include "common/memory.h"
#include "operators/config.h"

typedef struct not_null {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_not_null_config config;
} not_null;

void leat_not_null_config_write(const leat_not_null_config *config, leat_bytes *out)
{
    leat_bytes_put_u8(out, (uint8_t)config->action);
    leat_config_put_columns(out, config->columns, config->columns_count);
    for (int32_t i = 0; i < config->columns_count; i++)
        leat_bytes_put_text(out, config->names[i]);
}

static leat_code read_config(not_null *self, const uint8_t *data, size_t size, leat_error *error)
{
    leat_not_null_config *config = &self->config;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    config->action = leat_reader_u8(&reader) == LEAT_NOT_NULL_DROP ? LEAT_NOT_NULL_DROP : LEAT_NOT_NULL_ERROR;
    LEAT_TRY(leat_config_take_columns(&reader, &self->arena, LEAT_OPERATOR_COLUMNS_MAX, &config->columns,
                                      &config->columns_count, error));
    const char **names = leat_arena_take(&self->arena, (size_t)(config->columns_count + 1) * sizeof *names);
    if (!names) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < config->columns_count; i++) {
        LEAT_TRY(leat_reader_text(&reader, &self->arena, &names[i], error));
    }
    config->names = names;
    return leat_reader_check(&reader, true, "not-null configuration", error);
}

static leat_code not_null_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    (void)operator;
    (void)restored;
    (void)error;
    return LEAT_OK;
}

static leat_code fail_null(const char *name, leat_error *error)
{
    return leat_fail(
        error, LEAT_INVALID,
        "Column '%s' is NOT NULL, however, a null value is being written into it. You can set job "
        "configuration 'table.exec.sink.not-null-enforcer'='DROP' to suppress this exception and drop such "
        "records silently.",
        name ? name : "?");
}

/* Narrows the selection to rows where the column is not NULL. */
static leat_code drop_nulls(leat_batch *batch, const leat_column *column, leat_error *error)
{
    leat_buffer *buffer = leat_buffer_new((size_t)batch->selected * sizeof(uint16_t) + 1);
    if (!buffer) return leat_fail_no_memory(error);
    uint16_t *rows = (uint16_t *)(void *)buffer->data;
    int32_t kept = 0;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        rows[kept] = (uint16_t)row;
        kept += leat_bit_get(column->validity, row);
    }
    leat_buffer_unref(batch->selection_buffer);
    batch->selection_buffer = buffer;
    batch->selection = rows;
    batch->selected = kept;
    return LEAT_OK;
}

static leat_code not_null_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                                  leat_error *error)
{
    (void)input;
    (void)progress;
    const leat_not_null_config *config = &((not_null *)operator)->config;
    for (int32_t c = 0; c < config->columns_count; c++) {
        if (config->columns[c] >= (*batch)->columns_count)
            return leat_fail(error, LEAT_CORRUPT, "column %d", config->columns[c]);
        const leat_column *column = &(*batch)->columns[config->columns[c]];
        if (!column->validity) continue;
        if (config->action == LEAT_NOT_NULL_DROP) {
            LEAT_TRY(drop_nulls(*batch, column, error));
            continue;
        }
        for (int32_t i = 0; i < (*batch)->selected; i++) {
            if (!leat_bit_get(column->validity, leat_batch_row(*batch, i))) return fail_null(config->names[c], error);
        }
    }
    return (*batch)->selected ? leat_context_emit(operator->context, batch, error) : LEAT_OK;
}

static void not_null_close(leat_operator *operator)
{
    leat_arena_done(&((not_null *)operator)->arena);
    leat_free(operator);
}

static const leat_operator_vtable not_null_vtable = {
    .type = "not-null", .open = not_null_open, .process_batch = not_null_process, .close = not_null_close};

static leat_code not_null_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                                 leat_operator **out, leat_error *error)
{
    not_null *self = leat_operator_new(sizeof *self, offsetof(not_null, arena));
    if (!self) return leat_fail_no_memory(error);
    self->operator=(leat_operator){&not_null_vtable, context};
    leat_code code = read_config(self, config, config_size, error);
    if (code == LEAT_OK)
        *out = &self->operator;
    else
        not_null_close(&self->operator);
    return code;
}

const leat_operator_factory leat_not_null_factory = {"not-null", not_null_create};
