#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "jobmanager/metadata.h"

static leat_storage *storage;
static const uint8_t job_id[16] = "sixteen bytes..";
static const char path[] = "mem:/job/chk-7/_metadata";

static int make_storage(void **state)
{
    (void)state;
    return leat_storage_memory_new(&storage, NULL) == LEAT_OK ? 0 : -1;
}

static int drop_storage(void **state)
{
    (void)state;
    leat_storage_free(storage);
    return 0;
}

/* A source of two subtasks. */
static Leat__Pb__CheckpointMetadata *make(void)
{
    Leat__Pb__Operator op = LEAT__PB__OPERATOR__INIT, *operators[1] = {&op};
    op.type = op.uid = op.name = op.description = (char[]){"source"};
    Leat__Pb__Vertex vertex = LEAT__PB__VERTEX__INIT, *vertices[1] = {&vertex};
    vertex.name = op.name;
    vertex.parallelism = 2;
    vertex.operators = operators;
    vertex.n_operators = 1;
    Leat__Pb__JobGraph graph = LEAT__PB__JOB_GRAPH__INIT;
    graph.version = 1;
    graph.name = (char[]){"a job"};
    graph.vertices = vertices;
    graph.n_vertices = 1;
    return leat_metadata_new(&graph, job_id, 7, 1234, "a user");
}

static bool add_subtask(Leat__Pb__CheckpointMetadata *metadata, uint32_t subtask, bool is_finished)
{
    Leat__Pb__SubtaskSnapshot snapshot = LEAT__PB__SUBTASK_SNAPSHOT__INIT;
    snapshot.subtask = subtask;
    snapshot.is_finished = is_finished;
    return leat_metadata_add_subtask(metadata, 0, &snapshot);
}

static void store(const leat_bytes *packed, size_t size)
{
    leat_bytes part = {.data = packed->data, .size = size};
    assert_int_equal(leat_storage_remove(storage, path, NULL), LEAT_OK);
    assert_int_equal(leat_metadata_store(storage, path, &part, NULL), LEAT_OK);
}

static void what_is_stored_is_loaded(void **state)
{
    (void)state;
    Leat__Pb__CheckpointMetadata *metadata = make(), *back;
    leat_bytes packed = {0}, enumerator = {0};
    leat_bytes_text(&enumerator, "splits");
    assert_true(add_subtask(metadata, 0, false) && add_subtask(metadata, 1, true));
    assert_true(leat_metadata_set_enumerator(metadata, 0, &enumerator));
    assert_int_equal(leat_metadata_pack(metadata, &packed, NULL), LEAT_OK);
    store(&packed, packed.size);
    assert_int_equal(leat_metadata_load(storage, path, &back, NULL), LEAT_OK);
    assert_int_equal(back->checkpoint, 7);
    assert_string_equal(back->commit_user, "a user");
    assert_memory_equal(back->job.data, job_id, 16);
    assert_int_equal(back->n_vertices, 1);
    assert_int_equal(back->vertices[0]->parallelism, 2);
    assert_int_equal(back->vertices[0]->max_parallelism, 128);
    assert_int_equal(back->vertices[0]->n_subtasks, 2);
    assert_memory_equal(back->vertices[0]->enumerator.data, "splits", 6);
    leat_metadata_free(back);
    leat_metadata_free(metadata);
    leat_bytes_done(&packed);
    leat_bytes_done(&enumerator);
}

static void a_subtask_told_twice_is_there_once(void **state)
{
    (void)state;
    Leat__Pb__CheckpointMetadata *metadata = make();
    assert_true(add_subtask(metadata, 1, false) && add_subtask(metadata, 1, true));
    assert_int_equal(metadata->vertices[0]->n_subtasks, 1);
    assert_true(metadata->vertices[0]->subtasks[0]->is_finished);
    Leat__Pb__SubtaskSnapshot snapshot = LEAT__PB__SUBTASK_SNAPSHOT__INIT;
    assert_false(leat_metadata_add_subtask(metadata, 9, &snapshot)); /* no such vertex */
    leat_metadata_free(metadata);
}

static void any_damaged_byte_or_missing_end_is_corrupt(void **state)
{
    (void)state;
    Leat__Pb__CheckpointMetadata *metadata = make(), *back;
    leat_bytes packed = {0};
    leat_error error = {0};
    assert_true(add_subtask(metadata, 0, false));
    assert_int_equal(leat_metadata_pack(metadata, &packed, NULL), LEAT_OK);
    for (size_t i = 0; i < packed.size; i++) {
        packed.data[i] ^= 0x20;
        store(&packed, packed.size);
        assert_int_equal(leat_metadata_load(storage, path, &back, &error), LEAT_CORRUPT);
        packed.data[i] ^= 0x20;
        store(&packed, i);
        assert_int_equal(leat_metadata_load(storage, path, &back, &error), LEAT_CORRUPT);
    }
    assert_non_null(strstr(error.text, path));
    leat_metadata_free(metadata);
    leat_bytes_done(&packed);
}

static void a_later_version_is_refused_by_name(void **state)
{
    (void)state;
    Leat__Pb__CheckpointMetadata *metadata = make(), *back;
    leat_bytes packed = {0};
    leat_error error = {0};
    metadata->version = 99;
    assert_int_equal(leat_metadata_pack(metadata, &packed, NULL), LEAT_OK);
    store(&packed, packed.size);
    assert_int_equal(leat_metadata_load(storage, path, &back, &error), LEAT_UNSUPPORTED);
    assert_non_null(strstr(error.text, "99"));
    leat_metadata_free(metadata);
    leat_bytes_done(&packed);
}

static void packing_survives_every_allocation_failure(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 100; n++) {
        leat_bytes packed = {0};
        leat_memory_fail_nth(n);
        Leat__Pb__CheckpointMetadata *metadata = make();
        bool is_good = metadata && add_subtask(metadata, 0, false) && add_subtask(metadata, 1, false) &&
                       leat_metadata_pack(metadata, &packed, NULL) == LEAT_OK;
        leat_memory_fail_nth(0);
        leat_metadata_free(metadata);
        leat_bytes_done(&packed);
        if (is_good) return;
    }
    fail();
}

static void the_first_of_two_attempts_stays_and_its_own_second_try_is_fine(void **state)
{
    (void)state;
    Leat__Pb__CheckpointMetadata *metadata = make();
    leat_bytes packed = {0}, other = {0};
    leat_error error = {0};
    assert_int_equal(leat_metadata_pack(metadata, &packed, NULL), LEAT_OK);
    assert_true(add_subtask(metadata, 0, false));
    assert_int_equal(leat_metadata_pack(metadata, &other, NULL), LEAT_OK);
    store(&packed, packed.size);
    assert_int_equal(leat_metadata_store(storage, path, &packed, NULL), LEAT_OK);
    assert_int_equal(leat_metadata_store(storage, path, &other, &error), LEAT_EXISTS);
    assert_non_null(strstr(error.text, path));
    leat_metadata_free(metadata);
    leat_bytes_done(&packed);
    leat_bytes_done(&other);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(what_is_stored_is_loaded),
        cmocka_unit_test(a_subtask_told_twice_is_there_once),
        cmocka_unit_test(any_damaged_byte_or_missing_end_is_corrupt),
        cmocka_unit_test(a_later_version_is_refused_by_name),
        cmocka_unit_test(the_first_of_two_attempts_stays_and_its_own_second_try_is_fine),
        cmocka_unit_test(packing_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests(list, make_storage, drop_storage);
}
