#include "paimon/pk/bucket.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/pk/flush.h"

enum { ARENA_BYTES_MAX = 1 << 20, MESSAGE_BYTES_MAX = 64 << 20 };

leat_code leat_pk_bucket_new(const leat_pk_shared *shared, const uint8_t *partition, size_t partition_size,
                             int32_t bucket, leat_pk_bucket **out, leat_error *error)
{
    leat_pk_bucket *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->shared = shared;
    self->bucket = bucket;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_pk_levels_init(&self->levels, &shared->options);
    leat_paimon_names_init(&self->names, shared->io.env);
    uint8_t *copy = leat_arena_take(&self->arena, partition_size);
    leat_code code = copy ? LEAT_OK : leat_fail_no_memory(error);
    if (copy) memcpy(copy, partition, partition_size);
    self->partition = copy;
    self->partition_size = partition_size;
    if (code == LEAT_OK) {
        code = leat_paimon_bucket_path(shared->table->path, &shared->table->schema, partition, partition_size, bucket,
                                       &self->arena, &self->path, error);
    }
    if (code == LEAT_OK) code = leat_pk_buffer_init(&self->active, &shared->options, error);
    if (code != LEAT_OK) {
        leat_pk_bucket_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

void leat_pk_bucket_free(leat_pk_bucket *self)
{
    if (!self) return;
    leat_pk_flush_free(self->flush);
    leat_pk_compaction_free(self->compaction);
    leat_pk_buffer_done(&self->active);
    for (size_t i = 0; i < self->sealed_count; i++)
        leat_pk_buffer_done(&self->sealed[i].buffer);
    leat_free(self->sealed);
    leat_pk_hash_set_done(&self->keys);
    leat_pk_files *lists[] = {&self->new_files,     &self->changelog_files,   &self->compact_before,
                              &self->compact_after, &self->compact_changelog, &self->garbage};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        leat_pk_files_done(lists[i]);
    leat_pk_levels_done(&self->levels);
    leat_arena_done(&self->arena);
    leat_free(self);
}

leat_code leat_pk_bucket_add_file(leat_pk_bucket *self, const leat_paimon_file *file, leat_error *error)
{
    leat_pk_file *copy;
    LEAT_TRY(leat_pk_file_copy(file, &copy, error));
    leat_code code = leat_pk_levels_add(&self->levels, copy, error);
    leat_pk_file_unref(copy);
    LEAT_TRY(code);
    if (file->max_sequence >= self->next_sequence) self->next_sequence = file->max_sequence + 1;
    if (file->level < self->shared->options.levels_count - 1) self->wants_full = true;
    self->may_pick = true;
    return LEAT_OK;
}

leat_code leat_pk_bucket_write(leat_pk_bucket *self, const leat_batch *batch, const uint16_t *rows,
                               const uint32_t *hashes, int32_t count, leat_error *error)
{
    int32_t first_new = self->active.state.rows;
    LEAT_TRY(leat_pk_buffer_add(&self->active, batch, rows, hashes, count, self->next_sequence, error));
    self->next_sequence += count;
    if (self->shared->options.bucket != LEAT_PK_BUCKET_DYNAMIC) return LEAT_OK;
    for (int32_t i = first_new; i < self->active.state.rows; i++) {
        LEAT_TRY(leat_pk_hash_set_add(&self->keys, (int32_t)self->active.hashes[i], 0, error));
    }
    return LEAT_OK;
}

size_t leat_pk_bucket_bytes(const leat_pk_bucket *self)
{
    size_t bytes = leat_pk_buffer_bytes(&self->active);
    for (size_t i = 0; i < self->sealed_count; i++)
        bytes += leat_pk_buffer_bytes(&self->sealed[i].buffer);
    return bytes;
}

leat_code leat_pk_bucket_seal(leat_pk_bucket *self, int64_t checkpoint_id, leat_error *error)
{
    for (size_t i = 0; i < self->sealed_count; i++) { /* what was full before this cut belongs to it */
        if (self->sealed[i].checkpoint_id == 0) self->sealed[i].checkpoint_id = checkpoint_id;
    }
    if (self->active.state.rows == 0) return LEAT_OK;
    leat_pk_buffer fresh;
    LEAT_TRY(leat_grow(&self->sealed, &self->sealed_capacity, self->sealed_count + 1, sizeof *self->sealed, error));
    LEAT_TRY(leat_pk_buffer_init(&fresh, &self->shared->options, error));
    LEAT_ASSERT(!self->flush || self->sealed_count > 0);
    self->sealed[self->sealed_count++] = (leat_pk_sealed){self->active, checkpoint_id};
    self->active = fresh;
    return LEAT_OK;
}

/* --- flush --- */

static leat_code end_flush(leat_pk_bucket *self, const leat_pk_files *files, const leat_pk_files *changelog,
                           leat_error *error)
{
    for (size_t i = 0; i < files->count; i++) {
        LEAT_TRY(leat_pk_levels_add(&self->levels, files->items[i], error));
        LEAT_TRY(leat_pk_files_add(&self->new_files, files->items[i], error));
    }
    for (size_t i = 0; i < changelog->count; i++) {
        LEAT_TRY(leat_pk_files_add(&self->changelog_files, changelog->items[i], error));
    }
    leat_pk_flush_free(self->flush);
    self->flush = NULL;
    leat_pk_buffer_done(&self->sealed[0].buffer);
    self->sealed_count--;
    memmove(&self->sealed[0], &self->sealed[1], self->sealed_count * sizeof *self->sealed);
    self->wants_full = self->may_pick = true;
    return LEAT_OK;
}

static leat_code step_flush(leat_pk_bucket *self, leat_pk_status *status, leat_error *error)
{
    /* Sealing grows the array: the flush must not keep a pointer into it. The buffer moves with its struct. */
    leat_pk_files files = {0}, changelog = {0};
    leat_code code = LEAT_OK;
    if (!self->flush) code = leat_pk_flush_new(self, &self->sealed[0].buffer, &self->flush, error);
    if (code == LEAT_OK) {
        leat_pk_flush_rebind(self->flush, &self->sealed[0].buffer);
        code = leat_pk_flush_step(self->flush, &files, &changelog, status, error);
    }
    if (code == LEAT_OK && *status == LEAT_PK_END) {
        code = end_flush(self, &files, &changelog, error);
        *status = LEAT_PK_AGAIN;
    }
    leat_pk_files_done(&files);
    leat_pk_files_done(&changelog);
    return code;
}

/* --- compaction --- */

/* A file that a compaction since the last message made, and that is replaced now, never was in the table: it appears
 * nowhere and is removed. */
static leat_code note_before(leat_pk_bucket *self, leat_pk_file *file, leat_error *error)
{
    leat_pk_file_ref(file); /* the list may hold the last one */
    bool was_here = leat_pk_files_remove(&self->compact_after, file);
    leat_code code = was_here ? LEAT_OK : leat_pk_files_add(&self->compact_before, file, error);
    if (code == LEAT_OK && file->is_unpublished) code = leat_pk_files_add(&self->garbage, file, error);
    leat_pk_file_unref(file);
    return code;
}

static leat_code end_compaction(leat_pk_bucket *self, leat_error *error)
{
    const leat_pk_files *before = leat_pk_compaction_before(self->compaction);
    const leat_pk_files *after = leat_pk_compaction_after(self->compaction);
    const leat_pk_files *changelog = leat_pk_compaction_changelog(self->compaction);
    for (size_t i = 0; i < before->count; i++) {
        LEAT_TRY(note_before(self, before->items[i], error));
        leat_pk_levels_remove(&self->levels, before->items[i]);
    }
    for (size_t i = 0; i < after->count; i++) {
        after->items[i]->is_unpublished = true;
        LEAT_TRY(leat_pk_levels_add(&self->levels, after->items[i], error));
        LEAT_TRY(leat_pk_files_add(&self->compact_after, after->items[i], error));
    }
    for (size_t i = 0; i < changelog->count; i++) {
        LEAT_TRY(leat_pk_files_add(&self->compact_changelog, changelog->items[i], error));
    }
    leat_pk_compaction_free(self->compaction);
    self->compaction = NULL;
    /* Files that came while a full compaction ran want another. */
    self->wants_full = leat_pk_levels_pick_full(&self->levels).files_count > 0;
    self->may_pick = true;
    return LEAT_OK;
}

static leat_code start_compaction(leat_pk_bucket *self, bool full, leat_error *error)
{
    leat_pk_unit unit = {0};
    if (full) {
        unit = leat_pk_levels_pick_full(&self->levels);
        self->wants_full = unit.files_count > 0;
    } else if (self->may_pick && !self->shared->options.write_only) {
        LEAT_TRY(leat_pk_levels_pick(&self->levels, &self->shared->options, &unit, error));
        self->may_pick = false;
    }
    if (unit.files_count == 0) return LEAT_OK;
    LEAT_TRY(leat_pk_levels_bound(&self->levels, &self->shared->options, &unit, error));
    leat_pk_compaction_options options = {.options = &self->shared->options,
                                          .schema = &self->shared->table->schema,
                                          .io = self->shared->io,
                                          .bucket_path = self->path,
                                          .names = &self->names,
                                          .levels = &self->levels,
                                          .unit = unit};
    return leat_pk_compaction_new(&options, &self->compaction, error);
}

static leat_code step_compaction(leat_pk_bucket *self, leat_pk_status *status, leat_error *error)
{
    leat_code code = leat_pk_compaction_step(self->compaction, status, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "compact %s", self->path);
    if (*status != LEAT_PK_END) return LEAT_OK;
    *status = LEAT_PK_AGAIN;
    return end_compaction(self, error);
}

leat_code leat_pk_bucket_work(leat_pk_bucket *self, int64_t checkpoint_id, bool full, leat_pk_status *status,
                              leat_error *error)
{
    bool has_sealed = self->sealed_count > 0 && self->sealed[0].checkpoint_id <= checkpoint_id;
    bool is_crowded = leat_pk_levels_runs_count(&self->levels) > (size_t)self->shared->options.stop_trigger;
    if (self->flush) return step_flush(self, status, error);
    if (!self->compaction && (is_crowded || !has_sealed)) {
        LEAT_TRY(start_compaction(self, full && self->wants_full, error));
    }
    if (has_sealed && !(is_crowded && self->compaction)) return step_flush(self, status, error);
    if (self->compaction) return step_compaction(self, status, error);
    *status = LEAT_PK_END;
    return LEAT_OK;
}

bool leat_pk_bucket_is_ready(const leat_pk_bucket *self, int64_t checkpoint_id, bool full)
{
    if (self->flush || (self->sealed_count > 0 && self->sealed[0].checkpoint_id <= checkpoint_id)) return false;
    return !full || !self->wants_full;
}

leat_code leat_pk_bucket_take_garbage(leat_pk_bucket *self, leat_arena *arena, const char **paths, size_t paths_max,
                                      size_t *count, leat_error *error)
{
    while (self->garbage.count > 0 && *count < paths_max) {
        leat_pk_file *file = self->garbage.items[self->garbage.count - 1];
        paths[*count] = leat_paimon_file_path(self->path, &file->meta, arena);
        if (!paths[*count]) return leat_fail_no_memory(error);
        ++*count;
        self->garbage.count--;
        leat_pk_file_unref(file);
    }
    return LEAT_OK;
}

/* --- messages --- */

bool leat_pk_bucket_has_changes(const leat_pk_bucket *self)
{
    return self->new_files.count || self->changelog_files.count || self->compact_before.count ||
           self->compact_after.count || self->compact_changelog.count || self->keys.count > self->keys_stored;
}

static leat_code fill_files(const leat_pk_files *from, leat_arena *arena, leat_paimon_files *out, leat_error *error)
{
    for (size_t i = 0; i < from->count; i++)
        LEAT_TRY(leat_paimon_files_add(out, &from->items[i]->meta, arena, error));
    return LEAT_OK;
}

static leat_code write_message(leat_pk_bucket *self, leat_paimon_message *message, leat_arena *arena, leat_bytes *out,
                               leat_error *error)
{
    LEAT_TRY(fill_files(&self->new_files, arena, &message->new_files, error));
    LEAT_TRY(fill_files(&self->changelog_files, arena, &message->changelog_files, error));
    LEAT_TRY(fill_files(&self->compact_before, arena, &message->compact_before, error));
    LEAT_TRY(fill_files(&self->compact_after, arena, &message->compact_after, error));
    LEAT_TRY(fill_files(&self->compact_changelog, arena, &message->compact_changelog_files, error));
    leat_paimon_message_write(message, out);
    return leat_bytes_check(out, error);
}

leat_code leat_pk_bucket_message(leat_pk_bucket *self, int64_t checkpoint_id, int64_t base_snapshot,
                                 const leat_paimon_index_file *index, size_t index_keys, leat_bytes *out,
                                 leat_error *error)
{
    leat_paimon_index_file copy = index ? *index : (leat_paimon_index_file){0};
    leat_paimon_message message = {.checkpoint_id = checkpoint_id,
                                   .partition = self->partition,
                                   .partition_size = self->partition_size,
                                   .bucket = self->bucket,
                                   .total_buckets = self->shared->options.bucket,
                                   .base_snapshot = base_snapshot};
    if (index) {
        copy.kind = LEAT_PAIMON_ADD;
        copy.partition = self->partition;
        copy.partition_size = self->partition_size;
        copy.bucket = self->bucket;
        message.new_index_files = &copy;
        message.new_index_files_count = 1;
        message.new_key_hashes = self->keys.items + self->keys_stored;
        message.new_key_hashes_count = index_keys - self->keys_stored;
    }
    leat_arena arena;
    leat_arena_init(&arena, MESSAGE_BYTES_MAX);
    leat_code code = write_message(self, &message, &arena, out, error);
    leat_arena_done(&arena);
    LEAT_TRY(code);
    if (index) self->keys_stored = index_keys;
    for (size_t i = 0; i < self->levels.files.count; i++)
        self->levels.files.items[i]->is_unpublished = false;
    leat_pk_files *lists[] = {&self->new_files, &self->changelog_files, &self->compact_before, &self->compact_after,
                              &self->compact_changelog};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        leat_pk_files_clear(lists[i]);
    return LEAT_OK;
}
