#include "paimon/stats.h"

#include <string.h>
#include <strings.h>

#include "paimon/binary_row.h"
#include "paimon/schema.h"

enum { KEY_CHARACTERS = 128, VALUE_CHARACTERS = 16 };

typedef enum stats_mode { MODE_NONE, MODE_COUNTS, MODE_TRUNCATE, MODE_FULL } stats_mode;

/* What is said of one column. */
typedef struct column_plan {
    const leat_type *type;
    const leat_column_stats *stats;
    stats_mode mode;
    int64_t characters; /* of MODE_TRUNCATE */
} column_plan;

static leat_code parse_mode(const char *text, stats_mode *mode, int64_t *characters, leat_error *error)
{
    static const char truncate[] = "truncate(";
    *characters = 0;
    if (strcasecmp(text, "none") == 0) {
        *mode = MODE_NONE;
    } else if (strcasecmp(text, "counts") == 0) {
        *mode = MODE_COUNTS;
    } else if (strcasecmp(text, "full") == 0) {
        *mode = MODE_FULL;
    } else if (strncasecmp(text, truncate, sizeof truncate - 1) == 0 && text[strlen(text) - 1] == ')') {
        *mode = MODE_TRUNCATE;
        char number[24] = "";
        size_t length = strlen(text) - sizeof truncate;
        if (length == 0 || length >= sizeof number) return leat_fail(error, LEAT_INVALID, "stats mode '%s'", text);
        memcpy(number, text + sizeof truncate - 1, length);
        return leat_parse_int(number, characters, error);
    } else {
        return leat_fail(error, LEAT_INVALID, "unknown stats mode '%s': none, counts, truncate(n) or full", text);
    }
    return LEAT_OK;
}

/* Bytes of the first `characters` code points. */
static size_t prefix_bytes(const uint8_t *data, size_t size, int64_t characters)
{
    size_t at = 0;
    for (; at < size; at++) {
        if ((data[at] & 0xc0) == 0x80) continue;
        if (characters-- == 0) break;
    }
    return at;
}

static size_t encode_character(uint32_t point, uint8_t out[4])
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xc0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xe0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | point >> 18);
    out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (point & 0x3f));
    return 4;
}

static uint32_t decode_character(const uint8_t *data, size_t size)
{
    static const uint8_t masks[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = data[0] & masks[size];
    for (size_t i = 1; i < size; i++)
        point = point << 6 | (data[i] & 0x3f);
    return point;
}

/* The least text above all that start with data[0 … size): its last character that can be is incremented, what follows
 * is dropped. False: there is none. `out` has room for size + 1 bytes. */
static bool increment_text(const uint8_t *data, size_t size, uint8_t *out, size_t *out_size)
{
    while (size > 0) {
        size_t start = size - 1;
        while (start > 0 && (data[start] & 0xc0) == 0x80)
            start--;
        size_t width = size - start;
        if (width > 4) return false;
        uint32_t point = decode_character(data + start, width) + 1;
        if (point >= 0xd800 && point < 0xe000) point = 0xe000;
        if (point <= 0x10ffff) {
            memcpy(out, data, start);
            *out_size = start + encode_character(point, out + start);
            return true;
        }
        size = start;
    }
    return false;
}

typedef struct bounds {
    leat_paimon_value min, max;
    bool is_known;
} bounds;

static leat_code text_bounds(const column_plan *plan, leat_arena *arena, bounds *out, leat_error *error)
{
    const leat_bytes *min = &plan->stats->min, *max = &plan->stats->max;
    size_t min_size = min->size, max_size = max->size;
    const uint8_t *max_data = max->data;
    if (plan->mode == MODE_TRUNCATE) {
        min_size = prefix_bytes(min->data, min->size, plan->characters);
        max_size = prefix_bytes(max->data, max->size, plan->characters);
    }
    if (max_size < max->size) {
        uint8_t *grown = leat_arena_take(arena, max_size + 4);
        if (!grown) return leat_fail_no_memory(error);
        out->is_known = increment_text(max->data, max_size, grown, &max_size);
        max_data = grown;
        if (!out->is_known) return LEAT_OK;
    }
    out->min.bytes.data = min->data;
    out->min.bytes.size = min_size;
    out->max.bytes.data = max_data;
    out->max.bytes.size = max_size;
    return LEAT_OK;
}

/* A fixed-width value as it lies in a column. */
static leat_code fixed_value(const leat_type *type, const leat_bytes *from, leat_paimon_value *out, leat_error *error)
{
    leat_column column = {.layout = leat_type_layout(type), .values = from->data};
    if (from->size != leat_layout_bytes(column.layout))
        return leat_fail(error, LEAT_CORRUPT, "statistics of %zu bytes", from->size);
    leat_paimon_value_of_column(&column, 0, type, out);
    return LEAT_OK;
}

static leat_code find_bounds(const column_plan *plan, leat_arena *arena, bounds *out, leat_error *error)
{
    *out =
        (bounds){.is_known = plan->stats->has_bounds && plan->mode >= MODE_TRUNCATE && !leat_type_is_bytes(plan->type)};
    if (!out->is_known) return LEAT_OK;
    if (leat_type_is_text(plan->type)) return text_bounds(plan, arena, out, error);
    LEAT_TRY(fixed_value(plan->type, &plan->stats->min, &out->min, error));
    return fixed_value(plan->type, &plan->stats->max, &out->max, error);
}

static leat_code copy_out(leat_bytes *from, leat_arena *arena, const uint8_t **data, size_t *size, leat_error *error)
{
    leat_code code = leat_bytes_check(from, error);
    uint8_t *copy = code == LEAT_OK ? leat_arena_take(arena, from->size) : NULL;
    if (code == LEAT_OK && !copy) code = leat_fail_no_memory(error);
    if (copy) {
        memcpy(copy, from->data, from->size);
        *data = copy;
        *size = from->size;
    }
    leat_bytes_done(from);
    return code;
}

static leat_code make(const column_plan *plans, int32_t count, leat_arena *arena, leat_paimon_stats *out,
                      leat_error *error)
{
    leat_bytes min = {0}, max = {0};
    leat_binary_row_writer min_row, max_row;
    leat_binary_row_begin(&min_row, &min, count, true);
    leat_binary_row_begin(&max_row, &max, count, true);
    int64_t *nulls = leat_arena_take(arena, ((size_t)count + 1) * sizeof *nulls);
    leat_code code = nulls ? LEAT_OK : leat_fail_no_memory(error);
    for (int32_t i = 0; i < count && code == LEAT_OK; i++) {
        bounds found;
        code = find_bounds(&plans[i], arena, &found, error);
        found.min.is_null = found.max.is_null = !found.is_known;
        leat_binary_row_set(&min_row, i, plans[i].type, &found.min);
        leat_binary_row_set(&max_row, i, plans[i].type, &found.max);
        nulls[i] = plans[i].mode == MODE_NONE ? -1 : plans[i].stats->null_count;
    }
    if (code == LEAT_OK) code = copy_out(&min, arena, &out->min, &out->min_size, error);
    if (code == LEAT_OK) code = copy_out(&max, arena, &out->max, &out->max_size, error);
    leat_bytes_done(&min);
    leat_bytes_done(&max);
    out->null_counts = nulls;
    out->null_counts_size = (size_t)count;
    return code;
}

leat_code leat_paimon_stats_make_key(const leat_type *types, const leat_column_stats *columns, int32_t count,
                                     leat_arena *arena, leat_paimon_stats *out, leat_error *error)
{
    column_plan *plans = leat_arena_take(arena, (size_t)(count + 1) * sizeof *plans);
    if (!plans) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++) {
        plans[i] = (column_plan){&types[i], &columns[i], MODE_TRUNCATE, KEY_CHARACTERS};
    }
    return make(plans, count, arena, out, error);
}

