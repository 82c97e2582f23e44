#include "connectors/mysql/sync_table.h"

#include <limits.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "connectors/mysql/cdc.h"
#include "connectors/mysql/sync_schema.h"
#include "flow/graph_build.h"
#include "paimon/catalog.h"
#include "paimon/connector.h"

enum { KEYS_MAX = 64 };

typedef struct sync {
    leat_env *env;
    leat_arena *arena;
    const leat_config *job_config;
    const char *time_zone;
    const char *warehouse, *database, *table;
    const char *primary_keys[KEYS_MAX], *partition_keys[KEYS_MAX];
    int32_t primary_keys_count, partition_keys_count;
    bool has_primary_keys, has_partition_keys, takes_source_keys, is_case_sensitive;
    leat_type_mapping mapping;
    leat_config mysql_conf, table_conf;
    leat_cdc_config cdc;
    leat_sync_columns columns;
    const char *job_name;
} sync;

/* --- arguments --- */

static bool is_key(const char *given, const char *name)
{
    for (; *given && *name; given++, name++) {
        if ((*given == '-' ? '_' : *given) != *name) return false;
    }
    return !*given && !*name;
}

static leat_code split_list(const char *text, leat_arena *arena, const char **out, int32_t *count, leat_error *error)
{
    *count = 0;
    for (const char *at = text; *at;) {
        while (*at == ' ' || *at == ',')
            at++;
        size_t length = strcspn(at, ",");
        while (length && at[length - 1] == ' ')
            length--;
        if (!length) continue;
        if (*count == KEYS_MAX) return leat_fail(error, LEAT_LIMIT, "more than %d key columns", KEYS_MAX);
        out[*count] = leat_arena_strndup(arena, at, length);
        if (!out[(*count)++]) return leat_fail_no_memory(error);
        at += strcspn(at, ",");
    }
    return LEAT_OK;
}

/* "key=value" into a config of its own. */
static leat_code take_pair(const char *argument, const char *value, leat_config *into, leat_error *error)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value) {
        leat_code code = leat_fail(error, LEAT_INVALID, "--%s '%.64s' is not key=value", argument,
                                   strstr(value, "password") ? "…" : value);
        leat_fail_hint(error, "for example --%s %s", argument, "hostname=localhost");
        return code;
    }
    return leat_config_set_pair(into, value, error);
}

static leat_code take_catalog_conf(sync *self, const char *value, leat_error *error)
{
    leat_config one = {0};
    leat_code code = take_pair("catalog_conf", value, &one, error);
    if (code == LEAT_OK) {
        const char *key = one.entries[0].key, *text = one.entries[0].value;
        bool is_filesystem = strcmp(key, "metastore") == 0 && strcmp(text, "filesystem") == 0;
        if (strcmp(key, "warehouse") == 0) {
            self->warehouse = leat_arena_strdup(self->arena, text);
        } else if (strcmp(key, "case-sensitive") == 0) {
            code = leat_parse_bool(text, &self->is_case_sensitive, error);
        } else if (!is_filesystem) {
            code = leat_fail(error, LEAT_UNSUPPORTED, "--catalog_conf %s=%s is not there yet", key, text);
            leat_fail_hint(error, "warehouse, metastore=filesystem and case-sensitive are");
        }
    }
    leat_config_done(&one);
    return code;
}

static leat_code take_argument(sync *self, const leat_action_argument *argument, leat_error *error)
{
    const char *key = argument->key, *value = argument->value;
    if (is_key(key, "warehouse"))
        self->warehouse = value;
    else if (is_key(key, "database"))
        self->database = value;
    else if (is_key(key, "table"))
        self->table = value;
    else if (is_key(key, "type_mapping"))
        return leat_type_mapping_read(value, &self->mapping, error);
    else if (is_key(key, "mysql_conf"))
        return take_pair("mysql_conf", value, &self->mysql_conf, error);
    else if (is_key(key, "table_conf"))
        return take_pair("table_conf", value, &self->table_conf, error);
    else if (is_key(key, "catalog_conf"))
        return take_catalog_conf(self, value, error);
    else if (is_key(key, "sync_primary_keys_from_source_schema"))
        return leat_parse_bool(value, &self->takes_source_keys, error);
    else if (is_key(key, "primary_keys")) {
        self->has_primary_keys = true;
        return split_list(value, self->arena, self->primary_keys, &self->primary_keys_count, error);
    } else if (is_key(key, "partition_keys")) {
        self->has_partition_keys = true;
        return split_list(value, self->arena, self->partition_keys, &self->partition_keys_count, error);
    } else if (is_key(key, "computed_column") || is_key(key, "metadata_column")) {
        return leat_fail(error, LEAT_UNSUPPORTED, "--%s is not there yet", key);
    } else {
        static const char *const known[] = {"warehouse",    "database",       "table",
                                            "primary_keys", "partition_keys", "type_mapping",
                                            "mysql_conf",   "table_conf",     "catalog_conf"};
        leat_nearest near = {.word = key, .less_than = INT_MAX};
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            leat_nearest_look(&near, known[i]);
        leat_code code = leat_fail(error, LEAT_INVALID, "mysql_sync_table has no argument --%s", key);
        leat_fail_hint(error, "did you mean --%s?", near.found);
        return code;
    }
    return LEAT_OK;
}

