#include <inttypes.h>
#include <mysql.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/memory.h"
#include "connectors/mysql/cdc_reader.h"

enum { SLICE_US = 100000, SLICE_ROWS = 4096, POLL_MS = 20, MAPS_MAX = 10000 };

/* --- which definition an event's rows have --- */

static int32_t find_table(const leat_cdc_reader *self, const char *database, size_t database_size, const char *name,
                          size_t name_size)
{
    for (int32_t i = 0; i < self->tables_count; i++) {
        const leat_mysql_table *table = &self->tables[i].definition;
        if (strlen(table->database) == database_size && memcmp(table->database, database, database_size) == 0 &&
            strlen(table->name) == name_size && memcmp(table->name, name, name_size) == 0) {
            return i;
        }
    }
    return -1;
}

static leat_cdc_map *find_map(leat_cdc_reader *self, uint64_t id)
{
    for (size_t i = 0; i < self->maps_count; i++) {
        if (self->maps[i].is_used && self->maps[i].map.id == id) return &self->maps[i];
    }
    return NULL;
}

static void forget_maps(leat_cdc_reader *self)
{
    for (size_t i = 0; i < self->maps_count; i++)
        self->maps[i].is_used = false;
}

/* The definition as the server has it now, if it still serves what is read. */
static leat_code describe_again(leat_cdc_reader *self, int32_t index, leat_error *error)
{
    MYSQL *mysql;
    leat_cdc_table *table = &self->tables[index], fresh;
    LEAT_TRY(leat_cdc_query_connection(self, &mysql, error));
    LEAT_TRY(leat_cdc_describe(self, mysql, table->definition.database, table->definition.name, &fresh, error));
    for (int32_t i = 0; i < fresh.definition.columns_count && !table->has_warned; i++) {
        const char *name = fresh.definition.columns[i].name;
        if (leat_mysql_table_find(&table->definition, name) >= 0) continue;
        leat_log(LEAT_LOG_WARN, "mysql-cdc", "table %s.%s has a new column '%s', which this job does not read",
                 fresh.definition.database, fresh.definition.name, name);
        table->has_warned = true;
    }
    fresh.has_warned = table->has_warned;
    leat_cdc_table_done(table);
    *table = fresh;
    forget_maps(self); /* the next TABLE_MAP is checked against it */
    return LEAT_OK;
}

/* Rows from before columns were added at the end have fewer. */
static bool agrees(const leat_cdc_table *table, const leat_binlog_table *map, char *why, size_t why_size)
{
    leat_mysql_table shown = table->definition;
    if (map->columns_count < shown.columns_count) {
        for (int32_t i = map->columns_count; i < shown.columns_count; i++) {
            if (table->targets[i] >= 0) return leat_mysql_table_agrees(&table->definition, map, why, why_size);
        }
        shown.columns_count = map->columns_count;
    }
    return leat_mysql_table_agrees(&shown, map, why, why_size);
}

static leat_code shape_differs(const leat_cdc_reader *self, int32_t index, const char *why, leat_error *error)
{
    const leat_mysql_table *table = &self->tables[index].definition;
    leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "table %s.%s was altered at binlog %s:%" PRIu64 ": %s",
                               table->database, table->name, self->safe.file, self->safe.position, why);
    leat_fail_hint(error, "start the job again without its state: it then reads the table as it is now");
    return code;
}

static leat_code on_table_map(leat_cdc_reader *self, const leat_binlog_event *event, leat_error *error)
{
    leat_binlog_table seen = {0};
    leat_code code = leat_binlog_table_read(&self->dump.format, event, &seen, error);
    if (code != LEAT_OK) {
        leat_binlog_table_done(&seen);
        return code;
    }
    leat_cdc_map *map = find_map(self, seen.id);
    if (map) map->is_used = false;
    int32_t index = find_table(self, seen.database, seen.database_size, seen.name, seen.name_size);
    char why[256];
    if (index >= 0 && !agrees(&self->tables[index], &seen, why, sizeof why)) {
        code = describe_again(self, index, error); /* an ALTER that came before what is read */
        if (code == LEAT_OK && !agrees(&self->tables[index], &seen, why, sizeof why)) {
            code = shape_differs(self, index, why, error);
        }
    }
    for (size_t i = 0; index >= 0 && !map && i < self->maps_count; i++)
        if (!self->maps[i].is_used) map = &self->maps[i];
    if (code == LEAT_OK && index >= 0 && !map) {
        if (self->maps_count == MAPS_MAX)
            code = leat_fail(error, LEAT_LIMIT, "more than %d table ids", MAPS_MAX);
        else
            code = leat_grow(&self->maps, &self->maps_capacity, self->maps_count + 1, sizeof *self->maps, error);
        if (code == LEAT_OK) {
            map = &self->maps[self->maps_count++];
            *map = (leat_cdc_map){0};
        }
    }
    if (code != LEAT_OK || index < 0) {
        leat_binlog_table_done(&seen);
        return code;
    }
    leat_binlog_table_done(&map->map);
    *map = (leat_cdc_map){.map = seen, .table = index, .is_used = true};
    return LEAT_OK;
}

