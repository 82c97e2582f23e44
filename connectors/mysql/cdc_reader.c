#include "connectors/mysql/cdc_reader.h"

#include <inttypes.h>
#include <mysql.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"

enum {
    STATE_VERSION = 2,
    TABLE_BYTES_MAX = 4 << 20,
    BATCH_ROWS = LEAT_BATCH_ROWS_MAX,
    FAILURES_MAX = 20,
    IDLE_MS = 20
};

void leat_cdc_item_free(leat_cdc_item *item)
{
    if (!item) return;
    leat_batch_free(item->batch);
    leat_bytes_done(&item->state);
    leat_free(item);
}

void leat_cdc_table_done(leat_cdc_table *table)
{
    leat_arena_done(&table->arena);
    *table = (leat_cdc_table){0};
}

/* --- tables --- */

static leat_code wrong_column(const leat_mysql_table *table, const char *column, const char *why, leat_error *error)
{
    return leat_fail(error, LEAT_INVALID, "table %s.%s, column '%s': %s", table->database, table->name, column, why);
}

static leat_code bind_columns(const leat_cdc_config *config, leat_cdc_table *table, leat_error *error)
{
    const leat_mysql_table *definition = &table->definition;
    table->targets = leat_arena_take(&table->arena, (size_t)(definition->columns_count + 1) * sizeof *table->targets);
    if (!table->targets) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < definition->columns_count; i++)
        table->targets[i] = -1;
    for (int32_t i = 0; i < config->schema.fields_count; i++) {
        const leat_field *field = &config->schema.fields[i];
        int32_t at = leat_mysql_table_find(definition, field->name);
        char why[256];
        if (at < 0 && config->allows_missing && field->type.nullable) continue;
        if (at < 0) return wrong_column(definition, field->name, "MySQL has no such column", error);
        if (!leat_mysql_column_fits(&definition->columns[at], &field->type, why, sizeof why)) {
            return wrong_column(definition, field->name, why, error);
        }
        table->targets[at] = i;
    }
    return LEAT_OK;
}

leat_code leat_cdc_describe(leat_cdc_reader *self, MYSQL *mysql, const char *database, const char *name,
                            leat_cdc_table *out, leat_error *error)
{
    leat_cdc_table table = {0};
    leat_arena_init(&table.arena, TABLE_BYTES_MAX);
    leat_code code = leat_mysql_table_describe(mysql, database, name, &table.arena, &table.definition, error);
    if (code == LEAT_OK) code = bind_columns(&self->config, &table, error);
    if (code == LEAT_OK)
        *out = table;
    else
        leat_cdc_table_done(&table);
    return code;
}

static leat_code no_primary_key(const leat_mysql_table *table, leat_error *error)
{
    leat_code code = leat_fail(error, LEAT_INVALID,
                               "'scan.incremental.snapshot.chunk.key-column' is required for table without primary key "
                               "when 'scan.incremental.snapshot.enabled' enabled. (%s.%s)",
                               table->database, table->name);
    leat_fail_hint(error, "give the table a primary key; chunks along other columns are not there yet");
    return code;
}

static leat_code check_key(const leat_mysql_table *table, leat_error *error)
{
    if (table->primary_key_count == 0) return no_primary_key(table, error);
    if (table->primary_key_count > LEAT_CDC_KEY_COLUMNS_MAX) {
        return leat_fail(error, LEAT_LIMIT, "table %s.%s: a primary key of more than %d columns", table->database,
                         table->name, LEAT_CDC_KEY_COLUMNS_MAX);
    }
    for (int32_t i = 0; i < table->primary_key_count; i++) {
        const leat_mysql_column *column = &table->columns[table->primary_key[i]];
        switch (column->kind) {
        case LEAT_MYSQL_FLOAT:
        case LEAT_MYSQL_DOUBLE:
        case LEAT_MYSQL_BIT:
        case LEAT_MYSQL_JSON:
        case LEAT_MYSQL_OTHER:
            return leat_fail(error, LEAT_UNSUPPORTED, "table %s.%s: a snapshot along the primary key column '%s' (%s)",
                             table->database, table->name, column->name, column->type_text);
        default: break;
        }
    }
    return LEAT_OK;
}

