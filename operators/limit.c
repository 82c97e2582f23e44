#include "operators/limit.h"

#include "common/memory.h"

typedef struct limit {
    leat_operator operator; /* first */
    leat_limit_config config;
    int64_t seen; /* rows of the input so far */
} limit;

void leat_limit_config_write(const leat_limit_config *config, leat_bytes *out)
{
    leat_bytes_put_i64(out, config->offset);
    leat_bytes_put_i64(out, config->limit);
}

static leat_code limit_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    limit *self = (limit *)operator;
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        leat_reader reader;
        leat_reader_init(&reader, restored->parts[i].state, restored->parts[i].state_size);
        self->seen += leat_reader_i64(&reader);
        LEAT_TRY(leat_reader_check(&reader, true, "limit state", error));
    }
    return LEAT_OK;
}

/* Keeps positions from … to of what is selected. */
static leat_code cut(leat_batch *batch, int32_t from, int32_t to, leat_error *error)
{
    leat_buffer *buffer = leat_buffer_new((size_t)(to - from) * sizeof(uint16_t) + 1);
    if (!buffer) return leat_fail_no_memory(error);
    uint16_t *rows = (uint16_t *)(void *)buffer->data;
    for (int32_t i = from; i < to; i++)
        rows[i - from] = (uint16_t)leat_batch_row(batch, i);
    leat_buffer_unref(batch->selection_buffer);
    batch->selection_buffer = buffer;
    batch->selection = rows;
    batch->selected = to - from;
    return LEAT_OK;
}

static leat_code limit_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                               leat_error *error)
{
    (void)input;
    (void)progress;
    limit *self = (limit *)operator;
    int64_t first = self->seen, count = (*batch)->selected;
    self->seen += count;
    int64_t start = self->config.offset, end = INT64_MAX;
    if (self->config.limit >= 0 && self->config.limit < INT64_MAX - start) end = start + self->config.limit;
    int64_t from = start > first ? start - first : 0, to = end - first < count ? end - first : count;
    if (from >= to) return LEAT_OK;
    if (from > 0 || to < count) LEAT_TRY(cut(*batch, (int32_t)from, (int32_t)to, error));
    return leat_context_emit(operator->context, batch, error);
}

static leat_code limit_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                leat_error *error)
{
    (void)progress;
    leat_bytes_put_i64(&snapshot->state, ((limit *)operator)->seen);
    return leat_bytes_check(&snapshot->state, error);
}

static void limit_close(leat_operator *operator)
{
    leat_free(operator);
}

static const leat_operator_vtable limit_vtable = {.type = "limit",
                                                  .open = limit_open,
                                                  .process_batch = limit_process,
                                                  .snapshot = limit_snapshot,
                                                  .close = limit_close};

static leat_code limit_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                              leat_operator **out, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, config, config_size);
    leat_limit_config wanted = {.offset = leat_reader_i64(&reader)};
    wanted.limit = leat_reader_i64(&reader);
    LEAT_TRY(leat_reader_check(&reader, true, "limit configuration", error));
    if (wanted.offset < 0) return leat_fail(error, LEAT_INVALID, "OFFSET %lld", (long long)wanted.offset);
    limit *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator=(leat_operator){&limit_vtable, context};
    self->config = wanted;
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_limit_factory = {"limit", limit_create};
