#include <mysql.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/binlog/json.h"
#include "connectors/mysql/cdc_reader.h"

enum { BATCH_BYTES = 1 << 20 };

/* No literal holds a quote except as delimiters: text goes as bytes, so that a list of literals is easily taken apart.
 */
void leat_cdc_put_key_literal(const leat_mysql_column *column, const leat_mysql_cell *cell, leat_bytes *out)
{
    bool is_text = column->kind == LEAT_MYSQL_CHAR || column->kind == LEAT_MYSQL_VARCHAR ||
                   column->kind == LEAT_MYSQL_TEXT || column->kind == LEAT_MYSQL_LONGTEXT ||
                   column->kind == LEAT_MYSQL_UUID;
    switch (cell->kind) {
    case LEAT_CELL_NULL: leat_bytes_text(out, "NULL"); break;
    case LEAT_CELL_INT:
    case LEAT_CELL_DECIMAL: leat_mysql_cell_text(cell, out); break;
    case LEAT_CELL_BYTES:
    case LEAT_CELL_BITS:
    case LEAT_CELL_DOUBLE:
        if (column->kind == LEAT_MYSQL_DECIMAL) { /* more digits than ours */
            leat_mysql_cell_text(cell, out);
            break;
        }
        if (is_text && column->charset && column->collation) leat_bytes_text(out, "CONVERT(");
        if (is_text) leat_bytes_text(out, "CONVERT(");
        leat_mysql_put_hex(out, cell->data, cell->size);
        if (!is_text) break;
        /* In the column's own charset and collation: so it compares as the index is ordered. */
        leat_bytes_text(out, " USING utf8mb4)");
        if (!column->charset || !column->collation) break;
        leat_bytes_format(out, " USING %s) COLLATE %s", column->charset, column->collation);
        break;
    case LEAT_CELL_ZERO: leat_bytes_text(out, "'0000-00-00'"); break;
    case LEAT_CELL_DATE:
    case LEAT_CELL_TIME:
    case LEAT_CELL_DATETIME: {
        leat_mysql_cell whole = *cell;
        whole.scale = 6;
        leat_bytes_put_u8(out, '\'');
        leat_mysql_cell_text(&whole, out);
        leat_bytes_put_u8(out, '\'');
        break;
    }
    }
}

leat_code leat_cdc_put(leat_cdc_reader *self, const leat_cdc_table *table, int32_t column, leat_mysql_cell *cell,
                       leat_error *error)
{
    const leat_mysql_column *from = &table->definition.columns[column];
    int32_t target = table->targets[column];
    const leat_field *field = &self->config.schema.fields[target];
    /* A TIMESTAMP is an instant; without a zone it becomes the wall clock of the server's. */
    bool is_wall_clock = from->kind == LEAT_MYSQL_TIMESTAMP && cell->kind == LEAT_CELL_DATETIME &&
                         field->type.kind != LEAT_TYPE_TIMESTAMP_LTZ;
    if (is_wall_clock) cell->number = leat_zone_to_local_us(self->zone, (int64_t)cell->number);
    if (from->kind == LEAT_MYSQL_JSON && cell->kind == LEAT_CELL_BYTES && !self->config.keeps_json_blanks) {
        /* In place: the bytes are the row's buffer, or the scratch that it was printed into, and are looked at once. */
        cell->size = leat_mysql_json_compact((char *)(uintptr_t)cell->data, cell->size);
    }
    leat_code code = LEAT_OK;
    if (cell->kind == LEAT_CELL_NULL && !field->type.nullable) {
        code = leat_fail(error, LEAT_INVALID, "NULL, and the column is declared NOT NULL");
    } else {
        code = leat_mysql_put_cell(&self->builder, target, &field->type, cell, error);
    }
    return code == LEAT_OK ? code : leat_fail_in(error, code, "column '%s'", from->name);
}

static bool is_present(const uint8_t *bits, int32_t at)
{
    return bits[at / 8] >> (at % 8) & 1;
}

/* What becomes of an image: a row of this kind, or nothing. */
typedef struct image_use {
    bool is_emitted;
    leat_row_kind kind;
} image_use;

static leat_code image_broken(const leat_cdc_table *table, leat_code code, leat_error *error)
{
    return leat_fail_in(error, code, "row of %s.%s", table->definition.database, table->definition.name);
}

