/* The S3 storage over a scripted transport: what is retried, what is recognised, what is told. */
#include "tests/unit.h"

#include <string.h>

#include "tests/unit/storage/s3_script.h"

static leat_code put(leat_put_mode mode)
{
    return leat_storage_put(here.storage, "s3://box/a b", "hello", 5, mode, &here.error);
}

static void what_may_pass_is_tried_again(void **state)
{
    (void)state;
    play((step[]){{"PUT", "https://box.s3.example.com/a%20b", .status = 503},
                  {"PUT", "/a%20b", .code = LEAT_IO},
                  {"PUT", "/a%20b", .code = LEAT_TIMEOUT},
                  {"PUT", "/a%20b", .code = LEAT_UNAVAILABLE},
                  {"PUT", "/a%20b", .status = 429},
                  {"PUT", "/a%20b", .status = 200},
                  {0}});
    assert_int_equal(put(LEAT_PUT_REPLACE), LEAT_OK);
    assert_played();
    assert_int_equal(here.error.code, LEAT_OK);
    assert_true(here.slept_ms > 1500 && here.slept_ms <= 3100); /* 100 + 200 + 400 + 800 + 1600, less up to a half */
}

static void what_cannot_pass_is_told_at_once(void **state)
{
    (void)state;
    static const struct {
        int status;
        leat_code code;
    } cases[] = {{400, LEAT_INVALID}, {403, LEAT_DENIED},      {404, LEAT_NOT_FOUND},
                 {405, LEAT_INVALID}, {501, LEAT_UNSUPPORTED}, {307, LEAT_INVALID}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        play((step[]){{"PUT", "/a%20b", .status = cases[i].status}, {0}});
        assert_int_equal(put(LEAT_PUT_REPLACE), cases[i].code);
        assert_played();
    }
}

static void patience_ends(void **state)
{
    (void)state;
    const step down = {"PUT", "/a%20b", .status = 500};
    play((step[]){down, down, down, down, down, down, {0}});
    assert_int_equal(put(LEAT_PUT_REPLACE), LEAT_UNAVAILABLE);
    assert_played();
    assert_non_null(strstr(here.error.text, "after 5 retries: PutObject s3://box/a b: status 500"));
    play((step[]){down, {0}});
    here.mono_us = 0;
    ((leat_s3 *)here.storage)->options.retry_budget_ms = 40; /* less than the first pause */
    assert_int_equal(put(LEAT_PUT_REPLACE), LEAT_UNAVAILABLE);
    assert_played();
}

static void errors_say_what_and_where_and_nothing_secret(void **state)
{
    (void)state;
    play((step[]){{"PUT", "/a%20b", .status = 403, .head = "x-amz-request-id: R1\n",
                   .body = "<Error><Code>SignatureDoesNotMatch</Code><Message>It does not &amp; cannot</Message>"
                           "<StringToSign>AWS4</StringToSign></Error>"},
                  {0}});
    assert_int_equal(put(LEAT_PUT_REPLACE), LEAT_DENIED);
    assert_string_equal(here.error.text, "PutObject s3://box/a b: status 403, SignatureDoesNotMatch: It does not & "
                                         "cannot (request R1)");
    assert_non_null(strstr(here.error.hint, "secret key is wrong"));
    play((step[]){{"PUT", "/a%20b", .status = 301, .head = "x-amz-bucket-region: ap-south-1\n",
                   .body = "<Error><Code>PermanentRedirect</Code></Error>"},
                  {0}});
    assert_int_equal(put(LEAT_PUT_REPLACE), LEAT_INVALID);
    assert_string_equal(here.error.hint, "the bucket is in region ap-south-1: set s3.region");
    play((step[]){{"PUT", "/a%20b", .status = 404, .body = "<Error><Code>NoSuchBucket</Code></Error>"}, {0}});
    assert_int_equal(put(LEAT_PUT_REPLACE), LEAT_INVALID);
    assert_non_null(strstr(here.error.hint, "make the bucket"));
    play((step[]){{"PUT", "/a%20b", .status = 400, .body = "<Error><Code>Bad\nCode</Code>"}, {0}});
    assert_int_equal(put(LEAT_PUT_REPLACE), LEAT_INVALID);
    assert_string_equal(here.error.text, "PutObject s3://box/a b: status 400");
}

