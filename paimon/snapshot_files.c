/* Snapshot files and hints in a table's folder. */
#include <inttypes.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/numbers.h"
#include "paimon/snapshot.h"
#include "storage/storage.h"

enum { SNAPSHOT_BYTES_MAX = 16 << 20, HINT_BYTES_MAX = 64 };

static char *snapshot_path(const char *table_path, int64_t id)
{
    return leat_format("%s/snapshot/snapshot-%" PRId64, table_path, id);
}

leat_code leat_paimon_snapshot_load(leat_env *env, const char *table_path, int64_t id, leat_arena *arena,
                                    leat_paimon_snapshot *out, leat_error *error)
{
    char *path = snapshot_path(table_path, id);
    if (!path) return leat_fail_no_memory(error);
    leat_bytes text = {0};
    leat_code code = leat_storage_get_all(env->storage, path, SNAPSHOT_BYTES_MAX, &text, error);
    if (code == LEAT_OK) code = leat_paimon_snapshot_parse((const char *)text.data, text.size, arena, out, error);
    if (code == LEAT_OK && out->id != id)
        code = leat_fail(error, LEAT_CORRUPT, "it says that its id is %" PRId64, out->id);
    if (code != LEAT_OK) (void)leat_fail_in(error, code, "read snapshot %s", path);
    leat_bytes_done(&text);
    leat_free(path);
    return code;
}

leat_code leat_paimon_snapshot_exists(leat_env *env, const char *table_path, int64_t id, bool *out, leat_error *error)
{
    char *path = snapshot_path(table_path, id);
    if (!path) return leat_fail_no_memory(error);
    uint64_t size;
    leat_code code = leat_storage_size(env->storage, path, &size, error);
    leat_free(path);
    *out = code == LEAT_OK;
    return code == LEAT_NOT_FOUND ? LEAT_OK : code;
}

/* The hint's number; -1 when it is not there or no number: hints may be stale, absent or just being written. */
static int64_t read_hint(leat_env *env, const char *table_path, const char *hint)
{
    char *path = leat_format("%s/snapshot/%s", table_path, hint);
    leat_bytes text = {0};
    int64_t number = -1;
    if (path && leat_storage_get_all(env->storage, path, HINT_BYTES_MAX, &text, NULL) == LEAT_OK) {
        while (text.size && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == ' '))
            text.size--;
        number = leat_paimon_parse_number((const char *)text.data, text.size);
    }
    leat_bytes_done(&text);
    leat_free(path);
    return number;
}

leat_code leat_paimon_snapshot_latest_id(leat_env *env, const char *table_path, int64_t *out, leat_error *error)
{
    int64_t hint = read_hint(env, table_path, "LATEST");
    if (hint > 0) {
        bool is_there, has_next;
        LEAT_TRY(leat_paimon_snapshot_exists(env, table_path, hint + 1, &has_next, error));
        LEAT_TRY(leat_paimon_snapshot_exists(env, table_path, hint, &is_there, error));
        if (is_there && !has_next) {
            *out = hint;
            return LEAT_OK;
        }
    }
    leat_paimon_range range;
    LEAT_TRY(leat_paimon_list_numbers(env, table_path, "snapshot", "snapshot-", &range, error));
    *out = range.max > 0 ? range.max : 0;
    return LEAT_OK;
}

leat_code leat_paimon_snapshot_earliest_id(leat_env *env, const char *table_path, int64_t *out, leat_error *error)
{
    int64_t hint = read_hint(env, table_path, "EARLIEST");
    if (hint > 0) {
        bool is_there;
        LEAT_TRY(leat_paimon_snapshot_exists(env, table_path, hint, &is_there, error));
        if (is_there) {
            *out = hint;
            return LEAT_OK;
        }
    }
    leat_paimon_range range;
    LEAT_TRY(leat_paimon_list_numbers(env, table_path, "snapshot", "snapshot-", &range, error));
    *out = range.min > 0 ? range.min : 0;
    return LEAT_OK;
}

leat_code leat_paimon_snapshot_create(leat_env *env, const char *table_path, const leat_paimon_snapshot *snapshot,
                                      leat_error *error)
{
    char *path = snapshot_path(table_path, snapshot->id);
    if (!path) return leat_fail_no_memory(error);
    leat_bytes text = {0};
    leat_paimon_snapshot_print(snapshot, &text);
    leat_code code = leat_bytes_check(&text, error);
    if (code == LEAT_OK) code = leat_storage_put(env->storage, path, text.data, text.size, LEAT_PUT_IF_ABSENT, error);
    leat_bytes_done(&text);
    leat_free(path);
    return code;
}

leat_code leat_paimon_hint_store(leat_env *env, const char *table_path, const char *hint, int64_t id, leat_error *error)
{
    char *path = leat_format("%s/snapshot/%s", table_path, hint), *text = leat_format("%" PRId64, id);
    leat_code code = path && text ? leat_storage_put(env->storage, path, text, strlen(text), LEAT_PUT_REPLACE, error)
                                  : leat_fail_no_memory(error);
    leat_free(path);
    leat_free(text);
    return code;
}

/* One snapshot's text at a time: the arena is reset by each step. */
static leat_code find_user(leat_env *env, const char *table_path, int64_t latest_id, const char *user,
                           leat_arena *arena, int64_t *id, int64_t *identifier, leat_error *error)
{
    for (int64_t at = latest_id; at > 0; at--) {
        leat_arena_reset(arena);
        leat_paimon_snapshot snapshot;
        leat_code code = leat_paimon_snapshot_load(env, table_path, at, arena, &snapshot, error);
        if (code == LEAT_NOT_FOUND) return LEAT_OK; /* expired: older ones are gone, too */
        if (code != LEAT_OK) return code;
        if (strcmp(snapshot.commit_user, user) != 0) continue;
        *id = at;
        *identifier = snapshot.commit_identifier;
        return LEAT_OK;
    }
    return LEAT_OK;
}

leat_code leat_paimon_snapshot_of_user(leat_env *env, const char *table_path, int64_t latest_id, const char *user,
                                       int64_t *id, int64_t *identifier, leat_error *error)
{
    leat_arena arena;
    leat_arena_init(&arena, SNAPSHOT_BYTES_MAX);
    *id = *identifier = 0;
    leat_code code = find_user(env, table_path, latest_id, user, &arena, id, identifier, error);
    leat_arena_done(&arena);
    return code;
}
