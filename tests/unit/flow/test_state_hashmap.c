#include "tests/unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/hash.h"
#include "common/memory.h"
#include "flow/state.h"

enum { KEYS = 30000, BATCH = 400, CUTS = 4, GROUPS = 128 };

/* A record points to memory of its own, as those with sets of values do. */
typedef struct record {
    int64_t *value;
} record;

static void clear_record(void *self, void *at)
{
    (void)self;
    leat_free(((record *)at)->value);
}

static void write_record(void *self, const void *at, leat_bytes *out)
{
    (void)self;
    const record *from = at;
    leat_bytes_put_u8(out, from->value != NULL);
    if (from->value) leat_bytes_put_i64(out, *from->value);
}

static leat_code set_value(record *at, int64_t value, leat_error *error)
{
    if (!at->value) at->value = leat_alloc(sizeof *at->value);
    if (!at->value) return leat_fail_no_memory(error);
    *at->value = value;
    return LEAT_OK;
}

static leat_code read_record(void *self, leat_reader *reader, void *at, leat_error *error)
{
    (void)self;
    if (leat_reader_u8(reader)) LEAT_TRY(set_value(at, leat_reader_i64(reader), error));
    return leat_reader_check(reader, false, "record", error);
}

static const leat_state_records records = {sizeof(record), NULL, clear_record, write_record, read_record};

static leat_state *make_state(void)
{
    leat_state *made = NULL;
    assert_int_equal(leat_state_hashmap_new(&records, &made, NULL), LEAT_OK);
    return made;
}

/* The low bits of the hash find the place: some keys want the same one. */
static uint64_t hash_of(int32_t key)
{
    uint64_t mixed = (uint64_t)(uint32_t)key * 0x9e3779b97f4a7c15u;
    return (mixed ^ (mixed >> 32)) & ~(uint64_t)7;
}

typedef struct key_batch {
    uint8_t bytes[BATCH * 4];
    uint32_t offsets[BATCH + 1];
    uint64_t hashes[BATCH];
    leat_state_keys keys;
} key_batch;

static void add_key(key_batch *self, int32_t key)
{
    int32_t at = self->keys.count++;
    memcpy(self->bytes + 4 * at, &key, 4);
    self->offsets[at] = 4 * (uint32_t)at;
    self->offsets[at + 1] = 4 * (uint32_t)at + 4;
    self->hashes[at] = hash_of(key);
    self->keys.data.data = self->bytes;
    self->keys.offsets = self->offsets;
    self->keys.hashes = self->hashes;
}

/* What is in the state: −1 is "no such key". */
typedef struct model {
    int64_t values[KEYS];
} model;

static void check_against(leat_state *state, const model *wanted, int32_t first_group, int32_t end_group)
{
    int64_t count = 0;
    for (int32_t key = 0; key < KEYS; key++) {
        int32_t group = leat_key_group(hash_of(key), GROUPS);
        count += wanted->values[key] >= 0 && group >= first_group && group < end_group;
    }
    assert_int_equal(state->vtable->count(state), count);
    leat_state_entry entry;
    for (size_t cursor = 0; state->vtable->iterate(state, &cursor, &entry); count--) {
        int32_t key;
        assert_int_equal(entry.key_size, sizeof key);
        memcpy(&key, entry.key, sizeof key);
        assert_int_equal(*((record *)entry.record)->value, wanted->values[key]);
    }
    assert_int_equal(count, 0);
}

/* Into as many states as a job of that parallelism has. */
static void check_snapshot(const leat_bytes *bytes, const model *wanted, int32_t parallelism)
{
    for (int32_t s = 0; s < parallelism; s++) {
        int32_t first = leat_key_group_first(s, GROUPS, parallelism);
        int32_t end = leat_key_group_first(s + 1, GROUPS, parallelism);
        leat_state *state = make_state();
        leat_reader reader;
        leat_error error = {0};
        leat_reader_init(&reader, bytes->data, bytes->size);
        leat_code code = state->vtable->restore(state, &reader, GROUPS, first, end, &error);
        if (code != LEAT_OK) fail_msg("restore: %s", error.text);
        assert_int_equal(leat_reader_left(&reader), 0);
        check_against(state, wanted, first, end);
        state->vtable->close(state);
    }
}

/* A snapshot under way: bytes are taken away from `out` now and then, as an upload does. */
typedef struct running {
    leat_bytes out, taken;
    model at_cut;
} running;

typedef struct test {
    leat_state *state;
    model now;
    running *cuts[CUTS];
    int cuts_count, whole_count;
} test;

