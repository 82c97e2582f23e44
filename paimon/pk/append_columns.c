#include "paimon/pk/append_columns.h"

leat_code leat_pk_append_columns(const leat_batch *from, int32_t kept, int32_t added_count, int32_t **added,
                                 leat_batch **out, leat_error *error)
{
    leat_batch *to = leat_batch_new(kept + added_count);
    if (!to) return leat_fail_no_memory(error);
    leat_code code = LEAT_OK;
    for (int32_t i = 0; i < kept && code == LEAT_OK; i++) {
        code = leat_column_share(&to->columns[i], &from->columns[i], error);
    }
    for (int32_t i = 0; i < added_count && code == LEAT_OK; i++) {
        leat_column *column = &to->columns[kept + i];
        column->layout = LEAT_LAYOUT_32;
        column->values_buffer = leat_buffer_new((size_t)from->rows * sizeof(int32_t));
        if (!column->values_buffer) {
            code = leat_fail_no_memory(error);
            break;
        }
        added[i] = (int32_t *)(void *)column->values_buffer->data;
        column->values = added[i];
    }
    if (code != LEAT_OK) {
        leat_batch_free(to);
        return code;
    }
    leat_batch_share_rows(to, from);
    *out = to;
    return LEAT_OK;
}
