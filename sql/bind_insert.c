/* INSERT: the query's columns meet the table's. */
#include <string.h>
#include <strings.h>

#include "sql/bind.h"
#include "sql/internal.h"

static void print_schema(const leat_schema *schema, leat_bytes *out)
{
    leat_bytes_text(out, "[");
    for (int32_t i = 0; i < schema->fields_count; i++) {
        leat_bytes_format(out, "%s%s: ", i > 0 ? ", " : "", schema->fields[i].name);
        leat_type_print(&schema->fields[i].type, true, out);
    }
    leat_bytes_text(out, "]");
}

static leat_code fail_columns(leat_plan *plan, leat_sql_range place, const leat_bound_table *table, const char *cause,
                              const leat_schema *query, const leat_schema *sink)
{
    leat_bytes text = {0};
    leat_bytes_format(&text, "Column types of query result and sink for '%s' do not match. Cause: %s Query schema: ",
                      table->path, cause);
    print_schema(query, &text);
    leat_bytes_text(&text, " Sink schema: ");
    print_schema(sink, &text);
    leat_code code = leat_plan_fail(plan, place, LEAT_INVALID, "%s", text.data ? (const char *)text.data : cause);
    leat_bytes_done(&text);
    return code;
}

static leat_code find_column(leat_plan *plan, const leat_bound_table *table, const char *name, leat_sql_range place,
                             int32_t *out)
{
    const leat_schema *schema = &table->table.schema;
    *out = leat_schema_find(schema, name);
    if (*out >= 0) return LEAT_OK;
    for (int32_t i = 0; i < table->definition->columns_count; i++)
        if (strcmp(table->definition->columns[i].name, name) == 0)
            return leat_plan_fail(plan, place, LEAT_INVALID, "Column '%s' of %s is computed: it can't be written", name,
                                  table->path);
    leat_code code = leat_plan_fail(plan, place, LEAT_INVALID, "Unknown target column '%s' of %s", name, table->path);
    leat_nearest near = {.word = name, .less_than = (int)strlen(name) / 2 + 1};
    for (int32_t i = 0; i < schema->fields_count; i++)
        leat_nearest_look(&near, schema->fields[i].name);
    if (near.found) leat_fail_hint(plan->error, "did you mean '%s'?", near.found);
    return code;
}

/* PARTITION (k = value): constants of the table's type. */
static leat_code bind_partition(leat_plan *plan, const leat_ast_statement *insert, const leat_bound_table *table,
                                const leat_expr **constants, leat_sink_target *target)
{
    const char **pairs = leat_arena_take(plan->arena, (size_t)(insert->partition.count * 2 + 1) * sizeof *pairs);
    if (!pairs) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < insert->partition.count; i++) {
        const leat_ast_pair *pair = insert->partition.items[i];
        leat_scope scope = {0};
        int32_t column;
        const leat_expr *expr;
        bool is_key = false;
        LEAT_TRY(find_column(plan, table, pair->key, pair->place, &column));
        for (int32_t k = 0; k < table->table.partition_keys_count; k++)
            is_key |= strcmp(table->table.partition_keys[k], pair->key) == 0;
        if (!is_key)
            return leat_plan_fail(plan, pair->place, LEAT_INVALID, "'%s' is not a partition key of %s", pair->key,
                                  table->path);
        LEAT_TRY(leat_bind_expr(plan, &scope, pair->expr, &expr));
        constants[column] = leat_expr_cast(plan, expr, &table->table.schema.fields[column].type);
        if (!constants[column]) return leat_fail_no_memory(plan->error);
        pairs[2 * i] = pair->key;
        pairs[2 * i + 1] = pair->expr->text ? pair->expr->text : "";
    }
    target->static_partition = pairs;
    target->static_partition_count = insert->partition.count;
    return LEAT_OK;
}

/* The source column of each of the table's columns; -1: none (NULL or a constant). */
static leat_code map_columns(leat_plan *plan, const leat_ast_statement *insert, const leat_bound_table *table,
                             const leat_schema *query, const leat_expr *const *constants, int32_t *map)
{
    const leat_schema *sink = &table->table.schema;
    int32_t wanted = 0;
    for (int32_t i = 0; i < sink->fields_count; i++)
        map[i] = -1;
    if (insert->column_names.count > 0) {
        for (int32_t i = 0; i < insert->column_names.count; i++) {
            const leat_ast_name *name = insert->column_names.items[i];
            int32_t column;
            LEAT_TRY(find_column(plan, table, name->parts[0], name->place, &column));
            if (map[column] >= 0 || constants[column])
                return leat_plan_fail(plan, name->place, LEAT_INVALID, "Target column '%s' is assigned more than once",
                                      name->parts[0]);
            map[column] = wanted++;
        }
        if (wanted != query->fields_count)
            return leat_plan_fail(plan, insert->query_place, LEAT_INVALID,
                                  "Number of INSERT target columns (%d) does not equal number of source items (%d)",
                                  wanted, query->fields_count);
        return LEAT_OK;
    }
    for (int32_t i = 0; i < sink->fields_count; i++)
        if (!constants[i]) map[i] = wanted++;
    if (wanted != query->fields_count)
        return fail_columns(plan, insert->query_place, table, "Different number of columns.", query, sink);
    return LEAT_OK;
}

