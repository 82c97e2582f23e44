#include <mysql.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/mysql/cdc_reader.h"

/* Whether a change comes after what the snapshot read of its key. Only the server knows the order of keys (collations),
 * so it is asked: for all keys of an event at once, as far as these bounds let it. */
enum { ASKED_BYTES_MAX = 256 << 10 };

/* --- keys as literals --- */

static bool is_text(const leat_mysql_column *column)
{
    return column->kind == LEAT_MYSQL_CHAR || column->kind == LEAT_MYSQL_VARCHAR || column->kind == LEAT_MYSQL_TEXT ||
           column->kind == LEAT_MYSQL_LONGTEXT;
}

/* Text as the bytes it is stored as: no conversion may lose anything. Members by number, as an index orders them. */
static bool is_raw(const leat_mysql_column *column)
{
    return is_text(column) || column->kind == LEAT_MYSQL_ENUM || column->kind == LEAT_MYSQL_SET;
}

void leat_cdc_put_key_expression(const leat_mysql_column *column, leat_bytes *sql)
{
    if (is_raw(column)) leat_bytes_text(sql, "CAST(");
    leat_mysql_put_name(sql, column->name);
    if (is_raw(column)) leat_bytes_text(sql, is_text(column) ? " AS BINARY)" : " AS UNSIGNED)");
}

static void put_quoted(const char *type, const leat_mysql_cell *cell, leat_bytes *out)
{
    leat_mysql_cell whole = *cell;
    whole.scale = 6;
    leat_bytes_format(out, "%s'", type);
    leat_mysql_cell_text(&whole, out);
    leat_bytes_put_u8(out, '\'');
}

static void put_bytes_literal(const leat_mysql_column *column, const leat_mysql_cell *cell, leat_bytes *out)
{
    switch (column->kind) {
    case LEAT_MYSQL_DECIMAL: leat_mysql_cell_text(cell, out); break; /* more digits than ours */
    case LEAT_MYSQL_UUID:
        put_quoted("CAST(", cell, out);
        leat_bytes_text(out, " AS UUID)");
        break;
    default:
        leat_bytes_format(out, "_%s ", is_text(column) && column->charset ? column->charset : "binary");
        leat_mysql_put_hex(out, cell->data, cell->size);
        if (is_text(column) && column->collation) leat_bytes_format(out, " COLLATE %s", column->collation);
    }
}

leat_code leat_cdc_put_key_literal(const leat_mysql_column *column, const leat_mysql_cell *cell, leat_bytes *out,
                                   leat_error *error)
{
    switch (cell->kind) {
    case LEAT_CELL_INT:
    case LEAT_CELL_DECIMAL: leat_mysql_cell_text(cell, out); break;
    case LEAT_CELL_BYTES: put_bytes_literal(column, cell, out); break;
    case LEAT_CELL_DATE: put_quoted("DATE", cell, out); break;
    case LEAT_CELL_TIME: put_quoted("TIME", cell, out); break;
    case LEAT_CELL_DATETIME: put_quoted("TIMESTAMP", cell, out); break;
    case LEAT_CELL_ZERO:
        if (cell->number) {
            return leat_fail(error, LEAT_UNSUPPORTED, "key column '%s': a date of which only a part is zero",
                             column->name);
        }
        leat_bytes_text(out, "'0000-00-00'");
        break;
    default: return leat_fail(error, LEAT_UNSUPPORTED, "key column '%s': %s", column->name, column->type_text);
    }
    return leat_bytes_check(out, error);
}

/* --- keys of images --- */

static int32_t place_in_key(const leat_mysql_table *table, int32_t column)
{
    for (int32_t k = 0; k < table->primary_key_count; k++)
        if (table->primary_key[k] == column) return k;
    return -1;
}

static leat_code not_there(const leat_mysql_column *column, leat_error *error)
{
    leat_code code = leat_fail(error, LEAT_INVALID, "key column '%s' is not in the binlog", column->name);
    leat_fail_hint(error, "mysql-cdc needs binlog_row_image=FULL, in every session");
    return code;
}