static void change_some(test *self, int count, bool removes)
{
    static key_batch batch;
    batch.keys.count = 0;
    int32_t range = rand() % 2 ? KEYS : 1 + rand() % KEYS; /* some keys change often */
    for (int i = 0; i < count; i++)
        add_key(&batch, rand() % range);
    void *found[BATCH];
    leat_error error = {0};
    assert_int_equal(self->state->vtable->get_many(self->state, &batch.keys, !removes, found, &error), LEAT_OK);
    for (int i = 0; i < count; i++) {
        int32_t key;
        memcpy(&key, batch.bytes + 4 * i, 4);
        if (removes) {
            assert_int_equal(found[i] != NULL, self->now.values[key] >= 0);
            if (!found[i]) continue;
            assert_int_equal(self->state->vtable->remove(self->state, found[i], &error), LEAT_OK);
            self->now.values[key] = -1;
            for (int j = i + 1; j < count; j++) /* the same key again: it is gone */
                if (found[j] == found[i]) found[j] = NULL;
        } else {
            self->now.values[key] = rand();
            assert_int_equal(set_value(found[i], self->now.values[key], &error), LEAT_OK);
        }
    }
    if (!removes) assert_int_equal(self->state->vtable->put_many(self->state, found, count, &error), LEAT_OK);
}

/* One that was not asked for by its key. */
static void remove_any(test *self)
{
    size_t cursor = (size_t)(rand() % KEYS);
    leat_state_entry entry;
    if (!self->state->vtable->iterate(self->state, &cursor, &entry)) return;
    int32_t key;
    memcpy(&key, entry.key, sizeof key);
    self->now.values[key] = -1;
    assert_int_equal(self->state->vtable->remove(self->state, entry.record, NULL), LEAT_OK);
}

static void cut(test *self)
{
    running *cut = calloc(1, sizeof *cut);
    assert_non_null(cut);
    cut->at_cut = self->now;
    assert_int_equal(self->state->vtable->cut(self->state, &cut->out, NULL), LEAT_OK);
    self->cuts[self->cuts_count++] = cut;
}

static void take(running *cut)
{
    leat_bytes_put(&cut->taken, cut->out.data, cut->out.size);
    leat_bytes_done(&cut->out);
}

/* Not always the oldest. */
static void advance(test *self)
{
    int at = rand() % 4 ? 0 : rand() % self->cuts_count;
    running *cut = self->cuts[at];
    bool is_whole = false;
    assert_int_equal(self->state->vtable->advance(self->state, &cut->out, &is_whole, NULL), LEAT_OK);
    if (rand() % 2 || is_whole) take(cut);
    if (!is_whole) return;
    check_snapshot(&cut->taken, &cut->at_cut, 1 + rand() % 3);
    leat_bytes_done(&cut->taken);
    free(cut);
    self->cuts_count--;
    memmove(&self->cuts[at], &self->cuts[at + 1], (size_t)(self->cuts_count - at) * sizeof self->cuts[0]);
    self->whole_count++;
}

static void a_snapshot_is_the_state_at_its_cut(void **state)
{
    (void)state;
    int wholes = 0;
    for (unsigned seed = 1; seed <= 6; seed++) {
        srand(seed);
        test *self = calloc(1, sizeof *self);
        assert_non_null(self);
        self->state = make_state();
        memset(&self->now, 0xff, sizeof self->now);
        int pace = 2 + rand() % 30; /* how often a snapshot goes on: slow ones see everything change */
        for (int step = 0; step < 1500; step++) {
            int what = rand() % 100;
            if (what < 60) change_some(self, 1 + rand() % BATCH, false);
            if (what >= 60 && what < 85) change_some(self, 1 + rand() % BATCH, true);
            if (what >= 85 && what < 95) remove_any(self);
            if (what >= 95 && self->cuts_count < CUTS) cut(self);
            if (self->cuts_count && rand() % pace == 0) advance(self);
        }
        check_against(self->state, &self->now, 0, GROUPS);
        while (self->cuts_count)
            advance(self);
        wholes += self->whole_count;
        self->state->vtable->close(self->state);
        free(self);
    }
    assert_true(wholes > 50);
}

static void a_step_is_bounded_and_a_cut_writes_nothing(void **state)
{
    (void)state;
    test *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->state = make_state();
    memset(&self->now, 0xff, sizeof self->now);
    for (int i = 0; i < 100; i++)
        change_some(self, BATCH, false);
    cut(self);
    running *cut = self->cuts[0];
    assert_true(cut->out.size < 32);
    int steps = 0;
    for (bool is_whole = false; !is_whole; steps++) {
        take(cut);
        assert_int_equal(self->state->vtable->advance(self->state, &cut->out, &is_whole, NULL), LEAT_OK);
        assert_true(cut->out.size < 256 * 1024);
    }
    assert_true(steps > 2);
    assert_int_equal(self->state->vtable->waiting_bytes(self->state), 0);
    leat_bytes_done(&cut->out);
    leat_bytes_done(&cut->taken);
    free(cut);
    self->state->vtable->close(self->state);
    free(self);
}

