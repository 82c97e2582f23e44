#include <string.h>
#include <strings.h>

#include "columnar/timezone.h"
#include "connectors/mysql/cdc.h"

const leat_connector_option leat_cdc_options[] = {
    {"hostname", LEAT_OPTION_STRING, true, "Host of the server"},
    {"port", LEAT_OPTION_INT, false, "Its port (3306)"},
    {"username", LEAT_OPTION_STRING, true, "User, with SELECT, REPLICATION SLAVE, REPLICATION CLIENT"},
    {"password", LEAT_OPTION_STRING, true, "Its password"},
    {"database-name", LEAT_OPTION_STRING, true, "Regular expression for whole database names"},
    {"table-name", LEAT_OPTION_STRING, true, "Regular expression for whole table names"},
    {"server-id", LEAT_OPTION_STRING, false, "A number, or a range whose first is taken; random when not set"},
    {"server-time-zone", LEAT_OPTION_STRING, false, "Zone whose wall clock TIMESTAMP columns show (the session's)"},
    {"scan.startup.mode", LEAT_OPTION_STRING, false,
     "initial, snapshot, latest-offset, earliest-offset, specific-offset, timestamp"},
    {"scan.startup.specific-offset.file", LEAT_OPTION_STRING, false, "Binlog file to start from"},
    {"scan.startup.specific-offset.pos", LEAT_OPTION_INT, false, "Position in it"},
    {"scan.startup.timestamp-millis", LEAT_OPTION_INT, false, "Changes from this time on (ms since 1970)"},
    {"scan.incremental.snapshot.enabled", LEAT_OPTION_BOOL, false, "Only true"},
    {"scan.incremental.snapshot.chunk.size", LEAT_OPTION_INT, false, "Rows of a chunk (8096)"},
    {"scan.incremental.snapshot.unbounded-chunk-first.enabled", LEAT_OPTION_BOOL, false,
     "Accepted: chunks come in key order"},
    {"scan.incremental.snapshot.backfill.skip", LEAT_OPTION_BOOL, false, "Accepted: no backfill is needed"},
    {"scan.incremental.close-idle-reader.enabled", LEAT_OPTION_BOOL, false, "Accepted: readers without work end"},
    {"chunk-key.even-distribution.factor.upper-bound", LEAT_OPTION_STRING, false,
     "Accepted: chunks are cut along the index"},
    {"chunk-key.even-distribution.factor.lower-bound", LEAT_OPTION_STRING, false,
     "Accepted: chunks are cut along the index"},
    {"chunk-meta.group.size", LEAT_OPTION_INT, false, "Accepted and not needed"},
    {"scan.snapshot.fetch.size", LEAT_OPTION_INT, false, "Accepted and not needed"},
    {"scan.read-changelog-as-append-only.enabled", LEAT_OPTION_BOOL, false, "Every change becomes an insert (false)"},
    {"connect.timeout", LEAT_OPTION_DURATION, false, "Longest wait for a connection (30 s)"},
    {"connect.max-retries", LEAT_OPTION_INT, false, "Accepted: lost connections are tried again for about a minute"},
    {"connection.pool.size", LEAT_OPTION_INT, false, "Accepted and not needed"},
    {"heartbeat.interval", LEAT_OPTION_DURATION, false, "Time between heartbeats of an idle server (30 s)"},
    {"use.legacy.json.format", LEAT_OPTION_BOOL, false,
     "JSON without blanks between its parts (true); false: as MySQL prints"},
    {.key = NULL},
};

/* Known to Flink CDC, and not done. */
static const char *const unsupported[] = {"scan.incremental.snapshot.chunk.key-column",
                                          "scan.newly-added-table.enabled",
                                          "scan.parse.online.schema.changes.enabled",
                                          "scan.startup.specific-offset.gtid-set",
                                          "scan.startup.specific-offset.skip-events",
                                          "scan.startup.specific-offset.skip-rows",
                                          NULL};

/* --- options --- */

