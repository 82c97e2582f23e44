/* The same cases for every kind of storage: they must not be told apart. With the argument "s3", those of S3 alone,
 * against the server that tests/integration/with_s3 has started. */
#include "tests/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/config.h"
#include "common/env.h"
#include "common/memory.h"
#include "storage/storage.h"

typedef struct world {
    leat_storage *storage;
    char root[64]; /* a folder of the test's own; also the local one, for files */
    bool is_file;
} world;

static world here;

static int make_file(void **state)
{
    (void)state;
    here.is_file = true;
    (void)snprintf(here.root, sizeof here.root, "/tmp/leat-test-storage-XXXXXX");
    return mkdtemp(here.root) && leat_storage_file_new(&here.storage, NULL) == LEAT_OK ? 0 : -1;
}

static int make_memory(void **state)
{
    (void)state;
    here.is_file = false;
    (void)snprintf(here.root, sizeof here.root, "mem:/test");
    return leat_storage_memory_new(&here.storage, NULL) == LEAT_OK ? 0 : -1;
}

static leat_env *env;
static leat_config config;

/* Through the one storage that programs use. */
static int make_s3(void **state)
{
    (void)state;
    here.is_file = false;
    const char *endpoint = getenv("S3_ENDPOINT");
    (void)snprintf(here.root, sizeof here.root, "s3://%s/storage-%d", getenv("S3_BUCKET"), (int)getpid());
    return endpoint && leat_config_set(&config, "s3.endpoint", endpoint, NULL) == LEAT_OK &&
                   leat_env_system_new(1, 1, &env, NULL) == LEAT_OK &&
                   leat_storage_schemes_new(&config, env, &here.storage, NULL) == LEAT_OK
               ? 0
               : -1;
}

static int drop(void **state)
{
    (void)state;
    leat_code code = leat_storage_remove_folder(here.storage, here.root, NULL);
    leat_storage_free(here.storage);
    leat_env_system_free(env);
    leat_config_done(&config);
    env = NULL;
    return code == LEAT_OK ? 0 : -1;
}

/* One of a few static texts: up to four may be in use. */
static const char *path(const char *name)
{
    static char texts[4][256];
    static int next;
    char *text = texts[next++ % 4];
    (void)snprintf(text, sizeof texts[0], "%s/%s", here.root, name);
    return text;
}

static leat_code put(const char *name, const char *text, leat_put_mode mode)
{
    return leat_storage_put(here.storage, path(name), text, strlen(text), mode, NULL);
}

static void assert_holds(const char *name, const char *text)
{
    leat_bytes bytes = {0};
    leat_error error = {0};
    if (leat_storage_get_all(here.storage, path(name), 1 << 20, &bytes, &error) != LEAT_OK) fail_msg("%s", error.text);
    assert_int_equal(bytes.size, strlen(text));
    if (bytes.size) assert_memory_equal(bytes.data, text, bytes.size);
    leat_bytes_done(&bytes);
}

/* Names in the folder, folders with a slash behind: "a b/ c". */
static void assert_lists(const char *folder, const char *expected)
{
    leat_storage_list list = {0};
    char text[512] = "";
    size_t used = 0;
    assert_int_equal(leat_storage_list_folder(here.storage, path(folder), &list, NULL), LEAT_OK);
    for (size_t i = 0; i < list.count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s", i ? " " : "", list.entries[i].name,
                                 list.entries[i].is_folder ? "/" : "");
    }
    assert_string_equal(text, expected);
    leat_storage_list_done(&list);
}

static void what_is_put_is_there(void **state)
{
    (void)state;
    assert_int_equal(put("a/b/c", "hello", LEAT_PUT_REPLACE), LEAT_OK);
    assert_holds("a/b/c", "hello");
    assert_int_equal(put("a/b/c", "", LEAT_PUT_REPLACE), LEAT_OK);
    assert_holds("a/b/c", "");
    uint64_t size = 1;
    assert_int_equal(leat_storage_size(here.storage, path("a/b/c"), &size, NULL), LEAT_OK);
    assert_int_equal(size, 0);
}

