#include "tests/unit.h"

#include <math.h>
#include <string.h>

#include "columnar/batch.h"
#include "common/memory.h"
#include "formats/arrow_columns.h"
#include "formats/datafile.h"

static uint64_t random_state;
static uint64_t next_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return random_state >> 16;
}

static leat_field all_fields[] = {
    {"b", {.kind = LEAT_TYPE_BOOLEAN, .nullable = true}},
    {"i8", {.kind = LEAT_TYPE_TINYINT, .nullable = true}},
    {"i16", {.kind = LEAT_TYPE_SMALLINT, .nullable = true}},
    {"i32", {.kind = LEAT_TYPE_INT, .nullable = true}},
    {"i64", {.kind = LEAT_TYPE_BIGINT, .nullable = true}},
    {"f", {.kind = LEAT_TYPE_FLOAT, .nullable = true}},
    {"d", {.kind = LEAT_TYPE_DOUBLE, .nullable = true}},
    {"dec9", {.kind = LEAT_TYPE_DECIMAL, .nullable = true, .precision = 9, .scale = 2}},
    {"dec18", {.kind = LEAT_TYPE_DECIMAL, .nullable = true, .precision = 18, .scale = 4}},
    {"dec38", {.kind = LEAT_TYPE_DECIMAL, .nullable = true, .precision = 38, .scale = 10}},
    {"c", {.kind = LEAT_TYPE_CHAR, .nullable = true, .precision = 5}},
    {"s", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"few", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"y", {.kind = LEAT_TYPE_VARBINARY, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"day", {.kind = LEAT_TYPE_DATE, .nullable = true}},
    {"t", {.kind = LEAT_TYPE_TIME, .nullable = true, .precision = 3}},
    {"ts3", {.kind = LEAT_TYPE_TIMESTAMP, .nullable = true, .precision = 3}},
    {"ts6", {.kind = LEAT_TYPE_TIMESTAMP, .nullable = true, .precision = 6}},
    {"ltz3", {.kind = LEAT_TYPE_TIMESTAMP_LTZ, .nullable = true, .precision = 3}},
    {"key.a b", {.kind = LEAT_TYPE_INT, .nullable = false}},
};
enum { FIELDS = sizeof all_fields / sizeof all_fields[0] };
static const leat_schema all_schema = {FIELDS, all_fields};

static void set_random(leat_batch_builder *builder, int32_t column, const leat_type *type)
{
    uint64_t random = next_random();
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        float f;
        double d;
        __int128 i128;
    } value = {.i128 = 0};
    uint8_t text[64];
    size_t length = 0;
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: value.i8 = random & 1; break;
    case LEAT_TYPE_TINYINT: value.i8 = (int8_t)random; break;
    case LEAT_TYPE_SMALLINT: value.i16 = (int16_t)random; break;
    case LEAT_TYPE_INT:
    case LEAT_TYPE_DATE: value.i32 = (int32_t)random; break;
    case LEAT_TYPE_TIME: value.i32 = (int32_t)(random % 86400000); break;
    case LEAT_TYPE_FLOAT: value.f = (float)(int32_t)random / 7; break;
    case LEAT_TYPE_DOUBLE: value.d = (double)(int64_t)random / 3 - 1e9; break;
    case LEAT_TYPE_BIGINT: value.i64 = (int64_t)(random << 20); break;
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ:
        value.i64 = (int64_t)(random % 4000000000000000) - 2000000000000000;
        if (type->precision <= 3) value.i64 -= value.i64 % 1000;
        break;
    case LEAT_TYPE_DECIMAL:
        value.i128 = (__int128)(random % 1000000000) - 500000000;
        if (type->precision > 9) value.i128 = value.i128 * 99999999;
        if (type->precision > 18) value.i128 = value.i128 * 1000000007 * 10007;
        break;
    default:
        length = column == 12 ? 14 : type->kind == LEAT_TYPE_CHAR ? 5 : random % 40;
        for (size_t i = 0; i < length; i++)
            text[i] = (uint8_t)('a' + (column == 12 ? random % 4 : next_random() % 26));
        assert_int_equal(leat_batch_builder_set_bytes(builder, column, text, length, NULL), LEAT_OK);
        return;
    }
    leat_batch_builder_set_fixed(builder, column, &value);
}

