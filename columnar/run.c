#include <string.h>

#include "columnar/program.h"
#include "common/memory.h"

static size_t bitmap_bytes(int32_t rows)
{
    return ((size_t)rows + 7) / 8;
}

/* A buffer of at least `bytes` that nobody else holds: the old one when it is so. */
static leat_code own_buffer(leat_buffer **buffer, size_t *had_bytes, size_t bytes, leat_error *error)
{
    /* acquire: whoever shared it has read its last from it. */
    bool is_free =
        *buffer && *had_bytes >= bytes && atomic_load_explicit(&(*buffer)->references, memory_order_acquire) == 1;
    if (is_free) return LEAT_OK;
    leat_buffer_unref(*buffer);
    *buffer = leat_buffer_new(bytes ? bytes : 1);
    *had_bytes = bytes;
    return *buffer ? LEAT_OK : leat_fail_no_memory(error);
}

static void drop_heaps(leat_register *reg)
{
    for (int32_t i = 0; i < reg->column.heaps_count; i++)
        leat_buffer_unref(reg->column.heaps[i]);
    leat_free(reg->column.heaps);
    reg->column.heaps = NULL;
    reg->column.heaps_count = 0;
}

/* Fresh values and an all-ones validity for this run; the column has no NULLs until has_nulls is told. */
static leat_code begin_register(leat_register *reg, int32_t rows, bool is_constant, leat_error *error)
{
    drop_heaps(reg);
    LEAT_TRY(own_buffer(&reg->values, &reg->values_bytes, (size_t)rows * leat_layout_bytes(reg->column.layout), error));
    LEAT_TRY(own_buffer(&reg->validity, &reg->validity_bytes, bitmap_bytes(rows), error));
    memset(reg->validity->data, 0xff, bitmap_bytes(rows));
    reg->column.values = reg->values->data;
    reg->column.validity = NULL;
    reg->is_constant = is_constant;
    return LEAT_OK;
}

static void zero_nulls(leat_register *reg, int32_t rows)
{
    const uint8_t *validity = reg->validity->data;
    size_t width = leat_layout_bytes(reg->column.layout);
    for (int32_t at = 0; at < rows; at += 8) {
        if (validity[at >> 3] == 0xff) continue;
        for (int32_t row = at; row < at + 8 && row < rows; row++) {
            if (!leat_bit_get(validity, row)) memset(reg->values->data + (size_t)row * width, 0, width);
        }
    }
}

static void end_register(leat_register *reg, int32_t rows, bool has_nulls)
{
    if (!has_nulls) return;
    reg->column.validity = reg->validity->data;
    zero_nulls(reg, rows);
}

/* --- kernels --- */

/* ANDs the operands' validity into the result's; true if any operand may be NULL. */
static bool combine_validity(const leat_kernel_call *call)
{
    bool has_nulls = false;
    size_t bytes = bitmap_bytes(call->rows);
    uint8_t *restrict out = call->validity;
    for (int32_t k = 0; k < call->operands_count; k++) {
        const leat_operand *operand = &call->operands[k];
        const uint8_t *in = operand->column->validity;
        if (!in) continue;
        if (operand->is_constant) {
            if (in[0] & 1) continue;
            memset(out, 0, bytes);
        } else {
            for (size_t i = 0; i < bytes; i++)
                out[i] &= in[i];
        }
        has_nulls = true;
    }
    return has_nulls;
}

static int32_t pick_active(leat_program *self, const leat_selection *selection, const leat_kernel_call *call,
                           bool skips_nulls)
{
    int32_t count = 0;
    if (!skips_nulls) {
        memcpy(self->active, selection->at, (size_t)selection->count * sizeof *self->active);
        return selection->count;
    }
    for (int32_t i = 0; i < selection->count; i++) {
        uint16_t row = selection->at[i];
        self->active[count] = row;
        count += leat_bit_get(call->validity, row);
    }
    return count;
}

static leat_code keep_heap(leat_register *reg, leat_kernel_call *call, leat_error *error)
{
    if (!call->heap) return LEAT_OK;
    reg->column.heaps = leat_alloc(sizeof *reg->column.heaps);
    if (!reg->column.heaps) {
        leat_buffer_unref(call->heap);
        return leat_fail_no_memory(error);
    }
    call->heap->size_bytes = call->heap_used;
    reg->column.heaps[0] = call->heap;
    reg->column.heaps_count = 1;
    return LEAT_OK;
}