static void a_refused_condition_is_that_it_exists(void **state)
{
    (void)state;
    play((step[]){{"PUT", "/a%20b", .status = 412}, {0}});
    assert_int_equal(put(LEAT_PUT_IF_ABSENT), LEAT_EXISTS);
    assert_string_equal(here.condition, "if-none-match: *");
    assert_played();
    /* Nothing had gone out before. */
    play((step[]){{"PUT", "/a%20b", .code = LEAT_UNAVAILABLE}, {"PUT", "/a%20b", .status = 412}, {0}});
    assert_int_equal(put(LEAT_PUT_IF_ABSENT), LEAT_EXISTS);
    assert_played();
    /* Two at once: S3 asks to try again. */
    play((step[]){{"PUT", "/a%20b", .status = 409, .body = "<Error><Code>ConditionalRequestConflict</Code></Error>"},
                  {"PUT", "/a%20b", .status = 412},
                  {0}});
    assert_int_equal(put(LEAT_PUT_IF_ABSENT), LEAT_EXISTS);
    assert_played();
}

static void our_own_object_is_known_when_the_reply_was_lost(void **state)
{
    (void)state;
    static const step lost[] = {
        {"PUT", "/a%20b", .code = LEAT_IO},
        {"PUT", "/a%20b", .status = 500},
    };
    static const char ours[] = "ETag: \"e1\"\nx-amz-meta-leat-mark: MARK\n", other[] = "X-Amz-Meta-Leat-Mark: 00ff\n";
    for (int i = 0; i < 2; i++) {
        play((step[]){lost[i], {"PUT", "/a%20b", .status = 412}, {"HEAD", "/a%20b", .status = 200, .head = ours}, {0}});
        assert_int_equal(put(LEAT_PUT_IF_ABSENT), LEAT_OK);
        assert_played();
        play(
            (step[]){lost[i], {"PUT", "/a%20b", .status = 412}, {"HEAD", "/a%20b", .status = 200, .head = other}, {0}});
        assert_int_equal(put(LEAT_PUT_IF_ABSENT), LEAT_EXISTS);
        assert_played();
    }
    /* The transport had sent it twice by itself. */
    play((step[]){{"PUT", "/a%20b", .status = 412, .sends = 2}, {"HEAD", "/a%20b", .status = 200, .head = ours}, {0}});
    assert_int_equal(put(LEAT_PUT_IF_ABSENT), LEAT_OK);
    assert_played();
    /* It is gone again: another's bytes were there meanwhile. */
    play((step[]){lost[0], {"PUT", "/a%20b", .status = 412}, {"HEAD", "/a%20b", .status = 404}, {0}});
    assert_int_equal(put(LEAT_PUT_IF_ABSENT), LEAT_EXISTS);
    assert_played();
}

static void a_version_is_replaced_once(void **state)
{
    (void)state;
    leat_storage_version version = {"\"e0\""};
    play((step[]){{"PUT", "/x", .status = 200, .head = "ETag: \"e1\"\n"}, {0}});
    assert_int_equal(leat_storage_replace(here.storage, "s3://box/x", "y", 1, &version, NULL), LEAT_OK);
    assert_string_equal(here.condition, "if-match: \"e0\"");
    assert_string_equal(version.text, "\"e1\"");
    play((step[]){{"PUT", "/x", .code = LEAT_TIMEOUT},
                  {"PUT", "/x", .status = 412},
                  {"HEAD", "/x", .status = 200, .head = "ETag: \"e2\"\nx-amz-meta-leat-mark: MARK\n"},
                  {0}});
    assert_int_equal(leat_storage_replace(here.storage, "s3://box/x", "y", 1, &version, NULL), LEAT_OK);
    assert_string_equal(version.text, "\"e2\"");
    for (int status = 404; status <= 412; status += 8) {
        play((step[]){{"PUT", "/x", .status = status}, {0}});
        assert_int_equal(leat_storage_replace(here.storage, "s3://box/x", "y", 1, &version, NULL), LEAT_CONFLICT);
        assert_string_equal(version.text, "\"e2\"");
    }
}

