#include <string.h>

#include "columnar/program.h"
#include "common/memory.h"

enum { PROGRAM_BYTES_MAX = 8 << 20, STEPS_MAX = 20000 };

static leat_code compile(leat_program *self, const leat_expr *expr, int32_t selection, int depth, int32_t *out,
                         leat_error *error);

static leat_code new_register(leat_program *self, const leat_type *type, int32_t *out, leat_error *error)
{
    if (!leat_type_has_column(type)) {
        leat_bytes text = {0};
        leat_type_print(type, true, &text);
        leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "values of type %s have no columns yet",
                                   text.failed || !text.data ? "?" : (const char *)text.data);
        leat_bytes_done(&text);
        return code;
    }
    LEAT_TRY(leat_grow(&self->registers, &self->registers_capacity, self->registers_count + 1, sizeof *self->registers,
                       error));
    self->registers[self->registers_count] =
        (leat_register){.type = *type, .column = {.layout = leat_type_layout(type)}};
    *out = (int32_t)self->registers_count++;
    return LEAT_OK;
}

static leat_code new_selection(leat_program *self, int32_t parent, int32_t *out, leat_error *error)
{
    LEAT_TRY(leat_grow(&self->selections, &self->selections_capacity, self->selections_count + 1,
                       sizeof *self->selections, error));
    leat_selection *selection = &self->selections[self->selections_count];
    *selection = (leat_selection){.parent = parent};
    if (parent >= 0) {
        selection->rows = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *selection->rows);
        if (!selection->rows) return leat_fail_no_memory(error);
    }
    *out = (int32_t)self->selections_count++;
    return LEAT_OK;
}

static leat_code new_step(leat_program *self, const leat_step *step, leat_error *error)
{
    if (self->steps_count == STEPS_MAX)
        return leat_fail(error, LEAT_LIMIT, "an expression of more than %d steps", STEPS_MAX);
    LEAT_TRY(leat_grow(&self->steps, &self->steps_capacity, self->steps_count + 1, sizeof *self->steps, error));
    self->steps[self->steps_count++] = *step;
    return LEAT_OK;
}

