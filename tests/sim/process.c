#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "tests/sim/world.h"

/* The environment of a process: time, jobs as fibers, storage behind delays and failures; and the executor of its
 * subtasks, for which a run is an event. */

static sim_process *process_of(leat_env *env)
{
    return (sim_process *)env;
}

/* The wall clock is set on by a day, and back again, every few seconds. */
static int64_t env_now_ms(leat_env *env)
{
    enum { HOP_EVERY_MS = 3000, DAY_MS = 86400000 };
    int64_t now_ms = process_of(env)->world->now_us / 1000;
    return INT64_C(1700000000000) + now_ms + now_ms / HOP_EVERY_MS % 3 * DAY_MS;
}

static int64_t env_mono_us(leat_env *env)
{
    return process_of(env)->world->now_us + 1;
}

void sim_resume_fiber(sim_world *world, void *arg)
{
    (void)world;
    if (leat_fiber_resume(arg)) leat_fiber_free(arg);
}

static void env_sleep_ms(leat_env *env, int64_t ms)
{
    sim_process *process = process_of(env);
    LEAT_ASSERT(leat_fiber_current()); /* only jobs may block */
    sim_after(process->world, process->is_dead ? 0 : ms * 1000, sim_resume_fiber, leat_fiber_current());
    leat_fiber_yield();
}

static uint64_t env_random(leat_env *env)
{
    return sim_random(process_of(env)->world);
}

typedef struct fiber_job {
    sim_process *process;
    leat_job *job;
} fiber_job;

static void run_fiber_job(void *arg)
{
    fiber_job *spawned = arg;
    sim_process *process = spawned->process;
    spawned->job->run(spawned->job, &process->env);
    spawned->job->done(spawned->job, &process->env);
    process->fibers--;
    leat_free(spawned);
}

static leat_code env_spawn(leat_env *env, leat_job *job, leat_error *error)
{
    sim_process *process = process_of(env);
    fiber_job *spawned = leat_alloc(sizeof *spawned);
    leat_fiber *fiber;
    if (!spawned) return leat_fail_no_memory(error);
    *spawned = (fiber_job){process, job};
    leat_code code = leat_fiber_new(run_fiber_job, spawned, &fiber, error);
    LEAT_ASSERT(code == LEAT_OK);
    process->fibers++;
    sim_after(process->world, (int64_t)sim_below(process->world, 200), sim_resume_fiber, fiber);
    return LEAT_OK;
}

static const leat_env_vtable sim_env_vtable = {env_now_ms, env_mono_us, env_sleep_ms, env_random, env_spawn};

void sim_init_process(sim_world *world, sim_process *process, const char *id)
{
    *process = (sim_process){.env = {.vtable = &sim_env_vtable}, .world = world};
    snprintf(process->id, sizeof process->id, "%s", id);
    process->env.storage = sim_storage_new(process);
    process->env.tmp_folder = "mem:/tmp";
}

/* --- the executor --- */

enum { IDLE, QUEUED, CLOSED };

typedef struct run_event {
    sim_process *process;
    leat_runnable *runnable;
    leat_task_job *job;  /* a reference: the runnable lives as long */
    int32_t runs_before; /* a deadline of an earlier wait is stale */
    bool is_deadline;
} run_event;

static void run_one(sim_world *world, void *arg);

static void queue_run(sim_process *process, leat_runnable *runnable, int64_t after_us, bool is_deadline)
{
    run_event *event = leat_alloc(sizeof *event);
    LEAT_ASSERT(event);
    leat_subtask *subtask = (leat_subtask *)runnable; /* all runnables are subtasks */
    *event = (run_event){process, runnable, leat_task_job_ref(subtask->job), runnable->heap_at, is_deadline};
    process->events++;
    sim_after(process->world, after_us, run_one, event);
}

static void run_now(sim_world *world, sim_process *process, leat_runnable *runnable)
{
    atomic_store(&runnable->state, IDLE);
    runnable->heap_at++; /* counts runs here */
    int64_t deadline_us = INT64_MAX;
    leat_run_status status = runnable->run(runnable, &deadline_us);
    if (status == LEAT_RUN_CLOSED) {
        atomic_store(&runnable->state, CLOSED);
        runnable->closed(runnable);
        return;
    }
    if (atomic_load(&runnable->state) == QUEUED) return; /* scheduled meanwhile */
    if (status == LEAT_RUN_AGAIN) {
        atomic_store(&runnable->state, QUEUED);
        queue_run(process, runnable, 1 + (int64_t)sim_below(world, 50), false);
    } else if (deadline_us != INT64_MAX) {
        queue_run(process, runnable, deadline_us - world->now_us, true);
    }
}

static void run_one(sim_world *world, void *arg)
{
    run_event event = *(run_event *)arg;
    leat_free(arg);
    leat_runnable *runnable = event.runnable;
    int state = atomic_load(&runnable->state);
    bool is_stale = event.is_deadline && (state != IDLE || runnable->heap_at != event.runs_before);
    if (!is_stale && state != CLOSED) run_now(world, event.process, runnable);
    event.process->events--;
    leat_task_job_unref(event.job);
}