/* Rows that InnoDB changes by itself are not in the log. */
static void warn_of_cascades(MYSQL *mysql, const leat_mysql_table *table)
{
    leat_bytes sql = {0};
    leat_bytes_text(&sql, "SELECT CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE "
                          "(DELETE_RULE IN ('CASCADE', 'SET NULL') OR UPDATE_RULE IN ('CASCADE', 'SET NULL')) AND "
                          "CONSTRAINT_SCHEMA = ");
    leat_mysql_put_text(&sql, table->database, strlen(table->database));
    leat_bytes_text(&sql, " AND TABLE_NAME = ");
    leat_mysql_put_text(&sql, table->name, strlen(table->name));
    leat_bytes_put_u8(&sql, 0);
    char name[128];
    if (!sql.failed && leat_mysql_query_text(mysql, (const char *)sql.data, "look for foreign keys", name, sizeof name,
                                             NULL) == LEAT_OK) {
        leat_log(LEAT_LOG_WARN, "mysql-cdc",
                 "foreign key '%s' changes rows of %s.%s without a trace in the binlog: such "
                 "changes will be missing",
                 name, table->database, table->name);
    }
    leat_bytes_done(&sql);
}

static leat_code find_tables(leat_cdc_reader *self, leat_error *error)
{
    MYSQL *mysql;
    LEAT_TRY(leat_cdc_query_connection(self, &mysql, error));
    LEAT_TRY(leat_binlog_check_server(mysql, error));
    leat_arena arena;
    leat_arena_init(&arena, 16 << 20);
    leat_mysql_table_name *names;
    int32_t count;
    leat_code code = leat_mysql_list_tables(mysql, self->config.database_pattern, self->config.table_pattern, &arena,
                                            &names, &count, error);
    if (code == LEAT_OK) {
        self->tables = leat_calloc((size_t)count, sizeof *self->tables);
        if (!self->tables) code = leat_fail_no_memory(error);
    }
    bool has_snapshot = self->config.startup <= LEAT_CDC_SNAPSHOT;
    for (int32_t i = 0; code == LEAT_OK && i < count; i++) {
        leat_cdc_table *table = &self->tables[i];
        code = leat_cdc_describe(self, mysql, names[i].database, names[i].name, table, error);
        if (code != LEAT_OK) break;
        self->tables_count++;
        if (has_snapshot) code = check_key(&table->definition, error);
        if (code == LEAT_OK) warn_of_cascades(mysql, &table->definition);
    }
    leat_arena_done(&arena);
    return code;
}

static void forget_tables(leat_cdc_reader *self)
{
    for (int32_t i = 0; i < self->tables_count; i++)
        leat_cdc_table_done(&self->tables[i]);
    leat_free(self->tables);
    self->tables = NULL;
    self->tables_count = 0;
}

leat_code leat_cdc_begin(leat_cdc_reader *self, leat_error *error)
{
    forget_tables(self); /* an attempt may have failed half-way */
    LEAT_TRY(find_tables(self, error));
    switch (self->config.startup) {
    case LEAT_CDC_INITIAL:
    case LEAT_CDC_SNAPSHOT: self->phase = LEAT_CDC_PHASE_SNAPSHOT; return LEAT_OK;
    case LEAT_CDC_LATEST: LEAT_TRY(leat_binlog_newest(self->query, &self->safe, error)); break;
    case LEAT_CDC_EARLIEST:
    case LEAT_CDC_TIMESTAMP: LEAT_TRY(leat_binlog_oldest(self->query, &self->safe, error)); break;
    case LEAT_CDC_SPECIFIC: self->safe = self->config.startup_position; break;
    }
    self->phase = LEAT_CDC_PHASE_STREAM;
    return leat_cdc_push(self, error); /* where it began belongs into the first checkpoint */
}

/* --- state --- */

void leat_cdc_forget_segments(leat_cdc_reader *self)
{
    for (size_t i = 0; i < self->segments_count; i++)
        leat_free(self->segments[i].upper);
    self->segments_count = 0;
    self->knows_newest = false;
}