static leat_code plan_column(const leat_paimon_schema *schema, int32_t field, int64_t kept,
                             const leat_column_stats *stats, leat_arena *arena, column_plan *out, leat_error *error)
{
    *out = (column_plan){&schema->fields[field].type, stats, MODE_TRUNCATE, VALUE_CHARACTERS};
    char *key = leat_arena_format(arena, "fields.%s.stats-mode", schema->fields[field].name);
    if (!key) return leat_fail_no_memory(error);
    const char *mode = leat_config_find(&schema->options, key);
    if (!mode) mode = leat_config_find(&schema->options, "metadata.stats-mode");
    if (mode) LEAT_TRY(parse_mode(mode, &out->mode, &out->characters, error));
    if (kept >= 0 && field >= kept) out->mode = MODE_NONE;
    return LEAT_OK;
}

leat_code leat_paimon_stats_make_value(const leat_paimon_schema *schema, const leat_column_stats *columns,
                                       leat_arena *arena, leat_paimon_stats *out, leat_paimon_stats_columns *names,
                                       leat_error *error)
{
    *names = (leat_paimon_stats_columns){0};
    int64_t kept;
    bool is_dense;
    LEAT_TRY(leat_paimon_option_int(&schema->options, "metadata.stats-keep-first-n-columns", -1, &kept, error));
    LEAT_TRY(leat_paimon_option_bool(&schema->options, "metadata.stats-dense-store", true, &is_dense, error));
    size_t count = (size_t)schema->fields_count;
    column_plan *plans = leat_arena_take(arena, (count + 1) * sizeof *plans);
    const char **kept_names = leat_arena_take(arena, (count + 1) * sizeof *kept_names);
    if (!plans || !kept_names) return leat_fail_no_memory(error);
    int32_t used = 0;
    for (int32_t i = 0; i < schema->fields_count; i++) {
        LEAT_TRY(plan_column(schema, i, kept, &columns[i], arena, &plans[used], error));
        if (is_dense && plans[used].mode == MODE_NONE) continue;
        kept_names[used++] = schema->fields[i].name;
    }
    if (used < schema->fields_count) *names = (leat_paimon_stats_columns){kept_names, (size_t)used};
    return make(plans, used, arena, out, error);
}
