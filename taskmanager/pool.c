#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "common/memory.h"
#include "taskmanager/executor.h"

/* One lock for all queues and the timer heap: it is taken once a step, and a step is a batch or more of work, so two
 * workers meet there rarely. A runnable goes to its home worker's queue; an idle worker steals from the others. */

enum { IDLE = 0, QUEUED, RUNNING, RUNNING_DIRTY, CLOSED };

typedef struct worker {
    pthread_t thread;
    pthread_cond_t wake;
    leat_runnable *first, **last;
    bool is_waiting;
    struct pool *pool;
    int index;
} worker;

typedef struct pool {
    leat_executor executor;
    pthread_mutex_t lock;
    leat_runnable **heap; /* timers; heap[0] is unused */
    size_t heap_count, heap_capacity;
    bool is_closing;
    int workers_count;
    worker workers[];
} pool;

static int64_t mono_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void heap_put(pool *self, size_t at, leat_runnable *runnable)
{
    self->heap[at] = runnable;
    runnable->heap_at = (int32_t)at;
}

static void heap_sift(pool *self, size_t at, leat_runnable *runnable)
{
    while (at > 1 && self->heap[at / 2]->deadline_us > runnable->deadline_us) {
        heap_put(self, at, self->heap[at / 2]);
        at /= 2;
    }
    for (;;) {
        size_t child = at * 2;
        if (child > self->heap_count) break;
        if (child < self->heap_count && self->heap[child + 1]->deadline_us < self->heap[child]->deadline_us) child++;
        if (self->heap[child]->deadline_us >= runnable->deadline_us) break;
        heap_put(self, at, self->heap[child]);
        at = child;
    }
    heap_put(self, at, runnable);
}

static void heap_remove(pool *self, leat_runnable *runnable)
{
    if (!runnable->heap_at) return;
    size_t at = (size_t)runnable->heap_at;
    runnable->heap_at = 0;
    leat_runnable *moved = self->heap[self->heap_count--];
    if (moved != runnable) heap_sift(self, at, moved);
}

/* False: no memory for the heap. */
static bool heap_add(pool *self, leat_runnable *runnable)
{
    if (leat_grow(&self->heap, &self->heap_capacity, self->heap_count + 2, sizeof *self->heap, NULL) != LEAT_OK) {
        return false;
    }
    heap_sift(self, ++self->heap_count, runnable);
    return true;
}

/* A worker that was signalled is not signalled again before it has looked: the next runnable wakes another one. */
static void wake_worker(worker *waiting)
{
    waiting->is_waiting = false;
    pthread_cond_signal(&waiting->wake);
}

static void enqueue(pool *self, leat_runnable *runnable)
{
    worker *home = &self->workers[runnable->home % self->workers_count];
    runnable->next = NULL;
    *home->last = runnable;
    home->last = &runnable->next;
    if (home->is_waiting) {
        wake_worker(home);
        return;
    }
    for (int i = 0; i < self->workers_count; i++) { /* home is busy: let an idle one steal it */
        if (self->workers[i].is_waiting) {
            wake_worker(&self->workers[i]);
            return;
        }
    }
}