static void a_wrong_clock_is_set_once(void **state)
{
    (void)state;
    static const char date[] = "Date: Tue, 25 Nov 2025 04:39:55 GMT\n";
    const step skewed = {"PUT", "/a%20b", .status = 403, .head = date,
                         .body = "<Error><Code>RequestTimeTooSkewed</Code></Error>"};
    play((step[]){skewed, {"PUT", "/a%20b", .status = 200}, {0}});
    assert_int_equal(put(LEAT_PUT_REPLACE), LEAT_OK);
    assert_string_equal(here.date, "20251125T043955Z");
    play((step[]){{"HEAD", "/a", .status = 404}, {0}}); /* and stays so */
    uint64_t size;
    assert_int_equal(leat_storage_size(here.storage, "s3://box/a", &size, NULL), LEAT_NOT_FOUND);
    assert_string_equal(here.date, "20251125T043955Z");
    here.now_ms += 7200000; /* ours was set right: HEAD has no words, but a date */
    play((step[]){{"HEAD", "/a", .status = 403, .head = date},
                  {"HEAD", "/a", .status = 200, .head = "Content-Length: 7\n"},
                  {0}});
    assert_int_equal(leat_storage_size(here.storage, "s3://box/a", &size, NULL), LEAT_OK);
    assert_played();
    here.now_ms += 7200000;
    const step again = {"HEAD", "/a", .status = 403, .head = "Date: Wed, 26 Nov 2025 04:39:55 GMT\n"};
    play((step[]){{"HEAD", "/a", .status = 403, .head = date}, again, {0}});
    assert_int_equal(leat_storage_size(here.storage, "s3://box/a", &size, NULL), LEAT_DENIED);
    assert_played();
}

static void assert_gets(const char *expected)
{
    leat_bytes bytes = {0};
    leat_bytes_text(&bytes, "before ");
    leat_code code = leat_storage_get(here.storage, "s3://box/g", 0, 100, &bytes, &here.error);
    if (code != LEAT_OK) fail_msg("%s", here.error.text);
    leat_bytes_text(&bytes, "");
    assert_string_equal((const char *)bytes.data + 7, expected);
    assert_memory_equal(bytes.data, "before ", 7);
    leat_bytes_done(&bytes);
    assert_played();
}

static void a_body_that_is_not_what_was_asked_for_is_fetched_again(void **state)
{
    (void)state;
    const step good = {"GET", "/g", .status = 206, .body = "hello",
                       .head = "Content-Range: bytes 0-4/5\nETag: \"5d41402abc4b2a76b9719d911017c592\"\n"};
    play((step[]){{"GET", "/g", .status = 206, .code = LEAT_IO, .body = "hel"}, good, {0}});
    assert_gets("hello");
    play((step[]){{"GET", "/g", .status = 206, .body = "hel", .head = "Content-Range: bytes 0-4/5\n"}, good, {0}});
    assert_gets("hello");
    play((step[]){{"GET", "/g", .status = 206, .body = "hel", .head = "Content-Range: bytes 0-2/5\n"}, good, {0}});
    assert_gets("hello");
    play((step[]){{"GET", "/g", .status = 206, .body = "world", .head = good.head}, good, {0}});
    assert_gets("hello");
    play((step[]){{"GET", "/g", .status = 500, .body = "<Error><Code>InternalError</Code></Error>"}, good, {0}});
    assert_gets("hello");
    play((step[]){{"GET", "/g", .status = 416}, {0}});
    assert_gets("");
}

static void etags_of_another_kind_are_found_out(void **state)
{
    (void)state;
    const step other = {"GET", "/g", .status = 206, .body = "hello",
                        .head = "Content-Range: bytes 0-4/5\nETag: \"00000000000000000000000000000000\"\n"};
    play((step[]){other, other, {0}});
    assert_gets("hello");
    play((step[]){other, {0}});
    assert_gets("hello");
}

static void bytes_that_rotted_are_told_where_etags_are_md5s(void **state)
{
    (void)state;
    const step good = {"GET", "/g", .status = 206, .body = "hello",
                       .head = "Content-Range: bytes 0-4/5\nETag: \"5d41402abc4b2a76b9719d911017c592\"\n"};
    const step rotten = {"GET", "/g", .status = 206, .body = "hullo", .head = good.head};
    play((step[]){good, {0}});
    assert_gets("hello");
    leat_bytes bytes = {0};
    play((step[]){rotten, rotten, {0}});
    assert_int_equal(leat_storage_get(here.storage, "s3://box/g", 0, 100, &bytes, &here.error), LEAT_CORRUPT);
    assert_played();
    assert_int_equal(bytes.size, 0);
    leat_bytes_done(&bytes);
}