static void sim_schedule(leat_executor *executor, leat_runnable *runnable)
{
    sim_process *process = (sim_process *)((char *)executor - offsetof(sim_process, executor));
    if (atomic_load(&runnable->state) != IDLE) return;
    atomic_store(&runnable->state, QUEUED);
    queue_run(process, runnable, 1 + (int64_t)sim_below(process->world, 50), false);
}

/* --- task managers --- */

enum { HEARTBEAT_US = 200000 };

static void heartbeat(sim_world *world, void *arg)
{
    sim_process *process = arg;
    if (process->is_dead) {
        process->events--;
        return;
    }
    leat_taskmanager_heartbeat(&process->taskmanager);
    sim_after(world, HEARTBEAT_US, heartbeat, process);
}

int sim_index_of(const sim_world *world, const sim_process *process)
{
    for (int i = 0; i < world->taskmanagers_count; i++) {
        if (world->taskmanagers[i] == process) return i;
    }
    return -1;
}

void sim_start_taskmanager(sim_world *world, int index)
{
    char id[16];
    snprintf(id, sizeof id, "tm-%d", index);
    sim_process *process = leat_calloc(1, sizeof *process);
    LEAT_ASSERT(process);
    sim_init_process(world, process, id);
    process->generation = ++world->next_generation;
    snprintf(process->endpoint, sizeof process->endpoint, "sim-%d", index);
    process->executor.schedule = sim_schedule;
    sim_connect_taskmanager(process);
    process->taskmanager = (leat_taskmanager){.id = process->id,
                                              .data_endpoint = process->endpoint,
                                              .env = &process->env,
                                              .config = &world->config,
                                              .registry = &world->registry,
                                              .executor = &process->executor,
                                              .transport = &process->transport,
                                              .slots = 4};
    leat_code code = leat_taskmanager_init(&process->taskmanager, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    world->taskmanagers[index] = process;
    if (index >= world->taskmanagers_count) world->taskmanagers_count = index + 1;
    leat_taskmanager_register(&process->taskmanager);
    process->events++;
    sim_after(world, HEARTBEAT_US, heartbeat, process);
}

void sim_kill_taskmanager(sim_world *world, int index)
{
    sim_process *process = world->taskmanagers[index];
    if (process->is_dead) return;
    world->counts.kills++;
    process->is_dead = true;
    leat_code code = leat_grow(&world->dead, &world->dead_capacity, world->dead_count + 1, sizeof *world->dead, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    world->dead[world->dead_count++] = process;
    leat_taskmanager_cancel_all(&process->taskmanager); /* takes its memory down; nothing of it is seen outside */
    sim_disconnect(world, index);
}

/* --- storage --- */

typedef struct sim_storage {
    leat_storage storage; /* first */
    sim_process *process;
} sim_storage;

typedef enum outcome { GOOD, FAILS, LOSES } outcome;

static sim_world *world_of(leat_storage *storage)
{
    return ((sim_storage *)storage)->process->world;
}

/* Every call takes time (a switch point) and may go wrong. A dead process's calls have no effect. */
static outcome enter(leat_storage *storage, const char *what, const char *path, leat_error *error)
{
    sim_process *process = ((sim_storage *)storage)->process;
    sim_world *world = process->world;
    LEAT_ASSERT(leat_fiber_current());
    int delay_max = world->is_healed ? 1000 : world->weather.storage_delay_us_max;
    int64_t delay_us = (int64_t)sim_below(world, (uint64_t)delay_max + 1);
    sim_after(world, delay_us, sim_resume_fiber, leat_fiber_current());
    leat_fiber_yield();
    bool is_out = world->now_us >= world->weather.outage_from_us && world->now_us < world->weather.outage_until_us;
    bool fails = process->is_dead || sim_chance(world, is_out ? 6000 : world->weather.storage_fail_chance);
    bool loses = !fails && sim_chance(world, is_out ? 8000 : world->weather.storage_lose_chance);
    if (fails) (void)leat_fail(error, LEAT_IO, "%s %s: simulated failure", what, path);
    world->counts.storage_failures += fails && !process->is_dead;
    world->counts.storage_losses += loses;
    return fails ? FAILS : loses ? LOSES : GOOD;
}

/* After the effect: the reply may be lost. */
static leat_code leave(outcome result, leat_code code, const char *what, const char *path, leat_error *error)
{
    if (code == LEAT_OK && result == LOSES) return leat_fail(error, LEAT_IO, "%s %s: the reply was lost", what, path);
    return code;
}

static leat_code sim_put(leat_storage *self, const char *path, const void *data, size_t size, leat_put_mode mode,
                         leat_error *error)
{
    outcome result = enter(self, "put", path, error);
    if (result == FAILS) return LEAT_IO;
    return leave(result, leat_storage_put(world_of(self)->objects, path, data, size, mode, error), "put", path, error);
}

static leat_code sim_get(leat_storage *self, const char *path, uint64_t offset, size_t size, leat_bytes *out,
                         leat_error *error)
{
    outcome result = enter(self, "get", path, error);
    if (result != GOOD) return leat_fail(error, LEAT_IO, "get %s: simulated failure", path);
    return leat_storage_get(world_of(self)->objects, path, offset, size, out, error);
}

static leat_code sim_size(leat_storage *self, const char *path, uint64_t *out, leat_error *error)
{
    outcome result = enter(self, "stat", path, error);
    if (result != GOOD) return leat_fail(error, LEAT_IO, "stat %s: simulated failure", path);
    return leat_storage_size(world_of(self)->objects, path, out, error);
}

static leat_code sim_list(leat_storage *self, const char *folder, leat_storage_list *out, leat_error *error)
{
    outcome result = enter(self, "list", folder, error);
    if (result != GOOD) return leat_fail(error, LEAT_IO, "list %s: simulated failure", folder);
    return leat_storage_list_folder(world_of(self)->objects, folder, out, error);
}

static leat_code sim_remove(leat_storage *self, const char *path, leat_error *error)
{
    outcome result = enter(self, "remove", path, error);
    if (result == FAILS) return LEAT_IO;
    return leave(result, leat_storage_remove(world_of(self)->objects, path, error), "remove", path, error);
}

static leat_code sim_remove_folder(leat_storage *self, const char *folder, leat_error *error)
{
    outcome result = enter(self, "remove", folder, error);
    if (result == FAILS) return LEAT_IO;
    return leave(result, leat_storage_remove_folder(world_of(self)->objects, folder, error), "remove", folder, error);
}

typedef struct sim_writer {
    leat_storage_writer writer; /* first */
    leat_storage *storage;
    char *path;
    leat_bytes data;
} sim_writer;

static leat_code writer_write(leat_storage_writer *writer, const void *data, size_t size, leat_error *error)
{
    sim_writer *self = (sim_writer *)writer;
    leat_bytes_put(&self->data, data, size);
    return leat_bytes_check(&self->data, error);
}

static void writer_abort(leat_storage_writer *writer)
{
    sim_writer *self = (sim_writer *)writer;
    leat_bytes_done(&self->data);
    leat_free(self->path);
    leat_free(self);
}

static leat_code writer_finish(leat_storage_writer *writer, leat_error *error)
{
    sim_writer *self = (sim_writer *)writer;
    leat_code code = sim_put(self->storage, self->path, self->data.data, self->data.size, LEAT_PUT_REPLACE, error);
    writer_abort(writer);
    return code;
}

static const leat_storage_writer_vtable sim_writer_vtable = {writer_write, writer_finish, writer_abort};

static leat_code sim_create(leat_storage *self, const char *path, leat_storage_writer **out, leat_error *error)
{
    sim_writer *writer = leat_calloc(1, sizeof *writer);
    if (!writer) return leat_fail_no_memory(error);
    *writer = (sim_writer){.writer = {&sim_writer_vtable}, .storage = self, .path = leat_strdup(path)};
    *out = &writer->writer;
    return LEAT_OK;
}

static leat_code sim_scratch(leat_storage *self, const char *folder, leat_scratch **out, leat_error *error)
{
    outcome result = enter(self, "scratch", folder, error);
    if (result != GOOD) return leat_fail(error, LEAT_IO, "scratch %s: simulated failure", folder);
    return leat_storage_scratch(world_of(self)->objects, folder, out, error);
}

static void sim_free(leat_storage *self)
{
    leat_free(self);
}

static leat_code sim_get_version(leat_storage *self, const char *path, size_t limit_bytes, leat_bytes *out,
                                 leat_storage_version *version, leat_error *error)
{
    outcome result = enter(self, "get", path, error);
    if (result != GOOD) return leat_fail(error, LEAT_IO, "get %s: simulated failure", path);
    return leat_storage_get_version(world_of(self)->objects, path, limit_bytes, out, version, error);
}

static leat_code sim_replace(leat_storage *self, const char *path, const void *data, size_t size,
                             leat_storage_version *version, leat_error *error)
{
    outcome result = enter(self, "replace", path, error);
    if (result == FAILS) return LEAT_IO;
    leat_storage_version next = *version;
    leat_code code = leat_storage_replace(world_of(self)->objects, path, data, size, &next, error);
    code = leave(result, code, "replace", path, error);
    if (code == LEAT_OK) *version = next;
    return code;
}

static const leat_storage_vtable sim_storage_vtable = {.put = sim_put,
                                                       .get = sim_get,
                                                       .size = sim_size,
                                                       .list = sim_list,
                                                       .remove = sim_remove,
                                                       .remove_folder = sim_remove_folder,
                                                       .create = sim_create,
                                                       .free = sim_free,
                                                       .scratch = sim_scratch,
                                                       .get_version = sim_get_version,
                                                       .replace = sim_replace};

leat_storage *sim_storage_new(sim_process *process)
{
    sim_storage *storage = leat_calloc(1, sizeof *storage);
    LEAT_ASSERT(storage);
    *storage = (sim_storage){{&sim_storage_vtable}, process};
    return &storage->storage;
}
