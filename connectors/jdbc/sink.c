#include <inttypes.h>
#include <mysql.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "connectors/jdbc/jdbc.h"

/* Rows become SQL text on the worker, in one of two buffers; a job on an I/O thread sends the other one, in a
 * transaction. So there is at most one flush at a time and rows stay in order. While both are full, has_room says no.
 *
 *   process_batch ──▶ filling ──(full, timer, barrier)──▶ flushing ──▶ MySQL
 *
 * A checkpoint is acknowledged when everything that came before it is committed in MySQL. */

enum {
    ARENA_BYTES_MAX = 1 << 20,
    BUFFER_BYTES_MAX = 8 << 20,
    CUTS_MAX = 32,
    LINGER_US = 1000000,
    BUSY_WAIT_US = 50000
};

typedef struct cut {
    int64_t checkpoint_id;
    uint64_t rows; /* that must be flushed */
} cut;

typedef struct jdbc_sink {
    leat_operator base; /* first */
    leat_arena arena;
    leat_jdbc_config config;
    leat_bytes filling;
    int64_t filling_rows;
    uint64_t taken_rows, flushed_rows;
    bool is_flushing;
    cut cuts[CUTS_MAX];
    int32_t cuts_count;
    /* The job's while it runs. */
    leat_job job;
    leat_bytes flushing;
    MYSQL *mysql;
    leat_code code;
    leat_error error;
    atomic_bool is_done; /* set by the job, taken by the subtask */
    int64_t flushing_rows;
} jdbc_sink;

/* --- the job --- */

static leat_code send_all(jdbc_sink *self, leat_error *error)
{
    char what[160];
    snprintf(what, sizeof what, "write to MySQL table '%s'", self->config.table);
    LEAT_TRY(leat_mysql_run(self->mysql, "START TRANSACTION", what, error));
    leat_reader reader;
    leat_reader_init(&reader, self->flushing.data, self->flushing.size);
    while (leat_reader_left(&reader)) {
        size_t size;
        const char *sql = (const char *)leat_reader_block(&reader, &size);
        if (mysql_real_query(self->mysql, sql, size) != 0) return leat_mysql_fail(self->mysql, what, error);
    }
    if (!leat_context_may_write(self->base.context))
        return leat_fail(error, LEAT_CANCELED, "%s: this attempt has been ended", what);
    return leat_mysql_run(self->mysql, "COMMIT", what, error);
}

static leat_code try_flush(jdbc_sink *self, leat_error *error)
{
    if (!self->mysql) LEAT_TRY(leat_mysql_connect(&self->config.address, &self->mysql, error));
    leat_code code = send_all(self, error);
    if (code != LEAT_OK) { /* whatever state it is in: the next attempt begins afresh */
        mysql_close(self->mysql);
        self->mysql = NULL;
    }
    return code;
}

static void run_flush(leat_job *job, leat_env *env)
{
    jdbc_sink *self = (jdbc_sink *)((char *)job - offsetof(jdbc_sink, job));
    for (int32_t attempt = 0;; attempt++) {
        self->error = (leat_error){0};
        self->code = try_flush(self, &self->error);
        if (self->code == LEAT_OK || !leat_code_is_transient(self->code)) break;
        if (attempt >= self->config.max_retries) break;
        leat_log(LEAT_LOG_WARN, "jdbc", "attempt %d of %d failed and is repeated: %s", attempt + 1,
                 self->config.max_retries + 1, self->error.text);
        leat_env_sleep_ms(env, 1000 * ((int64_t)attempt + 1));
    }
}

static void flush_done(leat_job *job, leat_env *env)
{
    (void)env;
    jdbc_sink *self = (jdbc_sink *)((char *)job - offsetof(jdbc_sink, job));
    atomic_store_explicit(&self->is_done, true, memory_order_release); /* pairs with take_done */
    leat_context_wake(self->base.context);
}

/* --- the subtask's side --- */

static leat_code start_flush(jdbc_sink *self, leat_error *error)
{
    if (self->is_flushing || self->filling_rows == 0) return LEAT_OK;
    self->job = (leat_job){.run = run_flush, .done = flush_done};
    leat_bytes spare = self->flushing;
    self->flushing = self->filling;
    self->flushing_rows = self->filling_rows;
    leat_error busy = {0};
    leat_code code = leat_context_spawn(self->base.context, &self->job, &busy);
    if (code != LEAT_OK) {
        self->flushing = spare;
        if (code == LEAT_LIMIT) { /* all I/O threads have enough to do: the timer tries again */
            leat_context_set_timer(self->base.context, leat_env_mono_us(self->base.context->env) + BUSY_WAIT_US);
            return LEAT_OK;
        }
        if (error) *error = busy;
        return code;
    }
    leat_bytes_reset(&spare);
    self->filling = spare;
    self->filling_rows = 0;
    self->is_flushing = true;
    return LEAT_OK;
}

static bool is_due(const jdbc_sink *self)
{
    bool is_full = self->config.flush_rows > 0 && self->filling_rows >= self->config.flush_rows;
    bool is_waited_for = self->cuts_count > 0 && self->cuts[self->cuts_count - 1].rows > self->flushed_rows;
    return is_full || is_waited_for || self->filling.size >= BUFFER_BYTES_MAX;
}

