#include "paimon/snapshot.h"

#include <inttypes.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/json.h"
#include "paimon/numbers.h"
#include "storage/storage.h"

static const char *const kind_names[] = {"APPEND", "COMPACT", "OVERWRITE", "ANALYZE"};

const char *leat_paimon_commit_kind_name(leat_paimon_commit_kind kind)
{
    return kind_names[kind];
}

static leat_code parse_kind(const json_t *root, leat_paimon_commit_kind *out, leat_error *error)
{
    const char *text = json_string_value(json_object_get(root, "commitKind"));
    for (size_t i = 0; text && i < sizeof kind_names / sizeof *kind_names; i++) {
        if (strcmp(text, kind_names[i]) == 0) {
            *out = (leat_paimon_commit_kind)i;
            return LEAT_OK;
        }
    }
    return leat_fail(error, LEAT_UNSUPPORTED, "commit kind '%s' is not known", text ? text : "");
}

static leat_code parse_log_offsets(const json_t *root, leat_arena *arena, leat_paimon_snapshot *out, leat_error *error)
{
    json_t *object = json_object_get(root, "logOffsets");
    leat_paimon_log_offset *offsets = leat_arena_take(arena, json_object_size(object) * sizeof *offsets);
    if (!offsets) return leat_fail_no_memory(error);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        int64_t bucket = leat_paimon_parse_number(key, strlen(key));
        if (bucket < 0 || bucket > INT32_MAX || !json_is_integer(value)) {
            return leat_fail(error, LEAT_CORRUPT, "'logOffsets' has a wrong member '%s'", key);
        }
        offsets[out->log_offsets_count++] = (leat_paimon_log_offset){(int32_t)bucket, json_integer_value(value)};
    }
    out->log_offsets = offsets;
    return LEAT_OK;
}

static leat_code parse_properties(const json_t *root, leat_arena *arena, leat_paimon_snapshot *out, leat_error *error)
{
    json_t *object = json_object_get(root, "properties");
    leat_paimon_property *properties = leat_arena_take(arena, json_object_size(object) * sizeof *properties);
    if (!properties) return leat_fail_no_memory(error);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        leat_paimon_property *property = &properties[out->properties_count++];
        property->key = leat_arena_strdup(arena, key);
        if (!property->key) return leat_fail_no_memory(error);
        LEAT_TRY(leat_paimon_json_text(object, key, arena, &property->value, error));
        if (!property->value) return leat_fail(error, LEAT_CORRUPT, "property '%s' is null", key);
    }
    out->properties = properties;
    return LEAT_OK;
}

static leat_code parse_numbers(const json_t *root, leat_paimon_snapshot *out, leat_error *error)
{
    int64_t version;
    LEAT_TRY(leat_paimon_json_int(root, "version", 1, &version, error));
    LEAT_TRY(leat_paimon_json_int(root, "id", 0, &out->id, error));
    LEAT_TRY(leat_paimon_json_int(root, "schemaId", 0, &out->schema_id, error));
    LEAT_TRY(leat_paimon_json_int(root, "baseManifestListSize", -1, &out->base_manifest_list_size, error));
    LEAT_TRY(leat_paimon_json_int(root, "deltaManifestListSize", -1, &out->delta_manifest_list_size, error));
    LEAT_TRY(leat_paimon_json_int(root, "changelogManifestListSize", -1, &out->changelog_manifest_list_size, error));
    LEAT_TRY(leat_paimon_json_int(root, "commitIdentifier", 0, &out->commit_identifier, error));
    LEAT_TRY(leat_paimon_json_int(root, "timeMillis", 0, &out->time_ms, error));
    LEAT_TRY(leat_paimon_json_int(root, "totalRecordCount", -1, &out->total_records, error));
    LEAT_TRY(leat_paimon_json_int(root, "deltaRecordCount", 0, &out->delta_records, error));
    LEAT_TRY(leat_paimon_json_int(root, "changelogRecordCount", 0, &out->changelog_records, error));
    LEAT_TRY(leat_paimon_json_int(root, "watermark", 0, &out->watermark, error));
    LEAT_TRY(leat_paimon_json_int(root, "nextRowId", -1, &out->next_row_id, error));
    out->has_watermark = json_is_integer(json_object_get(root, "watermark"));
    out->has_delta_records = json_is_integer(json_object_get(root, "deltaRecordCount"));
    out->has_changelog_records = json_is_integer(json_object_get(root, "changelogRecordCount"));
    if (version < 1 || version > 3 || out->id < 1) {
        return leat_fail(error, version > 3 ? LEAT_UNSUPPORTED : LEAT_CORRUPT, "version %" PRId64 ", id %" PRId64,
                         version, out->id);
    }
    out->version = (int32_t)version;
    return LEAT_OK;
}

