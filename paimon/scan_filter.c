/* Which manifests, partitions and files can't hold what is wanted. A statistic that is missing never leaves anything
 * out. */
#include <string.h>

#include "paimon/scan_internal.h"

/* What is known of a column over some rows. */
typedef struct bounds {
    bool has_bounds; /* min and max are known */
    leat_paimon_value min, max;
    int64_t nulls, rows; /* nulls -1: not known */
} bounds;

static bool may_compare(const leat_type *type, leat_paimon_compare compare, const leat_paimon_value *value,
                        const bounds *known)
{
    int to_min = leat_paimon_value_compare(type, value, &known->min);
    int to_max = leat_paimon_value_compare(type, value, &known->max);
    switch (compare) {
    case LEAT_PAIMON_EQUAL: return to_min >= 0 && to_max <= 0;
    case LEAT_PAIMON_NOT_EQUAL: return !(to_min == 0 && to_max == 0);
    case LEAT_PAIMON_LESS: return to_min > 0;
    case LEAT_PAIMON_LESS_EQUAL: return to_min >= 0;
    case LEAT_PAIMON_GREATER: return to_max < 0;
    case LEAT_PAIMON_GREATER_EQUAL: return to_max <= 0;
    default: return true;
    }
}

static bool may_match(const leat_type *type, const leat_paimon_predicate *predicate, const bounds *known)
{
    if (predicate->compare == LEAT_PAIMON_IS_NULL) return known->nulls != 0;
    bool is_all_null = known->nulls >= 0 && known->nulls == known->rows;
    if (is_all_null) return false; /* nothing compares with NULL */
    if (predicate->compare == LEAT_PAIMON_IS_NOT_NULL || !known->has_bounds) return true;
    /* CHAR: with or without its blanks, files differ. Floats: how NaN enters the bounds, writers differ. */
    bool is_reliable = type->kind != LEAT_TYPE_CHAR && type->kind != LEAT_TYPE_FLOAT && type->kind != LEAT_TYPE_DOUBLE;
    return !is_reliable || may_compare(type, predicate->compare, &predicate->value, known);
}

/* The bounds of one field of a SimpleStats. */
static leat_code read_bounds(const leat_paimon_stats *stats, int32_t field, const leat_type *type, int64_t rows,
                             bounds *out, leat_error *error)
{
    *out = (bounds){.nulls = -1, .rows = rows};
    if (field < 0) return LEAT_OK;
    if ((size_t)field < stats->null_counts_size) out->nulls = stats->null_counts[field];
    leat_binary_row min, max;
    if (!stats->min || !stats->max) return LEAT_OK;
    LEAT_TRY(leat_binary_row_open(stats->min, stats->min_size, "statistics", &min, error));
    LEAT_TRY(leat_binary_row_open(stats->max, stats->max_size, "statistics", &max, error));
    if (field >= min.arity || field >= max.arity) return LEAT_OK;
    LEAT_TRY(leat_binary_row_get(&min, field, type, &out->min, error));
    LEAT_TRY(leat_binary_row_get(&max, field, type, &out->max, error));
    out->has_bounds = !out->min.is_null && !out->max.is_null;
    return LEAT_OK;
}

static int32_t find_column(const leat_paimon_key *key, int32_t column)
{
    for (int32_t i = 0; i < key->count; i++)
        if (key->columns[i] == column) return i;
    return -1;
}

leat_code leat_scan_filter_init(leat_scan_filter *self, const leat_paimon_table *table, const leat_paimon_scan *scan,
                                leat_arena *arena, leat_error *error)
{
    static const leat_paimon_scan everything = {.bucket = -1};
    *self = (leat_scan_filter){.table = table, .scan = scan ? scan : &everything};
    LEAT_TRY(leat_paimon_schema_partition_key(&table->schema, arena, &self->partition_key, error));
    return leat_paimon_schema_trimmed_key(&table->schema, arena, &self->trimmed_key, error);
}

