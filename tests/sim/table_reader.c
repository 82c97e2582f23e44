#include "tests/sim/table_reader.h"

#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/file_reader.h"
#include "paimon/merge_read.h"
#include "paimon/scan.h"
#include "paimon/schema.h"
#include "paimon/snapshot.h"

enum { ROWS_PER_BATCH = 8192, COLUMNS_MAX = 64 };

typedef struct reading {
    sim_world *world;
    leat_env *env;
    leat_paimon_table table;
    leat_schema schema;
    void (*take)(void *arg, const leat_batch *batch);
    void *arg;
} reading;

sim_process sim_looker(sim_world *world)
{
    sim_process process = world->jm;
    process.env.storage = world->objects;
    return process;
}

static leat_code read_file(reading *self, const leat_paimon_file *file, const char *path, leat_error *error)
{
    leat_paimon_file_reader_options options = {
        .path = path, .size_bytes = (uint64_t)file->size_bytes, .columns = &self->schema, .env = self->env};
    leat_paimon_file_reader *reader = NULL;
    leat_code code = leat_paimon_file_reader_new(&options, &reader, error);
    leat_paimon_read_status status = LEAT_PAIMON_READ_WAIT;
    while (code == LEAT_OK && status != LEAT_PAIMON_READ_END) {
        leat_batch *batch = NULL;
        code = leat_paimon_file_reader_step(reader, ROWS_PER_BATCH, &status, &batch, error);
        if (code == LEAT_OK && status == LEAT_PAIMON_READ_BATCH) self->take(self->arg, batch);
        leat_batch_free(batch);
    }
    leat_paimon_file_reader_free(reader);
    return code;
}

static leat_code read_append(reading *self, const leat_paimon_split *split, const char *bucket, leat_error *error)
{
    leat_code code = LEAT_OK;
    for (size_t i = 0; code == LEAT_OK && i < split->files.count; i++) {
        char *path = leat_format("%s/%s", bucket, split->files.files[i].name);
        code = read_file(self, &split->files.files[i], path, error);
        leat_free(path);
    }
    return code;
}

static leat_code read_merged(reading *self, const leat_paimon_split *split, const char *bucket, leat_error *error)
{
    int32_t columns[COLUMNS_MAX];
    LEAT_ASSERT(self->schema.fields_count <= COLUMNS_MAX);
    for (int32_t i = 0; i < self->schema.fields_count; i++)
        columns[i] = i;
    leat_merge_read_options options = {.table = &self->table,
                                       .bucket_path = bucket,
                                       .files = split->files.files,
                                       .files_count = split->files.count,
                                       .columns = columns,
                                       .columns_count = self->schema.fields_count,
                                       .is_changes = split->is_changes,
                                       .env = self->env};
    leat_merge_reader *reader = NULL;
    leat_code code = leat_merge_reader_new(&options, &reader, error);
    leat_merge_read_status status = LEAT_MERGE_READ_AGAIN;
    while (code == LEAT_OK && status != LEAT_MERGE_READ_END) {
        leat_batch *batch = NULL;
        code = leat_merge_reader_step(reader, &status, &batch, error);
        if (code == LEAT_OK && status == LEAT_MERGE_READ_BATCH) self->take(self->arg, batch);
        leat_batch_free(batch);
    }
    leat_merge_reader_free(reader);
    return code;
}

static leat_code read_splits(reading *self, const leat_paimon_splits *splits, leat_error *error)
{
    leat_code code = LEAT_OK;
    for (size_t i = 0; code == LEAT_OK && i < splits->count && !self->world->failure[0]; i++) {
        char *bucket = leat_format("%s/bucket-%d", self->table.path, splits->items[i].bucket);
        code = self->table.schema.primary_keys_count ? read_merged(self, &splits->items[i], bucket, error)
                                                     : read_append(self, &splits->items[i], bucket, error);
        leat_free(bucket);
    }
    return code;
}

/* `changes_of` 0: the newest snapshot, whole. */
static leat_code read_some(reading *self, const char *table_path, int64_t changes_of, leat_arena *arena,
                           leat_error *error)
{
    leat_paimon_snapshot snapshot = {0};
    leat_paimon_splits splits = {0};
    int64_t id = changes_of;
    LEAT_TRY(leat_paimon_open_table(self->env, table_path, NULL, arena, &self->table, error));
    LEAT_TRY(leat_paimon_schema_columns(&self->table.schema, arena, &self->schema, error));
    if (!changes_of) LEAT_TRY(leat_paimon_snapshot_latest_id(self->env, table_path, &id, error));
    if (id <= 0) return LEAT_OK;
    LEAT_TRY(leat_paimon_snapshot_load(self->env, table_path, id, arena, &snapshot, error));
    leat_paimon_scan scan = {.bucket = -1, .is_one_split_a_bucket = true};
    if (changes_of)
        LEAT_TRY(leat_paimon_plan_changes(self->env, &self->table, &snapshot, &scan, arena, &splits, error));
    else
        LEAT_TRY(leat_paimon_plan_snapshot(self->env, &self->table, &snapshot, &scan, arena, &splits, error));
    return read_splits(self, &splits, error);
}

static void read_and_tell(reading *self, const char *table_path, int64_t changes_of)
{
    sim_process process = sim_looker(self->world);
    leat_arena arena;
    leat_error error = {0};
    leat_arena_init(&arena, SIM_ARENA_BYTES_MAX);
    self->env = &process.env;
    leat_code code = read_some(self, table_path, changes_of, &arena, &error);
    SIM_REQUIRE(self->world, code == LEAT_OK, "%s", error.text);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&arena);
}

void sim_read_table(sim_world *world, const char *table_path, void (*take)(void *arg, const leat_batch *batch),
                    void *arg)
{
    reading self = {.world = world, .take = take, .arg = arg};
    read_and_tell(&self, table_path, 0);
}

void sim_read_changes(sim_world *world, const char *table_path, int64_t id,
                      void (*take)(void *arg, const leat_batch *batch), void *arg)
{
    reading self = {.world = world, .take = take, .arg = arg};
    read_and_tell(&self, table_path, id);
}

int64_t sim_latest_snapshot(sim_world *world, const char *table_path)
{
    sim_process process = sim_looker(world);
    int64_t latest = 0;
    leat_error error = {0};
    leat_code code = leat_paimon_snapshot_latest_id(&process.env, table_path, &latest, &error);
    SIM_REQUIRE(world, code == LEAT_OK, "%s", error.text);
    return latest;
}
