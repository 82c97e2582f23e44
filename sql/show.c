/* SHOW and DESCRIBE: rows of texts, as Flink's client has them. */
#include <string.h>
#include <strings.h>

#include "sql/internal.h"

enum { ROWS_FIRST = 16 };

leat_code leat_result_columns(leat_session_result *result, const char *const *names, int32_t count, leat_error *error)
{
    leat_field *fields = leat_arena_take(&result->arena, (size_t)count * sizeof *fields);
    if (!fields) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++) {
        fields[i] = (leat_field){leat_arena_strdup(&result->arena, names[i]), leat_type_string(true)};
        if (!fields[i].name) return leat_fail_no_memory(error);
    }
    result->kind = LEAT_RESULT_ROWS;
    result->schema = (leat_schema){count, fields};
    return LEAT_OK;
}

leat_code leat_result_row(leat_session_result *result, const char *const *texts, leat_error *error)
{
    int32_t columns = result->schema.fields_count, rows = result->rows_count;
    const char **all = (const char **)(uintptr_t)result->texts;
    if (rows == 0 || (rows >= ROWS_FIRST && (rows & (rows - 1)) == 0)) { /* full: room for twice as many */
        int32_t capacity = rows == 0 ? ROWS_FIRST : rows * 2;
        all = leat_arena_take(&result->arena, (size_t)capacity * (size_t)columns * sizeof *all);
        if (!all) return leat_fail_no_memory(error);
        if (rows > 0) memcpy(all, result->texts, (size_t)rows * (size_t)columns * sizeof *all);
        result->texts = all;
    }
    for (int32_t i = 0; i < columns; i++) {
        const char *copy = texts[i] ? leat_arena_strdup(&result->arena, texts[i]) : NULL;
        if (texts[i] && !copy) return leat_fail_no_memory(error);
        all[rows * columns + i] = copy;
    }
    result->rows_count++;
    return LEAT_OK;
}

/* SQL's LIKE with % and _; steps back to the last % only, so it is quick. */
static bool is_like(const char *text, const char *pattern)
{
    const char *star = NULL, *mark = NULL;
    while (*text) {
        if (*pattern == '%') {
            star = ++pattern;
            mark = text;
        } else if (*pattern == '_' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '%')
        pattern++;
    return !*pattern;
}

static leat_code show_names(leat_statement *self, const char *column, const leat_catalog_names *names)
{
    const leat_ast_statement *ast = self->ast;
    LEAT_TRY(leat_result_columns(self->result, &column, 1, self->plan.error));
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0 && strcmp(names->items[i], names->items[i - 1]) == 0) continue; /* a temporary one hides another */
        if (ast->value && is_like(names->items[i], ast->value) == ast->is_negated) continue;
        LEAT_TRY(leat_result_row(self->result, &names->items[i], self->plan.error));
    }
    return LEAT_OK;
}

/* Keeps views or says which are. */
static leat_code keep_views(leat_statement *self, const char *catalog, const char *database, leat_catalog_names *names)
{
    leat_plan *plan = &self->plan;
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        leat_ast_name name = {.parts = {catalog, database, names->items[i]}, .count = 3};
        const leat_catalog_table *table;
        LEAT_TRY(leat_plan_find_table(plan, &name, NULL, &table));
        if (table->view_query) names->items[kept++] = names->items[i];
    }
    names->count = kept;
    return LEAT_OK;
}

static leat_code show_tables(leat_statement *self, bool only_views)
{
    leat_plan *plan = &self->plan;
    const leat_ast_name *name = self->ast->name;
    const char *catalog_name = name && name->count > 1 ? name->parts[0] : plan->current_catalog;
    const char *database = name ? name->parts[name->count - 1] : plan->current_database;
    leat_sql_range place = name ? name->place : self->ast->place;
    leat_catalog_names names = {0};
    leat_catalog *catalog = leat_session_get_catalog(self->session, catalog_name, plan->arena, plan->error);
    if (!catalog) return leat_plan_at(plan, place, LEAT_NOT_FOUND);
    bool is_there = false;
    leat_code code = catalog->vtable->has_database(catalog, database, &is_there, plan->error);
    if (code == LEAT_OK && !is_there)
        code = leat_fail(plan->error, LEAT_NOT_FOUND, "Database '%s'.'%s' doesn't exist.", catalog_name, database);
    if (code == LEAT_OK) code = catalog->vtable->list_tables(catalog, database, plan->arena, &names, plan->error);
    leat_catalog_unref(catalog);
    if (code != LEAT_OK) return leat_plan_at(plan, place, code);
    leat_catalog *temporary = self->session->temporary;
    const char *key = leat_temporary_database(plan->arena, catalog_name, database);
    if (!key) return leat_fail_no_memory(plan->error);
    LEAT_TRY(temporary->vtable->list_tables(temporary, key, plan->arena, &names, plan->error));
    leat_catalog_names_sort(&names);
    if (only_views) LEAT_TRY(keep_views(self, catalog_name, database, &names));
    return show_names(self, only_views ? "view name" : "table name", &names);
}

