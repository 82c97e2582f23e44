#include "jobmanager/checkpoint_files.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "common/log.h"
#include "common/memory.h"
#include "flow/state_path.h"
#include "jobmanager/metadata.h"

static const char folder_prefix[] = "chk-";

/* The number of "chk-<n>"; -1: it is none. */
static int64_t number_of(const char *name, size_t length)
{
    enum { PREFIX = sizeof folder_prefix - 1, DIGITS_MAX = 19 };
    if (length <= PREFIX || length > PREFIX + DIGITS_MAX || memcmp(name, folder_prefix, PREFIX) != 0) return -1;
    char digits[DIGITS_MAX + 1] = {0};
    memcpy(digits, name + PREFIX, length - PREFIX);
    int64_t number;
    if (digits[strspn(digits, "0123456789")] || leat_parse_int(digits, &number, NULL) != LEAT_OK) return -1;
    return number;
}

static int compare_ids(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

leat_code leat_checkpoint_list(leat_storage *storage, const char *dir, leat_checkpoint_ids *out, leat_error *error)
{
    *out = (leat_checkpoint_ids){0};
    leat_storage_list names = {0};
    leat_code code = leat_storage_list_folder(storage, dir, &names, error);
    for (size_t i = 0; code == LEAT_OK && i < names.count; i++) {
        int64_t number = number_of(names.entries[i].name, strlen(names.entries[i].name));
        if (!names.entries[i].is_folder || number < 0) continue;
        code = leat_grow(&out->list, &out->capacity, out->count + 1, sizeof *out->list, error);
        if (code == LEAT_OK) out->list[out->count++] = number;
    }
    leat_storage_list_done(&names);
    if (code != LEAT_OK)
        leat_checkpoint_ids_done(out);
    else if (out->count)
        qsort(out->list, out->count, sizeof *out->list, compare_ids);
    return code;
}

void leat_checkpoint_ids_done(leat_checkpoint_ids *ids)
{
    leat_free(ids->list);
    *ids = (leat_checkpoint_ids){0};
}

/* --- whether all of it is there --- */

static leat_code hash_object(leat_storage *storage, const char *path, uint64_t size, uint64_t *out, leat_error *error)
{
    enum { PIECE_BYTES = 8 << 20 };
    XXH3_state_t *state = leat_alloc_aligned(sizeof *state);
    if (!state) return leat_fail_no_memory(error);
    XXH3_64bits_reset(state);
    leat_bytes piece = {0};
    leat_code code = LEAT_OK;
    for (uint64_t offset = 0; code == LEAT_OK && offset < size; offset += PIECE_BYTES) {
        leat_bytes_reset(&piece);
        code = leat_storage_get(storage, path, offset, PIECE_BYTES, &piece, error);
        if (code == LEAT_OK) XXH3_64bits_update(state, piece.data, piece.size);
    }
    *out = XXH3_64bits_digest(state);
    leat_bytes_done(&piece);
    leat_free(state);
    return code;
}

static leat_code verify_object(leat_storage *storage, const char *path, const Leat__Pb__OperatorSnapshot *snapshot,
                               leat_checkpoint_depth depth, leat_error *error)
{
    uint64_t size = 0, hash = snapshot->checksum;
    LEAT_TRY(leat_storage_size(storage, path, &size, error));
    if (size != snapshot->size)
        return leat_fail(error, LEAT_CORRUPT, "%s has %" PRIu64 " bytes; %" PRIu64 " were written", path, size,
                         snapshot->size);
    if (depth == LEAT_CHECKPOINT_BYTES) LEAT_TRY(hash_object(storage, path, size, &hash, error));
    return hash == snapshot->checksum ? LEAT_OK
                                      : leat_fail(error, LEAT_CORRUPT, "%s is not the state that was written", path);
}

static leat_code verify_subtask(leat_storage *storage, const char *dir, uint64_t checkpoint_id,
                                const Leat__Pb__SubtaskSnapshot *subtask, leat_checkpoint_depth depth,
                                leat_error *error)
{
    for (size_t i = 0; i < subtask->n_operators; i++) {
        const Leat__Pb__OperatorSnapshot *snapshot = subtask->operators[i];
        if (!snapshot->path) continue;
        char *path = leat_state_path(dir, checkpoint_id, snapshot->path);
        leat_code code = path ? verify_object(storage, path, snapshot, depth, error) : leat_fail_no_memory(error);
        leat_free(path);
        if (code != LEAT_OK) return code;
    }
    return LEAT_OK;
}

leat_code leat_checkpoint_verify(leat_storage *storage, const char *dir, const Leat__Pb__CheckpointMetadata *metadata,
                                 leat_checkpoint_depth depth, leat_error *error)
{
    for (size_t v = 0; v < metadata->n_vertices; v++) {
        const Leat__Pb__VertexSnapshot *vertex = metadata->vertices[v];
        for (size_t s = 0; s < vertex->n_subtasks; s++)
            LEAT_TRY(verify_subtask(storage, dir, metadata->checkpoint, vertex->subtasks[s], depth, error));
    }
    return LEAT_OK;
}

/* --- finding --- */

leat_code leat_checkpoint_load(leat_storage *storage, const char *dir, int64_t checkpoint_id,
                               Leat__Pb__CheckpointMetadata **out, leat_error *error)
{
    char *path = leat_format("%s/chk-%" PRId64 "/_metadata", dir, checkpoint_id);
    if (!path) return leat_fail_no_memory(error);
    leat_code code = leat_metadata_load(storage, path, out, error);
    leat_free(path);
    return code;
}

static leat_code load_whole(leat_storage *storage, const char *dir, int64_t checkpoint_id, leat_checkpoint_depth depth,
                            bool *was_completed, Leat__Pb__CheckpointMetadata **out, leat_error *error)
{
    Leat__Pb__CheckpointMetadata *metadata = NULL;
    leat_code code = leat_checkpoint_load(storage, dir, checkpoint_id, &metadata, error);
    *was_completed = code != LEAT_NOT_FOUND;
    if (code == LEAT_OK) code = leat_checkpoint_verify(storage, dir, metadata, depth, error);
    if (code == LEAT_OK)
        *out = metadata;
    else
        leat_metadata_free(metadata);
    return code;
}

leat_code leat_checkpoint_find(leat_storage *storage, const char *dir, const leat_checkpoint_ids *ids, int64_t before,
                               leat_checkpoint_depth depth, Leat__Pb__CheckpointMetadata **out, leat_error *damage,
                               leat_error *error)
{
    *out = NULL;
    for (size_t i = ids->count; i-- > 0 && !*out;) {
        if (ids->list[i] >= before) continue;
        bool was_completed;
        leat_error found = {0};
        leat_code code = load_whole(storage, dir, ids->list[i], depth, &was_completed, out, &found);
        if (code == LEAT_OK || !was_completed) continue;
        if (code != LEAT_CORRUPT && code != LEAT_NOT_FOUND) { /* storage is away, or another version: not damage */
            if (error) *error = found;
            return code;
        }
        leat_log(LEAT_LOG_ERROR, "checkpoint", "checkpoint %" PRId64 " is damaged: %s", ids->list[i], found.text);
        if (damage->code == LEAT_OK) *damage = found;
    }
    return LEAT_OK;
}

static leat_code find_newest(leat_storage *storage, const char *dir, int64_t *checkpoint_id, leat_error *error)
{
    leat_checkpoint_ids ids;
    Leat__Pb__CheckpointMetadata *newest = NULL;
    leat_error damage = {0};
    LEAT_TRY(leat_checkpoint_list(storage, dir, &ids, error));
    leat_code code =
        leat_checkpoint_find(storage, dir, &ids, INT64_MAX, LEAT_CHECKPOINT_SIZES, &newest, &damage, error);
    leat_checkpoint_ids_done(&ids);
    LEAT_TRY(code);
    if (newest) {
        *checkpoint_id = (int64_t)newest->checkpoint;
        leat_metadata_free(newest);
        return LEAT_OK;
    }
    code = damage.code != LEAT_OK ? leat_fail(error, damage.code, "%s has no whole checkpoint: %s", dir, damage.text)
                                  : leat_fail(error, LEAT_NOT_FOUND, "%s has no checkpoint", dir);
    leat_fail_hint(error, "a checkpoint's path ends in chk-<number>; 'leat show JOB' prints the last one's");
    return code;
}

leat_code leat_checkpoint_locate(leat_storage *storage, const char *path, char **dir, int64_t *checkpoint_id,
                                 leat_error *error)
{
    static const char file[] = "/_metadata";
    size_t length = strlen(path);
    if (length > strlen(file) && strcmp(path + length - strlen(file), file) == 0) length -= strlen(file);
    while (length > 1 && path[length - 1] == '/')
        length--;
    size_t start = length;
    while (start > 0 && path[start - 1] != '/')
        start--;
    int64_t number = number_of(path + start, length - start);
    size_t dir_length = number >= 0 && start > 1 ? start - 1 : length;
    char *found = leat_strndup(path, dir_length);
    if (!found) return leat_fail_no_memory(error);
    leat_code code = LEAT_OK;
    if (number >= 0)
        *checkpoint_id = number;
    else
        code = find_newest(storage, found, checkpoint_id, error);
    if (code == LEAT_OK)
        *dir = found;
    else
        leat_free(found);
    return code;
}