/* Columns of the map beyond the definition do not occur; the definition may have more (added later). */
static leat_code read_image(leat_cdc_reader *self, const leat_cdc_map *map, leat_reader *reader, const uint8_t *present,
                            const image_use *use, leat_error *error)
{
    const leat_cdc_table *table = &self->tables[map->table];
    leat_binlog_image image;
    int32_t count = map->map.columns_count;
    LEAT_TRY(leat_binlog_image_read(reader, present, count, &image, error));
    if (use->is_emitted) LEAT_TRY(leat_batch_builder_begin_row(&self->builder, use->kind, error));
    for (int32_t i = 0, at = 0; i < count; i++) {
        bool is_wanted = use->is_emitted && table->targets[i] >= 0;
        leat_mysql_cell cell = {.kind = LEAT_CELL_NULL};
        if (!is_present(present, i)) {
            if (!is_wanted) continue;
            leat_code code =
                leat_fail(error, LEAT_INVALID, "column '%s' is not in the binlog", table->definition.columns[i].name);
            leat_fail_hint(error, "mysql-cdc needs binlog_row_image=FULL, in every session");
            return image_broken(table, code, error);
        }
        const leat_mysql_column *column = &table->definition.columns[i];
        bool is_null = is_present(image.nulls, at++);
        if (!is_null) {
            leat_code code = leat_binlog_value_read(reader, &map->map.columns[i], column->is_unsigned, &self->scratch,
                                                    is_wanted ? &cell : NULL, error);
            if (code == LEAT_OK && is_wanted) {
                leat_bytes_reset(&self->refined);
                code = leat_mysql_refine(column, &cell, &self->refined, error);
            }
            if (code != LEAT_OK) return image_broken(table, code, error);
        }
        if (!is_wanted) continue;
        leat_code code = leat_cdc_put(self, table, i, &cell, error);
        if (code != LEAT_OK) return image_broken(table, code, error);
    }
    return LEAT_OK;
}

/* --- which segment a key lies in --- */

static bool is_integer(const leat_mysql_column *column)
{
    return column->kind <= LEAT_MYSQL_BIGINT;
}

/* Reads the key of an image (from a copy of the reader) as literals into self->key, and as a number if it is one. */
static leat_code read_key(leat_cdc_reader *self, const leat_cdc_map *map, leat_reader reader, const uint8_t *present,
                          __int128 *number, leat_error *error)
{
    const leat_mysql_table *definition = &self->tables[map->table].definition;
    leat_binlog_image image;
    int32_t count = map->map.columns_count;
    leat_bytes parts[16] = {{0}};
    if (definition->primary_key_count > 16)
        return leat_fail(error, LEAT_LIMIT, "a primary key of more than 16 columns");
    leat_code code = leat_binlog_image_read(&reader, present, count, &image, error);
    for (int32_t i = 0, at = 0; code == LEAT_OK && i < count; i++) {
        if (!is_present(present, i) || is_present(image.nulls, at++)) continue;
        const leat_mysql_column *column = &definition->columns[i];
        leat_mysql_cell cell;
        code = leat_binlog_value_read(&reader, &map->map.columns[i], column->is_unsigned, &self->scratch, &cell, error);
        for (int32_t k = 0; code == LEAT_OK && k < definition->primary_key_count; k++) {
            if (definition->primary_key[k] != i) continue;
            leat_bytes_reset(&self->refined);
            code = leat_mysql_refine(column, &cell, &self->refined, error);
            if (code == LEAT_OK) leat_cdc_put_key_literal(column, &cell, &parts[k]);
            *number = cell.number;
        }
    }
    leat_bytes_reset(&self->key);
    for (int32_t k = 0; k < definition->primary_key_count && k < 16; k++) {
        if (k) leat_bytes_text(&self->key, ", ");
        if (parts[k].size) leat_bytes_put(&self->key, parts[k].data, parts[k].size);
        if (parts[k].failed) self->key.failed = true;
        leat_bytes_done(&parts[k]);
    }
    return code == LEAT_OK ? leat_bytes_check(&self->key, error) : code;
}

static void put_key_names(const leat_mysql_table *table, leat_bytes *sql)
{
    for (int32_t i = 0; i < table->primary_key_count; i++) {
        if (i) leat_bytes_text(sql, ", ");
        leat_mysql_put_name(sql, table->columns[table->primary_key[i]].name);
    }
}

/* How many of the table's bounds the key lies above, as the server compares: by the columns' own collations, which the
 * union takes over. One query, however many bounds. */
static leat_code ask_server(leat_cdc_reader *self, int32_t index, int64_t *out, leat_error *error)
{
    MYSQL *mysql;
    const leat_mysql_table *table = &self->tables[index].definition;
    LEAT_TRY(leat_cdc_query_connection(self, &mysql, error));
    leat_bytes sql = {0};
    leat_bytes_text(&sql, "SELECT 0");
    for (size_t i = 0; i < self->segments_count; i++) {
        const leat_cdc_segment *segment = &self->segments[i];
        if (segment->table != index || !segment->upper) continue;
        leat_bytes_text(&sql, " + ((");
        put_key_names(table, &sql);
        leat_bytes_format(&sql, ") > (%s))", segment->upper);
    }
    leat_bytes_text(&sql, " FROM (SELECT ");
    put_key_names(table, &sql);
    leat_bytes_text(&sql, " FROM ");
    leat_mysql_put_name(&sql, table->database);
    leat_bytes_text(&sql, ".");
    leat_mysql_put_name(&sql, table->name);
    leat_bytes_text(&sql, " WHERE FALSE UNION ALL SELECT ");
    leat_bytes_put(&sql, self->key.data, self->key.size);
    leat_bytes_text(&sql, ") AS t");
    char answer[32];
    leat_code code = leat_bytes_check(&sql, error);
    if (code == LEAT_OK) {
        code = leat_mysql_query_text(mysql, (const char *)sql.data, "compare keys", answer, sizeof answer, error);
    }
    leat_bytes_done(&sql);
    return code == LEAT_OK ? leat_parse_int(answer, out, error) : code;
}