static leat_code show_databases(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    const leat_ast_name *name = self->ast->name;
    leat_catalog_names names = {0};
    leat_catalog *catalog = leat_session_get_catalog(self->session, name ? name->parts[0] : plan->current_catalog,
                                                     plan->arena, plan->error);
    if (!catalog) return leat_plan_at(plan, name ? name->place : self->ast->place, LEAT_NOT_FOUND);
    leat_code code = catalog->vtable->list_databases(catalog, plan->arena, &names, plan->error);
    leat_catalog_unref(catalog);
    if (code != LEAT_OK) return leat_plan_at(plan, self->ast->place, code);
    return show_names(self, "database name", &names);
}

static leat_code show_catalogs(leat_statement *self)
{
    leat_catalog_names names = {0};
    LEAT_TRY(leat_catalog_store_list(self->session->options.catalogs, self->plan.arena, &names, self->plan.error));
    LEAT_TRY(leat_catalog_names_add(&names, self->plan.arena, self->session->default_catalog->name, self->plan.error));
    leat_catalog_names_sort(&names);
    return show_names(self, "catalog name", &names);
}

static leat_code print_key(const leat_catalog_table *table, const char *column, leat_bytes *out)
{
    for (int32_t k = 0; k < table->primary_key_count; k++) {
        if (strcmp(table->primary_key[k], column) != 0) continue;
        leat_bytes_text(out, "PRI(");
        for (int32_t i = 0; i < table->primary_key_count; i++)
            leat_bytes_format(out, "%s%s", i > 0 ? ", " : "", table->primary_key[i]);
        leat_bytes_text(out, ")");
    }
    return LEAT_OK;
}

static bool is_proctime(const leat_catalog_column *column)
{
    return column->expression && strncasecmp(column->expression, "PROCTIME", 8) == 0;
}

static leat_code describe_row(leat_statement *self, const leat_catalog_table *table, const leat_catalog_column *column)
{
    leat_bytes type = {0}, key = {0}, extras = {0};
    leat_type shown = leat_type_with_nullable(&column->type, true);
    leat_type_print(&shown, true, &type);
    if (is_proctime(column)) leat_bytes_text(&type, " *PROCTIME*");
    leat_bytes_text(&key, "");
    LEAT_TRY(print_key(table, column->name, &key));
    if (column->expression) leat_bytes_format(&extras, "AS %s", column->expression);
    if (column->is_metadata)
        leat_bytes_format(&extras, "METADATA%s%s%s%s", column->metadata_key ? " FROM '" : "",
                          column->metadata_key ? column->metadata_key : "", column->metadata_key ? "'" : "",
                          column->is_virtual ? " VIRTUAL" : "");
    bool has_watermark = table->watermark && strcmp(table->watermark->column, column->name) == 0;
    const char *row[7] = {column->name,
                          (const char *)type.data,
                          column->type.nullable ? "TRUE" : "FALSE",
                          key.size > 0 ? (const char *)key.data : NULL,
                          extras.data ? (const char *)extras.data : NULL,
                          has_watermark ? table->watermark->expression : NULL,
                          column->comment};
    leat_code code = leat_bytes_check(&type, self->plan.error);
    if (code == LEAT_OK) code = leat_result_row(self->result, row, self->plan.error);
    leat_bytes_done(&type);
    leat_bytes_done(&key);
    leat_bytes_done(&extras);
    return code;
}

static leat_code describe_table(leat_statement *self)
{
    static const char *const columns[] = {"name", "type", "null", "key", "extras", "watermark", "comment"};
    const leat_catalog_table *table;
    bool with_comment = false;
    LEAT_TRY(leat_plan_find_table(&self->plan, self->ast->name, NULL, &table));
    for (int32_t i = 0; i < table->columns_count; i++)
        with_comment |= table->columns[i].comment != NULL;
    LEAT_TRY(leat_result_columns(self->result, columns, with_comment ? 7 : 6, self->plan.error));
    for (int32_t i = 0; i < table->columns_count; i++) {
        if (self->ast->value && is_like(table->columns[i].name, self->ast->value) == self->ast->is_negated) continue;
        LEAT_TRY(describe_row(self, table, &table->columns[i]));
    }
    return LEAT_OK;
}

