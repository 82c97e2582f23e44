/* The files of a snapshot and of what it changed. */
#include "paimon/scan.h"

#include "paimon/scan_internal.h"

static leat_code load_list(leat_env *env, const leat_scan_filter *filter, const char *list, leat_arena *arena,
                           leat_paimon_entries *out, leat_error *error)
{
    const char *path = filter->table->path;
    leat_paimon_manifests manifests = {0};
    LEAT_TRY(leat_paimon_manifest_list_load(env, path, list, arena, &manifests, error));
    for (size_t i = 0; i < manifests.count; i++) {
        bool is_wanted;
        LEAT_TRY(leat_scan_filter_manifest(filter, &manifests.items[i], &is_wanted, error));
        if (!is_wanted) continue;
        size_t kept = out->count;
        LEAT_TRY(leat_paimon_manifest_load(env, path, manifests.items[i].name, arena, out, error));
        for (size_t k = kept; k < out->count; k++) {
            LEAT_TRY(leat_scan_filter_place(filter, &out->items[k], &is_wanted, error));
            if (is_wanted) out->items[kept++] = out->items[k];
        }
        out->count = kept;
    }
    return LEAT_OK;
}

static leat_code keep_files(const leat_scan_filter *filter, leat_paimon_entries *entries, leat_error *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < entries->count; i++) {
        bool is_wanted;
        LEAT_TRY(leat_scan_filter_file(filter, &entries->items[i].file, &is_wanted, error));
        if (is_wanted) entries->items[kept++] = entries->items[i];
    }
    entries->count = kept;
    return LEAT_OK;
}

leat_code leat_paimon_scan_entries(leat_env *env, const leat_paimon_table *table, const leat_paimon_snapshot *snapshot,
                                   const leat_paimon_scan *scan, leat_arena *arena, leat_paimon_entries *out,
                                   leat_error *error)
{
    leat_scan_filter filter;
    LEAT_TRY(leat_scan_filter_init(&filter, table, scan, arena, error));
    leat_paimon_entries entries = {0};
    LEAT_TRY(load_list(env, &filter, snapshot->base_manifest_list, arena, &entries, error));
    LEAT_TRY(load_list(env, &filter, snapshot->delta_manifest_list, arena, &entries, error));
    leat_code code = leat_paimon_entries_merge(&entries, false, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "snapshot %lld of %s", (long long)snapshot->id, table->path);
    LEAT_TRY(keep_files(&filter, &entries, error));
    if (out->count == 0) {
        *out = entries;
        return LEAT_OK;
    }
    for (size_t i = 0; i < entries.count; i++)
        LEAT_TRY(leat_paimon_entries_add(out, &entries.items[i], arena, error));
    return LEAT_OK;
}

leat_code leat_paimon_scan_delta(leat_env *env, const leat_paimon_table *table, const leat_paimon_snapshot *snapshot,
                                 leat_arena *arena, leat_paimon_entries *out, leat_error *error)
{
    leat_scan_filter filter;
    LEAT_TRY(leat_scan_filter_init(&filter, table, NULL, arena, error));
    return load_list(env, &filter, snapshot->delta_manifest_list, arena, out, error);
}

leat_code leat_paimon_scan_changelog(leat_env *env, const leat_paimon_table *table,
                                     const leat_paimon_snapshot *snapshot, leat_arena *arena, leat_paimon_entries *out,
                                     leat_error *error)
{
    if (!snapshot->changelog_manifest_list) return LEAT_OK;
    leat_scan_filter filter;
    LEAT_TRY(leat_scan_filter_init(&filter, table, NULL, arena, error));
    return load_list(env, &filter, snapshot->changelog_manifest_list, arena, out, error);
}

leat_code leat_paimon_check_streaming(const leat_paimon_table *table, leat_error *error)
{
    static const char *const names[] = {"", "Partial update", "Pre-aggregate", "First row"};
    leat_paimon_changelog_producer producer;
    leat_paimon_merge_engine engine;
    LEAT_TRY(leat_paimon_schema_changelog_producer(&table->schema, &producer, error));
    LEAT_TRY(leat_paimon_schema_merge_engine(&table->schema, &engine, error));
    bool is_append = table->schema.primary_keys_count == 0;
    if (is_append || engine == LEAT_PAIMON_MERGE_DEDUPLICATE || producer != LEAT_PAIMON_CHANGELOG_NONE) return LEAT_OK;
    leat_code code =
        leat_fail(error, LEAT_UNSUPPORTED,
                  "%s streaming reading is not supported. You can use 'lookup' or 'full-compaction' changelog "
                  "producer to support streaming reading. ('input' changelog producer is also supported, but "
                  "only returns input records.)",
                  names[engine]);
    leat_fail_hint(error, "set 'changelog-producer' of table '%s'", table->name);
    return code;
}

leat_code leat_paimon_full_phase_min_level(const leat_paimon_table *table, int32_t *out, leat_error *error)
{
    enum { TRIGGER = 5 };
    leat_paimon_changelog_producer producer;
    LEAT_TRY(leat_paimon_schema_changelog_producer(&table->schema, &producer, error));
    *out = 0;
    if (producer == LEAT_PAIMON_CHANGELOG_LOOKUP) *out = 1;
    if (producer != LEAT_PAIMON_CHANGELOG_FULL_COMPACTION) return LEAT_OK;
    const leat_config *options = &table->schema.options;
    int64_t trigger, levels;
    LEAT_TRY(leat_paimon_option_int(options, "num-sorted-run.compaction-trigger", TRIGGER, &trigger, error));
    LEAT_TRY(leat_paimon_option_int(options, "num-levels", trigger + 1, &levels, error));
    *out = levels > 1 && levels < INT32_MAX ? (int32_t)levels - 1 : 0;
    return LEAT_OK;
}
