/* FROM: tables with their computed columns, views, sub-queries, lookup joins. */
#include <string.h>

#include "sql/bind.h"
#include "sql/parse.h"

enum { VIEW_DEPTH_MAX = 16 };

/* A scan of all physical columns, then the table's columns in the order of its definition. */
static leat_code make_scan(leat_plan *plan, const leat_bound_table *table, leat_rel **out)
{
    const leat_catalog_table *definition = table->definition;
    leat_rel *scan = leat_rel_new(plan, LEAT_REL_SCAN, NULL);
    int32_t *columns = leat_arena_take(plan->arena, (size_t)(table->table.schema.fields_count + 1) * sizeof *columns);
    if (!scan || !columns) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < table->table.schema.fields_count; i++)
        columns[i] = i;
    scan->source = table;
    scan->columns = columns;
    scan->columns_count = table->table.schema.fields_count;
    scan->schema = table->table.schema;
    *out = scan;
    if (definition->columns_count == scan->columns_count) return LEAT_OK;
    const leat_expr **exprs = leat_arena_take(plan->arena, (size_t)definition->columns_count * sizeof *exprs);
    leat_field *fields = leat_arena_take(plan->arena, (size_t)definition->columns_count * sizeof *fields);
    if (!exprs || !fields) return leat_fail_no_memory(plan->error);
    leat_scope scope = {.rel = scan};
    for (int32_t i = 0; i < definition->columns_count; i++) {
        const leat_catalog_column *column = &definition->columns[i];
        leat_ast_expr *ast;
        fields[i].name = column->name;
        if (column->is_metadata)
            return leat_plan_fail(plan, table->place, LEAT_UNSUPPORTED,
                                  "Metadata columns are not supported yet: '%s' of %s", column->name, table->path);
        if (!column->expression) {
            exprs[i] = leat_expr_column(plan, &scan->schema, leat_schema_find(&scan->schema, column->name));
            if (!exprs[i]) return leat_fail_no_memory(plan->error);
            continue;
        }
        leat_code code = leat_parse_expr(plan->arena, column->expression, &ast, plan->error);
        if (code == LEAT_OK) code = leat_bind_expr(plan, &scope, ast, &exprs[i]);
        if (code != LEAT_OK) {
            plan->has_place = false; /* places within the definition's text are not the script's */
            code = leat_fail_in(plan->error, code, "column '%s' of %s", column->name, table->path);
            return leat_plan_at(plan, table->place, code);
        }
    }
    return leat_rel_project(plan, scan, exprs, fields, definition->columns_count, out);
}

static leat_code bind_view(leat_plan *plan, const leat_ast_source *source, const leat_catalog_table *view,
                           leat_rel **out)
{
    leat_ast_query *query;
    if (plan->view_depth >= VIEW_DEPTH_MAX)
        return leat_plan_fail(plan, source->place, LEAT_LIMIT, "Views are nested deeper than %d levels",
                              VIEW_DEPTH_MAX);
    const char *catalog = plan->current_catalog, *database = plan->current_database;
    bool had_place = plan->has_place;
    plan->current_catalog = view->view_catalog;
    plan->current_database = view->view_database;
    plan->view_depth++;
    leat_code code = leat_parse_query(plan->arena, view->view_query, &query, plan->error);
    if (code == LEAT_OK) code = leat_bind_query(plan, query, out);
    plan->view_depth--;
    plan->current_catalog = catalog;
    plan->current_database = database;
    if (code != LEAT_OK) {
        plan->has_place = had_place;
        code = leat_fail_in(plan->error, code, "view %s", view->name);
        return leat_plan_at(plan, source->place, code);
    }
    if (view->columns_count != (*out)->schema.fields_count)
        return leat_plan_fail(plan, source->place, LEAT_INVALID,
                              "The view '%s' does not fit its tables any more: create it again", view->name);
    leat_field *fields = leat_arena_take(plan->arena, (size_t)view->columns_count * sizeof *fields);
    if (!fields) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < view->columns_count; i++)
        fields[i] = (leat_field){view->columns[i].name, (*out)->schema.fields[i].type};
    leat_rel *named = leat_arena_take(plan->arena, sizeof *named);
    if (!named) return leat_fail_no_memory(plan->error);
    *named = **out;
    named->schema.fields = fields;
    *out = named;
    return LEAT_OK;
}

