#include "paimon/pk/lookup_load.h"

#include <inttypes.h>

#include "common/memory.h"
#include "paimon/merge_read.h"
#include "paimon/path.h"
#include "paimon/scan.h"
#include "paimon/snapshot.h"

static const size_t arena_bytes_max = (size_t)1 << 30;

static void drop_batches(leat_pk_changes *self)
{
    for (size_t i = 0; i < self->batches_count; i++)
        leat_batch_free(self->batches[i]);
    self->batches_count = 0;
    self->bytes = 0;
}

static leat_code keep_batch(leat_pk_changes *self, leat_batch *batch, leat_error *error)
{
    self->bytes += (int64_t)leat_batch_bytes(batch);
    leat_code code = LEAT_OK;
    if (self->bytes_max > 0 && self->bytes > self->bytes_max) {
        code = leat_fail(error, LEAT_LIMIT, "the looked-up table takes more than %" PRId64 " bytes of memory",
                         self->bytes_max);
        leat_fail_hint(error, "give the task manager more memory, or fewer slots");
    }
    if (code == LEAT_OK) {
        code =
            leat_grow(&self->batches, &self->batches_capacity, self->batches_count + 1, sizeof *self->batches, error);
    }
    if (code != LEAT_OK) {
        leat_batch_free(batch);
        return code;
    }
    self->batches[self->batches_count++] = batch;
    return LEAT_OK;
}

static leat_code read_split(leat_pk_changes *self, leat_env *env, const leat_paimon_split *split, leat_arena *arena,
                            leat_error *error)
{
    const char *path;
    LEAT_TRY(leat_paimon_bucket_path(self->table->path, &self->table->schema, split->partition, split->partition_size,
                                     split->bucket, arena, &path, error));
    leat_merge_read_options options = {.table = self->table,
                                       .bucket_path = path,
                                       .files = split->files.files,
                                       .files_count = split->files.count,
                                       .columns = self->columns,
                                       .columns_count = self->columns_count,
                                       .is_changes = split->is_changes,
                                       .env = env};
    leat_merge_reader *reader;
    LEAT_TRY(leat_merge_reader_new(&options, &reader, error));
    leat_merge_read_status status = LEAT_MERGE_READ_AGAIN;
    leat_code code = LEAT_OK;
    while (code == LEAT_OK && status != LEAT_MERGE_READ_END) {
        leat_batch *batch = NULL;
        code = leat_merge_reader_step(reader, &status, &batch, error);
        if (code == LEAT_OK && status == LEAT_MERGE_READ_BATCH) code = keep_batch(self, batch, error);
    }
    leat_merge_reader_free(reader);
    return code;
}

static leat_code read_splits(leat_pk_changes *self, leat_env *env, const leat_paimon_splits *splits, leat_arena *arena,
                             leat_error *error)
{
    for (size_t i = 0; i < splits->count; i++)
        LEAT_TRY(read_split(self, env, &splits->items[i], arena, error));
    return LEAT_OK;
}

static leat_code load_whole(leat_pk_changes *self, leat_env *env, int64_t latest, leat_arena *arena, leat_error *error)
{
    drop_batches(self);
    self->is_whole = true;
    self->next_snapshot = latest + 1;
    if (latest == 0) return LEAT_OK;
    leat_paimon_snapshot snapshot;
    leat_paimon_scan scan = {.bucket = -1};
    leat_paimon_splits splits = {0};
    LEAT_TRY(leat_paimon_full_phase_min_level(self->table, &scan.min_level, error));
    LEAT_TRY(leat_paimon_snapshot_load(env, self->table->path, latest, arena, &snapshot, error));
    LEAT_TRY(leat_paimon_plan_snapshot(env, self->table, &snapshot, &scan, arena, &splits, error));
    return read_splits(self, env, &splits, arena, error);
}

/* LEAT_NOT_FOUND: the table must be read again as a whole. */
static leat_code load_change(leat_pk_changes *self, leat_env *env, int64_t id, leat_arena *arena, leat_error *error)
{
    leat_paimon_snapshot snapshot;
    leat_paimon_scan scan = {.bucket = -1, .is_one_split_a_bucket = true};
    leat_paimon_splits splits = {0};
    LEAT_TRY(leat_paimon_snapshot_load(env, self->table->path, id, arena, &snapshot, error));
    if (snapshot.commit_kind == LEAT_PAIMON_COMMIT_OVERWRITE) {
        return leat_fail(error, LEAT_NOT_FOUND, "snapshot %" PRId64 " overwrites the table", id);
    }
    LEAT_TRY(leat_paimon_plan_changes(env, self->table, &snapshot, &scan, arena, &splits, error));
    return read_splits(self, env, &splits, arena, error);
}

static leat_code load(leat_pk_changes *self, leat_env *env, leat_arena *arena, leat_error *error)
{
    int64_t latest;
    LEAT_TRY(leat_paimon_snapshot_latest_id(env, self->table->path, &latest, error));
    self->is_whole = false;
    if (self->next_snapshot < 0) return load_whole(self, env, latest, arena, error);
    for (int64_t id = self->next_snapshot; id <= latest; id++) {
        leat_code code = load_change(self, env, id, arena, error);
        if (code == LEAT_NOT_FOUND) return load_whole(self, env, latest, arena, error);
        if (code != LEAT_OK) return code;
        self->next_snapshot = id + 1;
        leat_arena_reset(arena);
    }
    return LEAT_OK;
}

enum { TRIES_MAX = 5 };

static void run_load(leat_job *job, leat_env *env)
{
    leat_pk_changes *self = (leat_pk_changes *)job;
    leat_arena arena;
    leat_arena_init(&arena, arena_bytes_max);
    for (int i = 0; i < TRIES_MAX; i++) { /* what is being read may expire: then there is something newer */
        int64_t before = self->next_snapshot;
        self->code = load(self, env, &arena, &self->error);
        if (self->code == LEAT_OK) break;
        drop_batches(self);
        self->next_snapshot = self->code == LEAT_NOT_FOUND ? -1 : before;
        if (self->code != LEAT_NOT_FOUND) break;
        leat_arena_reset(&arena);
    }
    leat_arena_done(&arena);
    if (self->code != LEAT_OK) (void)leat_fail_in(&self->error, self->code, "read %s for lookups", self->table->path);
}

static void done_load(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_changes *self = (leat_pk_changes *)job;
    leat_operator_context *context = self->context;
    atomic_store_explicit(&self->has_ended, true, memory_order_release); /* pairs with the acquire in poll */
    leat_context_wake(context);
}

leat_code leat_pk_changes_start(leat_pk_changes *self, leat_error *error)
{
    LEAT_ASSERT(!self->is_running && self->batches_count == 0);
    self->job = (leat_job){.run = run_load, .done = done_load};
    self->bytes = 0;
    self->code = LEAT_OK;
    atomic_store_explicit(&self->has_ended, false, memory_order_relaxed);
    self->is_running = true;
    leat_code code = leat_context_spawn(self->context, &self->job, error);
    if (code != LEAT_OK) self->is_running = false;
    return code;
}

leat_code leat_pk_changes_poll(leat_pk_changes *self, bool *has_ended, leat_error *error)
{
    *has_ended = self->is_running && atomic_load_explicit(&self->has_ended, memory_order_acquire);
    if (!*has_ended) return LEAT_OK;
    self->is_running = false;
    if (self->code != LEAT_OK && error) *error = self->error;
    return self->code;
}

void leat_pk_changes_done(leat_pk_changes *self)
{
    drop_batches(self);
    leat_free(self->batches);
    *self = (leat_pk_changes){0};
}