static leat_code require(const char *value, const char *name, leat_error *error)
{
    if (value && *value) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID, "mysql_sync_table: argument --%s is missing", name);
}

static leat_code check_mysql_conf(sync *self, leat_error *error)
{
    static const leat_schema no_columns;
    LEAT_TRY(leat_cdc_config_from_options(&self->mysql_conf, self->time_zone, &self->cdc, error));
    leat_code code = leat_connector_check_options("mysql-cdc", &self->mysql_conf, &no_columns, leat_cdc_options, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "--mysql_conf");
    self->cdc.is_delete_insert = true;
    self->cdc.allows_missing = true;
    return LEAT_OK;
}

/* --- the source's tables --- */

static leat_code no_keys(leat_error *error)
{
    leat_code code =
        leat_fail(error, LEAT_INVALID,
                  "can't infer primary keys from source table schemas because source tables have no primary "
                  "keys or have different primary keys");
    leat_fail_hint(error, "say them with --primary_keys");
    return code;
}

static bool has_same_key(const leat_mysql_table *left, const leat_mysql_table *right)
{
    if (left->primary_key_count != right->primary_key_count) return false;
    for (int32_t i = 0; i < left->primary_key_count; i++) {
        if (strcmp(left->columns[left->primary_key[i]].name, right->columns[right->primary_key[i]].name) != 0)
            return false;
    }
    return true;
}

static leat_code infer_keys(sync *self, const leat_mysql_table *tables, int32_t count, leat_error *error)
{
    if (self->has_primary_keys || !self->takes_source_keys) return LEAT_OK;
    for (int32_t i = 0; i < count; i++) {
        if (tables[i].primary_key_count == 0 || !has_same_key(&tables[0], &tables[i])) return no_keys(error);
    }
    if (tables[0].primary_key_count > KEYS_MAX)
        return leat_fail(error, LEAT_LIMIT, "more than %d key columns", KEYS_MAX);
    for (int32_t i = 0; i < tables[0].primary_key_count; i++)
        self->primary_keys[self->primary_keys_count++] = tables[0].columns[tables[0].primary_key[i]].name;
    return LEAT_OK;
}

static leat_code read_source(sync *self, leat_error *error)
{
    MYSQL *mysql;
    LEAT_TRY(leat_mysql_connect(&self->cdc.address, &mysql, error));
    leat_mysql_table_name *names = NULL;
    int32_t count = 0;
    leat_code code = leat_binlog_check_server(mysql, error);
    if (code == LEAT_OK) {
        code = leat_mysql_list_tables(mysql, self->cdc.database_pattern, self->cdc.table_pattern, self->arena, &names,
                                      &count, error);
    }
    leat_mysql_table *tables = leat_arena_take(self->arena, (size_t)(count + 1) * sizeof *tables);
    if (code == LEAT_OK && !tables) code = leat_fail_no_memory(error);
    for (int32_t i = 0; code == LEAT_OK && i < count; i++) {
        code = leat_mysql_table_describe(mysql, names[i].database, names[i].name, self->arena, &tables[i], error);
        if (code != LEAT_OK) break;
        code = leat_sync_columns_add(&self->columns, &tables[i], &self->mapping, self->is_case_sensitive, self->arena,
                                     error);
    }
    leat_mysql_close(mysql);
    return code == LEAT_OK ? infer_keys(self, tables, count, error) : code;
}

/* --- the Paimon table --- */

static leat_sync_column *find_column(sync *self, const char *name)
{
    for (size_t i = 0; i < self->columns.count; i++) {
        if (strcmp(self->columns.items[i].name, name) == 0) return &self->columns.items[i];
    }
    return NULL;
}

