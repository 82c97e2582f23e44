/* Primary-key tables of (note STRING, id INT, n BIGINT, region STRING) in memory, which a writer fills with random
 * rows, and a lookup into them on a host of its own. What it should find is what a merged read gives. For tests. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "paimon/merge_read.h"
#include "paimon/path.h"
#include "paimon/scan.h"
#include "tests/unit/paimon/env.h"
#include "tests/unit/paimon/pk_job.h"

enum { WORLD_IDS_MAX = 40000, WORLD_IDS = 400, WORLD_REGIONS = 3 };
static const char world_folder[] = "mem:/w";

typedef struct world_row {
    bool exists, has_note;
    int64_t n;
    char note[48];
} world_row;

typedef struct world_option {
    const char *key, *value;
} world_option;

typedef struct world {
    test_env env;
    leat_storage *storage;
    leat_storage_vtable storage_vtable; /* the storage's, with a `get` that counts */
    leat_arena arena;
    leat_paimon_table table;
    bool is_partitioned;
    uint64_t seed;
    pk_job writer;
    int64_t checkpoint;
    int32_t ids;          /* keys are 0 … ids - 1 */
    bool compares_region; /* in tables without partitions: it is no key column there */
    bool asks_elsewhere;  /* keys have another region than their rows */
    world_row rows[WORLD_IDS_MAX];
    fake_host host;
    leat_operator_host host_vtable;
    leat_lookup *lookup;
} world;

static int64_t world_files_opened, world_cache_bytes; /* gauges */
static int world_data_reads, world_list_reads;        /* of data files, of manifest lists, since the lookup's start */
static leat_code (*world_inner_get)(leat_storage *self, const char *path, uint64_t offset, size_t size, leat_bytes *out,
                                    leat_error *error);

static inline uint64_t world_random(world *self)
{
    self->seed = self->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return self->seed >> 24;
}

static inline leat_code world_get(leat_storage *storage, const char *path, uint64_t offset, size_t size,
                                  leat_bytes *out, leat_error *error)
{
    world_data_reads += strstr(path, "/bucket-") != NULL;
    world_list_reads += strstr(path, "/manifest-list-") != NULL;
    return world_inner_get(storage, path, offset, size, out, error);
}

/* --- tables --- */

static inline void world_make_table(world *self, const world_option *pairs)
{
    static const char *const keys[] = {"region", "id"}, *const partitions[] = {"region"};
    leat_error error = {0};
    leat_config options = {0};
    for (; pairs->key; pairs++)
        pk_ok(leat_config_set(&options, pairs->key, pairs->value, &error), &error);
    leat_paimon_new_column columns[] = {
        {.name = "note", .type = leat_type_string(true)},
        {.name = "id", .type = leat_type_make(LEAT_TYPE_INT, false)},
        {.name = "n", .type = leat_type_make(LEAT_TYPE_BIGINT, true)},
        {.name = "region", .type = leat_type_string(!self->is_partitioned)},
    };
    leat_paimon_new_table table = {.database = "default",
                                   .name = "t",
                                   .columns = columns,
                                   .columns_count = 4,
                                   .primary_keys = self->is_partitioned ? keys : keys + 1,
                                   .primary_keys_count = self->is_partitioned ? 2 : 1,
                                   .partition_keys = partitions,
                                   .partition_keys_count = self->is_partitioned ? 1 : 0,
                                   .options = &options};
    pk_ok(leat_paimon_create_table(&self->env.env, world_folder, &table, &error), &error);
    leat_config_done(&options);
    pk_ok(leat_paimon_get_table(&self->env.env, world_folder, "default", "t", &self->arena, &self->table, &error),
          &error);
}

static inline void world_open(world *self, const world_option *options, bool is_partitioned, uint64_t seed)
{
    leat_error error = {0};
    memset(self, 0, sizeof *self);
    self->is_partitioned = is_partitioned;
    self->seed = seed;
    self->ids = WORLD_IDS;
    pk_ok(leat_storage_memory_new(&self->storage, &error), &error);
    self->storage_vtable = *self->storage->vtable;
    world_inner_get = self->storage_vtable.get;
    self->storage_vtable.get = world_get;
    self->storage->vtable = &self->storage_vtable;
    test_env_init(&self->env, self->storage);
    pk_ok(leat_paimon_create_database(&self->env.env, world_folder, "default", &error), &error);
    leat_arena_init(&self->arena, 64 << 20);
    world_make_table(self, options);
    pk_job_open(&self->writer, &self->env.env, &self->table, 1, "tester");
}

