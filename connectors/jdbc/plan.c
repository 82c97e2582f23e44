#include <string.h>

#include "connectors/jdbc/jdbc.h"

static const leat_connector_option known[] = {
    {"url", LEAT_OPTION_STRING, true, "jdbc:mysql://host:port/database"},
    {"table-name", LEAT_OPTION_STRING, true, "Name of the table in the database"},
    {"username", LEAT_OPTION_STRING, false, "User; together with password"},
    {"password", LEAT_OPTION_STRING, false, "Its password"},
    {"driver", LEAT_OPTION_STRING, false, "Accepted and not needed: the URL says it"},
    {"connection.max-retry-timeout", LEAT_OPTION_DURATION, false, "Longest wait for a connection (60 s)"},
    {"scan.fetch-size", LEAT_OPTION_INT, false, "Accepted and not needed: rows are streamed"},
    {"scan.auto-commit", LEAT_OPTION_BOOL, false, "Accepted and not needed"},
    {"filter.handling.policy", LEAT_OPTION_STRING, false, "Accepted; filters are applied after the scan"},
    {"sink.buffer-flush.max-rows", LEAT_OPTION_INT, false, "Rows that start a flush (100); 0: no such bound"},
    {"sink.buffer-flush.interval", LEAT_OPTION_DURATION, false, "Longest time a row waits (1 s); 0: off"},
    {"sink.max-retries", LEAT_OPTION_INT, false, "Repeats of a failed write (3)"},
    {.key = NULL},
};

static const char *const unsupported[] = {"compatible-mode",
                                          "scan.partition.column",
                                          "scan.partition.num",
                                          "scan.partition.lower-bound",
                                          "scan.partition.upper-bound",
                                          "lookup.cache",
                                          "lookup.max-retries",
                                          "lookup.cache.max-rows",
                                          "lookup.cache.ttl",
                                          NULL};

/* --- configuration --- */

void leat_jdbc_config_write(const leat_jdbc_config *config, leat_bytes *out)
{
    leat_bytes_put_text(out, config->address.host);
    leat_bytes_put_u32(out, config->address.port);
    leat_bytes_put_text(out, config->address.database);
    leat_bytes_put_text(out, config->address.user);
    leat_bytes_put_text(out, config->address.password);
    leat_bytes_put_i64(out, config->address.connect_timeout_ms);
    leat_bytes_put_i64(out, config->address.read_timeout_ms);
    leat_bytes_put_text(out, config->table);
    leat_schema_write(&config->schema, out);
    leat_bytes_put_u32(out, (uint32_t)config->primary_key_count);
    for (int32_t i = 0; i < config->primary_key_count; i++)
        leat_bytes_put_u32(out, (uint32_t)config->primary_key[i]);
    leat_bytes_put_i64(out, config->flush_rows);
    leat_bytes_put_i64(out, config->flush_interval_ms);
    leat_bytes_put_u32(out, (uint32_t)config->max_retries);
    leat_bytes_put_i64(out, config->limit);
}

static leat_code read_key(leat_reader *reader, leat_arena *arena, leat_jdbc_config *out, leat_error *error)
{
    uint32_t count = leat_reader_u32(reader);
    if (count > (uint32_t)out->schema.fields_count)
        return leat_fail(error, LEAT_CORRUPT, "jdbc configuration: %u key columns", count);
    int32_t *key = leat_arena_take(arena, (count + 1) * sizeof *key);
    if (!key) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        key[i] = (int32_t)leat_reader_u32(reader);
        if (key[i] < 0 || key[i] >= out->schema.fields_count) reader->failed = true;
    }
    out->primary_key = key;
    out->primary_key_count = (int32_t)count;
    return LEAT_OK;
}