/* Reads over an image. Its key becomes literals, in the key's order, in self->key, and a number if it is one. */
static leat_code read_key(leat_cdc_reader *self, const leat_cdc_map *map, leat_reader *reader, const uint8_t *present,
                          __int128 *number, leat_error *error)
{
    const leat_mysql_table *table = &self->tables[map->table].definition;
    leat_binlog_image image;
    for (int32_t k = 0; k < LEAT_CDC_KEY_COLUMNS_MAX; k++)
        leat_bytes_reset(&self->key_parts[k]);
    LEAT_TRY(leat_binlog_image_read(reader, present, map->map.columns_count, &image, error));
    for (int32_t i = 0, at = 0; i < map->map.columns_count; i++) {
        if (!leat_cdc_bit(present, i) || leat_cdc_bit(image.nulls, at++)) continue;
        const leat_mysql_column *column = &table->columns[i];
        leat_mysql_cell cell;
        int32_t k = place_in_key(table, i);
        LEAT_TRY(leat_binlog_value_read(reader, &map->map.columns[i], column->is_unsigned, &self->scratch,
                                        k >= 0 ? &cell : NULL, error));
        if (k < 0) continue;
        leat_bytes_reset(&self->refined);
        if (!is_raw(column)) LEAT_TRY(leat_mysql_refine(column, &cell, &self->refined, error));
        LEAT_TRY(leat_cdc_put_key_literal(column, &cell, &self->key_parts[k], error));
        *number = cell.number;
    }
    leat_bytes_reset(&self->key);
    for (int32_t k = 0; k < table->primary_key_count; k++) {
        const leat_bytes *part = &self->key_parts[k];
        if (part->size == 0) return not_there(&table->columns[table->primary_key[k]], error);
        leat_bytes_format(&self->key, k ? ", %.*s AS k%d" : "%.*s AS k%d", (int)part->size, (const char *)part->data,
                          k);
    }
    return leat_bytes_check(&self->key, error);
}

/* --- which segment a key lies in --- */

static const leat_cdc_table *know_segments(leat_cdc_reader *self, int32_t index)
{
    leat_cdc_table *table = &self->tables[index];
    for (size_t i = 0; !table->knows_segments && i < self->segments_count; i++) {
        const leat_cdc_segment *segment = &self->segments[i];
        if (segment->table != index) continue;
        bool is_first = table->segments_count++ == 0;
        if (is_first) table->first_segment = i;
        if (is_first || leat_binlog_position_compare(&segment->high, &table->oldest) < 0) table->oldest = segment->high;
        if (is_first || leat_binlog_position_compare(&segment->high, &table->newest) > 0) table->newest = segment->high;
    }
    table->knows_segments = true;
    return table;
}

/* A table's bounds ascend, so a key's segment is the one behind all bounds below it. */
static bool is_after_segment(const leat_cdc_reader *self, int32_t index, size_t bounds_below)
{
    const leat_cdc_table *table = &self->tables[index];
    if (bounds_below >= table->segments_count) return true;
    const leat_cdc_segment *segment = &self->segments[table->first_segment + bounds_below];
    return leat_binlog_position_compare(&self->safe, &segment->high) >= 0;
}

static leat_code count_below(const leat_cdc_reader *self, int32_t index, __int128 number, size_t *out,
                             leat_error *error)
{
    const leat_cdc_table *table = &self->tables[index];
    size_t from = 0, to = table->segments_count - 1; /* the last one has no bound */
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const char *upper = self->segments[table->first_segment + middle].upper;
        leat_mysql_cell bound;
        LEAT_TRY(leat_mysql_parse_number(upper ? upper : "", upper ? strlen(upper) : 0, &bound, error));
        if (number > bound.number)
            from = middle + 1;
        else
            to = middle;
    }
    *out = from;
    return LEAT_OK;
}

/* `keys` is "SELECT 0 AS i, … AS k0, … AS k1 UNION ALL SELECT 1 AS i, …": literals of the columns' own types and
 * collations, which the union keeps. */
