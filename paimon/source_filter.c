#include "paimon/source_filter.h"

#include <string.h>

#include "paimon/schema.h"

enum { PREDICATES_MAX = 64 };

typedef struct filter {
    leat_paimon_source_config *config;
    leat_paimon_predicate *predicates;
    int32_t count;
} filter;

static bool compare_of(const char *function, leat_paimon_compare *out)
{
    static const struct {
        const char *id;
        leat_paimon_compare compare;
    } known[] = {{"=", LEAT_PAIMON_EQUAL},         {"<>", LEAT_PAIMON_NOT_EQUAL},
                 {"<", LEAT_PAIMON_LESS},          {"<=", LEAT_PAIMON_LESS_EQUAL},
                 {">", LEAT_PAIMON_GREATER},       {">=", LEAT_PAIMON_GREATER_EQUAL},
                 {"IS NULL", LEAT_PAIMON_IS_NULL}, {"IS NOT NULL", LEAT_PAIMON_IS_NOT_NULL}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].id, function) != 0) continue;
        *out = known[i].compare;
        return true;
    }
    return false;
}

static leat_paimon_compare mirrored(leat_paimon_compare compare)
{
    switch (compare) {
    case LEAT_PAIMON_LESS: return LEAT_PAIMON_GREATER;
    case LEAT_PAIMON_LESS_EQUAL: return LEAT_PAIMON_GREATER_EQUAL;
    case LEAT_PAIMON_GREATER: return LEAT_PAIMON_LESS;
    case LEAT_PAIMON_GREATER_EQUAL: return LEAT_PAIMON_LESS_EQUAL;
    default: return compare;
    }
}

static bool is_usable(const leat_paimon_schema *schema, const leat_paimon_field *field)
{
    bool is_key = schema->primary_keys_count == 0;
    for (int32_t i = 0; i < schema->primary_keys_count; i++)
        is_key = is_key || strcmp(schema->primary_keys[i], field->name) == 0;
    return is_key;
}

/* The constant as a value of the column's type; only of the very type, or text: everything else would need a cast. */
static bool value_of(const leat_type *type, const leat_expr *literal, leat_paimon_value *out)
{
    if (literal->kind != LEAT_EXPR_LITERAL || literal->value.is_null) return false;
    bool is_text = type->kind == LEAT_TYPE_VARCHAR && leat_type_is_text(&literal->type);
    if (!is_text && !leat_type_equal(type, &literal->type, false)) return false;
    *out = (leat_paimon_value){0};
    switch (type->kind) {
    case LEAT_TYPE_FLOAT: out->real = (float)literal->value.f64; return true;
    case LEAT_TYPE_DOUBLE: out->number = literal->value.f64; return true;
    case LEAT_TYPE_DECIMAL: out->decimal = literal->value.i128; return true;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: return false;
    case LEAT_TYPE_VARCHAR:
        out->bytes.data = (const uint8_t *)literal->value.text.data;
        out->bytes.size = (size_t)literal->value.text.length;
        return true;
    default: out->integer = literal->value.i64; return true;
    }
}

static void add(filter *self, const leat_expr *call)
{
    leat_paimon_predicate predicate = {0};
    if (call->kind != LEAT_EXPR_CALL || !compare_of(call->function, &predicate.compare)) return;
    bool has_value = predicate.compare != LEAT_PAIMON_IS_NULL && predicate.compare != LEAT_PAIMON_IS_NOT_NULL;
    if (call->arguments_count != 1 + has_value || self->count == PREDICATES_MAX) return;
    const leat_expr *column = call->arguments[0], *constant = has_value ? call->arguments[1] : NULL;
    if (has_value && column->kind == LEAT_EXPR_LITERAL) {
        column = call->arguments[1];
        constant = call->arguments[0];
        predicate.compare = mirrored(predicate.compare);
    }
    if (column->kind != LEAT_EXPR_COLUMN || column->column < 0 || column->column >= self->config->columns_count) return;
    const leat_paimon_schema *schema = &self->config->table->schema;
    const leat_paimon_field *field = &schema->fields[self->config->columns[column->column]];
    if (!is_usable(schema, field) || (constant && !value_of(&field->type, constant, &predicate.value))) return;
    if (!constant) predicate.value.is_null = true;
    predicate.field_id = field->id;
    self->predicates[self->count++] = predicate;
}

leat_code leat_paimon_source_filter(const leat_expr *expr, leat_paimon_source_config *config, leat_arena *arena,
                                    leat_error *error)
{
    config->predicates = NULL;
    config->predicates_count = 0;
    if (!expr) return LEAT_OK;
    filter self = {.config = config, .predicates = leat_arena_take(arena, PREDICATES_MAX * sizeof *self.predicates)};
    if (!self.predicates) return leat_fail_no_memory(error);
    const leat_expr
        *waiting[LEAT_EXPR_DEPTH_MAX]; /* a walk without recursion; what does not fit is left to the query */
    int count = 0;
    waiting[count++] = expr;
    while (count > 0) {
        const leat_expr *next = waiting[--count];
        if (next->kind != LEAT_EXPR_AND) {
            add(&self, next);
            continue;
        }
        for (int32_t i = 0; i < next->arguments_count && count < LEAT_EXPR_DEPTH_MAX; i++)
            waiting[count++] = next->arguments[i];
    }
    config->predicates = self.predicates;
    config->predicates_count = self.count;
    return LEAT_OK;
}
