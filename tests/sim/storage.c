#include <string.h>

#include "common/memory.h"
#include "tests/sim/world.h"

/* Storage as a process sees it, before the durable truth in memory.
 *
 * A call is a request, an effect and an answer, and takes time. It may fail before its effect or after it, take
 * seconds, or (objects on a server) have its effect once more later, as a request that was sent twice has. The caller
 * may be stopped between any two of these; and it may be killed: files see nothing of it from then on, a server may
 * have the request already. What was put whole, or finished, and answered well, is there for ever; of what was not
 * answered nobody knows. An object that is written piece by piece is seen when it is finished, or never; the removal of
 * a folder may end half done. */

typedef struct sim_storage {
    leat_storage storage; /* first */
    sim_process *process;
} sim_storage;

typedef enum outcome { GOOD, FAILS, LOSES } outcome;

static sim_process *process_of(leat_storage *storage)
{
    return ((sim_storage *)storage)->process;
}

static leat_storage *objects_of(leat_storage *storage)
{
    return process_of(storage)->world->objects;
}

static leat_code fail(const char *what, const char *path, leat_error *error)
{
    return leat_fail(error, LEAT_IO, "%s %s: simulated failure", what, path);
}

/* Whether the request of a process that has died meanwhile takes effect all the same, and when. */
static outcome outlive(sim_process *process)
{
    enum { LATE_CHANCE = 3000, LATE_US_MAX = 2000000 };
    sim_world *world = process->world;
    bool is_sent = world->weather.is_object_store && sim_strikes(world, SIM_STORE_LATE, LATE_CHANCE);
    if (!is_sent) return FAILS;
    sim_wait(process, (int64_t)sim_fault_below(world, SIM_STORE_LATE, LATE_US_MAX));
    return LOSES;
}

/* Counted once, and not a call: there are thousands of these. */
static bool is_out(sim_world *world)
{
    const sim_weather *weather = &world->weather;
    bool is_now = world->now_us >= weather->outage_from_us && world->now_us < weather->outage_until_us;
    if (!is_now || !sim_is_on(world, SIM_STORE_OUTAGE)) return false;
    world->counts.faults[SIM_STORE_OUTAGE] = 1;
    return true;
}

/* The request's way: a switch point. What becomes of it. */
static outcome enter(leat_storage *storage, bool has_effect)
{
    enum { OUTAGE_FAILS = 6000, OUTAGE_LOSES = 8000 };
    sim_process *process = process_of(storage);
    sim_world *world = process->world;
    const sim_weather *weather = &world->weather;
    bool was_dead = process->is_dead;
    int delay_max = world->is_healed ? 1000 : weather->storage_delay_us_max;
    int64_t delay_us = (int64_t)sim_below(world, (uint64_t)delay_max + 1);
    if (sim_strikes(world, SIM_STORE_SLOW, weather->storage_slow_chance))
        delay_us += (int64_t)sim_fault_below(world, SIM_STORE_SLOW, 3000000);
    sim_wait(process, delay_us);
    if (process->is_dead) return was_dead || !has_effect ? FAILS : outlive(process);
    if (is_out(world)) {
        if (sim_fault_below(world, SIM_STORE_OUTAGE, 10000) < OUTAGE_FAILS) return FAILS;
        if (sim_fault_below(world, SIM_STORE_OUTAGE, 10000) < OUTAGE_LOSES) return LOSES;
    }
    if (sim_strikes(world, SIM_STORE_FAIL, weather->storage_fail_chance)) return FAILS;
    return has_effect && sim_strikes(world, SIM_STORE_LOSE, weather->storage_lose_chance) ? LOSES : GOOD;
}

/* The answer's way; it may be lost. */
static leat_code leave(leat_storage *storage, outcome result, leat_code code, const char *what, const char *path,
                       leat_error *error)
{
    sim_process *process = process_of(storage);
    sim_world *world = process->world;
    if (!world->is_healed && !process->is_dead && sim_below(world, 4) == 0)
        sim_wait(process, (int64_t)sim_below(world, (uint64_t)world->weather.storage_delay_us_max + 1));
    if (process->is_dead) return fail(what, path, error);
    if (code == LEAT_OK && result == LOSES) return leat_fail(error, LEAT_IO, "%s %s: the reply was lost", what, path);
    return code;
}

/* --- effects that come once more --- */

typedef enum repeat_kind { REPEAT_PUT, REPEAT_REPLACE, REPEAT_REMOVE } repeat_kind;

typedef struct repeat {
    repeat_kind kind;
    char *path;
    leat_bytes data;
    leat_put_mode mode;
    leat_storage_version version;
} repeat;

static void repeat_it(sim_world *world, void *arg)
{
    repeat *self = arg;
    leat_code code = LEAT_OK; /* whatever comes of it, nobody hears of it */
    switch (self->kind) {
    case REPEAT_PUT:
        code = leat_storage_put(world->objects, self->path, self->data.data, self->data.size, self->mode, NULL);
        break;
    case REPEAT_REPLACE:
        code = leat_storage_replace(world->objects, self->path, self->data.data, self->data.size, &self->version, NULL);
        break;
    case REPEAT_REMOVE: code = leat_storage_remove(world->objects, self->path, NULL); break;
    }
    (void)code;
    leat_bytes_done(&self->data);
    leat_free(self->path);
    leat_free(self);
}

