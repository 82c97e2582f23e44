/* The examples that AWS publishes for S3 ("Authenticating Requests: Using the Authorization Header") and for deriving a
 * key. */
#include "tests/unit.h"

#include <string.h>

#include "storage/s3_sign.h"

static const leat_s3_credentials credentials = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                                NULL};
static const char nothing_sha256[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/* The request is of the examples' bucket, time and region. */
static void assert_signature(const char *method, const char *path, const leat_s3_pair *query, size_t query_count,
                             const leat_s3_pair *more_headers, size_t more_count, const char *payload_sha256,
                             const char *signed_headers, const char *signature)
{
    leat_s3_pair headers[LEAT_S3_PAIRS_MAX] = {{"x-amz-date", "20130524T000000Z"},
                                               {"host", "examplebucket.s3.amazonaws.com"},
                                               {"x-amz-content-sha256", payload_sha256}};
    for (size_t i = 0; i < more_count; i++)
        headers[3 + i] = more_headers[i];
    leat_s3_to_sign request = {.method = method,
                               .path = path,
                               .query = query,
                               .query_count = query_count,
                               .headers = headers,
                               .headers_count = 3 + more_count,
                               .payload_sha256 = payload_sha256,
                               .region = "us-east-1",
                               .service = "s3",
                               .time = "20130524T000000Z"};
    char expected[1024];
    (void)snprintf(expected, sizeof expected,
                   "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                   "SignedHeaders=%s,Signature=%s",
                   signed_headers, signature);
    leat_bytes out = {0};
    assert_int_equal(leat_s3_authorization(&request, &credentials, &out, NULL), LEAT_OK);
    assert_string_equal((const char *)out.data, expected);
    leat_bytes_done(&out);
}

static void a_ranged_get_is_signed_as_published(void **state)
{
    (void)state;
    const leat_s3_pair range = {"range", "bytes=0-9"};
    assert_signature("GET", "/test.txt", NULL, 0, &range, 1, nothing_sha256,
                     "host;range;x-amz-content-sha256;x-amz-date",
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void a_put_is_signed_as_published(void **state)
{
    (void)state;
    static const char body[] = "Welcome to Amazon S3.";
    char hash[LEAT_SHA256_HEX_BYTES];
    assert_int_equal(leat_sha256_hex(body, strlen(body), hash, NULL), LEAT_OK);
    assert_string_equal(hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    const leat_s3_pair headers[] = {{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                                    {"date", "  Fri, 24 May  2013 00:00:00 GMT "}}; /* blanks do not matter */
    leat_bytes path = {0};
    leat_s3_escape("/test$file.text", true, &path);
    assert_signature("PUT", (const char *)path.data, NULL, 0, headers, 2, hash,
                     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    leat_bytes_done(&path);
}

static void parameters_are_signed_as_published(void **state)
{
    (void)state;
    static const char signed_headers[] = "host;x-amz-content-sha256;x-amz-date";
    const leat_s3_pair lifecycle = {"lifecycle", ""};
    assert_signature("GET", "/", &lifecycle, 1, NULL, 0, nothing_sha256, signed_headers,
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    const leat_s3_pair list[] = {{"prefix", "J"}, {"max-keys", "2"}};
    assert_signature("GET", "/", list, 2, NULL, 0, nothing_sha256, signed_headers,
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void a_canonical_request_is_written_as_published(void **state)
{
    (void)state;
    const leat_s3_pair headers[] = {{"x-amz-date", "20130524T000000Z"},
                                    {"range", "bytes=0-9"},
                                    {"x-amz-content-sha256", nothing_sha256},
                                    {"host", "examplebucket.s3.amazonaws.com"}};
    leat_s3_to_sign request = {.method = "GET",
                               .path = "/test.txt",
                               .headers = headers,
                               .headers_count = 4,
                               .payload_sha256 = nothing_sha256,
                               .region = "us-east-1",
                               .service = "s3",
                               .time = "20130524T000000Z"};
    leat_bytes out = {0};
    assert_int_equal(leat_s3_canonical_request(&request, &out, NULL), LEAT_OK);
    leat_bytes_text(&out, "");
    assert_string_equal((const char *)out.data,
                        "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n"
                        "x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
                        "x-amz-date:20130524T000000Z\n\nhost;range;x-amz-content-sha256;x-amz-date\n"
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    char hash[LEAT_SHA256_HEX_BYTES];
    assert_int_equal(leat_sha256_hex(out.data, out.size, hash, NULL), LEAT_OK);
    assert_string_equal(hash, "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");
    leat_bytes_done(&out);
}

static void the_key_is_derived_as_published(void **state)
{
    (void)state;
    uint8_t key[32];
    char hex[65];
    assert_int_equal(
        leat_s3_signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam", key, NULL),
        LEAT_OK);
    leat_hex(key, sizeof key, hex);
    assert_string_equal(hex, "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
}

static void what_is_not_plain_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool keeps_slash;
        const char *expected;
    } cases[] = {
        {"a/b c", true, "a/b%20c"},
        {"a/b c", false, "a%2Fb%20c"},
        {"100%+1", true, "100%25%2B1"},
        {"AZaz09-_.~", false, "AZaz09-_.~"},
        {"é日", true, "%C3%A9%E6%97%A5"},
        {"k1=v1/(x)*'!@:$&,;?#", true, "k1%3Dv1/%28x%29%2A%27%21%40%3A%24%26%2C%3B%3F%23"},
        {"", true, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_bytes out = {0};
        leat_s3_escape(cases[i].text, cases[i].keeps_slash, &out);
        assert_string_equal((const char *)out.data, cases[i].expected);
        leat_bytes_done(&out);
    }
}

static void times_are_of_utc(void **state)
{
    (void)state;
    char text[LEAT_S3_TIME_BYTES];
    leat_s3_time(1369353600000, text);
    assert_string_equal(text, "20130524T000000Z");
    leat_s3_time(INT64_MAX, text);
    assert_int_equal(strlen(text), LEAT_S3_TIME_BYTES - 1);
}

static void too_many_parameters_are_refused(void **state)
{
    (void)state;
    leat_s3_pair many[LEAT_S3_PAIRS_MAX + 1];
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        many[i] = (leat_s3_pair){"a", "b"};
    leat_bytes out = {0};
    assert_int_equal(leat_s3_query(many, LEAT_S3_PAIRS_MAX + 1, &out, NULL), LEAT_LIMIT);
    leat_bytes_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ranged_get_is_signed_as_published),
        cmocka_unit_test(a_put_is_signed_as_published),
        cmocka_unit_test(parameters_are_signed_as_published),
        cmocka_unit_test(a_canonical_request_is_written_as_published),
        cmocka_unit_test(the_key_is_derived_as_published),
        cmocka_unit_test(what_is_not_plain_is_escaped),
        cmocka_unit_test(times_are_of_utc),
        cmocka_unit_test(too_many_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
