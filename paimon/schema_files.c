/* Schema files in a table's folder. */
#include <inttypes.h>
#include <string.h>

#include "paimon/numbers.h"
#include "paimon/path.h"
#include "paimon/schema.h"
#include "storage/storage.h"

leat_code leat_paimon_schema_newest_id(leat_env *env, const char *table_path, int64_t *out, leat_error *error)
{
    leat_paimon_range range;
    LEAT_TRY(leat_paimon_list_numbers(env, table_path, "schema", "schema-", &range, error));
    if (range.max < 0) return leat_fail(error, LEAT_NOT_FOUND, "there is no table at %s", table_path);
    *out = range.max;
    return LEAT_OK;
}

leat_code leat_paimon_schema_load(leat_env *env, const char *table_path, int64_t id, leat_arena *arena,
                                  leat_paimon_schema *out, leat_error *error)
{
    const char *path = leat_arena_format(arena, "%s/schema/schema-%" PRId64, table_path, id);
    if (!path) return leat_fail_no_memory(error);
    leat_bytes text = {0};
    leat_code code = leat_storage_get_all(env->storage, path, LEAT_PAIMON_SCHEMA_BYTES_MAX, &text, error);
    if (code == LEAT_OK) code = leat_paimon_schema_parse((const char *)text.data, text.size, arena, out, error);
    leat_bytes_done(&text);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "read schema %s", path);
}

leat_code leat_paimon_schema_store(leat_env *env, const char *table_path, const leat_paimon_schema *schema,
                                   leat_error *error)
{
    leat_bytes path = {0}, text = {0};
    leat_bytes_format(&path, "%s/schema/schema-%" PRId64, table_path, schema->id);
    leat_code code = leat_bytes_check(&path, error);
    if (code == LEAT_OK) code = leat_paimon_schema_print(schema, &text, error);
    if (code == LEAT_OK) {
        code = leat_storage_put(env->storage, (const char *)path.data, text.data, text.size, LEAT_PUT_IF_ABSENT, error);
    }
    leat_bytes_done(&path);
    leat_bytes_done(&text);
    return code;
}
