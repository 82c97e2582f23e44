#include <inttypes.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/memory.h"
#include "connectors/mysql/cdc_reader.h"
#include "connectors/mysql/result.h"

/* A view keeps the server from forgetting old row versions, and others from altering the table. */
enum { VIEW_US = 60 * 1000000, BATCH_BYTES = 4 << 20 };

/* --- views --- */

void leat_cdc_close_view(leat_cdc_reader *self)
{
    if (self->has_view && self->query) (void)mysql_rollback(self->query); /* it only read */
    self->has_view = false;
    self->is_open = false;
}

/* MariaDB knows the exact position of a consistent view. */
static leat_code mariadb_position(leat_cdc_reader *self, leat_error *error)
{
    MYSQL_RES *result;
    LEAT_TRY(leat_mysql_query(self->query, "SHOW STATUS LIKE 'binlog_snapshot_%'", "ask for the view's position",
                              &result, error));
    self->view = (leat_binlog_position){0};
    for (MYSQL_ROW row; (row = mysql_fetch_row(result));) {
        if (strcasecmp(row[0], "Binlog_snapshot_file") == 0) {
            snprintf(self->view.file, sizeof self->view.file, "%s", row[1]);
        } else if (strcasecmp(row[0], "Binlog_snapshot_position") == 0) {
            self->view.position = strtoull(row[1], NULL, 10);
        }
    }
    mysql_free_result(result);
    if (self->view.file[0]) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID, "the server does not say the binlog position of a consistent view");
}