leat_code leat_jdbc_config_read(const uint8_t *data, size_t size, leat_arena *arena, leat_jdbc_config *out,
                                leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    *out = (leat_jdbc_config){0};
    LEAT_TRY(leat_reader_text(&reader, arena, &out->address.host, error));
    out->address.port = (uint16_t)leat_reader_u32(&reader);
    LEAT_TRY(leat_reader_text(&reader, arena, &out->address.database, error));
    LEAT_TRY(leat_reader_text(&reader, arena, &out->address.user, error));
    LEAT_TRY(leat_reader_text(&reader, arena, &out->address.password, error));
    out->address.connect_timeout_ms = leat_reader_i64(&reader);
    out->address.read_timeout_ms = leat_reader_i64(&reader);
    LEAT_TRY(leat_reader_text(&reader, arena, &out->table, error));
    LEAT_TRY(leat_reader_check(&reader, false, "jdbc configuration", error));
    LEAT_TRY(leat_schema_read(&reader, arena, &out->schema, error));
    LEAT_TRY(read_key(&reader, arena, out, error));
    out->flush_rows = leat_reader_i64(&reader);
    out->flush_interval_ms = leat_reader_i64(&reader);
    out->max_retries = (int32_t)leat_reader_u32(&reader);
    out->limit = leat_reader_i64(&reader);
    return leat_reader_check(&reader, true, "jdbc configuration", error);
}

/* --- planning --- */

static leat_code check_columns(const leat_schema *schema, leat_error *error)
{
    for (int32_t i = 0; i < schema->fields_count; i++) {
        const leat_field *field = &schema->fields[i];
        bool is_interval =
            field->type.kind == LEAT_TYPE_INTERVAL_DAY_TIME || field->type.kind == LEAT_TYPE_INTERVAL_YEAR_MONTH;
        if (leat_type_has_column(&field->type) && !is_interval) continue;
        leat_bytes name = {0};
        leat_type_print(&field->type, true, &name);
        leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "column '%s': the jdbc connector can't move %s",
                                   field->name, name.data ? (const char *)name.data : "its type");
        leat_bytes_done(&name);
        return code;
    }
    return LEAT_OK;
}

static leat_code read_common(const leat_plan_context *context, const leat_table *table, leat_jdbc_config *config,
                             leat_error *error)
{
    for (int i = 0; unsupported[i]; i++) {
        if (!leat_config_find(table->options, unsupported[i])) continue;
        return leat_fail(error, LEAT_UNSUPPORTED, "option '%s' of the jdbc connector is not there yet", unsupported[i]);
    }
    LEAT_TRY(leat_connector_check_options("jdbc", table->options, &table->schema, known, error));
    const char *user = leat_config_find(table->options, "username");
    const char *password = leat_config_find(table->options, "password");
    if (!user != !password) {
        return leat_fail(error, LEAT_INVALID,
                         "Either all or none of the following options should be provided:\nusername\npassword");
    }
    LEAT_TRY(leat_mysql_url_parse(leat_config_find(table->options, "url"), context->arena, &config->address, error));
    if (user) config->address.user = user, config->address.password = password;
    LEAT_TRY(
        leat_secrets_add(context->secrets, context->arena, config->address.password, &config->address.password, error));
    const char *wait = leat_config_find(table->options, "connection.max-retry-timeout");
    if (wait && config->address.connect_timeout_ms == 0) {
        LEAT_TRY(leat_parse_duration_ms(wait, &config->address.connect_timeout_ms, error));
    }
    config->table = leat_config_find(table->options, "table-name");
    const char *dot = strchr(config->table, '.');
    if (!config->address.database && !dot) {
        leat_code code = leat_fail(error, LEAT_INVALID, "option 'url' names no database");
        leat_fail_hint(error, "write jdbc:mysql://host:port/database");
        return code;
    }
    return LEAT_OK;
}

static leat_code option_int(const leat_table *table, const char *key, int64_t fallback, int64_t least, int64_t *out,
                            leat_error *error)
{
    const char *text = leat_config_find(table->options, key);
    *out = fallback;
    if (text) LEAT_TRY(leat_parse_int(text, out, error));
    if (*out < least) return leat_fail(error, LEAT_INVALID, "Invalid value for option '%s'.", key);
    return LEAT_OK;
}