leat_code leat_scan_filter_manifest(const leat_scan_filter *self, const leat_paimon_manifest *manifest, bool *out,
                                    leat_error *error)
{
    const leat_paimon_scan *scan = self->scan;
    *out = false;
    if (manifest->has_buckets && scan->bucket >= 0 &&
        (scan->bucket < manifest->min_bucket || scan->bucket > manifest->max_bucket)) {
        return LEAT_OK;
    }
    if (manifest->has_levels && manifest->max_level < scan->min_level) return LEAT_OK;
    int64_t rows = manifest->added_files + manifest->deleted_files;
    for (size_t i = 0; i < scan->predicates_count; i++) {
        int32_t column = leat_paimon_schema_find_id(&self->table->schema, scan->predicates[i].field_id);
        int32_t field = find_column(&self->partition_key, column);
        if (field < 0) continue;
        bounds known;
        const leat_type *type = &self->partition_key.types[field];
        LEAT_TRY(read_bounds(&manifest->partition_stats, field, type, rows, &known, error));
        if (!may_match(type, &scan->predicates[i], &known)) return LEAT_OK;
    }
    *out = true;
    return LEAT_OK;
}

/* A partition's value is exact: bounds of one row. */
static leat_code partition_matches(const leat_scan_filter *self, const leat_paimon_entry *entry, bool *out,
                                   leat_error *error)
{
    leat_binary_row row;
    *out = true;
    if (self->partition_key.count == 0 || self->scan->predicates_count == 0) return LEAT_OK;
    LEAT_TRY(leat_binary_row_open(entry->partition, entry->partition_size, "partition", &row, error));
    for (size_t i = 0; *out && i < self->scan->predicates_count; i++) {
        const leat_paimon_predicate *predicate = &self->scan->predicates[i];
        int32_t column = leat_paimon_schema_find_id(&self->table->schema, predicate->field_id);
        int32_t field = find_column(&self->partition_key, column);
        if (field < 0) continue;
        bounds known = {.rows = 1};
        LEAT_TRY(leat_binary_row_get(&row, field, &self->partition_key.types[field], &known.min, error));
        known.max = known.min;
        known.nulls = known.min.is_null;
        known.has_bounds = !known.min.is_null;
        *out = may_match(&self->partition_key.types[field], predicate, &known);
    }
    return LEAT_OK;
}

leat_code leat_scan_filter_place(const leat_scan_filter *self, const leat_paimon_entry *entry, bool *out,
                                 leat_error *error)
{
    const leat_paimon_scan *scan = self->scan;
    *out = false;
    if (scan->bucket >= 0 && entry->bucket != scan->bucket) return LEAT_OK;
    if (entry->file.level < scan->min_level) return LEAT_OK;
    if (scan->partition && (entry->partition_size != scan->partition_size ||
                            memcmp(entry->partition, scan->partition, scan->partition_size) != 0)) {
        return LEAT_OK;
    }
    return partition_matches(self, entry, out, error);
}

/* The field of a column in the value statistics; -1: none. */
static int32_t stats_field(const leat_scan_filter *self, const leat_paimon_file *file, int32_t column)
{
    if (!file->value_stats_columns) return column;
    for (size_t i = 0; i < file->value_stats_columns_count; i++) {
        if (strcmp(file->value_stats_columns[i], self->table->schema.fields[column].name) == 0) return (int32_t)i;
    }
    return -1;
}

leat_code leat_scan_filter_file(const leat_scan_filter *self, const leat_paimon_file *file, bool *out,
                                leat_error *error)
{
    const leat_paimon_scan *scan = self->scan;
    bool has_key = self->trimmed_key.count > 0;
    *out = true;
    if (file->schema_id != self->table->schema.id) return LEAT_OK; /* another schema: columns may lie elsewhere */
    for (size_t i = 0; *out && i < scan->predicates_count; i++) {
        int32_t column = leat_paimon_schema_find_id(&self->table->schema, scan->predicates[i].field_id);
        int32_t key_field = find_column(&self->trimmed_key, column);
        if (column < 0 || (has_key && key_field < 0)) continue;
        const leat_type *type = &self->table->schema.fields[column].type;
        if (leat_binary_row_check_types(type, 1, NULL) != LEAT_OK) continue;
        bounds known;
        LEAT_TRY(has_key ? read_bounds(&file->key_stats, key_field, type, file->rows, &known, error)
                         : read_bounds(&file->value_stats, stats_field(self, file, column), type, file->rows, &known,
                                       error));
        *out = may_match(type, &scan->predicates[i], &known);
    }
    return LEAT_OK;
}