static leat_code run_kernel(leat_program *self, const leat_step *step, int32_t rows, leat_error *error)
{
    leat_register *out = &self->registers[step->out];
    const leat_selection *selection = &self->selections[step->selection];
    bool is_constant = true;
    for (int32_t i = 0; i < step->operands_count; i++) {
        const leat_register *reg = &self->registers[step->operands[i]];
        self->operands[i] = (leat_operand){&reg->column, reg->is_constant, &reg->type};
        is_constant = is_constant && reg->is_constant;
    }
    if (is_constant) rows = 1;
    LEAT_TRY(begin_register(out, rows, is_constant, error));
    leat_kernel_call call = {.rows = rows,
                             .operands = self->operands,
                             .operands_count = step->operands_count,
                             .type = &out->type,
                             .values = out->values->data,
                             .validity = out->validity->data,
                             .scratch = &self->scratch,
                             .options = &self->options,
                             .now_ms = &self->now_ms,
                             .zone = self->zone};
    bool is_strict = step->nulls == LEAT_NULLS_STRICT;
    if (is_strict) call.has_nulls = combine_validity(&call);
    if (!step->kernel.is_vector) {
        if (is_constant) {
            bool is_active = selection->count > 0 && (!call.has_nulls || leat_bit_get(call.validity, 0));
            self->active[0] = 0;
            call.active_count = is_active;
        } else {
            call.active_count = pick_active(self, selection, &call, is_strict && call.has_nulls);
        }
        call.active = self->active;
        if (call.active_count < rows) {
            memset(call.values, 0, (size_t)rows * leat_layout_bytes(out->column.layout));
        }
    }
    leat_code code = step->kernel.run(&call, error);
    leat_code kept = keep_heap(out, &call, error);
    end_register(out, rows, call.has_nulls);
    return code == LEAT_OK ? kept : code;
}

/* --- branches --- */

static bool is_so(leat_narrow how, bool is_null, bool value)
{
    switch (how) {
    case LEAT_NARROW_TRUE: return !is_null && value;
    case LEAT_NARROW_NOT_TRUE: return is_null || !value;
    case LEAT_NARROW_NOT_FALSE: return is_null || value;
    case LEAT_NARROW_NULL: return is_null;
    case LEAT_NARROW_NOT_NULL: return !is_null;
    }
    return false;
}

static int32_t narrow_rows(const leat_register *by, leat_narrow how, const uint16_t *rows, int32_t count, uint16_t *out)
{
    const leat_column *column = &by->column;
    bool is_truth = how == LEAT_NARROW_TRUE || how == LEAT_NARROW_NOT_TRUE || how == LEAT_NARROW_NOT_FALSE;
    const int8_t *values = is_truth ? column->values : NULL;
    int32_t kept = 0;
    if (by->is_constant) {
        bool all = count > 0 && is_so(how, leat_column_is_null(column, 0), values && values[0]);
        if (all) memmove(out, rows, (size_t)count * sizeof *out);
        return all ? count : 0;
    }
    if (!column->validity) {
        if (!is_truth) {
            bool all = how == LEAT_NARROW_NOT_NULL;
            if (all) memmove(out, rows, (size_t)count * sizeof *out);
            return all ? count : 0;
        }
        int8_t wanted = how != LEAT_NARROW_NOT_TRUE;
        for (int32_t i = 0; i < count; i++) {
            uint16_t row = rows[i];
            out[kept] = row;
            kept += values[row] == wanted;
        }
        return kept;
    }
    for (int32_t i = 0; i < count; i++) {
        uint16_t row = rows[i];
        out[kept] = row;
        kept += is_so(how, leat_column_is_null(column, row), values && values[row]);
    }
    return kept;
}

static void run_narrow(leat_program *self, const leat_step *step)
{
    const leat_selection *from = &self->selections[step->selection];
    leat_selection *to = &self->selections[step->out_selection];
    to->count = narrow_rows(&self->registers[step->operands[0]], step->narrow, from->at, from->count, to->rows);
    to->at = to->rows;
}

/* Without NULLs and with every operand there for all rows: bytes combine. */
static bool run_plain_logic(leat_program *self, const leat_step *step, int32_t rows, bool is_and)
{
    for (int32_t k = 0; k < step->operands_count; k++) {
        const leat_register *reg = &self->registers[step->operands[k]];
        if (reg->column.validity || reg->is_constant) return false;
    }
    int8_t *restrict out = (int8_t *)self->registers[step->out].values->data;
    memcpy(out, self->registers[step->operands[0]].column.values, (size_t)rows);
    for (int32_t k = 1; k < step->operands_count; k++) {
        const int8_t *restrict in = self->registers[step->operands[k]].column.values;
        if (is_and) {
            for (int32_t i = 0; i < rows; i++)
                out[i] &= in[i];
        } else {
            for (int32_t i = 0; i < rows; i++)
                out[i] |= in[i];
        }
    }
    return true;
}