static leat_code new_list(leat_program *self, int32_t count, int32_t **out, leat_error *error)
{
    *out = leat_arena_take(&self->arena, (size_t)(count + 1) * sizeof **out);
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

static bool is_within(const leat_program *self, int32_t selection, int32_t ancestor)
{
    while (selection >= 0 && selection != ancestor)
        selection = self->selections[selection].parent;
    return selection >= 0;
}

/* A kernel step that computes the same for at least these rows. */
static int32_t find_same(const leat_program *self, const leat_step *step, const leat_type *type)
{
    for (size_t i = 0; i < self->steps_count; i++) {
        const leat_step *other = &self->steps[i];
        bool is_same = other->kind == LEAT_STEP_KERNEL && other->kernel.run == step->kernel.run &&
                       other->operands_count == step->operands_count &&
                       is_within(self, step->selection, other->selection) &&
                       leat_type_equal(&self->registers[other->out].type, type, true);
        size_t bytes = (size_t)step->operands_count * sizeof *step->operands;
        if (is_same && memcmp(other->operands, step->operands, bytes) == 0) return other->out;
    }
    return -1;
}

static leat_code add_kernel(leat_program *self, leat_kernel_choice kernel, leat_null_rule nulls,
                            const int32_t *operands, int32_t count, const leat_type *type, int32_t selection,
                            int32_t *out, leat_error *error)
{
    leat_step step = {
        .kind = LEAT_STEP_KERNEL, .kernel = kernel, .nulls = nulls, .selection = selection, .operands_count = count};
    LEAT_TRY(new_list(self, count, &step.operands, error));
    memcpy(step.operands, operands, (size_t)count * sizeof *operands);
    *out = find_same(self, &step, type);
    if (*out >= 0) return LEAT_OK;
    LEAT_TRY(new_register(self, type, out, error));
    step.out = *out;
    return new_step(self, &step, error);
}

/* --- literals and columns --- */

static leat_code fill_literal(leat_program *self, const leat_expr *expr, leat_register *reg, leat_error *error)
{
    leat_column *column = &reg->column;
    uint8_t *value = leat_arena_take(&self->arena, 16 + 8);
    if (!value) return leat_fail_no_memory(error);
    column->values = value;
    reg->is_constant = reg->is_borrowed = true;
    if (expr->value.is_null || expr->type.kind == LEAT_TYPE_NULL) {
        column->validity = value + 16; /* zero */
        return LEAT_OK;
    }
    switch (column->layout) {
    case LEAT_LAYOUT_8: *(int8_t *)value = (int8_t)expr->value.i64; break;
    case LEAT_LAYOUT_16: *(int16_t *)(void *)value = (int16_t)expr->value.i64; break;
    case LEAT_LAYOUT_32:
        if (expr->type.kind == LEAT_TYPE_FLOAT)
            *(float *)(void *)value = (float)expr->value.f64;
        else
            *(int32_t *)(void *)value = (int32_t)expr->value.i64;
        break;
    case LEAT_LAYOUT_64:
        if (expr->type.kind == LEAT_TYPE_DOUBLE)
            *(double *)(void *)value = expr->value.f64;
        else
            *(int64_t *)(void *)value = expr->value.i64;
        break;
    case LEAT_LAYOUT_128: memcpy(value, &expr->value.i128, 16); break;
    case LEAT_LAYOUT_VIEW: {
        size_t used = 0;
        leat_buffer *heap = NULL;
        leat_code code = leat_view_make((leat_view *)(void *)value, expr->value.text.data,
                                        (size_t)expr->value.text.length, &heap, &used, error);
        if (heap) {
            reg->values = heap; /* kept alive by the register */
            column->heaps = leat_arena_take(&self->arena, sizeof *column->heaps);
            if (!column->heaps) return leat_fail_no_memory(error);
            column->heaps[0] = heap;
            column->heaps_count = 1;
        }
        return code;
    }
    }
    return LEAT_OK;
}

static leat_code compile_literal(leat_program *self, const leat_expr *expr, int32_t *out, leat_error *error)
{
    LEAT_TRY(new_register(self, &expr->type, out, error));
    return fill_literal(self, expr, &self->registers[*out], error);
}

static leat_code compile_column(leat_program *self, const leat_expr *expr, int32_t *out, leat_error *error)
{
    if (expr->column < 0 || expr->column >= self->inputs_count) {
        return leat_fail(error, LEAT_INVALID, "column %d of %d", expr->column, self->inputs_count);
    }
    if (self->inputs[expr->column] < 0) {
        LEAT_TRY(new_register(self, &expr->type, &self->inputs[expr->column], error));
        self->registers[self->inputs[expr->column]].is_borrowed = true;
    }
    *out = self->inputs[expr->column];
    return LEAT_OK;
}

/* --- calls --- */

/* Whether no row can make it fail: then it may be computed for rows that a branch does not reach. */
static bool is_safe(const leat_expr *expr, int depth)
{
    if (depth > LEAT_EXPR_DEPTH_MAX) return false;
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        if (!is_safe(expr->arguments[i], depth + 1)) return false;
    }
    leat_type types[8];
    switch (expr->kind) {
    case LEAT_EXPR_CALL: {
        const leat_function *function = leat_function_by_id(expr->function);
        if (!function || function->form != LEAT_FORM_KERNEL || expr->arguments_count > 8) return false;
        for (int32_t i = 0; i < expr->arguments_count; i++)
            types[i] = expr->arguments[i]->type;
        leat_kernel_choice choice = function->select(types, expr->arguments_count, &expr->type);
        return choice.is_vector && !choice.can_fail;
    }
    case LEAT_EXPR_CAST: {
        leat_kernel_choice choice = leat_cast_select(&expr->arguments[0]->type, &expr->type, false);
        return choice.is_vector && !choice.can_fail;
    }
    case LEAT_EXPR_LITERAL:
    case LEAT_EXPR_COLUMN:
    case LEAT_EXPR_AND:
    case LEAT_EXPR_OR: return true;
    case LEAT_EXPR_TRY_CAST:
    case LEAT_EXPR_CASE:
    case LEAT_EXPR_COALESCE: return false;
    }
    return false;
}

