/* The chain of snapshots of a table. Each snapshot is read once; what it names is looked for every time. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/path.h"
#include "paimon/scan.h"
#include "paimon/snapshot.h"
#include "tests/sim/table_reader.h"

enum { USERS_MAX = 16 };

/* What the newest snapshot of a job was. */
typedef struct user {
    const char *name;
    int64_t identifier;
    leat_paimon_commit_kind kind;
} user;

typedef struct object {
    int64_t snapshot_id;
    const char *path;
    int64_t size_bytes; /* -1: not known */
} object;

struct sim_chain {
    sim_world *world;
    leat_env *env;
    leat_paimon_table *table;
    leat_arena arena;           /* of what stays */
    leat_arena before, scratch; /* of `live`, and of the snapshot that is being read */
    int64_t first_id, last_id;  /* that were read; 0: none */
    user users[USERS_MAX];
    int users_count;
    leat_paimon_entries live; /* of the last one; in `before` */
    object *objects;
    size_t objects_count, objects_capacity;
};

static void check_user(sim_chain *self, const leat_paimon_snapshot *snapshot)
{
    sim_world *world = self->world;
    user *known = NULL;
    for (int i = 0; i < self->users_count; i++)
        if (strcmp(self->users[i].name, snapshot->commit_user) == 0) known = &self->users[i];
    if (known) {
        bool is_second_half = known->identifier == snapshot->commit_identifier &&
                              snapshot->commit_kind == LEAT_PAIMON_COMMIT_COMPACT &&
                              known->kind != LEAT_PAIMON_COMMIT_COMPACT;
        SIM_REQUIRE(world, is_second_half || known->identifier < snapshot->commit_identifier,
                    "snapshot %" PRId64 " is checkpoint %" PRId64 " of a job whose checkpoint %" PRId64
                    " is there before it",
                    snapshot->id, snapshot->commit_identifier, known->identifier);
    } else {
        LEAT_ASSERT(self->users_count < USERS_MAX);
        known = &self->users[self->users_count++];
    }
    const char *name = leat_arena_strdup(&self->arena, snapshot->commit_user);
    LEAT_ASSERT(name);
    *known = (user){name, snapshot->commit_identifier, snapshot->commit_kind};
}

static void add_object(sim_chain *self, int64_t snapshot_id, const char *path, int64_t size_bytes)
{
    leat_code code = leat_grow(&self->objects, &self->objects_capacity, self->objects_count + 1, sizeof(object), NULL);
    LEAT_ASSERT(code == LEAT_OK && path);
    self->objects[self->objects_count++] = (object){snapshot_id, path, size_bytes};
}

static void require_objects(const sim_chain *self)
{
    for (size_t i = 0; i < self->objects_count; i++) {
        const object *named = &self->objects[i];
        uint64_t size = 0;
        leat_code code = leat_storage_size(self->env->storage, named->path, &size, NULL);
        SIM_REQUIRE(self->world, code == LEAT_OK && (named->size_bytes < 0 || size == (uint64_t)named->size_bytes),
                    "snapshot %" PRId64 " names %s of %" PRId64 " bytes; there are %" PRId64, named->snapshot_id,
                    named->path, named->size_bytes, code == LEAT_OK ? (int64_t)size : -1);
    }
}

static leat_code add_files(sim_chain *self, int64_t snapshot_id, const leat_paimon_entries *entries, leat_error *error)
{
    for (size_t i = 0; i < entries->count; i++) {
        const leat_paimon_entry *entry = &entries->items[i];
        const char *folder;
        if (entry->kind != LEAT_PAIMON_ADD) continue;
        LEAT_TRY(leat_paimon_bucket_path(self->table->path, &self->table->schema, entry->partition,
                                         entry->partition_size, entry->bucket, &self->scratch, &folder, error));
        add_object(self, snapshot_id, leat_paimon_file_path(folder, &entry->file, &self->arena),
                   entry->file.size_bytes);
    }
    return LEAT_OK;
}

static leat_code add_index(sim_chain *self, const leat_paimon_snapshot *snapshot, leat_error *error)
{
    leat_paimon_index_files files = {0};
    if (!snapshot->index_manifest) return LEAT_OK;
    LEAT_TRY(leat_paimon_index_manifest_load(self->env, self->table->path, snapshot->index_manifest, &self->scratch,
                                             &files, error));
    for (size_t i = 0; i < files.count; i++) {
        const char *path = leat_paimon_path(self->table->path, "index", files.items[i].name, &self->arena);
        add_object(self, snapshot->id, path, files.items[i].size_bytes);
    }
    return LEAT_OK;
}

