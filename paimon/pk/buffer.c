#include "paimon/pk/buffer.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/pk/merge_function.h"
#include "paimon/pk/value.h"

enum { SLOTS_MIN = 256, PREFETCHED = 32 /* probes */ };

leat_code leat_pk_buffer_init(leat_pk_buffer *buffer, const leat_pk_options *options, leat_error *error)
{
    *buffer = (leat_pk_buffer){.options = options, .keeps_raw = options->changelog == LEAT_PK_CHANGELOG_INPUT};
    return leat_pk_state_init(&buffer->state, options, NULL, 0, error);
}

static void free_batches(leat_pk_raw_rows *raw)
{
    for (size_t i = 0; i < raw->batches_count; i++)
        leat_batch_free(raw->batches[i]);
    raw->batches_count = raw->count = raw->bytes = 0;
    leat_batch_builder_done(&raw->builder);
}

void leat_pk_buffer_done(leat_pk_buffer *buffer)
{
    leat_pk_state_done(&buffer->state);
    leat_free(buffer->slots);
    leat_free(buffer->hashes);
    free_batches(&buffer->raw);
    leat_free(buffer->raw.batches);
    leat_free(buffer->raw.targets);
    leat_free(buffer->raw.sequences);
    *buffer = (leat_pk_buffer){0};
}

void leat_pk_buffer_reset(leat_pk_buffer *buffer)
{
    leat_pk_state_reset(&buffer->state);
    if (buffer->slots) memset(buffer->slots, 0, ((size_t)buffer->slots_mask + 1) * sizeof *buffer->slots);
    free_batches(&buffer->raw);
}

size_t leat_pk_buffer_bytes(const leat_pk_buffer *buffer)
{
    size_t slots = buffer->slots ? (size_t)buffer->slots_mask + 1 : 0;
    size_t raw = buffer->raw.bytes + leat_batch_builder_bytes(&buffer->raw.builder) +
                 buffer->raw.count * (sizeof(uint32_t) + sizeof(int64_t));
    return leat_pk_state_bytes(&buffer->state) + (slots + buffer->hashes_capacity) * sizeof(uint32_t) + raw;
}

static uint32_t first_slot(const leat_pk_buffer *buffer, uint32_t hash)
{
    return (uint32_t)(((uint64_t)hash * UINT64_C(0x9E3779B97F4A7C15)) >> buffer->slots_shift);
}

static leat_code grow_slots(leat_pk_buffer *buffer, size_t rows, leat_error *error)
{
    size_t slots = buffer->slots ? (size_t)buffer->slots_mask + 1 : 0;
    if (rows * 2 <= slots) return LEAT_OK;
    size_t wanted = slots ? slots : SLOTS_MIN;
    int32_t bits = __builtin_ctzll(wanted);
    while (wanted < rows * 2)
        wanted *= 2, bits++;
    uint32_t *grown = leat_calloc(wanted, sizeof *grown);
    if (!grown) return leat_fail_no_memory(error);
    leat_free(buffer->slots);
    buffer->slots = grown;
    buffer->slots_mask = (uint32_t)(wanted - 1);
    buffer->slots_shift = 64 - bits;
    for (int32_t row = 0; row < buffer->state.rows; row++) {
        uint32_t slot = first_slot(buffer, buffer->hashes[row]);
        while (grown[slot])
            slot = (slot + 1) & buffer->slots_mask;
        grown[slot] = (uint32_t)row + 1;
    }
    return LEAT_OK;
}

static bool equal_views(const leat_column *left, int32_t left_row, const leat_column *right, int32_t right_row)
{
    const leat_view *a = (const leat_view *)left->values + left_row;
    const leat_view *b = (const leat_view *)right->values + right_row;
    if (a->length != b->length) return false;
    if (a->length <= LEAT_VIEW_INLINE_MAX) return memcmp(a, b, sizeof *a) == 0;
    return memcmp(leat_view_data(left, a), leat_view_data(right, b), (size_t)a->length) == 0;
}

/* Keys are equal when they compare so: −0.0 and 0.0 are two keys. */
static bool is_key(const leat_pk_buffer *buffer, int32_t target, const leat_batch *batch, const int32_t *columns,
                   int32_t row)
{
    for (int32_t k = 0; k < buffer->options->keys_count; k++) {
        int32_t at = buffer->options->keys[k];
        const leat_column *left = &buffer->state.columns[at].column, *right = &batch->columns[columns[k]];
        switch (left->layout) {
        case LEAT_LAYOUT_VIEW:
            if (!equal_views(left, target, right, row)) return false;
            break;
        case LEAT_LAYOUT_32:
            if (((const int32_t *)left->values)[target] != ((const int32_t *)right->values)[row]) return false;
            break;
        case LEAT_LAYOUT_64:
            if (((const int64_t *)left->values)[target] != ((const int64_t *)right->values)[row]) return false;
            break;
        case LEAT_LAYOUT_8:
        case LEAT_LAYOUT_16:
        case LEAT_LAYOUT_128:
            if (leat_pk_compare(&buffer->state.columns[at].type, left, target, right, row) != 0) return false;
            break;
        }
    }
    return true;
}

