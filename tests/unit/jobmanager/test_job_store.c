#include "tests/unit.h"

#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/checkpoint_files.h"
#include "jobmanager/job_store.h"
#include "jobmanager/metadata.h"
#include "storage/storage.h"

static leat_env env;
static const uint8_t ids[2][LEAT_JM_JOB_ID_BYTES] = {"the first job...", "the second job.."};

static int make_storage(void **state)
{
    (void)state;
    leat_log_set_level(LEAT_LOG_OFF);
    return leat_storage_memory_new(&env.storage, NULL) == LEAT_OK ? 0 : -1;
}

static int drop_storage(void **state)
{
    (void)state;
    leat_storage_free(env.storage);
    return 0;
}

static void open_store(leat_job_store *store)
{
    assert_int_equal(leat_job_store_open(store, &env, "mem:/ha", NULL), LEAT_OK);
}

static void put_job(const leat_job_store *store, int number, int64_t submitted_ms)
{
    Leat__Pb__JobRecord record = LEAT__PB__JOB_RECORD__INIT;
    record.job = (ProtobufCBinaryData){LEAT_JM_JOB_ID_BYTES, (uint8_t *)(uintptr_t)ids[number]};
    record.graph = (ProtobufCBinaryData){5, (uint8_t *)"graph"};
    record.commit_user = (char[]){"a user"};
    record.submitted_ms = submitted_ms;
    record.checkpoint_dir = (char[]){"mem:/checkpoints/x"};
    assert_int_equal(leat_job_store_put(store, &record, NULL), LEAT_OK);
}

static void the_newest_leads_and_the_one_before_finds_out(void **state)
{
    (void)state;
    leat_job_store first, second;
    leat_error error = {0};
    open_store(&first);
    assert_int_equal(leat_job_store_check(&first, NULL), LEAT_OK);
    open_store(&second);
    assert_int_equal(second.epoch, first.epoch + 1);
    assert_int_equal(leat_job_store_check(&second, NULL), LEAT_OK);
    assert_int_equal(leat_job_store_check(&first, &error), LEAT_CANCELED);
    assert_non_null(strstr(error.text, "another job manager"));
    leat_job_store_done(&first);
    leat_job_store_done(&second);
}

static void jobs_are_found_again_oldest_first_until_they_are_removed(void **state)
{
    (void)state;
    leat_job_store store;
    leat_job_records records;
    open_store(&store);
    put_job(&store, 0, 2000);
    put_job(&store, 1, 1000);
    assert_int_equal(leat_job_store_load(&store, &records, NULL), LEAT_OK);
    assert_int_equal(records.count, 2);
    assert_memory_equal(records.list[0]->job.data, ids[1], LEAT_JM_JOB_ID_BYTES);
    assert_string_equal(records.list[1]->commit_user, "a user");
    assert_memory_equal(records.list[1]->graph.data, "graph", 5);
    leat_job_records_done(&records);
    char id[LEAT_JM_JOB_ID_TEXT_BYTES];
    leat_jm_print_job_id(ids[0], id);
    assert_int_equal(leat_job_store_remove(&store, id, NULL), LEAT_OK);
    assert_int_equal(leat_job_store_load(&store, &records, NULL), LEAT_OK);
    assert_int_equal(records.count, 1);
    leat_job_records_done(&records);
    leat_job_store_done(&store);
}

static void a_damaged_job_is_left_out_and_left_there(void **state)
{
    (void)state;
    leat_job_store store;
    leat_job_records records;
    open_store(&store);
    put_job(&store, 0, 1);
    put_job(&store, 1, 2);
    char id[LEAT_JM_JOB_ID_TEXT_BYTES];
    leat_jm_print_job_id(ids[0], id);
    char *path = leat_format("mem:/ha/jobs/%s", id);
    leat_bytes bytes = {0};
    assert_int_equal(leat_storage_get_all(env.storage, path, 1 << 20, &bytes, NULL), LEAT_OK);
    bytes.data[3] ^= 1;
    assert_int_equal(leat_storage_put(env.storage, path, bytes.data, bytes.size, LEAT_PUT_REPLACE, NULL), LEAT_OK);
    assert_int_equal(leat_job_store_load(&store, &records, NULL), LEAT_OK);
    assert_int_equal(records.count, 1);
    assert_memory_equal(records.list[0]->job.data, ids[1], LEAT_JM_JOB_ID_BYTES);
    uint64_t size;
    assert_int_equal(leat_storage_size(env.storage, path, &size, NULL), LEAT_OK);
    leat_job_records_done(&records);
    leat_bytes_done(&bytes);
    leat_free(path);
    leat_job_store_done(&store);
}

