/* Rows are kept as the batches they came in; what is sorted are 8-byte places (batch, row). With a limit, whenever
 * twice as many rows as wanted are kept, the worse half is dropped and the rest copied into fresh batches. */
#include "operators/sort.h"

#include <stdlib.h>

#include "columnar/compare.h"
#include "common/memory.h"
#include "operators/config.h"

typedef struct place {
    uint32_t batch, row;
} place;

typedef struct sort {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_sort_config config;
    leat_sort_key *keys;
    leat_order *orders;
    leat_batch **batches;
    size_t batches_count, batches_capacity;
    place *places, *other; /* other: of the same capacity, for merging */
    size_t places_count, places_capacity, other_capacity;
    size_t held_bytes;
    size_t next; /* place to emit */
} sort;

void leat_sort_config_write(const leat_sort_config *config, leat_bytes *out)
{
    leat_schema_write(&config->input, out);
    leat_bytes_put_i64(out, config->offset);
    leat_bytes_put_i64(out, config->limit);
    leat_bytes_put_u32(out, (uint32_t)config->keys_count);
    for (int32_t i = 0; i < config->keys_count; i++) {
        leat_bytes_put_u32(out, (uint32_t)config->keys[i].column);
        leat_bytes_put_u8(out, config->keys[i].is_descending);
        leat_bytes_put_u8(out, config->keys[i].nulls_last);
    }
}

static leat_code read_config(sort *self, const uint8_t *data, size_t size, leat_error *error)
{
    leat_sort_config *config = &self->config;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    LEAT_TRY(leat_schema_read(&reader, &self->arena, &config->input, error));
    config->offset = leat_reader_i64(&reader);
    config->limit = leat_reader_i64(&reader);
    uint32_t count = leat_reader_u32(&reader);
    bool is_sane = !reader.failed && count <= LEAT_OPERATOR_COLUMNS_MAX && config->offset >= 0;
    if (!is_sane) return leat_fail(error, LEAT_CORRUPT, "sort configuration");
    self->keys = leat_arena_take(&self->arena, (count + 1) * sizeof *self->keys);
    self->orders = leat_arena_take(&self->arena, (count + 1) * sizeof *self->orders);
    if (!self->keys || !self->orders) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        self->keys[i].column = (int32_t)leat_reader_u32(&reader);
        self->keys[i].is_descending = leat_reader_u8(&reader) != 0;
        self->keys[i].nulls_last = leat_reader_u8(&reader) != 0;
        int32_t column = self->keys[i].column;
        if (column < 0 || column >= config->input.fields_count) return leat_fail(error, LEAT_CORRUPT, "sort key %u", i);
        self->orders[i] = leat_order_of(&config->input.fields[column].type);
    }
    config->keys = self->keys;
    config->keys_count = (int32_t)count;
    return leat_reader_check(&reader, true, "sort configuration", error);
}

static leat_code sort_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    (void)operator;
    (void)restored;
    (void)error;
    return LEAT_OK;
}

static int compare_places(const sort *self, place left, place right)
{
    const leat_batch *a = self->batches[left.batch], *b = self->batches[right.batch];
    for (int32_t i = 0; i < self->config.keys_count; i++) {
        const leat_sort_key *key = &self->keys[i];
        const leat_type *type = &self->config.input.fields[key->column].type;
        leat_operand x = {.column = &a->columns[key->column], .type = type};
        leat_operand y = {.column = &b->columns[key->column], .type = type};
        bool x_null = leat_column_is_null(x.column, (int32_t)left.row);
        bool y_null = leat_column_is_null(y.column, (int32_t)right.row);
        if (x_null || y_null) {
            if (x_null && y_null) continue;
            return x_null == key->nulls_last ? 1 : -1;
        }
        int order = self->orders[i](&x, (int32_t)left.row, &y, (int32_t)right.row);
        if (order != 0) return key->is_descending ? -order : order;
    }
    return 0;
}

/* Bottom-up merge sort: stable, no recursion. */
static leat_code sort_places(sort *self, leat_error *error)
{
    size_t count = self->places_count;
    LEAT_TRY(leat_grow(&self->other, &self->other_capacity, count, sizeof *self->other, error));
    place *from = self->places, *to = self->other;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t end = middle + width < count ? middle + width : count;
            size_t left = start, right = middle;
            for (size_t i = start; i < end; i++) {
                bool takes_left = left < middle && (right == end || compare_places(self, from[left], from[right]) <= 0);
                to[i] = takes_left ? from[left++] : from[right++];
            }
        }
        place *swap = from;
        from = to;
        to = swap;
    }
    if (from != self->places) memcpy(self->places, from, count * sizeof *from);
    return LEAT_OK;
}

/* Copies places first … into one batch of at most LEAT_BATCH_ROWS_MAX rows. */
static leat_code gather(const sort *self, size_t first, size_t count, leat_batch **out, leat_error *error)
{
    leat_batch_builder builder;
    LEAT_TRY(leat_batch_builder_init_schema(&builder, &self->config.input, (int32_t)count, error));
    leat_code code = LEAT_OK;
    for (size_t i = 0; code == LEAT_OK && i < count; i++) {
        place at = self->places[first + i];
        uint16_t row = (uint16_t)at.row;
        code = leat_batch_builder_append_rows(&builder, self->batches[at.batch], &row, 1, error);
    }
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, out, error);
    leat_batch_builder_done(&builder);
    return code;
}

static int64_t wanted_rows(const sort *self)
{
    bool is_limited = self->config.limit >= 0 && self->config.limit < INT64_MAX - self->config.offset;
    return is_limited ? self->config.offset + self->config.limit : INT64_MAX;
}