leat_code leat_rename(leat_plan *plan, leat_rel *rel, const leat_ast_list *names, leat_sql_range place, leat_rel **out)
{
    *out = rel;
    if (names->count == 0) return LEAT_OK;
    if (names->count != rel->schema.fields_count)
        return leat_plan_fail(
            plan, place, LEAT_INVALID,
            "List of column aliases must have same degree as table; it has %d columns, whereas alias list has %d",
            rel->schema.fields_count, names->count);
    leat_field *fields = leat_arena_take(plan->arena, (size_t)names->count * sizeof *fields);
    leat_rel *named = leat_arena_take(plan->arena, sizeof *named);
    if (!fields || !named) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < names->count; i++)
        fields[i] = (leat_field){names->items[i], rel->schema.fields[i].type};
    *named = *rel;
    named->schema.fields = fields;
    *out = named;
    return LEAT_OK;
}

/* A name of WITH, a view or a table. */
static leat_code bind_named(leat_plan *plan, const leat_cte *ctes, const leat_ast_source *source, leat_rel **out,
                            leat_scope_relation *relation)
{
    const leat_ast_name *name = source->name;
    relation->alias = source->alias ? source->alias : name->parts[name->count - 1];
    for (const leat_cte *cte = name->count == 1 ? ctes : NULL; cte; cte = cte->outer) {
        if (strcmp(cte->with->name, name->parts[0]) != 0) continue;
        LEAT_TRY(leat_bind_query_in(plan, cte->visible, cte->with->query, out));
        return leat_rename(plan, *out, &cte->with->column_aliases, cte->with->place, out);
    }
    leat_config dynamic = {0};
    const leat_catalog_table *definition;
    leat_bound_table *table;
    LEAT_TRY(leat_bind_hints(plan, &source->hints, &dynamic));
    LEAT_TRY(leat_plan_find_table(plan, name, &dynamic, &definition));
    if (!source->alias) {
        relation->catalog = definition->catalog;
        relation->database = definition->database;
    }
    if (definition->view_query) return bind_view(plan, source, definition, out);
    LEAT_TRY(leat_plan_bind_table(plan, definition, source->place, &table));
    return make_scan(plan, table, out);
}

static leat_code bind_one(leat_plan *plan, const leat_cte *ctes, const leat_ast_source *source, leat_scope *scope)
{
    leat_scope_relation relation = {.alias = source->alias};
    leat_rel *rel;
    if (source->system_time)
        return leat_plan_fail(plan, source->system_time->place, LEAT_UNSUPPORTED,
                              "FOR SYSTEM_TIME AS OF is supported for the right side of a join only (lookup join)");
    if (source->kind == LEAT_AST_SOURCE_QUERY)
        LEAT_TRY(leat_bind_query_in(plan, ctes, source->query, &rel));
    else
        LEAT_TRY(bind_named(plan, ctes, source, &rel, &relation));
    LEAT_TRY(leat_rename(plan, rel, &source->column_aliases, source->alias_place, &rel));
    scope->rel = rel;
    relation.count = rel->schema.fields_count;
    return leat_scope_add(plan, scope, &relation);
}

static bool reads_only(const leat_expr *expr, int32_t count)
{
    if (expr->kind == LEAT_EXPR_COLUMN) return expr->column < count;
    for (int32_t i = 0; i < expr->arguments_count; i++)
        if (!reads_only(expr->arguments[i], count)) return false;
    return true;
}

/* `stream = column of the table`, either way round; the stream's side may be any expression of it: a cast, a constant.
 */
static bool is_key_pair(const leat_expr *expr, int32_t left_count, const leat_expr **left, int32_t *right)
{
    if (expr->kind != LEAT_EXPR_CALL || strcmp(expr->function, "=") != 0) return false;
    for (int side = 0; side < 2; side++) {
        const leat_expr *stream = expr->arguments[side], *table = expr->arguments[1 - side];
        if (table->kind != LEAT_EXPR_COLUMN || table->column < left_count || !reads_only(stream, left_count)) continue;
        *left = stream;
        *right = table->column - left_count;
        return true;
    }
    return false;
}

