/* A job that writes one primary-key table: its planned stages, each with some subtasks on fake hosts, exchanges between
 * them, checkpoints that are committed. For tests. */
#pragma once

#include "paimon/catalog.h"
#include "paimon/commit.h"
#include "paimon/pk.h"
#include "tests/unit/paimon/fake_host.h"

enum { PK_STAGES_MAX = 4, PK_SUBTASKS_MAX = 3 };

typedef struct pk_stage {
    int32_t count;
    fake_host hosts[PK_SUBTASKS_MAX];
    leat_operator *operators[PK_SUBTASKS_MAX];
} pk_stage;

typedef struct pk_job {
    leat_env *env;
    leat_arena arena;
    const leat_paimon_table *table;
    pk_stage stages[PK_STAGES_MAX];
    int32_t stages_count;
    const char *user;
} pk_job;

static inline void pk_ok(leat_code code, const leat_error *error)
{
    if (code != LEAT_OK) fail_msg("%s", error->text);
}

static inline const leat_operator_factory *pk_factory(const char *type)
{
    const leat_operator_factory *all[] = {&leat_paimon_pk_router_factory, &leat_paimon_bucket_assigner_factory,
                                          &leat_paimon_pk_writer_factory};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(all[i]->type, type) == 0) return all[i];
    }
    fail_msg("no operator %s", type);
    return NULL;
}

/* Runs jobs and wakes until nothing moves. */
static inline void pk_settle(pk_job *self)
{
    leat_error error = {0};
    leat_progress progress = LEAT_DONE;
    for (bool moves = true; moves;) {
        moves = false;
        for (int32_t s = 0; s < self->stages_count; s++) {
            for (int32_t i = 0; i < self->stages[s].count; i++) {
                fake_host *host = &self->stages[s].hosts[i];
                if (host->jobs_count == 0 && host->wakes == 0) continue;
                moves = true;
                host->wakes = 0;
                fake_host_run_jobs(host);
                leat_operator *operator= self->stages[s].operators[i];
                if (!operator->vtable->on_wake) continue;
                pk_ok(operator->vtable->on_wake(operator, & progress, &error), &error);
            }
        }
    }
}

static inline void pk_job_open(pk_job *self, leat_env *env, const leat_paimon_table *table, int32_t parallelism,
                               const char *user)
{
    leat_error error = {0};
    memset(self, 0, sizeof *self);
    self->env = env;
    self->table = table;
    self->user = user;
    leat_arena_init(&self->arena, 64 << 20);
    leat_plan_context context = {.arena = &self->arena, .env = env, .parallelism = parallelism};
    leat_table name = {.name = "t"};
    leat_sink_request request = {.changes = LEAT_CHANGES_ALL};
    leat_sink_plan plan;
    pk_ok(leat_paimon_plan_pk_sink(&context, &name, table, &request, &plan, &error), &error);
    self->stages_count = plan.stages_count;
    for (int32_t s = 0; s < plan.stages_count; s++) {
        pk_stage *stage = &self->stages[s];
        leat_plan_operator *made = &plan.stages[s].operators[0];
        stage->count = plan.stages[s].parallelism < 0 ? 1 : plan.stages[s].parallelism;
        for (int32_t i = 0; i < stage->count; i++) {
            fake_host_init(&stage->hosts[i], env, i, stage->count);
            pk_ok(pk_factory(made->type)
                      ->create(&stage->hosts[i].context, made->config.data, made->config.size, &stage->operators[i],
                               &error),
                  &error);
            stage->operators[i]->context = &stage->hosts[i].context;
            pk_ok(stage->operators[i]->vtable->open(stage->operators[i], NULL, &error), &error);
        }
        leat_bytes_done(&made->config);
    }
    pk_settle(self);
}

static inline void pk_deliver(pk_job *self, int32_t stage, int32_t subtask, leat_batch *batch);