static inline void world_write(world *self, int32_t count, int percent_deleted)
{
    leat_error error = {0};
    leat_batch_builder builder;
    leat_batch *batch;
    const leat_layout layouts[] = {LEAT_LAYOUT_VIEW, LEAT_LAYOUT_32, LEAT_LAYOUT_64, LEAT_LAYOUT_VIEW};
    pk_ok(leat_batch_builder_init(&builder, layouts, 4, count, &error), &error);
    for (int32_t i = 0; i < count; i++) {
        int32_t id = (int32_t)(world_random(self) % (uint64_t)self->ids);
        int64_t n = (int64_t)(world_random(self) % 1000);
        bool is_delete = (int)(world_random(self) % 100) < percent_deleted;
        char note[48], region[16];
        snprintf(note, sizeof note, world_random(self) % 2 ? "n%d" : "a rather long note number %d",
                 (int)(world_random(self) % 99));
        snprintf(region, sizeof region, "r%d", id % WORLD_REGIONS);
        pk_ok(leat_batch_builder_begin_row(&builder, is_delete ? LEAT_ROW_DELETE : LEAT_ROW_INSERT, &error), &error);
        if (world_random(self) % 5)
            pk_ok(leat_batch_builder_set_bytes(&builder, 0, note, strlen(note), &error), &error);
        leat_batch_builder_set_fixed(&builder, 1, &id);
        leat_batch_builder_set_fixed(&builder, 2, &n);
        pk_ok(leat_batch_builder_set_bytes(&builder, 3, region, strlen(region), &error), &error);
    }
    pk_ok(leat_batch_builder_finish(&builder, &batch, &error), &error);
    leat_batch_builder_done(&builder);
    pk_write(&self->writer, batch);
}

static inline void world_commit(world *self)
{
    leat_error error = {0};
    pk_ok(pk_checkpoint(&self->writer, ++self->checkpoint, false, &error), &error);
}

/* --- what a merged read gives --- */

static inline void world_take(world *self, const leat_batch *batch)
{
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t at = leat_batch_row(batch, i), id = ((const int32_t *)batch->columns[1].values)[at];
        world_row *row = &self->rows[id];
        const leat_view *note = (const leat_view *)batch->columns[0].values + at;
        assert_false(row->exists);
        *row = (world_row){.exists = true, .n = ((const int64_t *)batch->columns[2].values)[at]};
        row->has_note = !leat_column_is_null(&batch->columns[0], at);
        if (row->has_note)
            snprintf(row->note, sizeof row->note, "%.*s", note->length, leat_view_data(&batch->columns[0], note));
    }
}

static inline void world_read_begin(world *self, const leat_paimon_split *split, const int32_t *columns,
                                    int32_t columns_count, leat_arena *arena, leat_merge_reader **out)
{
    leat_error error = {0};
    const char *path;
    pk_ok(leat_paimon_bucket_path(self->table.path, &self->table.schema, split->partition, split->partition_size,
                                  split->bucket, arena, &path, &error),
          &error);
    leat_merge_read_options options = {.table = &self->table,
                                       .bucket_path = path,
                                       .files = split->files.files,
                                       .files_count = split->files.count,
                                       .columns = columns,
                                       .columns_count = columns_count,
                                       .env = &self->env.env};
    pk_ok(leat_merge_reader_new(&options, out, &error), &error);
}

static inline void world_read_split(world *self, const leat_paimon_split *split, leat_arena *arena)
{
    static const int32_t columns[] = {0, 1, 2};
    leat_error error = {0};
    leat_merge_reader *reader;
    world_read_begin(self, split, columns, 3, arena, &reader);
    for (leat_merge_read_status status = LEAT_MERGE_READ_AGAIN; status != LEAT_MERGE_READ_END;) {
        leat_batch *batch = NULL;
        pk_ok(leat_merge_reader_step(reader, &status, &batch, &error), &error);
        if (status != LEAT_MERGE_READ_BATCH) continue;
        world_take(self, batch);
        leat_batch_free(batch);
    }
    leat_merge_reader_free(reader);
}