leat_code leat_cdc_add_segment(leat_cdc_reader *self, const leat_cdc_segment *segment, leat_error *error)
{
    LEAT_TRY(
        leat_grow(&self->segments, &self->segments_capacity, self->segments_count + 1, sizeof *self->segments, error));
    leat_cdc_segment *added = &self->segments[self->segments_count];
    *added = *segment;
    added->upper = segment->upper ? leat_strdup(segment->upper) : NULL;
    if (segment->upper && !added->upper) return leat_fail_no_memory(error);
    self->segments_count++;
    return LEAT_OK;
}

static void forget_part(leat_cdc_reader *self)
{
    leat_free(self->part.lower);
    leat_free(self->part.upper);
    self->part = (leat_cdc_part){0};
}

static leat_code read_bound(leat_reader *reader, char **out, leat_error *error)
{
    size_t size;
    if (!leat_reader_u8(reader)) return LEAT_OK;
    const uint8_t *text = leat_reader_block(reader, &size);
    if (reader->failed) return LEAT_OK; /* told by the last check */
    *out = leat_strndup((const char *)text, size);
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

static void put_position(const leat_binlog_position *position, leat_bytes *out)
{
    leat_bytes_put_block(out, position->file, strlen(position->file));
    leat_bytes_put_u64(out, position->position);
}

static void get_position(leat_reader *reader, leat_binlog_position *out)
{
    size_t size;
    const uint8_t *file = leat_reader_block(reader, &size);
    if (size >= sizeof out->file)
        reader->failed = true;
    else if (file)
        snprintf(out->file, sizeof out->file, "%.*s", (int)size, (const char *)file);
    out->position = leat_reader_u64(reader);
}

void leat_cdc_write_state(const leat_cdc_reader *self, leat_bytes *out)
{
    leat_bytes_put_u8(out, STATE_VERSION);
    leat_bytes_put_u8(out, (uint8_t)self->phase);
    leat_bytes_put_u32(out, (uint32_t)self->tables_count);
    for (int32_t i = 0; i < self->tables_count; i++)
        leat_mysql_table_write(&self->tables[i].definition, out);
    leat_bytes_put_u32(out, (uint32_t)self->at_table);
    leat_bytes_put_u32(out, (uint32_t)self->segments_count);
    for (size_t i = 0; i < self->segments_count; i++) {
        const leat_cdc_segment *segment = &self->segments[i];
        leat_bytes_put_u32(out, (uint32_t)segment->table);
        leat_bytes_put_text(out, segment->upper);
        put_position(&segment->high, out);
    }
    put_position(&self->safe, out);
    leat_bytes_put_u64(out, self->rows_done + self->rows_to_skip);
    leat_bytes_put_u8(out, self->part.is_set);
    leat_bytes_put_text(out, self->part.lower);
    leat_bytes_put_text(out, self->part.upper);
}

static leat_code read_tables(leat_cdc_reader *self, leat_reader *reader, leat_error *error)
{
    uint32_t count = leat_reader_u32(reader);
    if (count > leat_reader_left(reader)) reader->failed = true;
    LEAT_TRY(leat_reader_check(reader, false, "state of mysql-cdc", error));
    self->tables = leat_calloc(count, sizeof *self->tables);
    if (!self->tables) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        leat_cdc_table *table = &self->tables[self->tables_count++];
        leat_arena_init(&table->arena, TABLE_BYTES_MAX);
        LEAT_TRY(leat_mysql_table_read(reader, &table->arena, &table->definition, error));
        LEAT_TRY(bind_columns(&self->config, table, error));
    }
    return LEAT_OK;
}

static leat_code read_segment(leat_cdc_reader *self, leat_reader *reader, leat_error *error)
{
    LEAT_TRY(
        leat_grow(&self->segments, &self->segments_capacity, self->segments_count + 1, sizeof *self->segments, error));
    leat_cdc_segment *segment = &self->segments[self->segments_count];
    *segment = (leat_cdc_segment){.table = (int32_t)leat_reader_u32(reader)};
    if (segment->table < 0 || segment->table >= self->tables_count) reader->failed = true;
    LEAT_TRY(read_bound(reader, &segment->upper, error));
    self->segments_count++;
    get_position(reader, &segment->high);
    return LEAT_OK;
}