/* null_percent of the nullable values are NULL; with a selection, two of three rows are in it. */
static leat_batch *random_batch(int32_t rows, uint64_t null_percent, bool with_selection)
{
    leat_batch_builder builder = {0};
    assert_int_equal(leat_batch_builder_init_schema(&builder, &all_schema, rows ? rows : 1, NULL), LEAT_OK);
    for (int32_t r = 0; r < rows; r++) {
        assert_int_equal(leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, NULL), LEAT_OK);
        for (int32_t c = 0; c < FIELDS; c++) {
            if (all_fields[c].type.nullable && next_random() % 100 < null_percent) continue;
            set_random(&builder, c, &all_fields[c].type);
        }
    }
    leat_batch *batch;
    assert_int_equal(leat_batch_builder_finish(&builder, &batch, NULL), LEAT_OK);
    leat_batch_builder_done(&builder);
    if (with_selection) {
        batch->selection_buffer = leat_buffer_new((size_t)rows * 2 + 2);
        uint16_t *selection = (uint16_t *)(void *)batch->selection_buffer->data;
        batch->selected = 0;
        for (int32_t r = 0; r < rows; r++) {
            if (r % 3 != 1) selection[batch->selected++] = (uint16_t)r;
        }
        batch->selection = selection;
    }
    return batch;
}

static void assert_value_equal(const leat_column *left, int32_t l, const leat_column *right, int32_t r,
                               const char *name)
{
    if (leat_column_is_null(left, l) != leat_column_is_null(right, r)) fail_msg("column %s: NULL or not", name);
    assert_int_equal(left->layout, right->layout);
    if (left->layout == LEAT_LAYOUT_VIEW) {
        const leat_view *a = (const leat_view *)left->values + l, *b = (const leat_view *)right->values + r;
        assert_int_equal(a->length, b->length);
        assert_memory_equal(leat_view_data(left, a), leat_view_data(right, b), (size_t)a->length);
        if (a->length <= LEAT_VIEW_INLINE_MAX) assert_memory_equal(a, b, sizeof *a);
        return;
    }
    size_t width = leat_layout_bytes(left->layout);
    if (memcmp((const uint8_t *)left->values + (size_t)l * width, (const uint8_t *)right->values + (size_t)r * width,
               width)) {
        fail_msg("column %s: row %d", name, l);
    }
}

static void assert_ok(leat_code code, const leat_error *error)
{
    if (code != LEAT_OK) fail_msg("%s", error->text);
}

static void write_file(leat_batch **batches, int count, leat_bytes *file, leat_column_stats *stats,
                       const char *compression)
{
    leat_error error = {0};
    leat_datafile_writer *writer = NULL;
    int32_t ids[FIELDS];
    for (int32_t i = 0; i < FIELDS; i++)
        ids[i] = i;
    leat_datafile_write_options options = {.compression = compression, .row_group_bytes = 100000, .field_ids = ids};
    assert_ok(leat_datafile_writer_new("parquet", &all_schema, &options, &writer, &error), &error);
    for (int i = 0; i < count; i++) {
        assert_ok(leat_datafile_write(writer, batches[i], &error), &error);
        assert_ok(leat_datafile_writer_take(writer, file, &error), &error);
        assert_true(leat_datafile_writer_bytes(writer) >= (int64_t)file->size);
    }
    assert_ok(leat_datafile_writer_finish(writer, stats, &error), &error);
    assert_ok(leat_datafile_writer_take(writer, file, &error), &error);
    leat_datafile_writer_free(writer);
}

static void stats_done(leat_column_stats *stats)
{
    for (int i = 0; i < FIELDS; i++) {
        leat_bytes_done(&stats[i].min);
        leat_bytes_done(&stats[i].max);
    }
}