static leat_code option_int(const leat_config *options, const char *key, int64_t fallback, int64_t least, int64_t most,
                            int64_t *out, leat_error *error)
{
    const char *text = leat_config_find(options, key);
    *out = fallback;
    if (!text) return LEAT_OK;
    leat_code code = leat_parse_int(text, out, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "Invalid value for option '%s'.", key);
    if (*out >= least && *out <= most) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID, "Invalid value for option '%s'.: %s is not from %lld to %lld", key, text,
                     (long long)least, (long long)most);
}

static leat_code option_bool(const leat_config *options, const char *key, bool fallback, bool *out, leat_error *error)
{
    const char *text = leat_config_find(options, key);
    *out = fallback;
    return text ? leat_parse_bool(text, out, error) : LEAT_OK;
}

static leat_code option_duration(const leat_config *options, const char *key, int64_t fallback_ms, int64_t *out,
                                 leat_error *error)
{
    const char *text = leat_config_find(options, key);
    *out = fallback_ms;
    if (text) LEAT_TRY(leat_parse_duration_ms(text, out, error));
    if (*out >= 250) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID, "The value of option '%s' cannot be less than 250 ms, but actual is '%s'",
                     key, text);
}

static leat_code read_startup(const leat_config *options, leat_cdc_config *out, leat_error *error)
{
    static const char *const names[] = {"initial",         "snapshot",        "latest-offset",
                                        "earliest-offset", "specific-offset", "timestamp"};
    const char *mode = leat_config_find(options, "scan.startup.mode");
    int found = mode ? -1 : 0;
    for (int i = 0; mode && i < 6; i++) {
        if (strcasecmp(names[i], mode) == 0) found = i;
    }
    if (found < 0) {
        return leat_fail(error, LEAT_INVALID,
                         "Invalid value for option 'scan.startup.mode'. Supported values are [initial, snapshot, "
                         "latest-offset, earliest-offset, specific-offset, timestamp], but was: %s",
                         mode);
    }
    out->startup = (leat_cdc_startup)found;
    const char *file = leat_config_find(options, "scan.startup.specific-offset.file");
    int64_t position;
    LEAT_TRY(option_int(options, "scan.startup.specific-offset.pos", 4, 4, UINT32_MAX, &position, error));
    if (out->startup == LEAT_CDC_SPECIFIC && (!file || strlen(file) >= LEAT_BINLOG_FILE_BYTES)) {
        return leat_fail(error, LEAT_INVALID,
                         "'scan.startup.specific-offset.file' is required in 'specific-offset' startup mode");
    }
    if (file) snprintf(out->startup_position.file, sizeof out->startup_position.file, "%s", file);
    out->startup_position.position = (uint64_t)position;
    LEAT_TRY(option_int(options, "scan.startup.timestamp-millis", -1, 0, INT64_MAX, &out->startup_ms, error));
    if (out->startup == LEAT_CDC_TIMESTAMP && out->startup_ms < 0) {
        return leat_fail(error, LEAT_INVALID,
                         "'scan.startup.timestamp-millis' is required in 'timestamp' startup mode");
    }
    return LEAT_OK;
}

/* "5400", or "5400-5408". */
static leat_code read_server_id(const leat_config *options, leat_cdc_config *out, leat_error *error)
{
    const char *text = leat_config_find(options, "server-id");
    if (!text) return LEAT_OK;
    char *end;
    unsigned long long first = strtoull(text, &end, 10);
    bool is_good = end != text && (*end == '\0' || *end == '-') && first >= 1 && first <= UINT32_MAX;
    if (!is_good) {
        return leat_fail(error, LEAT_INVALID,
                         "Invalid value for option 'server-id'. The server id '%s' is not a valid numeric.", text);
    }
    out->server_id = (uint32_t)first;
    return LEAT_OK;
}

static leat_code read_zone(const leat_config *options, const char *time_zone, leat_cdc_config *out, leat_error *error)
{
    const leat_zone *zone;
    out->zone = leat_config_find(options, "server-time-zone");
    if (!out->zone) out->zone = time_zone;
    if (!out->zone) return LEAT_OK;
    leat_code code = leat_zone_find(out->zone, &zone, error);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "Invalid value for option 'server-time-zone'.");
}