static void print_quoted(const char *text, char quote, leat_bytes *out)
{
    leat_bytes_format(out, "%c", quote);
    for (; *text; text++)
        leat_bytes_format(out, *text == quote ? "%c%c" : "%c", *text, *text);
    leat_bytes_format(out, "%c", quote);
}

static void print_column(const leat_catalog_column *column, leat_bytes *out)
{
    leat_bytes_text(out, "  ");
    print_quoted(column->name, '`', out);
    leat_bytes_text(out, " ");
    if (column->expression)
        leat_bytes_format(out, "AS %s", column->expression);
    else
        leat_type_print(&column->type, false, out);
    if (column->is_metadata) {
        leat_bytes_text(out, " METADATA");
        if (column->metadata_key) leat_bytes_format(out, " FROM '%s'", column->metadata_key);
        if (column->is_virtual) leat_bytes_text(out, " VIRTUAL");
    }
    if (column->comment) {
        leat_bytes_text(out, " COMMENT ");
        print_quoted(column->comment, '\'', out);
    }
}

static void print_names(const char *const *names, int32_t count, leat_bytes *out)
{
    for (int32_t i = 0; i < count; i++) {
        if (i > 0) leat_bytes_text(out, ", ");
        print_quoted(names[i], '`', out);
    }
}

static void print_create_table(const leat_catalog_table *table, leat_bytes *out)
{
    leat_bytes_format(out, "CREATE %sTABLE `%s`.`%s`.`%s` (\n", table->is_temporary ? "TEMPORARY " : "", table->catalog,
                      table->database, table->name);
    for (int32_t i = 0; i < table->columns_count; i++) {
        if (i > 0) leat_bytes_text(out, ",\n");
        print_column(&table->columns[i], out);
    }
    if (table->watermark)
        leat_bytes_format(out, ",\n  WATERMARK FOR `%s` AS %s", table->watermark->column, table->watermark->expression);
    if (table->primary_key_count > 0) {
        leat_bytes_text(out, ",\n  CONSTRAINT `PK");
        for (int32_t i = 0; i < table->primary_key_count; i++)
            leat_bytes_format(out, "_%s", table->primary_key[i]);
        leat_bytes_text(out, "` PRIMARY KEY (");
        print_names(table->primary_key, table->primary_key_count, out);
        leat_bytes_text(out, ") NOT ENFORCED");
    }
    leat_bytes_text(out, "\n)");
    if (table->comment) {
        leat_bytes_text(out, " COMMENT ");
        print_quoted(table->comment, '\'', out);
    }
    leat_bytes_text(out, "\n");
    if (table->partition_keys_count > 0) {
        leat_bytes_text(out, "PARTITIONED BY (");
        print_names(table->partition_keys, table->partition_keys_count, out);
        leat_bytes_text(out, ")\n");
    }
    leat_bytes_text(out, "WITH (\n");
    for (size_t i = 0; i < table->options.count; i++) {
        const leat_config_entry *entry = &table->options.entries[i];
        leat_bytes_text(out, "  ");
        print_quoted(entry->key, '\'', out);
        leat_bytes_text(out, " = ");
        print_quoted(leat_option_is_secret(entry->key) ? "******" : entry->value, '\'', out);
        leat_bytes_text(out, i + 1 < table->options.count ? ",\n" : "\n");
    }
    leat_bytes_text(out, ")\n");
}

/* The statement's result is one text, "result"; takes it. */
static leat_code answer_text(leat_statement *self, leat_bytes *text)
{
    const char *column = "result";
    leat_error *error = self->plan.error;
    leat_code code = leat_bytes_check(text, error);
    if (code == LEAT_OK) code = leat_result_columns(self->result, &column, 1, error);
    const char *row = (const char *)text->data;
    if (code == LEAT_OK) code = leat_result_row(self->result, &row, error);
    leat_bytes_done(text);
    return code;
}

static leat_code show_create(leat_statement *self, bool is_view)
{
    leat_plan *plan = &self->plan;
    const leat_catalog_table *table;
    leat_bytes text = {0};
    LEAT_TRY(leat_plan_find_table(plan, self->ast->name, NULL, &table));
    if (is_view != (table->view_query != NULL))
        return leat_plan_fail(plan, self->ast->name->place, LEAT_INVALID,
                              "SHOW CREATE %s is not supported for %s: write SHOW CREATE %s",
                              is_view ? "VIEW" : "TABLE", table->name, is_view ? "TABLE" : "VIEW");
    if (is_view) {
        leat_bytes_format(&text, "CREATE %sVIEW `%s`.`%s`.`%s`(", table->is_temporary ? "TEMPORARY " : "",
                          table->catalog, table->database, table->name);
        for (int32_t i = 0; i < table->columns_count; i++) {
            if (i > 0) leat_bytes_text(&text, ", ");
            print_quoted(table->columns[i].name, '`', &text);
        }
        leat_bytes_format(&text, ") as\n%s\n", table->view_query);
    } else {
        print_create_table(table, &text);
    }
    return answer_text(self, &text);
}

