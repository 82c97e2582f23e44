/* The streamed writer of S3 over a scripted transport. */
#include "tests/unit.h"

#include <string.h>

#include "tests/unit/storage/s3_script.h"

static leat_code write_object(size_t size)
{
    leat_storage_writer *writer;
    assert_int_equal(leat_storage_create(here.storage, "s3://box/w", &writer, NULL), LEAT_OK);
    char piece[300];
    memset(piece, 'x', sizeof piece);
    for (size_t written = 0; written < size;) {
        size_t length = size - written < sizeof piece ? size - written : sizeof piece;
        leat_code code = leat_storage_write(writer, piece, length, &here.error);
        if (code != LEAT_OK) {
            leat_storage_abort(writer);
            return code;
        }
        written += length;
    }
    return leat_storage_finish(writer, &here.error);
}

static const char begun[] = "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>";
static const char completed[] = "<CompleteMultipartUploadResult xmlns=\"x\"><ETag>\"e\"</ETag>"
                                "</CompleteMultipartUploadResult>";
static const char failed_late[] = "<?xml version=\"1.0\"?>\n\n<Error><Code>InternalError</Code></Error>";

#define BEGIN                                                                                                          \
    {                                                                                                                  \
        "POST", "/w?uploads=", .status = 200, .body = begun                                                            \
    }
#define PART(n)                                                                                                        \
    {                                                                                                                  \
        "PUT", "/w?partNumber=" #n "&uploadId=u%2F1", .status = 200, .head = "ETag: \"p" #n "\"\n"                     \
    }

static void small_objects_go_at_once_and_large_ones_in_parts(void **state)
{
    (void)state;
    play((step[]){{"PUT", "/w", .status = 200}, {0}});
    assert_int_equal(write_object(0), LEAT_OK);
    assert_played();
    play((step[]){{"PUT", "/w", .status = 200}, {0}});
    assert_int_equal(write_object(1000), LEAT_OK);
    assert_played();
    play((step[]){BEGIN, PART(1), PART(2), {"POST", "/w?uploadId=u%2F1", .status = 200, .body = completed}, {0}});
    assert_int_equal(write_object(1001), LEAT_OK);
    assert_played();
}

static void a_completion_whose_reply_was_lost_is_known(void **state)
{
    (void)state;
    static const char gone[] = "<Error><Code>NoSuchUpload</Code></Error>";
    static const char ours[] = "x-amz-meta-leat-mark: MARK\n";
    const step lost[] = {{"POST", "/w?uploadId=u%2F1", .code = LEAT_TIMEOUT},
                         {"POST", "/w?uploadId=u%2F1", .status = 200, .body = failed_late},
                         {"POST", "/w?uploadId=u%2F1", .status = 504}};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        play((step[]){BEGIN,
                      PART(1),
                      PART(2),
                      lost[i],
                      {"POST", "/w?uploadId=u%2F1", .status = 404, .body = gone},
                      {"HEAD", "/w", .status = 200, .head = ours},
                      {0}});
        assert_int_equal(write_object(2000), LEAT_OK);
        assert_played();
    }
    play((step[]){BEGIN,
                  PART(1),
                  PART(2),
                  lost[0],
                  {"POST", "/w?uploadId=u%2F1", .status = 404, .body = gone},
                  {"HEAD", "/w", .status = 200, .head = "x-amz-meta-leat-mark: another\n"},
                  {"DELETE", "/w?uploadId=u%2F1", .status = 204},
                  {0}});
    assert_int_equal(write_object(2000), LEAT_NOT_FOUND);
    assert_played();
    assert_non_null(strstr(here.error.text, "NoSuchUpload"));
}

static void a_part_that_fails_ends_the_upload(void **state)
{
    (void)state;
    play((step[]){BEGIN,
                  {"PUT", "/w?partNumber=1&uploadId=u%2F1", .status = 403},
                  {"DELETE", "/w?uploadId=u%2F1", .status = 204},
                  {0}});
    assert_int_equal(write_object(2500), LEAT_DENIED);
    assert_played();
    assert_non_null(strstr(here.error.text, "UploadPart s3://box/w"));
    play((step[]){{"POST", "/w?uploads=", .status = 403}, {0}});
    assert_int_equal(write_object(2500), LEAT_DENIED);
    assert_played();
}

/* A server that takes parts from several threads at once. */
static leat_code remember(leat_s3_transport *transport, const leat_s3_wire *wire, leat_s3_reply *reply,
                          leat_error *error)
{
    (void)transport;
    (void)error;
    reply->status = 200;
    reply->sends = 1;
    pthread_mutex_lock(&here.lock);
    if (strstr(wire->url, "?uploads=")) {
        give_body(reply, begun);
    } else if (strstr(wire->url, "partNumber=")) {
        here.parts++;
        here.parts_bytes += wire->body_size;
        if (++here.parts_now > here.parts_most) here.parts_most = here.parts_now;
        if (here.parts == here.parts_failing) reply->status = 403;
        put_lines(reply, "ETag: \"p\"\n");
        pthread_mutex_unlock(&here.lock);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        pthread_mutex_lock(&here.lock);
        here.parts_now--;
    } else if (strcmp(wire->method, "POST") == 0) {
        give_body(reply, completed);
    }
    pthread_mutex_unlock(&here.lock);
    return LEAT_OK;
}

static void parts_go_side_by_side_and_not_too_many(void **state)
{
    (void)state;
    leat_storage_free(here.storage);
    here.transport.send = remember;
    open_storage(3);
    assert_int_equal(write_object(20500), LEAT_OK);
    assert_int_equal(here.parts, 21);
    assert_int_equal(here.parts_bytes, 20500);
    assert_in_range(here.parts_most, 2, 3);
    here.parts = 0;
    here.parts_failing = 4;
    assert_int_equal(write_object(20500), LEAT_DENIED);
    assert_true(here.parts < 10);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(small_objects_go_at_once_and_large_ones_in_parts),
        CASE(a_completion_whose_reply_was_lost_is_known),
        CASE(a_part_that_fails_ends_the_upload),
        CASE(parts_go_side_by_side_and_not_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
