/* CREATE, DROP and USE of catalogs and databases, DROP of tables. */
#include <string.h>

#include "common/memory.h"
#include "sql/internal.h"

static leat_code set_current(leat_statement *self, const char *catalog, const char *database)
{
    char *catalog_copy = leat_strdup(catalog), *database_copy = leat_strdup(database);
    if (!catalog_copy || !database_copy) {
        leat_free(catalog_copy);
        leat_free(database_copy);
        return leat_fail_no_memory(self->plan.error);
    }
    leat_free(self->session->current_catalog);
    leat_free(self->session->current_database);
    self->session->current_catalog = catalog_copy;
    self->session->current_database = database_copy;
    return LEAT_OK;
}

static leat_code create_catalog(leat_statement *self)
{
    const leat_ast_statement *ast = self->ast;
    const char *name = ast->name->parts[0];
    leat_plan *plan = &self->plan;
    bool is_new;
    leat_config_entry *entries = leat_arena_take(plan->arena, (size_t)(ast->options.count + 1) * sizeof *entries);
    if (!entries) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < ast->options.count; i++) {
        const leat_ast_pair *pair = ast->options.items[i];
        entries[i] = (leat_config_entry){(char *)(uintptr_t)pair->key, (char *)(uintptr_t)pair->value};
    }
    leat_config options = {.entries = entries, .count = (size_t)ast->options.count};
    leat_code code;
    if (strcmp(name, self->session->default_catalog->name) == 0)
        code = leat_fail(plan->error, LEAT_EXISTS, "Catalog %s already exists.", name);
    else
        code = leat_catalog_store_create(self->session->options.catalogs, name, &options, &is_new, plan->error);
    if (code == LEAT_EXISTS && ast->if_not_exists) return LEAT_OK;
    return code == LEAT_OK ? code : leat_plan_at(plan, ast->name->place, code);
}

/* Catalog and database of a name of one or two parts. */
static leat_code database_name(leat_plan *plan, const leat_ast_name *name, const char **catalog, const char **database)
{
    if (name->count > 2)
        return leat_plan_fail(plan, name->place, LEAT_INVALID, "A database is named by at most catalog and database");
    *catalog = name->count == 2 ? name->parts[0] : plan->current_catalog;
    *database = name->parts[name->count - 1];
    return LEAT_OK;
}

static leat_code database_is_missing(leat_plan *plan, leat_catalog *catalog, const leat_ast_name *name,
                                     const char *database)
{
    leat_catalog_names names = {0};
    leat_error ignored = {0};
    leat_code code =
        leat_plan_fail(plan, name->place, LEAT_NOT_FOUND,
                       "A database with name [%s] does not exist in the catalog: [%s].", database, catalog->name);
    if (catalog->vtable->list_databases(catalog, plan->arena, &names, &ignored) != LEAT_OK) return code;
    const char *nearest = leat_catalog_names_nearest(&names, database);
    if (nearest) leat_fail_hint(plan->error, "did you mean '%s'?", nearest);
    return code;
}

static leat_code with_database(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    const leat_ast_statement *ast = self->ast;
    const char *catalog_name, *database;
    LEAT_TRY(database_name(plan, ast->name, &catalog_name, &database));
    leat_catalog *catalog = leat_session_get_catalog(self->session, catalog_name, plan->arena, plan->error);
    if (!catalog) return leat_plan_at(plan, ast->name->places[0], LEAT_NOT_FOUND);
    bool is_there = false;
    leat_code code = catalog->vtable->has_database(catalog, database, &is_there, plan->error);
    if (code == LEAT_OK && ast->kind == LEAT_AST_CREATE_DATABASE) {
        if (!is_there)
            code = catalog->vtable->create_database(catalog, database, plan->error);
        else if (!ast->if_not_exists)
            code = leat_fail(plan->error, LEAT_EXISTS, "Database %s already exists in Catalog %s.", database,
                             catalog_name);
    } else if (code == LEAT_OK && !is_there) {
        if (ast->kind == LEAT_AST_USE || !ast->if_exists)
            code = database_is_missing(plan, catalog, ast->name, database);
    } else if (code == LEAT_OK && ast->kind == LEAT_AST_USE) {
        code = set_current(self, catalog_name, database);
    } else if (code == LEAT_OK) {
        code = catalog->vtable->drop_database(catalog, database, ast->is_cascade, plan->error);
        if (code == LEAT_INVALID && !ast->is_cascade)
            leat_fail_hint(plan->error, "DROP DATABASE … CASCADE drops its tables too");
    }
    leat_catalog_unref(catalog);
    return code == LEAT_OK ? code : leat_plan_at(plan, ast->name->place, code);
}