leat_code leat_cdc_config_from_options(const leat_config *options, const char *time_zone, leat_cdc_config *out,
                                       leat_error *error)
{
    for (int i = 0; unsupported[i]; i++) {
        if (!leat_config_find(options, unsupported[i])) continue;
        return leat_fail(error, LEAT_UNSUPPORTED, "option '%s' of mysql-cdc is not there yet", unsupported[i]);
    }
    *out = (leat_cdc_config){0};
    int64_t port;
    bool is_incremental, is_compact;
    out->address.host = leat_config_find(options, "hostname");
    out->address.user = leat_config_find(options, "username");
    out->address.password = leat_config_find(options, "password");
    out->database_pattern = leat_config_find(options, "database-name");
    out->table_pattern = leat_config_find(options, "table-name");
    LEAT_TRY(option_int(options, "port", 3306, 1, 65535, &port, error));
    out->address.port = (uint16_t)port;
    LEAT_TRY(
        option_int(options, "scan.incremental.snapshot.chunk.size", 8096, INT64_MIN, 1000000, &out->chunk_rows, error));
    if (out->chunk_rows <= 1) {
        return leat_fail(error, LEAT_INVALID,
                         "The value of option 'scan.incremental.snapshot.chunk.size' must larger than 1, but is %lld",
                         (long long)out->chunk_rows);
    }
    LEAT_TRY(option_duration(options, "connect.timeout", 30000, &out->address.connect_timeout_ms, error));
    LEAT_TRY(option_duration(options, "heartbeat.interval", 30000, &out->heartbeat_ms, error));
    LEAT_TRY(option_bool(options, "scan.incremental.snapshot.enabled", true, &is_incremental, error));
    if (!is_incremental) {
        return leat_fail(error, LEAT_UNSUPPORTED, "'scan.incremental.snapshot.enabled' = 'false' is not there");
    }
    LEAT_TRY(option_bool(options, "scan.read-changelog-as-append-only.enabled", false, &out->is_append_only, error));
    LEAT_TRY(option_bool(options, "use.legacy.json.format", true, &is_compact, error));
    out->keeps_json_blanks = !is_compact;
    bool unused;
    const char *const patterns[] = {out->database_pattern, out->table_pattern};
    for (int i = 0; i < 2; i++)
        if (patterns[i]) LEAT_TRY(leat_mysql_matches(patterns[i], "", 0, &unused, error));
    LEAT_TRY(read_server_id(options, out, error));
    LEAT_TRY(read_zone(options, time_zone, out, error));
    return read_startup(options, out, error);
}

/* --- configuration --- */

static void put_text(leat_bytes *out, const char *text)
{
    leat_bytes_put_block(out, text, strlen(text));
}

static const char *get_text(leat_reader *reader, leat_arena *arena)
{
    size_t size;
    const uint8_t *text = leat_reader_block(reader, &size);
    const char *copy = text ? leat_arena_strndup(arena, (const char *)text, size) : NULL;
    if (!copy) reader->failed = true;
    return copy;
}

void leat_cdc_config_write(const leat_cdc_config *config, leat_bytes *out)
{
    put_text(out, config->address.host);
    leat_bytes_put_u32(out, config->address.port);
    put_text(out, config->address.user);
    put_text(out, config->address.password);
    leat_bytes_put_i64(out, config->address.connect_timeout_ms);
    put_text(out, config->database_pattern);
    put_text(out, config->table_pattern);
    leat_bytes_put_u32(out, config->server_id);
    leat_bytes_put_i64(out, config->chunk_rows);
    leat_bytes_put_i64(out, config->heartbeat_ms);
    leat_bytes_put_u8(out, (uint8_t)config->startup);
    leat_bytes_put_i64(out, config->startup_ms);
    put_text(out, config->startup_position.file);
    leat_bytes_put_u64(out, config->startup_position.position);
    put_text(out, config->zone ? config->zone : "UTC");
    leat_bytes_put_u8(out,
                      (uint8_t)(config->is_append_only | config->is_delete_insert << 1 | config->allows_missing << 2 |
                                config->keeps_json_blanks << 3 | config->is_parallel << 4));
    leat_schema_write(&config->schema, out);
}

