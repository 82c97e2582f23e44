#include "paimon/row_split.h"

#include <string.h>

#include "columnar/hash.h"
#include "common/memory.h"

enum { SLOTS = 2 * LEAT_BATCH_ROWS_MAX };

leat_code leat_paimon_row_split_init(leat_paimon_row_split *self, leat_error *error)
{
    *self = (leat_paimon_row_split){0};
    self->sets = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->sets);
    self->rows = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->rows);
    self->hashes = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->hashes);
    self->set_of = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->set_of);
    self->slots = leat_alloc(SLOTS * sizeof *self->slots);
    if (self->sets && self->rows && self->hashes && self->set_of && self->slots) return LEAT_OK;
    leat_paimon_row_split_done(self);
    return leat_fail_no_memory(error);
}

void leat_paimon_row_split_done(leat_paimon_row_split *self)
{
    leat_free(self->sets);
    leat_free(self->rows);
    leat_free(self->hashes);
    leat_free(self->set_of);
    leat_free(self->slots);
    *self = (leat_paimon_row_split){0};
}

static bool is_equal(const leat_column *column, int32_t left, int32_t right)
{
    bool is_null = leat_column_is_null(column, left);
    if (is_null != leat_column_is_null(column, right)) return false;
    if (is_null) return true;
    if (column->layout == LEAT_LAYOUT_VIEW) {
        const leat_view *a = (const leat_view *)column->values + left, *b = (const leat_view *)column->values + right;
        return a->length == b->length &&
               memcmp(leat_view_data(column, a), leat_view_data(column, b), (size_t)a->length) == 0;
    }
    size_t width = leat_layout_bytes(column->layout);
    const uint8_t *values = column->values;
    return memcmp(values + (size_t)left * width, values + (size_t)right * width, width) == 0;
}

static bool belongs(const leat_paimon_row_set *set, uint64_t hash, int32_t bucket, const leat_batch *batch, int32_t row,
                    const int32_t *columns, int32_t columns_count)
{
    if (set->hash != hash || set->bucket != bucket) return false;
    for (int32_t c = 0; c < columns_count; c++) {
        if (!is_equal(&batch->columns[columns[c]], set->first_row, row)) return false;
    }
    return true;
}

void leat_paimon_row_split_run(leat_paimon_row_split *self, const leat_batch *batch, const int32_t *columns,
                               const leat_type *types, int32_t columns_count, const int32_t *buckets)
{
    memset(self->slots, 0xff, SLOTS * sizeof *self->slots);
    self->sets_count = 0;
    leat_hash_rows(batch, columns, types, columns_count, self->hashes);
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i), bucket = buckets ? buckets[i] : 0;
        uint64_t hash = self->hashes[i] + (uint64_t)bucket * UINT64_C(0x9e3779b97f4a7c15);
        uint32_t slot = (uint32_t)(hash ^ (hash >> 32)) % SLOTS;
        while (self->slots[slot] >= 0 &&
               !belongs(&self->sets[self->slots[slot]], hash, bucket, batch, row, columns, columns_count)) {
            slot = (slot + 1) % SLOTS;
        }
        if (self->slots[slot] < 0) {
            self->slots[slot] = self->sets_count;
            self->sets[self->sets_count++] = (leat_paimon_row_set){.hash = hash, .first_row = row, .bucket = bucket};
        }
        self->sets[self->slots[slot]].count++;
        self->set_of[i] = (uint16_t)self->slots[slot];
    }
    int32_t start = 0;
    for (int32_t s = 0; s < self->sets_count; s++) {
        self->sets[s].start = start;
        start += self->sets[s].count;
        self->sets[s].count = 0;
    }
    for (int32_t i = 0; i < batch->selected; i++) {
        leat_paimon_row_set *set = &self->sets[self->set_of[i]];
        self->rows[set->start + set->count++] = (uint16_t)leat_batch_row(batch, i);
    }
}