/* --- checkpoints --- */

static Leat__Pb__CheckpointMetadata *make_checkpoint(int64_t id)
{
    Leat__Pb__Operator op = LEAT__PB__OPERATOR__INIT, *operators[1] = {&op};
    op.type = op.uid = op.name = op.description = (char[]){"count"};
    Leat__Pb__Vertex vertex = LEAT__PB__VERTEX__INIT, *vertices[1] = {&vertex};
    vertex.name = op.name;
    vertex.parallelism = 1;
    vertex.operators = operators;
    vertex.n_operators = 1;
    Leat__Pb__JobGraph graph = LEAT__PB__JOB_GRAPH__INIT;
    graph.version = 1;
    graph.name = (char[]){"a job"};
    graph.vertices = vertices;
    graph.n_vertices = 1;
    Leat__Pb__CheckpointMetadata *made = leat_metadata_new(&graph, ids[0], id, 1234, "a user");
    assert_non_null(made);
    return made;
}

enum { STATE_BYTES = 100 };
/* XXH3-64 of 100 bytes of 7. */
static const uint64_t state_checksum = UINT64_C(0x8d386492dd512dcd);

/* A checkpoint of one operator whose state is an object of 100 bytes. */
static void put_checkpoint(int64_t id)
{
    uint8_t state[STATE_BYTES];
    memset(state, 7, sizeof state);
    char *path = leat_format("mem:/job/chk-%lld/v0", (long long)id),
         *file = leat_format("mem:/job/chk-%lld/_metadata", (long long)id);
    assert_int_equal(leat_storage_put(env.storage, path, state, sizeof state, LEAT_PUT_REPLACE, NULL), LEAT_OK);
    Leat__Pb__CheckpointMetadata *metadata = make_checkpoint(id);
    Leat__Pb__OperatorSnapshot operator= LEAT__PB__OPERATOR_SNAPSHOT__INIT, *list[1] = {&operator};
    operator.uid =(char[]){"count"};
    operator.path =(char[]){"v0"};
    operator.has_size = operator.has_checksum = true;
    operator.size = STATE_BYTES;
    operator.checksum = state_checksum;
    Leat__Pb__SubtaskSnapshot subtask = LEAT__PB__SUBTASK_SNAPSHOT__INIT;
    subtask.n_operators = 1;
    subtask.operators = list;
    assert_true(leat_metadata_add_subtask(metadata, 0, &subtask));
    leat_bytes packed = {0};
    assert_int_equal(leat_metadata_pack(metadata, &packed, NULL), LEAT_OK);
    assert_int_equal(leat_metadata_store(env.storage, file, &packed, NULL), LEAT_OK);
    leat_metadata_free(metadata);
    leat_bytes_done(&packed);
    leat_free(path);
    leat_free(file);
}

/* Which one is found, and what is said of those that are not whole. */
static int64_t find(leat_checkpoint_depth depth, leat_error *damage)
{
    leat_checkpoint_ids found;
    Leat__Pb__CheckpointMetadata *newest = NULL;
    *damage = (leat_error){0};
    assert_int_equal(leat_checkpoint_list(env.storage, "mem:/job", &found, NULL), LEAT_OK);
    assert_int_equal(leat_checkpoint_find(env.storage, "mem:/job", &found, INT64_MAX, depth, &newest, damage, NULL),
                     LEAT_OK);
    int64_t id = newest ? (int64_t)newest->checkpoint : 0;
    leat_checkpoint_ids_done(&found);
    leat_metadata_free(newest);
    return id;
}