static void a_conditional_put_does_not_replace(void **state)
{
    (void)state;
    assert_int_equal(put("x", "first", LEAT_PUT_IF_ABSENT), LEAT_OK);
    assert_int_equal(put("x", "second", LEAT_PUT_IF_ABSENT), LEAT_EXISTS);
    assert_holds("x", "first");
    assert_int_equal(leat_storage_remove(here.storage, path("x"), NULL), LEAT_OK);
    assert_int_equal(put("x", "third", LEAT_PUT_IF_ABSENT), LEAT_OK);
    assert_holds("x", "third");
}

static void what_is_not_there_is_told_with_its_path(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    leat_error error = {0};
    uint64_t size;
    assert_int_equal(put("folder/file", "x", LEAT_PUT_REPLACE), LEAT_OK);
    assert_int_equal(leat_storage_get(here.storage, path("none"), 0, 1, &bytes, &error), LEAT_NOT_FOUND);
    assert_non_null(strstr(error.text, "none"));
    assert_int_equal(leat_storage_size(here.storage, path("none"), &size, NULL), LEAT_NOT_FOUND);
    assert_int_equal(leat_storage_size(here.storage, path("folder"), &size, NULL), LEAT_NOT_FOUND);
    assert_int_equal(bytes.size, 0);
    leat_bytes_done(&bytes);
}

static void ranges_end_at_the_objects_end(void **state)
{
    (void)state;
    assert_int_equal(put("r", "0123456789", LEAT_PUT_REPLACE), LEAT_OK);
    static const struct {
        uint64_t offset;
        size_t size;
        const char *expected;
    } cases[] = {{0, 4, "0123"}, {6, 100, "6789"}, {10, 5, ""}, {11, 5, ""}, {3, 0, ""}, {UINT64_MAX / 2, 1, ""}};
    leat_bytes bytes = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_bytes_reset(&bytes);
        leat_bytes_put(&bytes, "+", 1); /* it appends */
        leat_error error = {0};
        leat_code code = leat_storage_get(here.storage, path("r"), cases[i].offset, cases[i].size, &bytes, &error);
        if (code != LEAT_OK) fail_msg("case %zu: %s", i, error.text);
        assert_int_equal(bytes.size, 1 + strlen(cases[i].expected));
        assert_memory_equal(bytes.data + 1, cases[i].expected, bytes.size - 1);
    }
    leat_bytes_done(&bytes);
}

static void an_object_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    assert_int_equal(put("big", "0123456789", LEAT_PUT_REPLACE), LEAT_OK);
    assert_int_equal(leat_storage_get_all(here.storage, path("big"), 9, &bytes, NULL), LEAT_LIMIT);
    leat_bytes_reset(&bytes);
    assert_int_equal(leat_storage_get_all(here.storage, path("big"), 10, &bytes, NULL), LEAT_OK);
    leat_bytes_done(&bytes);
}

static void a_folder_lists_its_own_in_order(void **state)
{
    (void)state;
    assert_lists("", "");
    assert_lists("nothing/here", "");
    static const char *const names[] = {"snapshot-10", "snapshot-2", "sub/deeper/x", "EARLIEST"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "t/%s", names[i]);
        assert_int_equal(put(name, "x", LEAT_PUT_REPLACE), LEAT_OK);
    }
    assert_lists("t", "EARLIEST snapshot-10 snapshot-2 sub/");
    assert_lists("t/sub", "deeper/");
    assert_int_equal(put("tt", "a neighbour whose name begins alike", LEAT_PUT_REPLACE), LEAT_OK);
    assert_int_equal(leat_storage_remove_folder(here.storage, path("t"), NULL), LEAT_OK);
    assert_lists("t", "");
    assert_holds("tt", "a neighbour whose name begins alike");
}

