/* MySQL's binary JSON as text (spec/cdc binlog §8). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/error.h"

/* Appends what MySQL's SELECT prints of the value: ", " and ": " between parts, objects by their keys' order in the
 * value. An empty value is null. LEAT_CORRUPT for bytes that are no such value, or deeper than 100 levels, as MySQL's
 * bound is. */
LEAT_CHECKED leat_code leat_binlog_json_text(const uint8_t *data, size_t size, leat_bytes *out, leat_error *error);
/* Takes the blanks between parts out of such a text, in place; returns its new size. */
size_t leat_mysql_json_compact(char *text, size_t size);