static leat_batch *next_batch(leat_datafile_reader *reader, const leat_bytes *file, int32_t rows_max)
{
    leat_error error = {0};
    for (int turns = 0; turns < 1000; turns++) {
        leat_datafile_status status;
        leat_batch *batch = NULL;
        assert_ok(leat_datafile_reader_step(reader, rows_max, &status, &batch, &error), &error);
        if (status == LEAT_DATAFILE_BATCH) return batch;
        if (status == LEAT_DATAFILE_END) return NULL;
        leat_datafile_range ranges[64];
        size_t count = leat_datafile_reader_needed(reader, ranges, 64);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++) {
            leat_buffer *bytes = leat_buffer_new(ranges[i].size);
            assert_true(ranges[i].offset + ranges[i].size <= file->size);
            memcpy(bytes->data, file->data + ranges[i].offset, ranges[i].size);
            assert_ok(leat_datafile_reader_give(reader, ranges[i].offset, bytes, &error), &error);
            leat_buffer_unref(bytes);
        }
    }
    fail_msg("the reader never has enough");
    return NULL;
}

/* Reads `columns` back and holds them against what was written. */
static void read_and_compare(const leat_bytes *file, leat_batch **batches, int count, const int32_t *columns,
                             int32_t columns_count, int32_t rows_max)
{
    leat_error error = {0};
    leat_field fields[FIELDS];
    for (int32_t i = 0; i < columns_count; i++)
        fields[i] = all_fields[columns[i]];
    leat_schema wanted = {columns_count, fields};
    leat_datafile_reader *reader = NULL;
    assert_ok(leat_datafile_reader_new("parquet", file->size, &wanted, &reader, &error), &error);
    leat_batch *got = next_batch(reader, file, rows_max);
    int32_t at = 0;
    for (int b = 0; b < count; b++) {
        for (int32_t i = 0; i < batches[b]->selected; i++, at++) {
            if (at == got->rows) {
                leat_batch_free(got);
                got = next_batch(reader, file, rows_max);
                at = 0;
            }
            assert_non_null(got);
            assert_true(got->rows <= rows_max);
            for (int32_t c = 0; c < columns_count; c++) {
                assert_value_equal(&batches[b]->columns[columns[c]], leat_batch_row(batches[b], i), &got->columns[c],
                                   at, fields[c].name);
            }
        }
    }
    assert_true(!got || at == got->rows);
    leat_batch_free(got);
    got = got ? next_batch(reader, file, rows_max) : NULL;
    assert_null(got);
    leat_datafile_reader_free(reader);
}

static void round_trip(leat_batch **batches, int count, const char *compression)
{
    leat_bytes file = {0};
    leat_column_stats stats[FIELDS];
    write_file(batches, count, &file, stats, compression);
    int32_t all[FIELDS];
    for (int32_t i = 0; i < FIELDS; i++)
        all[i] = i;
    read_and_compare(&file, batches, count, all, FIELDS, 8192);
    static const int32_t some[] = {12, 3, 19, 9};
    read_and_compare(&file, batches, count, some, 4, 100);
    read_and_compare(&file, batches, count, NULL, 0, 1000);
    stats_done(stats);
    leat_bytes_done(&file);
}

static void all_types_come_back_as_they_were_written(void **state)
{
    (void)state;
    static const char *const codecs[] = {"zstd", "snappy", "lz4", "gzip", "none"};
    for (int i = 0; i < 15; i++) {
        leat_batch *batches[4];
        for (int b = 0; b < 4; b++) {
            batches[b] = random_batch((int32_t)(next_random() % 3000) + 1, (uint64_t)(i % 3) * 40, i % 2 == 1);
        }
        round_trip(batches, 4, codecs[i % 5]);
        for (int b = 0; b < 4; b++)
            leat_batch_free(batches[b]);
    }
}

