/* A host for one operator, for tests: what a subtask does for it, in one thread, with the real I/O threads. */
#pragma once

#include <pthread.h>

#include "flow/registry.h"

typedef struct test_host {
    leat_operator_context context; /* first */
    leat_operator *op;
    void (*on_batch)(struct test_host *self, leat_batch *batch); /* borrowed; may be NULL */
    leat_code (*on_event)(struct test_host *self, const uint8_t *event, size_t size, leat_error *error); /* or NULL */
    void *owner;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_woken;
    int jobs;
    int64_t timer_us;
    leat_source_status status;
} test_host;

void test_host_init(test_host *self, leat_env *env);
/* Makes and opens the operator; state NULL: a fresh start. */
leat_code test_host_open(test_host *self, const leat_operator_factory *factory, const leat_bytes *config,
                         const leat_bytes *state, leat_error *error);
/* One turn: wakes, timers, then `produce` of a source. Waits up to wait_ms when there is nothing to do. */
leat_code test_host_turn(test_host *self, int wait_ms, leat_error *error);
/* Cuts a checkpoint and waits for it. */
leat_code test_host_snapshot(test_host *self, int64_t id, leat_bytes *state, leat_error *error);
/* As after a kill: nothing is flushed; jobs are waited for. */
void test_host_close(test_host *self);