static leat_code parse_snapshot(const json_t *root, leat_arena *arena, leat_paimon_snapshot *out, leat_error *error)
{
    LEAT_TRY(parse_numbers(root, out, error));
    LEAT_TRY(parse_kind(root, &out->commit_kind, error));
    LEAT_TRY(leat_paimon_json_text(root, "baseManifestList", arena, &out->base_manifest_list, error));
    LEAT_TRY(leat_paimon_json_text(root, "deltaManifestList", arena, &out->delta_manifest_list, error));
    LEAT_TRY(leat_paimon_json_text(root, "changelogManifestList", arena, &out->changelog_manifest_list, error));
    LEAT_TRY(leat_paimon_json_text(root, "indexManifest", arena, &out->index_manifest, error));
    LEAT_TRY(leat_paimon_json_text(root, "commitUser", arena, &out->commit_user, error));
    LEAT_TRY(leat_paimon_json_text(root, "statistics", arena, &out->statistics, error));
    if (!out->base_manifest_list || !out->delta_manifest_list || !out->commit_user) {
        return leat_fail(error, LEAT_CORRUPT, "a manifest list or the commit user is missing");
    }
    LEAT_TRY(parse_log_offsets(root, arena, out, error));
    return parse_properties(root, arena, out, error);
}

leat_code leat_paimon_snapshot_parse(const char *text, size_t size, leat_arena *arena, leat_paimon_snapshot *out,
                                     leat_error *error)
{
    json_t *root;
    LEAT_TRY(leat_paimon_json_load(text, size, "snapshot", &root, error));
    leat_paimon_snapshot snapshot = {0};
    leat_code code = parse_snapshot(root, arena, &snapshot, error);
    json_decref(root);
    if (code == LEAT_OK) *out = snapshot;
    return code;
}

static void put_text(leat_bytes *out, const char *key, const char *value)
{
    leat_bytes_format(out, ",\n  \"%s\" : ", key);
    if (value)
        leat_paimon_json_put(out, value);
    else
        leat_bytes_text(out, "null");
}

static void put_int(leat_bytes *out, const char *key, int64_t value)
{
    leat_bytes_format(out, ",\n  \"%s\" : %" PRId64, key, value);
}

static void put_maps(leat_bytes *out, const leat_paimon_snapshot *snapshot)
{
    leat_bytes_text(out, ",\n  \"logOffsets\" : {");
    for (size_t i = 0; i < snapshot->log_offsets_count; i++) {
        const leat_paimon_log_offset *offset = &snapshot->log_offsets[i];
        leat_bytes_format(out, "%s\n    \"%d\" : %" PRId64, i ? "," : "", offset->bucket, offset->offset);
    }
    leat_bytes_text(out, snapshot->log_offsets_count ? "\n  }" : " }");
}

void leat_paimon_snapshot_print(const leat_paimon_snapshot *snapshot, leat_bytes *out)
{
    leat_bytes_format(out, "{\n  \"version\" : %d", snapshot->version);
    put_int(out, "id", snapshot->id);
    put_int(out, "schemaId", snapshot->schema_id);
    put_text(out, "baseManifestList", snapshot->base_manifest_list);
    if (snapshot->base_manifest_list_size >= 0) put_int(out, "baseManifestListSize", snapshot->base_manifest_list_size);
    put_text(out, "deltaManifestList", snapshot->delta_manifest_list);
    if (snapshot->delta_manifest_list_size >= 0)
        put_int(out, "deltaManifestListSize", snapshot->delta_manifest_list_size);
    put_text(out, "changelogManifestList", snapshot->changelog_manifest_list);
    if (snapshot->changelog_manifest_list && snapshot->changelog_manifest_list_size >= 0) {
        put_int(out, "changelogManifestListSize", snapshot->changelog_manifest_list_size);
    }
    if (snapshot->index_manifest) put_text(out, "indexManifest", snapshot->index_manifest);
    put_text(out, "commitUser", snapshot->commit_user);
    put_int(out, "commitIdentifier", snapshot->commit_identifier);
    put_text(out, "commitKind", leat_paimon_commit_kind_name(snapshot->commit_kind));
    put_int(out, "timeMillis", snapshot->time_ms);
    put_maps(out, snapshot);
    if (snapshot->total_records >= 0) put_int(out, "totalRecordCount", snapshot->total_records);
    if (snapshot->has_delta_records) put_int(out, "deltaRecordCount", snapshot->delta_records);
    if (snapshot->has_changelog_records) put_int(out, "changelogRecordCount", snapshot->changelog_records);
    if (snapshot->has_watermark) put_int(out, "watermark", snapshot->watermark);
    if (snapshot->statistics) put_text(out, "statistics", snapshot->statistics);
    for (size_t i = 0; i < snapshot->properties_count; i++) {
        leat_bytes_text(out, i ? ",\n    " : ",\n  \"properties\" : {\n    ");
        leat_paimon_json_put(out, snapshot->properties[i].key);
        leat_bytes_text(out, " : ");
        leat_paimon_json_put(out, snapshot->properties[i].value);
    }
    if (snapshot->properties_count) leat_bytes_text(out, "\n  }");
    if (snapshot->next_row_id >= 0) put_int(out, "nextRowId", snapshot->next_row_id);
    leat_bytes_text(out, "\n}");
}
