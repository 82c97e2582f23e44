#include "paimon/catalog.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/json.h"
#include "paimon/numbers.h"
#include "storage/storage.h"

static const char database_suffix[] = ".db";
/* Stores have no folders, so that an empty database needs an object; other engines do not look at names with a dot in
 * front. */
static const char database_marker[] = ".leat";

static leat_code check_name(const char *what, const char *name, leat_error *error)
{
    bool is_fine = *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    if (is_fine && leat_paimon_json_is_text(name)) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID, "'%s' can't be the name of a %s", name, what);
}

static leat_code add_name(leat_paimon_names_list *list, size_t *capacity, const char *name, size_t length,
                          leat_arena *arena, leat_error *error)
{
    enum { CAPACITY_MIN = 16 };
    if (list->count == *capacity) {
        size_t target = *capacity ? *capacity * 2 : CAPACITY_MIN;
        const char **grown = leat_arena_take(arena, target * sizeof *grown);
        if (!grown) return leat_fail_no_memory(error);
        if (list->count) memcpy(grown, list->items, list->count * sizeof *grown);
        list->items = grown;
        *capacity = target;
    }
    const char *copy = leat_arena_strndup(arena, name, length);
    if (!copy) return leat_fail_no_memory(error);
    list->items[list->count++] = copy;
    return LEAT_OK;
}

static char *database_path(const char *warehouse, const char *database)
{
    size_t length = strlen(warehouse);
    while (length && warehouse[length - 1] == '/')
        length--;
    return leat_format("%.*s/%s%s", (int)length, warehouse, database, database_suffix);
}

/* Lists the warehouse, which may be given with slashes at its end. */
static leat_code list_warehouse(leat_env *env, const char *warehouse, leat_storage_list *out, leat_error *error)
{
    size_t length = strlen(warehouse);
    while (length > 1 && warehouse[length - 1] == '/')
        length--;
    char *path = leat_strndup(warehouse, length);
    leat_code code = path ? leat_storage_list_folder(env->storage, path, out, error) : leat_fail_no_memory(error);
    leat_free(path);
    return code;
}

leat_code leat_paimon_list_databases(leat_env *env, const char *warehouse, leat_arena *arena,
                                     leat_paimon_names_list *out, leat_error *error)
{
    leat_storage_list list = {0};
    size_t capacity = 0, suffix = strlen(database_suffix);
    *out = (leat_paimon_names_list){0};
    leat_code code = list_warehouse(env, warehouse, &list, error);
    for (size_t i = 0; code == LEAT_OK && i < list.count; i++) {
        const char *name = list.entries[i].name;
        size_t length = strlen(name);
        if (!list.entries[i].is_folder || length <= suffix || strcmp(name + length - suffix, database_suffix) != 0)
            continue;
        code = add_name(out, &capacity, name, length - suffix, arena, error);
    }
    leat_storage_list_done(&list);
    return code;
}

/* Folders of a file system count although they are empty: Paimon makes databases so. */
leat_code leat_paimon_database_exists(leat_env *env, const char *warehouse, const char *database, bool *out,
                                      leat_error *error)
{
    LEAT_TRY(check_name("database", database, error));
    leat_storage_list list = {0};
    leat_code code = list_warehouse(env, warehouse, &list, error);
    size_t length = strlen(database);
    *out = false;
    for (size_t i = 0; code == LEAT_OK && i < list.count && !*out; i++) {
        const char *name = list.entries[i].name;
        *out = list.entries[i].is_folder && strncmp(name, database, length) == 0 &&
               strcmp(name + length, database_suffix) == 0;
    }
    leat_storage_list_done(&list);
    return code;
}

leat_code leat_paimon_create_database(leat_env *env, const char *warehouse, const char *database, leat_error *error)
{
    bool is_there;
    LEAT_TRY(leat_paimon_database_exists(env, warehouse, database, &is_there, error));
    if (is_there) return leat_fail(error, LEAT_EXISTS, "database '%s' exists already", database);
    char *path = database_path(warehouse, database);
    char *marker = path ? leat_format("%s/%s", path, database_marker) : NULL;
    leat_code code =
        marker ? leat_storage_put(env->storage, marker, "", 0, LEAT_PUT_REPLACE, error) : leat_fail_no_memory(error);
    leat_free(path);
    leat_free(marker);
    return code;
}

static leat_code require_database(leat_env *env, const char *warehouse, const char *database, leat_error *error)
{
    bool is_there;
    LEAT_TRY(leat_paimon_database_exists(env, warehouse, database, &is_there, error));
    return is_there ? LEAT_OK
                    : leat_fail(error, LEAT_NOT_FOUND, "there is no database '%s' in %s", database, warehouse);
}

leat_code leat_paimon_list_tables(leat_env *env, const char *warehouse, const char *database, leat_arena *arena,
                                  leat_paimon_names_list *out, leat_error *error)
{
    LEAT_TRY(require_database(env, warehouse, database, error));
    char *path = database_path(warehouse, database);
    if (!path) return leat_fail_no_memory(error);
    leat_storage_list list = {0};
    size_t capacity = 0;
    *out = (leat_paimon_names_list){0};
    leat_code code = leat_storage_list_folder(env->storage, path, &list, error);
    for (size_t i = 0; code == LEAT_OK && i < list.count; i++) {
        if (!list.entries[i].is_folder) continue;
        char *table = leat_format("%s/%s", path, list.entries[i].name);
        leat_paimon_range schemas = {-1, -1};
        code = table ? leat_paimon_list_numbers(env, table, "schema", "schema-", &schemas, error)
                     : leat_fail_no_memory(error);
        leat_free(table);
        if (code != LEAT_OK || schemas.max < 0) continue;
        code = add_name(out, &capacity, list.entries[i].name, strlen(list.entries[i].name), arena, error);
    }
    leat_storage_list_done(&list);
    leat_free(path);
    return code;
}