static leat_code compile_cast_of(leat_program *self, int32_t from, const leat_type *to, bool is_try, int32_t selection,
                                 int32_t *out, leat_error *error)
{
    leat_type source = self->registers[from].type;
    bool is_same = source.kind == to->kind && source.precision == to->precision && source.scale == to->scale;
    bool is_wider =
        source.kind == LEAT_TYPE_VARCHAR && to->kind == LEAT_TYPE_VARCHAR && to->precision >= source.precision;
    if (is_same || is_wider) {
        *out = from;
        return LEAT_OK;
    }
    if (source.kind == LEAT_TYPE_NULL) {
        leat_expr null = {
            .kind = LEAT_EXPR_LITERAL, .type = leat_type_with_nullable(to, true), .value = {.is_null = true}};
        return compile_literal(self, &null, out, error);
    }
    leat_kernel_choice kernel = leat_cast_select(&source, to, is_try);
    if (!kernel.run) {
        leat_bytes text[2] = {{0}, {0}};
        leat_type_print_calcite(&source, &text[0]);
        leat_type_print_calcite(to, &text[1]);
        leat_code code =
            leat_fail(error, LEAT_INVALID, "Cast function cannot convert value of type %s to type %s",
                      text[0].failed ? "?" : (char *)text[0].data, text[1].failed ? "?" : (char *)text[1].data);
        leat_bytes_done(&text[0]);
        leat_bytes_done(&text[1]);
        return code;
    }
    return add_kernel(self, kernel, LEAT_NULLS_STRICT, &from, 1, to, selection, out, error);
}

static leat_code compile_cast(leat_program *self, const leat_expr *expr, int32_t selection, int depth, int32_t *out,
                              leat_error *error)
{
    int32_t from;
    if (expr->arguments_count != 1) return leat_fail(error, LEAT_CORRUPT, "a cast of %d values", expr->arguments_count);
    LEAT_TRY(compile(self, expr->arguments[0], selection, depth, &from, error));
    return compile_cast_of(self, from, &expr->type, expr->kind == LEAT_EXPR_TRY_CAST, selection, out, error);
}

static leat_code compile_kernel(leat_program *self, const leat_expr *expr, const leat_function *function,
                                int32_t selection, int depth, int32_t *out, leat_error *error)
{
    int32_t *operands;
    LEAT_TRY(new_list(self, expr->arguments_count, &operands, error));
    leat_type *types = leat_arena_take(&self->arena, (size_t)(expr->arguments_count + 1) * sizeof *types);
    if (!types) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        LEAT_TRY(compile(self, expr->arguments[i], selection, depth, &operands[i], error));
        types[i] = self->registers[operands[i]].type;
    }
    leat_kernel_choice kernel = function->select(types, expr->arguments_count, &expr->type);
    if (!kernel.run) return leat_fail(error, LEAT_UNSUPPORTED, "function %s of these types", function->name);
    return add_kernel(self, kernel, function->nulls, operands, expr->arguments_count, &expr->type, selection, out,
                      error);
}

/* --- branches --- */

static leat_code narrow(leat_program *self, int32_t selection, int32_t by, leat_narrow how, int32_t *out,
                        leat_error *error)
{
    LEAT_TRY(new_selection(self, selection, out, error));
    leat_step step = {
        .kind = LEAT_STEP_NARROW, .narrow = how, .selection = selection, .out_selection = *out, .operands_count = 1};
    LEAT_TRY(new_list(self, 1, &step.operands, error));
    step.operands[0] = by;
    return new_step(self, &step, error);
}