static void etags_of_parts_and_of_keys_elsewhere_are_not_compared(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "Content-Range: bytes 0-4/5\nETag: \"00000000000000000000000000000000-2\"\n",
        "Content-Range: bytes 0-4/5\nETag: \"00000000000000000000000000000000\"\n"
        "x-amz-server-side-encryption: aws:kms\n",
    };
    for (size_t i = 0; i < 2; i++) {
        play((step[]){{"GET", "/g", .status = 206, .body = "hello", .head = heads[i]}, {0}});
        assert_gets("hello");
    }
}

static void folders_are_removed_in_batches_or_one_by_one(void **state)
{
    (void)state;
    static const char last[] = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>f/a b</Key></Contents>"
                               "</ListBucketResult>";
    static const char first[] =
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>f/a%20b</Key></Contents><Contents><Key>f/%26"
        "</Key></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>t=</NextContinuationToken>"
        "</ListBucketResult>";
    const step removed = {"POST", "https://box.s3.example.com/?delete=", .status = 200, .body = "<DeleteResult/>"};
    play((step[]){
        {"GET", "/?encoding-type=url&list-type=2&prefix=f%2F", .status = 200, .body = first},
        removed,
        {"GET", "continuation-token=t%3D&encoding-type=url&list-type=2&prefix=f%2F", .status = 200, .body = last},
        removed,
        {0}});
    assert_int_equal(leat_storage_remove_folder(here.storage, "s3://box/f/", &here.error), LEAT_OK);
    assert_played();
    play((step[]){{"GET", "prefix=f%2F", .status = 200, .body = last},
                  {"POST", "/?delete=", .status = 501},
                  {"DELETE", "/f/a%20b", .status = 204},
                  {0}});
    assert_int_equal(leat_storage_remove_folder(here.storage, "s3://box/f", &here.error), LEAT_OK);
    assert_played();
    play((step[]){{"GET", "prefix=f%2F", .status = 200, .body = last},
                  {"POST", "/?delete=", .status = 200,
                   .body = "<DeleteResult><Error><Key>f/a b</Key><Code>AccessDenied</Code></Error></DeleteResult>"},
                  {0}});
    ((leat_s3 *)here.storage)->options.retries_max = 0;
    assert_int_equal(leat_storage_remove_folder(here.storage, "s3://box/f", &here.error), LEAT_IO);
    assert_non_null(strstr(here.error.text, "f/a b"));
    assert_int_equal(leat_storage_remove_folder(here.storage, "s3://box/", &here.error), LEAT_INVALID);
}

static const char failed_late[] = "<?xml version=\"1.0\"?>\n\n<Error><Code>InternalError</Code></Error>";

static void copies_name_their_source(void **state)
{
    (void)state;
    play((step[]){{"PUT", "/to", .status = 200, .body = failed_late},
                  {"PUT", "/to", .status = 200, .body = "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>"},
                  {0}});
    assert_int_equal(leat_storage_copy(here.storage, "s3://box/from", "s3://box/to", &here.error), LEAT_OK);
    assert_played();
}

static void paths_that_name_no_object_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"s3://",      "s3://box",   "s3://box/",     "s3:///key",  "s3://b_x:80/k",
                                        "s3://b?x/k", "s3://b x/k", "s3://b@host/k", "s3://.box/k"};
    play((step[]){{0}});
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(leat_storage_remove(here.storage, wrong[i], &here.error), LEAT_INVALID);
    char path[1200];
    memset(path, 'k', sizeof path);
    memcpy(path, "s3://box/", 9);
    path[sizeof path - 1] = '\0';
    assert_int_equal(leat_storage_remove(here.storage, path, &here.error), LEAT_LIMIT);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(what_may_pass_is_tried_again),
        CASE(what_cannot_pass_is_told_at_once),
        CASE(patience_ends),
        CASE(errors_say_what_and_where_and_nothing_secret),
        CASE(a_refused_condition_is_that_it_exists),
        CASE(our_own_object_is_known_when_the_reply_was_lost),
        CASE(a_version_is_replaced_once),
        CASE(a_wrong_clock_is_set_once),
        CASE(a_body_that_is_not_what_was_asked_for_is_fetched_again),
        CASE(etags_of_another_kind_are_found_out),
        CASE(bytes_that_rotted_are_told_where_etags_are_md5s),
        CASE(etags_of_parts_and_of_keys_elsewhere_are_not_compared),
        CASE(folders_are_removed_in_batches_or_one_by_one),
        CASE(copies_name_their_source),
        CASE(paths_that_name_no_object_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