leat_code leat_paimon_drop_database(leat_env *env, const char *warehouse, const char *database, bool cascade,
                                    leat_error *error)
{
    leat_arena arena;
    leat_arena_init(&arena, 16 << 20);
    leat_paimon_names_list tables;
    leat_code code = leat_paimon_list_tables(env, warehouse, database, &arena, &tables, error);
    if (code == LEAT_OK && tables.count && !cascade) {
        code = leat_fail(error, LEAT_INVALID, "database '%s' has %zu tables", database, tables.count);
        leat_fail_hint(error, "DROP DATABASE %s CASCADE removes them, too", database);
    }
    char *path = database_path(warehouse, database);
    if (code == LEAT_OK)
        code = path ? leat_storage_remove_folder(env->storage, path, error) : leat_fail_no_memory(error);
    leat_free(path);
    leat_arena_done(&arena);
    return code;
}

leat_code leat_paimon_drop_table(leat_env *env, const char *warehouse, const char *database, const char *table,
                                 leat_error *error)
{
    LEAT_TRY(check_name("table", table, error));
    LEAT_TRY(require_database(env, warehouse, database, error));
    char *folder = database_path(warehouse, database);
    char *path = folder ? leat_format("%s/%s", folder, table) : NULL;
    int64_t id;
    leat_code code = path ? leat_paimon_schema_newest_id(env, path, &id, error) : leat_fail_no_memory(error);
    if (code == LEAT_OK) code = leat_storage_remove_folder(env->storage, path, error);
    leat_free(folder);
    leat_free(path);
    return code;
}

leat_code leat_paimon_get_table(leat_env *env, const char *warehouse, const char *database, const char *table,
                                leat_arena *arena, leat_paimon_table *out, leat_error *error)
{
    LEAT_TRY(check_name("database", database, error));
    LEAT_TRY(check_name("table", table, error));
    char *folder = database_path(warehouse, database);
    char *path = folder ? leat_format("%s/%s", folder, table) : NULL;
    leat_code code = path ? leat_paimon_open_table(env, path, NULL, arena, out, error) : leat_fail_no_memory(error);
    if (code == LEAT_NOT_FOUND) {
        bool has_database;
        code = leat_fail(error, LEAT_NOT_FOUND, "there is no table '%s.%s' in %s", database, table, warehouse);
        if (leat_paimon_database_exists(env, warehouse, database, &has_database, NULL) == LEAT_OK && !has_database) {
            code = leat_fail(error, LEAT_NOT_FOUND, "there is no database '%s' in %s", database, warehouse);
        }
    }
    leat_free(folder);
    leat_free(path);
    return code;
}

/* Options that say how what is there was written: hints must not change them (layout.md §2). */
static bool is_immutable(const char *key)
{
    static const char *const keys[] = {"bucket",
                                       "bucket-key",
                                       "bucket-function.type",
                                       "data-file.path-directory",
                                       "merge-engine",
                                       "ignore-delete",
                                       "ignore-update-before",
                                       "aggregation.remove-record-on-delete",
                                       "partial-update.remove-record-on-delete",
                                       "partial-update.remove-record-on-sequence-group",
                                       "rowkind.field",
                                       "primary-key",
                                       "partition",
                                       "force-lookup",
                                       "data-evolution.enabled",
                                       "index-file-in-data-file-dir"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0) return true;
    return false;
}

static leat_code merge_options(leat_config *options, const leat_config *dynamic, leat_error *error)
{
    for (size_t i = 0; dynamic && i < dynamic->count; i++) {
        const leat_config_entry *entry = &dynamic->entries[i];
        const char *old = leat_config_find(options, entry->key);
        bool is_change = !old || strcmp(old, entry->value) != 0;
        if (is_change && is_immutable(entry->key)) {
            return leat_fail(error, LEAT_INVALID, "option '%s' of a table can't be changed by a hint", entry->key);
        }
        LEAT_TRY(leat_config_set(options, entry->key, entry->value, error));
    }
    return LEAT_OK;
}

/* "<db>" and "<table>" of a path ending in "<db>.db/<table>". */
static leat_code names_of(const char *path, leat_arena *arena, leat_paimon_table *out, leat_error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path, *database = slash ? slash : path;
    while (database > path && database[-1] != '/')
        database--;
    size_t length = slash ? (size_t)(slash - database) : 0, suffix = strlen(database_suffix);
    if (length > suffix && strncmp(slash - suffix, database_suffix, suffix) == 0) length -= suffix;
    out->name = leat_arena_strdup(arena, name);
    out->database = leat_arena_strndup(arena, database, length);
    return out->name && out->database ? LEAT_OK : leat_fail_no_memory(error);
}

leat_code leat_paimon_open_table(leat_env *env, const char *path, const leat_config *dynamic_options, leat_arena *arena,
                                 leat_paimon_table *out, leat_error *error)
{
    leat_paimon_table table = {0};
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    table.path = leat_arena_strndup(arena, path, length);
    if (!table.path) return leat_fail_no_memory(error);
    LEAT_TRY(names_of(table.path, arena, &table, error));
    int64_t id;
    LEAT_TRY(leat_paimon_schema_newest_id(env, table.path, &id, error));
    LEAT_TRY(leat_paimon_schema_load(env, table.path, id, arena, &table.schema, error));
    leat_code code = merge_options(&table.schema.options, dynamic_options, error);
    if (code != LEAT_OK)
        leat_paimon_table_done(&table);
    else
        *out = table;
    return code;
}

void leat_paimon_table_done(leat_paimon_table *table)
{
    leat_paimon_schema_done(&table->schema);
}