static leat_code compile_logic(leat_program *self, const leat_expr *expr, int32_t selection, int depth, int32_t *out,
                               leat_error *error)
{
    bool is_and = expr->kind == LEAT_EXPR_AND;
    leat_step step = {
        .kind = is_and ? LEAT_STEP_AND : LEAT_STEP_OR, .selection = selection, .operands_count = expr->arguments_count};
    LEAT_TRY(new_list(self, expr->arguments_count, &step.operands, error));
    int32_t reaching = selection;
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        bool may_narrow = i > 0 && !is_safe(expr->arguments[i], depth);
        if (may_narrow) {
            leat_narrow how = is_and ? LEAT_NARROW_NOT_FALSE : LEAT_NARROW_NOT_TRUE;
            LEAT_TRY(narrow(self, reaching, step.operands[i - 1], how, &reaching, error));
        }
        LEAT_TRY(compile(self, expr->arguments[i], reaching, depth, &step.operands[i], error));
    }
    LEAT_TRY(new_register(self, &expr->type, out, error));
    step.out = *out;
    return new_step(self, &step, error);
}

/* Collects branches for a MERGE; `values` are cast to the type first. */
typedef struct branches {
    leat_step step;
    int32_t capacity;
} branches;

static leat_code branches_init(leat_program *self, int32_t capacity, int32_t selection, branches *out,
                               leat_error *error)
{
    *out = (branches){.step = {.kind = LEAT_STEP_MERGE, .selection = selection}, .capacity = capacity};
    LEAT_TRY(new_list(self, capacity, &out->step.operands, error));
    return new_list(self, capacity, &out->step.selections, error);
}

static leat_code branches_add(leat_program *self, branches *into, int32_t value, int32_t selection,
                              const leat_type *type, leat_error *error)
{
    LEAT_ASSERT(into->step.operands_count < into->capacity);
    LEAT_TRY(compile_cast_of(self, value, type, false, selection, &value, error));
    into->step.operands[into->step.operands_count] = value;
    into->step.selections[into->step.operands_count++] = selection;
    return LEAT_OK;
}

static leat_code branches_finish(leat_program *self, branches *from, const leat_type *type, int32_t *out,
                                 leat_error *error)
{
    LEAT_TRY(new_register(self, type, out, error));
    from->step.out = *out;
    return new_step(self, &from->step, error);
}

static leat_code compile_case(leat_program *self, const leat_expr *expr, int32_t selection, int depth, int32_t *out,
                              leat_error *error)
{
    branches into;
    LEAT_TRY(branches_init(self, expr->arguments_count + 1, selection, &into, error));
    int32_t rest = selection, at = 0;
    for (; at + 1 < expr->arguments_count; at += 2) {
        int32_t when, reaching, value;
        LEAT_TRY(compile(self, expr->arguments[at], rest, depth, &when, error));
        LEAT_TRY(narrow(self, rest, when, LEAT_NARROW_TRUE, &reaching, error));
        LEAT_TRY(compile(self, expr->arguments[at + 1], reaching, depth, &value, error));
        LEAT_TRY(branches_add(self, &into, value, reaching, &expr->type, error));
        LEAT_TRY(narrow(self, rest, when, LEAT_NARROW_NOT_TRUE, &rest, error));
    }
    int32_t value;
    if (at < expr->arguments_count) {
        LEAT_TRY(compile(self, expr->arguments[at], rest, depth, &value, error));
    } else {
        leat_expr null = {.kind = LEAT_EXPR_LITERAL, .type = expr->type, .value = {.is_null = true}};
        LEAT_TRY(compile_literal(self, &null, &value, error));
    }
    LEAT_TRY(branches_add(self, &into, value, rest, &expr->type, error));
    return branches_finish(self, &into, &expr->type, out, error);
}

static leat_code compile_coalesce(leat_program *self, const leat_expr *expr, int32_t selection, int depth, int32_t *out,
                                  leat_error *error)
{
    branches into;
    LEAT_TRY(branches_init(self, expr->arguments_count + 1, selection, &into, error));
    int32_t rest = selection;
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        int32_t value, reaching = rest;
        LEAT_TRY(compile(self, expr->arguments[i], rest, depth, &value, error));
        bool is_last = i + 1 == expr->arguments_count;
        if (!is_last) LEAT_TRY(narrow(self, rest, value, LEAT_NARROW_NOT_NULL, &reaching, error));
        LEAT_TRY(branches_add(self, &into, value, reaching, &expr->type, error));
        if (!is_last) LEAT_TRY(narrow(self, rest, value, LEAT_NARROW_NULL, &rest, error));
    }
    return branches_finish(self, &into, &expr->type, out, error);
}

