/* Row images of the binlog, value by value (spec/cdc binlog §6, §7). Raw: ENUM is its index, SET its mask, text the
 * column's own bytes; what the table's definition adds is added by connectors/mysql/table.h. */
#pragma once

#include "connectors/mysql/binlog/event.h"
#include "connectors/mysql/value.h"

/* One value. Cells borrow from the reader's bytes, or from `scratch` (of decimals over 38 digits, which come as text).
 * NULL `out` passes over the value. LEAT_UNSUPPORTED for types that have no form here, LEAT_CORRUPT for broken bytes.
 */
LEAT_CHECKED leat_code leat_binlog_value_read(leat_reader *reader, const leat_binlog_column *column, bool is_unsigned,
                                              leat_bytes *scratch, leat_mysql_cell *out, leat_error *error);

/* Where one image's columns are. `nulls` says NULL or absent. */
typedef struct leat_binlog_image {
    const uint8_t *present, *nulls; /* nulls: over present columns */
} leat_binlog_image;

/* Begins an image: takes its null bitmap. */
LEAT_CHECKED leat_code leat_binlog_image_read(leat_reader *reader, const uint8_t *present, int32_t columns_count,
                                              leat_binlog_image *out, leat_error *error);
