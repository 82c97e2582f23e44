#include "flow/coordinator.h"

#include <string.h>

#include "common/memory.h"

static size_t bitmap_words(int32_t tasks_count)
{
    return ((size_t)tasks_count + 63) / 64;
}

leat_code leat_coordinator_init(leat_coordinator *self, const leat_coordinator_options *options, int32_t tasks_count,
                                int64_t first_id, int64_t now_ms, leat_error *error)
{
    LEAT_ASSERT(options->concurrent_max >= 1 && options->concurrent_max <= LEAT_COORDINATOR_PENDING_MAX);
    LEAT_ASSERT(tasks_count >= 0 && first_id >= 1);
    *self = (leat_coordinator){.options = *options,
                               .tasks_count = tasks_count,
                               .next_id = first_id,
                               .last_started_ms = now_ms,
                               .last_ended_ms = -1};
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        self->pending[i].acked = leat_calloc(bitmap_words(tasks_count), sizeof(uint64_t));
        if (!self->pending[i].acked) return leat_fail_no_memory(error);
    }
    return LEAT_OK;
}

void leat_coordinator_done(leat_coordinator *self)
{
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        leat_free(self->pending[i].acked);
        self->pending[i].acked = NULL;
    }
}

static void emit(leat_coordinator_effects *effects, leat_coordinator_effect_kind kind, int64_t id, const char *reason)
{
    LEAT_ASSERT(effects->count < LEAT_COORDINATOR_EFFECTS_MAX);
    effects->list[effects->count++] = (leat_coordinator_effect){kind, id, reason};
}

static leat_pending_checkpoint *find_pending(leat_coordinator *self, int64_t checkpoint_id)
{
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        leat_pending_checkpoint *pending = &self->pending[i];
        if (pending->phase != LEAT_CHECKPOINT_NONE && pending->checkpoint_id == checkpoint_id) return pending;
    }
    self->stale_events++; /* late, or told twice: both happen on a real network */
    return NULL;
}

static int32_t pending_count(const leat_coordinator *self)
{
    int32_t count = 0;
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        count += self->pending[i].phase != LEAT_CHECKPOINT_NONE;
    }
    return count;
}

static void abort_pending(leat_coordinator *self, leat_pending_checkpoint *pending, const char *reason, int64_t now_ms,
                          leat_coordinator_effects *effects)
{
    emit(effects, LEAT_COORDINATOR_ABORT, pending->checkpoint_id, reason);
    pending->phase = LEAT_CHECKPOINT_NONE;
    self->last_ended_ms = now_ms;
}

static void fail_pending(leat_coordinator *self, leat_pending_checkpoint *pending, const char *reason, int64_t now_ms,
                         leat_coordinator_effects *effects)
{
    int64_t id = pending->checkpoint_id;
    abort_pending(self, pending, reason, now_ms, effects);
    self->failures_in_row++;
    if (self->options.tolerable_failures >= 0 && self->failures_in_row > self->options.tolerable_failures) {
        emit(effects, LEAT_COORDINATOR_FAIL, id, "Exceeded checkpoint tolerable failure threshold.");
        self->is_stopped = true; /* the shell ends the attempt at this effect: nothing may begin behind it */
    }
}

static int64_t due_ms(const leat_coordinator *self)
{
    if (self->is_stopped || pending_count(self) >= self->options.concurrent_max) return INT64_MAX;
    int64_t due = INT64_MAX;
    if (self->is_wanted)
        due = 0;
    else if (self->options.interval_ms > 0)
        due = self->last_started_ms + self->options.interval_ms;
    if (due == INT64_MAX) return due;
    if (self->last_ended_ms >= 0 && due < self->last_ended_ms + self->options.min_pause_ms) {
        due = self->last_ended_ms + self->options.min_pause_ms;
    }
    return due;
}

static void begin_if_due(leat_coordinator *self, int64_t now_ms, leat_coordinator_effects *effects)
{
    if (due_ms(self) > now_ms) return;
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        leat_pending_checkpoint *pending = &self->pending[i];
        if (pending->phase != LEAT_CHECKPOINT_NONE) continue;
        pending->phase = LEAT_CHECKPOINT_BEGINNING;
        pending->checkpoint_id = self->next_id++;
        pending->started_ms = self->last_started_ms = now_ms;
        pending->acks_count = 0;
        memset(pending->acked, 0, bitmap_words(self->tasks_count) * sizeof(uint64_t));
        self->is_wanted = false;
        emit(effects, LEAT_COORDINATOR_BEGIN, pending->checkpoint_id, NULL);
        return;
    }
}

void leat_coordinator_on_tick(leat_coordinator *self, int64_t now_ms, leat_coordinator_effects *effects)
{
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        leat_pending_checkpoint *pending = &self->pending[i];
        /* Once storing, the outcome is storage's to tell: giving up then could abort what is durable. */
        bool can_expire = pending->phase == LEAT_CHECKPOINT_BEGINNING || pending->phase == LEAT_CHECKPOINT_COLLECTING;
        if (can_expire && now_ms - pending->started_ms >= self->options.timeout_ms) {
            fail_pending(self, pending, "Checkpoint expired before completing.", now_ms, effects);
        }
    }
    begin_if_due(self, now_ms, effects);
}

void leat_coordinator_on_request(leat_coordinator *self, int64_t now_ms, leat_coordinator_effects *effects)
{
    self->is_wanted = true;
    begin_if_due(self, now_ms, effects);
}