static leat_code add_key(leat_pk_buffer *buffer, uint32_t hash, const leat_batch *batch, int32_t row, int32_t *target,
                         leat_error *error)
{
    *target = leat_pk_state_new_row(&buffer->state);
    buffer->hashes[*target] = hash;
    for (int32_t k = 0; k < buffer->options->keys_count; k++) {
        int32_t at = buffer->options->keys[k];
        leat_pk_column *column = &buffer->state.columns[at];
        leat_bit_set(column->column.validity_buffer->data, *target);
        if (column->column.layout == LEAT_LAYOUT_VIEW) {
            LEAT_TRY(leat_pk_state_set_view(&buffer->state, column, *target, &batch->columns[at], row, error));
            continue;
        }
        size_t width = leat_layout_bytes(column->column.layout);
        memcpy(column->column.values_buffer->data + (size_t)*target * width,
               (const uint8_t *)batch->columns[at].values + (size_t)row * width, width);
    }
    return LEAT_OK;
}

static leat_code find_targets(leat_pk_buffer *buffer, const leat_batch *batch, const uint16_t *rows,
                              const uint32_t *hashes, int32_t count, uint32_t *targets, leat_error *error)
{
    size_t rows_max = (size_t)buffer->state.rows + (size_t)count;
    LEAT_TRY(leat_pk_state_reserve(&buffer->state, (int32_t)rows_max, error));
    LEAT_TRY(leat_grow(&buffer->hashes, &buffer->hashes_capacity, rows_max, sizeof *buffer->hashes, error));
    LEAT_TRY(grow_slots(buffer, rows_max, error));
    uint32_t *slots = buffer->slots;
    for (int32_t i = 0; i < count; i++) {
        uint32_t hash = hashes[i], slot = first_slot(buffer, hash);
        int32_t row = rows[i], target = -1;
        for (; slots[slot]; slot = (slot + 1) & buffer->slots_mask) {
            int32_t candidate = (int32_t)slots[slot] - 1;
            if (buffer->hashes[candidate] != hash || !is_key(buffer, candidate, batch, buffer->options->keys, row))
                continue;
            target = candidate;
            break;
        }
        if (target < 0) {
            LEAT_TRY(add_key(buffer, hash, batch, row, &target, error));
            slots[slot] = (uint32_t)target + 1;
        }
        targets[i] = (uint32_t)target;
    }
    return LEAT_OK;
}

/* A single number is compared itself: its row's hash would be one more miss of the cache. */
static bool is_match(const leat_pk_buffer *buffer, int32_t candidate, uint32_t hash, const leat_batch *batch,
                     const int32_t *columns, int32_t row)
{
    const leat_column *key = &buffer->state.columns[buffer->options->keys[0]].column;
    const void *values = batch->columns[columns[0]].values;
    if (buffer->options->keys_count == 1 && key->layout == LEAT_LAYOUT_32)
        return ((const int32_t *)key->values)[candidate] == ((const int32_t *)values)[row];
    if (buffer->options->keys_count == 1 && key->layout == LEAT_LAYOUT_64)
        return ((const int64_t *)key->values)[candidate] == ((const int64_t *)values)[row];
    return buffer->hashes[candidate] == hash && is_key(buffer, candidate, batch, columns, row);
}

/* What the probes of some keys will look at first is fetched for all of them, so that its misses overlap. */
static void prefetch_probes(const leat_pk_buffer *buffer, const uint32_t *hashes, int32_t count)
{
    const leat_column *key = &buffer->state.columns[buffer->options->keys[0]].column;
    size_t width = leat_layout_bytes(key->layout);
    for (int32_t i = 0; i < count; i++)
        __builtin_prefetch(&buffer->slots[first_slot(buffer, hashes[i])]);
    for (int32_t i = 0; i < count; i++) {
        uint32_t slot = buffer->slots[first_slot(buffer, hashes[i])];
        if (!slot) continue;
        __builtin_prefetch((const uint8_t *)key->values + (size_t)(slot - 1) * width);
        if (width > sizeof(int64_t) || buffer->options->keys_count > 1) __builtin_prefetch(&buffer->hashes[slot - 1]);
    }
}