static leat_code create_table(sync *self, leat_error *error)
{
    for (int32_t i = 0; i < self->primary_keys_count; i++) {
        leat_sync_column *column = find_column(self, self->primary_keys[i]);
        if (!column) {
            return leat_fail(error, LEAT_INVALID, "primary key column '%s' is not in the source",
                             self->primary_keys[i]);
        }
        column->type.nullable = false;
    }
    size_t count = self->columns.count;
    leat_paimon_new_column *columns = leat_arena_take(self->arena, (count + 1) * sizeof *columns);
    if (!columns) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        const leat_sync_column *from = &self->columns.items[i];
        columns[i] = (leat_paimon_new_column){
            .name = from->name, .type = from->type, .comment = from->comment && *from->comment ? from->comment : NULL};
    }
    leat_paimon_new_table table = {.database = self->database,
                                   .name = self->table,
                                   .columns = columns,
                                   .columns_count = (int32_t)count,
                                   .primary_keys = self->primary_keys,
                                   .primary_keys_count = self->primary_keys_count,
                                   .partition_keys = self->partition_keys,
                                   .partition_keys_count = self->partition_keys_count,
                                   .options = &self->table_conf};
    bool is_there;
    LEAT_TRY(leat_paimon_database_exists(self->env, self->warehouse, self->database, &is_there, error));
    if (!is_there) {
        leat_code code = leat_paimon_create_database(self->env, self->warehouse, self->database, error);
        if (code != LEAT_OK && code != LEAT_EXISTS) return code;
    }
    leat_code code = leat_paimon_create_table(self->env, self->warehouse, &table, error);
    return code == LEAT_EXISTS ? LEAT_OK : code; /* somebody was faster: it is checked as any other */
}

static leat_code check_keys(const char *what, const char *const *wanted, int32_t wanted_count, const char **there,
                            int32_t there_count, leat_error *error)
{
    bool is_equal = wanted_count == there_count;
    for (int32_t i = 0; is_equal && i < wanted_count; i++) {
        bool is_found = false;
        for (int32_t k = 0; k < there_count; k++)
            is_found = is_found || strcmp(wanted[i], there[k]) == 0;
        is_equal = is_found;
    }
    if (is_equal) return LEAT_OK;
    leat_bytes list = {0};
    for (int32_t i = 0; i < there_count; i++)
        leat_bytes_format(&list, i ? ", %s" : "%s", there[i]);
    leat_code code = leat_fail(error, LEAT_INVALID, "the Paimon table's %s are [%s], not those given", what,
                               list.data ? (const char *)list.data : "");
    leat_bytes_done(&list);
    return code;
}

/* Whether values of `from` always find room in `to`. */
static bool converts(const leat_type *from, const leat_type *to)
{
    if (leat_type_equal(from, to, false)) return true;
    if (leat_type_is_integer(from))
        return (leat_type_is_integer(to) && to->kind >= from->kind) || leat_type_is_text(to);
    if (leat_type_is_text(from)) return leat_type_is_text(to) && to->precision >= from->precision;
    if (leat_type_is_bytes(from)) return leat_type_is_bytes(to) && to->precision >= from->precision;
    if (from->kind == LEAT_TYPE_FLOAT) return to->kind == LEAT_TYPE_DOUBLE || leat_type_is_text(to);
    if (from->kind == LEAT_TYPE_DECIMAL && to->kind == LEAT_TYPE_DECIMAL) {
        return to->scale >= from->scale && to->precision - to->scale >= from->precision - from->scale;
    }
    if (from->kind == LEAT_TYPE_TIMESTAMP) {
        bool is_time = to->kind == LEAT_TYPE_TIMESTAMP || to->kind == LEAT_TYPE_TIMESTAMP_LTZ;
        return (is_time && to->precision >= from->precision) || leat_type_is_text(to);
    }
    return leat_type_is_text(to);
}

static leat_code incompatible(const sync *self, const char *column, const leat_type *from, const leat_type *to,
                              leat_error *error)
{
    leat_bytes left = {0}, right = {0};
    leat_type_print(from, true, &left);
    leat_type_print(to, true, &right);
    leat_code code = leat_fail(error, LEAT_INVALID, "Cannot convert field %s from type %s to %s of Paimon table %s.%s",
                               column, left.data ? (char *)left.data : "", right.data ? (char *)right.data : "",
                               self->database, self->table);
    leat_bytes_done(&left);
    leat_bytes_done(&right);
    return code;
}