static void more_cuts_than_may_be_are_refused(void **state)
{
    (void)state;
    leat_state *made = make_state();
    leat_bytes outs[LEAT_STATE_CUTS_MAX + 1] = {0};
    for (int i = 0; i < LEAT_STATE_CUTS_MAX; i++)
        assert_int_equal(made->vtable->cut(made, &outs[i], NULL), LEAT_OK);
    assert_int_equal(made->vtable->cut(made, &outs[LEAT_STATE_CUTS_MAX], NULL), LEAT_LIMIT);
    bool is_whole = false;
    assert_int_equal(made->vtable->advance(made, &outs[3], &is_whole, NULL), LEAT_OK);
    assert_true(is_whole);
    assert_int_equal(made->vtable->cut(made, &outs[LEAT_STATE_CUTS_MAX], NULL), LEAT_OK);
    made->vtable->close(made); /* snapshots that are not whole are let go */
    for (int i = 0; i <= LEAT_STATE_CUTS_MAX; i++)
        leat_bytes_done(&outs[i]);
}

/* 60 keys, two snapshots, a change and a removal between them. */
static leat_code small_life(leat_bytes outs[2], leat_error *error)
{
    leat_state *made = NULL;
    LEAT_TRY(leat_state_hashmap_new(&records, &made, error));
    static key_batch batch;
    void *found[BATCH];
    batch.keys.count = 0;
    for (int32_t key = 0; key < 60; key++)
        add_key(&batch, key);
    leat_code code = made->vtable->get_many(made, &batch.keys, true, found, error);
    for (int i = 0; code == LEAT_OK && i < 60; i++)
        code = set_value(found[i], i, error);
    for (int cut = 0; code == LEAT_OK && cut < 2; cut++) {
        code = made->vtable->cut(made, &outs[cut], error);
        if (code == LEAT_OK) code = made->vtable->get_many(made, &batch.keys, true, found, error);
        if (code == LEAT_OK) code = set_value(found[7], 100 + cut, error);
        if (code == LEAT_OK) code = made->vtable->remove(made, found[cut], error);
    }
    for (int cut = 0; code == LEAT_OK && cut < 2; cut++) {
        bool is_whole;
        code = made->vtable->advance(made, &outs[cut], &is_whole, error);
    }
    made->vtable->close(made);
    return code;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int64_t n = 1;; n++) {
        leat_bytes outs[2] = {0};
        leat_error error = {0};
        leat_memory_fail_nth(n);
        leat_code code = small_life(outs, &error);
        leat_state *restored = NULL;
        if (code == LEAT_OK) code = leat_state_hashmap_new(&records, &restored, &error);
        leat_reader reader;
        leat_reader_init(&reader, outs[0].data, outs[0].size);
        if (code == LEAT_OK) code = restored->vtable->restore(restored, &reader, GROUPS, 0, GROUPS, &error);
        leat_memory_fail_nth(0);
        if (code == LEAT_OK) assert_int_equal(restored->vtable->count(restored), 60);
        if (restored) restored->vtable->close(restored);
        leat_bytes_done(&outs[0]);
        leat_bytes_done(&outs[1]);
        if (code == LEAT_OK) return;
        assert_int_equal(code, LEAT_NO_MEMORY);
        assert_true(n < 1000);
    }
}

static void broken_bytes_are_refused(void **state)
{
    (void)state;
    leat_bytes outs[2] = {0};
    assert_int_equal(small_life(outs, NULL), LEAT_OK);
    srand(5);
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        size_t size = outs[0].size;
        uint8_t *broken = malloc(size);
        assert_non_null(broken);
        memcpy(broken, outs[0].data, size);
        for (int b = rand() % 4; b >= 0; b--)
            broken[(size_t)rand() % size] = (uint8_t)rand();
        leat_state *restored = make_state();
        leat_reader reader;
        leat_reader_init(&reader, broken, rand() % 2 ? size : (size_t)rand() % size);
        leat_code code = restored->vtable->restore(restored, &reader, GROUPS, 0, GROUPS, NULL);
        assert_true(code == LEAT_OK || code == LEAT_CORRUPT || code == LEAT_UNSUPPORTED);
        refused += code != LEAT_OK;
        restored->vtable->close(restored);
        free(broken);
    }
    assert_true(refused > 1000);
    leat_bytes_done(&outs[0]);
    leat_bytes_done(&outs[1]);
}

static void a_key_that_is_there_twice_is_refused(void **state)
{
    (void)state;
    leat_bytes outs[2] = {0};
    assert_int_equal(small_life(outs, NULL), LEAT_OK);
    leat_state *restored = make_state();
    leat_reader reader;
    leat_reader_init(&reader, outs[0].data, outs[0].size);
    assert_int_equal(restored->vtable->restore(restored, &reader, GROUPS, 0, GROUPS, NULL), LEAT_OK);
    leat_reader_init(&reader, outs[0].data, outs[0].size);
    assert_int_equal(restored->vtable->restore(restored, &reader, GROUPS, 0, GROUPS, NULL), LEAT_CORRUPT);
    restored->vtable->close(restored);
    leat_bytes_done(&outs[0]);
    leat_bytes_done(&outs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_the_state_at_its_cut),
        cmocka_unit_test(a_step_is_bounded_and_a_cut_writes_nothing),
        cmocka_unit_test(more_cuts_than_may_be_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(broken_bytes_are_refused),
        cmocka_unit_test(a_key_that_is_there_twice_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
