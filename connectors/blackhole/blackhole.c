#include "connectors/blackhole/blackhole.h"

#include "common/memory.h"

typedef struct blackhole {
    leat_operator operator; /* first */
    uint64_t checksum, rows;
} blackhole;

/* Sums 8-byte words of the values; rows that are not selected and NULLs (zero bytes) are read too, which costs the
 * same. */
static uint64_t sum_bytes(const uint8_t *data, size_t size)
{
    uint64_t sum = 0;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, data + i, 8);
        sum += word;
    }
    for (; i < size; i++)
        sum += data[i];
    return sum;
}

static leat_code blackhole_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                                   leat_error *error)
{
    (void)input;
    (void)progress;
    (void)error;
    blackhole *self = (blackhole *)operator;
    const leat_batch *rows = *batch;
    for (int32_t i = 0; i < rows->columns_count; i++) {
        const leat_column *column = &rows->columns[i];
        self->checksum += sum_bytes(column->values, (size_t)rows->rows * leat_layout_bytes(column->layout));
        for (int32_t h = 0; h < column->heaps_count; h++) {
            self->checksum += sum_bytes(column->heaps[h]->data, column->heaps[h]->size_bytes);
        }
    }
    self->rows += (uint64_t)rows->selected;
    leat_context_set_gauge(operator->context, "checksum", (int64_t)self->checksum);
    return LEAT_OK;
}

static leat_code blackhole_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    (void)operator;
    (void)restored;
    (void)error;
    return LEAT_OK;
}

static void blackhole_close(leat_operator *operator)
{
    leat_free(operator);
}

static const leat_operator_vtable blackhole_vtable = {
    .type = "blackhole", .open = blackhole_open, .process_batch = blackhole_process, .close = blackhole_close};

static leat_code blackhole_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                                  leat_operator **out, leat_error *error)
{
    (void)context;
    (void)config;
    (void)config_size;
    blackhole *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & blackhole_vtable;
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_blackhole_factory = {"blackhole", blackhole_create};

static leat_code plan_sink(const leat_plan_context *context, const leat_table *table, const leat_sink_request *request,
                           leat_sink_plan *out, leat_error *error)
{
    (void)request;
    static const leat_connector_option known[] = {{.key = NULL}};
    LEAT_TRY(leat_connector_check_options("blackhole", table->options, &table->schema, known, error));
    leat_sink_stage *stage = &out->stages[0];
    const char *name = leat_arena_format(context->arena, "%s: Writer", table->name);
    if (!name) return leat_fail_no_memory(error);
    *stage = (leat_sink_stage){.exchange = LEAT__PB__EXCHANGE__FORWARD,
                               .input = table->schema,
                               .operators = {{.type = "blackhole", .name = name, .description = name}},
                               .operators_count = 1,
                               .parallelism = -1};
    out->stages_count = 1;
    out->accepts = LEAT_CHANGES_ALL;
    const char *parallelism = leat_config_find(table->options, "sink.parallelism");
    int64_t number = -1;
    if (parallelism) LEAT_TRY(leat_parse_int(parallelism, &number, error));
    stage->parallelism = (int32_t)number;
    return LEAT_OK;
}

const leat_connector leat_blackhole_connector = {.identifier = "blackhole", .plan_sink = plan_sink};