static leat_code read_state(leat_cdc_reader *self, const uint8_t *state, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, state, size);
    uint8_t version = leat_reader_u8(&reader);
    if (version != STATE_VERSION)
        return leat_fail(error, LEAT_UNSUPPORTED, "state of mysql-cdc in version %u", version);
    self->phase = (leat_cdc_phase)leat_reader_u8(&reader);
    LEAT_TRY(read_tables(self, &reader, error));
    self->at_table = (int32_t)leat_reader_u32(&reader);
    uint32_t count = leat_reader_u32(&reader);
    for (uint32_t i = 0; i < count && !reader.failed; i++)
        LEAT_TRY(read_segment(self, &reader, error));
    get_position(&reader, &self->safe);
    self->rows_to_skip = leat_reader_u64(&reader);
    self->part.is_set = leat_reader_u8(&reader) != 0;
    LEAT_TRY(read_bound(&reader, &self->part.lower, error));
    LEAT_TRY(read_bound(&reader, &self->part.upper, error));
    if (self->part.is_set && self->tables_count != 1) reader.failed = true;
    return leat_reader_check(&reader, true, "state of mysql-cdc", error);
}

leat_code leat_cdc_push(leat_cdc_reader *self, leat_error *error)
{
    leat_cdc_item *item = leat_calloc(1, sizeof *item);
    if (!item) return leat_fail_no_memory(error);
    leat_cdc_write_state(self, &item->state);
    leat_code code = leat_bytes_check(&item->state, error);
    if (code == LEAT_OK && self->builder.rows) code = leat_batch_builder_finish(&self->builder, &item->batch, error);
    if (code != LEAT_OK) {
        leat_cdc_item_free(item);
        return code;
    }
    *self->last = item;
    self->last = &item->next;
    self->has_moved = false;
    return LEAT_OK;
}

/* --- life --- */

leat_code leat_cdc_query_connection(leat_cdc_reader *self, MYSQL **out, leat_error *error)
{
    if (!self->query) LEAT_TRY(leat_mysql_connect(&self->config.address, &self->query, error));
    *out = self->query;
    return LEAT_OK;
}

leat_code leat_cdc_reader_new(const leat_cdc_config *config, leat_env *env, const uint8_t *state, size_t state_size,
                              leat_cdc_reader **out, leat_error *error)
{
    leat_cdc_reader *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->config = *config;
    self->env = env;
    self->last = &self->first;
    self->server_id = config->server_id ? config->server_id : 5400 + (uint32_t)(leat_env_random(env) % 1000000);
    leat_code code = config->zone ? leat_zone_find(config->zone, &self->zone, error) : LEAT_OK;
    if (code == LEAT_OK) code = leat_batch_builder_init_schema(&self->builder, &config->schema, BATCH_ROWS, error);
    if (code == LEAT_OK && state_size) code = read_state(self, state, state_size, error);
    if (code == LEAT_OK)
        *out = self;
    else
        leat_cdc_reader_free(self);
    return code;
}

static void disconnect(leat_cdc_reader *self)
{
    leat_cdc_close_view(self);
    leat_mysql_close(self->query);
    self->query = NULL;
    leat_binlog_dump_close(&self->dump);
}

void leat_cdc_reader_rest(leat_cdc_reader *reader)
{
    disconnect(reader);
}

leat_code leat_cdc_reader_assign(leat_cdc_reader *reader, const uint8_t *state, size_t size, leat_error *error)
{
    forget_tables(reader);
    leat_cdc_forget_segments(reader);
    forget_part(reader);
    reader->is_open = false;
    leat_code code = read_state(reader, state, size, error);
    if (reader->phase != LEAT_CDC_PHASE_SNAPSHOT) leat_cdc_close_view(reader);
    return code;
}