/* Keys that are computed become columns of the stream, behind its own; the table's columns move by as many. */
static leat_code add_key_columns(leat_plan *plan, leat_rel *join, const leat_expr **keys)
{
    leat_rel *input = join->inputs[0];
    int32_t left = input->schema.fields_count, used = left, all = join->schema.fields_count;
    const leat_expr **exprs = leat_arena_take(plan->arena, (size_t)(left + join->keys_count) * sizeof *exprs);
    leat_field *fields = leat_arena_take(plan->arena, (size_t)(all + join->keys_count) * sizeof *fields);
    int32_t *map = leat_arena_take(plan->arena, (size_t)all * sizeof *map);
    if (!exprs || !fields || !map) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < left; i++) {
        exprs[i] = leat_expr_column(plan, &input->schema, i);
        fields[i] = input->schema.fields[i];
        if (!exprs[i]) return leat_fail_no_memory(plan->error);
    }
    for (int32_t k = 0; k < join->keys_count; k++) {
        join->keys[k] = keys[k]->kind == LEAT_EXPR_COLUMN ? keys[k]->column : used;
        if (keys[k]->kind == LEAT_EXPR_COLUMN) continue;
        fields[used] = (leat_field){leat_arena_format(plan->arena, "$k%d", k), keys[k]->type};
        exprs[used] = keys[k];
        if (!fields[used++].name) return leat_fail_no_memory(plan->error);
    }
    if (used == left) return LEAT_OK;
    for (int32_t i = 0; i < all; i++)
        map[i] = i < left ? i : i + used - left;
    memcpy(fields + used, join->schema.fields + left, (size_t)(all - left) * sizeof *fields);
    LEAT_TRY(leat_rel_project(plan, input, exprs, fields, used, &join->inputs[0]));
    join->schema = (leat_schema){all + used - left, fields};
    if (join->condition) join->condition = leat_expr_remap(plan, join->condition, map);
    return LEAT_OK;
}

/* Splits ON into keys and the rest. */
static leat_code split_condition(leat_plan *plan, leat_rel *join, const leat_expr *on, leat_sql_range place)
{
    int32_t left_count = join->inputs[0]->schema.fields_count;
    int32_t count = on->kind == LEAT_EXPR_AND ? on->arguments_count : 1;
    join->keys = leat_arena_take(plan->arena, (size_t)count * sizeof *join->keys);
    join->table_keys = leat_arena_take(plan->arena, (size_t)count * sizeof *join->table_keys);
    const leat_expr **keys = leat_arena_take(plan->arena, (size_t)count * sizeof *keys);
    if (!join->keys || !join->table_keys || !keys) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++) {
        const leat_expr *part = on->kind == LEAT_EXPR_AND ? on->arguments[i] : on, *left;
        int32_t right;
        bool is_key = is_key_pair(part, left_count, &left, &right);
        for (int32_t k = 0; k < join->keys_count && is_key; k++)
            is_key = join->table_keys[k] != right;
        if (is_key && leat_type_equal(&left->type, &join->source->table.schema.fields[right].type, false)) {
            keys[join->keys_count] = left;
            join->table_keys[join->keys_count++] = right;
            continue;
        }
        join->condition = leat_expr_and(plan, join->condition, part);
        if (!join->condition) return leat_fail_no_memory(plan->error);
    }
    if (join->keys_count > 0) return add_key_columns(plan, join, keys);
    (void)leat_plan_fail(plan, place, LEAT_INVALID,
                         "Temporal table join requires an equality condition on fields of %s", join->source->path);
    leat_fail_hint(plan->error, "compare a column of '%s', not cast, with the stream: ON a.x = b.x",
                   join->source->table.name);
    return LEAT_INVALID;
}

/* The columns of both sides, without those that only the join needed. */
static leat_code hide_key_columns(leat_plan *plan, leat_scope *scope, leat_rel *join, const leat_schema *shown,
                                  int32_t left)
{
    int32_t moved = join->schema.fields_count - shown->fields_count;
    const leat_expr **exprs = leat_arena_take(plan->arena, (size_t)shown->fields_count * sizeof *exprs);
    if (!exprs) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < shown->fields_count; i++) {
        exprs[i] = leat_expr_column(plan, &join->schema, i < left ? i : i + moved);
        if (!exprs[i]) return leat_fail_no_memory(plan->error);
    }
    return leat_rel_project(plan, join, exprs, shown->fields, shown->fields_count, &scope->rel);
}

static const leat_lookup_hint *find_hint(leat_plan *plan, const leat_ast_source *source)
{
    for (int32_t i = 0; i < plan->hints_count; i++) {
        leat_lookup_hint *hint = plan->hints[i];
        bool is_ours = !hint->table || (source->alias && strcmp(hint->table, source->alias) == 0) ||
                       strcmp(hint->table, source->name->parts[source->name->count - 1]) == 0;
        if (!is_ours) continue;
        hint->is_used = true;
        return hint;
    }
    return NULL;
}

static leat_code check_system_time(leat_plan *plan, leat_scope *scope, const leat_ast_source *table)
{
    const leat_expr *time;
    LEAT_TRY(leat_bind_expr(plan, scope, table->system_time, &time));
    if (time->kind == LEAT_EXPR_COLUMN && leat_rel_is_proctime(scope->rel, time->column)) return LEAT_OK;
    (void)leat_plan_fail(plan, table->system_time->place, LEAT_UNSUPPORTED,
                         "FOR SYSTEM_TIME AS OF wants a processing time attribute of the stream; joins as of event "
                         "time are not supported yet");
    leat_fail_hint(plan->error,
                   "give the stream's table a column `proc_time AS PROCTIME()`, or select PROCTIME() in a sub-query");
    return LEAT_UNSUPPORTED;
}