static void removing_what_is_not_there_is_fine(void **state)
{
    (void)state;
    assert_int_equal(leat_storage_remove(here.storage, path("none"), NULL), LEAT_OK);
    assert_int_equal(leat_storage_remove_folder(here.storage, path("none"), NULL), LEAT_OK);
}

static void a_written_object_appears_whole_at_the_end(void **state)
{
    (void)state;
    leat_storage_writer *writer;
    assert_int_equal(leat_storage_create(here.storage, path("w/data"), &writer, NULL), LEAT_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(leat_storage_write(writer, "0123456789", 10, NULL), LEAT_OK);
    assert_lists("w", "");
    assert_int_equal(leat_storage_finish(writer, NULL), LEAT_OK);
    assert_lists("w", "data");
    uint64_t size;
    assert_int_equal(leat_storage_size(here.storage, path("w/data"), &size, NULL), LEAT_OK);
    assert_int_equal(size, 10000);
}

static void an_aborted_writer_leaves_nothing(void **state)
{
    (void)state;
    leat_storage_writer *writer;
    leat_storage_abort(NULL);
    assert_int_equal(leat_storage_create(here.storage, path("w/data"), &writer, NULL), LEAT_OK);
    assert_int_equal(leat_storage_write(writer, "half", 4, NULL), LEAT_OK);
    leat_storage_abort(writer);
    assert_lists("w", "");
    if (here.is_file) assert_int_equal(rmdir(path("w")), 0); /* no hidden file either */
}

static void a_copy_holds_the_same_and_outlives_its_original(void **state)
{
    (void)state;
    assert_int_equal(put("c/from", "hello", LEAT_PUT_REPLACE), LEAT_OK);
    assert_int_equal(leat_storage_copy(here.storage, path("c/from"), path("c/d/to"), NULL), LEAT_OK);
    assert_int_equal(put("c/old", "before", LEAT_PUT_REPLACE), LEAT_OK);
    for (int i = 0; i < 2; i++) /* again, too */
        assert_int_equal(leat_storage_copy(here.storage, path("c/from"), path("c/old"), NULL), LEAT_OK);
    assert_int_equal(leat_storage_remove(here.storage, path("c/from"), NULL), LEAT_OK);
    assert_holds("c/d/to", "hello");
    assert_holds("c/old", "hello");
    assert_lists("c", "d/ old");
    leat_error error = {0};
    assert_int_equal(leat_storage_copy(here.storage, path("c/from"), path("c/d/more"), &error), LEAT_NOT_FOUND);
    assert_non_null(strstr(error.text, "c/from"));
    assert_lists("c/d", "to");
    if (!here.is_file) return;
    assert_int_equal(leat_storage_remove(here.storage, path("c/d/to"), NULL), LEAT_OK);
    assert_int_equal(rmdir(path("c/d")), 0); /* no hidden file either */
}

/* Where there can be no link: from another file system, when the machine has one at /dev/shm. */
static void a_long_object_is_copied_from_elsewhere(void **state)
{
    (void)state;
    enum { SIZE = (5 << 19) + 7 };
    char from[80];
    const char *elsewhere = strncmp(here.root, "mem:", 4) == 0 ? "mem:" : "/dev/shm";
    (void)snprintf(from, sizeof from, "%s/leat-test-storage-%d", elsewhere, (int)getpid());
    uint8_t *data = leat_alloc(SIZE);
    leat_bytes bytes = {0};
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 31 + (i >> 8));
    assert_int_equal(leat_storage_put(here.storage, from, data, SIZE, LEAT_PUT_REPLACE, NULL), LEAT_OK);
    assert_int_equal(leat_storage_copy(here.storage, from, path("long"), NULL), LEAT_OK);
    assert_int_equal(leat_storage_remove(here.storage, from, NULL), LEAT_OK);
    assert_int_equal(leat_storage_get_all(here.storage, path("long"), SIZE, &bytes, NULL), LEAT_OK);
    assert_int_equal(bytes.size, SIZE);
    assert_memory_equal(bytes.data, data, SIZE);
    leat_bytes_done(&bytes);
    leat_free(data);
}

