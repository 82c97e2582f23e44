#include "paimon/path.h"

#include <ctype.h>
#include <string.h>

#include "paimon/binary_row.h"
#include "paimon/schema.h"

void leat_paimon_path_escape(const char *text, size_t size, leat_bytes *out)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c > 0 && c < 0x20) || c == 0x7f || (c && strchr("\"#%'*/:=?\\{[]^}", c))) {
            leat_bytes_format(out, "%%%02X", c);
        } else {
            leat_bytes_put_u8(out, c);
        }
    }
    leat_bytes_text(out, "");
}

static bool is_blank(const leat_bytes *text)
{
    for (size_t i = 0; i < text->size; i++)
        if (!isspace(text->data[i])) return false;
    return true;
}

static leat_code print_part(const leat_paimon_schema *schema, const leat_paimon_field *field,
                            const leat_paimon_value *value, leat_bytes *scratch, leat_bytes *out, leat_error *error)
{
    bool is_legacy;
    LEAT_TRY(leat_paimon_option_bool(&schema->options, "partition.legacy-name", true, &is_legacy, error));
    leat_bytes_reset(scratch);
    if (!value->is_null) leat_paimon_value_print(&field->type, value, !is_legacy, scratch);
    if (out->size) leat_bytes_put_u8(out, '/');
    leat_paimon_path_escape(field->name, strlen(field->name), out);
    leat_bytes_put_u8(out, '=');
    if (value->is_null || is_blank(scratch)) {
        const char *name = leat_paimon_option_text(&schema->options, "partition.default-name", "__DEFAULT_PARTITION__");
        leat_paimon_path_escape(name, strlen(name), out);
    } else {
        leat_paimon_path_escape((const char *)scratch->data, scratch->size, out);
    }
    return scratch->failed ? leat_fail_no_memory(error) : leat_bytes_check(out, error);
}

leat_code leat_paimon_partition_path(const leat_paimon_schema *schema, const uint8_t *partition, size_t size,
                                     leat_arena *arena, const char **out, leat_error *error)
{
    leat_binary_row row;
    LEAT_TRY(leat_binary_row_open(partition, size, "partition", &row, error));
    if (row.arity != schema->partition_keys_count) {
        return leat_fail(error, LEAT_CORRUPT, "a partition has %d values, the table %d partition keys", row.arity,
                         schema->partition_keys_count);
    }
    leat_bytes text = {0}, scratch = {0};
    leat_code code = LEAT_OK;
    for (int32_t i = 0; code == LEAT_OK && i < row.arity; i++) {
        int32_t at = leat_paimon_schema_find(schema, schema->partition_keys[i]);
        leat_paimon_value value;
        if (at < 0)
            code = leat_fail(error, LEAT_CORRUPT, "partition key '%s' is no column", schema->partition_keys[i]);
        else
            code = leat_binary_row_get(&row, i, &schema->fields[at].type, &value, error);
        if (code == LEAT_OK) code = print_part(schema, &schema->fields[at], &value, &scratch, &text, error);
    }
    if (code == LEAT_OK) {
        *out = leat_arena_strndup(arena, text.size ? (const char *)text.data : "", text.size);
        if (!*out) code = leat_fail_no_memory(error);
    }
    leat_bytes_done(&text);
    leat_bytes_done(&scratch);
    return code;
}

leat_code leat_paimon_bucket_path(const char *table_path, const leat_paimon_schema *schema, const uint8_t *partition,
                                  size_t size, int32_t bucket, leat_arena *arena, const char **out, leat_error *error)
{
    enum { POSTPONE = -2 };
    const char *folder;
    LEAT_TRY(leat_paimon_partition_path(schema, partition, size, arena, &folder, error));
    const char *data = leat_paimon_option_text(&schema->options, "data-file.path-directory", "");
    const char *path =
        leat_arena_format(arena, "%s%s%s%s%s/bucket-", table_path, *data ? "/" : "", data, *folder ? "/" : "", folder);
    if (!path) return leat_fail_no_memory(error);
    *out = bucket == POSTPONE ? leat_arena_format(arena, "%spostpone", path)
                              : leat_arena_format(arena, "%s%d", path, bucket);
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

const char *leat_paimon_file_path(const char *bucket_path, const leat_paimon_file *file, leat_arena *arena)
{
    if (file->external_path) return leat_arena_strdup(arena, file->external_path);
    return leat_arena_format(arena, "%s/%s", bucket_path, file->name);
}

const char *leat_paimon_path(const char *table_path, const char *folder, const char *name, leat_arena *arena)
{
    return leat_arena_format(arena, "%s/%s/%s", table_path, folder, name);
}

const char *leat_paimon_topic(const char *table_path)
{
    const char *topic = table_path;
    if (strncmp(topic, "file:", 5) == 0) topic += 5;
    while (topic[0] == '/' && topic[1] == '/')
        topic++;
    return topic;
}

void leat_paimon_names_init(leat_paimon_names *names, leat_env *env)
{
    leat_env_uuid(env, names->uuid);
    names->next = 0;
}

const char *leat_paimon_names_next(leat_paimon_names *names, const char *prefix, const char *suffix, leat_arena *arena)
{
    return leat_arena_format(arena, "%s%s-%d%s", prefix, names->uuid, names->next++, suffix);
}