static leat_code count_below(const leat_cdc_reader *self, int32_t index, __int128 number, int64_t *out,
                             leat_error *error)
{
    *out = 0;
    for (size_t i = 0; i < self->segments_count; i++) {
        const leat_cdc_segment *segment = &self->segments[i];
        if (segment->table != index || !segment->upper) continue;
        leat_mysql_cell bound;
        LEAT_TRY(leat_mysql_parse_number(segment->upper, strlen(segment->upper), &bound, error));
        *out += number > bound.number;
    }
    return LEAT_OK;
}

/* Whether a change of this image's key comes after what the snapshot read of it. A table's bounds ascend, so the key's
 * segment is the one behind all bounds below it. */
static leat_code is_news(leat_cdc_reader *self, const leat_cdc_map *map, const leat_reader *reader,
                         const uint8_t *present, bool *out, leat_error *error)
{
    *out = true;
    bool has_bounds = false;
    for (size_t i = 0; i < self->segments_count; i++)
        has_bounds = has_bounds || (self->segments[i].table == map->table && self->segments[i].upper);
    int64_t before = 0;
    if (has_bounds) {
        const leat_mysql_table *table = &self->tables[map->table].definition;
        __int128 number = 0;
        LEAT_TRY(read_key(self, map, *reader, present, &number, error));
        bool is_number = table->primary_key_count == 1 && is_integer(&table->columns[table->primary_key[0]]);
        if (is_number)
            LEAT_TRY(count_below(self, map->table, number, &before, error));
        else
            LEAT_TRY(ask_server(self, map->table, &before, error));
    }
    for (size_t i = 0; i < self->segments_count; i++) {
        const leat_cdc_segment *segment = &self->segments[i];
        if (segment->table != map->table || before-- > 0) continue;
        *out = leat_binlog_position_compare(&self->safe, &segment->high) >= 0;
        return LEAT_OK;
    }
    return LEAT_OK;
}

/* --- changes --- */

static leat_row_kind kind_of(const leat_cdc_reader *self, leat_binlog_change change, bool is_after)
{
    if (self->config.is_append_only) return LEAT_ROW_INSERT;
    if (change == LEAT_BINLOG_INSERT) return LEAT_ROW_INSERT;
    if (change == LEAT_BINLOG_DELETE) return LEAT_ROW_DELETE;
    if (self->config.is_delete_insert) return is_after ? LEAT_ROW_INSERT : LEAT_ROW_DELETE;
    return is_after ? LEAT_ROW_UPDATE_AFTER : LEAT_ROW_UPDATE_BEFORE;
}

static leat_code put_change(leat_cdc_reader *self, const leat_cdc_map *map, leat_binlog_rows *rows, bool is_emitted,
                            leat_error *error)
{
    bool is_update = rows->change == LEAT_BINLOG_UPDATE;
    leat_reader before = rows->rows;
    bool news[2] = {is_emitted, is_emitted};
    if (is_emitted && self->segments_count) {
        LEAT_TRY(is_news(self, map, &before, rows->present[0], &news[0], error));
        if (is_update) {
            leat_reader after = rows->rows;
            const image_use passed = {0};
            LEAT_TRY(read_image(self, map, &after, rows->present[0], &passed, error));
            LEAT_TRY(is_news(self, map, &after, rows->present[1], &news[1], error));
        }
    }
    for (int i = 0; i < (is_update ? 2 : 1); i++) {
        image_use use = {.is_emitted = news[i], .kind = kind_of(self, rows->change, i == 1)};
        /* Only one side of a key's move is news: then it is no update. */
        if (is_update && news[0] != news[1] && !self->config.is_append_only)
            use.kind = i ? LEAT_ROW_INSERT : LEAT_ROW_DELETE;
        LEAT_TRY(read_image(self, map, &rows->rows, rows->present[i], &use, error));
    }
    return LEAT_OK;
}

leat_code leat_cdc_put_changes(leat_cdc_reader *self, const leat_cdc_map *map, leat_binlog_rows *rows, bool is_too_old,
                               leat_error *error)
{
    while (leat_reader_left(&rows->rows)) {
        bool is_skipped = self->rows_to_skip > 0;
        LEAT_TRY(put_change(self, map, rows, !is_skipped && !is_too_old, error));
        self->rows_done++;
        if (is_skipped) self->rows_to_skip--;
        bool is_full = self->builder.rows + 2 > self->builder.capacity_rows ||
                       leat_batch_builder_bytes(&self->builder) > BATCH_BYTES;
        if (is_full) LEAT_TRY(leat_cdc_push(self, error));
    }
    return LEAT_OK;
}