static void scratch_bytes_are_read_back_and_have_no_name(void **state)
{
    (void)state;
    leat_scratch *scratch;
    leat_error error = {0};
    char got[8];
    leat_scratch_free(NULL);
    if (strncmp(here.root, "s3:", 3) == 0) {
        assert_int_equal(leat_storage_scratch(here.storage, path("s/t"), &scratch, &error), LEAT_UNSUPPORTED);
        return;
    }
    assert_int_equal(leat_storage_scratch(here.storage, path("s/t"), &scratch, &error), LEAT_OK);
    assert_int_equal(leat_scratch_append(scratch, "hello", 5, &error), LEAT_OK);
    assert_int_equal(leat_scratch_append(scratch, " world", 6, &error), LEAT_OK);
    assert_lists("s/t", "");
    assert_int_equal(leat_scratch_read(scratch, 3, 5, got, &error), LEAT_OK);
    assert_memory_equal(got, "lo wo", 5);
    assert_int_equal(leat_scratch_read(scratch, 11, 0, got, &error), LEAT_OK);
    assert_int_equal(leat_scratch_read(scratch, 8, 4, got, &error), LEAT_IO);
    assert_int_equal(leat_scratch_read(scratch, UINT64_MAX / 4, 1, got, &error), LEAT_IO);
    leat_scratch_free(scratch);
    if (here.is_file) assert_int_equal(rmdir(path("s/t")), 0);
}

static void paths_may_be_uris(void **state)
{
    (void)state;
    if (!here.is_file) return;
    char uri[128];
    assert_int_equal(put("u", "x", LEAT_PUT_REPLACE), LEAT_OK);
    static const char *const prefixes[] = {"file:", "file://"};
    for (size_t i = 0; i < 2; i++) {
        uint64_t size;
        (void)snprintf(uri, sizeof uri, "%s%s/u", prefixes[i], here.root);
        assert_int_equal(leat_storage_size(here.storage, uri, &size, NULL), LEAT_OK);
    }
    uint64_t size;
    assert_int_not_equal(leat_storage_size(here.storage, "s3://bucket/x", &size, NULL), LEAT_OK);
    assert_int_not_equal(leat_storage_size(here.storage, "relative", &size, NULL), LEAT_OK);
}

static leat_code get_version(const char *name, leat_bytes *bytes, leat_storage_version *version)
{
    leat_bytes_reset(bytes);
    return leat_storage_get_version(here.storage, path(name), 100, bytes, version, NULL);
}

static void what_has_changed_is_not_replaced(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    leat_storage_version first, other;
    assert_int_equal(get_version("p/x", &bytes, &first), LEAT_NOT_FOUND);
    assert_int_equal(put("p/x", "one", LEAT_PUT_IF_ABSENT), LEAT_OK);
    assert_int_equal(get_version("p/x", &bytes, &first), LEAT_OK);
    assert_int_equal(bytes.size, 3);
    other = first;
    assert_int_equal(leat_storage_replace(here.storage, path("p/x"), "two!", 4, &first, NULL), LEAT_OK);
    assert_holds("p/x", "two!");
    leat_error error = {0};
    assert_int_equal(leat_storage_replace(here.storage, path("p/x"), "three", 5, &other, &error), LEAT_CONFLICT);
    assert_non_null(strstr(error.text, "p/x"));
    assert_holds("p/x", "two!");
    assert_int_equal(get_version("p/x", &bytes, &other), LEAT_OK);
    assert_string_equal(first.text, other.text); /* as replace had said */
    assert_int_equal(leat_storage_replace(here.storage, path("p/x"), "", 0, &other, NULL), LEAT_OK);
    assert_holds("p/x", "");
    assert_int_equal(get_version("p/x", &bytes, &other), LEAT_OK);
    assert_int_equal(leat_storage_remove(here.storage, path("p/x"), NULL), LEAT_OK);
    assert_int_equal(leat_storage_replace(here.storage, path("p/x"), "new", 3, &other, NULL), LEAT_CONFLICT);
    assert_int_equal(leat_storage_replace(here.storage, path("none/x"), "new", 3, &other, NULL), LEAT_CONFLICT);
    assert_lists("p", ""); /* nor a lock's file */
    leat_bytes_done(&bytes);
}

