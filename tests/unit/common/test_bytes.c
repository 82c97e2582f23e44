#include "tests/unit.h"

#include <string.h>

#include "common/bytes.h"
#include "common/memory.h"

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    leat_bytes_put_u8(&bytes, 200);
    leat_bytes_put_u32(&bytes, 4000000000u);
    leat_bytes_put_u64(&bytes, UINT64_MAX);
    leat_bytes_put_i64(&bytes, INT64_MIN);
    leat_bytes_put_block(&bytes, "a\0b", 3);
    leat_bytes_put_block(&bytes, NULL, 0);
    assert_int_equal(leat_bytes_check(&bytes, NULL), LEAT_OK);
    leat_reader reader;
    size_t size;
    leat_reader_init(&reader, bytes.data, bytes.size);
    assert_int_equal(leat_reader_u8(&reader), 200);
    assert_int_equal(leat_reader_u32(&reader), 4000000000u);
    assert_true(leat_reader_u64(&reader) == UINT64_MAX);
    assert_true(leat_reader_i64(&reader) == INT64_MIN);
    assert_memory_equal(leat_reader_block(&reader, &size), "a\0b", 3);
    assert_int_equal(size, 3);
    assert_non_null(leat_reader_block(&reader, &size));
    assert_int_equal(size, 0);
    assert_int_equal(leat_reader_check(&reader, true, "it", NULL), LEAT_OK);
    leat_bytes_done(&bytes);
}

static void text_or_its_absence_is_read_back(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    leat_arena arena;
    leat_arena_init(&arena, 1 << 16);
    leat_bytes_put_text(&bytes, "a");
    leat_bytes_put_text(&bytes, "");
    leat_bytes_put_text(&bytes, NULL);
    const char *text;
    leat_reader reader;
    leat_reader_init(&reader, bytes.data, bytes.size);
    assert_int_equal(leat_reader_text(&reader, &arena, &text, NULL), LEAT_OK);
    assert_string_equal(text, "a");
    assert_int_equal(leat_reader_text(&reader, &arena, &text, NULL), LEAT_OK);
    assert_string_equal(text, "");
    assert_int_equal(leat_reader_text(&reader, &arena, &text, NULL), LEAT_OK);
    assert_null(text);
    assert_int_equal(leat_reader_text(&reader, &arena, &text, NULL), LEAT_CORRUPT);
    leat_reader_init(&reader, bytes.data, 5);
    assert_int_equal(leat_reader_text(&reader, &arena, &text, NULL), LEAT_CORRUPT);
    leat_arena_done(&arena);
    leat_arena_init(&arena, 0);
    leat_reader_init(&reader, bytes.data, bytes.size);
    assert_int_equal(leat_reader_text(&reader, &arena, &text, NULL), LEAT_NO_MEMORY);
    leat_arena_done(&arena);
    leat_bytes_done(&bytes);
}

static void integers_are_little_endian(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    leat_bytes_put_u32(&bytes, 0x01020304);
    assert_memory_equal(bytes.data, "\4\3\2\1", 4);
    leat_bytes_done(&bytes);
}

static void text_is_kept_terminated(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    for (int i = 0; i < 100; i++) {
        leat_bytes_format(&bytes, "%d,", i);
        assert_int_equal(strlen((const char *)bytes.data), bytes.size);
    }
    leat_bytes_text(&bytes, "");
    assert_true(strncmp((const char *)bytes.data, "0,1,2,", 6) == 0);
    leat_bytes_reset(&bytes);
    assert_int_equal(bytes.size, 0);
    leat_bytes_done(&bytes);
}

static void a_failed_writer_stays_failed(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    leat_memory_fail_nth(1);
    leat_bytes_put_u32(&bytes, 1);
    leat_memory_fail_nth(0);
    leat_bytes_put_u32(&bytes, 2);
    leat_bytes_text(&bytes, "more");
    assert_null(leat_bytes_extend(&bytes, 1));
    assert_int_equal(bytes.size, 0);
    assert_int_equal(leat_bytes_check(&bytes, NULL), LEAT_NO_MEMORY);
    leat_bytes_done(&bytes);
}

static void a_size_beyond_memory_fails_instead_of_wrapping(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    leat_bytes_put_u8(&bytes, 1);
    assert_null(leat_bytes_extend(&bytes, SIZE_MAX - 1));
    assert_true(bytes.failed);
    leat_bytes_done(&bytes);
}

static void reading_past_the_end_is_sticky_and_gives_zeroes(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6};
    leat_reader reader;
    leat_error error = {0};
    leat_reader_init(&reader, data, sizeof data);
    assert_int_equal(leat_reader_u32(&reader), 0x04030201);
    assert_int_equal(leat_reader_u32(&reader), 0);
    assert_int_equal(leat_reader_u8(&reader), 0); /* although there are bytes */
    assert_int_equal(leat_reader_check(&reader, false, "the head", &error), LEAT_CORRUPT);
    assert_non_null(strstr(error.text, "the head"));
}

static void a_block_longer_than_the_input_is_refused(void **state)
{
    (void)state;
    static const uint8_t data[] = {0xff, 0xff, 0xff, 0xff, 'x'};
    leat_reader reader;
    size_t size = 7;
    leat_reader_init(&reader, data, sizeof data);
    assert_null(leat_reader_block(&reader, &size));
    assert_int_equal(size, 0);
    assert_true(reader.failed);
}

static void bytes_left_over_are_told(void **state)
{
    (void)state;
    leat_reader reader;
    leat_error error = {0};
    leat_reader_init(&reader, "abc", 3);
    (void)leat_reader_u8(&reader);
    assert_int_equal(leat_reader_check(&reader, false, "it", NULL), LEAT_OK);
    assert_int_equal(leat_reader_check(&reader, true, "it", &error), LEAT_CORRUPT);
    assert_non_null(strstr(error.text, "2 bytes too many"));
}

static void an_empty_input_can_be_read(void **state)
{
    (void)state;
    leat_reader reader;
    leat_reader_init(&reader, NULL, 0);
    assert_int_equal(leat_reader_left(&reader), 0);
    assert_int_equal(leat_reader_check(&reader, true, "it", NULL), LEAT_OK);
    assert_int_equal(leat_reader_u8(&reader), 0);
    assert_true(reader.failed);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(text_or_its_absence_is_read_back),
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(text_is_kept_terminated),
        cmocka_unit_test(a_failed_writer_stays_failed),
        cmocka_unit_test(a_size_beyond_memory_fails_instead_of_wrapping),
        cmocka_unit_test(reading_past_the_end_is_sticky_and_gives_zeroes),
        cmocka_unit_test(a_block_longer_than_the_input_is_refused),
        cmocka_unit_test(bytes_left_over_are_told),
        cmocka_unit_test(an_empty_input_can_be_read),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
