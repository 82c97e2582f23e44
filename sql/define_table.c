/* CREATE TABLE and CREATE VIEW. */
#include <string.h>

#include "sql/bind.h"
#include "sql/internal.h"

/* A definition that grows: its own part, and what LIKE takes over. */
typedef struct table_builder {
    leat_plan *plan;
    const leat_ast_statement *ast;
    leat_catalog_table table;
    int32_t capacity;
    leat_config options;
} table_builder;

static int32_t find_column(const leat_catalog_table *table, const char *name)
{
    for (int32_t i = 0; i < table->columns_count; i++)
        if (strcmp(table->columns[i].name, name) == 0) return i;
    return -1;
}

static const char *place_text(leat_plan *plan, leat_sql_range place)
{
    return leat_arena_strndup(plan->arena, plan->session->script.text + place.start, (size_t)(place.end - place.start));
}

/* What LIKE takes: INCLUDING unless said otherwise; ALL first, then each feature's own word. */
static bool takes(const leat_ast_statement *ast, const char *feature)
{
    bool is_including = true;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < ast->like_options.count; i++) {
            const leat_ast_like_option *option = ast->like_options.items[i];
            if (strcmp(option->feature, pass == 0 ? "ALL" : feature) == 0) is_including = option->is_including;
        }
    return is_including;
}

static bool overwrites(const leat_ast_statement *ast, const char *feature)
{
    for (int32_t i = 0; i < ast->like_options.count; i++) {
        const leat_ast_like_option *option = ast->like_options.items[i];
        if (option->is_overwriting && strcmp(option->feature, feature) == 0) return true;
    }
    return false;
}

static leat_code add_options(table_builder *self, const leat_config *options)
{
    return leat_config_copy_in(self->plan->arena, &self->options, options, &self->options, self->plan->error);
}

static leat_code take_like(table_builder *self, const leat_catalog_table *like)
{
    const leat_ast_statement *ast = self->ast;
    for (int32_t i = 0; i < like->columns_count; i++) {
        const leat_catalog_column *column = &like->columns[i];
        if (column->expression && !takes(ast, "GENERATED")) continue;
        if (column->is_metadata && !takes(ast, "METADATA")) continue;
        self->table.columns[self->table.columns_count++] = *column;
    }
    if (like->primary_key_count > 0 && takes(ast, "CONSTRAINTS")) {
        self->table.primary_key = like->primary_key;
        self->table.primary_key_count = like->primary_key_count;
    } else { /* without the key its columns may be NULL again as far as they were not declared NOT NULL: that is not
                kept apart */
        for (int32_t i = 0; i < like->primary_key_count; i++) {
            int32_t at = find_column(&self->table, like->primary_key[i]);
            if (at >= 0) self->table.columns[at].type.nullable = true;
        }
    }
    if (takes(ast, "PARTITIONS")) {
        self->table.partition_keys = like->partition_keys;
        self->table.partition_keys_count = like->partition_keys_count;
    }
    if (takes(ast, "WATERMARKS")) self->table.watermark = like->watermark;
    if (!takes(ast, "OPTIONS")) return LEAT_OK;
    LEAT_TRY(add_options(self, &like->options));
    if (like->connector &&
        !leat_config_find(&self->options, "connector")) { /* a catalog's own table: where its rows are is not taken */
        leat_config kept = {0};
        leat_config_entry *entries = leat_arena_take(self->plan->arena, (self->options.count + 1) * sizeof *entries);
        if (!entries) return leat_fail_no_memory(self->plan->error);
        kept.entries = entries;
        for (size_t i = 0; i < self->options.count; i++)
            if (strcmp(self->options.entries[i].key, "path") != 0) entries[kept.count++] = self->options.entries[i];
        self->options = kept;
    }
    return LEAT_OK;
}

/* Computed columns see the physical ones, wherever they stand. */
static leat_code bind_computed(table_builder *self, const leat_ast_column *ast, leat_catalog_column *column)
{
    leat_plan *plan = self->plan;
    leat_field *fields = leat_arena_take(plan->arena, (size_t)(self->capacity + 1) * sizeof *fields);
    leat_rel *rel = leat_rel_new(plan, LEAT_REL_VALUES, NULL);
    if (!fields || !rel) return leat_fail_no_memory(plan->error);
    int32_t count = 0;
    for (int32_t i = 0; i < self->table.columns_count; i++)
        if (!self->table.columns[i].expression)
            fields[count++] = (leat_field){self->table.columns[i].name, self->table.columns[i].type};
    rel->schema = (leat_schema){count, fields};
    leat_scope scope = {.rel = rel};
    const leat_expr *expr;
    LEAT_TRY(leat_bind_expr(plan, &scope, ast->expr, &expr));
    if (expr->type.kind == LEAT_TYPE_NULL)
        return leat_plan_fail(plan, ast->expr_place, LEAT_INVALID,
                              "The type of NULL is not known: write CAST(NULL AS …)");
    column->type = expr->type;
    return LEAT_OK;
}

