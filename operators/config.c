#include "operators/config.h"

#include "common/memory.h"

void leat_config_put_columns(leat_bytes *out, const int32_t *columns, int32_t count)
{
    leat_bytes_put_u32(out, (uint32_t)count);
    for (int32_t i = 0; i < count; i++)
        leat_bytes_put_u32(out, (uint32_t)columns[i]);
}

leat_code leat_config_take_columns(leat_reader *reader, leat_arena *arena, int32_t columns_count, const int32_t **out,
                                   int32_t *count, leat_error *error)
{
    uint32_t given = leat_reader_u32(reader);
    if (reader->failed || given > LEAT_OPERATOR_COLUMNS_MAX) return leat_fail(error, LEAT_CORRUPT, "%u columns", given);
    int32_t *columns = leat_arena_take(arena, (given + 1) * sizeof *columns);
    if (!columns) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < given; i++) {
        columns[i] = (int32_t)leat_reader_u32(reader);
        if (columns[i] < 0 || columns[i] >= columns_count) {
            return leat_fail(error, LEAT_CORRUPT, "column %d of %d", columns[i], columns_count);
        }
    }
    *out = columns;
    *count = (int32_t)given;
    return LEAT_OK;
}

leat_code leat_config_take_exprs(leat_reader *reader, leat_arena *arena, uint32_t count, const leat_expr *const **out,
                                 leat_error *error)
{
    if (reader->failed || count > leat_reader_left(reader))
        return leat_fail(error, LEAT_CORRUPT, "%u expressions", count);
    const leat_expr **exprs = leat_arena_take(arena, (count + 1) * sizeof *exprs);
    if (!exprs) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < count; i++)
        LEAT_TRY(leat_expr_read(reader, arena, &exprs[i], error));
    *out = exprs;
    return LEAT_OK;
}

void *leat_operator_new(size_t bytes, size_t arena_offset)
{
    char *self = leat_calloc(1, bytes);
    if (self) leat_arena_init((leat_arena *)(void *)(self + arena_offset), LEAT_OPERATOR_CONFIG_BYTES_MAX);
    return self;
}