/* What an operator emitted goes on by the target column. */
static inline void pk_forward(pk_job *self, int32_t stage, int32_t subtask)
{
    fake_host *host = &self->stages[stage].hosts[subtask];
    for (int i = 0; i < host->emitted_count; i++) {
        leat_batch *batch = host->emitted[i];
        const int32_t *targets = batch->columns[batch->columns_count - 1].values;
        for (int32_t t = 0; t < self->stages[stage + 1].count; t++) {
            leat_batch *part = leat_batch_share(batch);
            leat_buffer *selection = leat_buffer_new((size_t)batch->rows * sizeof(uint16_t));
            uint16_t *rows = (uint16_t *)(void *)selection->data;
            int32_t count = 0;
            for (int32_t r = 0; r < batch->selected; r++) {
                int32_t row = leat_batch_row(batch, r);
                if (targets[row] == t) rows[count++] = (uint16_t)row;
            }
            leat_buffer_unref(part->selection_buffer);
            part->selection_buffer = selection;
            part->selection = rows;
            part->selected = count;
            leat_column_clear(&part->columns[part->columns_count - 1]);
            part->columns_count--;
            if (count) {
                pk_deliver(self, stage + 1, t, part);
            } else {
                leat_batch_free(part);
            }
        }
        leat_batch_free(batch);
    }
    host->emitted_count = 0;
}

static inline void pk_deliver(pk_job *self, int32_t stage, int32_t subtask, leat_batch *batch)
{
    leat_error error = {0};
    leat_progress progress = LEAT_DONE;
    leat_operator *operator= self->stages[stage].operators[subtask];
    while (operator->vtable->has_room && !operator->vtable->has_room(operator))
        pk_settle(self);
    pk_ok(operator->vtable->process_batch(operator, 0, &batch, &progress, &error), &error);
    assert_int_equal(progress, LEAT_DONE);
    leat_batch_free(batch);
    if (stage + 1 < self->stages_count) pk_forward(self, stage, subtask);
}

static inline void pk_write(pk_job *self, leat_batch *batch)
{
    pk_deliver(self, 0, 0, batch);
}

/* Cuts all writers; their messages are appended to `messages` (in `arena`). */
static inline size_t pk_cut(pk_job *self, int64_t checkpoint, bool is_final, leat_arena *arena,
                            leat_paimon_message *messages)
{
    leat_error error = {0};
    pk_stage *writers = &self->stages[self->stages_count - 1];
    size_t count = 0;
    for (int32_t i = 0; i < writers->count; i++) {
        leat_operator *writer = writers->operators[i];
        leat_operator_snapshot snapshot = {.checkpoint_id = checkpoint, .is_final = is_final};
        leat_progress progress = LEAT_DONE;
        pk_ok(writer->vtable->snapshot(writer, &snapshot, &progress, &error), &error);
        for (int tries = 0; progress == LEAT_AGAIN; tries++) {
            assert_true(tries < 100000);
            pk_settle(self);
            pk_ok(writer->vtable->snapshot_resume(writer, &snapshot, &progress, &error), &error);
        }
        for (size_t c = 0; c < snapshot.committables_count; c++) {
            const leat_bytes *data = &snapshot.committables[c];
            pk_ok(leat_paimon_message_read(data->data, data->size, arena, &messages[count++], &error), &error);
        }
        leat_operator_snapshot_done(&snapshot);
    }
    return count;
}

static inline void pk_confirm(pk_job *self, int64_t checkpoint)
{
    leat_error error = {0};
    pk_stage *writers = &self->stages[self->stages_count - 1];
    for (int32_t i = 0; i < writers->count; i++) {
        leat_operator *writer = writers->operators[i];
        pk_ok(writer->vtable->checkpoint_complete(writer, checkpoint, &error), &error);
    }
}

static inline leat_code pk_checkpoint(pk_job *self, int64_t checkpoint, bool is_final, leat_error *error)
{
    static leat_paimon_message messages[512];
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    size_t count = pk_cut(self, checkpoint, is_final, &arena, messages);
    leat_paimon_commit_options options = {0};
    leat_code code =
        leat_paimon_commit(self->env, self->table, self->user, checkpoint, messages, count, &options, NULL, error);
    leat_arena_done(&arena);
    if (code == LEAT_OK) pk_confirm(self, checkpoint);
    return code;
}

static inline void pk_job_close(pk_job *self)
{
    for (int32_t s = 0; s < self->stages_count; s++) {
        for (int32_t i = 0; i < self->stages[s].count; i++) {
            fake_host_done(&self->stages[s].hosts[i]);
            self->stages[s].operators[i]->vtable->close(self->stages[s].operators[i]);
        }
    }
    leat_arena_done(&self->arena);
}