/* Whatever row is asked for, reading begins at or before it, and goes on to the end. */
static void reading_begins_with_the_row_group_of_a_row(void **state)
{
    (void)state;
    enum { ROWS = 12000 };
    leat_error error = {0};
    leat_bytes file = {0};
    leat_column_stats stats[FIELDS];
    leat_batch *batches[4];
    for (int b = 0; b < 4; b++)
        batches[b] = random_batch(ROWS / 4, 0, false);
    write_file(batches, 4, &file, stats, "zstd");
    leat_schema wanted = {4, all_fields};
    int64_t last_first = 0;
    for (int64_t row = 0; row < ROWS; row += 997) {
        leat_datafile_reader *reader = NULL;
        assert_ok(leat_datafile_reader_new("parquet", file.size, &wanted, &reader, &error), &error);
        leat_datafile_reader_start_at(reader, row);
        leat_batch *got = next_batch(reader, &file, 1000);
        int64_t at = leat_datafile_reader_first_row(reader);
        assert_in_range(at, last_first, row);
        last_first = at;
        for (; got; got = next_batch(reader, &file, 1000)) {
            for (int32_t i = 0; i < got->rows; i++, at++) {
                const leat_batch *from = batches[at / (ROWS / 4)];
                for (int32_t c = 0; c < 4; c++)
                    assert_value_equal(&from->columns[c], (int32_t)(at % (ROWS / 4)), &got->columns[c], i, "column");
            }
            leat_batch_free(got);
        }
        assert_int_equal(at, ROWS);
        leat_datafile_reader_free(reader);
    }
    assert_true(last_first > 0); /* there are several row groups */
    stats_done(stats);
    leat_bytes_done(&file);
    for (int b = 0; b < 4; b++)
        leat_batch_free(batches[b]);
}

static void every_small_length_comes_back(void **state)
{
    (void)state;
    for (int32_t rows = 0; rows < 70; rows++) {
        leat_batch *batch = random_batch(rows, rows % 2 ? 30 : 0, rows % 5 == 4);
        round_trip(&batch, 1, NULL);
        leat_batch_free(batch);
    }
}

static void a_column_of_nulls_comes_back(void **state)
{
    (void)state;
    leat_batch *batch = random_batch(500, 100, false);
    round_trip(&batch, 1, NULL);
    leat_batch_free(batch);
}

static void statistics_are_those_of_the_selected_rows(void **state)
{
    (void)state;
    leat_batch *batches[2] = {random_batch(700, 20, true), random_batch(300, 50, false)};
    leat_bytes file = {0};
    leat_column_stats stats[FIELDS];
    write_file(batches, 2, &file, stats, NULL);
    int64_t nulls = 0, min = INT64_MAX, max = INT64_MIN;
    const char *least = NULL;
    size_t least_size = 0;
    for (int b = 0; b < 2; b++) {
        for (int32_t i = 0; i < batches[b]->selected; i++) {
            int32_t row = leat_batch_row(batches[b], i);
            const leat_column *column = &batches[b]->columns[4], *text = &batches[b]->columns[11];
            if (leat_column_is_null(column, row))
                nulls++;
            else {
                int64_t value = ((const int64_t *)column->values)[row];
                if (value < min) min = value;
                if (value > max) max = value;
            }
            if (leat_column_is_null(text, row)) continue;
            const leat_view *view = (const leat_view *)text->values + row;
            const char *data = leat_view_data(text, view);
            size_t shorter = (size_t)view->length < least_size ? (size_t)view->length : least_size;
            int order = least ? memcmp(data, least, shorter) : -1;
            if (order < 0 || (order == 0 && (size_t)view->length < least_size)) {
                least = data;
                least_size = (size_t)view->length;
            }
        }
    }
    assert_int_equal(stats[4].null_count, nulls);
    assert_true(stats[4].has_bounds && stats[4].min.size == 8);
    assert_memory_equal(stats[4].min.data, &min, 8);
    assert_memory_equal(stats[4].max.data, &max, 8);
    assert_int_equal(stats[11].min.size, least_size);
    assert_memory_equal(stats[11].min.data, least, least_size);
    assert_false(stats[13].has_bounds); /* bytes */
    stats_done(stats);
    leat_bytes_done(&file);
    leat_batch_free(batches[0]);
    leat_batch_free(batches[1]);
}

static void a_column_that_is_not_there_is_named(void **state)
{
    (void)state;
    leat_batch *batch = random_batch(10, 0, false);
    leat_bytes file = {0};
    leat_column_stats stats[FIELDS];
    write_file(&batch, 1, &file, stats, NULL);
    leat_field field = {"absent", {.kind = LEAT_TYPE_INT, .nullable = true}};
    leat_schema wanted = {1, &field};
    leat_error error = {0};
    leat_datafile_reader *reader = NULL;
    assert_int_equal(leat_datafile_reader_new("parquet", file.size, &wanted, &reader, &error), LEAT_OK);
    leat_buffer *bytes = leat_buffer_new(file.size);
    memcpy(bytes->data, file.data, file.size);
    assert_int_equal(leat_datafile_reader_give(reader, 0, bytes, &error), LEAT_OK);
    leat_datafile_status status;
    leat_batch *got = NULL;
    assert_int_equal(leat_datafile_reader_step(reader, 100, &status, &got, &error), LEAT_NOT_FOUND);
    assert_non_null(strstr(error.text, "absent"));
    leat_buffer_unref(bytes);
    leat_datafile_reader_free(reader);
    stats_done(stats);
    leat_bytes_done(&file);
    leat_batch_free(batch);
}