/* A comparison of two registers by an operator of the table; operands are cast as its rule says. */
static leat_code compare(leat_program *self, const char *sign, int32_t left, int32_t right, int32_t selection,
                         int32_t *out, leat_error *error)
{
    leat_function_match *match = leat_arena_take(&self->arena, sizeof *match);
    if (!match) return leat_fail_no_memory(error);
    leat_type types[2] = {self->registers[left].type, self->registers[right].type};
    LEAT_TRY(leat_function_resolve(sign, types, 2, match, error));
    int32_t operands[2];
    LEAT_TRY(compile_cast_of(self, left, &match->casts[0], false, selection, &operands[0], error));
    LEAT_TRY(compile_cast_of(self, right, &match->casts[1], false, selection, &operands[1], error));
    types[0] = self->registers[operands[0]].type;
    types[1] = self->registers[operands[1]].type;
    leat_kernel_choice kernel = leat_function_by_id(match->id)->select(types, 2, &match->type);
    return add_kernel(self, kernel, LEAT_NULLS_STRICT, operands, 2, &match->type, selection, out, error);
}

static leat_code compile_nullif(leat_program *self, const leat_expr *expr, int32_t selection, int depth, int32_t *out,
                                leat_error *error)
{
    int32_t left, right, same, null, rest;
    LEAT_TRY(compile(self, expr->arguments[0], selection, depth, &left, error));
    LEAT_TRY(compile(self, expr->arguments[1], selection, depth, &right, error));
    LEAT_TRY(compare(self, "=", left, right, selection, &same, error));
    leat_expr literal = {.kind = LEAT_EXPR_LITERAL, .type = expr->type, .value = {.is_null = true}};
    LEAT_TRY(compile_literal(self, &literal, &null, error));
    branches into;
    LEAT_TRY(branches_init(self, 2, selection, &into, error));
    LEAT_TRY(narrow(self, selection, same, LEAT_NARROW_TRUE, &rest, error));
    LEAT_TRY(branches_add(self, &into, null, rest, &expr->type, error));
    LEAT_TRY(narrow(self, selection, same, LEAT_NARROW_NOT_TRUE, &rest, error));
    LEAT_TRY(branches_add(self, &into, left, rest, &expr->type, error));
    return branches_finish(self, &into, &expr->type, out, error);
}

static leat_code compile_between(leat_program *self, const leat_expr *expr, int32_t selection, int depth, int32_t *out,
                                 leat_error *error)
{
    int32_t value, low, high;
    leat_step step = {.kind = LEAT_STEP_AND, .selection = selection, .operands_count = 2};
    LEAT_TRY(new_list(self, 2, &step.operands, error));
    LEAT_TRY(compile(self, expr->arguments[0], selection, depth, &value, error));
    LEAT_TRY(compile(self, expr->arguments[1], selection, depth, &low, error));
    LEAT_TRY(compile(self, expr->arguments[2], selection, depth, &high, error));
    LEAT_TRY(compare(self, ">=", value, low, selection, &step.operands[0], error));
    LEAT_TRY(compare(self, "<=", value, high, selection, &step.operands[1], error));
    LEAT_TRY(new_register(self, &expr->type, out, error));
    step.out = *out;
    return new_step(self, &step, error);
}

static leat_code compile_call(leat_program *self, const leat_expr *expr, int32_t selection, int depth, int32_t *out,
                              leat_error *error)
{
    const leat_function *function = leat_function_by_id(expr->function);
    if (!function) return leat_fail(error, LEAT_NOT_FOUND, "function '%s'", expr->function);
    int32_t count = expr->arguments_count;
    if (count < function->arguments_min || count > function->arguments_max) {
        return leat_fail(error, LEAT_INVALID, "function '%s' with %d arguments", function->name, count);
    }
    switch (function->form) {
    case LEAT_FORM_KERNEL: return compile_kernel(self, expr, function, selection, depth, out, error);
    case LEAT_FORM_IF: return compile_case(self, expr, selection, depth, out, error);
    case LEAT_FORM_COALESCE: return compile_coalesce(self, expr, selection, depth, out, error);
    case LEAT_FORM_NULLIF: return compile_nullif(self, expr, selection, depth, out, error);
    case LEAT_FORM_BETWEEN: return compile_between(self, expr, selection, depth, out, error);
    }
    return leat_fail(error, LEAT_CORRUPT, "function '%s'", function->name);
}

