#include "tests/batches.h"

#include "columnar/wire.h"
#include "common/memory.h"

static leat_buffer *write_body(const leat_batch *batch)
{
    leat_buffer *body = leat_buffer_new(leat_batch_wire_bytes(batch));
    assert_non_null(body);
    memset(body->data, 0xa5, body->size_bytes);
    leat_batch_wire_write(batch, body->data);
    return body;
}

static void check_round_trip(const leat_batch *batch)
{
    leat_buffer *body = write_body(batch);
    leat_batch *back;
    leat_error error = {0};
    assert_int_equal(leat_batch_wire_read(body, batches_layouts, BATCHES_COLUMNS, &back, &error), LEAT_OK);
    leat_buffer_unref(body); /* the batch keeps it */
    assert_null(back->selection);
    batches_assert_same(batch, back);
    leat_batch_free(back);
}

static void batches_of_all_lengths_come_back(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int32_t rows = 0; rows <= 300; rows++) {
        batches_options options = {rows, rows % 2 == 1, rows % 3 == 1, 60};
        leat_batch *batch = batches_make(&options, &seed);
        check_round_trip(batch);
        leat_batch_free(batch);
    }
}

static void a_full_batch_comes_back(void **state)
{
    (void)state;
    uint64_t seed = 2;
    batches_options options = {LEAT_BATCH_ROWS_MAX, true, true, 200};
    leat_batch *batch = batches_make(&options, &seed);
    check_round_trip(batch);
    leat_batch_free(batch);
}

static void only_selected_rows_travel(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (uint64_t one_in = 1; one_in < 200; one_in = one_in * 2 + 1) {
        batches_options options = {150, true, true, 60};
        leat_batch *batch = batches_make(&options, &seed);
        size_t all = leat_batch_wire_bytes(batch);
        batches_select(batch, one_in, &seed);
        assert_true(leat_batch_wire_bytes(batch) <= all);
        check_round_trip(batch);
        leat_batch_free(batch);
    }
}

static void a_batch_without_columns_comes_back(void **state)
{
    (void)state;
    leat_batch *batch = leat_batch_new(0), *back;
    batch->rows = batch->selected = 17;
    leat_buffer *body = write_body(batch);
    assert_int_equal(leat_batch_wire_read(body, NULL, 0, &back, NULL), LEAT_OK);
    assert_int_equal(back->rows, 17);
    leat_batch_free(back);
    leat_batch_free(batch);
    leat_buffer_unref(body);
}

static void no_old_memory_leaves_with_a_body(void **state)
{
    (void)state;
    uint64_t seed = 4;
    batches_options options = {77, true, true, 30};
    leat_batch *batch = batches_make(&options, &seed);
    batches_select(batch, 2, &seed);
    size_t bytes = leat_batch_wire_bytes(batch);
    leat_buffer *first = leat_buffer_new(bytes), *second = leat_buffer_new(bytes);
    memset(first->data, 0x00, bytes);
    memset(second->data, 0xff, bytes);
    leat_batch_wire_write(batch, first->data);
    leat_batch_wire_write(batch, second->data);
    assert_memory_equal(first->data, second->data, bytes);
    leat_buffer_unref(first);
    leat_buffer_unref(second);
    leat_batch_free(batch);
}

static void other_columns_than_expected_are_refused(void **state)
{
    (void)state;
    uint64_t seed = 5;
    batches_options options = {10, false, false, 5};
    leat_batch *batch = batches_make(&options, &seed), *back = NULL;
    leat_buffer *body = write_body(batch);
    leat_layout other[BATCHES_COLUMNS];
    memcpy(other, batches_layouts, sizeof other);
    other[3] = LEAT_LAYOUT_32;
    leat_error error = {0};
    assert_int_equal(leat_batch_wire_read(body, other, BATCHES_COLUMNS, &back, &error), LEAT_CORRUPT);
    assert_non_null(strstr(error.text, "column 3"));
    assert_int_equal(leat_batch_wire_read(body, batches_layouts, BATCHES_COLUMNS - 1, &back, NULL), LEAT_CORRUPT);
    leat_buffer_unref(body);
    leat_batch_free(batch);
}

