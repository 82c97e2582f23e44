#include "paimon/pk/lookup_plan.h"

#include <inttypes.h>

#include "common/memory.h"
#include "paimon/scan.h"
#include "paimon/snapshot.h"

enum { TRIES_MAX = 5, SNAPSHOTS_MAX = 256 /* read one by one: behind by more, the whole plan is less */ };
static const size_t arena_bytes_max = (size_t)1 << 30;

static leat_code load_whole(leat_pk_lookup_plan *self, leat_env *env, int64_t latest, leat_error *error)
{
    leat_paimon_snapshot snapshot;
    leat_arena_reset(&self->arena);
    self->entries = (leat_paimon_entries){0};
    self->is_whole = true;
    self->next_snapshot = latest + 1;
    if (latest == 0) return LEAT_OK;
    LEAT_TRY(leat_paimon_snapshot_load(env, self->table->path, latest, &self->arena, &snapshot, error));
    return leat_paimon_scan_entries(env, self->table, &snapshot, NULL, &self->arena, &self->entries, error);
}

/* Entries of all kinds of commits: an overwrite deletes and adds, too. */
static leat_code load_change(leat_pk_lookup_plan *self, leat_env *env, int64_t id, leat_error *error)
{
    leat_paimon_snapshot snapshot;
    LEAT_TRY(leat_paimon_snapshot_load(env, self->table->path, id, &self->arena, &snapshot, error));
    return leat_paimon_scan_delta(env, self->table, &snapshot, &self->arena, &self->entries, error);
}

static leat_code load(leat_pk_lookup_plan *self, leat_env *env, leat_error *error)
{
    int64_t latest;
    LEAT_TRY(leat_paimon_snapshot_latest_id(env, self->table->path, &latest, error));
    int64_t behind = latest + 1 - self->next_snapshot;
    bool is_whole = self->next_snapshot < 0 || behind < 0 /* rolled back */ || behind > SNAPSHOTS_MAX;
    if (is_whole) return load_whole(self, env, latest, error);
    self->is_whole = false;
    for (int64_t id = self->next_snapshot; id <= latest; id++) {
        leat_code code = load_change(self, env, id, error);
        if (code == LEAT_NOT_FOUND) return load_whole(self, env, latest, error); /* it has expired */
        if (code != LEAT_OK) return code;
    }
    self->next_snapshot = latest + 1;
    return LEAT_OK;
}

static void run_load(leat_job *job, leat_env *env)
{
    leat_pk_lookup_plan *self = (leat_pk_lookup_plan *)job;
    for (int i = 0; i < TRIES_MAX; i++) { /* what is being read may expire: then there is something newer */
        leat_arena_reset(&self->arena);
        self->entries = (leat_paimon_entries){0};
        self->code = load(self, env, &self->error);
        if (self->code != LEAT_NOT_FOUND) break;
        self->next_snapshot = -1;
    }
    if (self->code != LEAT_OK)
        (void)leat_fail_in(&self->error, self->code, "find the files of %s for lookups", self->table->path);
}

static void done_load(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_lookup_plan *self = (leat_pk_lookup_plan *)job;
    leat_operator_context *context = self->context;
    atomic_store_explicit(&self->has_ended, true, memory_order_release); /* pairs with the acquire in poll */
    leat_context_wake(context);
}

leat_code leat_pk_lookup_plan_start(leat_pk_lookup_plan *self, leat_error *error)
{
    LEAT_ASSERT(!self->is_running);
    leat_pk_lookup_plan_reset(self);
    leat_arena_init(&self->arena, arena_bytes_max);
    self->job = (leat_job){.run = run_load, .done = done_load};
    atomic_store_explicit(&self->has_ended, false, memory_order_relaxed);
    self->is_running = true;
    leat_code code = leat_context_spawn(self->context, &self->job, error);
    if (code != LEAT_OK) self->is_running = false;
    return code;
}

leat_code leat_pk_lookup_plan_poll(leat_pk_lookup_plan *self, bool *has_ended, leat_error *error)
{
    *has_ended = self->is_running && atomic_load_explicit(&self->has_ended, memory_order_acquire);
    if (!*has_ended) return LEAT_OK;
    self->is_running = false;
    if (self->code != LEAT_OK && error) *error = self->error;
    return self->code;
}

void leat_pk_lookup_plan_reset(leat_pk_lookup_plan *self)
{
    leat_arena_done(&self->arena);
    self->entries = (leat_paimon_entries){0};
}
