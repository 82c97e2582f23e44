#include "connectors/print/print.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/memory.h"

enum { ARENA_BYTES_MAX = 1 << 20, FLUSH_BYTES = 32 * 1024 };

typedef struct print {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_schema schema;
    const char *identifier;
    int file;
    leat_bytes text;
} print;

/* Seconds are left out when zero, the fraction goes in groups of three digits: Java's LocalDateTime. */
static void put_clock(int64_t micros_of_day, leat_bytes *out)
{
    int seconds = (int)(micros_of_day / 1000000), micros = (int)(micros_of_day % 1000000);
    leat_bytes_format(out, "%02d:%02d", seconds / 3600, seconds / 60 % 60);
    if (seconds % 60 || micros) leat_bytes_format(out, ":%02d", seconds % 60);
    if (micros && micros % 1000 == 0)
        leat_bytes_format(out, ".%03d", micros / 1000);
    else if (micros)
        leat_bytes_format(out, ".%06d", micros);
}

/* Civil date of a day number (proleptic Gregorian; the algorithm counts eras of 400 years from 0000-03-01). */
static void put_date(int64_t days, leat_bytes *out)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_shifted = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    int64_t month = month_shifted < 10 ? month_shifted + 3 : month_shifted - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    leat_bytes_format(out, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, year, month, day);
}

static void put_timestamp(int64_t micros, leat_bytes *out)
{
    int64_t day_us = INT64_C(86400000000);
    int64_t of_day = (micros % day_us + day_us) % day_us;
    put_date((micros - of_day) / day_us, out);
    leat_bytes_text(out, "T");
    put_clock(of_day, out);
}

static void put_bytes(const char *data, int32_t length, leat_bytes *out)
{
    leat_bytes_text(out, "[");
    for (int32_t i = 0; i < length; i++)
        leat_bytes_format(out, "%s%d", i ? ", " : "", (int)(signed char)data[i]);
    leat_bytes_text(out, "]");
}

void leat_print_value(const leat_type *type, const leat_column *column, int32_t row, leat_bytes *out)
{
    if (leat_column_is_null(column, row)) {
        leat_bytes_text(out, "null");
        return;
    }
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: leat_bytes_text(out, ((const uint8_t *)column->values)[row] ? "true" : "false"); return;
    case LEAT_TYPE_DATE: put_date(((const int32_t *)column->values)[row], out); return;
    case LEAT_TYPE_TIME: put_clock((int64_t)((const int32_t *)column->values)[row] * 1000, out); return;
    case LEAT_TYPE_TIMESTAMP: put_timestamp(((const int64_t *)column->values)[row], out); return;
    case LEAT_TYPE_TIMESTAMP_LTZ:
        put_timestamp(((const int64_t *)column->values)[row], out);
        leat_bytes_text(out, "Z");
        return;
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: {
        const leat_view *view = (const leat_view *)column->values + row;
        put_bytes(leat_view_data(column, view), view->length, out);
        return;
    }
    default: leat_value_print(type, column, row, NULL, out); return; /* numbers and text look as in the client */
    }
}

static leat_code flush(print *self, leat_error *error)
{
    size_t done = 0;
    while (done < self->text.size) {
        ssize_t wrote = write(self->file, self->text.data + done, self->text.size - done);
        if (wrote < 0) return leat_fail(error, LEAT_IO, "write to standard output");
        done += (size_t)wrote;
    }
    leat_bytes_reset(&self->text);
    return LEAT_OK;
}

static void put_row(print *self, const leat_batch *batch, int32_t row)
{
    const leat_operator_context *context = self->operator.context;
    bool is_parallel = context->parallelism > 1, is_named = self->identifier[0] != '\0';
    if (is_named) leat_bytes_text(&self->text, self->identifier);
    if (is_parallel) leat_bytes_format(&self->text, "%s%d", is_named ? ":" : "", context->subtask + 1);
    if (is_named || is_parallel) leat_bytes_text(&self->text, "> ");
    leat_bytes_format(&self->text, "%s[", leat_row_kind_text((leat_row_kind)leat_batch_kind(batch, row)));
    for (int32_t i = 0; i < self->schema.fields_count; i++) {
        if (i) leat_bytes_text(&self->text, ", ");
        leat_print_value(&self->schema.fields[i].type, &batch->columns[i], row, &self->text);
    }
    leat_bytes_text(&self->text, "]\n");
}

