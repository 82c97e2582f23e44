/* S3's storage against a real server, run by with_s3; what all storages have in common is in test_storage.c. The second
 * half goes through a proxy whose line is slow, broken or silent. */
#include "tests/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/env.h"
#include "common/log.h"
#include "common/memory.h"
#include "storage/storage.h"

static leat_env *env;
static leat_config config;
static leat_storage *storage;
static leat_error error;

static void set(const char *key, const char *value)
{
    assert_int_equal(leat_config_set(&config, key, value, NULL), LEAT_OK);
}

static int open_at(const char *variable)
{
    const char *endpoint = getenv(variable);
    if (!endpoint) return -1;
    error = (leat_error){0};
    leat_log_set_level(LEAT_LOG_OFF);
    set("s3.endpoint", endpoint);
    set("s3.connection.timeout", "1 s");
    set("s3.connection.establish.timeout", "1 s");
    set("s3.retry.interval", "20 ms");
    set("s3.retry.limit", "100");
    set("s3.retry.budget", "20 s");
    return leat_env_system_new(1, 1, &env, NULL) == LEAT_OK &&
                   leat_storage_schemes_new(&config, env, &storage, NULL) == LEAT_OK
               ? 0
               : -1;
}

static int open_server(void **state)
{
    (void)state;
    return open_at("S3_ENDPOINT");
}

static int open_proxy(void **state)
{
    (void)state;
    return open_at("S3_PROXY");
}

static void proxy(const char *verb, const char *rest)
{
    char command[512];
    (void)snprintf(command, sizeof command, "%s %s %s %s >/dev/null", getenv("TOXIPROXY"), verb,
                   getenv("TOXIPROXY_DIR"), rest);
    if (system(command) != 0) fail_msg("%s", command); // NOLINT: a script of the tests
}

static int close_all(void **state)
{
    (void)state;
    leat_storage_free(storage);
    leat_env_system_free(env);
    leat_config_done(&config);
    return 0;
}

static int close_proxy(void **state)
{
    proxy("reset", "");
    return close_all(state);
}

static void succeed(leat_code code)
{
    if (code != LEAT_OK) fail_msg("%s", error.text);
}

static leat_code put(const char *path, const char *text, leat_put_mode mode)
{
    return leat_storage_put(storage, path, text, strlen(text), mode, &error);
}

static void assert_holds(const char *path, const char *text)
{
    leat_bytes bytes = {0};
    succeed(leat_storage_get_all(storage, path, 1 << 20, &bytes, &error));
    leat_bytes_text(&bytes, "");
    assert_string_equal((const char *)bytes.data, text);
    leat_bytes_done(&bytes);
}

static void a_wrong_secret_is_refused_and_not_told(void **state)
{
    (void)state;
    set("s3.access-key", "leat");
    set("s3.secret-key", "not-the-secret-key");
    assert_int_equal(put("s3://test/x", "y", LEAT_PUT_REPLACE), LEAT_DENIED);
    assert_non_null(strstr(error.text, "PutObject s3://test/x: status 403, SignatureDoesNotMatch"));
    assert_non_null(strstr(error.hint, "secret key is wrong"));
    assert_null(strstr(error.text, "not-the-secret-key"));
}

static void an_unknown_key_and_bucket_are_told(void **state)
{
    (void)state;
    leat_storage_list list = {0};
    assert_int_equal(leat_storage_list_folder(storage, "s3://no-such-bucket/a", &list, &error), LEAT_INVALID);
    assert_non_null(strstr(error.text, "NoSuchBucket"));
    assert_int_equal(put("s3://no-such-bucket/a", "x", LEAT_PUT_REPLACE), LEAT_INVALID);
    close_all(NULL);
    assert_int_equal(open_at("S3_ENDPOINT"), 0);
    set("s3.access-key", "nobody");
    set("s3.secret-key", "not-the-secret-key");
    /* This server says it with 404: it must not be taken for an object's absence. */
    assert_int_equal(put("s3://test/x", "y", LEAT_PUT_REPLACE), LEAT_INVALID);
    assert_non_null(strstr(error.text, "access key"));
}

