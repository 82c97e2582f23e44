#include "paimon/file_cast.h"

#include "common/memory.h"

enum { ARENA_BYTES = 8 << 20 };

struct leat_paimon_file_cast {
    leat_arena arena;
    leat_program *program;
    leat_column *columns; /* results of a run */
    int32_t count;
};

bool leat_paimon_file_type_is_readable(const leat_type *file_type, const leat_type *type)
{
    bool is_same_kind = file_type->kind == type->kind;
    if (leat_type_is_integer(file_type) && leat_type_is_integer(type)) return file_type->kind <= type->kind;
    if (file_type->kind == LEAT_TYPE_FLOAT && type->kind == LEAT_TYPE_DOUBLE) return true;
    if (file_type->kind == LEAT_TYPE_DECIMAL && is_same_kind) {
        return file_type->scale == type->scale && file_type->precision <= type->precision;
    }
    bool is_text = leat_type_is_text(file_type) && leat_type_is_text(type);
    if (is_text) return type->kind == LEAT_TYPE_VARCHAR && type->precision >= file_type->precision;
    bool is_bytes = leat_type_is_bytes(file_type) && leat_type_is_bytes(type);
    if (is_bytes) return type->kind == LEAT_TYPE_VARBINARY && type->precision >= file_type->precision;
    return is_same_kind && file_type->precision <= type->precision;
}

static leat_code make_expr(leat_paimon_file_cast *self, const leat_schema *from, const leat_schema *to, int32_t i,
                           const leat_expr **out, leat_error *error)
{
    leat_expr *column = leat_arena_take(&self->arena, sizeof *column);
    leat_expr *cast = leat_arena_take(&self->arena, sizeof *cast);
    const leat_expr **argument = leat_arena_take(&self->arena, sizeof(const leat_expr *));
    if (!column || !cast || !argument) return leat_fail_no_memory(error);
    *column = (leat_expr){.kind = LEAT_EXPR_COLUMN, .type = from->fields[i].type, .column = i};
    *out = column;
    bool is_equal = leat_type_equal(&from->fields[i].type, &to->fields[i].type, false);
    if (is_equal || leat_paimon_file_type_is_readable(&from->fields[i].type, &to->fields[i].type)) return LEAT_OK;
    if (!leat_cast_is_known(&from->fields[i].type, &to->fields[i].type)) {
        return leat_fail(error, LEAT_UNSUPPORTED, "column '%s': the type of an older schema cannot be cast to today's",
                         from->fields[i].name);
    }
    *argument = column;
    *cast =
        (leat_expr){.kind = LEAT_EXPR_CAST, .type = to->fields[i].type, .arguments_count = 1, .arguments = argument};
    *out = cast;
    return LEAT_OK;
}

static leat_code compile(leat_paimon_file_cast *self, const leat_schema *from, const leat_schema *to, leat_env *env,
                         leat_error *error)
{
    size_t count = (size_t)from->fields_count;
    const leat_expr **exprs = leat_arena_take(&self->arena, (count + 1) * sizeof(const leat_expr *));
    self->columns = leat_arena_take(&self->arena, (count + 1) * sizeof *self->columns);
    if (!exprs || !self->columns) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < from->fields_count; i++)
        LEAT_TRY(make_expr(self, from, to, i, &exprs[i], error));
    leat_program_options options = {.env = env};
    return leat_program_compile(exprs, from->fields_count, from, &options, &self->program, error);
}

leat_code leat_paimon_file_cast_new(const leat_schema *from, const leat_schema *to, leat_env *env,
                                    leat_paimon_file_cast **out, leat_error *error)
{
    bool is_needed = false;
    for (int32_t i = 0; i < from->fields_count; i++) {
        bool is_equal = leat_type_equal(&from->fields[i].type, &to->fields[i].type, false);
        is_needed =
            is_needed || !(is_equal || leat_paimon_file_type_is_readable(&from->fields[i].type, &to->fields[i].type));
    }
    *out = NULL;
    if (!is_needed) return LEAT_OK;
    leat_paimon_file_cast *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->count = from->fields_count;
    leat_arena_init(&self->arena, ARENA_BYTES);
    leat_code code = compile(self, from, to, env, error);
    if (code == LEAT_OK)
        *out = self;
    else
        leat_paimon_file_cast_free(self);
    return code;
}

leat_code leat_paimon_file_cast_run(leat_paimon_file_cast *self, leat_batch *batch, leat_error *error)
{
    LEAT_TRY(leat_program_run(self->program, batch, self->columns, error));
    for (int32_t i = 0; i < self->count; i++) {
        leat_column_clear(&batch->columns[i]);
        batch->columns[i] = self->columns[i];
        self->columns[i] = (leat_column){0};
    }
    return LEAT_OK;
}

void leat_paimon_file_cast_free(leat_paimon_file_cast *self)
{
    if (!self) return;
    leat_program_free(self->program);
    leat_arena_done(&self->arena);
    leat_free(self);
}
