/* Paimon's filesystem catalog as the session sees it: names and definitions come from paimon/catalog.h at each call, so
 * that tables that other engines make are there at once. */
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/option_names.h"
#include "sql/catalog.h"

typedef struct paimon_catalog {
    leat_catalog base;
    leat_env *env;
    char *warehouse;
} paimon_catalog;

static leat_code copy_names(const leat_paimon_names_list *from, leat_arena *arena, leat_catalog_names *out,
                            leat_error *error)
{
    for (size_t i = 0; i < from->count; i++)
        LEAT_TRY(leat_catalog_names_add(out, arena, from->items[i], error));
    return LEAT_OK;
}

static leat_code paimon_list_databases(leat_catalog *base, leat_arena *arena, leat_catalog_names *out,
                                       leat_error *error)
{
    paimon_catalog *self = (paimon_catalog *)base;
    leat_paimon_names_list list = {0};
    LEAT_TRY(leat_paimon_list_databases(self->env, self->warehouse, arena, &list, error));
    return copy_names(&list, arena, out, error);
}

static leat_code paimon_has_database(leat_catalog *base, const char *database, bool *out, leat_error *error)
{
    paimon_catalog *self = (paimon_catalog *)base;
    return leat_paimon_database_exists(self->env, self->warehouse, database, out, error);
}

static leat_code paimon_create_database(leat_catalog *base, const char *database, leat_error *error)
{
    paimon_catalog *self = (paimon_catalog *)base;
    return leat_paimon_create_database(self->env, self->warehouse, database, error);
}

static leat_code paimon_drop_database(leat_catalog *base, const char *database, bool cascade, leat_error *error)
{
    paimon_catalog *self = (paimon_catalog *)base;
    return leat_paimon_drop_database(self->env, self->warehouse, database, cascade, error);
}

static leat_code paimon_list_tables(leat_catalog *base, const char *database, leat_arena *arena,
                                    leat_catalog_names *out, leat_error *error)
{
    paimon_catalog *self = (paimon_catalog *)base;
    leat_paimon_names_list list = {0};
    LEAT_TRY(leat_paimon_list_tables(self->env, self->warehouse, database, arena, &list, error));
    return copy_names(&list, arena, out, error);
}

/* Physical fields and computed columns, each at its place. */
static leat_code make_columns(const leat_paimon_schema *schema, leat_arena *arena, leat_catalog_table *out,
                              leat_error *error)
{
    leat_paimon_computed *computed;
    int32_t computed_count, used = 0, field = 0;
    LEAT_TRY(leat_paimon_schema_computed(schema, arena, &computed, &computed_count, error));
    out->columns_count = schema->fields_count + computed_count;
    out->columns = leat_arena_take(arena, (size_t)(out->columns_count + 1) * sizeof *out->columns);
    if (!out->columns) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < out->columns_count; i++) {
        leat_catalog_column *column = &out->columns[i];
        bool is_computed = used < computed_count && (computed[used].position <= i || field == schema->fields_count);
        if (is_computed) {
            *column = (leat_catalog_column){
                .name = computed[used].name, .type = computed[used].type, .expression = computed[used].expression};
            used++;
        } else {
            *column = (leat_catalog_column){.name = schema->fields[field].name,
                                            .type = schema->fields[field].type,
                                            .comment = schema->fields[field].description};
            field++;
        }
    }
    return LEAT_OK;
}

static bool is_computed_option(const char *key) /* schema.<i>.name, .expr, .data-type */
{
    if (strncmp(key, "schema.", 7) != 0) return false;
    const char *at = key + 7;
    size_t digits = strspn(at, "0123456789");
    at += digits;
    return digits > 0 && (strcmp(at, ".name") == 0 || strcmp(at, ".expr") == 0 || strcmp(at, ".data-type") == 0);
}

static leat_code paimon_get_table(leat_catalog *base, const char *database, const char *name, leat_arena *arena,
                                  leat_catalog_table *out, leat_error *error)
{
    paimon_catalog *self = (paimon_catalog *)base;
    leat_paimon_table table = {0};
    LEAT_TRY(leat_paimon_get_table(self->env, self->warehouse, database, name, arena, &table, error));
    leat_catalog_table made = {.catalog = base->name,
                               .database = database,
                               .name = name,
                               .connector = "paimon",
                               .primary_key = table.schema.primary_keys,
                               .primary_key_count = table.schema.primary_keys_count,
                               .partition_keys = table.schema.partition_keys,
                               .partition_keys_count = table.schema.partition_keys_count,
                               .comment = table.schema.comment && *table.schema.comment ? table.schema.comment : NULL};
    leat_config options = {0};
    leat_code code = make_columns(&table.schema, arena, &made, error);
    for (size_t i = 0; i < table.schema.options.count && code == LEAT_OK; i++) {
        const leat_config_entry *entry = &table.schema.options.entries[i];
        if (!is_computed_option(entry->key)) code = leat_config_set(&options, entry->key, entry->value, error);
    }
    if (code == LEAT_OK) code = leat_config_set(&options, "path", table.path, error);
    made.options = options;
    if (code == LEAT_OK) code = leat_catalog_table_copy(arena, &made, out, error);
    leat_config_done(&options);
    leat_paimon_table_done(&table);
    return code;
}