static leat_code add_manifests(sim_chain *self, const leat_paimon_snapshot *snapshot, leat_error *error)
{
    const char *lists[] = {snapshot->base_manifest_list, snapshot->delta_manifest_list,
                           snapshot->changelog_manifest_list};
    const char *folder = "manifest", *table_path = self->table->path;
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        leat_paimon_manifests manifests = {0};
        if (!lists[l]) continue;
        add_object(self, snapshot->id, leat_paimon_path(table_path, folder, lists[l], &self->arena), -1);
        LEAT_TRY(leat_paimon_manifest_list_load(self->env, table_path, lists[l], &self->scratch, &manifests, error));
        for (size_t i = 0; i < manifests.count; i++) {
            const char *path = leat_paimon_path(table_path, folder, manifests.items[i].name, &self->arena);
            add_object(self, snapshot->id, path, manifests.items[i].size_bytes);
        }
    }
    return LEAT_OK;
}

static bool is_among(const leat_paimon_entry *entry, const leat_paimon_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        if (leat_paimon_entry_same_file(entry, &entries->items[i])) return true;
    return false;
}

/* All files of a snapshot are those of the one before and its own changes. */
static leat_code check_base(sim_chain *self, const leat_paimon_snapshot *snapshot, const leat_paimon_entries *live,
                            const leat_paimon_entries *delta, leat_error *error)
{
    leat_paimon_entries expected = {0};
    for (size_t i = 0; i < self->live.count; i++)
        LEAT_TRY(leat_paimon_entries_add(&expected, &self->live.items[i], &self->scratch, error));
    for (size_t i = 0; i < delta->count; i++)
        LEAT_TRY(leat_paimon_entries_add(&expected, &delta->items[i], &self->scratch, error));
    LEAT_TRY(leat_paimon_entries_merge(&expected, false, error));
    bool is_same = expected.count == live->count;
    for (size_t i = 0; is_same && i < live->count; i++)
        is_same = is_among(&live->items[i], &expected);
    SIM_REQUIRE(self->world, is_same,
                "snapshot %" PRId64 " has %zu files; the one before it and its own changes make %zu", snapshot->id,
                live->count, expected.count);
    return LEAT_OK;
}

static leat_code read_snapshot(sim_chain *self, int64_t id, leat_error *error)
{
    leat_paimon_snapshot read = {0}, *snapshot = &read;
    leat_paimon_entries live = {0}, delta = {0}, changelog = {0};
    bool is_first = self->last_id == 0;
    LEAT_TRY(leat_paimon_snapshot_load(self->env, self->table->path, id, &self->scratch, snapshot, error));
    check_user(self, snapshot);
    LEAT_TRY(leat_paimon_scan_entries(self->env, self->table, snapshot, NULL, &self->scratch, &live, error));
    LEAT_TRY(leat_paimon_scan_delta(self->env, self->table, snapshot, &self->scratch, &delta, error));
    LEAT_TRY(leat_paimon_scan_changelog(self->env, self->table, snapshot, &self->scratch, &changelog, error));
    if (!is_first) LEAT_TRY(check_base(self, snapshot, &live, &delta, error));
    LEAT_TRY(add_files(self, id, is_first ? &live : &delta, error));
    LEAT_TRY(add_files(self, id, &changelog, error));
    LEAT_TRY(add_index(self, snapshot, error));
    LEAT_TRY(add_manifests(self, snapshot, error));
    leat_arena old = self->before;
    self->before = self->scratch;
    self->scratch = old;
    leat_arena_reset(&self->scratch);
    self->live = live;
    self->last_id = id;
    if (is_first) self->first_id = id;
    return LEAT_OK;
}

static void init(sim_chain *self)
{
    *self = (sim_chain){0};
    leat_arena_init(&self->arena, SIM_ARENA_BYTES_MAX);
    leat_arena_init(&self->before, SIM_ARENA_BYTES_MAX);
    leat_arena_init(&self->scratch, SIM_ARENA_BYTES_MAX);
}

