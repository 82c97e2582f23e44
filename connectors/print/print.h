/* `print`: a sink that writes each row as a line to the task manager's standard output (or error), in Flink's form. */
#pragma once

#include "flow/connector.h"
#include "flow/registry.h"

/* One value as print shows it: NULL as "null", TIMESTAMP as ISO with T, TIMESTAMP_LTZ in UTC with Z, bytes as signed
 * numbers. Appends NUL-terminated text. */
void leat_print_value(const leat_type *type, const leat_column *column, int32_t row, leat_bytes *out);

extern const leat_operator_factory leat_print_factory;
extern const leat_connector leat_print_connector;