static void names_may_hold_any_character(void **state)
{
    (void)state;
    static const char *const names[] = {"a b",       "a+b",    "100%",      "%41",  "é日本",  "k=v",
                                        "q?x#y&z;w", "'\"<>&", "[]{}()*!@", "~-_.", ",:$|^`", "\\"};
    enum { COUNT = sizeof names / sizeof *names };
    char path[128], copy[128];
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(path, sizeof path, "s3://test/names/%s/%s", names[i], names[i]);
        (void)snprintf(copy, sizeof copy, "s3://test/names/%s/copy", names[i]);
        succeed(put(path, names[i], LEAT_PUT_IF_ABSENT));
        succeed(leat_storage_copy(storage, path, copy, &error));
        assert_holds(copy, names[i]);
    }
    leat_storage_list list = {0};
    succeed(leat_storage_list_folder(storage, "s3://test/names", &list, &error));
    assert_int_equal(list.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const char *name = list.entries[i].name;
        bool is_known = false;
        for (size_t k = 0; k < COUNT; k++)
            is_known |= strcmp(name, names[k]) == 0;
        assert_true(is_known && list.entries[i].is_folder);
        (void)snprintf(path, sizeof path, "s3://test/names/%s/%s", name, name);
        assert_holds(path, name);
    }
    leat_storage_list_done(&list);
    succeed(leat_storage_remove_folder(storage, "s3a://test/names", &error));
    succeed(leat_storage_list_folder(storage, "s3://test/names", &list, &error));
    assert_int_equal(list.count, 0);
}

enum { LARGE = (64 << 20) + 12345 };

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 9) + (i >> 20));
}

static void write_large(const char *path, size_t size)
{
    enum { PIECE = 100003 };
    leat_storage_writer *writer;
    uint8_t *piece = leat_alloc(PIECE);
    assert_non_null(piece);
    succeed(leat_storage_create(storage, path, &writer, &error));
    for (size_t at = 0; at < size; at += PIECE) {
        size_t step = size - at < PIECE ? size - at : PIECE;
        for (size_t i = 0; i < step; i++)
            piece[i] = byte_at(at + i);
        succeed(leat_storage_write(writer, piece, step, &error));
    }
    succeed(leat_storage_finish(writer, &error));
    leat_free(piece);
}

static void assert_large(const char *path, size_t size)
{
    enum { RANGE = 5000000 };
    uint64_t there;
    succeed(leat_storage_size(storage, path, &there, &error));
    assert_int_equal(there, size);
    leat_bytes bytes = {0};
    for (size_t at = 0; at < size; at += RANGE) {
        leat_bytes_reset(&bytes);
        succeed(leat_storage_get(storage, path, at, RANGE, &bytes, &error));
        assert_int_equal(bytes.size, size - at < RANGE ? size - at : RANGE);
        for (size_t i = 0; i < bytes.size; i++) {
            if (bytes.data[i] != byte_at(at + i)) fail_msg("byte %zu differs", at + i);
        }
    }
    leat_bytes_done(&bytes);
}

static void large_objects_go_in_parts(void **state)
{
    (void)state;
    write_large("s3://test/large/a", LARGE);
    assert_large("s3://test/large/a", LARGE);
    succeed(leat_storage_copy(storage, "s3://test/large/a", "s3://test/large/b", &error));
    assert_large("s3://test/large/b", LARGE);
    leat_storage_writer *writer;
    succeed(leat_storage_create(storage, "s3://test/large/c", &writer, &error));
    leat_bytes bytes = {0};
    assert_non_null(leat_bytes_extend(&bytes, 20 << 20));
    succeed(leat_storage_write(writer, bytes.data, bytes.size, &error));
    leat_storage_abort(writer);
    leat_bytes_done(&bytes);
    leat_storage_list list = {0};
    succeed(leat_storage_list_folder(storage, "s3://test/large", &list, &error));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.entries[0].size, LARGE);
    assert_true(list.entries[0].modified_ms > INT64_C(1600000000000));
    leat_storage_list_done(&list);
    succeed(leat_storage_remove_folder(storage, "s3://test/large", &error));
}