static leat_code plan_sink(const leat_plan_context *context, const leat_table *table, const leat_sink_request *request,
                           leat_sink_plan *out, leat_error *error)
{
    if (request->is_overwrite || request->static_partition_count) {
        return leat_fail(error, LEAT_UNSUPPORTED, "INSERT OVERWRITE and PARTITION don't work with the jdbc connector");
    }
    leat_jdbc_config config = {.limit = -1};
    LEAT_TRY(read_common(context, table, &config, error));
    LEAT_TRY(check_columns(&table->schema, error));
    config.schema = table->schema;
    config.primary_key = table->primary_key;
    config.primary_key_count = table->primary_key_count;
    int64_t retries, parallelism;
    LEAT_TRY(option_int(table, "sink.buffer-flush.max-rows", 100, 0, &config.flush_rows, error));
    LEAT_TRY(option_int(table, "sink.max-retries", 3, 0, &retries, error));
    LEAT_TRY(option_int(table, "sink.parallelism", -1, -1, &parallelism, error));
    config.max_retries = (int32_t)(retries < 1000 ? retries : 1000);
    config.flush_interval_ms = 1000;
    const char *interval = leat_config_find(table->options, "sink.buffer-flush.interval");
    if (interval) LEAT_TRY(leat_parse_duration_ms(interval, &config.flush_interval_ms, error));
    const char *name = leat_arena_format(context->arena, "%s: Writer", table->name);
    if (!name) return leat_fail_no_memory(error);
    leat_sink_stage *stage = &out->stages[0];
    *stage = (leat_sink_stage){.exchange = LEAT__PB__EXCHANGE__FORWARD,
                               .input = table->schema,
                               .operators = {{.type = "jdbc-sink", .name = name, .description = name}},
                               .operators_count = 1,
                               .parallelism = (int32_t)parallelism};
    leat_jdbc_config_write(&config, &stage->operators[0].config);
    out->stages_count = 1;
    out->accepts = config.primary_key_count ? LEAT_CHANGES_UPSERT : LEAT_CHANGES_INSERT;
    out->needs_key_order = config.primary_key_count > 0;
    return leat_bytes_check(&stage->operators[0].config, error);
}

static leat_code plan_source(const leat_plan_context *context, const leat_table *table,
                             const leat_source_request *request, leat_source_plan *out, leat_error *error)
{
    leat_jdbc_config config = {.limit = request->filter ? -1 : request->limit};
    LEAT_TRY(read_common(context, table, &config, error));
    int32_t count = request->columns ? request->columns_count : table->schema.fields_count;
    config.schema.fields_count = count;
    config.schema.fields = leat_arena_take(context->arena, (size_t)(count + 1) * sizeof *config.schema.fields);
    int32_t *key = leat_arena_take(context->arena, (size_t)(table->primary_key_count + 1) * sizeof *key);
    if (!config.schema.fields || !key) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++)
        config.schema.fields[i] = table->schema.fields[request->columns ? request->columns[i] : i];
    LEAT_TRY(check_columns(&config.schema, error));
    /* The key orders the rows (so that a restart can go on where it was), if all of it is read anyway. */
    for (int32_t i = 0; i < table->primary_key_count; i++) {
        key[i] = leat_schema_find(&config.schema, table->schema.fields[table->primary_key[i]].name);
        if (key[i] < 0) break;
        config.primary_key_count = i + 1;
    }
    if (config.primary_key_count < table->primary_key_count) config.primary_key_count = 0;
    config.primary_key = key;
    const char *name = leat_arena_format(context->arena, "Source: %s", table->name);
    if (!name) return leat_fail_no_memory(error);
    out->source = (leat_plan_operator){.type = "jdbc-source", .name = name, .description = name};
    leat_jdbc_config_write(&config, &out->source.config);
    out->changes = LEAT_CHANGES_INSERT;
    out->is_bounded = true;
    out->parallelism = 1;
    return leat_bytes_check(&out->source.config, error);
}

const leat_connector leat_jdbc_connector = {.identifier = "jdbc", .plan_source = plan_source, .plan_sink = plan_sink};
