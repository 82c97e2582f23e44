#include "connectors/generator.h"

enum { ROWS_PER_SECOND_DEFAULT = 10000 };

static leat_code read_number(const leat_config *options, const char *key, int64_t *number, leat_error *error)
{
    const char *text = leat_config_find(options, key);
    return text ? leat_parse_int(text, number, error) : LEAT_OK;
}

leat_code leat_generator_read_pace(const leat_config *options, leat_generator_pace *out, leat_error *error)
{
    int64_t parallelism = -1;
    *out = (leat_generator_pace){.rows_per_second = ROWS_PER_SECOND_DEFAULT, .rows_count = -1};
    LEAT_TRY(read_number(options, "rows-per-second", &out->rows_per_second, error));
    LEAT_TRY(read_number(options, "number-of-rows", &out->rows_count, error));
    LEAT_TRY(read_number(options, "scan.parallelism", &parallelism, error));
    out->parallelism = (int32_t)parallelism;
    if (out->rows_per_second >= 1) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID, "Invalid value for option 'rows-per-second'.");
}