enum { MANY = 5000, PUTTERS = 8 };

static void *put_many(void *arg)
{
    int first = (int)(intptr_t)arg;
    for (int i = first; i < MANY; i += PUTTERS) {
        char path[64];
        (void)snprintf(path, sizeof path, "s3://test/many/object-%05d", i);
        if (leat_storage_put(storage, path, "x", 1, LEAT_PUT_REPLACE, NULL) != LEAT_OK) return arg;
    }
    return NULL;
}

static void many_objects_are_listed_and_removed(void **state)
{
    (void)state;
    pthread_t threads[PUTTERS];
    for (intptr_t i = 0; i < PUTTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, (void *)(i + 0)), 0);
    for (int i = 0; i < PUTTERS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    leat_storage_list list = {0};
    succeed(leat_storage_list_folder(storage, "s3://test/many/", &list, &error));
    assert_int_equal(list.count, MANY);
    for (int i = 0; i < MANY; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "object-%05d", i);
        assert_string_equal(list.entries[i].name, name);
    }
    leat_storage_list_done(&list);
    succeed(leat_storage_remove_folder(storage, "s3://test/many", &error));
    succeed(leat_storage_list_folder(storage, "s3://test/many", &list, &error));
    assert_int_equal(list.count, 0);
}

static void bytes_that_rot_on_the_disk_are_noticed(void **state)
{
    (void)state;
    succeed(put("s3://test/rot", "as it was put", LEAT_PUT_REPLACE));
    assert_holds("s3://test/rot", "as it was put");
    char path[256];
    (void)snprintf(path, sizeof path, "%s/test/rot", getenv("S3_DATA"));
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_true(fputs("AS", file) >= 0);
    assert_int_equal(fclose(file), 0);
    leat_bytes bytes = {0}; /* the server goes on saying the etag of before */
    assert_int_equal(leat_storage_get_all(storage, "s3://test/rot", 100, &bytes, &error), LEAT_CORRUPT);
    leat_bytes_done(&bytes);
}

/* --- through the proxy --- */

static int64_t now_ms(void)
{
    return leat_env_mono_us(env) / 1000;
}

static void a_slow_line_is_waited_for(void **state)
{
    (void)state;
    proxy("toxic", "s3 latency latency=300 jitter=100");
    proxy("toxic", "s3 slicer average_size=100 size_variation=50 delay=100");
    succeed(put("s3://test/slow", "hello", LEAT_PUT_REPLACE));
    assert_holds("s3://test/slow", "hello");
}

static void a_silent_line_is_given_up_in_time(void **state)
{
    (void)state;
    set("s3.retry.budget", "3 s");
    proxy("toxic", "s3 timeout timeout=0");
    int64_t began_ms = now_ms();
    assert_int_equal(put("s3://test/silent", "hello", LEAT_PUT_REPLACE), LEAT_TIMEOUT);
    assert_true(now_ms() - began_ms < 8000); /* the budget, and the last try's patience */
    assert_non_null(strstr(error.text, "PutObject s3://test/silent"));
}

static void a_line_that_is_cut_is_given_up_in_time(void **state)
{
    (void)state;
    set("s3.retry.budget", "2 s");
    proxy("cut", "s3");
    int64_t began_ms = now_ms();
    assert_int_equal(put("s3://test/cut", "hello", LEAT_PUT_REPLACE), LEAT_UNAVAILABLE);
    assert_true(now_ms() - began_ms < 5000);
    proxy("heal", "s3");
    succeed(put("s3://test/cut", "hello", LEAT_PUT_REPLACE));
}

static void *heal_later(void *arg)
{
    usleep(1500000);
    proxy("reset", "");
    return arg;
}