static leat_code open_view(leat_cdc_reader *self, leat_error *error)
{
    MYSQL *mysql = self->query;
    bool is_mariadb = leat_mysql_is_mariadb(mysql);
    const char *what = "open a consistent view";
    LEAT_TRY(leat_mysql_run(mysql, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", what, error));
    /* MySQL does not: for a moment, nobody may commit. */
    if (!is_mariadb) LEAT_TRY(leat_mysql_run(mysql, "FLUSH TABLES WITH READ LOCK", what, error));
    LEAT_TRY(leat_mysql_run(mysql, "START TRANSACTION WITH CONSISTENT SNAPSHOT", what, error));
    self->has_view = true;
    if (is_mariadb) {
        LEAT_TRY(mariadb_position(self, error));
    } else {
        LEAT_TRY(leat_binlog_newest(mysql, &self->view, error));
        LEAT_TRY(leat_mysql_run(mysql, "UNLOCK TABLES", what, error));
    }
    self->is_open = false;
    self->view_since_us = leat_env_mono_us(self->env);
    return LEAT_OK;
}

static leat_code ensure_view(leat_cdc_reader *self, leat_error *error)
{
    MYSQL *mysql;
    LEAT_TRY(leat_cdc_query_connection(self, &mysql, error));
    if (self->has_view && leat_env_mono_us(self->env) - self->view_since_us < VIEW_US) return LEAT_OK;
    leat_cdc_close_view(self);
    return open_view(self, error);
}

/* --- segments --- */

static leat_cdc_segment *last_segment(leat_cdc_reader *self)
{
    leat_cdc_segment *last = self->segments_count ? &self->segments[self->segments_count - 1] : NULL;
    return last && last->table == self->at_table ? last : NULL;
}

/* Everything up to `upper` (NULL: all the rest) is now read. */
static leat_code extend_segment(leat_cdc_reader *self, const char *upper, leat_error *error)
{
    char *copy = upper ? leat_strdup(upper) : NULL;
    if (upper && !copy) return leat_fail_no_memory(error);
    if (!self->is_open) {
        const leat_cdc_segment segment = {.table = self->at_table, .high = self->view};
        leat_code code = leat_cdc_add_segment(self, &segment, error);
        if (code != LEAT_OK) {
            leat_free(copy);
            return code;
        }
        self->is_open = true;
    }
    leat_cdc_segment *segment = &self->segments[self->segments_count - 1];
    leat_free(segment->upper);
    segment->upper = copy;
    return LEAT_OK;
}

/* --- chunks --- */

/* The i-th of a list of literals as leat_cdc_put_key_literal made them: separated by ", " outside of quotes. */
static const char *literal_at(const char *list, int32_t index, size_t *size)
{
    bool is_quoted = false;
    const char *start = list, *at = list;
    for (; *at; at++) {
        if (*at == '\'') is_quoted = !is_quoted;
        if (*at != ',' || is_quoted) continue;
        if (index-- == 0) break;
        start = at + 2;
    }
    *size = (size_t)(at - start);
    return start;
}

/* Keys behind the given: k1 > a OR (k1 = a AND k2 > b) … */
static void put_behind(const leat_mysql_table *table, const char *key, leat_bytes *sql)
{
    for (int32_t last = 0; last < table->primary_key_count; last++) {
        leat_bytes_text(sql, last ? " OR (" : "((");
        for (int32_t i = 0; i <= last; i++) {
            size_t size;
            const char *literal = literal_at(key, i, &size);
            if (i) leat_bytes_text(sql, " AND ");
            leat_mysql_put_name(sql, table->columns[table->primary_key[i]].name);
            leat_bytes_format(sql, i == last ? " > %.*s" : " = %.*s", (int)size, literal);
        }
        leat_bytes_text(sql, ")");
    }
    leat_bytes_text(sql, ")");
}

/* A bound of the key's first column, which the index is used for. */
static void put_first(const leat_mysql_table *table, const char *operation, const char *key, leat_bytes *sql)
{
    size_t size;
    const char *literal = literal_at(key, 0, &size);
    leat_mysql_put_name(sql, table->columns[table->primary_key[0]].name);
    leat_bytes_format(sql, " %s %.*s", operation, (int)size, literal);
}

/* Rows behind `lower` up to `upper`; NULL: all. */
static void put_range(const leat_mysql_table *table, const char *lower, const char *upper, leat_bytes *sql)
{
    if (lower || upper) leat_bytes_text(sql, " WHERE ");
    if (lower) {
        put_first(table, ">=", lower, sql);
        leat_bytes_text(sql, " AND ");
        put_behind(table, lower, sql);
    }
    if (lower && upper) leat_bytes_text(sql, " AND ");
    if (upper) {
        put_first(table, "<=", upper, sql);
        leat_bytes_text(sql, " AND NOT ");
        put_behind(table, upper, sql);
    }
}

static void put_source(const leat_mysql_table *table, leat_bytes *sql)
{
    leat_bytes_text(sql, " FROM ");
    leat_mysql_put_name(sql, table->database);
    leat_bytes_text(sql, ".");
    leat_mysql_put_name(sql, table->name);
}

static void put_order(const leat_mysql_table *table, leat_bytes *sql)
{
    leat_bytes_text(sql, " ORDER BY ");
    for (int32_t i = 0; i < table->primary_key_count; i++) {
        if (i) leat_bytes_text(sql, ", ");
        leat_mysql_put_name(sql, table->columns[table->primary_key[i]].name);
    }
}

static void put_key(const leat_mysql_table *table, leat_bytes *sql)
{
    for (int32_t i = 0; i < table->primary_key_count; i++) {
        if (i) leat_bytes_text(sql, ", ");
        leat_cdc_put_key_expression(&table->columns[table->primary_key[i]], sql);
    }
}

static void put_column(const leat_mysql_column *column, leat_bytes *sql)
{
    leat_mysql_put_name(sql, column->name);
    if (column->kind == LEAT_MYSQL_FLOAT) leat_bytes_text(sql, "+0E0"); /* as text it would be cut to six digits */
}

/* SELECT wanted columns, then key columns, of the next chunk. */
static void put_select(const leat_cdc_reader *self, const leat_cdc_table *table, const char *lower, leat_bytes *sql)
{
    const leat_mysql_table *definition = &table->definition;
    leat_bytes_text(sql, "SELECT ");
    for (int32_t i = 0; i < definition->columns_count; i++) {
        if (table->targets[i] < 0) continue;
        put_column(&definition->columns[i], sql);
        leat_bytes_text(sql, ", ");
    }
    put_key(definition, sql);
    put_source(definition, sql);
    put_range(definition, lower, self->part.upper, sql);
    put_order(definition, sql);
    leat_bytes_format(sql, " LIMIT %" PRId64, self->config.chunk_rows);
}

static leat_code put_row(leat_cdc_reader *self, const leat_cdc_table *table, MYSQL_RES *result, MYSQL_ROW row,
                         leat_error *error)
{
    const unsigned long *lengths = mysql_fetch_lengths(result);
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    LEAT_TRY(leat_batch_builder_begin_row(&self->builder, LEAT_ROW_INSERT, error));
    for (int32_t i = 0, at = 0; i < table->definition.columns_count; i++) {
        if (table->targets[i] < 0) continue;
        leat_mysql_cell cell;
        LEAT_TRY(leat_mysql_result_cell(&fields[at], row[at], lengths[at], &cell, error));
        if (table->definition.columns[i].kind == LEAT_MYSQL_FLOAT) cell.scale = 4; /* printed as one: value.h */
        /* Not refined: the server answers in UTF-8, names and whole lengths. */
        LEAT_TRY(leat_cdc_put(self, table, i, &cell, error));
        at++;
    }
    return LEAT_OK;
}

/* The row's key as literals, into self->key. */
static leat_code make_key(leat_cdc_reader *self, const leat_cdc_table *table, MYSQL_RES *result, MYSQL_ROW row,
                          leat_error *error)
{
    const unsigned long *lengths = mysql_fetch_lengths(result);
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    const leat_mysql_table *definition = &table->definition;
    int32_t first = (int32_t)mysql_num_fields(result) - definition->primary_key_count;
    leat_bytes_reset(&self->key);
    for (int32_t i = 0; i < definition->primary_key_count; i++) {
        leat_mysql_cell cell;
        LEAT_TRY(leat_mysql_result_cell(&fields[first + i], row[first + i], lengths[first + i], &cell, error));
        if (i) leat_bytes_text(&self->key, ", ");
        LEAT_TRY(leat_cdc_put_key_literal(&definition->columns[definition->primary_key[i]], &cell, &self->key, error));
    }
    leat_bytes_put_u8(&self->key, 0);
    return leat_bytes_check(&self->key, error);
}

static leat_code take_rows(leat_cdc_reader *self, MYSQL_RES *result, leat_error *error)
{
    const leat_cdc_table *table = &self->tables[self->at_table];
    uint64_t rows = mysql_num_rows(result);
    bool is_last = rows < (uint64_t)self->config.chunk_rows;
    for (uint64_t i = 0; i < rows; i++) {
        MYSQL_ROW row = mysql_fetch_row(result);
        leat_code code = put_row(self, table, result, row, error);
        if (code != LEAT_OK) {
            (void)!make_key(self, table, result, row, NULL);
            return leat_fail_in(error, code, "table %s.%s, row with key %s", table->definition.database,
                                table->definition.name, self->key.data ? (const char *)self->key.data : "");
        }
        bool is_full =
            leat_batch_builder_is_full(&self->builder) || leat_batch_builder_bytes(&self->builder) > BATCH_BYTES;
        if (!is_full && i + 1 < rows) continue;
        if (i + 1 == rows && is_last) break; /* goes out with the end of the table */
        LEAT_TRY(make_key(self, table, result, row, error));
        LEAT_TRY(extend_segment(self, (const char *)self->key.data, error));
        LEAT_TRY(leat_cdc_push(self, error));
    }
    if (!is_last) return LEAT_OK;
    LEAT_TRY(extend_segment(self, self->part.upper, error));
    self->at_table++;
    self->is_open = false;
    return leat_cdc_push(self, error);
}

static leat_code read_chunk(leat_cdc_reader *self, leat_error *error)
{
    const leat_cdc_table *table = &self->tables[self->at_table];
    const leat_cdc_segment *before = last_segment(self);
    leat_bytes sql = {0};
    put_select(self, table, before ? before->upper : self->part.lower, &sql);
    leat_bytes_put_u8(&sql, 0);
    leat_code code = leat_bytes_check(&sql, error);
    MYSQL_RES *result = NULL;
    char what[256];
    snprintf(what, sizeof what, "read a chunk of %.100s.%.100s", table->definition.database, table->definition.name);
    if (code == LEAT_OK) code = leat_mysql_query(self->query, (const char *)sql.data, what, &result, error);
    leat_bytes_done(&sql);
    if (code != LEAT_OK && mysql_errno(self->query) == ER_TABLE_DEF_CHANGED)
        code = LEAT_UNAVAILABLE; /* a new view will do */
    if (code != LEAT_OK) return code;
    code = take_rows(self, result, error);
    mysql_free_result(result);
    return code;
}

leat_code leat_cdc_find_bound(leat_cdc_reader *self, const char *lower, int64_t rows, char **out, leat_error *error)
{
    MYSQL *mysql;
    MYSQL_RES *result = NULL;
    const leat_cdc_table *table = &self->tables[self->at_table];
    *out = NULL;
    LEAT_TRY(leat_cdc_query_connection(self, &mysql, error));
    leat_bytes sql = {0};
    leat_bytes_text(&sql, "SELECT ");
    put_key(&table->definition, &sql);
    put_source(&table->definition, &sql);
    put_range(&table->definition, lower, NULL, &sql);
    put_order(&table->definition, &sql);
    leat_bytes_format(&sql, " LIMIT 1 OFFSET %" PRId64, rows - 1);
    leat_code code = leat_bytes_check(&sql, error);
    if (code == LEAT_OK) code = leat_mysql_query(mysql, (const char *)sql.data, "cut a table in parts", &result, error);
    leat_bytes_done(&sql);
    if (code != LEAT_OK) return code;
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row) {
        code = make_key(self, table, result, row, error);
        if (code == LEAT_OK) *out = leat_strdup((const char *)self->key.data);
        if (code == LEAT_OK && !*out) code = leat_fail_no_memory(error);
    }
    mysql_free_result(result);
    return code;
}

void leat_cdc_begin_stream(leat_cdc_reader *self)
{
    self->safe = self->segments[0].high;
    for (size_t i = 1; i < self->segments_count; i++) {
        if (leat_binlog_position_compare(&self->segments[i].high, &self->safe) < 0) self->safe = self->segments[i].high;
    }
    self->phase = LEAT_CDC_PHASE_STREAM;
    leat_log(LEAT_LOG_INFO, "mysql-cdc", "the snapshot of %d tables is read; the binlog follows from %s:%" PRIu64,
             self->tables_count, self->safe.file, self->safe.position);
}

leat_code leat_cdc_snapshot_step(leat_cdc_reader *self, bool *is_done, leat_error *error)
{
    if (self->at_table < self->tables_count) {
        LEAT_TRY(ensure_view(self, error));
        LEAT_TRY(read_chunk(self, error));
    }
    *is_done = self->at_table == self->tables_count;
    if (!*is_done || self->part.is_set) return LEAT_OK; /* the next part may be read in the same view */
    leat_cdc_close_view(self);
    leat_cdc_begin_stream(self);
    return leat_cdc_push(self, error);
}