static leat_code print_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                               leat_error *error)
{
    (void)input;
    (void)progress;
    print *self = (print *)operator;
    for (int32_t i = 0; i < (*batch)->selected; i++) {
        put_row(self, *batch, leat_batch_row(*batch, i));
        if (self->text.size >= FLUSH_BYTES) LEAT_TRY(flush(self, error));
    }
    LEAT_TRY(leat_bytes_check(&self->text, error));
    return flush(self, error);
}

static leat_code print_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    (void)operator;
    (void)restored;
    (void)error;
    return LEAT_OK;
}

static void print_close(leat_operator *operator)
{
    print *self = (print *)operator;
    leat_bytes_done(&self->text);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable print_vtable = {
    .type = "print", .open = print_open, .process_batch = print_process, .close = print_close};

static leat_code print_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                              leat_operator **out, leat_error *error)
{
    (void)context;
    print *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & print_vtable;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_reader reader;
    leat_reader_init(&reader, config, config_size);
    leat_code code = leat_schema_read(&reader, &self->arena, &self->schema, error);
    size_t length;
    const uint8_t *identifier = leat_reader_block(&reader, &length);
    self->identifier = leat_arena_strndup(&self->arena, (const char *)identifier, length);
    self->file = leat_reader_u8(&reader) ? STDERR_FILENO : STDOUT_FILENO;
    if (code == LEAT_OK) code = leat_reader_check(&reader, true, "print configuration", error);
    if (code == LEAT_OK && !self->identifier) code = leat_fail_no_memory(error);
    if (code != LEAT_OK) {
        print_close(&self->operator);
        return code;
    }
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_print_factory = {"print", print_create};

static leat_code plan_sink(const leat_plan_context *context, const leat_table *table, const leat_sink_request *request,
                           leat_sink_plan *out, leat_error *error)
{
    (void)request;
    static const leat_connector_option known[] = {
        {"print-identifier", LEAT_OPTION_STRING, false, "Text in front of each row"},
        {"standard-error", LEAT_OPTION_BOOL, false, "Print to standard error"},
        {.key = NULL},
    };
    LEAT_TRY(leat_connector_check_options("print", table->options, &table->schema, known, error));
    bool is_error = false;
    const char *to_error = leat_config_find(table->options, "standard-error");
    if (to_error) LEAT_TRY(leat_parse_bool(to_error, &is_error, error));
    const char *identifier = leat_config_find(table->options, "print-identifier");
    const char *name = leat_arena_format(context->arena, "Sink: %s", table->name);
    if (!name) return leat_fail_no_memory(error);
    leat_sink_stage *stage = &out->stages[0];
    *stage = (leat_sink_stage){.exchange = LEAT__PB__EXCHANGE__FORWARD,
                               .input = table->schema,
                               .operators = {{.type = "print", .name = name, .description = name}},
                               .operators_count = 1,
                               .parallelism = -1};
    leat_bytes *config = &stage->operators[0].config;
    leat_schema_write(&table->schema, config);
    leat_bytes_put_block(config, identifier ? identifier : "", identifier ? strlen(identifier) : 0);
    leat_bytes_put_u8(config, is_error);
    out->stages_count = 1;
    out->accepts = LEAT_CHANGES_ALL;
    int64_t number = -1;
    const char *parallelism = leat_config_find(table->options, "sink.parallelism");
    if (parallelism) LEAT_TRY(leat_parse_int(parallelism, &number, error));
    stage->parallelism = (int32_t)number;
    return leat_bytes_check(config, error);
}

const leat_connector leat_print_connector = {.identifier = "print", .plan_sink = plan_sink};
