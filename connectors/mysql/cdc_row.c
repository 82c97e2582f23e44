#include <mysql.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/binlog/json.h"
#include "connectors/mysql/cdc_reader.h"

enum { BATCH_BYTES = 1 << 20 };

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
        if (!leat_cdc_bit(present, i)) {
            if (!is_wanted) continue;
            leat_code code =
                leat_fail(error, LEAT_INVALID, "column '%s' is not in the binlog", table->definition.columns[i].name);
            leat_fail_hint(error, "mysql-cdc needs binlog_row_image=FULL, in every session");
            return image_broken(table, code, error);
        }
        const leat_mysql_column *column = &table->definition.columns[i];
        bool is_null = leat_cdc_bit(image.nulls, at++);
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
    bool news[2] = {is_emitted, is_emitted};
    if (is_emitted && self->segments_count) LEAT_TRY(leat_cdc_judge(self, map, rows, news, error));
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
    self->news_count = self->news_at = 0; /* what was judged ahead was of another event */
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