static leat_code check_table(sync *self, const leat_paimon_schema *schema, leat_error *error)
{
    if (self->has_primary_keys) {
        LEAT_TRY(check_keys("primary keys", self->primary_keys, self->primary_keys_count, schema->primary_keys,
                            schema->primary_keys_count, error));
    }
    if (self->has_partition_keys) {
        LEAT_TRY(check_keys("partition keys", self->partition_keys, self->partition_keys_count, schema->partition_keys,
                            schema->partition_keys_count, error));
    }
    for (size_t i = 0; i < self->columns.count; i++) {
        const leat_sync_column *column = &self->columns.items[i];
        int32_t at = leat_paimon_schema_find(schema, column->name);
        if (at < 0) {
            leat_code code = leat_fail(error, LEAT_UNSUPPORTED,
                                       "Paimon table %s.%s has no column '%s'; adding it is not "
                                       "there yet",
                                       self->database, self->table, column->name);
            leat_fail_hint(error, "create the table with all columns of the source, or let the action create it");
            return code;
        }
        const leat_paimon_field *field = &schema->fields[at];
        if (field->type_json || !converts(&column->type, &field->type)) {
            return incompatible(self, column->name, &column->type, &field->type, error);
        }
    }
    return LEAT_OK;
}

/* Options that say how what is there was written. */
static bool is_fixed(const char *key)
{
    static const char *const keys[] = {"bucket",    "bucket-key",    "merge-engine",   "primary-key",
                                       "partition", "rowkind.field", "sequence.field", "type"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0) return true;
    return strncmp(key, "fields.", 7) == 0;
}

/* --table_conf of a table that is there: written as its next schema. */
static leat_code alter_options(sync *self, leat_paimon_table *table, leat_error *error)
{
    bool is_changed = false;
    for (size_t i = 0; i < self->table_conf.count; i++) {
        const leat_config_entry *entry = &self->table_conf.entries[i];
        const char *old = leat_config_find(&table->schema.options, entry->key);
        if (old && strcmp(old, entry->value) == 0) continue;
        if (is_fixed(entry->key)) {
            leat_log(LEAT_LOG_WARN, "mysql_sync_table", "option '%s' of %s.%s stays as it is (%s): it can't be changed",
                     entry->key, self->database, self->table, old ? old : "the default");
            continue;
        }
        LEAT_TRY(leat_config_set(&table->schema.options, entry->key, entry->value, error));
        is_changed = true;
    }
    if (!is_changed) return LEAT_OK;
    LEAT_TRY(leat_paimon_schema_check(&table->schema, error));
    table->schema.id++;
    table->schema.time_ms = leat_env_now_ms(self->env);
    return leat_paimon_schema_store(self->env, table->path, &table->schema, error);
}

static leat_code needs_key(leat_error *error)
{
    leat_code code =
        leat_fail(error, LEAT_UNSUPPORTED, "a Paimon table without primary key can't follow updates and deletes");
    leat_fail_hint(error, "say the key with --primary_keys");
    return code;
}

static leat_code open_target(sync *self, leat_paimon_table *out, leat_error *error)
{
    leat_error missing = {0};
    leat_code code =
        leat_paimon_get_table(self->env, self->warehouse, self->database, self->table, self->arena, out, &missing);
    if (code == LEAT_NOT_FOUND) {
        if (self->primary_keys_count == 0) return needs_key(error);
        LEAT_TRY(create_table(self, error));
        code = leat_paimon_get_table(self->env, self->warehouse, self->database, self->table, self->arena, out, error);
    } else if (code != LEAT_OK && error) {
        *error = missing;
    }
    if (code != LEAT_OK) return code;
    code = out->schema.primary_keys_count ? check_table(self, &out->schema, error) : needs_key(error);
    if (code == LEAT_OK) code = alter_options(self, out, error);
    if (code != LEAT_OK) leat_paimon_table_done(out);
    return code;
}

/* --- the job --- */

