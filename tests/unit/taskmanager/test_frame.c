#include "tests/unit.h"

#include <string.h>

#include "taskmanager/frame.h"

static const leat_frame sample = {.kind = LEAT_ELEMENT_BARRIER,
                                  .job = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
                                  .attempt = 0xfedcba98,
                                  .edge = 7,
                                  .source = 8,
                                  .target = 9,
                                  .sequence = UINT64_C(0xffffffff00000001),
                                  .value = INT64_MIN,
                                  .bytes = UINT64_C(1) << 40};

static void a_frame_comes_back(void **state)
{
    (void)state;
    uint8_t bytes[LEAT_FRAME_BYTES];
    leat_frame back = {0};
    leat_frame_write(&sample, bytes);
    assert_int_equal(leat_frame_read(bytes, sizeof bytes, &back, NULL), LEAT_OK);
    assert_int_equal(back.kind, sample.kind);
    assert_memory_equal(back.job, sample.job, sizeof back.job);
    assert_true(back.attempt == sample.attempt && back.edge == 7 && back.source == 8 && back.target == 9);
    assert_true(back.sequence == sample.sequence && back.value == sample.value && back.bytes == sample.bytes);
}

static void the_layout_is_the_documented_one(void **state)
{
    (void)state;
    uint8_t bytes[LEAT_FRAME_BYTES];
    leat_frame_write(&sample, bytes);
    assert_memory_equal(bytes, "LEAD\3\0\0\0\x98\xba\xdc\xfe\7\0\0\0", 16);
    assert_memory_equal(bytes + 16, sample.job, 16);
    assert_memory_equal(bytes + 32, "\x8\0\0\0\x9\0\0\0\1\0\0\0\xff\xff\xff\xff", 16);
}

static void frames_of_another_size_magic_or_kind_are_corrupt(void **state)
{
    (void)state;
    uint8_t bytes[LEAT_FRAME_BYTES + 1] = {0};
    leat_frame back;
    leat_frame_write(&sample, bytes);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        leat_code expected = size == LEAT_FRAME_BYTES ? LEAT_OK : LEAT_CORRUPT;
        assert_int_equal(leat_frame_read(bytes, size, &back, NULL), expected);
    }
    for (int kind = 0; kind < 256; kind++) {
        bytes[4] = (uint8_t)kind;
        bool is_known = (kind >= LEAT_ELEMENT_BATCH && kind <= LEAT_ELEMENT_END) || kind == LEAT_FRAME_CREDIT;
        leat_code expected = is_known ? LEAT_OK : LEAT_CORRUPT;
        assert_int_equal(leat_frame_read(bytes, LEAT_FRAME_BYTES, &back, NULL), expected);
    }
    leat_frame_write(&sample, bytes);
    bytes[0] ^= 1;
    assert_int_equal(leat_frame_read(bytes, LEAT_FRAME_BYTES, &back, NULL), LEAT_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(a_frame_comes_back),
        cmocka_unit_test(the_layout_is_the_documented_one),
        cmocka_unit_test(frames_of_another_size_magic_or_kind_are_corrupt),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