static leat_code add_columns(table_builder *self)
{
    leat_plan *plan = self->plan;
    int32_t first = self->table.columns_count;
    for (int32_t i = 0; i < self->ast->columns.count; i++) {
        const leat_ast_column *ast = self->ast->columns.items[i];
        int32_t at = find_column(&self->table, ast->name);
        if (at >= first) return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Duplicate column name '%s'", ast->name);
        if (at >= 0 && !(self->table.columns[at].expression && overwrites(self->ast, "GENERATED")))
            return leat_plan_fail(plan, ast->place, LEAT_INVALID,
                                  "A column named '%s' already exists in the base table.", ast->name);
        if (at < 0) at = self->table.columns_count++;
        leat_catalog_column *column = &self->table.columns[at];
        *column = (leat_catalog_column){.name = ast->name, .comment = ast->comment};
        if (ast->type) column->type = ast->type->type;
        if (ast->kind == LEAT_AST_COLUMN_METADATA) {
            column->is_metadata = true;
            column->is_virtual = ast->is_virtual;
            column->metadata_key = ast->metadata_key;
        } else if (ast->kind == LEAT_AST_COLUMN_COMPUTED) {
            column->expression = place_text(plan, ast->expr_place);
            if (!column->expression) return leat_fail_no_memory(plan->error);
        }
    }
    for (int32_t i = 0; i < self->ast->columns.count; i++) {
        const leat_ast_column *ast = self->ast->columns.items[i];
        if (ast->kind != LEAT_AST_COLUMN_COMPUTED) continue;
        LEAT_TRY(bind_computed(self, ast, &self->table.columns[find_column(&self->table, ast->name)]));
    }
    return LEAT_OK;
}

static leat_code set_key(table_builder *self, const char **names, int32_t count, leat_sql_range place)
{
    if (self->table.primary_key_count > 0 && !overwrites(self->ast, "CONSTRAINTS"))
        return leat_plan_fail(self->plan, place, LEAT_INVALID, "A table has one primary key only");
    self->table.primary_key = names;
    self->table.primary_key_count = count;
    return LEAT_OK;
}

static leat_code add_keys(table_builder *self)
{
    leat_plan *plan = self->plan;
    for (int32_t i = 0; i < self->ast->columns.count; i++) {
        const leat_ast_column *ast = self->ast->columns.items[i];
        if (!ast->is_key) continue;
        const char **names = leat_arena_take(plan->arena, sizeof *names);
        if (!names) return leat_fail_no_memory(plan->error);
        names[0] = ast->name;
        LEAT_TRY(set_key(self, names, 1, ast->place));
    }
    for (int32_t i = 0; i < self->ast->keys.count; i++) {
        const leat_ast_key *ast = self->ast->keys.items[i];
        const char **names = leat_arena_take(plan->arena, (size_t)(ast->columns.count + 1) * sizeof *names);
        if (!names) return leat_fail_no_memory(plan->error);
        for (int32_t k = 0; k < ast->columns.count; k++) {
            const leat_ast_name *name = ast->columns.items[k];
            int32_t at = find_column(&self->table, name->parts[0]);
            if (at < 0)
                return leat_plan_fail(plan, name->place, LEAT_INVALID,
                                      "Primary key column '%s' is not defined in the schema", name->parts[0]);
            if (self->table.columns[at].expression)
                return leat_plan_fail(plan, name->place, LEAT_INVALID,
                                      "Could not create a PRIMARY KEY with column '%s': it is computed",
                                      name->parts[0]);
            for (int32_t p = 0; p < k; p++)
                if (strcmp(names[p], name->parts[0]) == 0)
                    return leat_plan_fail(plan, name->place, LEAT_INVALID, "The primary key names '%s' twice",
                                          name->parts[0]);
            names[k] = name->parts[0];
        }
        LEAT_TRY(set_key(self, names, ast->columns.count, ast->place));
    }
    for (int32_t i = 0; i < self->table.primary_key_count; i++) { /* a key is never NULL */
        int32_t at = find_column(&self->table, self->table.primary_key[i]);
        if (at >= 0) self->table.columns[at].type.nullable = false;
    }
    return LEAT_OK;
}