leat_code leat_cdc_config_read(const uint8_t *data, size_t size, leat_arena *arena, leat_cdc_config *out,
                               leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    *out = (leat_cdc_config){0};
    out->address.host = get_text(&reader, arena);
    out->address.port = (uint16_t)leat_reader_u32(&reader);
    out->address.user = get_text(&reader, arena);
    out->address.password = get_text(&reader, arena);
    out->address.connect_timeout_ms = leat_reader_i64(&reader);
    out->database_pattern = get_text(&reader, arena);
    out->table_pattern = get_text(&reader, arena);
    out->server_id = leat_reader_u32(&reader);
    out->chunk_rows = leat_reader_i64(&reader);
    out->heartbeat_ms = leat_reader_i64(&reader);
    out->startup = (leat_cdc_startup)leat_reader_u8(&reader);
    out->startup_ms = leat_reader_i64(&reader);
    const char *file = get_text(&reader, arena);
    if (file) snprintf(out->startup_position.file, sizeof out->startup_position.file, "%s", file);
    out->startup_position.position = leat_reader_u64(&reader);
    out->zone = get_text(&reader, arena);
    uint8_t flags = leat_reader_u8(&reader);
    out->is_append_only = flags & 1;
    out->is_delete_insert = (flags & 2) != 0;
    out->allows_missing = (flags & 4) != 0;
    out->keeps_json_blanks = (flags & 8) != 0;
    out->is_parallel = (flags & 16) != 0;
    LEAT_TRY(leat_reader_check(&reader, false, "mysql-cdc configuration", error));
    LEAT_TRY(leat_schema_read(&reader, arena, &out->schema, error));
    return leat_reader_check(&reader, true, "mysql-cdc configuration", error);
}

/* --- planning --- */

leat_code leat_cdc_plan_readers(const leat_plan_context *context, leat_cdc_config *config, leat_source_plan *out,
                                leat_error *error)
{
    /* The log follows when a checkpoint holds the snapshot: without checkpoints, one reader does it all. */
    config->is_parallel = config->startup == LEAT_CDC_INITIAL && !context->is_batch && context->parallelism > 1 &&
                          leat_config_duration_ms(context->session, LEAT_OPTION_CHECKPOINT_INTERVAL) > 0;
    out->source.type = leat_mysql_cdc_factory.type;
    out->is_bounded = config->startup == LEAT_CDC_SNAPSHOT;
    out->parallelism = config->is_parallel ? context->parallelism : 1;
    leat_cdc_config_write(config, &out->source.config);
    if (config->is_parallel) {
        out->enumerator = leat_mysql_cdc_enumerator_factory.type;
        leat_cdc_config_write(config, &out->enumerator_config);
    }
    LEAT_TRY(leat_bytes_check(&out->enumerator_config, error));
    return leat_bytes_check(&out->source.config, error);
}

static leat_code plan_source(const leat_plan_context *context, const leat_table *table,
                             const leat_source_request *request, leat_source_plan *out, leat_error *error)
{
    leat_cdc_config config;
    LEAT_TRY(leat_cdc_config_from_options(table->options, context->time_zone, &config, error));
    LEAT_TRY(leat_connector_check_options("mysql-cdc", table->options, &table->schema, leat_cdc_options, error));
    const char **password = &config.address.password;
    LEAT_TRY(leat_secrets_add(context->secrets, context->arena, *password, password, error));
    int32_t count = request->columns ? request->columns_count : table->schema.fields_count;
    config.schema.fields_count = count;
    config.schema.fields = leat_arena_take(context->arena, (size_t)(count + 1) * sizeof *config.schema.fields);
    const char *name = leat_arena_format(context->arena, "Source: %s", table->name);
    if (!config.schema.fields || !name) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++)
        config.schema.fields[i] = table->schema.fields[request->columns ? request->columns[i] : i];
    out->source = (leat_plan_operator){.name = name, .description = name};
    LEAT_TRY(leat_cdc_plan_readers(context, &config, out, error));
    out->changes = config.is_append_only ? LEAT_CHANGES_INSERT : LEAT_CHANGES_ALL;
    return LEAT_OK;
}

const leat_connector leat_mysql_cdc_connector = {.identifier = "mysql-cdc", .plan_source = plan_source};
