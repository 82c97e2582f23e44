/* The in-memory catalog: databases and tables of a session, its temporary objects, or a cluster's scratch. */
#include <pthread.h>
#include <string.h>

#include "common/memory.h"
#include "sql/catalog.h"

enum { TABLE_BYTES_MAX = 4 << 20, TABLES_MAX = 10000 };

typedef struct memory_table {
    leat_arena arena;
    leat_catalog_table table;
} memory_table;

typedef struct memory_catalog {
    leat_catalog base;
    pthread_mutex_t lock;
    char **databases; /* all below under lock */
    size_t databases_count, databases_capacity;
    memory_table **tables;
    size_t tables_count, tables_capacity;
} memory_catalog;

static bool has_database(const memory_catalog *self, const char *database)
{
    for (size_t i = 0; i < self->databases_count; i++)
        if (strcmp(self->databases[i], database) == 0) return true;
    return false;
}

static leat_code database_is_missing(const memory_catalog *self, const char *database, leat_error *error)
{
    return leat_fail(error, LEAT_NOT_FOUND, "Database %s does not exist in Catalog %s.", database, self->base.name);
}

static int64_t find_table(const memory_catalog *self, const char *database, const char *table)
{
    for (size_t i = 0; i < self->tables_count; i++) {
        const leat_catalog_table *entry = &self->tables[i]->table;
        if (strcmp(entry->name, table) == 0 && strcmp(entry->database, database) == 0) return (int64_t)i;
    }
    return -1;
}

static void free_table(memory_table *table)
{
    leat_arena_done(&table->arena);
    leat_free(table);
}

static leat_code memory_list_databases(leat_catalog *base, leat_arena *arena, leat_catalog_names *out,
                                       leat_error *error)
{
    memory_catalog *self = (memory_catalog *)base;
    leat_code code = LEAT_OK;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->databases_count && code == LEAT_OK; i++)
        code = leat_catalog_names_add(out, arena, self->databases[i], error);
    pthread_mutex_unlock(&self->lock);
    leat_catalog_names_sort(out);
    return code;
}

static leat_code memory_has_database(leat_catalog *base, const char *database, bool *out, leat_error *error)
{
    (void)error;
    memory_catalog *self = (memory_catalog *)base;
    pthread_mutex_lock(&self->lock);
    *out = has_database(self, database);
    pthread_mutex_unlock(&self->lock);
    return LEAT_OK;
}

static leat_code memory_create_database(leat_catalog *base, const char *database, leat_error *error)
{
    memory_catalog *self = (memory_catalog *)base;
    leat_code code = LEAT_OK;
    pthread_mutex_lock(&self->lock);
    if (has_database(self, database))
        code = leat_fail(error, LEAT_EXISTS, "Database %s already exists in Catalog %s.", database, base->name);
    if (code == LEAT_OK)
        code = leat_grow(&self->databases, &self->databases_capacity, self->databases_count + 1,
                         sizeof *self->databases, error);
    char *copy = code == LEAT_OK ? leat_strdup(database) : NULL;
    if (copy) self->databases[self->databases_count++] = copy;
    pthread_mutex_unlock(&self->lock);
    return code == LEAT_OK && !copy ? leat_fail_no_memory(error) : code;
}