/* Takes over a finished flush and starts the next when one is due. */
static leat_code step(jdbc_sink *self, leat_error *error)
{
    if (self->is_flushing && atomic_exchange_explicit(&self->is_done, false, memory_order_acquire)) {
        self->is_flushing = false;
        if (self->code != LEAT_OK) {
            if (error) *error = self->error;
            return self->code;
        }
        self->flushed_rows += (uint64_t)self->flushing_rows;
        leat_context_set_gauge(self->base.context, "numRecordsSend", (int64_t)self->flushed_rows);
    }
    return is_due(self) ? start_flush(self, error) : LEAT_OK;
}

static void set_timer(jdbc_sink *self)
{
    /* Without an interval, rows still may not lie for ever: the end of the input waits for them. */
    int64_t wait_us = self->config.flush_interval_ms > 0 ? self->config.flush_interval_ms * 1000 : LINGER_US;
    leat_context_set_timer(self->base.context, leat_env_mono_us(self->base.context->env) + wait_us);
}

static leat_code sink_process(leat_operator *base, int32_t input, leat_batch **batch, leat_progress *progress,
                              leat_error *error)
{
    (void)input;
    (void)progress;
    jdbc_sink *self = (jdbc_sink *)base;
    bool was_empty = self->filling_rows == 0;
    int64_t rows = 0;
    LEAT_TRY(leat_jdbc_render(&self->config, *batch, &self->filling, &rows, error));
    self->filling_rows += rows;
    self->taken_rows += (uint64_t)rows;
    if (was_empty && rows) set_timer(self);
    return step(self, error);
}

static leat_code sink_wake(leat_operator *base, leat_progress *progress, leat_error *error)
{
    (void)progress;
    return step((jdbc_sink *)base, error);
}

static leat_code sink_timer(leat_operator *base, int64_t now_us, leat_progress *progress, leat_error *error)
{
    (void)now_us;
    (void)progress;
    jdbc_sink *self = (jdbc_sink *)base;
    LEAT_TRY(step(self, error));
    LEAT_TRY(start_flush(self, error));
    if (self->filling_rows) set_timer(self); /* a flush is under way: look again */
    return LEAT_OK;
}

static bool sink_has_room(const leat_operator *base)
{
    const jdbc_sink *self = (const jdbc_sink *)base;
    return !self->is_flushing || !is_due(self);
}

static bool sink_is_waiting(const leat_operator *base)
{
    const jdbc_sink *self = (const jdbc_sink *)base;
    return self->flushed_rows < self->taken_rows;
}

static leat_code sink_snapshot(leat_operator *base, leat_operator_snapshot *snapshot, leat_progress *progress,
                               leat_error *error)
{
    jdbc_sink *self = (jdbc_sink *)base;
    if (self->flushed_rows == self->taken_rows) return LEAT_OK;
    if (self->cuts_count == CUTS_MAX) return leat_fail(error, LEAT_LIMIT, "more than %d checkpoints wait", CUTS_MAX);
    self->cuts[self->cuts_count++] = (cut){snapshot->checkpoint_id, self->taken_rows};
    *progress = LEAT_AGAIN;
    return step(self, error);
}

static leat_code sink_snapshot_resume(leat_operator *base, leat_operator_snapshot *snapshot, leat_progress *progress,
                                      leat_error *error)
{
    jdbc_sink *self = (jdbc_sink *)base;
    LEAT_TRY(step(self, error));
    for (int32_t i = 0; i < self->cuts_count; i++) {
        if (self->cuts[i].checkpoint_id != snapshot->checkpoint_id) continue;
        *progress = self->flushed_rows >= self->cuts[i].rows ? LEAT_DONE : LEAT_AGAIN;
        if (*progress == LEAT_DONE) {
            size_t behind = (size_t)(--self->cuts_count - i);
            memmove(&self->cuts[i], &self->cuts[i + 1], behind * sizeof self->cuts[0]);
        }
        return LEAT_OK;
    }
    *progress = LEAT_DONE;
    return LEAT_OK;
}

static leat_code sink_open(leat_operator *base, const leat_restored *restored, leat_error *error)
{
    (void)base;
    (void)restored; /* a checkpoint is acknowledged only when its rows are in MySQL */
    (void)error;
    return LEAT_OK;
}

static void sink_close(leat_operator *base)
{
    jdbc_sink *self = (jdbc_sink *)base;
    if (self->mysql) mysql_close(self->mysql);
    leat_bytes_done(&self->filling);
    leat_bytes_done(&self->flushing);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable sink_vtable = {
    .type = "jdbc-sink",
    .open = sink_open,
    .process_batch = sink_process,
    .on_wake = sink_wake,
    .on_timer = sink_timer,
    .has_room = sink_has_room,
    .is_waiting = sink_is_waiting,
    .snapshot = sink_snapshot,
    .snapshot_resume = sink_snapshot_resume,
    .close = sink_close,
};

static leat_code sink_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                             leat_operator **out, leat_error *error)
{
    jdbc_sink *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->base.vtable = &sink_vtable;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = leat_jdbc_config_read(config, config_size, &self->arena, &self->config, error);
    if (code == LEAT_OK) code = leat_secret_reveal(context->config, &self->config.address.password, error);
    if (code == LEAT_OK)
        *out = &self->base;
    else
        sink_close(&self->base);
    return code;
}

const leat_operator_factory leat_jdbc_sink_factory = {"jdbc-sink", sink_create};
