#include "common/log.h"
#include "taskmanager/taskmanager.h"

/* The job manager and this task manager in each other's minds: heartbeats, the lease, and what happens when one of them
 * has given up the other. */

/* Metrics travel with heartbeats: a second is what a person watching accepts. */
enum { INTERVAL_MS_MAX = 1000, HEARTBEATS_PER_TIMEOUT = 4 };

void leat_leader_begin(leat_taskmanager *self)
{
    int64_t interval_ms = leat_config_duration_ms(self->config, LEAT_OPTION_HEARTBEAT_INTERVAL);
    if (interval_ms > INTERVAL_MS_MAX) interval_ms = INTERVAL_MS_MAX;
    self->heartbeat_interval_us = interval_ms * 1000;
    self->lease_us = leat_config_duration_ms(self->config, LEAT_OPTION_LEASE) * 1000;
    self->heard_us = leat_env_mono_us(self->env);
}

static void end_if_silent(leat_taskmanager *self, int64_t now_us)
{
    if (self->is_cut_off || now_us - self->heard_us <= self->lease_us) return;
    self->is_cut_off = true;
    leat_log(LEAT_LOG_WARN, "taskmanager", "no word from the job manager for %lld ms: ending all tasks",
             (long long)self->lease_us / 1000);
    leat_taskmanager_cancel_all(self);
}

/* A lease that has run out is not revived by a word that waited meanwhile (the process was stopped): the tasks end
 * first. */
void leat_leader_on_heard(leat_taskmanager *self)
{
    int64_t now_us = leat_env_mono_us(self->env);
    end_if_silent(self, now_us);
    self->heard_us = now_us;
    self->is_cut_off = false;
    atomic_store_explicit(&self->lease_until_us, now_us + self->lease_us, memory_order_relaxed);
}

bool leat_taskmanager_has_lease(leat_taskmanager *self)
{
    int64_t until_us = atomic_load_explicit(&self->lease_until_us, memory_order_relaxed);
    return until_us == 0 || leat_env_mono_us(self->env) < until_us;
}

/* The job manager takes a task manager for dead after its own time: by then nothing may run here any more, and there
 * must have been heartbeats enough. */
void leat_leader_on_registered(leat_taskmanager *self, const Leat__Pb__Registered *message)
{
    int64_t timeout_us = (int64_t)message->heartbeat_timeout_ms * 1000;
    if (timeout_us <= 0) return;
    if (self->lease_us > timeout_us) self->lease_us = timeout_us;
    if (self->heartbeat_interval_us > timeout_us / HEARTBEATS_PER_TIMEOUT)
        self->heartbeat_interval_us = timeout_us / HEARTBEATS_PER_TIMEOUT;
}

int64_t leat_taskmanager_on_tick(leat_taskmanager *self)
{
    int64_t now_us = leat_env_mono_us(self->env);
    if (now_us - self->told_us >= self->heartbeat_interval_us) {
        self->told_us = now_us;
        leat_taskmanager_heartbeat(self);
    }
    end_if_silent(self, now_us);
    return self->told_us + self->heartbeat_interval_us;
}

/* A process that was stopped for a while is given up, though its connections stand: then nobody else would make it
 * register. What runs here is lost to the job manager. Told for each heartbeat that it does not want: one answer will
 * do. */
void leat_leader_on_register_again(leat_taskmanager *self)
{
    if (leat_env_mono_us(self->env) - self->registered_us < self->heartbeat_interval_us) return;
    leat_log(LEAT_LOG_WARN, "taskmanager", "the job manager has given this task manager up: ending all tasks");
    leat_taskmanager_cancel_all(self);
    leat_taskmanager_register(self);
}