/* Everything that a reader of the batch may touch. */
static uint64_t touch_all(const leat_batch *batch)
{
    uint64_t sum = 0;
    for (int32_t c = 0; c < batch->columns_count; c++) {
        const leat_column *column = &batch->columns[c];
        size_t width = leat_layout_bytes(column->layout);
        for (int32_t row = 0; row < batch->rows; row++) {
            const uint8_t *bytes = (const uint8_t *)column->values + (size_t)row * width;
            size_t length = width;
            if (column->layout == LEAT_LAYOUT_VIEW) {
                const leat_view *view = (const leat_view *)column->values + row;
                bytes = (const uint8_t *)leat_view_data(column, view);
                length = (size_t)view->length;
            }
            for (size_t i = 0; i < length; i++)
                sum += bytes[i];
            sum += leat_column_is_null(column, row) + (uint64_t)leat_batch_kind(batch, row);
        }
    }
    return sum;
}

static void hostile_bytes_are_refused_or_safe(void **state)
{
    (void)state;
    uint64_t seed = 6, sum = 0;
    int refused = 0, read = 0;
    for (int round = 0; round < 20000; round++) {
        batches_options options = {1 + round % 20, round % 2 == 0, round % 3 == 0, 30};
        leat_batch *batch = batches_make(&options, &seed), *back;
        leat_buffer *body = write_body(batch);
        size_t size = body->size_bytes;
        for (uint64_t edits = 1 + batches_random(&seed) % 3; edits; edits--) {
            /* The first bytes hold what is dangerous: most edits go there. */
            size_t within = batches_random(&seed) % 2 ? size : size < 320 ? size : 320;
            body->data[batches_random(&seed) % within] =
                (uint8_t)(batches_random(&seed) % 3 ? batches_random(&seed) : 0xff);
        }
        if (batches_random(&seed) % 4 == 0) size = batches_random(&seed) % size;
        leat_buffer *exact = leat_buffer_new(size); /* the sanitizer sees a byte beyond it */
        memcpy(exact->data, body->data, size);
        leat_buffer_unref(body);
        if (leat_batch_wire_read(exact, batches_layouts, BATCHES_COLUMNS, &back, NULL) == LEAT_OK) {
            sum += touch_all(back);
            leat_batch_free(back);
            read++;
        } else {
            refused++;
        }
        leat_buffer_unref(exact);
        leat_batch_free(batch);
    }
    assert_true(refused > 1000 && read > 1000 && sum > 0);
}

static void reading_survives_every_allocation_failure(void **state)
{
    (void)state;
    uint64_t seed = 7;
    batches_options options = {50, true, true, 30};
    leat_batch *batch = batches_make(&options, &seed);
    leat_buffer *body = write_body(batch);
    leat_code code = LEAT_NO_MEMORY;
    for (int64_t n = 1; n < 100 && code != LEAT_OK; n++) {
        leat_batch *back = NULL;
        leat_memory_fail_nth(n);
        code = leat_batch_wire_read(body, batches_layouts, BATCHES_COLUMNS, &back, NULL);
        leat_memory_fail_nth(0);
        assert_true(code == LEAT_OK || code == LEAT_NO_MEMORY);
        if (code == LEAT_OK) leat_batch_free(back);
    }
    assert_int_equal(code, LEAT_OK);
    assert_int_equal(atomic_load(&body->references), 1);
    leat_buffer_unref(body);
    leat_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(batches_of_all_lengths_come_back),
        cmocka_unit_test(a_full_batch_comes_back),
        cmocka_unit_test(only_selected_rows_travel),
        cmocka_unit_test(a_batch_without_columns_comes_back),
        cmocka_unit_test(no_old_memory_leaves_with_a_body),
        cmocka_unit_test(other_columns_than_expected_are_refused),
        cmocka_unit_test(hostile_bytes_are_refused_or_safe),
        cmocka_unit_test(reading_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
