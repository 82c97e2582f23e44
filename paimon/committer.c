/* The committer of type "paimon": commits what the writers of one sink prepared, once.
 *
 * Committables carry the checkpoint that prepared them. Those of aborted checkpoints come along with a later one; all
 * that is not yet in the table is committed together, as one snapshot pair under the newest checkpoint's id, so that a
 * conflict leaves nothing half committed. What the user's newest snapshot already has (same or smaller identifier) is
 * left out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/commit.h"
#include "paimon/path.h"
#include "paimon/registry.h"
#include "paimon/snapshot.h"

typedef struct paimon_committer {
    leat_committer committer; /* first */
    leat_env *env;
    char *user, *table_path;
    leat_config options;
    int64_t confirmed; /* newest identifier that is known to be in the table; -1: not looked up */
    bool is_certain;   /* the last commit ended well */
    leat_paimon_commit_memory memory;
} paimon_committer;

#define COMMIT_MESSAGES_BYTES_MAX ((size_t)4 << 30)

static int compare_messages(const void *left, const void *right)
{
    int64_t a = ((const leat_paimon_message *)left)->checkpoint_id,
            b = ((const leat_paimon_message *)right)->checkpoint_id;
    return (a > b) - (a < b);
}

static leat_code look_up_newest(const paimon_committer *self, int64_t *checkpoint_id, leat_error *error)
{
    int64_t latest, id, identifier;
    LEAT_TRY(leat_paimon_snapshot_latest_id(self->env, self->table_path, &latest, error));
    LEAT_TRY(leat_paimon_snapshot_of_user(self->env, self->table_path, latest, self->user, &id, &identifier, error));
    *checkpoint_id = id ? identifier : -1;
    return LEAT_OK;
}

/* What was known before stays true when that snapshot has expired. */
static leat_code look_up_confirmed(paimon_committer *self, leat_error *error)
{
    int64_t newest;
    LEAT_TRY(look_up_newest(self, &newest, error));
    if (newest > self->confirmed) self->confirmed = newest;
    return LEAT_OK;
}

/* Messages of checkpoints that are not in the table yet, oldest first; the order of one checkpoint's is kept. */
static leat_code read_messages(const paimon_committer *self, int64_t checkpoint_id,
                               const leat_committable *committables, size_t count, leat_arena *arena,
                               leat_paimon_message **out, size_t *out_count, leat_error *error)
{
    leat_paimon_message *messages = leat_arena_take(arena, count * sizeof *messages);
    if (!messages) return leat_fail_no_memory(error);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        leat_code code =
            leat_paimon_message_read(committables[i].data, committables[i].size, arena, &messages[kept], error);
        if (code != LEAT_OK) {
            return leat_fail_in(error, code, "committable %zu of subtask %d", i, committables[i].subtask);
        }
        /* Those of this very checkpoint stay: leat_paimon_commit knows which half of it is done. */
        int64_t prepared = messages[kept].checkpoint_id;
        if (prepared > self->confirmed || prepared == checkpoint_id) kept++;
    }
    for (size_t i = 1; i < kept; i++) { /* nearly sorted: insertion keeps equal ones in order */
        leat_paimon_message moved = messages[i];
        size_t at = i;
        for (; at > 0 && compare_messages(&messages[at - 1], &moved) > 0; at--)
            messages[at] = messages[at - 1];
        messages[at] = moved;
    }
    *out = messages;
    *out_count = kept;
    return LEAT_OK;
}

/* `outlook`: only looks; NULL: commits. */
static leat_code commit_into(paimon_committer *self, const leat_paimon_table *table, int64_t checkpoint_id,
                             const leat_committable *committables, size_t count, leat_arena *arena,
                             leat_commit_outlook *outlook, leat_error *error)
{
    if (!self->is_certain) LEAT_TRY(look_up_confirmed(self, error));
    if (self->confirmed > checkpoint_id) {
        if (outlook) outlook->is_done = true;
        return LEAT_OK;
    }
    leat_paimon_message *messages;
    size_t messages_count;
    LEAT_TRY(read_messages(self, checkpoint_id, committables, count, arena, &messages, &messages_count, error));
    /* A batch job that starts again ends with the same identifier. */
    leat_paimon_commit_options options = {.is_recovery = !self->is_certain || self->confirmed == checkpoint_id,
                                          .memory = &self->memory};
    if (outlook) {
        return leat_paimon_commit_check(self->env, table, self->user, checkpoint_id, messages, messages_count, &options,
                                        outlook, error);
    }
    leat_paimon_commit_result result;
    LEAT_TRY(leat_paimon_commit(self->env, table, self->user, checkpoint_id, messages, messages_count, &options,
                                &result, error));
    for (int32_t i = 0; i < result.snapshots_count; i++) {
        leat_log(LEAT_LOG_INFO, "paimon", "%s: checkpoint %" PRId64 " is snapshot %" PRId64, table->path, checkpoint_id,
                 result.snapshots[i]);
    }
    return LEAT_OK;
}