static void may_repeat(leat_storage *storage, const repeat *what, const char *path, const void *data, size_t size)
{
    enum { LATER_US_MAX = 2000000 };
    sim_world *world = process_of(storage)->world;
    if (!world->weather.is_object_store) return;
    if (!sim_strikes(world, SIM_STORE_REPEAT, world->weather.storage_repeat_chance)) return;
    repeat *self = leat_alloc(sizeof *self);
    LEAT_ASSERT(self);
    *self = *what;
    self->path = leat_strdup(path);
    LEAT_ASSERT(self->path);
    leat_bytes_put(&self->data, data, size);
    sim_after(world, (int64_t)sim_fault_below(world, SIM_STORE_REPEAT, LATER_US_MAX), repeat_it, self);
}

/* --- calls --- */

static leat_code sim_put(leat_storage *self, const char *path, const void *data, size_t size, leat_put_mode mode,
                         leat_error *error)
{
    outcome result = enter(self, true);
    if (result == FAILS) return fail("put", path, error);
    leat_code code = leat_storage_put(objects_of(self), path, data, size, mode, error);
    if (code == LEAT_OK) may_repeat(self, &(repeat){.kind = REPEAT_PUT, .mode = mode}, path, data, size);
    return leave(self, result, code, "put", path, error);
}

static leat_code sim_get(leat_storage *self, const char *path, uint64_t offset, size_t size, leat_bytes *out,
                         leat_error *error)
{
    if (enter(self, false) != GOOD) return fail("get", path, error);
    return leat_storage_get(objects_of(self), path, offset, size, out, error);
}

static leat_code sim_size(leat_storage *self, const char *path, uint64_t *out, leat_error *error)
{
    if (enter(self, false) != GOOD) return fail("stat", path, error);
    return leat_storage_size(objects_of(self), path, out, error);
}

static leat_code sim_list(leat_storage *self, const char *folder, leat_storage_list *out, leat_error *error)
{
    if (enter(self, false) != GOOD) return fail("list", folder, error);
    return leat_storage_list_folder(objects_of(self), folder, out, error);
}

static leat_code sim_remove(leat_storage *self, const char *path, leat_error *error)
{
    outcome result = enter(self, true);
    if (result == FAILS) return fail("remove", path, error);
    leat_code code = leat_storage_remove(objects_of(self), path, error);
    may_repeat(self, &(repeat){.kind = REPEAT_REMOVE}, path, NULL, 0);
    return leave(self, result, code, "remove", path, error);
}

static leat_code remove_half(leat_storage *self, const char *folder, leat_error *error)
{
    sim_world *world = process_of(self)->world;
    leat_storage_list list = {0};
    leat_code code = leat_storage_list_folder(world->objects, folder, &list, error);
    for (size_t i = 0; code == LEAT_OK && i < list.count; i++) {
        if (list.entries[i].is_folder || sim_fault_below(world, SIM_STORE_TORN, 2)) continue;
        char *path = leat_format("%s/%s", folder, list.entries[i].name);
        LEAT_ASSERT(path);
        code = leat_storage_remove(world->objects, path, error);
        leat_free(path);
    }
    leat_storage_list_done(&list);
    return code == LEAT_OK ? fail("remove", folder, error) : code;
}

static leat_code sim_remove_folder(leat_storage *self, const char *folder, leat_error *error)
{
    outcome result = enter(self, true);
    if (sim_strikes(process_of(self)->world, SIM_STORE_TORN, result == FAILS ? 5000 : 500))
        return process_of(self)->is_dead ? fail("remove", folder, error) : remove_half(self, folder, error);
    if (result == FAILS) return fail("remove", folder, error);
    leat_code code = leat_storage_remove_folder(objects_of(self), folder, error);
    return leave(self, result, code, "remove", folder, error);
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
    sim_process *process = process_of(self->storage);
    sim_world *world = process->world;
    if (!world->is_healed) sim_wait(process, (int64_t)sim_below(world, (uint64_t)world->weather.delay_us_max + 1));
    if (process->is_dead) return fail("write", self->path, error);
    if (sim_strikes(world, SIM_STORE_TORN, world->weather.storage_fail_chance / 4))
        return fail("write", self->path, error);
    leat_bytes_put(&self->data, data, size);
    return leat_bytes_check(&self->data, error);
}

static void writer_abort(leat_storage_writer *writer)
{
    sim_writer *self = (sim_writer *)writer;
    process_of(self->storage)->uploads--;
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
    process_of(self)->uploads++;
    *out = &writer->writer;
    return LEAT_OK;
}

static leat_code sim_scratch(leat_storage *self, const char *folder, leat_scratch **out, leat_error *error)
{
    if (enter(self, false) != GOOD) return fail("scratch", folder, error);
    return leat_storage_scratch(objects_of(self), folder, out, error);
}

static void sim_free(leat_storage *self)
{
    leat_free(self);
}

static leat_code sim_get_version(leat_storage *self, const char *path, size_t limit_bytes, leat_bytes *out,
                                 leat_storage_version *version, leat_error *error)
{
    if (enter(self, false) != GOOD) return fail("get", path, error);
    return leat_storage_get_version(objects_of(self), path, limit_bytes, out, version, error);
}

static leat_code sim_replace(leat_storage *self, const char *path, const void *data, size_t size,
                             leat_storage_version *version, leat_error *error)
{
    outcome result = enter(self, true);
    if (result == FAILS) return fail("replace", path, error);
    leat_storage_version next = *version;
    leat_code code = leat_storage_replace(objects_of(self), path, data, size, &next, error);
    if (code == LEAT_OK) may_repeat(self, &(repeat){.kind = REPEAT_REPLACE, .version = *version}, path, data, size);
    code = leave(self, result, code, "replace", path, error);
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