void leat_cdc_reader_write_segments(const leat_cdc_reader *reader, leat_bytes *out)
{
    leat_bytes_put_u32(out, (uint32_t)reader->segments_count);
    for (size_t i = 0; i < reader->segments_count; i++) {
        leat_bytes_put_text(out, reader->segments[i].upper);
        put_position(&reader->segments[i].high, out);
    }
}

leat_code leat_cdc_read_segments(leat_cdc_reader *self, int32_t table, const uint8_t *data, size_t size,
                                 leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    uint32_t count = leat_reader_u32(&reader);
    for (uint32_t i = 0; i < count && !reader.failed; i++) {
        leat_cdc_segment segment = {.table = table};
        LEAT_TRY(read_bound(&reader, &segment.upper, error));
        get_position(&reader, &segment.high);
        leat_cdc_segment *last = self->segments_count ? &self->segments[self->segments_count - 1] : NULL;
        bool is_same_view =
            last && last->table == table && leat_binlog_position_compare(&last->high, &segment.high) == 0;
        if (is_same_view) {
            leat_free(last->upper);
            last->upper = segment.upper;
            continue;
        }
        leat_code code = leat_cdc_add_segment(self, &segment, error);
        leat_free(segment.upper);
        if (code != LEAT_OK) return code;
    }
    return leat_reader_check(&reader, true, "parts of a snapshot", error);
}

void leat_cdc_reader_free(leat_cdc_reader *reader)
{
    if (!reader) return;
    disconnect(reader);
    forget_tables(reader);
    leat_cdc_forget_segments(reader);
    forget_part(reader);
    leat_free(reader->segments);
    for (size_t i = 0; i < reader->maps_count; i++)
        leat_binlog_table_done(&reader->maps[i].map);
    leat_free(reader->maps);
    while (reader->first) {
        leat_cdc_item *next = reader->first->next;
        leat_cdc_item_free(reader->first);
        reader->first = next;
    }
    leat_batch_builder_done(&reader->builder);
    leat_bytes_done(&reader->inflated);
    leat_bytes_done(&reader->scratch);
    leat_bytes_done(&reader->refined);
    leat_bytes_done(&reader->key);
    for (int i = 0; i < LEAT_CDC_KEY_COLUMNS_MAX; i++)
        leat_bytes_done(&reader->key_parts[i]);
    leat_free(reader);
}

static leat_code step(leat_cdc_reader *self, leat_cdc_slice *out, leat_error *error)
{
    if (self->phase == LEAT_CDC_PHASE_NEW) LEAT_TRY(leat_cdc_begin(self, error));
    if (self->phase == LEAT_CDC_PHASE_SNAPSHOT) {
        bool is_done;
        LEAT_TRY(leat_cdc_snapshot_step(self, &is_done, error));
        out->is_at_end = is_done && self->part.is_set;
        return LEAT_OK;
    }
    bool is_idle;
    LEAT_TRY(leat_cdc_stream_step(self, &is_idle, &out->is_at_end, error));
    if (is_idle) out->wait_ms = IDLE_MS;
    return LEAT_OK;
}

leat_code leat_cdc_reader_run(leat_cdc_reader *reader, leat_cdc_slice *out, leat_error *error)
{
    *out = (leat_cdc_slice){0};
    leat_error why = {0};
    leat_code code = step(reader, out, &why);
    if (code == LEAT_OK) {
        reader->failures = 0;
    } else if (leat_code_is_transient(code) && reader->failures < FAILURES_MAX) {
        /* What is done stays done: the rows made so far go out, and the log is read again from the transaction's start.
         */
        reader->failures++;
        out->wait_ms = reader->failures < 5 ? 1000 * reader->failures : 5000;
        leat_log(LEAT_LOG_WARN, "mysql-cdc", "%s; tries again in %" PRId64 " ms (%d of %d)", why.text, out->wait_ms,
                 reader->failures, FAILURES_MAX);
        disconnect(reader);
        code = reader->builder.rows ? leat_cdc_push(reader, error) : LEAT_OK;
        reader->rows_to_skip += reader->rows_done;
        reader->rows_done = 0;
    } else if (error) {
        *error = why;
    }
    out->first = reader->first;
    reader->first = NULL;
    reader->last = &reader->first;
    return code;
}