/* Keeps the best rows only, in fresh batches, so that the old ones' memory is free. */
static leat_code shrink(sort *self, leat_error *error)
{
    LEAT_TRY(sort_places(self, error));
    size_t keep = (size_t)wanted_rows(self);
    if (self->places_count > keep) self->places_count = keep;
    size_t fresh = (self->places_count + LEAT_BATCH_ROWS_MAX - 1) / LEAT_BATCH_ROWS_MAX;
    leat_batch **batches = leat_calloc(fresh + 1, sizeof *batches);
    if (!batches) return leat_fail_no_memory(error);
    leat_code code = LEAT_OK;
    for (size_t b = 0; code == LEAT_OK && b < fresh; b++) {
        size_t first = b * LEAT_BATCH_ROWS_MAX, left = self->places_count - first;
        code = gather(self, first, left < LEAT_BATCH_ROWS_MAX ? left : LEAT_BATCH_ROWS_MAX, &batches[b], error);
    }
    if (code != LEAT_OK) {
        for (size_t b = 0; b < fresh; b++)
            leat_batch_free(batches[b]);
        leat_free(batches);
        return code;
    }
    for (size_t i = 0; i < self->batches_count; i++)
        leat_batch_free(self->batches[i]);
    leat_free(self->batches);
    self->batches = batches;
    self->batches_count = fresh;
    self->batches_capacity = fresh + 1;
    self->held_bytes = 0;
    for (size_t b = 0; b < fresh; b++)
        self->held_bytes += leat_batch_bytes(batches[b]);
    for (size_t i = 0; i < self->places_count; i++) {
        self->places[i] = (place){(uint32_t)(i / LEAT_BATCH_ROWS_MAX), (uint32_t)(i % LEAT_BATCH_ROWS_MAX)};
    }
    return LEAT_OK;
}

static leat_code sort_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                              leat_error *error)
{
    (void)input;
    (void)progress;
    sort *self = (sort *)operator;
    size_t count = (size_t)(*batch)->selected;
    LEAT_TRY(leat_grow(&self->batches, &self->batches_capacity, self->batches_count + 1, sizeof *self->batches, error));
    LEAT_TRY(leat_grow(&self->places, &self->places_capacity, self->places_count + count, sizeof *self->places, error));
    for (size_t i = 0; i < count; i++) {
        int32_t row = leat_batch_row(*batch, (int32_t)i);
        if (!leat_row_kind_is_add(leat_batch_kind(*batch, row))) {
            return leat_fail(error, LEAT_UNSUPPORTED, "ORDER BY over a changing input");
        }
        self->places[self->places_count++] = (place){(uint32_t)self->batches_count, (uint32_t)row};
    }
    self->held_bytes += leat_batch_bytes(*batch) + count * 2 * sizeof(place);
    self->batches[self->batches_count++] = *batch;
    *batch = NULL;
    int64_t wanted = wanted_rows(self);
    bool may_shrink = wanted < INT64_MAX / 4 && (int64_t)self->places_count > 2 * wanted + LEAT_BATCH_ROWS_MAX;
    if (may_shrink) LEAT_TRY(shrink(self, error));
    int64_t budget = operator->context->memory_bytes;
    if (budget > 0 && self->held_bytes > (size_t)budget) {
        leat_code code = leat_fail(error, LEAT_LIMIT, "ORDER BY holds %zu bytes, more than its share of %lld",
                                   self->held_bytes, (long long)budget);
        leat_fail_hint(error, "raise taskmanager.memory.process.size, or add a LIMIT");
        return code;
    }
    return LEAT_OK;
}

static leat_code emit_next(sort *self, leat_progress *progress, leat_error *error)
{
    size_t end = self->places_count;
    if ((int64_t)end > wanted_rows(self)) end = (size_t)wanted_rows(self);
    if (self->next >= end) return LEAT_OK;
    size_t count = end - self->next < LEAT_BATCH_ROWS_MAX ? end - self->next : LEAT_BATCH_ROWS_MAX;
    leat_batch *batch = NULL;
    LEAT_TRY(gather(self, self->next, count, &batch, error));
    self->next += count;
    *progress = self->next < end ? LEAT_AGAIN : LEAT_DONE;
    leat_code code = leat_context_emit(self->operator.context, &batch, error);
    leat_batch_free(batch);
    return code;
}

static leat_code sort_end_input(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    sort *self = (sort *)operator;
    LEAT_TRY(sort_places(self, error));
    self->next = (size_t)self->config.offset;
    return emit_next(self, progress, error);
}

static leat_code sort_resume(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    return emit_next((sort *)operator, progress, error);
}

static void sort_close(leat_operator *operator)
{
    sort *self = (sort *)operator;
    for (size_t i = 0; i < self->batches_count; i++)
        leat_batch_free(self->batches[i]);
    leat_free(self->batches);
    leat_free(self->places);
    leat_free(self->other);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable sort_vtable = {.type = "sort",
                                                 .open = sort_open,
                                                 .process_batch = sort_process,
                                                 .resume = sort_resume,
                                                 .end_input = sort_end_input,
                                                 .close = sort_close};

static leat_code sort_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                             leat_operator **out, leat_error *error)
{
    sort *self = leat_operator_new(sizeof *self, offsetof(sort, arena));
    if (!self) return leat_fail_no_memory(error);
    self->operator=(leat_operator){&sort_vtable, context};
    leat_code code = read_config(self, config, config_size, error);
    if (code == LEAT_OK)
        *out = &self->operator;
    else
        sort_close(&self->operator);
    return code;
}

const leat_operator_factory leat_sort_factory = {"sort", sort_create};