/* Plans the newest snapshot into `splits`; everything in the arena. */
static inline void world_plan(world *self, leat_arena *arena, leat_paimon_splits *splits)
{
    int64_t id;
    leat_error error = {0};
    leat_paimon_snapshot snapshot;
    leat_paimon_scan scan = {.bucket = -1};
    *splits = (leat_paimon_splits){0};
    pk_ok(leat_paimon_snapshot_latest_id(&self->env.env, self->table.path, &id, &error), &error);
    if (id == 0) return;
    pk_ok(leat_paimon_snapshot_load(&self->env.env, self->table.path, id, arena, &snapshot, &error), &error);
    pk_ok(leat_paimon_plan_snapshot(&self->env.env, &self->table, &snapshot, &scan, arena, splits, &error), &error);
}

static inline void world_read(world *self)
{
    leat_arena arena;
    leat_paimon_splits splits;
    leat_arena_init(&arena, 64 << 20);
    memset(self->rows, 0, sizeof self->rows);
    world_plan(self, &arena, &splits);
    for (size_t i = 0; i < splits.count; i++)
        world_read_split(self, &splits.items[i], &arena);
    leat_arena_done(&arena);
}

/* --- looking up --- */

static inline void world_set_gauge(leat_operator_context *context, const char *name, int64_t value)
{
    (void)context;
    if (strcmp(name, "lookup.filesOpened") == 0) world_files_opened = value;
    if (strcmp(name, "lookup.cacheBytes") == 0) world_cache_bytes = value;
}

/* Keys are (id) or (id, region); columns n, note. */
static inline leat_code world_plan_lookup(world *self, leat_arena *arena, leat_lookup_plan *plan, leat_error *error)
{
    static const int32_t keys[] = {1, 3}, columns[] = {2, 0};
    leat_plan_context context = {.arena = arena, .env = &self->env.env, .parallelism = 1};
    return leat_paimon_plan_lookup(&context, NULL, &self->table, keys,
                                   self->is_partitioned || self->compares_region ? 2 : 1, columns, 2, plan, error);
}

static inline leat_code world_create(world *self, const leat_lookup_plan *plan, leat_error *error)
{
    bool is_copy = strcmp(plan->type, leat_paimon_lookup_factory.type) == 0;
    const leat_lookup_factory *factory = is_copy ? &leat_paimon_lookup_factory : &leat_paimon_file_lookup_factory;
    return factory->create(&self->host.context, plan->config.data, plan->config.size, &self->lookup, error);
}

static inline leat_code world_start(world *self, const char *type, leat_error *error)
{
    leat_arena arena;
    leat_lookup_plan plan;
    world_data_reads = world_list_reads = 0;
    leat_arena_init(&arena, 1 << 20);
    fake_host_init(&self->host, &self->env.env, 0, 1);
    self->host_vtable = fake_operator_host;
    self->host_vtable.set_gauge = world_set_gauge;
    self->host.context.host = &self->host_vtable;
    leat_code code = world_plan_lookup(self, &arena, &plan, error);
    if (code == LEAT_OK) {
        assert_string_equal(plan.type, type);
        code = world_create(self, &plan, error);
        leat_bytes_done(&plan.config);
    }
    leat_arena_done(&arena);
    return code == LEAT_OK ? self->lookup->vtable->open(self->lookup, error) : code;
}

/* Jobs and refreshes until nothing moves. */
static inline leat_code world_settle(world *self, leat_error *error)
{
    leat_code code = LEAT_OK;
    do {
        bool changed;
        self->host.wakes = 0;
        fake_host_run_jobs(&self->host);
        code = self->lookup->vtable->refresh(self->lookup, &changed, error);
    } while (code == LEAT_OK && (self->host.wakes || self->host.jobs_count));
    return code;
}

static inline leat_batch *world_keys(const world *self, const int32_t *ids, int32_t count, leat_error *error)
{
    leat_batch_builder builder;
    leat_batch *batch = NULL;
    const leat_layout layouts[] = {LEAT_LAYOUT_32, LEAT_LAYOUT_VIEW};
    leat_code code = leat_batch_builder_init(&builder, layouts, 2, count, error);
    for (int32_t i = 0; code == LEAT_OK && i < count; i++) {
        char region[16];
        snprintf(region, sizeof region, "%c%d", self->asks_elsewhere ? 'x' : 'r', ids[i] % WORLD_REGIONS);
        code = leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, error);
        if (code == LEAT_OK && ids[i] >= 0) leat_batch_builder_set_fixed(&builder, 0, &ids[i]); /* else NULL */
        if (code == LEAT_OK) code = leat_batch_builder_set_bytes(&builder, 1, region, strlen(region), error);
    }
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, &batch, error);
    leat_batch_builder_done(&builder);
    return batch;
}

