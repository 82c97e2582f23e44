/* The worker pool. Run under the thread sanitizer too. */
#include "tests/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "common/memory.h"
#include "taskmanager/executor.h"

enum { ACTORS = 20, MESSAGES = 500, SENDERS = 3 };

static int64_t mono_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void nap(void)
{
    const struct timespec millisecond = {.tv_nsec = 1000000};
    (void)nanosleep(&millisecond, NULL);
}

/* True as soon as the value is there; false after ten seconds. */
static bool wait_for(atomic_int *value, int wanted)
{
    for (int i = 0; i < 10000 && atomic_load(value) < wanted; i++)
        nap();
    return atomic_load(value) >= wanted;
}

/* An actor counts messages; `running` and `seen` are plain on purpose: the pool must keep two workers from it. */
typedef struct actor {
    leat_runnable runnable;
    atomic_int inbox, closed;
    int seen, expected, steps;
    bool is_running;
} actor;

static leat_run_status run_actor(leat_runnable *runnable, int64_t *deadline_us)
{
    (void)deadline_us;
    actor *self = (actor *)runnable;
    assert_false(self->is_running);
    self->is_running = true;
    self->steps++;
    int taken = atomic_load(&self->inbox) - self->seen;
    if (taken > 3) taken = 3; /* a bounded step */
    self->seen += taken;
    self->is_running = false;
    if (self->seen == self->expected) return LEAT_RUN_CLOSED;
    return taken == 3 ? LEAT_RUN_AGAIN : LEAT_RUN_WAIT;
}

static void close_actor(leat_runnable *runnable)
{
    atomic_store(&((actor *)runnable)->closed, 1);
}

typedef struct sender {
    pthread_t thread;
    leat_executor *executor;
    actor *actors;
} sender;

static void *send_all(void *arg)
{
    sender *self = arg;
    for (int i = 0; i < MESSAGES; i++) {
        for (int a = 0; a < ACTORS; a++) {
            atomic_fetch_add(&self->actors[a].inbox, 1);
            self->executor->schedule(self->executor, &self->actors[a].runnable);
        }
    }
    return NULL;
}

static void no_wake_is_lost_and_no_actor_runs_twice_at_once(void **state)
{
    (void)state;
    static actor actors[ACTORS];
    memset(actors, 0, sizeof actors);
    leat_executor *executor;
    assert_int_equal(leat_pool_new(4, &executor, NULL), LEAT_OK);
    for (int a = 0; a < ACTORS; a++) {
        actors[a].runnable = (leat_runnable){.run = run_actor, .closed = close_actor, .home = a};
        actors[a].expected = MESSAGES * SENDERS;
    }
    sender senders[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (sender){.executor = executor, .actors = actors};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
    for (int a = 0; a < ACTORS; a++)
        assert_true(wait_for(&actors[a].closed, 1));
    leat_pool_free(executor);
}

typedef struct alarm_clock {
    leat_runnable runnable;
    int64_t due_us;
    atomic_int rang, closed;
} alarm_clock;

static leat_run_status run_alarm(leat_runnable *runnable, int64_t *deadline_us)
{
    alarm_clock *self = (alarm_clock *)runnable;
    if (mono_us() >= self->due_us) {
        atomic_store(&self->rang, 1);
        return LEAT_RUN_CLOSED;
    }
    *deadline_us = self->due_us;
    return LEAT_RUN_WAIT;
}

static void close_alarm(leat_runnable *runnable)
{
    atomic_store(&((alarm_clock *)runnable)->closed, 1);
}

static void deadlines_are_kept_in_any_order(void **state)
{
    (void)state;
    enum { ALARMS = 50 };
    static alarm_clock alarms[ALARMS];
    memset(alarms, 0, sizeof alarms);
    leat_executor *executor;
    assert_int_equal(leat_pool_new(2, &executor, NULL), LEAT_OK);
    int64_t start_us = mono_us();
    for (int i = 0; i < ALARMS; i++) {
        alarms[i].runnable = (leat_runnable){.run = run_alarm, .closed = close_alarm, .home = i};
        alarms[i].due_us = start_us + i * 37 % ALARMS * 1000;
        executor->schedule(executor, &alarms[i].runnable);
    }
    for (int i = 0; i < ALARMS; i++) {
        assert_true(wait_for(&alarms[i].closed, 1));
        assert_int_equal(atomic_load(&alarms[i].rang), 1);
    }
    leat_pool_free(executor);
}

static void a_timer_without_memory_runs_early_instead_of_never(void **state)
{
    (void)state;
    static alarm_clock alarm;
    memset(&alarm, 0, sizeof alarm);
    leat_executor *executor;
    assert_int_equal(leat_pool_new(1, &executor, NULL), LEAT_OK);
    alarm.runnable = (leat_runnable){.run = run_alarm, .closed = close_alarm};
    alarm.due_us = mono_us() + 20000;
    leat_memory_fail_nth(1);
    executor->schedule(executor, &alarm.runnable);
    assert_true(wait_for(&alarm.closed, 1));
    leat_memory_fail_nth(0);
    leat_pool_free(executor);
}

static void freeing_an_idle_pool_ends_its_threads(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        leat_executor *executor;
        assert_int_equal(leat_pool_new(i % 5, &executor, NULL), LEAT_OK);
        leat_pool_free(executor);
    }
    leat_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(no_wake_is_lost_and_no_actor_runs_twice_at_once),
        cmocka_unit_test(deadlines_are_kept_in_any_order),
        cmocka_unit_test(a_timer_without_memory_runs_early_instead_of_never),
        cmocka_unit_test(freeing_an_idle_pool_ends_its_threads),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