void leat_pk_buffer_find(const leat_pk_buffer *buffer, const leat_batch *batch, const int32_t *columns, int32_t first,
                         const uint32_t *hashes, int32_t count, int32_t *targets)
{
    for (int32_t i = 0; i < count; i++) {
        targets[i] = -1;
        if (!buffer->slots) continue;
        if (i % PREFETCHED == 0) prefetch_probes(buffer, hashes + i, count - i < PREFETCHED ? count - i : PREFETCHED);
        int32_t row = leat_batch_row(batch, first + i);
        for (uint32_t slot = first_slot(buffer, hashes[i]); buffer->slots[slot];
             slot = (slot + 1) & buffer->slots_mask) {
            int32_t candidate = (int32_t)buffer->slots[slot] - 1;
            if (!is_match(buffer, candidate, hashes[i], batch, columns, row)) continue;
            targets[i] = candidate;
            break;
        }
    }
}

static leat_code seal_raw(leat_pk_raw_rows *raw, leat_error *error)
{
    LEAT_TRY(leat_grow(&raw->batches, &raw->batches_capacity, raw->batches_count + 1, sizeof *raw->batches, error));
    LEAT_TRY(leat_batch_builder_finish(&raw->builder, &raw->batches[raw->batches_count], error));
    raw->bytes += leat_batch_bytes(raw->batches[raw->batches_count]);
    raw->batches_count++;
    return LEAT_OK;
}

static leat_code add_raw(leat_pk_buffer *buffer, const leat_batch *batch, const uint16_t *rows, const uint32_t *targets,
                         int32_t count, int64_t first_sequence, leat_error *error)
{
    leat_pk_raw_rows *raw = &buffer->raw;
    LEAT_TRY(leat_grow(&raw->targets, &raw->targets_capacity, raw->count + (size_t)count, sizeof *raw->targets, error));
    LEAT_TRY(leat_grow(&raw->sequences, &raw->sequences_capacity, raw->count + (size_t)count, sizeof *raw->sequences,
                       error));
    for (int32_t done = 0; done < count;) {
        if (!raw->builder.columns) {
            LEAT_TRY(
                leat_batch_builder_init_schema(&raw->builder, &buffer->options->schema, LEAT_BATCH_ROWS_MAX, error));
        }
        int32_t room = raw->builder.capacity_rows - raw->builder.rows;
        int32_t taken = count - done < room ? count - done : room;
        leat_batch view = *batch; /* the table's columns only */
        view.columns_count = buffer->options->schema.fields_count;
        LEAT_TRY(leat_batch_builder_append_rows(&raw->builder, &view, rows + done, taken, error));
        for (int32_t i = 0; i < taken; i++) {
            raw->targets[raw->count] = targets[done + i];
            raw->sequences[raw->count++] = first_sequence + done + i;
        }
        done += taken;
        if (leat_batch_builder_is_full(&raw->builder)) LEAT_TRY(seal_raw(raw, error));
    }
    return LEAT_OK;
}

leat_code leat_pk_buffer_add(leat_pk_buffer *buffer, const leat_batch *batch, const uint16_t *rows,
                             const uint32_t *hashes, int32_t count, int64_t first_sequence, leat_error *error)
{
    LEAT_ASSERT(count <= LEAT_BATCH_ROWS_MAX);
    uint32_t targets[LEAT_BATCH_ROWS_MAX];
    LEAT_TRY(find_targets(buffer, batch, rows, hashes, count, targets, error));
    if (buffer->keeps_raw) LEAT_TRY(add_raw(buffer, batch, rows, targets, count, first_sequence, error));
    return leat_pk_state_add_many(&buffer->state, batch, rows, targets, count, first_sequence, error);
}

/* --- sorting: by the first key column's prefix, then by all key columns; bottom-up merge sort of 16-byte entries ---
 */

typedef struct sort_entry {
    uint64_t prefix;
    uint32_t row;
} sort_entry;

static bool is_before(const leat_pk_buffer *buffer, const sort_entry *left, const sort_entry *right)
{
    if (left->prefix != right->prefix) return left->prefix < right->prefix;
    for (int32_t k = 0; k < buffer->options->keys_count; k++) {
        const leat_pk_column *column = &buffer->state.columns[buffer->options->keys[k]];
        int order =
            leat_pk_compare(&column->type, &column->column, (int32_t)left->row, &column->column, (int32_t)right->row);
        if (order) return order < 0;
    }
    return false;
}