static inline void world_check(const world_row *row, const leat_batch *found, int32_t at)
{
    const leat_column *note = &found->columns[1];
    assert_int_equal(((const int64_t *)found->columns[0].values)[at], row->n);
    assert_int_equal(!leat_column_is_null(note, at), row->has_note);
    if (!row->has_note) return;
    const leat_view *view = (const leat_view *)note->values + at;
    assert_int_equal(view->length, strlen(row->note));
    assert_memory_equal(leat_view_data(note, view), row->note, (size_t)view->length);
}

/* One get_many; compares what was answered. ids[0 … *pending) becomes what was not. */
static inline leat_code world_ask_once(world *self, int32_t *ids, int32_t count, int32_t *pending, leat_error *error)
{
    const leat_layout layouts[] = {LEAT_LAYOUT_64, LEAT_LAYOUT_VIEW};
    int32_t counts[LEAT_BATCH_ROWS_MAX], done;
    leat_batch *keys = world_keys(self, ids, count, error), *found = NULL;
    leat_lookup_result result = {.counts = counts};
    leat_code code = keys ? LEAT_OK : LEAT_NO_MEMORY;
    if (code == LEAT_OK) code = leat_batch_builder_init(&result.rows, layouts, 2, LEAT_BATCH_ROWS_MAX, error);
    if (code == LEAT_OK) code = self->lookup->vtable->get_many(self->lookup, keys, 0, &result, &done, error);
    if (code == LEAT_OK) code = leat_batch_builder_finish(&result.rows, &found, error);
    *pending = 0;
    for (int32_t i = 0, row = 0; code == LEAT_OK && i < count; i++) {
        assert_int_equal(done, count);
        if (counts[i] == LEAT_LOOKUP_PENDING) {
            ids[(*pending)++] = ids[i];
            continue;
        }
        bool exists = ids[i] >= 0 && ids[i] < self->ids && self->rows[ids[i]].exists && !self->asks_elsewhere;
        assert_int_equal(counts[i], exists);
        if (exists) world_check(&self->rows[ids[i]], found, row++);
    }
    leat_batch_free(keys);
    leat_batch_free(found);
    leat_batch_builder_done(&result.rows);
    return code;
}

/* Asks until all are answered; one slice of work between two asks, as the join does. */
static inline leat_code world_ask(world *self, const int32_t *ids, int32_t count, leat_error *error)
{
    int32_t open[LEAT_BATCH_ROWS_MAX], left = count;
    memcpy(open, ids, (size_t)count * sizeof *open);
    for (int tries = 0; tries < 10000; tries++) {
        bool changed;
        LEAT_TRY(world_ask_once(self, open, left, &left, error));
        if (left == 0) return LEAT_OK;
        fake_host_run_jobs(&self->host);
        LEAT_TRY(self->lookup->vtable->refresh(self->lookup, &changed, error));
    }
    return leat_fail(error, LEAT_TIMEOUT, "keys were not answered");
}

static inline void world_ask_random(world *self, int32_t count)
{
    leat_error error = {0};
    int32_t ids[LEAT_BATCH_ROWS_MAX];
    for (int32_t i = 0; i < count; i++)
        ids[i] = (int32_t)(world_random(self) % (uint64_t)(self->ids + 20)) - 2; /* some are not there, some NULL */
    pk_ok(world_ask(self, ids, count, &error), &error);
}

/* Asks, and lets a slice of the work begin; its jobs are left for later. */
static inline void world_begin_random(world *self, int32_t count)
{
    leat_error error = {0};
    int32_t ids[LEAT_BATCH_ROWS_MAX], pending;
    bool changed;
    for (int32_t i = 0; i < count; i++)
        ids[i] = (int32_t)(world_random(self) % (uint64_t)self->ids);
    pk_ok(world_ask_once(self, ids, count, &pending, &error), &error);
    pk_ok(self->lookup->vtable->refresh(self->lookup, &changed, &error), &error);
}

static inline void world_stop(world *self)
{
    fake_host_done(&self->host);
    if (self->lookup) self->lookup->vtable->close(self->lookup);
    self->lookup = NULL;
}

static inline void world_close(world *self)
{
    world_stop(self);
    pk_job_close(&self->writer);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_storage_free(self->storage);
}