static bool is_text_to_text(const leat_type *from, const leat_type *to)
{
    return (leat_type_is_text(from) && leat_type_is_text(to)) || (leat_type_is_bytes(from) && leat_type_is_bytes(to));
}

/* The value as the column's type. Lengths of texts are left alone unless table.exec.sink.type-length-enforcer says
 * TRIM_PAD. */
static leat_code convert(leat_plan *plan, const leat_ast_statement *insert, const leat_bound_table *table,
                         const leat_schema *query, int32_t column, bool trims, const leat_expr **expr)
{
    const leat_type *to = &table->table.schema.fields[column].type, *from = &(*expr)->type;
    if (from->kind != LEAT_TYPE_NULL && !leat_type_equal(from, to, false)) {
        if (is_text_to_text(from, to) && !trims) return LEAT_OK;
        if (!leat_cast_is_implicit(from, to)) {
            const char *cause =
                leat_arena_format(plan->arena, "Incompatible types for sink column '%s' at position %d.",
                                  table->table.schema.fields[column].name, column);
            return fail_columns(plan, insert->query_place, table, cause ? cause : "", query, &table->table.schema);
        }
    }
    *expr = leat_expr_cast(plan, *expr, to);
    return *expr ? LEAT_OK : leat_fail_no_memory(plan->error);
}

static leat_code find_not_null(leat_plan *plan, const leat_bound_table *table, const leat_expr *const *exprs,
                               leat_sink_target *target)
{
    const leat_schema *sink = &table->table.schema;
    int32_t *columns = leat_arena_take(plan->arena, (size_t)(sink->fields_count + 1) * sizeof *columns);
    if (!columns) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < sink->fields_count; i++) /* a decimal that overflows is NULL whatever its type says */
        if (!sink->fields[i].type.nullable && (exprs[i]->type.nullable || (exprs[i]->type.kind == LEAT_TYPE_DECIMAL &&
                                                                           exprs[i]->kind != LEAT_EXPR_LITERAL)))
            columns[target->not_null_count++] = i;
    target->not_null = columns;
    return LEAT_OK;
}

leat_code leat_bind_insert(leat_plan *plan, const leat_ast_statement *insert, leat_rel **rel, leat_sink_target *target)
{
    leat_config dynamic = {0};
    const leat_catalog_table *definition;
    leat_bound_table *table;
    leat_rel *query;
    *target = (leat_sink_target){.is_overwrite = insert->is_overwrite};
    LEAT_TRY(leat_bind_hints(plan, &insert->hints, &dynamic));
    LEAT_TRY(leat_plan_find_table(plan, insert->name, &dynamic, &definition));
    if (definition->view_query)
        return leat_plan_fail(plan, insert->name->place, LEAT_INVALID, "'%s' is a view: rows go into tables",
                              definition->name);
    LEAT_TRY(leat_plan_bind_table(plan, definition, insert->name->place, &table));
    target->table = table;
    if (!table->connector->plan_sink)
        return leat_plan_fail(plan, insert->name->place, LEAT_INVALID,
                              "Connector '%s' can only be used as a source. It cannot be used as a sink.",
                              table->connector->identifier);
    LEAT_TRY(leat_bind_query(plan, insert->query, &query));
    int32_t count = table->table.schema.fields_count,
            *map = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *map);
    const leat_expr **exprs = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *exprs);
    const leat_expr **constants = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *constants);
    if (!map || !exprs || !constants) return leat_fail_no_memory(plan->error);
    LEAT_TRY(bind_partition(plan, insert, table, constants, target));
    LEAT_TRY(map_columns(plan, insert, table, &query->schema, constants, map));
    const char *enforcer = leat_config_find(plan->config, "table.exec.sink.type-length-enforcer");
    bool trims = enforcer && strcasecmp(enforcer, "TRIM_PAD") == 0;
    for (int32_t i = 0; i < count; i++) {
        const leat_type *type = &table->table.schema.fields[i].type;
        exprs[i] = constants[i]
                       ? constants[i]
                       : (map[i] >= 0 ? leat_expr_column(plan, &query->schema, map[i]) : leat_expr_null(plan, type));
        if (!exprs[i]) return leat_fail_no_memory(plan->error);
        if (map[i] < 0 && !constants[i] && !type->nullable)
            return leat_plan_fail(plan, insert->name->place, LEAT_INVALID,
                                  "Column '%s' has no default value and does not allow NULLs",
                                  table->table.schema.fields[i].name);
        LEAT_TRY(convert(plan, insert, table, &query->schema, i, trims, &exprs[i]));
    }
    LEAT_TRY(find_not_null(plan, table, exprs, target));
    bool is_same = count == query->schema.fields_count;
    for (int32_t i = 0; i < count && is_same; i++)
        is_same = exprs[i]->kind == LEAT_EXPR_COLUMN && exprs[i]->column == i;
    *rel = query;
    return is_same ? LEAT_OK : leat_rel_project(plan, query, exprs, table->table.schema.fields, count, rel);
}
