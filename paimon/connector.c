#include "paimon/connector.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/append.h"
#include "paimon/catalog.h"
#include "paimon/commit.h"
#include "paimon/pk.h"
#include "paimon/pk/options.h"
#include "paimon/schema.h"
#include "paimon/source.h"
#include "paimon/source_filter.h"

/* Hints may be over the table's own options; what only says where the table is is no option of it. */
static leat_code open_table(const leat_plan_context *context, const leat_table *table, leat_config *options,
                            leat_paimon_table *out, leat_error *error)
{
    const char *path = leat_config_find(table->options, "path");
    if (!path) return leat_fail(error, LEAT_INVALID, "table '%s': the option 'path' is missing", table->name);
    static const char *const places[] = {"path", "connector", "type", "warehouse"};
    LEAT_TRY(leat_config_merge(options, table->options, error));
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        leat_config_remove(options, places[i]);
    return leat_paimon_open_table(context->env, path, options, context->arena, out, error);
}

/* --- sources --- */

static int32_t changes_of(const leat_plan_context *context, const leat_paimon_table *table,
                          leat_paimon_changelog_producer producer)
{
    if (context->is_batch || table->schema.primary_keys_count == 0) return LEAT_CHANGES_INSERT;
    return producer == LEAT_PAIMON_CHANGELOG_NONE ? LEAT_CHANGES_UPSERT : LEAT_CHANGES_ALL;
}

static leat_code find_columns(const leat_plan_context *context, const leat_table *table,
                              const leat_paimon_table *paimon_table, const leat_source_request *request,
                              leat_paimon_source_config *out, leat_error *error)
{
    int32_t count = request->columns ? request->columns_count : table->schema.fields_count;
    int32_t *columns = leat_arena_take(context->arena, ((size_t)count + 1) * sizeof *columns);
    if (!columns) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++) {
        const char *name = table->schema.fields[request->columns ? request->columns[i] : i].name;
        columns[i] = leat_paimon_schema_find(&paimon_table->schema, name);
        if (columns[i] < 0)
            return leat_fail(error, LEAT_NOT_FOUND, "table '%s' has no column '%s' any more", table->name, name);
        const leat_paimon_field *field = &paimon_table->schema.fields[columns[i]];
        if (field->type_json || !leat_type_has_column(&field->type)) {
            return leat_fail(error, LEAT_UNSUPPORTED, "column '%s': reading its type is not supported yet", name);
        }
    }
    out->columns = columns;
    out->columns_count = count;
    return LEAT_OK;
}

static leat_code option_parallelism(const leat_paimon_table *table, const char *key, int32_t *out, leat_error *error)
{
    int64_t value;
    LEAT_TRY(leat_paimon_option_int(&table->schema.options, key, -1, &value, error));
    if (value == 0 || value < -1 || value > 4096) {
        return leat_fail(error, LEAT_INVALID, "'%s' = '%lld' is no parallelism", key, (long long)value);
    }
    *out = (int32_t)value;
    return LEAT_OK;
}

/* Whether this version can merge the table's records; more tables can be read than written. */
static leat_code check_merging(const leat_plan_context *context, const leat_paimon_table *table, leat_error *error)
{
    leat_pk_options options;
    return leat_pk_options_read(&table->schema, false, context->arena, &options, error);
}