static leat_code use_catalog(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    leat_catalog *catalog =
        leat_session_get_catalog(self->session, self->ast->name->parts[0], plan->arena, plan->error);
    if (!catalog) return leat_plan_at(plan, self->ast->name->place, LEAT_NOT_FOUND);
    leat_code code = set_current(self, catalog->name, catalog->default_database);
    leat_catalog_unref(catalog);
    return code;
}

static leat_code drop_catalog(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    const char *name = self->ast->name->parts[0];
    leat_code code;
    if (strcmp(name, self->session->current_catalog) == 0)
        code = leat_fail(plan->error, LEAT_INVALID, "Cannot drop a catalog which is currently in use.");
    else if (strcmp(name, self->session->default_catalog->name) == 0)
        code = leat_fail(plan->error, LEAT_INVALID, "The session's own catalog can't be dropped");
    else
        code = leat_catalog_store_drop(self->session->options.catalogs, name, plan->error);
    if (code == LEAT_NOT_FOUND && self->ast->if_exists) return LEAT_OK;
    return code == LEAT_OK ? code : leat_plan_at(plan, self->ast->name->place, code);
}

static leat_code drop_table(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    const leat_ast_statement *ast = self->ast;
    const leat_catalog_table *table;
    leat_error error = {0}, *said = plan->error;
    bool is_view = strcmp(ast->what, "VIEW") == 0;
    plan->error = &error;
    leat_code code = leat_plan_find_table(plan, ast->name, NULL, &table);
    plan->error = said;
    if (code == LEAT_NOT_FOUND && ast->if_exists) {
        plan->has_place = false;
        return LEAT_OK;
    }
    if (code != LEAT_OK) {
        if (said) *said = error;
        return code;
    }
    const char *kind = table->view_query ? "view" : "table";
    if (is_view != (table->view_query != NULL))
        return leat_plan_fail(plan, ast->name->place, LEAT_INVALID, "'%s' is a %s: write DROP %s", table->name, kind,
                              table->view_query ? "VIEW" : "TABLE");
    if (table->is_temporary && !ast->is_temporary) {
        (void)leat_plan_fail(
            plan, ast->name->place, LEAT_INVALID,
            "Temporary %s with identifier '`%s`.`%s`.`%s`' exists. Drop it first before removing the permanent %s.",
            kind, table->catalog, table->database, table->name, kind);
        leat_fail_hint(plan->error, "DROP TEMPORARY %s %s", ast->what, table->name);
        return LEAT_INVALID;
    }
    if (ast->is_temporary && !table->is_temporary) {
        if (ast->if_exists) return LEAT_OK;
        return leat_plan_fail(plan, ast->name->place, LEAT_NOT_FOUND,
                              "Temporary %s with identifier '`%s`.`%s`.`%s`' does not exist.", kind, table->catalog,
                              table->database, table->name);
    }
    if (table->is_temporary) {
        const char *database = leat_temporary_database(plan->arena, table->catalog, table->database);
        if (!database) return leat_fail_no_memory(plan->error);
        return self->session->temporary->vtable->drop_table(self->session->temporary, database, table->name,
                                                            plan->error);
    }
    leat_catalog *catalog = leat_session_get_catalog(self->session, table->catalog, plan->arena, plan->error);
    if (!catalog) return leat_plan_at(plan, ast->name->place, LEAT_NOT_FOUND);
    code = catalog->vtable->drop_table(catalog, table->database, table->name, plan->error);
    leat_catalog_unref(catalog);
    return code == LEAT_OK ? code : leat_plan_at(plan, ast->name->place, code);
}

leat_code leat_define(leat_statement *self)
{
    const leat_ast_statement *ast = self->ast;
    switch (ast->kind) {
    case LEAT_AST_CREATE_CATALOG: return create_catalog(self);
    case LEAT_AST_CREATE_DATABASE: return with_database(self);
    case LEAT_AST_CREATE_TABLE: return leat_create_table(self);
    case LEAT_AST_CREATE_VIEW: return leat_create_view(self);
    case LEAT_AST_USE: return strcmp(ast->what, "CATALOG") == 0 ? use_catalog(self) : with_database(self);
    case LEAT_AST_DROP:
        if (strcmp(ast->what, "CATALOG") == 0) return drop_catalog(self);
        return strcmp(ast->what, "DATABASE") == 0 ? with_database(self) : drop_table(self);
    default: return leat_plan_fail(&self->plan, ast->place, LEAT_UNSUPPORTED, "The statement is not supported");
    }
}