static leat_code compile(leat_program *self, const leat_expr *expr, int32_t selection, int depth, int32_t *out,
                         leat_error *error)
{
    if (++depth > LEAT_EXPR_DEPTH_MAX) {
        return leat_fail(error, LEAT_LIMIT, "an expression deeper than %d", LEAT_EXPR_DEPTH_MAX);
    }
    switch (expr->kind) {
    case LEAT_EXPR_LITERAL: return compile_literal(self, expr, out, error);
    case LEAT_EXPR_COLUMN: return compile_column(self, expr, out, error);
    case LEAT_EXPR_CALL: return compile_call(self, expr, selection, depth, out, error);
    case LEAT_EXPR_CAST:
    case LEAT_EXPR_TRY_CAST: return compile_cast(self, expr, selection, depth, out, error);
    case LEAT_EXPR_CASE: return compile_case(self, expr, selection, depth, out, error);
    case LEAT_EXPR_AND:
    case LEAT_EXPR_OR: return compile_logic(self, expr, selection, depth, out, error);
    case LEAT_EXPR_COALESCE: return compile_coalesce(self, expr, selection, depth, out, error);
    }
    return leat_fail(error, LEAT_CORRUPT, "an expression of kind %d", (int)expr->kind);
}

static leat_code prepare(leat_program *self, const leat_schema *input, int32_t count, leat_error *error)
{
    leat_arena_init(&self->arena, PROGRAM_BYTES_MAX);
    self->inputs_count = input->fields_count;
    self->outputs_count = count;
    LEAT_TRY(new_list(self, input->fields_count, &self->inputs, error));
    LEAT_TRY(new_list(self, count, &self->outputs, error));
    for (int32_t i = 0; i < input->fields_count; i++)
        self->inputs[i] = -1;
    self->identity = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->identity);
    self->active = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->active);
    self->operands = leat_alloc(LEAT_EXPR_ARGUMENTS_MAX * sizeof *self->operands);
    if (!self->identity || !self->active || !self->operands) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < LEAT_BATCH_ROWS_MAX; i++)
        self->identity[i] = (uint16_t)i;
    LEAT_TRY(leat_zone_find(self->options.time_zone, &self->zone, error));
    int32_t all;
    return new_selection(self, -1, &all, error);
}

leat_code leat_program_compile(const leat_expr *const *exprs, int32_t count, const leat_schema *input,
                               const leat_program_options *options, leat_program **out, leat_error *error)
{
    leat_program *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    if (options) self->options = *options;
    leat_code code = prepare(self, input, count, error);
    for (int32_t i = 0; code == LEAT_OK && i < count; i++) {
        code = compile(self, exprs[i], 0, 0, &self->outputs[i], error);
    }
    if (code != LEAT_OK) {
        leat_program_free(self);
        return code;
    }
    self->options.time_zone = NULL; /* borrowed for the call; the zone is known now */
    *out = self;
    return LEAT_OK;
}

void leat_program_free(leat_program *self)
{
    if (!self) return;
    for (size_t i = 0; i < self->registers_count; i++) {
        leat_register *reg = &self->registers[i];
        if (!reg->is_borrowed) {
            for (int32_t h = 0; h < reg->column.heaps_count; h++)
                leat_buffer_unref(reg->column.heaps[h]);
            leat_free(reg->column.heaps);
        }
        leat_buffer_unref(reg->values);
        leat_buffer_unref(reg->validity);
    }
    for (size_t i = 0; i < self->selections_count; i++)
        leat_free(self->selections[i].rows);
    leat_free(self->registers);
    leat_free(self->selections);
    leat_free(self->steps);
    leat_free(self->identity);
    leat_free(self->active);
    leat_free(self->operands);
    leat_bytes_done(&self->scratch);
    leat_arena_done(&self->arena);
    leat_free(self);
}