enum { RACERS = 8, ROUNDS = 25 };

typedef struct racer {
    pthread_t thread;
    atomic_int *wins; /* a round */
    int number;
} racer;

enum { COUNTS = 10 };

/* Counts up, as a lease's epoch is. */
static void *count_up(void *arg)
{
    atomic_int *failures = arg;
    char name[256];
    (void)snprintf(name, sizeof name, "%s/counter", here.root);
    leat_bytes bytes = {0};
    for (int i = 0; i < COUNTS;) {
        leat_storage_version version;
        leat_bytes_reset(&bytes);
        leat_code code = leat_storage_get_version(here.storage, name, 100, &bytes, &version, NULL);
        leat_bytes_text(&bytes, "");
        char text[32];
        (void)snprintf(text, sizeof text, "%ld", strtol((const char *)bytes.data, NULL, 10) + 1);
        if (code == LEAT_OK) code = leat_storage_replace(here.storage, name, text, strlen(text), &version, NULL);
        if (code == LEAT_OK) i++;
        if (code != LEAT_OK && code != LEAT_CONFLICT) {
            atomic_fetch_add(failures, 1);
            break;
        }
    }
    leat_bytes_done(&bytes);
    return NULL;
}

static void of_several_that_replace_none_is_lost(void **state)
{
    (void)state;
    pthread_t threads[4];
    atomic_int failures = 0;
    assert_int_equal(put("counter", "0", LEAT_PUT_IF_ABSENT), LEAT_OK);
    pid_t child = here.is_file ? fork() : -1; /* locks of files are between processes, too */
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &failures), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    if (child == 0) _exit(atomic_load(&failures));
    int status = 0;
    if (child > 0) assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(atomic_load(&failures), 0);
    assert_holds("counter", here.is_file ? "80" : "40");
}

static void *race(void *arg)
{
    racer *self = arg;
    for (int round = 0; round < ROUNDS; round++) {
        char name[256], text[32];
        (void)snprintf(name, sizeof name, "%s/race-%d", here.root, round);
        (void)snprintf(text, sizeof text, "racer %d", self->number);
        leat_code code = leat_storage_put(here.storage, name, text, strlen(text), LEAT_PUT_IF_ABSENT, NULL);
        if (code == LEAT_OK)
            atomic_fetch_add(&self->wins[round], 1);
        else if (code != LEAT_EXISTS)
            atomic_fetch_add(&self->wins[round], 1000);
    }
    return NULL;
}

