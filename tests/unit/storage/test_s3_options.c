/* Where S3 and its keys are taken from, and what is made of it. */
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/memory.h"
#include "storage/s3_client.h"

static char home[64];
static leat_config config;
static leat_s3_options options;
static leat_error error;

static void set(const char *key, const char *value)
{
    assert_int_equal(leat_config_set(&config, key, value, NULL), LEAT_OK);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/.aws/%s", home, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    (void)state;
    static const char *const variables[] = {
        "AWS_ACCESS_KEY_ID",  "AWS_SECRET_ACCESS_KEY",      "AWS_SESSION_TOKEN",   "AWS_REGION",
        "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",           "AWS_ENDPOINT_URL_S3", "AWS_PROFILE",
        "AWS_CONFIG_FILE",    "AWS_SHARED_CREDENTIALS_FILE"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    (void)snprintf(home, sizeof home, "/tmp/leat-test-aws-XXXXXX");
    if (!mkdtemp(home)) return -1;
    char folder[96];
    (void)snprintf(folder, sizeof folder, "%s/.aws", home);
    if (mkdir(folder, 0700) != 0) return -1;
    setenv("HOME", home, 1);
    error = (leat_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    static const char *const names[] = {"/.aws/credentials", "/.aws/config", "/.aws", ""};
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s", home, names[i]);
        (void)remove(path);
    }
    leat_config_done(&config);
    leat_s3_options_done(&options);
    return 0;
}

static leat_code load(void)
{
    leat_s3_options_done(&options);
    return leat_s3_options_load(&config, &options, &error);
}

static void without_keys_it_says_where_they_may_be(void **state)
{
    (void)state;
    assert_int_equal(load(), LEAT_DENIED);
    assert_non_null(strstr(error.hint, "s3.access-key"));
    assert_non_null(strstr(error.hint, "AWS_ACCESS_KEY_ID"));
    unsetenv("HOME");
    assert_int_equal(load(), LEAT_DENIED);
}

static const char credentials[] =
    "# comment\n[default]\naws_access_key_id = PK\r\naws_secret_access_key=PS=+/\n"
    "[other]\naws_access_key_id = OK\naws_secret_access_key = OS\naws_session_token = OT\n";

static void keys_come_from_one_place_the_nearest(void **state)
{
    (void)state;
    write_file("credentials", credentials);
    write_file("config", "[default]\nregion = eu-west-1\ns3 =\n  region = no\n[profile other]\nregion=eu-west-2\n"
                         "endpoint_url = http://127.0.0.1:9000/\n");
    assert_int_equal(load(), LEAT_OK);
    assert_string_equal(options.access_key, "PK");
    assert_string_equal(options.secret_key, "PS=+/");
    assert_null(options.session_token);
    assert_string_equal(options.region, "eu-west-1");
    assert_null(options.endpoint);
    setenv("AWS_PROFILE", "other", 1);
    assert_int_equal(load(), LEAT_OK);
    assert_string_equal(options.session_token, "OT");
    assert_string_equal(options.region, "eu-west-2");
    assert_string_equal(options.endpoint, "http://127.0.0.1:9000");
    setenv("AWS_ACCESS_KEY_ID", "EK", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "ES", 1);
    assert_int_equal(load(), LEAT_OK);
    assert_string_equal(options.access_key, "EK");
    assert_null(options.session_token); /* the profile's is not mixed in */
    setenv("AWS_SESSION_TOKEN", "ET", 1);
    setenv("AWS_REGION", "us-west-2", 1);
    setenv("AWS_ENDPOINT_URL", "https://s3.example.com", 1);
    set("s3.access-key", "CK");
    set("s3.secret-key", "CS");
    assert_int_equal(load(), LEAT_OK);
    assert_string_equal(options.secret_key, "CS");
    assert_null(options.session_token);
    assert_string_equal(options.region, "us-west-2");
    assert_string_equal(options.endpoint, "https://s3.example.com");
    set("s3.session.token", "CT");
    set("s3.region", "cn-north-1");
    set("s3.endpoint", "minio.example.com:9000");
    assert_int_equal(load(), LEAT_OK);
    assert_string_equal(options.session_token, "CT");
    assert_string_equal(options.region, "cn-north-1");
    assert_string_equal(options.endpoint, "https://minio.example.com:9000");
}

static void half_a_pair_of_keys_is_refused(void **state)
{
    (void)state;
    set("s3.secret-key", "hidden");
    assert_int_equal(load(), LEAT_INVALID);
    assert_null(strstr(error.text, "hidden"));
    setenv("AWS_ACCESS_KEY_ID", "EK", 1); /* does not complete it */
    assert_int_equal(load(), LEAT_INVALID);
    leat_config_remove(&config, "s3.secret-key");
    assert_int_equal(load(), LEAT_INVALID);
}

static void values_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"s3.endpoint", "ftp://host"},          {"s3.endpoint", "http://user:password@host"},
        {"s3.endpoint", "http://host/path"},    {"s3.endpoint", "http://"},
        {"s3.endpoint", "http://host\nX: y"},   {"s3.secret-key", "a b"},
        {"s3.session.token", "a\r\nb"},         {"s3.multipart.size", "1 mb"},
        {"s3.multipart.size", "2 gb"},          {"s3.connection.maximum", "0"},
        {"s3.fast.upload.active.blocks", "-1"}, {"s3.retry.limit", "-1"},
        {"s3.connection.timeout", "10 ms"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        leat_config_done(&config);
        set("s3.access-key", "K");
        set("s3.secret-key", "S");
        assert_int_equal(load(), LEAT_OK);
        set(wrong[i][0], wrong[i][1]);
        assert_int_equal(load(), LEAT_INVALID);
        assert_null(strstr(error.text, "password"));
    }
}