static void pool_schedule(leat_executor *executor, leat_runnable *runnable)
{
    pool *self = (pool *)executor;
    int seen = atomic_load_explicit(&runnable->state, memory_order_acquire);
    for (;;) {
        int wanted = seen == IDLE ? QUEUED : seen == RUNNING ? RUNNING_DIRTY : seen;
        /* Even when nothing changes the exchange must happen: its release publishes what the caller wrote before. */
        if (atomic_compare_exchange_weak_explicit(&runnable->state, &seen, wanted, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            break;
        }
    }
    if (seen != IDLE) return;
    pthread_mutex_lock(&self->lock);
    heap_remove(self, runnable);
    enqueue(self, runnable);
    pthread_mutex_unlock(&self->lock);
}

static leat_runnable *take_from(worker *from)
{
    leat_runnable *runnable = from->first;
    if (!runnable) return NULL;
    from->first = runnable->next;
    if (!from->first) from->last = &from->first;
    return runnable;
}

/* Moves what is due from the timers to the queues. Returns the next deadline. */
static int64_t fire_timers(pool *self, int64_t now_us)
{
    while (self->heap_count) {
        leat_runnable *due = self->heap[1];
        if (due->deadline_us > now_us) return due->deadline_us;
        heap_remove(self, due);
        int idle = IDLE;
        if (atomic_compare_exchange_strong_explicit(&due->state, &idle, QUEUED, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            enqueue(self, due);
        }
    }
    return INT64_MAX;
}

/* The next runnable for this worker, own queue first; NULL when the pool closes. Called with the lock. */
static leat_runnable *next_runnable(worker *me)
{
    pool *self = me->pool;
    while (!self->is_closing) {
        int64_t next_us = fire_timers(self, self->heap_count ? mono_us() : 0);
        leat_runnable *runnable = take_from(me);
        for (int i = 1; !runnable && i < self->workers_count; i++) {
            runnable = take_from(&self->workers[(me->index + i) % self->workers_count]);
        }
        if (runnable) return runnable;
        me->is_waiting = true;
        if (next_us == INT64_MAX) {
            pthread_cond_wait(&me->wake, &self->lock);
        } else {
            struct timespec until = {.tv_sec = next_us / 1000000, .tv_nsec = (next_us % 1000000) * 1000};
            pthread_cond_timedwait(&me->wake, &self->lock, &until);
        }
        me->is_waiting = false;
    }
    return NULL;
}

static void after_run(worker *me, leat_runnable *runnable, leat_run_status status, int64_t deadline_us)
{
    pool *self = me->pool;
    runnable->home = me->index;
    runnable->deadline_us = deadline_us;
    /* Without memory for the timer it is run again at once instead: late is wrong, early is not. */
    if (status == LEAT_RUN_WAIT && (deadline_us == INT64_MAX || heap_add(self, runnable))) {
        int running = RUNNING;
        if (atomic_compare_exchange_strong_explicit(&runnable->state, &running, IDLE, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            return;
        }
        heap_remove(self, runnable); /* it was scheduled while it ran */
    }
    atomic_store_explicit(&runnable->state, QUEUED, memory_order_release);
    enqueue(self, runnable);
}

static void *work(void *arg)
{
    worker *me = arg;
    pool *self = me->pool;
    pthread_mutex_lock(&self->lock);
    for (leat_runnable *runnable; (runnable = next_runnable(me));) {
        pthread_mutex_unlock(&self->lock);
        /* acquire: sees what those who scheduled it wrote. */
        atomic_exchange_explicit(&runnable->state, RUNNING, memory_order_acq_rel);
        int64_t deadline_us = INT64_MAX;
        leat_run_status status = runnable->run(runnable, &deadline_us);
        if (status == LEAT_RUN_CLOSED) {
            atomic_store_explicit(&runnable->state, CLOSED, memory_order_release);
            runnable->closed(runnable); /* the last touch */
            pthread_mutex_lock(&self->lock);
            continue;
        }
        pthread_mutex_lock(&self->lock);
        after_run(me, runnable, status, deadline_us);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

leat_code leat_pool_new(int workers, leat_executor **out, leat_error *error)
{
    if (workers <= 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        workers = cores > 0 ? (int)cores : 1;
    }
    pool *self = leat_calloc(1, sizeof *self + (size_t)workers * sizeof(worker));
    if (!self) return leat_fail_no_memory(error);
    self->executor.schedule = pool_schedule;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    int failed = 0;
    pthread_mutex_lock(&self->lock); /* no worker looks at the others before all are there */
    for (int i = 0; i < workers && !failed; i++) {
        worker *made = &self->workers[i];
        *made = (worker){.pool = self, .index = i};
        made->last = &made->first;
        pthread_cond_init(&made->wake, &monotonic);
        failed = pthread_create(&made->thread, NULL, work, made);
        if (!failed) self->workers_count++;
    }
    pthread_mutex_unlock(&self->lock);
    pthread_condattr_destroy(&monotonic);
    if (failed) {
        leat_pool_free(&self->executor);
        return leat_fail_errno(error, LEAT_LIMIT, failed, "start a worker");
    }
    *out = &self->executor;
    return LEAT_OK;
}

void leat_pool_free(leat_executor *executor)
{
    if (!executor) return;
    pool *self = (pool *)executor;
    pthread_mutex_lock(&self->lock);
    self->is_closing = true;
    for (int i = 0; i < self->workers_count; i++)
        pthread_cond_signal(&self->workers[i].wake);
    pthread_mutex_unlock(&self->lock);
    for (int i = 0; i < self->workers_count; i++) {
        pthread_join(self->workers[i].thread, NULL);
        pthread_cond_destroy(&self->workers[i].wake);
    }
    pthread_mutex_destroy(&self->lock);
    leat_free(self->heap);
    leat_free(self);
}