static void of_several_writers_at_once_exactly_one_wins(void **state)
{
    (void)state;
    racer racers[RACERS];
    static atomic_int wins[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        atomic_store(&wins[i], 0);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (racer){.wins = wins, .number = i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++)
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(atomic_load(&wins[i]), 1);
}

static void every_allocation_failure_is_reported_and_leaves_nothing_half(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 2000; n++) {
        leat_storage_writer *writer = NULL;
        leat_storage_list list = {0};
        leat_bytes bytes = {0};
        leat_memory_fail_nth(n);
        leat_code code = leat_storage_put(here.storage, path("m/a"), "12345", 5, LEAT_PUT_REPLACE, NULL);
        if (code == LEAT_OK) code = leat_storage_create(here.storage, path("m/b"), &writer, NULL);
        if (code == LEAT_OK) code = leat_storage_write(writer, "12345", 5, NULL);
        if (code == LEAT_OK) {
            code = leat_storage_finish(writer, NULL);
        } else {
            leat_storage_abort(writer);
        }
        if (code == LEAT_OK) code = leat_storage_copy(here.storage, path("m/a"), path("m/c"), NULL);
        if (code == LEAT_OK) code = leat_storage_list_folder(here.storage, path("m"), &list, NULL);
        if (code == LEAT_OK) code = leat_storage_get_all(here.storage, path("m/b"), 100, &bytes, NULL);
        leat_memory_fail_nth(0);
        leat_storage_list_done(&list);
        leat_bytes_done(&bytes);
        if (code == LEAT_OK) return;
        assert_int_equal(code, LEAT_NO_MEMORY);
        assert_int_equal(leat_storage_remove_folder(here.storage, path("m"), NULL), LEAT_OK);
        assert_lists("m", "");
    }
    fail();
}

static void files_are_readable_by_others(void **state)
{
    (void)state;
    if (!here.is_file) return;
    struct stat status;
    mode_t mask = umask(022);
    assert_int_equal(put("mode", "x", LEAT_PUT_REPLACE), LEAT_OK);
    (void)umask(mask);
    assert_int_equal(stat(path("mode"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0644);
}

#define CASE(test)                                                                                                     \
    {#test " in files", test, make_file, drop, NULL},                                                                  \
    {                                                                                                                  \
#test " in memory", test, make_memory, drop, NULL                                                              \
    }

#define S3_CASE(test)                                                                                                  \
    {                                                                                                                  \
#test " in S3", test, make_s3, drop, NULL                                                                      \
    }

static int test_s3(void)
{
    const struct CMUnitTest list[] = {
        S3_CASE(what_is_put_is_there),
        S3_CASE(a_conditional_put_does_not_replace),
        S3_CASE(what_is_not_there_is_told_with_its_path),
        S3_CASE(ranges_end_at_the_objects_end),
        S3_CASE(an_object_beyond_the_limit_is_refused),
        S3_CASE(a_folder_lists_its_own_in_order),
        S3_CASE(removing_what_is_not_there_is_fine),
        S3_CASE(a_written_object_appears_whole_at_the_end),
        S3_CASE(an_aborted_writer_leaves_nothing),
        S3_CASE(a_copy_holds_the_same_and_outlives_its_original),
        S3_CASE(a_long_object_is_copied_from_elsewhere),
        S3_CASE(what_has_changed_is_not_replaced),
        S3_CASE(of_several_that_replace_none_is_lost),
        S3_CASE(of_several_writers_at_once_exactly_one_wins),
        S3_CASE(every_allocation_failure_is_reported_and_leaves_nothing_half),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "s3") == 0) return test_s3();
    const struct CMUnitTest list[] = {
        CASE(what_is_put_is_there),
        CASE(a_conditional_put_does_not_replace),
        CASE(what_is_not_there_is_told_with_its_path),
        CASE(ranges_end_at_the_objects_end),
        CASE(an_object_beyond_the_limit_is_refused),
        CASE(a_folder_lists_its_own_in_order),
        CASE(removing_what_is_not_there_is_fine),
        CASE(a_written_object_appears_whole_at_the_end),
        CASE(an_aborted_writer_leaves_nothing),
        CASE(a_copy_holds_the_same_and_outlives_its_original),
        CASE(a_long_object_is_copied_from_elsewhere),
        CASE(scratch_bytes_are_read_back_and_have_no_name),
        CASE(paths_may_be_uris),
        CASE(what_has_changed_is_not_replaced),
        CASE(of_several_that_replace_none_is_lost),
        CASE(of_several_writers_at_once_exactly_one_wins),
        CASE(every_allocation_failure_is_reported_and_leaves_nothing_half),
        CASE(files_are_readable_by_others),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
