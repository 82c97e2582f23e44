#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "paimon/binary_row.h"
#include "paimon/hash.h"
#include "tests/unit/paimon/values.h"

static const char *data_folder;

/* vectors.tsv: value, row type, serialised row in hex, hash, bucket of 4, of 7, of 1024; made by the reference
 * implementation. */
typedef struct vector {
    char *value, *type, *hex;
    int32_t hash, buckets[3];
} vector;

static char *next_column(char **at)
{
    char *start = *at;
    char *end = start + strcspn(start, "\t\n");
    *at = *end ? end + 1 : end;
    *end = '\0';
    return start;
}

static bool read_vector(FILE *file, char *line, size_t size, vector *out)
{
    do {
        if (!fgets(line, (int)size, file)) return false;
    } while (line[0] == '#');
    char *at = line;
    out->value = next_column(&at);
    out->type = next_column(&at);
    out->hex = next_column(&at);
    out->hash = (int32_t)strtol(next_column(&at), NULL, 10);
    for (int i = 0; i < 3; i++)
        out->buckets[i] = (int32_t)strtol(next_column(&at), NULL, 10);
    return true;
}

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return size;
}

static void every_vector_has_its_hash_and_buckets(void **state)
{
    (void)state;
    char path[4096], line[16 * 1024];
    snprintf(path, sizeof path, "%s/vectors.tsv", data_folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    vector v;
    int count = 0;
    while (read_vector(file, line, sizeof line, &v)) {
        uint8_t row[4096];
        size_t size = unhex(v.hex, row);
        int32_t hash = leat_paimon_hash(row + 4, size - 4);
        assert_int_equal(hash, v.hash);
        static const int32_t of[] = {4, 7, 1024};
        for (int i = 0; i < 3 && v.type[0]; i++)
            assert_int_equal(leat_paimon_bucket(hash, of[i]), v.buckets[i]);
        count++;
    }
    fclose(file);
    assert_true(count >= 60);
}

/* Reads each vector's values and writes them again. */
static void every_vector_is_written_as_it_was_read(void **state)
{
    (void)state;
    char path[4096], line[16 * 1024];
    snprintf(path, sizeof path, "%s/vectors.tsv", data_folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    vector v;
    int written = 0;
    while (read_vector(file, line, sizeof line, &v)) {
        leat_arena arena;
        leat_arena_init(&arena, 1 << 20);
        leat_type type = {0};
        leat_error error;
        if (strncmp(v.type, "ROW of 57 INT", 13) == 0) {
            leat_type *ints = leat_arena_take(&arena, 57 * sizeof *ints);
            for (int i = 0; i < 57; i++)
                ints[i] = leat_type_make(LEAT_TYPE_INT, true);
            type = (leat_type){.kind = LEAT_TYPE_ROW, .children = ints, .children_count = 57};
        } else if (v.type[0]) {
            assert_int_equal(leat_type_parse(v.type, &arena, &type, &error), LEAT_OK);
        }
        uint8_t bytes[4096];
        size_t size = unhex(v.hex, bytes);
        leat_binary_row row;
        assert_int_equal(leat_binary_row_open(bytes, size, "vector", &row, &error), LEAT_OK);
        bool is_other_kind = strncmp(v.value, "DELETE", 6) == 0; /* of the row kind: always 0 here */
        if (!is_other_kind) assert_int_equal(row.arity, type.children_count);
        if (!is_other_kind && leat_binary_row_check_types(type.children, type.children_count, NULL) == LEAT_OK) {
            leat_bytes again = {0};
            leat_binary_row_writer writer;
            leat_binary_row_begin(&writer, &again, row.arity, true);
            for (int32_t i = 0; i < row.arity; i++) {
                leat_paimon_value value;
                assert_int_equal(leat_binary_row_get(&row, i, &type.children[i], &value, &error), LEAT_OK);
                leat_binary_row_set(&writer, i, &type.children[i], &value);
            }
            assert_int_equal(again.size, size);
            assert_memory_equal(again.data, bytes, size);
            written++;
            leat_bytes_done(&again);
        }
        leat_arena_done(&arena);
    }
    fclose(file);
    assert_true(written >= 55);
}

static void values_of_batches_make_the_same_rows(void **state)
{
    (void)state;
    leat_type types[] = {leat_type_make(LEAT_TYPE_INT, true), leat_type_string(true), leat_type_decimal(20, 0, true)};
    leat_field fields[] = {{"a", types[0]}, {"b", types[1]}, {"c", types[2]}};
    leat_schema schema = {3, fields};
    leat_batch_builder builder;
    assert_int_equal(leat_batch_builder_init_schema(&builder, &schema, 16, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, NULL), LEAT_OK);
    int32_t one = 1;
    leat_batch_builder_set_fixed(&builder, 0, &one);
    assert_int_equal(leat_batch_builder_set_bytes(&builder, 1, "abcdefgh", 8, NULL), LEAT_OK);
    assert_int_equal(leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, NULL), LEAT_OK);
    leat_batch *batch;
    assert_int_equal(leat_batch_builder_finish(&builder, &batch, NULL), LEAT_OK);
    leat_bytes row = {0};
    leat_binary_row_from_batch(batch, 0, (int32_t[]){0, 1}, types, 2, true, &row);
    assert_bytes_hex(row.data, row.size, "0000000200000000000000000100000000000000080000001800000061626364656667 68");
    int32_t hashes[2];
    leat_bytes scratch = {0};
    assert_int_equal(leat_paimon_hash_rows(batch, (int32_t[]){0}, types, 1, &scratch, hashes, NULL), LEAT_OK);
    assert_int_equal(hashes[0], 1465514398);
    assert_int_equal(hashes[1], -1748325344);
    assert_int_equal(leat_paimon_hash_rows(batch, (int32_t[]){1}, types + 1, 1, &scratch, hashes, NULL), LEAT_OK);
    assert_int_equal(hashes[0], -843760178);
    assert_int_equal(leat_paimon_hash_rows(batch, (int32_t[]){2}, types + 2, 1, &scratch, hashes, NULL), LEAT_OK);
    assert_int_equal(hashes[1], -1380280760);
    leat_bytes_done(&scratch);
    leat_bytes_done(&row);
    leat_batch_free(batch);
    leat_batch_builder_done(&builder);
}

static void broken_rows_are_refused(void **state)
{
    (void)state;
    leat_type text = leat_type_string(true), wide = leat_type_decimal(38, 0, true);
    leat_type fine = {.kind = LEAT_TYPE_TIMESTAMP, .nullable = true, .precision = 6};
    uint8_t bytes[64];
    leat_binary_row row;
    leat_paimon_value value;
    assert_int_equal(leat_binary_row_open((const uint8_t *)"\0\0", 2, "row", &row, NULL), LEAT_CORRUPT);
    size_t size = unhex("ffffffff0000000000000000", bytes);
    assert_int_equal(leat_binary_row_open(bytes, size, "row", &row, NULL), LEAT_CORRUPT);
    size = unhex("000000010000000000000000ffffff0fffffff7f", bytes);
    assert_int_equal(leat_binary_row_open(bytes, size, "row", &row, NULL), LEAT_OK);
    assert_int_equal(leat_binary_row_get(&row, 0, &text, &value, NULL), LEAT_CORRUPT);
    assert_int_equal(leat_binary_row_get(&row, 0, &wide, &value, NULL), LEAT_CORRUPT);
    assert_int_equal(leat_binary_row_get(&row, 0, &fine, &value, NULL), LEAT_CORRUPT);
    assert_int_equal(leat_binary_row_get(&row, 1, &text, &value, NULL), LEAT_CORRUPT);
}

static void assert_prints(leat_type type, leat_paimon_value value, bool as_cast, const char *wanted)
{
    leat_bytes out = {0};
    leat_paimon_value_print(&type, &value, as_cast, &out);
    assert_string_equal((const char *)out.data, wanted);
    leat_bytes_done(&out);
}

static void values_are_printed_as_java_does(void **state)
{
    (void)state;
    leat_type date = leat_type_make(LEAT_TYPE_DATE, true), real = leat_type_make(LEAT_TYPE_DOUBLE, true);
    leat_type small = leat_type_make(LEAT_TYPE_FLOAT, true);
    leat_type stamp = {.kind = LEAT_TYPE_TIMESTAMP, .nullable = true, .precision = 6};
    assert_prints(date, (leat_paimon_value){.integer = 19754}, false, "19754");
    assert_prints(date, (leat_paimon_value){.integer = 19754}, true, "2024-02-01");
    assert_prints(date, (leat_paimon_value){.integer = -1}, true, "1969-12-31");
    assert_prints(stamp, (leat_paimon_value){.integer = 1715648520000000}, false, "2024-05-14T01:02");
    assert_prints(stamp, (leat_paimon_value){.integer = 1715648523456000}, false, "2024-05-14T01:02:03.456");
    assert_prints(stamp, (leat_paimon_value){.integer = -1}, false, "1969-12-31T23:59:59.999999");
    assert_prints(stamp, (leat_paimon_value){.integer = 1715648523456000}, true, "2024-05-14 01:02:03.456000");
    assert_prints(leat_type_decimal(10, 2, true), (leat_paimon_value){.decimal = -5}, false, "-0.05");
    assert_prints(leat_type_decimal(10, 0, true), (leat_paimon_value){.decimal = 120}, false, "120");
    assert_prints(real, (leat_paimon_value){.number = 1}, false, "1.0");
    assert_prints(real, (leat_paimon_value){.number = 1e7}, false, "1.0E7");
    assert_prints(real, (leat_paimon_value){.number = 123456.789}, false, "123456.789");
    assert_prints(real, (leat_paimon_value){.number = -0.001}, false, "-0.001");
    assert_prints(real, (leat_paimon_value){.number = 1.5e-5}, false, "1.5E-5");
    assert_prints(small, (leat_paimon_value){.real = 0.1f}, false, "0.1");
    assert_prints(leat_type_make(LEAT_TYPE_BOOLEAN, true), (leat_paimon_value){.integer = 1}, false, "true");
}

static void nulls_and_nans_have_their_order(void **state)
{
    (void)state;
    leat_type real = leat_type_make(LEAT_TYPE_DOUBLE, true), text = leat_type_string(true);
    leat_paimon_value nan = {.number = __builtin_nan("")}, minus = {.number = -0.0}, zero = {.number = 0},
                      null = {.is_null = true};
    assert_true(leat_paimon_value_compare(&real, &minus, &zero) < 0);
    assert_true(leat_paimon_value_compare(&real, &zero, &nan) < 0);
    assert_int_equal(leat_paimon_value_compare(&real, &nan, &nan), 0);
    assert_true(leat_paimon_value_compare(&real, &null, &minus) < 0);
    leat_paimon_value a = {.bytes = {(const uint8_t *)"a", 1}}, high = {.bytes = {(const uint8_t *)"\xc3\xa9", 2}};
    assert_true(leat_paimon_value_compare(&text, &a, &high) < 0);
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    data_folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_has_its_hash_and_buckets),
        cmocka_unit_test(every_vector_is_written_as_it_was_read),
        cmocka_unit_test(values_of_batches_make_the_same_rows),
        cmocka_unit_test(broken_rows_are_refused),
        cmocka_unit_test(values_are_printed_as_java_does),
        cmocka_unit_test(nulls_and_nans_have_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