static leat_code add_partitions(table_builder *self)
{
    leat_plan *plan = self->plan;
    const leat_ast_list *list = &self->ast->partitioned_by;
    if (list->count == 0) return LEAT_OK;
    const char **names = leat_arena_take(plan->arena, (size_t)list->count * sizeof *names);
    if (!names) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < list->count; i++) {
        const leat_ast_name *name = list->items[i];
        int32_t at = find_column(&self->table, name->parts[0]);
        if (at < 0 || self->table.columns[at].expression)
            return leat_plan_fail(plan, name->place, LEAT_INVALID,
                                  "Partition column '%s' not defined in the table schema", name->parts[0]);
        names[i] = name->parts[0];
    }
    self->table.partition_keys = names;
    self->table.partition_keys_count = list->count;
    return LEAT_OK;
}

static leat_code add_with(table_builder *self)
{
    leat_plan *plan = self->plan;
    const leat_ast_list *list = &self->ast->options;
    leat_config_entry *entries = leat_arena_take(plan->arena, (size_t)(list->count + 1) * sizeof *entries);
    if (!entries) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < list->count; i++) {
        const leat_ast_pair *pair = list->items[i];
        for (int32_t k = 0; k < i; k++)
            if (strcmp(entries[k].key, pair->key) == 0)
                return leat_plan_fail(plan, pair->place, LEAT_INVALID, "The option '%s' is given twice", pair->key);
        entries[i] = (leat_config_entry){(char *)(uintptr_t)pair->key, (char *)(uintptr_t)pair->value};
    }
    leat_config options = {.entries = entries, .count = (size_t)list->count};
    return add_options(self, &options);
}

static leat_code build(table_builder *self)
{
    leat_plan *plan = self->plan;
    const leat_ast_statement *ast = self->ast;
    const leat_catalog_table *like = NULL;
    self->capacity = ast->columns.count;
    if (ast->like) {
        LEAT_TRY(leat_plan_find_table(plan, ast->like, NULL, &like));
        if (like->view_query)
            return leat_plan_fail(plan, ast->like->place, LEAT_INVALID, "LIKE takes a table, '%s' is a view",
                                  like->name);
        self->capacity += like->columns_count;
    }
    self->table.columns = leat_arena_take(plan->arena, (size_t)(self->capacity + 1) * sizeof *self->table.columns);
    if (!self->table.columns) return leat_fail_no_memory(plan->error);
    if (like) LEAT_TRY(take_like(self, like));
    LEAT_TRY(add_columns(self));
    LEAT_TRY(add_keys(self));
    LEAT_TRY(add_partitions(self));
    LEAT_TRY(add_with(self));
    self->table.options = self->options;
    if (ast->watermarks.count > 0) {
        const leat_ast_watermark *from = ast->watermarks.items[0];
        leat_catalog_watermark *watermark = leat_arena_take(plan->arena, sizeof *watermark);
        if (!watermark) return leat_fail_no_memory(plan->error);
        watermark->column = from->column->parts[0];
        watermark->expression = place_text(plan, from->expr->place);
        if (!watermark->expression) return leat_fail_no_memory(plan->error);
        if (find_column(&self->table, watermark->column) < 0)
            return leat_plan_fail(plan, from->place, LEAT_INVALID,
                                  "The rowtime attribute field '%s' is not defined in the table schema",
                                  watermark->column);
        self->table.watermark = watermark;
    }
    if (self->table.columns_count == 0)
        return leat_plan_fail(plan, ast->place, LEAT_INVALID, "A table has at least one column");
    return LEAT_OK;
}

/* Into the session's temporary objects or the catalog; what is there already is said or, with IF NOT EXISTS, left. */
static leat_code store(leat_statement *self, leat_catalog_table *table, const char *const full[3])
{
    leat_plan *plan = &self->plan;
    leat_session *session = self->session;
    leat_sql_range place = self->ast->name->place;
    leat_catalog *catalog = leat_session_get_catalog(session, full[0], plan->arena, plan->error);
    if (!catalog) return leat_plan_at(plan, place, LEAT_NOT_FOUND);
    leat_code code;
    table->name = full[2];
    table->catalog = full[0];
    if (self->ast->is_temporary) {
        table->is_temporary = true;
        table->database = leat_temporary_database(plan->arena, full[0], full[1]);
        code = table->database ? LEAT_OK : leat_fail_no_memory(plan->error);
        if (code == LEAT_OK && self->ast->is_or_replace) {
            leat_error ignored = {0};
            (void)session->temporary->vtable->drop_table(session->temporary, table->database, full[2],
                                                         &ignored); /* none: fine */
        }
        if (code == LEAT_OK) code = session->temporary->vtable->create_table(session->temporary, table, plan->error);
        if (code == LEAT_EXISTS)
            code = leat_plan_fail(plan, place, LEAT_EXISTS, "Temporary table '`%s`.`%s`.`%s`' already exists", full[0],
                                  full[1], full[2]);
    } else if (self->ast->is_or_replace) {
        code = leat_plan_fail(plan, self->ast->place, LEAT_UNSUPPORTED,
                              "OR REPLACE is supported for temporary objects only: DROP it first");
    } else {
        table->database = full[1];
        code = catalog->vtable->create_table(catalog, table, plan->error);
        if (code == LEAT_OK && catalog->vtable->warn_of_options)
            catalog->vtable->warn_of_options(&table->options, &plan->warnings);
    }
    leat_catalog_unref(catalog);
    if (code == LEAT_EXISTS && self->ast->if_not_exists) return LEAT_OK;
    return code == LEAT_OK ? code : leat_plan_at(plan, place, code);
}