void leat_coordinator_on_begun(leat_coordinator *self, int64_t checkpoint_id, bool ok, int64_t now_ms,
                               leat_coordinator_effects *effects)
{
    leat_pending_checkpoint *pending = find_pending(self, checkpoint_id);
    if (!pending || pending->phase != LEAT_CHECKPOINT_BEGINNING) return;
    if (!ok) {
        fail_pending(self, pending, "A split enumerator failed to snapshot.", now_ms, effects);
        return;
    }
    pending->phase = LEAT_CHECKPOINT_COLLECTING;
    emit(effects, LEAT_COORDINATOR_TRIGGER, checkpoint_id, NULL);
}

static void store_next(leat_coordinator *self, int64_t now_ms, leat_coordinator_effects *effects)
{
    /* One at a time and in order: the oldest fully acknowledged one goes to storage when none is on its way there. */
    leat_pending_checkpoint *oldest = NULL;
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        leat_pending_checkpoint *pending = &self->pending[i];
        if (pending->phase == LEAT_CHECKPOINT_STORING) return;
        bool is_whole = pending->phase == LEAT_CHECKPOINT_COLLECTING && pending->acks_count == self->tasks_count;
        if (is_whole && (!oldest || pending->checkpoint_id < oldest->checkpoint_id)) oldest = pending;
    }
    if (!oldest) return;
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        leat_pending_checkpoint *older = &self->pending[i];
        bool is_open = older->phase == LEAT_CHECKPOINT_BEGINNING || older->phase == LEAT_CHECKPOINT_COLLECTING;
        if (is_open && older->checkpoint_id < oldest->checkpoint_id) {
            abort_pending(self, older, "Superseded by a newer checkpoint.", now_ms, effects);
        }
    }
    oldest->phase = LEAT_CHECKPOINT_STORING;
    emit(effects, LEAT_COORDINATOR_STORE, oldest->checkpoint_id, NULL);
}

bool leat_coordinator_on_ack(leat_coordinator *self, int64_t checkpoint_id, int32_t task, int64_t now_ms,
                             leat_coordinator_effects *effects)
{
    LEAT_ASSERT(task >= 0 && task < self->tasks_count);
    leat_pending_checkpoint *pending = find_pending(self, checkpoint_id);
    if (!pending) return false;
    uint64_t bit = UINT64_C(1) << (task & 63);
    if (pending->phase != LEAT_CHECKPOINT_COLLECTING || (pending->acked[task >> 6] & bit)) {
        self->stale_events++;
        return false;
    }
    pending->acked[task >> 6] |= bit;
    pending->acks_count++;
    store_next(self, now_ms, effects);
    return true;
}

void leat_coordinator_on_decline(leat_coordinator *self, int64_t checkpoint_id, int64_t now_ms,
                                 leat_coordinator_effects *effects)
{
    leat_pending_checkpoint *pending = find_pending(self, checkpoint_id);
    if (!pending || pending->phase == LEAT_CHECKPOINT_STORING || pending->phase == LEAT_CHECKPOINT_COMMITTING) return;
    /* As in Flink: a decline (a task was not running yet, or gave the barrier up) does not count as a failure. */
    abort_pending(self, pending, "A task declined the checkpoint.", now_ms, effects);
}

void leat_coordinator_on_stored(leat_coordinator *self, int64_t checkpoint_id, bool ok, int64_t now_ms,
                                leat_coordinator_effects *effects)
{
    leat_pending_checkpoint *pending = find_pending(self, checkpoint_id);
    if (!pending || pending->phase != LEAT_CHECKPOINT_STORING) return;
    if (!ok) {
        fail_pending(self, pending, "Could not store the checkpoint's metadata.", now_ms, effects);
    } else {
        pending->phase = LEAT_CHECKPOINT_COMMITTING;
        self->failures_in_row = 0;
        emit(effects, LEAT_COORDINATOR_COMPLETE, checkpoint_id, NULL);
    }
    store_next(self, now_ms, effects);
    begin_if_due(self, now_ms, effects);
}

void leat_coordinator_on_committed(leat_coordinator *self, int64_t checkpoint_id, int64_t now_ms,
                                   leat_coordinator_effects *effects)
{
    leat_pending_checkpoint *pending = find_pending(self, checkpoint_id);
    if (!pending || pending->phase != LEAT_CHECKPOINT_COMMITTING) return;
    pending->phase = LEAT_CHECKPOINT_NONE;
    self->last_ended_ms = now_ms;
    begin_if_due(self, now_ms, effects);
}

void leat_coordinator_stop(leat_coordinator *self, leat_coordinator_effects *effects)
{
    self->is_stopped = true;
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        leat_pending_checkpoint *pending = &self->pending[i];
        leat_checkpoint_phase phase = pending->phase;
        pending->phase = LEAT_CHECKPOINT_NONE;
        if (phase == LEAT_CHECKPOINT_NONE || phase == LEAT_CHECKPOINT_COMMITTING)
            continue; /* durable: its commit goes on */
        emit(effects, LEAT_COORDINATOR_ABORT, pending->checkpoint_id, "The job's attempt ended.");
    }
}

int64_t leat_coordinator_next_tick_ms(const leat_coordinator *self)
{
    int64_t next = due_ms(self);
    for (int i = 0; i < LEAT_COORDINATOR_PENDING_MAX; i++) {
        const leat_pending_checkpoint *pending = &self->pending[i];
        bool can_expire = pending->phase == LEAT_CHECKPOINT_BEGINNING || pending->phase == LEAT_CHECKPOINT_COLLECTING;
        if (can_expire && pending->started_ms + self->options.timeout_ms < next) {
            next = pending->started_ms + self->options.timeout_ms;
        }
    }
    return next;
}