static void an_outage_is_outlasted(void **state)
{
    (void)state;
    static const char *const outages[] = {"s3 timeout timeout=0", "s3 timeout timeout=0 --up",
                                          "s3 reset_peer timeout=0", "s3 limit_data bytes=300"};
    for (size_t i = 0; i < sizeof outages / sizeof *outages; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "s3://test/outage-%zu", i);
        succeed(put(path, "hello", LEAT_PUT_REPLACE)); /* over a line that is kept, and breaks */
        pthread_t healer;
        proxy("toxic", outages[i]);
        assert_int_equal(pthread_create(&healer, NULL, heal_later, NULL), 0);
        (void)snprintf(path, sizeof path, "s3://test/outage-new-%zu", i);
        succeed(put(path, "hello", LEAT_PUT_IF_ABSENT));
        assert_int_equal(pthread_join(healer, NULL), 0);
        assert_holds(path, "hello");
        assert_int_equal(put(path, "other", LEAT_PUT_IF_ABSENT), LEAT_EXISTS);
    }
}

static void bodies_that_are_cut_are_fetched_again(void **state)
{
    (void)state;
    write_large("s3://test/cut-large", 6000000);
    proxy("toxic", "s3 limit_data bytes=2000000 --toxicity 0.5");
    leat_bytes bytes = {0};
    for (int i = 0; i < 5; i++) {
        leat_bytes_reset(&bytes);
        succeed(leat_storage_get(storage, "s3://test/cut-large", 0, 7000000, &bytes, &error));
        assert_int_equal(bytes.size, 6000000);
        for (size_t k = 0; k < bytes.size; k += 97)
            assert_int_equal(bytes.data[k], byte_at(k));
    }
    leat_bytes_done(&bytes);
}

enum { RACERS = 8, ROUNDS = 12 };

static atomic_int wins[ROUNDS], troubles;

/* All put the same bytes: only the marks tell them apart. */
static void *race(void *arg)
{
    for (int round = 0; round < ROUNDS; round++) {
        char path[64];
        (void)snprintf(path, sizeof path, "s3://test/race-%d", round);
        leat_code code = leat_storage_put(storage, path, "same", 4, LEAT_PUT_IF_ABSENT, NULL);
        if (code == LEAT_OK) atomic_fetch_add(&wins[round], 1);
        if (code != LEAT_OK && code != LEAT_EXISTS) atomic_fetch_add(&troubles, 1);
    }
    return arg;
}

/* Replies are lost, requests are not: who wins does not always hear of it. */
static void of_several_on_a_bad_line_exactly_one_wins(void **state)
{
    (void)state;
    proxy("toxic", "s3 limit_data bytes=0 --toxicity 0.4");
    pthread_t threads[RACERS];
    for (int i = 0; i < RACERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, NULL), 0);
    for (int i = 0; i < RACERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&troubles), 0);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(atomic_load(&wins[i]), 1);
}

static void uploads_in_parts_outlast_a_bad_line(void **state)
{
    (void)state;
    set("s3.multipart.size", "5 mb");
    proxy("toxic", "s3 limit_data bytes=200 --toxicity 0.3");
    write_large("s3://test/parts", 23 << 20);
    proxy("reset", "");
    assert_large("s3://test/parts", 23 << 20);
}

#define AT_SERVER(test) cmocka_unit_test_setup_teardown(test, open_server, close_all)
#define AT_PROXY(test)  cmocka_unit_test_setup_teardown(test, open_proxy, close_proxy)

int main(void)
{
    const struct CMUnitTest list[] = {
        AT_SERVER(a_wrong_secret_is_refused_and_not_told),
        AT_SERVER(an_unknown_key_and_bucket_are_told),
        AT_SERVER(names_may_hold_any_character),
        AT_SERVER(large_objects_go_in_parts),
        AT_SERVER(many_objects_are_listed_and_removed),
        AT_SERVER(bytes_that_rot_on_the_disk_are_noticed),
        AT_PROXY(a_slow_line_is_waited_for),
        AT_PROXY(a_silent_line_is_given_up_in_time),
        AT_PROXY(a_line_that_is_cut_is_given_up_in_time),
        AT_PROXY(an_outage_is_outlasted),
        AT_PROXY(bodies_that_are_cut_are_fetched_again),
        AT_PROXY(of_several_on_a_bad_line_exactly_one_wins),
        AT_PROXY(uploads_in_parts_outlast_a_bad_line),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