static leat_code ask_server(leat_cdc_reader *self, int32_t index, const leat_bytes *keys, leat_error *error)
{
    MYSQL *mysql;
    MYSQL_RES *result = NULL;
    LEAT_TRY(leat_cdc_query_connection(self, &mysql, error));
    leat_bytes sql = {0};
    leat_bytes_text(&sql, "SELECT i, 0");
    const leat_cdc_table *table = &self->tables[index];
    for (size_t s = 0; s < table->segments_count; s++) {
        const leat_cdc_segment *segment = &self->segments[table->first_segment + s];
        if (!segment->upper) continue;
        leat_bytes_text(&sql, " + ((");
        for (int32_t k = 0; k < table->definition.primary_key_count; k++)
            leat_bytes_format(&sql, k ? ", k%d" : "k%d", k);
        leat_bytes_format(&sql, ") > (%s))", segment->upper);
    }
    leat_bytes_text(&sql, " FROM (");
    leat_bytes_put(&sql, keys->data, keys->size);
    leat_bytes_text(&sql, ") AS t");
    leat_code code = leat_bytes_check(&sql, error);
    if (code == LEAT_OK) code = leat_mysql_query(mysql, (const char *)sql.data, "compare keys", &result, error);
    leat_bytes_done(&sql);
    if (code != LEAT_OK) return code;
    int32_t answers = 0;
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)); answers++) {
        unsigned long i = row[0] ? strtoul(row[0], NULL, 10) : LEAT_CDC_NEWS_MAX;
        if (i < LEAT_CDC_NEWS_MAX && row[1])
            self->news[i] = is_after_segment(self, index, strtoull(row[1], NULL, 10));
        else
            code = leat_fail(error, LEAT_INVALID, "compare keys: the server's answer is NULL");
    }
    mysql_free_result(result);
    if (code == LEAT_OK && answers != self->news_count)
        code = leat_fail(error, LEAT_INVALID, "compare keys: %d answers to %d keys", answers, self->news_count);
    return code;
}

static bool has_number_key(const leat_mysql_table *table)
{
    return table->primary_key_count == 1 && table->columns[table->primary_key[0]].kind <= LEAT_MYSQL_BIGINT;
}

/* Judges the images from `reader` on, as many as are done at once. */
static leat_code look_ahead(leat_cdc_reader *self, const leat_cdc_map *map, const leat_binlog_rows *rows,
                            leat_error *error)
{
    leat_reader reader = rows->rows;
    leat_bytes keys = {0};
    leat_code code = LEAT_OK;
    bool is_number = has_number_key(&self->tables[map->table].definition);
    int sides = rows->change == LEAT_BINLOG_UPDATE ? 2 : 1;
    self->news_count = self->news_at = 0;
    while (code == LEAT_OK && leat_reader_left(&reader) && keys.size < ASKED_BYTES_MAX &&
           self->news_count + sides <= LEAT_CDC_NEWS_MAX) {
        for (int side = 0; code == LEAT_OK && side < sides; side++) {
            __int128 number = 0;
            size_t below = 0;
            code = read_key(self, map, &reader, rows->present[side], &number, error);
            if (code == LEAT_OK && is_number) {
                code = count_below(self, map->table, number, &below, error);
                self->news[self->news_count] = is_after_segment(self, map->table, below);
            } else if (code == LEAT_OK) {
                leat_bytes_format(&keys, self->news_count ? " UNION ALL SELECT %d AS i, " : "SELECT %d AS i, ",
                                  self->news_count);
                leat_bytes_put(&keys, self->key.data, self->key.size);
            }
            self->news_count++;
        }
    }
    if (code == LEAT_OK) code = leat_bytes_check(&keys, error);
    if (code == LEAT_OK && !is_number) code = ask_server(self, map->table, &keys, error);
    leat_bytes_done(&keys);
    if (code != LEAT_OK) self->news_count = 0;
    return code;
}

leat_code leat_cdc_judge(leat_cdc_reader *self, const leat_cdc_map *map, const leat_binlog_rows *rows, bool news[2],
                         leat_error *error)
{
    const leat_cdc_table *table = know_segments(self, map->table);
    /* Mostly the key does not matter: a table is read in one view, or the change comes after all of them. */
    bool is_after_all = table->segments_count == 0 || leat_binlog_position_compare(&self->safe, &table->newest) >= 0;
    news[0] = news[1] = is_after_all;
    if (is_after_all || leat_binlog_position_compare(&self->safe, &table->oldest) < 0) return LEAT_OK;
    if (self->news_at == self->news_count) LEAT_TRY(look_ahead(self, map, rows, error));
    news[0] = self->news[self->news_at++];
    if (rows->change == LEAT_BINLOG_UPDATE) news[1] = self->news[self->news_at++];
    return LEAT_OK;
}