static void forget(sim_chain *self)
{
    if (self->table) leat_paimon_table_done(self->table);
    leat_arena_done(&self->arena);
    leat_arena_done(&self->before);
    leat_arena_done(&self->scratch);
    leat_free(self->objects);
    init(self);
}

/* From `earliest` on; 0: there is none. */
static leat_code read_from(sim_chain *self, sim_world *world, leat_env *env, const char *table_path, int64_t earliest,
                           leat_error *error)
{
    int64_t latest;
    LEAT_TRY(leat_paimon_snapshot_latest_id(env, table_path, &latest, error));
    if (earliest != self->first_id) forget(self); /* some have expired: others may not be named any more */
    self->world = world;
    self->env = env;
    if (!self->table) {
        leat_paimon_table *table = leat_arena_take(&self->arena, sizeof *table);
        LEAT_TRY(leat_paimon_open_table(env, table_path, NULL, &self->arena, table, error));
        self->table = table;
    }
    for (int64_t id = self->last_id ? self->last_id + 1 : earliest; id > 0 && id <= latest; id++)
        LEAT_TRY(read_snapshot(self, id, error));
    return LEAT_OK;
}

sim_chain *sim_chain_new(void)
{
    sim_chain *self = leat_calloc(1, sizeof *self);
    LEAT_ASSERT(self);
    init(self);
    return self;
}

void sim_chain_free(sim_chain *chain)
{
    if (!chain) return;
    forget(chain);
    leat_free(chain);
}

void sim_chain_check(sim_chain *chain, sim_world *world, const char *table_path)
{
    sim_process process = sim_looker(world);
    leat_error error = {0};
    int64_t earliest;
    leat_code code = leat_paimon_snapshot_earliest_id(&process.env, table_path, &earliest, &error);
    if (code == LEAT_OK) code = read_from(chain, world, &process.env, table_path, earliest, &error);
    SIM_REQUIRE(world, code == LEAT_OK, "%s", error.text);
    if (code == LEAT_OK) require_objects(chain);
}

/* --- expiry --- */

static int compare_paths(const void *left, const void *right)
{
    return strcmp(((const object *)left)->path, ((const object *)right)->path);
}

/* What `all` names and `kept` does not, and the snapshots before `earliest`. */
static leat_code remove_unnamed(const sim_chain *all, sim_chain *kept, int64_t earliest, leat_error *error)
{
    leat_storage *storage = all->env->storage;
    const char *table_path = all->table->path;
    if (kept->objects_count) qsort(kept->objects, kept->objects_count, sizeof *kept->objects, compare_paths);
    for (size_t i = 0; i < all->objects_count; i++) {
        const object *named = &all->objects[i];
        if (!bsearch(named, kept->objects, kept->objects_count, sizeof *named, compare_paths))
            LEAT_TRY(leat_storage_remove(storage, named->path, error));
    }
    LEAT_TRY(leat_paimon_hint_store(all->env, table_path, "EARLIEST", earliest, error));
    for (int64_t id = all->first_id; id < earliest; id++) {
        char *path = leat_format("%s/snapshot/snapshot-%" PRId64, table_path, id);
        leat_code code = leat_storage_remove(storage, path, error);
        leat_free(path);
        if (code != LEAT_OK) return code;
    }
    return LEAT_OK;
}

void sim_expire(sim_world *world, const char *table_path, int64_t retained)
{
    sim_process process = sim_looker(world);
    sim_chain *all = sim_chain_new(), *kept = sim_chain_new();
    leat_error error = {0};
    int64_t first = 0, latest = 0;
    leat_code code = leat_paimon_snapshot_earliest_id(&process.env, table_path, &first, &error);
    if (code == LEAT_OK) code = leat_paimon_snapshot_latest_id(&process.env, table_path, &latest, &error);
    int64_t earliest = latest - retained + 1;
    if (code == LEAT_OK && first > 0 && earliest > first) {
        code = read_from(all, world, &process.env, table_path, first, &error);
        if (code == LEAT_OK) code = read_from(kept, world, &process.env, table_path, earliest, &error);
        if (code == LEAT_OK) code = remove_unnamed(all, kept, earliest, &error);
    }
    SIM_REQUIRE(world, code == LEAT_OK, "expire snapshots: %s", error.text);
    sim_chain_free(all);
    sim_chain_free(kept);
}
