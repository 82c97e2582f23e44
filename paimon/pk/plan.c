#include <stdio.h>
#include <string.h>

#include "paimon/hash.h"
#include "paimon/pk.h"
#include "paimon/pk/options.h"
#include "paimon/table_config.h"

leat_code leat_paimon_pk_check(const leat_paimon_schema *schema, leat_error *error)
{
    leat_arena arena;
    leat_pk_options options;
    leat_arena_init(&arena, 16 << 20);
    leat_code code = leat_pk_options_read(schema, true, &arena, &options, error);
    leat_arena_done(&arena);
    return code;
}

static leat_code read_parallelism(const leat_paimon_schema *schema, const char *key, int32_t fallback, int32_t *out,
                                  leat_error *error)
{
    const char *text = leat_config_find(&schema->options, key);
    int64_t value = fallback;
    if (text) {
        leat_code code = leat_parse_int(text, &value, error);
        if (code == LEAT_OK && (value < 1 || value > 32768))
            code = leat_fail(error, LEAT_INVALID, "%s is not 1 … 32768", text);
        if (code != LEAT_OK) return leat_fail_in(error, code, "option '%s'", key);
    }
    *out = (int32_t)value;
    return LEAT_OK;
}

/* The table's columns, then INT ones. */
static leat_code widen(const leat_plan_context *context, const leat_schema *from, const char *const *names,
                       int32_t count, leat_schema *out, leat_error *error)
{
    out->fields_count = from->fields_count + count;
    out->fields = leat_arena_take(context->arena, (size_t)out->fields_count * sizeof *out->fields);
    if (!out->fields) return leat_fail_no_memory(error);
    memcpy(out->fields, from->fields, (size_t)from->fields_count * sizeof *out->fields);
    for (int32_t i = 0; i < count; i++) {
        out->fields[from->fields_count + i] = (leat_field){names[i], leat_type_make(LEAT_TYPE_INT, false)};
    }
    return LEAT_OK;
}

/* A stage that rows reach by the target column behind `input`. */
static leat_code add_stage(const leat_plan_context *context, leat_sink_plan *out, leat_schema input,
                           const char *strategy, int32_t parallelism, leat_sink_stage **stage, leat_error *error)
{
    uint32_t *key = leat_arena_take(context->arena, sizeof *key);
    if (!key) return leat_fail_no_memory(error);
    *key = (uint32_t)input.fields_count;
    *stage = &out->stages[out->stages_count++];
    **stage = (leat_sink_stage){.exchange = LEAT__PB__EXCHANGE__CUSTOM,
                                .key_columns = key,
                                .key_columns_count = 1,
                                .ship_strategy = strategy,
                                .input = input,
                                .parallelism = parallelism,
                                .operators_count = 1};
    return LEAT_OK;
}

static leat_code write_config(const leat_paimon_table *table, int32_t parallelism, leat_bytes *out, leat_error *error)
{
    if (parallelism) leat_bytes_put_u32(out, (uint32_t)parallelism);
    LEAT_TRY(leat_paimon_table_write(table, out, error));
    return leat_bytes_check(out, error);
}

static leat_code plan_stages(const leat_plan_context *context, const leat_table *table,
                             const leat_paimon_table *paimon_table, const leat_pk_options *options, leat_sink_plan *out,
                             leat_error *error)
{
    static const char *const hash_names[] = {"_hash"};
    static const char *const bucket_names[] = {"_bucket", "_hash"};
    int32_t writers, assigners;
    LEAT_TRY(read_parallelism(&paimon_table->schema, "sink.parallelism", context->parallelism, &writers, error));
    LEAT_TRY(
        read_parallelism(&paimon_table->schema, "dynamic-bucket.assigner-parallelism", writers, &assigners, error));
    bool is_dynamic = options->bucket == LEAT_PK_BUCKET_DYNAMIC;
    leat_sink_stage *router = &out->stages[out->stages_count++], *stage;
    *router = (leat_sink_stage){
        .exchange = LEAT__PB__EXCHANGE__FORWARD, .input = options->schema, .parallelism = -1, .operators_count = 1};
    LEAT_TRY(leat_schema_copy(context->arena, &options->schema, &router->input, error));
    router->operators[0] = (leat_plan_operator){.type = "paimon-pk-router", .name = "Map", .description = "Map"};
    LEAT_TRY(write_config(paimon_table, is_dynamic ? assigners : writers, &router->operators[0].config, error));
    leat_schema input;
    if (is_dynamic) {
        LEAT_TRY(widen(context, &router->input, hash_names, 1, &input, error));
        LEAT_TRY(add_stage(context, out, input, "shuffle by key hash", assigners, &stage, error));
        stage->operators[0] = (leat_plan_operator){.type = "paimon-bucket-assigner",
                                                   .name = "dynamic-bucket-assigner",
                                                   .description = "dynamic-bucket-assigner"};
        LEAT_TRY(write_config(paimon_table, writers, &stage->operators[0].config, error));
    }
    const char *name = leat_arena_format(context->arena, "Writer : %s", table->name);
    if (!name) return leat_fail_no_memory(error);
    LEAT_TRY(widen(context, &router->input, bucket_names, 2, &input, error));
    LEAT_TRY(add_stage(context, out, input, is_dynamic ? "shuffle by partition & bucket" : "shuffle by bucket", writers,
                       &stage, error));
    stage->operators[0] = (leat_plan_operator){.type = "paimon-pk-writer", .name = name, .description = name};
    return write_config(paimon_table, 0, &stage->operators[0].config, error);
}

leat_code leat_paimon_plan_pk_sink(const leat_plan_context *context, const leat_table *table,
                                   const leat_paimon_table *paimon_table, const leat_sink_request *request,
                                   leat_sink_plan *out, leat_error *error)
{
    if (request->is_overwrite) {
        return leat_fail(error, LEAT_UNSUPPORTED, "INSERT OVERWRITE of a primary-key table is not supported yet");
    }
    leat_pk_options options;
    LEAT_TRY(leat_pk_options_read(&paimon_table->schema, true, context->arena, &options, error));
    *out = (leat_sink_plan){.needs_key_order = true};
    /* A changelog of the input must be whole, and sums take back what a row had before its update. */
    bool wants_all = options.changelog == LEAT_PK_CHANGELOG_INPUT || options.engine == LEAT_PK_AGGREGATION;
    out->accepts = wants_all ? LEAT_CHANGES_ALL : LEAT_CHANGES_UPSERT;
    return plan_stages(context, table, paimon_table, &options, out, error);
}