static leat_code fill_source(const leat_plan_context *context, const leat_table *table,
                             const leat_paimon_table *paimon_table, const leat_source_request *request,
                             leat_source_plan *out, leat_error *error)
{
    leat_paimon_source_config config = {.table = paimon_table, .is_streaming = !context->is_batch};
    LEAT_TRY(leat_paimon_source_check(paimon_table, config.is_streaming, error));
    if (paimon_table->schema.primary_keys_count) LEAT_TRY(check_merging(context, paimon_table, error));
    LEAT_TRY(find_columns(context, table, paimon_table, request, &config, error));
    LEAT_TRY(leat_paimon_source_filter(request->filter, &config, context->arena, error));
    leat_paimon_changelog_producer producer;
    LEAT_TRY(leat_paimon_schema_changelog_producer(&paimon_table->schema, &producer, error));
    *out = (leat_source_plan){.enumerator = "paimon-source",
                              .changes = changes_of(context, paimon_table, producer),
                              .is_bounded = context->is_batch};
    LEAT_TRY(option_parallelism(paimon_table, "scan.parallelism", &out->parallelism, error));
    out->source = (leat_plan_operator){.type = "paimon-source",
                                       .name = leat_arena_format(context->arena, "Source: %s", table->name),
                                       .description = leat_arena_format(context->arena, "Source: %s", table->name)};
    if (!out->source.name || !out->source.description) return leat_fail_no_memory(error);
    leat_code code = leat_paimon_source_config_write(&config, &out->source.config, error);
    if (code == LEAT_OK) code = leat_paimon_source_config_write(&config, &out->enumerator_config, error);
    if (code == LEAT_OK) return code;
    leat_bytes_done(&out->source.config);
    leat_bytes_done(&out->enumerator_config);
    return code;
}

static leat_code plan_source(const leat_plan_context *context, const leat_table *table,
                             const leat_source_request *request, leat_source_plan *out, leat_error *error)
{
    leat_config options = {0};
    leat_paimon_table paimon_table = {0};
    leat_code code = open_table(context, table, &options, &paimon_table, error);
    if (code == LEAT_OK) {
        code = fill_source(context, table, &paimon_table, request, out, error);
        leat_paimon_table_done(&paimon_table);
    }
    leat_config_done(&options);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "read table '%s'", table->name);
}

/* --- sinks --- */

static leat_code check_append(const leat_paimon_table *table, leat_paimon_bucket_mode *mode, leat_error *error)
{
    static const char *const unknown[] = {"row-tracking.enabled", "data-evolution.enabled", "data-file.external-paths",
                                          "file.suffix.include.compression"};
    const leat_paimon_schema *schema = &table->schema;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        const char *value = leat_config_find(&schema->options, unknown[i]);
        if (!value || strcmp(value, "false") == 0) continue;
        return leat_fail(error, LEAT_UNSUPPORTED, "writing tables with '%s' = '%s' is not supported yet", unknown[i],
                         value);
    }
    const char *format = leat_paimon_option_text(&schema->options, "file.format", "parquet");
    if (strcmp(format, "parquet") != 0) {
        return leat_fail(error, LEAT_UNSUPPORTED, "writing 'file.format' = '%s' is not supported yet, only parquet",
                         format);
    }
    for (int32_t i = 0; i < schema->fields_count; i++) {
        const leat_paimon_field *field = &schema->fields[i];
        if (!field->type_json && leat_type_has_column(&field->type)) continue;
        return leat_fail(error, LEAT_UNSUPPORTED, "column '%s': writing its type is not supported yet", field->name);
    }
    int32_t buckets;
    LEAT_TRY(leat_paimon_schema_bucket_mode(schema, mode, &buckets, error));
    const char *function = leat_paimon_option_text(&schema->options, "bucket-function.type", "default");
    if (*mode == LEAT_PAIMON_BUCKET_FIXED && strcmp(function, "default") != 0) {
        return leat_fail(error, LEAT_UNSUPPORTED, "'bucket-function.type' = '%s' is not supported yet", function);
    }
    return LEAT_OK;
}