static leat_code bind_lookup_join(leat_plan *plan, const leat_cte *ctes, const leat_ast_source *source,
                                  leat_scope *scope)
{
    const leat_ast_source *right = source->right;
    if (source->join != LEAT_AST_JOIN_INNER && source->join != LEAT_AST_JOIN_LEFT)
        return leat_plan_fail(plan, source->place, LEAT_UNSUPPORTED, "A lookup join is an inner or a left join");
    LEAT_TRY(leat_bind_from(plan, ctes, source->left, scope));
    LEAT_TRY(check_system_time(plan, scope, right));
    leat_config dynamic = {0};
    const leat_catalog_table *definition;
    leat_bound_table *table;
    LEAT_TRY(leat_bind_hints(plan, &right->hints, &dynamic));
    LEAT_TRY(leat_plan_find_table(plan, right->name, &dynamic, &definition));
    if (definition->view_query)
        return leat_plan_fail(plan, right->place, LEAT_UNSUPPORTED,
                              "A lookup join looks rows of a table up, not of the view '%s'", definition->name);
    LEAT_TRY(leat_plan_bind_table(plan, definition, right->place, &table));
    if (!table->connector->plan_lookup)
        return leat_plan_fail(plan, right->place, LEAT_UNSUPPORTED, "The table %s (connector '%s') can't be looked up",
                              table->path, table->connector->identifier);
    leat_rel *join = leat_rel_new(plan, LEAT_REL_LOOKUP_JOIN, scope->rel);
    int32_t left_count = scope->rel->schema.fields_count, table_count = table->table.schema.fields_count;
    leat_field *fields = leat_arena_take(plan->arena, (size_t)(left_count + table_count) * sizeof *fields);
    int32_t *columns = leat_arena_take(plan->arena, (size_t)table_count * sizeof *columns);
    if (!join || !fields || !columns) return leat_fail_no_memory(plan->error);
    join->is_left = source->join == LEAT_AST_JOIN_LEFT;
    memcpy(fields, scope->rel->schema.fields, (size_t)left_count * sizeof *fields);
    for (int32_t i = 0; i < table_count; i++) {
        fields[left_count + i] = table->table.schema.fields[i];
        fields[left_count + i].type.nullable |= join->is_left;
        columns[i] = i;
    }
    join->schema = (leat_schema){left_count + table_count, fields};
    join->source = table;
    join->columns = columns;
    join->columns_count = table_count;
    join->hint = find_hint(plan, right);
    scope->rel = join;
    leat_scope_relation relation = {.alias = right->alias ? right->alias : right->name->parts[right->name->count - 1],
                                    .first = left_count,
                                    .count = table_count};
    LEAT_TRY(leat_scope_add(plan, scope, &relation));
    if (right->column_aliases.count > 0)
        LEAT_TRY(leat_plan_fail(plan, right->alias_place, LEAT_UNSUPPORTED,
                                "Column aliases of a looked-up table are not supported"));
    if (!source->on)
        return leat_plan_fail(plan, source->place, LEAT_UNSUPPORTED,
                              "A lookup join needs ON with an equality (USING is not supported yet)");
    const leat_expr *on;
    LEAT_TRY(leat_bind_condition(plan, scope, source->on, "ON", &on));
    leat_schema shown = join->schema;
    LEAT_TRY(split_condition(plan, join, on, source->on->place));
    return join->schema.fields_count == shown.fields_count ? LEAT_OK
                                                           : hide_key_columns(plan, scope, join, &shown, left_count);
}

leat_code leat_bind_from(leat_plan *plan, const leat_cte *ctes, const leat_ast_source *source, leat_scope *scope)
{
    if (source->kind == LEAT_AST_SOURCE_UNSUPPORTED)
        return leat_plan_fail(plan, source->place, LEAT_UNSUPPORTED, "%s is not supported yet", source->what);
    if (source->kind != LEAT_AST_SOURCE_JOIN) return bind_one(plan, ctes, source, scope);
    if (source->right->kind == LEAT_AST_SOURCE_TABLE && source->right->system_time)
        return bind_lookup_join(plan, ctes, source, scope);
    (void)leat_plan_fail(plan, source->right->place, LEAT_UNSUPPORTED, "Regular joins are not supported yet");
    leat_fail_hint(plan->error,
                   "a lookup join is: JOIN t FOR SYSTEM_TIME AS OF stream.proc_time AS x ON stream.key = x.key");
    return LEAT_UNSUPPORTED;
}