static leat_code paimon_create_table(leat_catalog *base, const leat_catalog_table *table, leat_error *error)
{
    paimon_catalog *self = (paimon_catalog *)base;
    if (table->view_query)
        return leat_fail(error, LEAT_UNSUPPORTED,
                         "A filesystem Paimon catalog keeps no views: write CREATE TEMPORARY VIEW");
    if (table->watermark)
        return leat_fail(error, LEAT_UNSUPPORTED, "Watermarks are not supported yet: leave out WATERMARK FOR %s",
                         table->watermark->column);
    leat_paimon_new_column *columns = leat_calloc((size_t)table->columns_count + 1, sizeof *columns);
    if (!columns) return leat_fail_no_memory(error);
    leat_code code = LEAT_OK;
    for (int32_t i = 0; i < table->columns_count; i++) {
        const leat_catalog_column *column = &table->columns[i];
        if (column->is_metadata)
            code = leat_fail(error, LEAT_UNSUPPORTED, "A Paimon table has no metadata columns: '%s'", column->name);
        columns[i] = (leat_paimon_new_column){
            .name = column->name, .type = column->type, .comment = column->comment, .expression = column->expression};
    }
    if (code == LEAT_OK)
        code = leat_paimon_create_table(self->env, self->warehouse,
                                        &(leat_paimon_new_table){.database = table->database,
                                                                 .name = table->name,
                                                                 .columns = columns,
                                                                 .columns_count = table->columns_count,
                                                                 .primary_keys = table->primary_key,
                                                                 .primary_keys_count = table->primary_key_count,
                                                                 .partition_keys = table->partition_keys,
                                                                 .partition_keys_count = table->partition_keys_count,
                                                                 .options = &table->options,
                                                                 .comment = table->comment},
                                        error);
    leat_free(columns);
    return code;
}

static leat_code paimon_drop_table(leat_catalog *base, const char *database, const char *table, leat_error *error)
{
    paimon_catalog *self = (paimon_catalog *)base;
    return leat_paimon_drop_table(self->env, self->warehouse, database, table, error);
}

static void paimon_free(leat_catalog *base)
{
    paimon_catalog *self = (paimon_catalog *)base;
    leat_free(self->warehouse);
    leat_free(self);
}

static const leat_catalog_vtable paimon_vtable = {
    .list_databases = paimon_list_databases,
    .has_database = paimon_has_database,
    .create_database = paimon_create_database,
    .drop_database = paimon_drop_database,
    .list_tables = paimon_list_tables,
    .get_table = paimon_get_table,
    .create_table = paimon_create_table,
    .drop_table = paimon_drop_table,
    .warn_of_options = leat_paimon_warn_of_options,
    .free = paimon_free,
};

static leat_code check_options(const leat_config *options, leat_error *error)
{
    static const char *const known[] = {"type", "warehouse", "default-database", "metastore"};
    for (size_t i = 0; i < options->count; i++) {
        const char *key = options->entries[i].key;
        bool is_known = strncmp(key, "table-default.", 14) == 0;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            is_known |= strcmp(key, known[k]) == 0;
        if (!is_known) {
            (void)leat_fail(error, LEAT_UNSUPPORTED, "The catalog option '%s' is not supported", key);
            if (strncmp(key, "s3.", 3) == 0)
                leat_fail_hint(error, "S3 is set up for the whole cluster: s3.* in leat.yaml or with -D when it is "
                                      "started, or AWS_* in its environment");
            else
                leat_fail_hint(error, "known are 'type', 'warehouse', 'default-database'");
            return LEAT_UNSUPPORTED;
        }
        if (strcmp(key, "metastore") == 0 && strcmp(options->entries[i].value, "filesystem") != 0)
            return leat_fail(error, LEAT_UNSUPPORTED, "The metastore '%s' is not supported, only 'filesystem'",
                             options->entries[i].value);
    }
    return LEAT_OK;
}

leat_code leat_catalog_paimon_new(leat_env *env, const char *name, const leat_config *options, leat_catalog **out,
                                  leat_error *error)
{
    LEAT_TRY(check_options(options, error));
    const char *warehouse = leat_config_find(options, "warehouse");
    if (!warehouse || !*warehouse) return leat_fail(error, LEAT_INVALID, "Paimon 'warehouse' path must be set");
    const char *database = leat_config_find(options, "default-database");
    paimon_catalog *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->base.vtable = &paimon_vtable;
    self->env = env;
    atomic_init(&self->base.references, 1);
    self->base.name = leat_strdup(name);
    self->base.default_database = leat_strdup(database ? database : "default");
    self->warehouse = leat_strdup(warehouse);
    bool is_there = false;
    leat_code code =
        self->base.name && self->base.default_database && self->warehouse ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK)
        code = leat_paimon_database_exists(env, warehouse, self->base.default_database, &is_there, error);
    if (code == LEAT_OK && !is_there) {
        code = leat_paimon_create_database(env, warehouse, self->base.default_database, error);
        if (code == LEAT_EXISTS) code = LEAT_OK; /* another session was faster */
    }
    if (code != LEAT_OK) {
        leat_catalog_unref(&self->base);
        return leat_fail_in(error, code, "Unable to create catalog '%s'", name);
    }
    *out = &self->base;
    return LEAT_OK;
}