/* --- transactions --- */

static void end_segments(leat_cdc_reader *self)
{
    for (size_t i = 0; !self->knows_newest && i < self->segments_count; i++) {
        const leat_binlog_position *high = &self->segments[i].high;
        if (i == 0 || leat_binlog_position_compare(high, &self->newest) > 0) self->newest = *high;
    }
    self->knows_newest = true;
    if (leat_binlog_position_compare(&self->safe, &self->newest) >= 0) leat_cdc_forget_segments(self);
}

/* Between transactions: a dump may start here. */
static void rest_here(leat_cdc_reader *self)
{
    if (leat_binlog_position_compare(&self->safe, &self->dump.position) == 0) return;
    self->safe = self->dump.position;
    self->has_moved = true;
    if (self->segments_count) end_segments(self);
}

static leat_code end_transaction(leat_cdc_reader *self, leat_error *error)
{
    if (self->rows_to_skip) {
        return leat_fail(error, LEAT_CORRUPT,
                         "the transaction at binlog %s:%" PRIu64 " has fewer changes than when it was read before",
                         self->safe.file, self->safe.position);
    }
    self->is_in_transaction = self->is_xa = false;
    self->rows_done = 0;
    rest_here(self);
    return LEAT_OK;
}

static leat_code refuse(const leat_cdc_reader *self, const leat_mysql_table *table, const char *what, const char *hint,
                        leat_error *error)
{
    leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "%s%s%s%s%s, at binlog %s:%" PRIu64, what,
                               table ? ", of table " : "", table ? table->database : "", table ? "." : "",
                               table ? table->name : "", self->safe.file, self->safe.position);
    leat_fail_hint(error, "%s", hint);
    return code;
}

static leat_code on_rows(leat_cdc_reader *self, const leat_binlog_event *event, leat_error *error)
{
    leat_binlog_rows rows;
    LEAT_TRY(leat_binlog_rows_read(&self->dump.format, event, &self->inflated, &rows, error));
    leat_cdc_map *map = find_map(self, rows.table_id);
    if (!map) return LEAT_OK; /* not captured */
    if (self->is_xa) {
        return refuse(self, &self->tables[map->table].definition, "changes inside an XA transaction",
                      "use plain transactions for captured tables", error);
    }
    if (rows.columns_count != map->map.columns_count) {
        return leat_fail(error, LEAT_CORRUPT, "rows of %d columns behind a TABLE_MAP of %d", rows.columns_count,
                         map->map.columns_count);
    }
    bool is_too_old =
        self->config.startup == LEAT_CDC_TIMESTAMP && (int64_t)event->timestamp_s * 1000 < self->config.startup_ms;
    return leat_cdc_put_changes(self, map, &rows, is_too_old, error);
}

/* Transactions don't reach from one file into the next, unless the server died while it wrote one. That one never
 * happened. */
static leat_code check_cut_off(leat_cdc_reader *self, leat_error *error)
{
    if (self->rows_done == 0 && self->rows_to_skip == 0) return LEAT_OK;
    leat_code code = leat_fail(error, LEAT_CORRUPT,
                               "the server died while it wrote the transaction at binlog %s:%" PRIu64
                               ", of which %" PRIu64 " changes were already read",
                               self->safe.file, self->safe.position, self->rows_done + self->rows_to_skip);
    leat_fail_hint(error, "start the job again without its state: it then reads the table as it is now");
    return code;
}

