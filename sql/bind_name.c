/* Names of columns, and what is near a wrong one. */
#include <string.h>
#include <strings.h>

#include "sql/bind.h"

leat_code leat_scope_add(leat_plan *plan, leat_scope *scope, const leat_scope_relation *relation)
{
    leat_scope_relation *relations =
        leat_arena_take(plan->arena, (size_t)(scope->relations_count + 1) * sizeof *relations);
    if (!relations) return leat_fail_no_memory(plan->error);
    if (scope->relations_count > 0)
        memcpy(relations, scope->relations, (size_t)scope->relations_count * sizeof *relations);
    relations[scope->relations_count++] = *relation;
    scope->relations = relations;
    return LEAT_OK;
}

static const char *nearest_column(const leat_scope *scope, const leat_scope_relation *in, const char *name)
{
    leat_nearest near = {.word = name, .less_than = (int)strlen(name) / 2 + 1};
    int32_t first = in ? in->first : 0,
            end = in ? in->first + in->count : (scope->rel ? scope->rel->schema.fields_count : 0);
    for (int32_t i = first; i < end; i++)
        leat_nearest_look(&near, scope->rel->schema.fields[i].name);
    return near.found;
}

static leat_code column_is_missing(leat_plan *plan, const leat_scope *scope, const leat_scope_relation *relation,
                                   const leat_ast_name *name)
{
    const char *column = name->parts[name->count - 1];
    leat_sql_range place = name->places[name->count - 1];
    leat_code code = relation ? leat_plan_fail(plan, place, LEAT_INVALID, "Column '%s' not found in table '%s'", column,
                                               relation->alias)
                              : leat_plan_fail(plan, place, LEAT_INVALID, "Column '%s' not found in any table", column);
    const char *nearest = nearest_column(scope, relation, column);
    if (nearest)
        leat_fail_hint(plan->error, "did you mean '%s'?%s", nearest,
                       strcasecmp(nearest, column) == 0 ? " Names are case-sensitive" : "");
    return code;
}

static leat_code find_relation(leat_plan *plan, const leat_scope *scope, const leat_ast_name *name,
                               const leat_scope_relation **out)
{
    int32_t at = name->count - 2;
    leat_nearest near = {.word = name->parts[at], .less_than = (int)strlen(name->parts[at]) / 2 + 1};
    for (int32_t i = 0; i < scope->relations_count; i++) {
        const leat_scope_relation *relation = &scope->relations[i];
        if (!relation->alias) continue;
        bool fits = strcmp(relation->alias, name->parts[at]) == 0;
        if (at >= 1) fits = fits && relation->database && strcmp(relation->database, name->parts[at - 1]) == 0;
        if (at >= 2) fits = fits && relation->catalog && strcmp(relation->catalog, name->parts[at - 2]) == 0;
        if (fits) {
            *out = relation;
            return LEAT_OK;
        }
        leat_nearest_look(&near, relation->alias);
    }
    leat_code code = leat_plan_fail(plan, name->places[at], LEAT_INVALID, "Table '%s' not found", name->parts[at]);
    if (near.found) leat_fail_hint(plan->error, "did you mean '%s'?", near.found);
    return code;
}

leat_code leat_bind_column(leat_plan *plan, const leat_scope *scope, const leat_ast_name *name, int32_t *out)
{
    const leat_scope_relation *relation = NULL;
    const char *column = name->parts[name->count - 1];
    if (name->count > 1) LEAT_TRY(find_relation(plan, scope, name, &relation));
    int32_t found = -1, end = scope->rel ? scope->rel->schema.fields_count : 0;
    for (int32_t i = relation ? relation->first : 0; i < (relation ? relation->first + relation->count : end); i++) {
        if (strcmp(scope->rel->schema.fields[i].name, column) != 0) continue;
        if (found >= 0) return leat_plan_fail(plan, name->place, LEAT_INVALID, "Column '%s' is ambiguous", column);
        found = i;
    }
    if (found < 0) return column_is_missing(plan, scope, relation, name);
    *out = found;
    return LEAT_OK;
}