static void assert_address(const char *endpoint, bool is_path_style, const char *bucket, const char *expected)
{
    leat_s3_options made = {.region = (char *)(uintptr_t) "eu-west-1", .is_path_style = is_path_style};
    made.endpoint = (char *)(uintptr_t)endpoint;
    leat_s3_place place = {.key = "a/b c"};
    (void)snprintf(place.bucket, sizeof place.bucket, "%s", bucket);
    leat_s3_call call = {.place = &place};
    leat_bytes host = {0}, path = {0}, url = {0};
    assert_int_equal(leat_s3_address(&made, &call, &host, &path, &url, NULL), LEAT_OK);
    assert_string_equal((const char *)url.data, expected);
    leat_bytes_done(&host);
    leat_bytes_done(&path);
    leat_bytes_done(&url);
}

static void buckets_stand_before_the_host_or_in_the_path(void **state)
{
    (void)state;
    assert_address(NULL, false, "box", "https://box.s3.eu-west-1.amazonaws.com/a/b%20c");
    assert_address(NULL, true, "box", "https://s3.eu-west-1.amazonaws.com/box/a/b%20c");
    assert_address(NULL, false, "my.box", "https://s3.eu-west-1.amazonaws.com/my.box/a/b%20c");
    assert_address("http://s3.example.com:9000", false, "my.box", "http://my.box.s3.example.com:9000/a/b%20c");
    assert_address("https://s3.example.com", false, "my.box", "https://s3.example.com/my.box/a/b%20c");
    assert_address("http://127.0.0.1:9000", false, "box", "http://127.0.0.1:9000/box/a/b%20c");
    assert_address("http://[::1]:9000", false, "box", "http://[::1]:9000/box/a/b%20c");
    assert_address("http://localhost:9000", false, "box", "http://localhost:9000/box/a/b%20c");
    assert_address("http://minio", false, "box", "http://minio/box/a/b%20c");
}

static void what_is_tried_again_is_a_table(void **state)
{
    (void)state;
    static const struct {
        leat_code sent;
        int status;
        const char *code;
        int64_t clock_off_ms;
        leat_s3_verdict expected;
    } cases[] = {
        {LEAT_OK, 200, "", 0, LEAT_S3_DONE},
        {LEAT_OK, 206, "", 0, LEAT_S3_DONE},
        {LEAT_IO, 0, "", 0, LEAT_S3_AGAIN},
        {LEAT_TIMEOUT, 200, "", 0, LEAT_S3_AGAIN},
        {LEAT_UNAVAILABLE, 0, "", 0, LEAT_S3_AGAIN},
        {LEAT_DENIED, 0, "", 0, LEAT_S3_NEVER},
        {LEAT_NO_MEMORY, 0, "", 0, LEAT_S3_NEVER},
        {LEAT_OK, 500, "", 0, LEAT_S3_AGAIN},
        {LEAT_OK, 503, "SlowDown", 0, LEAT_S3_AGAIN},
        {LEAT_OK, 429, "", 0, LEAT_S3_AGAIN},
        {LEAT_OK, 501, "", 0, LEAT_S3_NEVER},
        {LEAT_OK, 400, "RequestTimeout", 0, LEAT_S3_AGAIN},
        {LEAT_OK, 400, "InvalidRequest", 0, LEAT_S3_NEVER},
        {LEAT_OK, 301, "PermanentRedirect", 0, LEAT_S3_NEVER},
        {LEAT_OK, 404, "NoSuchKey", 0, LEAT_S3_NEVER},
        {LEAT_OK, 409, "ConditionalRequestConflict", 0, LEAT_S3_AGAIN},
        {LEAT_OK, 409, "BucketAlreadyExists", 0, LEAT_S3_NEVER},
        {LEAT_OK, 412, "PreconditionFailed", 0, LEAT_S3_NEVER},
        {LEAT_OK, 403, "AccessDenied", 3600000, LEAT_S3_NEVER},
        {LEAT_OK, 403, "RequestTimeTooSkewed", 3600000, LEAT_S3_CLOCK},
        {LEAT_OK, 403, "", -3600000, LEAT_S3_CLOCK},
        {LEAT_OK, 403, "", 1000, LEAT_S3_NEVER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_s3_failure failure = {0};
        (void)snprintf(failure.code, sizeof failure.code, "%s", cases[i].code);
        if (leat_s3_judge(cases[i].sent, cases[i].status, &failure, cases[i].clock_off_ms) != cases[i].expected)
            fail_msg("case %zu", i);
    }
}

static void pauses_double_up_to_a_bound(void **state)
{
    (void)state;
    assert_int_equal(leat_s3_pause_ms(100, 0, 0), 100);
    assert_int_equal(leat_s3_pause_ms(100, 3, 0), 800);
    assert_int_equal(leat_s3_pause_ms(100, 1000, 0), 10000);
    assert_int_equal(leat_s3_pause_ms(INT64_MAX, 5, 0), 10000);
    assert_int_equal(leat_s3_pause_ms(0, 5, 12345), 0);
    for (uint64_t random = 0; random < 1000; random++)
        assert_in_range(leat_s3_pause_ms(100, 2, random * 7919), 200, 400);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(without_keys_it_says_where_they_may_be),
        CASE(keys_come_from_one_place_the_nearest),
        CASE(half_a_pair_of_keys_is_refused),
        CASE(values_that_cannot_be_are_refused),
        CASE(buckets_stand_before_the_host_or_in_the_path),
        CASE(what_is_tried_again_is_a_table),
        CASE(pauses_double_up_to_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