/* DESCRIBE CATALOG and DATABASE: names and values. */
static leat_code describe_options(leat_statement *self)
{
    static const char *const columns[] = {"info name", "info value"};
    leat_plan *plan = &self->plan;
    bool is_database = strcmp(self->ast->what, "DATABASE") == 0;
    const leat_ast_name *name = self->ast->name;
    const char *catalog_name = is_database && name->count == 1 ? plan->current_catalog : name->parts[0];
    leat_catalog *catalog = leat_session_get_catalog(self->session, catalog_name, plan->arena, plan->error);
    if (!catalog) return leat_plan_at(plan, name->place, LEAT_NOT_FOUND);
    bool is_there = true;
    const char *database = name->parts[name->count - 1];
    leat_code code = leat_result_columns(self->result, columns, 2, plan->error);
    if (code == LEAT_OK && is_database) code = catalog->vtable->has_database(catalog, database, &is_there, plan->error);
    if (code == LEAT_OK && !is_there)
        code = leat_fail(plan->error, LEAT_NOT_FOUND, "A database with name [%s] does not exist in the catalog: [%s].",
                         database, catalog_name);
    const char *row[2] = {"name", is_database ? database : catalog->name};
    if (code == LEAT_OK) code = leat_result_row(self->result, row, plan->error);
    for (size_t i = 0; code == LEAT_OK && !is_database && i < catalog->options.count; i++) {
        const leat_config_entry *entry = &catalog->options.entries[i];
        if (!self->ast->is_extended && strcmp(entry->key, "type") != 0) continue;
        row[0] = leat_arena_format(plan->arena, strcmp(entry->key, "type") == 0 ? "%s" : "option:%s", entry->key);
        row[1] = leat_option_is_secret(entry->key) ? "******" : entry->value;
        code = row[0] ? leat_result_row(self->result, row, plan->error) : leat_fail_no_memory(plan->error);
    }
    leat_catalog_unref(catalog);
    return code == LEAT_OK ? code : leat_plan_at(plan, name->place, code);
}

static leat_code show_create_catalog(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    leat_bytes text = {0};
    leat_catalog *catalog =
        leat_session_get_catalog(self->session, self->ast->name->parts[0], plan->arena, plan->error);
    if (!catalog) return leat_plan_at(plan, self->ast->name->place, LEAT_NOT_FOUND);
    leat_bytes_format(&text, "CREATE CATALOG `%s` WITH (\n", catalog->name);
    for (size_t i = 0; i < catalog->options.count; i++) {
        const leat_config_entry *entry = &catalog->options.entries[i];
        leat_bytes_format(&text, "  '%s' = ", entry->key);
        print_quoted(leat_option_is_secret(entry->key) ? "******" : entry->value, '\'', &text);
        leat_bytes_text(&text, i + 1 < catalog->options.count ? ",\n" : "\n");
    }
    leat_bytes_text(&text, ")\n");
    leat_catalog_unref(catalog);
    return answer_text(self, &text);
}

leat_code leat_show(leat_statement *self)
{
    const char *what = self->ast->what;
    leat_catalog_names one = {0};
    if (self->ast->kind == LEAT_AST_DESCRIBE)
        return strcmp(what, "TABLE") == 0 ? describe_table(self) : describe_options(self);
    if (strcmp(what, "CATALOGS") == 0) return show_catalogs(self);
    if (strcmp(what, "DATABASES") == 0) return show_databases(self);
    if (strcmp(what, "TABLES") == 0) return show_tables(self, false);
    if (strcmp(what, "VIEWS") == 0) return show_tables(self, true);
    if (strcmp(what, "COLUMNS") == 0) return describe_table(self);
    if (strcmp(what, "CREATE TABLE") == 0) return show_create(self, false);
    if (strcmp(what, "CREATE VIEW") == 0) return show_create(self, true);
    if (strcmp(what, "CREATE CATALOG") == 0) return show_create_catalog(self);
    bool is_catalog = strcmp(what, "CURRENT CATALOG") == 0;
    LEAT_TRY(leat_catalog_names_add(&one, self->plan.arena,
                                    is_catalog ? self->plan.current_catalog : self->plan.current_database,
                                    self->plan.error));
    return show_names(self, is_catalog ? "current catalog name" : "current database name", &one);
}
