#include "sql/catalog.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/memory.h"

enum { CATALOGS_MAX = 256 };

struct leat_catalog_store {
    leat_env *env;
    pthread_mutex_t lock;
    leat_catalog *catalogs[CATALOGS_MAX]; /* under lock */
    int32_t count;
};

leat_catalog *leat_catalog_ref(leat_catalog *catalog)
{
    if (catalog) atomic_fetch_add_explicit(&catalog->references, 1, memory_order_relaxed);
    return catalog;
}

void leat_catalog_unref(leat_catalog *catalog)
{
    if (!catalog || atomic_fetch_sub_explicit(&catalog->references, 1, memory_order_acq_rel) > 1) return;
    leat_free(catalog->name);
    leat_free(catalog->default_database);
    leat_config_done(&catalog->options);
    catalog->vtable->free(catalog);
}

leat_code leat_catalog_names_add(leat_catalog_names *names, leat_arena *arena, const char *name, leat_error *error)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? names->capacity * 2 : 16;
        const char **items = leat_arena_take(arena, capacity * sizeof *items);
        if (!items) return leat_fail_no_memory(error);
        if (names->count > 0) memcpy(items, names->items, names->count * sizeof *items);
        names->items = items;
        names->capacity = capacity;
    }
    const char *copy = leat_arena_strdup(arena, name);
    if (!copy) return leat_fail_no_memory(error);
    names->items[names->count++] = copy;
    return LEAT_OK;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void leat_catalog_names_sort(leat_catalog_names *names)
{
    if (names->count > 1) qsort(names->items, names->count, sizeof *names->items, compare_names);
}

bool leat_catalog_names_has(const leat_catalog_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0) return true;
    return false;
}

const char *leat_catalog_names_nearest(const leat_catalog_names *names, const char *name)
{
    leat_nearest near = {.word = name, .less_than = (int)strlen(name) / 2 + 1};
    for (size_t i = 0; i < names->count; i++)
        leat_nearest_look(&near, names->items[i]);
    return near.found;
}

leat_code leat_config_copy_in(leat_arena *arena, const leat_config *from, const leat_config *over, leat_config *out,
                              leat_error *error)
{
    size_t most = from->count + (over ? over->count : 0);
    leat_config_entry *entries = leat_arena_take(arena, (most ? most : 1) * sizeof *entries);
    if (!entries) return leat_fail_no_memory(error);
    size_t count = 0;
    for (size_t i = 0; i < most; i++) {
        const leat_config_entry *entry = i < from->count ? &from->entries[i] : &over->entries[i - from->count];
        size_t at = 0;
        while (at < count && strcmp(entries[at].key, entry->key) != 0)
            at++;
        entries[at].key = leat_arena_strdup(arena, entry->key);
        entries[at].value = leat_arena_strdup(arena, entry->value);
        if (!entries[at].key || !entries[at].value) return leat_fail_no_memory(error);
        if (at == count) count++;
    }
    *out = (leat_config){.entries = entries, .count = count, .capacity = most};
    return LEAT_OK;
}

static leat_code copy_text(leat_arena *arena, const char *from, const char **out, leat_error *error)
{
    *out = from ? leat_arena_strdup(arena, from) : NULL;
    return from && !*out ? leat_fail_no_memory(error) : LEAT_OK;
}

static leat_code copy_texts(leat_arena *arena, const char *const *from, int32_t count, const char ***out,
                            leat_error *error)
{
    *out = leat_arena_take(arena, (size_t)(count ? count : 1) * sizeof **out);
    if (!*out) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++)
        LEAT_TRY(copy_text(arena, from[i], &(*out)[i], error));
    return LEAT_OK;
}

static leat_code copy_type(leat_arena *arena, const leat_type *from, leat_type *out, leat_error *error)
{
    leat_field field = {"", *from};
    leat_schema one = {1, &field}, copy;
    LEAT_TRY(leat_schema_copy(arena, &one, &copy, error));
    *out = copy.fields[0].type;
    return LEAT_OK;
}

leat_code leat_catalog_table_copy(leat_arena *arena, const leat_catalog_table *from, leat_catalog_table *out,
                                  leat_error *error)
{
    *out = *from;
    LEAT_TRY(copy_text(arena, from->catalog, &out->catalog, error));
    LEAT_TRY(copy_text(arena, from->database, &out->database, error));
    LEAT_TRY(copy_text(arena, from->name, &out->name, error));
    LEAT_TRY(copy_text(arena, from->connector, &out->connector, error));
    LEAT_TRY(copy_text(arena, from->comment, &out->comment, error));
    LEAT_TRY(copy_text(arena, from->view_query, &out->view_query, error));
    LEAT_TRY(copy_text(arena, from->view_catalog, &out->view_catalog, error));
    LEAT_TRY(copy_text(arena, from->view_database, &out->view_database, error));
    LEAT_TRY(copy_texts(arena, from->primary_key, from->primary_key_count, &out->primary_key, error));
    LEAT_TRY(copy_texts(arena, from->partition_keys, from->partition_keys_count, &out->partition_keys, error));
    LEAT_TRY(leat_config_copy_in(arena, &from->options, NULL, &out->options, error));
    if (from->watermark) {
        leat_catalog_watermark *watermark = leat_arena_take(arena, sizeof *watermark);
        if (!watermark) return leat_fail_no_memory(error);
        LEAT_TRY(copy_text(arena, from->watermark->column, &watermark->column, error));
        LEAT_TRY(copy_text(arena, from->watermark->expression, &watermark->expression, error));
        out->watermark = watermark;
    }
    out->columns = leat_arena_take(arena, (size_t)(from->columns_count + 1) * sizeof *out->columns);
    if (!out->columns) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < from->columns_count; i++) {
        const leat_catalog_column *column = &from->columns[i];
        leat_catalog_column *copy = &out->columns[i];
        *copy = *column;
        LEAT_TRY(copy_text(arena, column->name, &copy->name, error));
        LEAT_TRY(copy_text(arena, column->expression, &copy->expression, error));
        LEAT_TRY(copy_text(arena, column->metadata_key, &copy->metadata_key, error));
        LEAT_TRY(copy_text(arena, column->comment, &copy->comment, error));
        LEAT_TRY(copy_type(arena, &column->type, &copy->type, error));
    }
    return LEAT_OK;
}