/* Whether it is there already: then IF NOT EXISTS asks nothing more of the definition. */
static leat_code is_kept(leat_statement *self, bool *out)
{
    leat_error error = {0};
    leat_plan look = self->plan;
    const leat_catalog_table *found;
    look.error = &error;
    leat_code code = leat_plan_find_table(&look, self->ast->name, NULL, &found);
    *out = code == LEAT_OK && found->is_temporary == self->ast->is_temporary;
    if (code == LEAT_OK || code == LEAT_NOT_FOUND) return LEAT_OK;
    if (self->plan.error) *self->plan.error = error;
    return leat_plan_at(&self->plan, self->ast->name->place, code);
}

leat_code leat_create_table(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    const char *full[3];
    bool is_there = false;
    LEAT_TRY(leat_full_name(plan, self->ast->name, full));
    if (self->ast->query)
        return leat_plan_fail(plan, self->ast->query_place, LEAT_UNSUPPORTED,
                              "CREATE TABLE AS SELECT is not supported yet: CREATE TABLE, then INSERT INTO");
    if (self->ast->if_not_exists) LEAT_TRY(is_kept(self, &is_there));
    if (is_there) return LEAT_OK;
    table_builder builder = {.plan = plan, .ast = self->ast};
    LEAT_TRY(build(&builder));
    builder.table.comment = self->ast->comment;
    leat_catalog *catalog = leat_session_get_catalog(self->session, full[0], plan->arena, plan->error);
    if (!catalog) return leat_plan_at(plan, self->ast->name->place, LEAT_NOT_FOUND);
    bool is_generic = self->ast->is_temporary || catalog->vtable == self->session->default_catalog->vtable;
    leat_catalog_unref(catalog);
    const char *connector = leat_config_find(&builder.options, "connector");
    if (is_generic && !connector) {
        (void)leat_plan_fail(plan, self->ast->name->place, LEAT_INVALID,
                             "Table options do not contain an option key 'connector' for discovering a connector.");
        leat_fail_hint(plan->error, "WITH ('connector' = '…', …)");
        return LEAT_INVALID;
    }
    if (!is_generic && connector && strcmp(connector, "paimon") != 0)
        return leat_plan_fail(
            plan, self->ast->name->place, LEAT_INVALID,
            "Paimon Catalog only supports paimon tables, but you specify  'connector'= '%s' when using Paimon Catalog. "
            "You can create TEMPORARY table instead if you want to create the table of other connector.",
            connector);
    return store(self, &builder.table, full);
}

leat_code leat_create_view(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    const char *full[3];
    leat_rel *rel;
    LEAT_TRY(leat_full_name(plan, self->ast->name, full));
    LEAT_TRY(leat_bind_query(plan, self->ast->query, &rel));
    leat_ast_list names = {0};
    names.items = leat_arena_take(plan->arena, (size_t)(self->ast->column_names.count + 1) * sizeof *names.items);
    if (!names.items) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < self->ast->column_names.count; i++)
        names.items[names.count++] =
            (void *)(uintptr_t)((const leat_ast_name *)self->ast->column_names.items[i])->parts[0];
    LEAT_TRY(leat_rename(plan, rel, &names, self->ast->query_place, &rel));
    leat_catalog_table view = {.comment = self->ast->comment,
                               .view_query = place_text(plan, self->ast->query_place),
                               .view_catalog = plan->current_catalog,
                               .view_database = plan->current_database,
                               .columns_count = rel->schema.fields_count};
    view.columns = leat_arena_take(plan->arena, (size_t)(view.columns_count + 1) * sizeof *view.columns);
    if (!view.columns || !view.view_query) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < view.columns_count; i++)
        view.columns[i] = (leat_catalog_column){.name = rel->schema.fields[i].name, .type = rel->schema.fields[i].type};
    return store(self, &view, full);
}
