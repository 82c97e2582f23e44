#include "paimon/pk/loader.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/scan.h"
#include "paimon/snapshot.h"

static const size_t arena_bytes_max = (size_t)2 << 30;

static leat_code load_hashes(leat_pk_loader *loader, leat_env *env, leat_error *error)
{
    const char *known = loader->known_index_manifest;
    if (!loader->index_manifest || (known && strcmp(known, loader->index_manifest) == 0)) return LEAT_OK;
    leat_paimon_index_files files = {0};
    const char *path = loader->table->path;
    LEAT_TRY(leat_paimon_index_manifest_load(env, path, loader->index_manifest, &loader->arena, &files, error));
    loader->hashes = leat_arena_take(&loader->arena, (files.count + 1) * sizeof *loader->hashes);
    if (!loader->hashes) return leat_fail_no_memory(error);
    for (size_t i = 0; i < files.count; i++) {
        if (strcmp(files.items[i].index_type, "HASH") != 0) continue;
        leat_pk_key_hashes *keys = &loader->hashes[loader->hashes_count];
        keys->file = &files.items[i];
        LEAT_TRY(
            leat_paimon_hash_index_load(env, path, keys->file, &loader->arena, &keys->hashes, &keys->count, error));
        loader->hashes_count++;
    }
    return LEAT_OK;
}

static leat_code load_once(leat_pk_loader *loader, leat_env *env, leat_error *error)
{
    const char *path = loader->table->path;
    leat_paimon_snapshot snapshot;
    LEAT_TRY(leat_paimon_snapshot_latest_id(env, path, &loader->snapshot_id, error));
    if (loader->snapshot_id == 0) return LEAT_OK;
    LEAT_TRY(leat_paimon_snapshot_load(env, path, loader->snapshot_id, &loader->arena, &snapshot, error));
    loader->index_manifest = snapshot.index_manifest;
    if (loader->wants_files) {
        LEAT_TRY(
            leat_paimon_scan_entries(env, loader->table, &snapshot, NULL, &loader->arena, &loader->entries, error));
    }
    return loader->wants_hashes ? load_hashes(loader, env, error) : LEAT_OK;
}

enum { TRIES_MAX = 5 };

static void run_load(leat_job *job, leat_env *env)
{
    leat_pk_loader *loader = (leat_pk_loader *)job;
    for (int i = 0; i < TRIES_MAX; i++) { /* a snapshot may expire while it is being read: then there is a newer one */
        leat_arena_reset(&loader->arena);
        loader->entries = (leat_paimon_entries){0};
        loader->hashes_count = 0;
        loader->index_manifest = NULL;
        loader->code = load_once(loader, env, &loader->error);
        if (loader->code != LEAT_NOT_FOUND) break;
    }
    if (loader->code != LEAT_OK) (void)leat_fail_in(&loader->error, loader->code, "load %s", loader->table->path);
}

static void done_load(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_loader *loader = (leat_pk_loader *)job;
    leat_operator_context *context = loader->context;
    atomic_store_explicit(&loader->has_ended, true, memory_order_release); /* pairs with the acquire in poll */
    leat_context_wake(context);
}

leat_code leat_pk_loader_start(leat_pk_loader *loader, leat_operator_context *context, const leat_paimon_table *table,
                               leat_error *error)
{
    LEAT_ASSERT(!loader->is_running);
    leat_arena_init(&loader->arena, arena_bytes_max);
    loader->job = (leat_job){.run = run_load, .done = done_load};
    loader->context = context;
    loader->table = table;
    atomic_store_explicit(&loader->has_ended, false, memory_order_relaxed);
    loader->is_running = true;
    leat_code code = leat_context_spawn(context, &loader->job, error);
    if (code != LEAT_OK) loader->is_running = false;
    return code;
}

leat_code leat_pk_loader_poll(leat_pk_loader *loader, bool *has_ended, leat_error *error)
{
    *has_ended = loader->is_running && atomic_load_explicit(&loader->has_ended, memory_order_acquire);
    if (!*has_ended) return LEAT_OK;
    loader->is_running = false;
    if (loader->code != LEAT_OK && error) *error = loader->error;
    return loader->code;
}

void leat_pk_loader_reset(leat_pk_loader *loader)
{
    if (loader->index_manifest && loader->code == LEAT_OK) {
        char *known = leat_strdup(loader->index_manifest);
        if (known) {
            leat_free(loader->known_index_manifest);
            loader->known_index_manifest = known;
        }
    }
    leat_arena_done(&loader->arena);
    loader->entries = (leat_paimon_entries){0};
    loader->hashes = NULL;
    loader->hashes_count = 0;
    loader->index_manifest = NULL;
}

void leat_pk_loader_done(leat_pk_loader *loader)
{
    leat_arena_done(&loader->arena);
    leat_free(loader->known_index_manifest);
    *loader = (leat_pk_loader){0};
}