static leat_code memory_drop_database(leat_catalog *base, const char *database, bool cascade, leat_error *error)
{
    memory_catalog *self = (memory_catalog *)base;
    leat_code code = LEAT_OK;
    pthread_mutex_lock(&self->lock);
    if (!has_database(self, database)) code = database_is_missing(self, database, error);
    for (size_t i = 0; i < self->tables_count && code == LEAT_OK && !cascade; i++)
        if (strcmp(self->tables[i]->table.database, database) == 0)
            code = leat_fail(error, LEAT_INVALID, "Database %s in catalog %s is not empty.", database, base->name);
    for (size_t i = 0; i < self->tables_count && code == LEAT_OK;) {
        if (strcmp(self->tables[i]->table.database, database) != 0) {
            i++;
            continue;
        }
        free_table(self->tables[i]);
        self->tables[i] = self->tables[--self->tables_count];
    }
    for (size_t i = 0; i < self->databases_count && code == LEAT_OK; i++) {
        if (strcmp(self->databases[i], database) != 0) continue;
        leat_free(self->databases[i]);
        self->databases[i] = self->databases[--self->databases_count];
        break;
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

static leat_code memory_list_tables(leat_catalog *base, const char *database, leat_arena *arena,
                                    leat_catalog_names *out, leat_error *error)
{
    memory_catalog *self = (memory_catalog *)base;
    leat_code code = LEAT_OK;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->tables_count && code == LEAT_OK; i++)
        if (strcmp(self->tables[i]->table.database, database) == 0)
            code = leat_catalog_names_add(out, arena, self->tables[i]->table.name, error);
    pthread_mutex_unlock(&self->lock);
    leat_catalog_names_sort(out);
    return code;
}

static leat_code memory_get_table(leat_catalog *base, const char *database, const char *table, leat_arena *arena,
                                  leat_catalog_table *out, leat_error *error)
{
    memory_catalog *self = (memory_catalog *)base;
    pthread_mutex_lock(&self->lock);
    int64_t at = find_table(self, database, table);
    leat_code code = at < 0 ? leat_fail(error, LEAT_NOT_FOUND, "Table (or view) %s.%s does not exist in Catalog %s.",
                                        database, table, base->name)
                            : leat_catalog_table_copy(arena, &self->tables[at]->table, out, error);
    pthread_mutex_unlock(&self->lock);
    return code;
}

static leat_code memory_create_table(leat_catalog *base, const leat_catalog_table *table, leat_error *error)
{
    memory_catalog *self = (memory_catalog *)base;
    memory_table *copy = leat_calloc(1, sizeof *copy);
    if (!copy) return leat_fail_no_memory(error);
    leat_arena_init(&copy->arena, TABLE_BYTES_MAX);
    leat_code code = leat_catalog_table_copy(&copy->arena, table, &copy->table, error);
    pthread_mutex_lock(&self->lock);
    if (code == LEAT_OK && !table->is_temporary && !has_database(self, table->database))
        code = database_is_missing(self, table->database, error);
    if (code == LEAT_OK && find_table(self, table->database, table->name) >= 0)
        code = leat_fail(error, LEAT_EXISTS, "Table (or view) %s.%s already exists in Catalog %s.", table->database,
                         table->name, base->name);
    if (code == LEAT_OK && self->tables_count >= TABLES_MAX)
        code = leat_fail(error, LEAT_LIMIT, "The catalog %s holds at most %d tables", base->name, TABLES_MAX);
    if (code == LEAT_OK)
        code = leat_grow(&self->tables, &self->tables_capacity, self->tables_count + 1, sizeof *self->tables, error);
    if (code == LEAT_OK) self->tables[self->tables_count++] = copy;
    pthread_mutex_unlock(&self->lock);
    if (code != LEAT_OK) free_table(copy);
    return code;
}

static leat_code memory_drop_table(leat_catalog *base, const char *database, const char *table, leat_error *error)
{
    memory_catalog *self = (memory_catalog *)base;
    pthread_mutex_lock(&self->lock);
    int64_t at = find_table(self, database, table);
    memory_table *dropped = at < 0 ? NULL : self->tables[at];
    if (dropped) self->tables[at] = self->tables[--self->tables_count];
    pthread_mutex_unlock(&self->lock);
    if (!dropped)
        return leat_fail(error, LEAT_NOT_FOUND, "Table (or view) %s.%s does not exist in Catalog %s.", database, table,
                         base->name);
    free_table(dropped);
    return LEAT_OK;
}

static void memory_free(leat_catalog *base)
{
    memory_catalog *self = (memory_catalog *)base;
    for (size_t i = 0; i < self->databases_count; i++)
        leat_free(self->databases[i]);
    for (size_t i = 0; i < self->tables_count; i++)
        free_table(self->tables[i]);
    leat_free(self->databases);
    leat_free(self->tables);
    pthread_mutex_destroy(&self->lock);
    leat_free(self);
}

static const leat_catalog_vtable memory_vtable = {
    .list_databases = memory_list_databases,
    .has_database = memory_has_database,
    .create_database = memory_create_database,
    .drop_database = memory_drop_database,
    .list_tables = memory_list_tables,
    .get_table = memory_get_table,
    .create_table = memory_create_table,
    .drop_table = memory_drop_table,
    .free = memory_free,
};

leat_code leat_catalog_memory_new(const char *name, const char *database, leat_catalog **out, leat_error *error)
{
    memory_catalog *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->base.vtable = &memory_vtable;
    pthread_mutex_init(&self->lock, NULL);
    atomic_init(&self->base.references, 1);
    self->base.name = leat_strdup(name);
    self->base.default_database = leat_strdup(database ? database : "");
    leat_code code = self->base.name && self->base.default_database ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK && database) code = memory_create_database(&self->base, database, error);
    if (code != LEAT_OK) {
        leat_catalog_unref(&self->base);
        return code;
    }
    *out = &self->base;
    return LEAT_OK;
}