static leat_code run_logic(leat_program *self, const leat_step *step, int32_t rows, leat_error *error)
{
    leat_register *out = &self->registers[step->out];
    const leat_selection *selection = &self->selections[step->selection];
    bool is_and = step->kind == LEAT_STEP_AND;
    LEAT_TRY(begin_register(out, rows, false, error));
    if (run_plain_logic(self, step, rows, is_and)) return LEAT_OK;
    bool has_nulls = false;
    int8_t *values = (int8_t *)out->values->data;
    memset(values, 0, (size_t)rows);
    for (int32_t i = 0; i < selection->count; i++) {
        int32_t row = selection->at[i];
        bool is_null = false, is_decided = false;
        for (int32_t k = 0; k < step->operands_count && !is_decided; k++) {
            const leat_register *reg = &self->registers[step->operands[k]];
            int32_t at = reg->is_constant ? 0 : row;
            if (leat_column_is_null(&reg->column, at))
                is_null = true;
            else
                is_decided = (((const int8_t *)reg->column.values)[at] != 0) != is_and;
        }
        if (is_decided) {
            values[row] = !is_and;
        } else if (is_null) {
            leat_bit_clear(out->validity->data, row);
            has_nulls = true;
        } else {
            values[row] = is_and;
        }
    }
    end_register(out, rows, has_nulls);
    return LEAT_OK;
}

/* Appends a branch's heaps to the result's; *first: the index of its heap 0 there. */
static leat_code add_heaps(leat_register *out, const leat_register *from, int32_t *first, leat_error *error)
{
    *first = out->column.heaps_count;
    if (from->column.heaps_count == 0) return LEAT_OK;
    size_t count = (size_t)out->column.heaps_count + (size_t)from->column.heaps_count;
    leat_buffer **heaps = leat_realloc(out->column.heaps, count * sizeof *heaps);
    if (!heaps) return leat_fail_no_memory(error);
    out->column.heaps = heaps;
    for (int32_t i = 0; i < from->column.heaps_count; i++) {
        heaps[out->column.heaps_count++] = leat_buffer_ref(from->column.heaps[i]);
    }
    return LEAT_OK;
}

#define COPY(width)                                                                                                    \
    for (int32_t i = 0; i < selection->count; i++) {                                                                   \
        int32_t row = selection->at[i];                                                                                \
        memcpy(to + (size_t)row * (width), values + (from->is_constant ? 0 : (size_t)row) * (width), width);           \
    }

static leat_code merge_branch(leat_register *out, const leat_register *from, const leat_selection *selection,
                              bool *has_nulls, leat_error *error)
{
    uint8_t *to = out->values->data;
    const uint8_t *values = from->column.values;
    switch (out->column.layout) {
    case LEAT_LAYOUT_8: COPY(1) break;
    case LEAT_LAYOUT_16: COPY(2) break;
    case LEAT_LAYOUT_32: COPY(4) break;
    case LEAT_LAYOUT_64: COPY(8) break;
    case LEAT_LAYOUT_128: COPY(16) break;
    case LEAT_LAYOUT_VIEW: {
        int32_t first;
        LEAT_TRY(add_heaps(out, from, &first, error));
        COPY(16)
        for (int32_t i = 0; first > 0 && i < selection->count; i++) {
            leat_view *view = (leat_view *)(void *)to + selection->at[i];
            if (view->length > LEAT_VIEW_INLINE_MAX) view->heap += first;
        }
        break;
    }
    }
    for (int32_t i = 0; from->column.validity && i < selection->count; i++) {
        int32_t row = selection->at[i];
        if (!leat_column_is_null(&from->column, from->is_constant ? 0 : row)) continue;
        leat_bit_clear(out->validity->data, row);
        *has_nulls = true;
    }
    return LEAT_OK;
}

static leat_code run_merge(leat_program *self, const leat_step *step, int32_t rows, leat_error *error)
{
    leat_register *out = &self->registers[step->out];
    LEAT_TRY(begin_register(out, rows, false, error));
    bool has_nulls = false;
    if (self->selections[step->selection].count < rows) {
        memset(out->values->data, 0, (size_t)rows * leat_layout_bytes(out->column.layout));
    }
    for (int32_t k = 0; k < step->operands_count; k++) {
        const leat_selection *selection = &self->selections[step->selections[k]];
        if (selection->count == 0) continue;
        LEAT_TRY(merge_branch(out, &self->registers[step->operands[k]], selection, &has_nulls, error));
    }
    end_register(out, rows, has_nulls);
    return LEAT_OK;
}

/* --- whole programs --- */