static leat_code open_and_commit(paimon_committer *self, int64_t checkpoint_id, const leat_committable *committables,
                                 size_t count, leat_commit_outlook *outlook, leat_error *error)
{
    leat_arena arena;
    leat_arena_init(&arena, COMMIT_MESSAGES_BYTES_MAX);
    leat_paimon_table table;
    leat_code code = leat_paimon_open_table(self->env, self->table_path, &self->options, &arena, &table, error);
    if (code == LEAT_OK) {
        code = commit_into(self, &table, checkpoint_id, committables, count, &arena, outlook, error);
        leat_paimon_table_done(&table);
    }
    leat_arena_done(&arena);
    return code;
}

static leat_code committer_check(leat_committer *committer, int64_t checkpoint_id, const leat_committable *committables,
                                 size_t count, leat_commit_outlook *out, leat_error *error)
{
    return open_and_commit((paimon_committer *)committer, checkpoint_id, committables, count, out, error);
}

static leat_code committer_commit(leat_committer *committer, int64_t checkpoint_id,
                                  const leat_committable *committables, size_t count, leat_error *error)
{
    paimon_committer *self = (paimon_committer *)committer;
    leat_code code = open_and_commit(self, checkpoint_id, committables, count, NULL, error);
    self->is_certain = code == LEAT_OK;
    if (code == LEAT_OK && checkpoint_id > self->confirmed) self->confirmed = checkpoint_id;
    return code;
}

static leat_code committer_newest(leat_committer *committer, int64_t *checkpoint_id, leat_error *error)
{
    return look_up_newest((paimon_committer *)committer, checkpoint_id, error);
}

static void committer_close(leat_committer *committer)
{
    paimon_committer *self = (paimon_committer *)committer;
    leat_config_done(&self->options);
    leat_free(self->user);
    leat_free(self->table_path);
    leat_free(self);
}

static const leat_committer_vtable committer_vtable = {
    .commit = committer_commit, .close = committer_close, .check = committer_check, .newest = committer_newest};

enum { OPTIONS_MAX = 4096 };

void leat_paimon_committer_config_write(const char *table_path, const leat_config *table_options, leat_bytes *out)
{
    leat_bytes_put_block(out, table_path, strlen(table_path));
    size_t count = table_options ? table_options->count : 0;
    leat_bytes_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        leat_bytes_put_block(out, table_options->entries[i].key, strlen(table_options->entries[i].key));
        leat_bytes_put_block(out, table_options->entries[i].value, strlen(table_options->entries[i].value));
    }
}

/* Also NULL for a reader that failed. */
static char *read_text(leat_reader *reader)
{
    size_t size;
    const uint8_t *data = leat_reader_block(reader, &size);
    return data ? leat_strndup((const char *)data, size) : NULL;
}

static leat_code read_config(paimon_committer *self, const uint8_t *config, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, config, size);
    self->table_path = read_text(&reader);
    uint32_t count = leat_reader_u32(&reader);
    if (count > OPTIONS_MAX) return leat_fail(error, LEAT_CORRUPT, "a committer's configuration of %u options", count);
    leat_code code = LEAT_OK;
    for (uint32_t i = 0; code == LEAT_OK && i < count; i++) {
        char *key = read_text(&reader), *value = read_text(&reader);
        if (key && value)
            code = leat_config_set(&self->options, key, value, error);
        else if (!reader.failed)
            code = leat_fail_no_memory(error);
        leat_free(key);
        leat_free(value);
        if (reader.failed) break;
    }
    LEAT_TRY(code);
    LEAT_TRY(leat_reader_check(&reader, true, "a committer's configuration", error));
    return self->table_path ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code committer_create(leat_env *env, const leat_config *config, const char *commit_user,
                                  const uint8_t *commit_config, size_t config_size, leat_committer **out,
                                  leat_error *error)
{
    (void)config;
    paimon_committer *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->committer.vtable = &committer_vtable;
    self->env = env;
    self->confirmed = -1;
    self->user = leat_strdup(commit_user);
    leat_code code = self->user ? read_config(self, commit_config, config_size, error) : leat_fail_no_memory(error);
    if (code != LEAT_OK) {
        committer_close(&self->committer);
        return code;
    }
    self->committer.topic = leat_paimon_topic(self->table_path);
    *out = &self->committer;
    return LEAT_OK;
}

const leat_committer_factory leat_paimon_committer_factory = {"paimon", committer_create};