static void damaged_files_are_errors(void **state)
{
    (void)state;
    leat_batch *batch = random_batch(300, 20, false);
    leat_bytes file = {0};
    leat_column_stats stats[FIELDS];
    write_file(&batch, 1, &file, stats, NULL);
    leat_schema wanted = {FIELDS, all_fields};
    for (int i = 0; i < 300; i++) {
        leat_error error = {0};
        leat_buffer *bytes = leat_buffer_new(file.size);
        memcpy(bytes->data, file.data, file.size);
        size_t at = i < 100 ? file.size - 1 - next_random() % 600 : next_random() % file.size;
        bytes->data[at] = (uint8_t)(bytes->data[at] ^ (1 + next_random() % 255));
        leat_datafile_reader *reader = NULL;
        assert_int_equal(leat_datafile_reader_new("parquet", file.size, &wanted, &reader, &error), LEAT_OK);
        assert_int_equal(leat_datafile_reader_give(reader, 0, bytes, &error), LEAT_OK);
        leat_buffer_unref(bytes);
        leat_datafile_status status = LEAT_DATAFILE_BATCH;
        leat_code code = LEAT_OK;
        while (code == LEAT_OK && status == LEAT_DATAFILE_BATCH) {
            leat_batch *got = NULL;
            code = leat_datafile_reader_step(reader, 8192, &status, &got, &error);
            leat_batch_free(got);
        }
        leat_datafile_reader_free(reader);
    }
    stats_done(stats);
    leat_bytes_done(&file);
    leat_batch_free(batch);
}

/* Out to the Arrow C data interface and back, without the module: Arrow itself does not survive every failed
 * allocation. */
static leat_code out_and_in(const leat_batch *batch, leat_batch **out, leat_error *error)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    leat_code code = leat_arrow_export_schema(&all_schema, &schema, error);
    if (code != LEAT_OK) return code;
    code = leat_arrow_export_batch(&all_schema, batch, &array, error);
    if (code == LEAT_OK) code = leat_arrow_import_batch(&all_schema, &array, &schema, out, error);
    schema.release(&schema);
    return code;
}

static void every_allocation_of_a_conversion_may_fail(void **state)
{
    (void)state;
    leat_batch *batch = random_batch(300, 20, false);
    leat_code code = LEAT_NO_MEMORY;
    int64_t n = 1;
    for (; code != LEAT_OK && n < 5000; n++) {
        leat_error error = {0};
        leat_batch *got = NULL;
        leat_memory_fail_nth(n);
        code = out_and_in(batch, &got, &error);
        leat_memory_fail_nth(0);
        if (code != LEAT_OK) assert_int_equal(code, LEAT_NO_MEMORY);
        for (int32_t row = 0; got && row < got->rows; row++) {
            for (int32_t c = 0; c < FIELDS; c++) {
                assert_value_equal(&batch->columns[c], row, &got->columns[c], row, all_fields[c].name);
            }
        }
        leat_batch_free(got);
    }
    assert_int_equal(code, LEAT_OK);
    assert_true(n > 50);
    leat_batch_free(batch);
}

int main(void)
{
    random_state = 42;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_types_come_back_as_they_were_written),
        cmocka_unit_test(every_small_length_comes_back),
        cmocka_unit_test(a_column_of_nulls_comes_back),
        cmocka_unit_test(statistics_are_those_of_the_selected_rows),
        cmocka_unit_test(a_column_that_is_not_there_is_named),
        cmocka_unit_test(damaged_files_are_errors),
        cmocka_unit_test(every_allocation_of_a_conversion_may_fail),
        cmocka_unit_test(reading_begins_with_the_row_group_of_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