static leat_code plan_job(sync *self, const leat_paimon_table *target, const leat_config *config,
                          const leat_config *options, leat_bytes *graph, leat_error *error)
{
    leat_plan_context context = {.arena = self->arena, .env = self->env, .session = config, .parallelism = 1};
    leat_secrets secrets = {0};
    context.secrets = &secrets;
    context.parallelism = (int32_t)leat_config_int(config, LEAT_OPTION_PARALLELISM);
    if (context.parallelism < 1) context.parallelism = 1;
    leat_table table = {
        .catalog = "paimon", .database = self->database, .name = self->table, .options = options, .comment = ""};
    const leat_paimon_schema *schema = &target->schema;
    LEAT_TRY(leat_paimon_schema_columns(schema, self->arena, &table.schema, error));
    int32_t *key = leat_arena_take(self->arena, (size_t)(schema->primary_keys_count + 1) * sizeof *key);
    if (!key) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < schema->primary_keys_count; i++)
        key[i] = leat_schema_find(&table.schema, schema->primary_keys[i]);
    table.primary_key = key;
    table.primary_key_count = schema->primary_keys_count;
    table.partition_keys = schema->partition_keys;
    table.partition_keys_count = schema->partition_keys_count;
    self->cdc.schema = table.schema;
    leat_source_plan source = {.changes = LEAT_CHANGES_ALL};
    source.source.name = source.source.description = "Source: MySQL Source";
    leat_cdc_config cdc = self->cdc;
    LEAT_TRY(leat_secrets_add(&secrets, self->arena, cdc.address.password, &cdc.address.password, error));
    leat_sink_request request = {.changes = LEAT_CHANGES_ALL};
    leat_sink_plan sink = {0};
    leat_code code = leat_cdc_plan_readers(&context, &cdc, &source, error);
    if (code == LEAT_OK) code = leat_paimon_connector.plan_sink(&context, &table, &request, &sink, error);
    const char *name = leat_config_string(config, LEAT_OPTION_PIPELINE_NAME);
    self->job_name =
        name && *name ? leat_arena_strdup(self->arena, name)
                      : leat_arena_format(self->arena, "MySQL-Paimon Table Sync: %s.%s", self->database, self->table);
    if (code == LEAT_OK && !self->job_name) code = leat_fail_no_memory(error);
    leat_graph_parts parts = {
        .name = self->job_name, .config = config, .source = &source, .sink = &sink, .uid_prefix = "mysql-sync"};
    if (code == LEAT_OK) code = leat_graph_build(&context, &parts, graph, error);
    leat_bytes_done(&source.source.config);
    leat_bytes_done(&source.enumerator_config);
    for (int32_t s = 0; s < sink.stages_count; s++) {
        for (int32_t o = 0; o < sink.stages[s].operators_count; o++)
            leat_bytes_done(&sink.stages[s].operators[o].config);
        leat_bytes_done(&sink.stages[s].committer_config);
    }
    return code;
}

static leat_code make_job(sync *self, const leat_paimon_table *target, leat_bytes *graph, leat_error *error)
{
    leat_config config = {0}, options = {0};
    leat_code code = leat_config_merge(&config, self->job_config, error);
    if (code == LEAT_OK && leat_config_duration_ms(&config, LEAT_OPTION_CHECKPOINT_INTERVAL) <= 0) {
        code = leat_config_set(&config, leat_option_get_info(LEAT_OPTION_CHECKPOINT_INTERVAL)->key, "180 s", error);
    }
    if (code == LEAT_OK) code = leat_config_set(&options, "path", target->path, error);
    if (code == LEAT_OK) code = plan_job(self, target, &config, &options, graph, error);
    leat_config_done(&config);
    leat_config_done(&options);
    return code;
}

static leat_code run(sync *self, const leat_action_argument *arguments, size_t arguments_count, leat_bytes *graph,
                     leat_error *error)
{
    for (size_t i = 0; i < arguments_count; i++)
        LEAT_TRY(take_argument(self, &arguments[i], error));
    LEAT_TRY(require(self->warehouse, "warehouse", error));
    LEAT_TRY(require(self->database, "database", error));
    LEAT_TRY(require(self->table, "table", error));
    LEAT_TRY(check_mysql_conf(self, error));
    LEAT_TRY(read_source(self, error));
    leat_paimon_table target = {0};
    LEAT_TRY(open_target(self, &target, error));
    leat_code code = make_job(self, &target, graph, error);
    leat_paimon_table_done(&target);
    return code;
}

leat_code leat_mysql_sync_table(leat_env *env, const leat_config *config, const char *time_zone,
                                const leat_action_argument *arguments, size_t arguments_count, leat_arena *arena,
                                leat_bytes *graph, const char **job_name, leat_error *error)
{
    sync self = {.env = env,
                 .arena = arena,
                 .job_config = config,
                 .time_zone = time_zone,
                 .takes_source_keys = true,
                 .is_case_sensitive = true};
    leat_code code = run(&self, arguments, arguments_count, graph, error);
    leat_config_done(&self.mysql_conf);
    leat_config_done(&self.table_conf);
    leat_sync_columns_done(&self.columns);
    if (code == LEAT_OK) *job_name = self.job_name;
    return code == LEAT_OK ? code : leat_fail_in(error, code, "mysql_sync_table");
}