leat_code leat_catalog_store_new(leat_env *env, leat_catalog_store **out, leat_error *error)
{
    leat_catalog_store *store = leat_calloc(1, sizeof *store);
    if (!store) return leat_fail_no_memory(error);
    store->env = env;
    pthread_mutex_init(&store->lock, NULL);
    *out = store;
    return LEAT_OK;
}

void leat_catalog_store_free(leat_catalog_store *store)
{
    if (!store) return;
    for (int32_t i = 0; i < store->count; i++)
        leat_catalog_unref(store->catalogs[i]);
    pthread_mutex_destroy(&store->lock);
    leat_free(store);
}

static int32_t find_catalog(const leat_catalog_store *store, const char *name)
{
    for (int32_t i = 0; i < store->count; i++)
        if (strcmp(store->catalogs[i]->name, name) == 0) return i;
    return -1;
}

static bool options_equal(const leat_config *left, const leat_config *right)
{
    if (left->count != right->count) return false;
    for (size_t i = 0; i < left->count; i++) {
        const char *value = leat_config_find(right, left->entries[i].key);
        if (!value || strcmp(value, left->entries[i].value) != 0) return false;
    }
    return true;
}

static leat_code make_catalog(leat_catalog_store *store, const char *name, const leat_config *options,
                              leat_catalog **out, leat_error *error)
{
    const char *type = leat_config_find(options, "type");
    if (!type)
        return leat_fail(error, LEAT_INVALID,
                         "Catalog options do not contain an option key 'type' for discovering a catalog.");
    if (strcmp(type, "paimon") == 0) {
        LEAT_TRY(leat_catalog_paimon_new(store->env, name, options, out, error));
    } else if (strcmp(type, "generic_in_memory") == 0) {
        const char *database = leat_config_find(options, "default-database");
        LEAT_TRY(leat_catalog_memory_new(name, database ? database : "default", out, error));
    } else {
        (void)leat_fail(error, LEAT_INVALID,
                        "Could not find any factory for identifier '%s' that implements a catalog.", type);
        leat_fail_hint(error, "available types are 'generic_in_memory' and 'paimon'");
        return LEAT_INVALID;
    }
    leat_code code = leat_config_merge(&(*out)->options, options, error);
    if (code != LEAT_OK) leat_catalog_unref(*out);
    return code;
}

leat_code leat_catalog_store_create(leat_catalog_store *store, const char *name, const leat_config *options,
                                    bool *is_new, leat_error *error)
{
    leat_catalog *catalog;
    LEAT_TRY(make_catalog(store, name, options, &catalog, error)); /* may block: not under the lock */
    pthread_mutex_lock(&store->lock);
    int32_t at = find_catalog(store, name);
    bool is_equal = at >= 0 && options_equal(&store->catalogs[at]->options, options);
    *is_new = at < 0 && store->count < CATALOGS_MAX;
    if (*is_new) store->catalogs[store->count++] = catalog;
    pthread_mutex_unlock(&store->lock);
    if (*is_new) return LEAT_OK;
    leat_catalog_unref(catalog);
    if (is_equal) return LEAT_OK;
    if (at < 0) return leat_fail(error, LEAT_LIMIT, "A cluster keeps at most %d catalogs", CATALOGS_MAX);
    (void)leat_fail(error, LEAT_EXISTS, "A catalog named '%s' exists already, with other options", name);
    leat_fail_hint(error, "DROP CATALOG `%s`, or take another name", name);
    return LEAT_EXISTS;
}

leat_catalog *leat_catalog_store_get(leat_catalog_store *store, const char *name)
{
    pthread_mutex_lock(&store->lock);
    int32_t at = find_catalog(store, name);
    leat_catalog *catalog = at < 0 ? NULL : leat_catalog_ref(store->catalogs[at]);
    pthread_mutex_unlock(&store->lock);
    return catalog;
}

leat_code leat_catalog_store_drop(leat_catalog_store *store, const char *name, leat_error *error)
{
    pthread_mutex_lock(&store->lock);
    int32_t at = find_catalog(store, name);
    leat_catalog *catalog = at < 0 ? NULL : store->catalogs[at];
    if (catalog) store->catalogs[at] = store->catalogs[--store->count];
    pthread_mutex_unlock(&store->lock);
    leat_catalog_unref(catalog);
    return catalog ? LEAT_OK : leat_fail(error, LEAT_NOT_FOUND, "A catalog named '%s' doesn't exist.", name);
}

leat_code leat_catalog_store_list(leat_catalog_store *store, leat_arena *arena, leat_catalog_names *out,
                                  leat_error *error)
{
    leat_code code = LEAT_OK;
    pthread_mutex_lock(&store->lock);
    for (int32_t i = 0; i < store->count && code == LEAT_OK; i++)
        code = leat_catalog_names_add(out, arena, store->catalogs[i]->name, error);
    pthread_mutex_unlock(&store->lock);
    leat_catalog_names_sort(out);
    return code;
}