static leat_code on_format(leat_cdc_reader *self, const leat_binlog_event *event, leat_error *error)
{
    forget_maps(self);
    if (!self->is_in_transaction || event->flags & LEAT_BINLOG_FLAG_ARTIFICIAL) return LEAT_OK;
    LEAT_TRY(check_cut_off(self, error));
    self->is_in_transaction = self->is_xa = false;
    return LEAT_OK;
}

/* --- QUERY --- */

static leat_code on_ddl(leat_cdc_reader *self, const leat_binlog_query *query, const leat_ddl *ddl, leat_error *error)
{
    for (int i = 0; i < ddl->names_count; i++) {
        const leat_ddl_name *name = &ddl->names[i];
        int32_t index = find_table(self, name->database, strlen(name->database), name->table, strlen(name->table));
        if (index < 0) continue;
        const leat_mysql_table *table = &self->tables[index].definition;
        switch (ddl->kind) {
        case LEAT_DDL_RENAME:
            return refuse(self, table, "a captured table was renamed, or another was given its name",
                          "start the job again without its state: it then reads the table as it is now", error);
        case LEAT_DDL_TRUNCATE:
        case LEAT_DDL_DROP:
            leat_log(LEAT_LOG_WARN, "mysql-cdc", "'%.*s': rows that went with it are not deleted downstream",
                     (int)(query->sql_size < 200 ? query->sql_size : 200), query->sql);
            break;
        case LEAT_DDL_ALTER:
        case LEAT_DDL_CREATE: {
            leat_error why = {0};
            leat_code code = describe_again(self, index, &why);
            if (code == LEAT_NOT_FOUND) break; /* dropped since: what is still read of it has the old shape */
            if (code == LEAT_OK) break;
            if (error) *error = why;
            return leat_fail_in(error, code, "after '%.*s'", (int)(query->sql_size < 200 ? query->sql_size : 200),
                                query->sql);
        }
        default: break;
        }
    }
    return LEAT_OK;
}

static leat_code on_statement_dml(leat_cdc_reader *self, const leat_binlog_query *query, leat_error *error)
{
    for (int32_t i = 0; i < self->tables_count; i++) {
        const leat_mysql_table *table = &self->tables[i].definition;
        if (!leat_ddl_mentions(query, table->name)) continue;
        return refuse(self, table, "a change logged as a statement, not as rows",
                      "mysql-cdc needs binlog_format=ROW, in every session", error);
    }
    return LEAT_OK;
}

static leat_code on_query(leat_cdc_reader *self, const leat_binlog_event *event, leat_error *error)
{
    leat_binlog_query query;
    leat_ddl ddl;
    LEAT_TRY(leat_binlog_query_read(event, &self->inflated, &query, error));
    leat_ddl_read(&query, &ddl);
    switch (ddl.kind) {
    case LEAT_DDL_BEGIN: self->is_in_transaction = true; return LEAT_OK;
    case LEAT_DDL_SAVEPOINT: return LEAT_OK;
    case LEAT_DDL_COMMIT: return end_transaction(self, error);
    case LEAT_DDL_DML: return on_statement_dml(self, &query, error);
    case LEAT_DDL_XA:
        if (leat_ddl_mentions(&query, "START") || leat_ddl_mentions(&query, "BEGIN")) {
            self->is_in_transaction = self->is_xa = true;
            return LEAT_OK;
        }
        return leat_ddl_mentions(&query, "END") ? LEAT_OK : end_transaction(self, error);
    default: break;
    }
    LEAT_TRY(on_ddl(self, &query, &ddl, error));
    return end_transaction(self, error);
}

/* --- events --- */

