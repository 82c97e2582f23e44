#include "tests/batches.h"

#include "columnar/hash.h"
#include "common/memory.h"

static const batches_options plain = {.rows = 100, .text_length_max = 40};
static const batches_options mixed = {.rows = 100, .has_nulls = true, .has_kinds = true, .text_length_max = 40};

static void a_built_row_is_read_back(void **state)
{
    (void)state;
    leat_batch_builder builder = {0};
    leat_batch *batch;
    static const leat_layout layouts[] = {LEAT_LAYOUT_32, LEAT_LAYOUT_VIEW, LEAT_LAYOUT_64};
    assert_int_equal(leat_batch_builder_init(&builder, layouts, 3, 4, NULL), LEAT_OK);
    int32_t number = -7;
    assert_int_equal(leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, NULL), LEAT_OK);
    leat_batch_builder_set_fixed(&builder, 0, &number);
    assert_int_equal(leat_batch_builder_set_bytes(&builder, 1, "more than twelve bytes", 22, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_begin_row(&builder, LEAT_ROW_DELETE, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_set_bytes(&builder, 1, "short", 5, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_finish(&builder, &batch, NULL), LEAT_OK);
    assert_int_equal(builder.rows, 0);
    assert_int_equal(batch->rows, 2);
    assert_int_equal(((const int32_t *)batch->columns[0].values)[0], -7);
    assert_true(leat_column_is_null(&batch->columns[0], 1) && leat_column_is_null(&batch->columns[2], 0));
    const leat_view *views = batch->columns[1].values;
    assert_memory_equal(leat_view_data(&batch->columns[1], &views[0]), "more than twelve bytes", 22);
    assert_memory_equal(leat_view_data(&batch->columns[1], &views[1]), "short", 5);
    assert_int_equal(leat_batch_kind(batch, 0), LEAT_ROW_INSERT);
    assert_int_equal(leat_batch_kind(batch, 1), LEAT_ROW_DELETE);
    leat_batch_free(batch);
    leat_batch_builder_done(&builder);
}

static void values_of_null_rows_are_zero_bytes(void **state)
{
    (void)state;
    uint64_t seed = 1;
    leat_batch *batch = batches_make(&mixed, &seed);
    static const uint8_t zeroes[16];
    for (int32_t c = 0; c < batch->columns_count; c++) {
        size_t width = leat_layout_bytes(batch->columns[c].layout);
        for (int32_t row = 0; row < batch->rows; row++) {
            if (!leat_column_is_null(&batch->columns[c], row)) continue;
            assert_memory_equal((const uint8_t *)batch->columns[c].values + (size_t)row * width, zeroes, width);
        }
    }
    leat_batch_free(batch);
}

static void equal_short_strings_are_equal_views(void **state)
{
    (void)state;
    leat_view left, right;
    leat_buffer *heap = NULL;
    size_t used = 0;
    memset(&left, 0xff, sizeof left);
    assert_int_equal(leat_view_make(&left, "abc", 3, &heap, &used, NULL), LEAT_OK);
    memset(&right, 0x11, sizeof right);
    assert_int_equal(leat_view_make(&right, "abc", 3, &heap, &used, NULL), LEAT_OK);
    assert_memory_equal(&left, &right, sizeof left);
    assert_null(heap);
}

static void a_builder_goes_on_after_finish_and_leaves_the_first_batch_alone(void **state)
{
    (void)state;
    uint64_t seed = 2, again = 2;
    leat_batch_builder builder = {0};
    leat_batch *first, *second;
    assert_int_equal(leat_batch_builder_init(&builder, batches_layouts, BATCHES_COLUMNS, 100, NULL), LEAT_OK);
    assert_int_equal(batches_fill(&builder, &mixed, &seed), LEAT_OK);
    assert_true(leat_batch_builder_is_full(&builder));
    assert_int_equal(leat_batch_builder_finish(&builder, &first, NULL), LEAT_OK);
    assert_int_equal(batches_fill(&builder, &plain, &seed), LEAT_OK);
    assert_int_equal(leat_batch_builder_finish(&builder, &second, NULL), LEAT_OK);
    leat_batch_builder_done(&builder);
    leat_batch *same_first = batches_make(&mixed, &again), *same_second = batches_make(&plain, &again);
    batches_assert_same(first, same_first);
    batches_assert_same(second, same_second);
    leat_batch_free(first);
    leat_batch_free(second);
    leat_batch_free(same_first);
    leat_batch_free(same_second);
}

static void compacting_keeps_the_selected_rows(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (uint64_t one_in = 1; one_in < 40; one_in += 6) {
        leat_batch *batch = batches_make(&mixed, &seed), *dense = NULL;
        batches_select(batch, one_in, &seed);
        leat_batch *shared = leat_batch_share(batch);
        assert_int_equal(leat_batch_compact(&batch, &dense, NULL), LEAT_OK);
        assert_null(batch);
        assert_null(dense->selection);
        assert_int_equal(dense->rows, shared->selected);
        batches_assert_same(dense, shared);
        leat_batch_free(dense);
        leat_batch_free(shared);
    }
}

static void compacting_without_a_selection_moves_the_batch(void **state)
{
    (void)state;
    uint64_t seed = 4;
    leat_batch *batch = batches_make(&plain, &seed), *given = batch, *dense = NULL;
    assert_int_equal(leat_batch_compact(&batch, &dense, NULL), LEAT_OK);
    assert_ptr_equal(dense, given);
    assert_null(batch);
    leat_batch_free(dense);
}

static void a_shared_batch_outlives_the_first(void **state)
{
    (void)state;
    uint64_t seed = 5, again = 5;
    leat_batch *batch = batches_make(&mixed, &seed), *expected = batches_make(&mixed, &again);
    leat_batch *shared = leat_batch_share(batch);
    leat_column column = {0};
    assert_int_equal(leat_column_share(&column, &batch->columns[5], NULL), LEAT_OK);
    leat_batch_free(batch);
    batches_assert_same(shared, expected);
    leat_batch_free(shared);
    assert_true(batches_same_value(&column, 3, &expected->columns[5], 3));
    leat_column_clear(&column);
    leat_batch_free(expected);
}

static void only_adding_rows_stay_selected(void **state)
{
    (void)state;
    static const int8_t kinds[] = {LEAT_ROW_INSERT, LEAT_ROW_DELETE, LEAT_ROW_UPDATE_AFTER, LEAT_ROW_UPDATE_BEFORE,
                                   LEAT_ROW_INSERT};
    static const uint16_t some[] = {1, 2, 4};
    leat_batch *batch = leat_batch_new(0);
    batch->rows = batch->selected = 5;
    assert_int_equal(leat_batch_keep_adds(batch, NULL), LEAT_OK);
    assert_null(batch->selection); /* all are +I */
    batch->kinds = kinds;
    leat_memory_fail_nth(1);
    assert_int_equal(leat_batch_keep_adds(batch, NULL), LEAT_NO_MEMORY);
    leat_memory_fail_nth(0);
    assert_int_equal(leat_batch_keep_adds(batch, NULL), LEAT_OK);
    assert_int_equal(batch->selected, 3);
    assert_int_equal(batch->selection[1], 2);
    assert_int_equal(batch->selection[2], 4);
    leat_batch *other = leat_batch_new(0);
    leat_batch_share_rows(other, batch);
    leat_batch_free(batch);
    assert_int_equal(other->rows, 5);
    assert_int_equal(other->selection[2], 4);
    leat_buffer_unref(other->selection_buffer);
    other->selection_buffer = NULL;
    other->selection = some;
    assert_int_equal(leat_batch_keep_adds(other, NULL), LEAT_OK);
    assert_int_equal(other->selected, 2);
    assert_int_equal(other->selection[0], 2);
    leat_batch_free(other);
}

static void gathered_rows_come_in_the_order_asked_for(void **state)
{
    (void)state;
    uint64_t seed = 6;
    leat_batch *batch = batches_make(&mixed, &seed), *gathered;
    static const uint16_t rows[] = {99, 0, 50, 50, 1};
    leat_batch_builder builder = {0};
    assert_int_equal(leat_batch_builder_init(&builder, batches_layouts, BATCHES_COLUMNS, 10, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_append_rows(&builder, batch, rows, 5, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_append_rows(&builder, batch, rows, 5, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_finish(&builder, &gathered, NULL), LEAT_OK);
    assert_int_equal(gathered->rows, 10);
    for (int32_t i = 0; i < 10; i++) {
        assert_int_equal(leat_batch_kind(gathered, i), leat_batch_kind(batch, rows[i % 5]));
        for (int32_t c = 0; c < BATCHES_COLUMNS; c++)
            assert_true(batches_same_value(&gathered->columns[c], i, &batch->columns[c], rows[i % 5]));
    }
    leat_batch_builder_done(&builder);
    leat_batch_free(gathered);
    leat_batch_free(batch);
}

static void rows_are_gathered_from_several_batches(void **state)
{
    (void)state;
    uint64_t seed = 8;
    static const batches_options with_nulls = {.rows = 100, .has_nulls = true, .text_length_max = 40};
    leat_batch *a = batches_make(&plain, &seed), *b = batches_make(&with_nulls, &seed), *gathered;
    const leat_batch *const from[] = {a, b, a, b, b};
    static const int32_t rows[] = {99, 0, 50, 50, 1};
    leat_batch_builder builder = {0};
    assert_int_equal(leat_batch_builder_init(&builder, batches_layouts, BATCHES_COLUMNS, 10, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_append_far(&builder, from, rows, 5, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_append_far(&builder, from, rows, 5, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_finish(&builder, &gathered, NULL), LEAT_OK);
    assert_int_equal(gathered->rows, 10);
    for (int32_t i = 0; i < 10; i++) {
        for (int32_t c = 0; c < BATCHES_COLUMNS; c++)
            assert_true(batches_same_value(&gathered->columns[c], i, &from[i % 5]->columns[c], rows[i % 5]));
    }
    leat_batch_builder_done(&builder);
    leat_batch_free(gathered);
    leat_batch_free(a);
    leat_batch_free(b);
}

static void values_are_copied_with_their_nulls(void **state)
{
    (void)state;
    uint64_t seed = 7;
    leat_batch *batch = batches_make(&mixed, &seed), *copy;
    leat_batch_builder builder = {0};
    assert_int_equal(leat_batch_builder_init(&builder, batches_layouts, BATCHES_COLUMNS, 100, NULL), LEAT_OK);
    for (int32_t row = 0; row < batch->rows; row++) {
        leat_row_kind kind = (leat_row_kind)leat_batch_kind(batch, row);
        assert_int_equal(leat_batch_builder_begin_row(&builder, kind, NULL), LEAT_OK);
        for (int32_t c = 0; c < BATCHES_COLUMNS; c++)
            assert_int_equal(leat_batch_builder_copy_value(&builder, c, &batch->columns[c], row, NULL), LEAT_OK);
    }
    assert_int_equal(leat_batch_builder_finish(&builder, &copy, NULL), LEAT_OK);
    batches_assert_same(batch, copy);
    leat_batch_builder_done(&builder);
    leat_batch_free(copy);
    leat_batch_free(batch);
}

static void building_survives_every_allocation_failure(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 1000; n++) {
        uint64_t seed = 8;
        leat_memory_fail_nth(n);
        leat_batch *batch = batches_make(&mixed, &seed);
        leat_batch *shared = batch ? leat_batch_share(batch) : NULL, *dense = NULL;
        leat_memory_fail_nth(0);
        bool is_whole = shared != NULL;
        if (batch) {
            batches_select(batch, 3, &seed);
            leat_memory_fail_nth(n);
            leat_code code = leat_batch_compact(&batch, &dense, NULL);
            leat_memory_fail_nth(0);
            assert_int_equal(batch == NULL, code == LEAT_OK); /* taken only on success */
            is_whole = is_whole && code == LEAT_OK;
        }
        leat_batch_free(batch);
        leat_batch_free(shared);
        leat_batch_free(dense);
        if (is_whole) return;
    }
    fail();
}

static uint64_t hash_one(leat_type_kind kind, const leat_column *column)
{
    leat_batch batch = {.rows = 1, .selected = 1, .columns_count = 1, .columns = (leat_column *)(uintptr_t)column};
    leat_type type = leat_type_make(kind, true);
    int32_t zero = 0;
    uint64_t hash;
    leat_hash_rows(&batch, &zero, &type, 1, &hash);
    return hash;
}

static uint64_t hash_double(double value)
{
    leat_column column = {.layout = LEAT_LAYOUT_64, .values = &value};
    return hash_one(LEAT_TYPE_DOUBLE, &column);
}

static void equal_values_hash_equally(void **state)
{
    (void)state;
    assert_true(hash_double(0.0) == hash_double(-0.0));
    assert_true(hash_double(__builtin_nan("1")) == hash_double(-__builtin_nan("2")));
    assert_true(hash_double(1.0) != hash_double(2.0));
}

static void hashes_stay_what_checkpoints_hold(void **state)
{
    (void)state;
    /* LEAT_KEY_HASH_VERSION 1: a change of any of these needs another version. */
    static const struct {
        leat_type_kind kind;
        leat_layout layout;
        _Alignas(16) uint8_t value[16];
        uint64_t hash;
    } cases[] = {
        {LEAT_TYPE_TINYINT, LEAT_LAYOUT_8, {0xf9}, UINT64_C(0xcdeddd5c08597fb4)},            /* -7 */
        {LEAT_TYPE_SMALLINT, LEAT_LAYOUT_16, {0xd4, 0xfe}, UINT64_C(0xb7df447ad3365952)},    /* -300 */
        {LEAT_TYPE_INT, LEAT_LAYOUT_32, {0x40, 0xe2, 0x01}, UINT64_C(0xf3088e53441a77c5)},   /* 123456 */
        {LEAT_TYPE_FLOAT, LEAT_LAYOUT_32, {0, 0, 0xc0, 0x3f}, UINT64_C(0x2561a4889ff63458)}, /* 1.5 */
        {LEAT_TYPE_DOUBLE, LEAT_LAYOUT_64, {0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, UINT64_C(0x2561a4889ff63458)},
        {LEAT_TYPE_BIGINT, LEAT_LAYOUT_64, {255, 255, 255, 255, 255, 255, 255, 255}, UINT64_C(0x5111c7e47d784413)},
        {LEAT_TYPE_DECIMAL, LEAT_LAYOUT_128, {1, 2, 3}, UINT64_C(0x7b7bd828c40496a0)},
        {LEAT_TYPE_VARCHAR, LEAT_LAYOUT_VIEW, {6, 0, 0, 0, 'N', 'o', 'r', 'w', 'a', 'y'}, UINT64_C(0x463fd448558b9d72)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_column column = {.layout = cases[i].layout, .values = cases[i].value};
        uint64_t hash = hash_one(cases[i].kind, &column);
        if (hash != cases[i].hash) fail_msg("case %zu: 0x%016llx", i, (unsigned long long)hash);
    }
}

static void a_hash_does_not_depend_on_the_selection(void **state)
{
    (void)state;
    uint64_t seed = 9, all[100], some[100];
    leat_batch *batch = batches_make(&mixed, &seed);
    leat_type types[BATCHES_COLUMNS];
    int32_t columns[BATCHES_COLUMNS] = {0, 1, 2, 3, 4, 5};
    static const leat_type_kind kinds[BATCHES_COLUMNS] = {LEAT_TYPE_TINYINT, LEAT_TYPE_SMALLINT, LEAT_TYPE_FLOAT,
                                                          LEAT_TYPE_BIGINT,  LEAT_TYPE_DECIMAL,  LEAT_TYPE_VARCHAR};
    for (int32_t i = 0; i < BATCHES_COLUMNS; i++)
        types[i] = leat_type_make(kinds[i], true);
    leat_hash_rows(batch, columns, types, BATCHES_COLUMNS, all);
    batches_select(batch, 3, &seed);
    leat_hash_rows(batch, columns, types, BATCHES_COLUMNS, some);
    for (int32_t i = 0; i < batch->selected; i++)
        assert_true(some[i] == all[batch->selection[i]]);
    leat_batch_free(batch);
}

static void key_groups_are_owned_by_exactly_one_subtask(void **state)
{
    (void)state;
    for (int32_t max = 1; max <= 300; max += 13) {
        for (int32_t parallelism = 1; parallelism <= max; parallelism++) {
            assert_int_equal(leat_key_group_first(0, max, parallelism), 0);
            assert_int_equal(leat_key_group_first(parallelism, max, parallelism), max);
            for (int32_t group = 0; group < max; group++) {
                int32_t owner = leat_key_group_subtask(group, max, parallelism);
                assert_true(owner >= 0 && owner < parallelism);
                assert_true(group >= leat_key_group_first(owner, max, parallelism));
                assert_true(group < leat_key_group_first(owner + 1, max, parallelism));
            }
        }
    }
    assert_int_equal(leat_key_group(UINT64_MAX, 128), 127);
    assert_int_equal(leat_key_group(0, 128), 0);
}

static void max_parallelism_follows_flinks_rule(void **state)
{
    (void)state;
    assert_int_equal(leat_default_max_parallelism(1), 128);
    assert_int_equal(leat_default_max_parallelism(85), 128);
    assert_int_equal(leat_default_max_parallelism(86), 256);
    assert_int_equal(leat_default_max_parallelism(200), 512);
    assert_int_equal(leat_default_max_parallelism(30000), 32768);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(a_built_row_is_read_back),
        cmocka_unit_test(values_of_null_rows_are_zero_bytes),
        cmocka_unit_test(equal_short_strings_are_equal_views),
        cmocka_unit_test(a_builder_goes_on_after_finish_and_leaves_the_first_batch_alone),
        cmocka_unit_test(compacting_keeps_the_selected_rows),
        cmocka_unit_test(compacting_without_a_selection_moves_the_batch),
        cmocka_unit_test(a_shared_batch_outlives_the_first),
        cmocka_unit_test(only_adding_rows_stay_selected),
        cmocka_unit_test(gathered_rows_come_in_the_order_asked_for),
        cmocka_unit_test(rows_are_gathered_from_several_batches),
        cmocka_unit_test(values_are_copied_with_their_nulls),
        cmocka_unit_test(building_survives_every_allocation_failure),
        cmocka_unit_test(equal_values_hash_equally),
        cmocka_unit_test(hashes_stay_what_checkpoints_hold),
        cmocka_unit_test(a_hash_does_not_depend_on_the_selection),
        cmocka_unit_test(key_groups_are_owned_by_exactly_one_subtask),
        cmocka_unit_test(max_parallelism_follows_flinks_rule),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