static leat_code run_steps(leat_program *self, const leat_batch *batch, leat_error *error)
{
    self->now_ms = self->options.now_ms;
    LEAT_ASSERT(batch->rows <= LEAT_BATCH_ROWS_MAX);
    if (batch->columns_count < self->inputs_count) {
        return leat_fail(error, LEAT_CORRUPT, "a batch of %d columns where %d are expected", batch->columns_count,
                         self->inputs_count);
    }
    for (int32_t i = 0; i < self->inputs_count; i++) {
        if (self->inputs[i] < 0) continue;
        leat_register *reg = &self->registers[self->inputs[i]];
        if (reg->column.layout != batch->columns[i].layout) {
            return leat_fail(error, LEAT_CORRUPT, "column %d of a batch has another layout than its type", i);
        }
        reg->column = batch->columns[i];
    }
    leat_selection *all = &self->selections[0];
    all->at = batch->selection ? batch->selection : self->identity;
    all->count = batch->selection ? batch->selected : batch->rows;
    for (size_t i = 0; i < self->steps_count; i++) {
        const leat_step *step = &self->steps[i];
        switch (step->kind) {
        case LEAT_STEP_KERNEL: LEAT_TRY(run_kernel(self, step, batch->rows, error)); break;
        case LEAT_STEP_NARROW: run_narrow(self, step); break;
        case LEAT_STEP_AND:
        case LEAT_STEP_OR: LEAT_TRY(run_logic(self, step, batch->rows, error)); break;
        case LEAT_STEP_MERGE: LEAT_TRY(run_merge(self, step, batch->rows, error)); break;
        }
    }
    return LEAT_OK;
}

/* One value for every row. */
static leat_code expand_constant(const leat_register *reg, int32_t rows, leat_column *out, leat_error *error)
{
    size_t width = leat_layout_bytes(reg->column.layout);
    *out = (leat_column){.layout = reg->column.layout};
    out->values_buffer = leat_buffer_new((size_t)rows * width + 1);
    if (!out->values_buffer) return leat_fail_no_memory(error);
    uint8_t *to = out->values_buffer->data;
    out->values = to;
    if (leat_column_is_null(&reg->column, 0)) {
        memset(to, 0, (size_t)rows * width);
        out->validity_buffer = leat_buffer_new(bitmap_bytes(rows) + 1);
        if (!out->validity_buffer) return leat_fail_no_memory(error);
        memset(out->validity_buffer->data, 0, bitmap_bytes(rows) + 1);
        out->validity = out->validity_buffer->data;
        return LEAT_OK;
    }
    if (rows > 0) memcpy(to, reg->column.values, width);
    for (size_t have = 1; have < (size_t)rows; have *= 2) { /* doubling: a few large copies */
        size_t more = have * 2 <= (size_t)rows ? have : (size_t)rows - have;
        memcpy(to + have * width, to, more * width);
    }
    if (reg->column.heaps_count == 0) return LEAT_OK;
    out->heaps = leat_alloc((size_t)reg->column.heaps_count * sizeof *out->heaps);
    if (!out->heaps) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < reg->column.heaps_count; i++) {
        out->heaps[out->heaps_count++] = leat_buffer_ref(reg->column.heaps[i]);
    }
    return LEAT_OK;
}

static leat_code give_out(const leat_register *reg, int32_t rows, leat_column *out, leat_error *error)
{
    if (reg->is_constant) return expand_constant(reg, rows, out, error);
    if (reg->is_borrowed) return leat_column_share(out, &reg->column, error);
    leat_column owned = reg->column;
    owned.values_buffer = reg->values;
    owned.validity_buffer = owned.validity ? reg->validity : NULL;
    return leat_column_share(out, &owned, error);
}

leat_code leat_program_run(leat_program *self, const leat_batch *batch, leat_column *out, leat_error *error)
{
    memset(out, 0, (size_t)self->outputs_count * sizeof *out);
    LEAT_TRY(run_steps(self, batch, error));
    for (int32_t i = 0; i < self->outputs_count; i++) {
        leat_code code = give_out(&self->registers[self->outputs[i]], batch->rows, &out[i], error);
        if (code == LEAT_OK) continue;
        for (int32_t k = 0; k <= i; k++)
            leat_column_clear(&out[k]);
        return code;
    }
    return LEAT_OK;
}

leat_code leat_program_filter(leat_program *self, leat_batch *batch, leat_error *error)
{
    LEAT_TRY(run_steps(self, batch, error));
    leat_buffer *buffer = leat_buffer_new((size_t)batch->rows * sizeof(uint16_t) + 1);
    if (!buffer) return leat_fail_no_memory(error);
    const leat_selection *all = &self->selections[0];
    uint16_t *rows = (uint16_t *)(void *)buffer->data;
    const leat_register *by = &self->registers[self->outputs[0]];
    int32_t kept = narrow_rows(by, LEAT_NARROW_TRUE, all->at, all->count, rows);
    if (kept == all->count) { /* nothing to narrow */
        leat_buffer_unref(buffer);
        return LEAT_OK;
    }
    leat_buffer_unref(batch->selection_buffer);
    batch->selection_buffer = buffer;
    batch->selection = rows;
    batch->selected = kept;
    return LEAT_OK;
}