static leat_code handle(leat_cdc_reader *self, const leat_binlog_event *event, leat_error *error)
{
    if (leat_binlog_is_rows(event->type)) return on_rows(self, event, error);
    switch (event->type) {
    case LEAT_BINLOG_FORMAT_DESCRIPTION: LEAT_TRY(on_format(self, event, error)); break;
    case LEAT_BINLOG_MARIADB_GTID:
        self->is_in_transaction = true;
        self->is_xa = event->body_size > 12 && (event->body[12] & 0x40) != 0;
        return LEAT_OK;
    case LEAT_BINLOG_GTID:
    case LEAT_BINLOG_ANONYMOUS_GTID:
    case LEAT_BINLOG_GTID_TAGGED: self->is_in_transaction = true; return LEAT_OK;
    case LEAT_BINLOG_QUERY:
    case LEAT_BINLOG_QUERY_COMPRESSED: return on_query(self, event, error);
    case LEAT_BINLOG_XID:
    case LEAT_BINLOG_XA_PREPARE: return end_transaction(self, error);
    case LEAT_BINLOG_TABLE_MAP: return on_table_map(self, event, error);
    case LEAT_BINLOG_PARTIAL_UPDATE:
        return refuse(self, NULL, "partial updates of JSON columns are not there yet",
                      "set binlog_row_value_options=''", error);
    case LEAT_BINLOG_WRITE_V0:
    case LEAT_BINLOG_UPDATE_V0:
    case LEAT_BINLOG_DELETE_V0:
        return refuse(self, NULL, "row events from before MySQL 5.1.17", "use a newer server", error);
    case LEAT_BINLOG_INCIDENT:
        return leat_fail(error, LEAT_CORRUPT, "the server says that events are missing in binlog %s:%" PRIu64,
                         self->safe.file, self->safe.position);
    default: break;
    }
    if (!self->is_in_transaction) rest_here(self);
    return LEAT_OK;
}

static leat_code connect(leat_cdc_reader *self, leat_error *error)
{
    if (self->dump.mysql) return LEAT_OK;
    forget_maps(self);
    self->is_in_transaction = self->is_xa = false;
    LEAT_TRY(leat_binlog_dump_open(&self->config.address, self->server_id, self->config.heartbeat_ms, &self->safe,
                                   &self->dump, error));
    self->dump.last_packet_us = leat_env_mono_us(self->env);
    return LEAT_OK;
}

/* A server that is killed may leave half an event at its file's end; the log goes on in the next file. */
static leat_code pass_truncated(leat_cdc_reader *self, leat_error *error)
{
    MYSQL *mysql;
    leat_binlog_position next;
    LEAT_TRY(check_cut_off(self, error));
    LEAT_TRY(leat_cdc_query_connection(self, &mysql, error));
    LEAT_TRY(leat_binlog_next_file(mysql, &self->dump.position, &next, error));
    leat_log(LEAT_LOG_WARN, "mysql-cdc", "binlog %s ends within an event: its server was killed; goes on with %s",
             self->dump.position.file, next.file);
    leat_binlog_dump_close(&self->dump);
    self->safe = next;
    self->has_moved = true;
    return LEAT_OK;
}

static leat_code next_event(leat_cdc_reader *self, int wait_ms, leat_binlog_event *out, bool *has_event,
                            leat_error *error)
{
    leat_error why = {0};
    leat_code code = leat_binlog_dump_next(&self->dump, wait_ms, out, has_event, &why);
    if (code == LEAT_OK) return LEAT_OK;
    if (self->dump.is_truncated) return pass_truncated(self, error);
    if (error) *error = why;
    return code;
}

leat_code leat_cdc_stream_step(leat_cdc_reader *self, bool *is_idle, bool *is_done, leat_error *error)
{
    *is_idle = *is_done = false;
    bool is_bounded = self->config.startup == LEAT_CDC_SNAPSHOT;
    if (self->segments_count) end_segments(self);
    if (is_bounded && self->segments_count == 0) {
        *is_done = true;
        return LEAT_OK;
    }
    LEAT_TRY(connect(self, error));
    int64_t until_us = leat_env_mono_us(self->env) + SLICE_US;
    bool is_first = true;
    while (self->builder.rows < SLICE_ROWS && leat_env_mono_us(self->env) < until_us) {
        leat_binlog_event event;
        bool has_event;
        LEAT_TRY(next_event(self, is_first ? POLL_MS : 0, &event, &has_event, error));
        if (!has_event) {
            *is_idle = true;
            break;
        }
        is_first = false;
        self->dump.last_packet_us = leat_env_mono_us(self->env);
        LEAT_TRY(handle(self, &event, error));
    }
    int64_t silent_ms = (leat_env_mono_us(self->env) - self->dump.last_packet_us) / 1000;
    if (silent_ms > 3 * self->config.heartbeat_ms) {
        return leat_fail(error, LEAT_TIMEOUT, "no heartbeat from the MySQL server for %" PRId64 " ms", silent_ms);
    }
    bool is_worth_it = self->builder.rows || self->has_moved;
    return is_worth_it ? leat_cdc_push(self, error) : LEAT_OK;
}