static void spoil(const char *path, size_t at)
{
    leat_bytes bytes = {0};
    assert_int_equal(leat_storage_get_all(env.storage, path, 1 << 20, &bytes, NULL), LEAT_OK);
    bytes.data[at] ^= 1;
    assert_int_equal(leat_storage_put(env.storage, path, bytes.data, bytes.size, LEAT_PUT_REPLACE, NULL), LEAT_OK);
    leat_bytes_done(&bytes);
}

static void the_newest_whole_checkpoint_is_found_and_damage_is_named(void **state)
{
    (void)state;
    leat_error damage;
    assert_int_equal(find(LEAT_CHECKPOINT_BYTES, &damage), 0);
    for (int64_t id = 8; id <= 12; id++)
        put_checkpoint(id);
    /* 13 was begun and never completed: nothing is wrong with that. */
    assert_int_equal(leat_storage_put(env.storage, "mem:/job/chk-13/v0", "x", 1, LEAT_PUT_REPLACE, NULL), LEAT_OK);
    assert_int_equal(find(LEAT_CHECKPOINT_BYTES, &damage), 12);
    assert_int_equal(damage.code, LEAT_OK);
    spoil("mem:/job/chk-12/v0", 50); /* a flipped bit: only the bytes tell */
    assert_int_equal(find(LEAT_CHECKPOINT_SIZES, &damage), 12);
    assert_int_equal(find(LEAT_CHECKPOINT_BYTES, &damage), 11);
    assert_int_equal(damage.code, LEAT_CORRUPT);
    assert_non_null(strstr(damage.text, "mem:/job/chk-12/v0"));
    assert_int_equal(leat_storage_put(env.storage, "mem:/job/chk-12/v0", "x", 1, LEAT_PUT_REPLACE, NULL), LEAT_OK);
    assert_int_equal(find(LEAT_CHECKPOINT_SIZES, &damage), 11); /* cut short */
    assert_int_equal(leat_storage_remove(env.storage, "mem:/job/chk-11/v0", NULL), LEAT_OK);
    assert_int_equal(find(LEAT_CHECKPOINT_SIZES, &damage), 10); /* gone */
    spoil("mem:/job/chk-10/_metadata", 5);
    assert_int_equal(find(LEAT_CHECKPOINT_SIZES, &damage), 9);
    assert_non_null(strstr(damage.text, "chk-12")); /* the newest one's is told */
}

static void a_checkpoint_is_located_by_folder_file_or_job(void **state)
{
    (void)state;
    put_checkpoint(7);
    put_checkpoint(10);
    static const struct {
        const char *path;
        int64_t id;
    } good[] = {{"mem:/job/chk-7", 7},
                {"mem:/job/chk-7/", 7},
                {"mem:/job/chk-7/_metadata", 7},
                {"mem:/job", 10},
                {"mem:/job/", 10}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char *dir = NULL;
        int64_t id = 0;
        assert_int_equal(leat_checkpoint_locate(env.storage, good[i].path, &dir, &id, NULL), LEAT_OK);
        assert_string_equal(dir, "mem:/job");
        assert_int_equal(id, good[i].id);
        leat_free(dir);
    }
    static const char *const bad[] = {"mem:/nothing", "mem:/job/chk-x", "mem:/job/chk-", "mem:/job/chk-7/v0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *dir = NULL;
        int64_t id = 0;
        leat_error error = {0};
        assert_int_equal(leat_checkpoint_locate(env.storage, bad[i], &dir, &id, &error), LEAT_NOT_FOUND);
        assert_true(error.hint[0]);
    }
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test_setup_teardown(the_newest_leads_and_the_one_before_finds_out, make_storage, drop_storage),
        cmocka_unit_test_setup_teardown(jobs_are_found_again_oldest_first_until_they_are_removed, make_storage,
                                        drop_storage),
        cmocka_unit_test_setup_teardown(a_damaged_job_is_left_out_and_left_there, make_storage, drop_storage),
        cmocka_unit_test_setup_teardown(the_newest_whole_checkpoint_is_found_and_damage_is_named, make_storage,
                                        drop_storage),
        cmocka_unit_test_setup_teardown(a_checkpoint_is_located_by_folder_file_or_job, make_storage, drop_storage),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