static void merge_pass(const leat_pk_buffer *buffer, const sort_entry *from, sort_entry *to, size_t count, size_t width)
{
    for (size_t start = 0; start < count; start += 2 * width) {
        size_t middle = start + width < count ? start + width : count;
        size_t end = start + 2 * width < count ? start + 2 * width : count;
        size_t left = start, right = middle;
        for (size_t at = start; at < end; at++) {
            bool takes_left = left < middle && (right == end || !is_before(buffer, &from[right], &from[left]));
            to[at] = takes_left ? from[left++] : from[right++];
        }
    }
}

leat_code leat_pk_buffer_sort(const leat_pk_buffer *buffer, uint32_t **order, leat_error *error)
{
    size_t count = (size_t)buffer->state.rows;
    sort_entry *entries = leat_alloc(count * sizeof *entries), *other = leat_alloc(count * sizeof *other);
    uint32_t *result = leat_alloc(count * sizeof *result);
    if (!entries || !other || !result) {
        leat_free(entries);
        leat_free(other);
        leat_free(result);
        return leat_fail_no_memory(error);
    }
    const leat_pk_column *first = &buffer->state.columns[buffer->options->keys[0]];
    for (size_t i = 0; i < count; i++) {
        entries[i] = (sort_entry){leat_pk_prefix(&first->type, &first->column, (int32_t)i), (uint32_t)i};
    }
    for (size_t width = 1; width < count; width *= 2) {
        merge_pass(buffer, entries, other, count, width);
        sort_entry *swapped = entries;
        entries = other;
        other = swapped;
    }
    for (size_t i = 0; i < count; i++)
        result[i] = entries[i].row;
    leat_free(entries);
    leat_free(other);
    *order = result;
    return LEAT_OK;
}

/* Counting sort by the rank of the key; rows came in the order of their sequence numbers. */
leat_code leat_pk_buffer_sort_raw(leat_pk_buffer *buffer, const uint32_t *order, uint32_t **raw_order,
                                  leat_error *error)
{
    leat_pk_raw_rows *raw = &buffer->raw;
    size_t keys = (size_t)buffer->state.rows;
    if (raw->builder.rows) LEAT_TRY(seal_raw(raw, error));
    uint32_t *rank = leat_alloc(keys * sizeof *rank), *starts = leat_calloc(keys + 1, sizeof *starts);
    uint32_t *result = leat_alloc(raw->count * sizeof *result);
    if (!rank || !starts || !result) {
        leat_free(rank);
        leat_free(starts);
        leat_free(result);
        return leat_fail_no_memory(error);
    }
    for (size_t i = 0; i < keys; i++)
        rank[order[i]] = (uint32_t)i;
    for (size_t i = 0; i < raw->count; i++)
        starts[rank[raw->targets[i]] + 1]++;
    for (size_t i = 0; i < keys; i++)
        starts[i + 1] += starts[i];
    for (size_t i = 0; i < raw->count; i++)
        result[starts[rank[raw->targets[i]]]++] = (uint32_t)i;
    leat_free(rank);
    leat_free(starts);
    *raw_order = result;
    return LEAT_OK;
}

static leat_code copy_raw(leat_pk_buffer *buffer, leat_batch_builder *builder, uint32_t index, leat_error *error)
{
    const leat_batch *batch = buffer->raw.batches[index / LEAT_BATCH_ROWS_MAX];
    int32_t row = (int32_t)(index % LEAT_BATCH_ROWS_MAX), columns = buffer->options->schema.fields_count;
    LEAT_TRY(leat_batch_builder_begin_row(builder, (leat_row_kind)leat_batch_kind(batch, row), error));
    for (int32_t i = 0; i < columns; i++) {
        LEAT_TRY(leat_batch_builder_copy_value(builder, i, &batch->columns[i], row, error));
    }
    leat_batch_builder_set_fixed(builder, columns, &buffer->raw.sequences[index]);
    return LEAT_OK;
}

leat_code leat_pk_buffer_gather_raw(leat_pk_buffer *buffer, const uint32_t *raw_order, int32_t count, leat_batch **out,
                                    leat_error *error)
{
    int32_t columns = buffer->options->schema.fields_count;
    leat_layout *layouts = leat_alloc(((size_t)columns + 1) * sizeof *layouts);
    if (!layouts) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < columns; i++)
        layouts[i] = leat_type_layout(&buffer->options->schema.fields[i].type);
    layouts[columns] = LEAT_LAYOUT_64;
    leat_batch_builder builder;
    leat_code code = leat_batch_builder_init(&builder, layouts, columns + 1, count, error);
    leat_free(layouts);
    for (int32_t i = 0; i < count && code == LEAT_OK; i++)
        code = copy_raw(buffer, &builder, raw_order[i], error);
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, out, error);
    leat_batch_builder_done(&builder);
    return code;
}