static leat_code plan_append(const leat_plan_context *context, const leat_table *table,
                             const leat_paimon_table *paimon_table, leat_sink_plan *out, leat_error *error)
{
    leat_paimon_bucket_mode mode;
    int32_t parallelism;
    LEAT_TRY(check_append(paimon_table, &mode, error));
    LEAT_TRY(option_parallelism(paimon_table, "sink.parallelism", &parallelism, error));
    const char *name = leat_arena_format(context->arena, "Writer : %s", table->name);
    if (!name) return leat_fail_no_memory(error);
    *out = (leat_sink_plan){.accepts = LEAT_CHANGES_INSERT};
    leat_sink_stage *writer = &out->stages[out->stages_count++];
    if (mode == LEAT_PAIMON_BUCKET_FIXED) {
        /* One subtask owns a bucket; the router must know how many there are. */
        leat_sink_stage *router = writer;
        writer = &out->stages[out->stages_count++];
        if (parallelism < 0) parallelism = context->parallelism;
        *router = (leat_sink_stage){
            .exchange = LEAT__PB__EXCHANGE__FORWARD, .input = table->schema, .parallelism = -1, .operators_count = 1};
        router->operators[0] =
            (leat_plan_operator){.type = "paimon-append-router", .name = "Map", .description = "Map"};
        LEAT_TRY(
            leat_paimon_append_router_config_write(paimon_table, parallelism, &router->operators[0].config, error));
        uint32_t *key = leat_arena_take(context->arena, sizeof *key);
        if (!key) return leat_fail_no_memory(error);
        *key = (uint32_t)table->schema.fields_count;
        *writer = (leat_sink_stage){.exchange = LEAT__PB__EXCHANGE__CUSTOM,
                                    .key_columns = key,
                                    .key_columns_count = 1,
                                    .ship_strategy = "shuffle by partition & bucket"};
    }
    writer->input = table->schema;
    writer->parallelism = parallelism;
    writer->operators_count = 1;
    writer->operators[0] = (leat_plan_operator){.type = "paimon-append-writer", .name = name, .description = name};
    return leat_paimon_append_config_write(paimon_table, &writer->operators[0].config, error);
}

static void plan_done(leat_sink_plan *plan)
{
    for (int32_t s = 0; s < plan->stages_count; s++) {
        for (int32_t o = 0; o < plan->stages[s].operators_count; o++)
            leat_bytes_done(&plan->stages[s].operators[o].config);
        leat_bytes_done(&plan->stages[s].committer_config);
    }
}

static leat_code fill_sink(const leat_plan_context *context, const leat_table *table,
                           const leat_paimon_table *paimon_table, const leat_config *options,
                           const leat_sink_request *request, leat_sink_plan *out, leat_error *error)
{
    if (request->is_overwrite) return leat_fail(error, LEAT_UNSUPPORTED, "INSERT OVERWRITE is not supported yet");
    if (request->static_partition_count)
        return leat_fail(error, LEAT_UNSUPPORTED, "INSERT … PARTITION (…) is not supported yet");
    if (paimon_table->schema.primary_keys_count > 0) {
        LEAT_TRY(leat_paimon_plan_pk_sink(context, table, paimon_table, request, out, error));
    } else {
        LEAT_TRY(plan_append(context, table, paimon_table, out, error));
    }
    leat_sink_stage *last = &out->stages[out->stages_count - 1];
    last->committer = leat_paimon_committer_factory.type;
    leat_paimon_committer_config_write(paimon_table->path, options, &last->committer_config);
    return leat_bytes_check(&last->committer_config, error);
}

static leat_code plan_sink(const leat_plan_context *context, const leat_table *table, const leat_sink_request *request,
                           leat_sink_plan *out, leat_error *error)
{
    leat_config options = {0};
    leat_paimon_table paimon_table = {0};
    *out = (leat_sink_plan){0};
    leat_code code = open_table(context, table, &options, &paimon_table, error);
    if (code == LEAT_OK) {
        code = fill_sink(context, table, &paimon_table, &options, request, out, error);
        leat_paimon_table_done(&paimon_table);
    }
    if (code != LEAT_OK) plan_done(out);
    leat_config_done(&options);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "write table '%s'", table->name);
}

/* --- lookups --- */

static leat_code plan_lookup(const leat_plan_context *context, const leat_table *table, const int32_t *keys,
                             int32_t keys_count, const int32_t *columns, int32_t columns_count, leat_lookup_plan *out,
                             leat_error *error)
{
    leat_config options = {0};
    leat_paimon_table paimon_table = {0};
    leat_code code = open_table(context, table, &options, &paimon_table, error);
    if (code == LEAT_OK) {
        code = leat_paimon_plan_lookup(context, table, &paimon_table, keys, keys_count, columns, columns_count, out,
                                       error);
        leat_paimon_table_done(&paimon_table);
    }
    leat_config_done(&options);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "look up table '%s'", table->name);
}

const leat_connector leat_paimon_connector = {
    .identifier = "paimon",
    .plan_source = plan_source,
    .plan_sink = plan_sink,
    .plan_lookup = plan_lookup,
};
