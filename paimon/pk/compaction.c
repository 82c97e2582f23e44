#include "paimon/pk/compaction.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/pk/copies.h"
#include "paimon/pk/merge.h"

enum { ARENA_BYTES_MAX = 256 << 20 };

/* Sections that are rewritten one after the other into one line of files; or one file whose changelog is due although
 * it only gets a new level. */
typedef struct group {
    leat_pk_section *sections;
    size_t count;
    bool writes_data;
} group;

struct leat_pk_compaction {
    leat_pk_compaction_options options;
    leat_arena arena;
    leat_type *key_types;
    int32_t *columns;
    bool drops_deletes, makes_changelog;
    int32_t max_level;
    group *groups;
    size_t groups_count;
    leat_pk_files before, after, changelog;
    leat_pk_copies copies;

    size_t group, section; /* being worked on */
    leat_pk_merge *merge;
    leat_pk_file_writer *data, *changes;
    bool is_finishing; /* the data writer's last file is on its way */
};

static leat_code prepare(leat_pk_compaction *self, leat_error *error)
{
    const leat_pk_options *table = self->options.options;
    self->key_types = leat_arena_take(&self->arena, (size_t)table->keys_count * sizeof *self->key_types);
    self->columns = leat_arena_take(&self->arena, (size_t)table->schema.fields_count * sizeof *self->columns);
    if (!self->key_types || !self->columns) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < table->keys_count; i++)
        self->key_types[i] = table->schema.fields[table->keys[i]].type;
    for (int32_t i = 0; i < table->schema.fields_count; i++)
        self->columns[i] = i;
    return LEAT_OK;
}

static leat_code take_before(leat_pk_compaction *self, const leat_paimon_file *meta, leat_error *error)
{
    leat_pk_file *const *files = self->options.levels->files.items + self->options.unit.first;
    for (size_t i = 0; i < self->options.unit.files_count; i++) {
        if (&files[i]->meta == meta) return leat_pk_files_add(&self->before, files[i], error);
    }
    LEAT_ASSERT(!"a section's file is one of the unit");
    return LEAT_OK;
}

static leat_code add_group(leat_pk_compaction *self, leat_pk_section *sections, size_t count, bool writes_data,
                           leat_error *error)
{
    self->groups[self->groups_count++] = (group){sections, count, writes_data};
    for (size_t s = 0; s < count && writes_data; s++) {
        for (size_t r = 0; r < sections[s].runs_count; r++) {
            for (size_t f = 0; f < sections[s].runs[r].count; f++) {
                LEAT_TRY(take_before(self, sections[s].runs[r].files[f], error));
            }
        }
    }
    return LEAT_OK;
}

/* Deletes have no place on the top level; index files and a place elsewhere go by the file's old name. */
static bool may_keep_bytes(const leat_pk_compaction *self, const leat_paimon_file *file)
{
    bool has_deletes = !file->has_delete_rows || file->delete_rows > 0;
    bool goes_to_top = self->options.unit.output_level == self->max_level;
    return !(goes_to_top && has_deletes) && file->extra_files_count == 0 && !file->external_path;
}

static leat_code describe_upgraded(leat_pk_compaction *self, const leat_paimon_file *from, leat_pk_file *upgraded,
                                   leat_error *error)
{
    leat_paimon_file *meta = &upgraded->meta;
    const char *format = strrchr(from->name, '.');
    meta->name = leat_paimon_names_next(self->options.names, self->options.options->data_prefix, format ? format : "",
                                        &upgraded->arena);
    if (!meta->name) return leat_fail_no_memory(error);
    meta->level = self->options.unit.output_level;
    meta->has_file_source = true; /* no APPEND names the new file, for which readers of a changelog would keep it */
    meta->file_source = LEAT_PAIMON_FILE_COMPACT;
    LEAT_TRY(leat_pk_copies_add(&self->copies, self->options.bucket_path, from, meta, error));
    return leat_pk_files_add(&self->after, upgraded, error);
}

static leat_code upgrade(leat_pk_compaction *self, leat_pk_section *single, leat_error *error)
{
    const leat_paimon_file *file = single->runs[0].files[0];
    if (file->level == self->options.unit.output_level) return LEAT_OK;
    if (!may_keep_bytes(self, file)) return add_group(self, single, 1, true, error);
    LEAT_TRY(take_before(self, file, error));
    leat_pk_file *upgraded;
    LEAT_TRY(leat_pk_file_copy(file, &upgraded, error));
    leat_code code = describe_upgraded(self, file, upgraded, error);
    leat_pk_file_unref(upgraded);
    LEAT_TRY(code);
    return self->makes_changelog ? add_group(self, single, 1, false, error) : LEAT_OK;
}

/* What was collected: one file alone is not worth a rewrite. */
static leat_code rewrite(leat_pk_compaction *self, leat_pk_section *candidates, size_t *count, leat_error *error)
{
    size_t taken = *count;
    *count = 0;
    if (taken == 0) return LEAT_OK;
    if (taken == 1 && candidates[0].runs_count == 1) return upgrade(self, candidates, error);
    return add_group(self, candidates, taken, true, error);
}

static leat_code make_single(leat_pk_compaction *self, const leat_paimon_file **file, leat_pk_section *out,
                             leat_error *error)
{
    leat_pk_run *run = leat_arena_take(&self->arena, sizeof *run);
    if (!run) return leat_fail_no_memory(error);
    *run = (leat_pk_run){file, 1};
    *out = (leat_pk_section){run, 1, (*file)->size_bytes, 1};
    return LEAT_OK;
}

static leat_code plan(leat_pk_compaction *self, leat_error *error)
{
    size_t files = self->options.unit.files_count;
    const leat_paimon_file **metas = leat_arena_take(&self->arena, (files + 1) * sizeof *metas);
    leat_pk_section *sections = leat_arena_take(&self->arena, 2 * (files + 1) * sizeof *sections);
    self->groups = leat_arena_take(&self->arena, 2 * (files + 1) * sizeof *self->groups);
    if (!metas || !sections || !self->groups) return leat_fail_no_memory(error);
    for (size_t i = 0; i < files; i++)
        metas[i] = &self->options.levels->files.items[self->options.unit.first + i]->meta;
    leat_pk_sections cut;
    int32_t keys = self->options.options->keys_count;
    LEAT_TRY(leat_pk_sections_make(metas, files, self->key_types, keys, &self->arena, &cut, error));
    int64_t small_bytes = self->options.options->target_file_bytes / 10 * 7;
    leat_pk_section *candidates = sections;
    size_t count = 0;
    for (size_t s = 0; s < cut.count; s++) {
        if (cut.items[s].runs_count > 1) {
            candidates[count++] = cut.items[s];
            continue;
        }
        leat_pk_run *run = &cut.items[s].runs[0];
        for (size_t f = 0; f < run->count; f++) {
            LEAT_TRY(make_single(self, &run->files[f], &candidates[count], error));
            if (run->files[f]->size_bytes < small_bytes) {
                count++;
                continue;
            }
            leat_pk_section *single = &candidates[count];
            LEAT_TRY(rewrite(self, candidates, &count, error));
            LEAT_TRY(upgrade(self, single, error));
            candidates = single + 1;
        }
    }
    return rewrite(self, candidates, &count, error);
}

leat_code leat_pk_compaction_new(const leat_pk_compaction_options *options, leat_pk_compaction **out, leat_error *error)
{
    leat_pk_compaction *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->options = *options;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_pk_copies_init(&self->copies, &options->io);
    int32_t output = options->unit.output_level;
    self->max_level = options->levels->max_level;
    self->drops_deletes = output != 0 && output >= leat_pk_levels_highest(options->levels);
    self->makes_changelog =
        options->options->changelog == LEAT_PK_CHANGELOG_FULL_COMPACTION && output == options->levels->max_level;
    leat_code code = prepare(self, error);
    if (code == LEAT_OK) code = plan(self, error);
    if (code != LEAT_OK) {
        leat_pk_compaction_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

void leat_pk_compaction_free(leat_pk_compaction *self)
{
    if (!self) return;
    leat_pk_merge_free(self->merge);
    leat_pk_file_writer_free(self->data);
    leat_pk_file_writer_free(self->changes);
    leat_pk_files_done(&self->before);
    leat_pk_files_done(&self->after);
    leat_pk_files_done(&self->changelog);
    leat_pk_copies_done(&self->copies);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static leat_code open_writer(leat_pk_compaction *self, bool is_changelog, leat_pk_file_writer **out, leat_error *error)
{
    if (*out) return LEAT_OK;
    leat_pk_file_writer_options options = {.options = self->options.options,
                                           .schema = self->options.schema,
                                           .io = self->options.io,
                                           .bucket_path = self->options.bucket_path,
                                           .names = self->options.names,
                                           .level = is_changelog ? 0 : self->options.unit.output_level,
                                           .source = LEAT_PAIMON_FILE_COMPACT,
                                           .is_changelog = is_changelog};
    return leat_pk_file_writer_new(&options, out, error);
}

static leat_code open_section(leat_pk_compaction *self, leat_error *error)
{
    leat_pk_merge_options options = {.options = self->options.options,
                                     .io = &self->options.io,
                                     .bucket_path = self->options.bucket_path,
                                     .section = &self->groups[self->group].sections[self->section],
                                     .columns = self->columns,
                                     .columns_count = self->options.options->schema.fields_count,
                                     .changelog_level = self->makes_changelog ? self->max_level : -1};
    return leat_pk_merge_new(&options, &self->merge, error);
}

static leat_code write_batches(leat_pk_compaction *self, leat_batch *batch, leat_batch *changelog, leat_error *error)
{
    if (self->groups[self->group].writes_data) {
        if (self->drops_deletes) LEAT_TRY(leat_batch_keep_adds(batch, error));
        LEAT_TRY(open_writer(self, false, &self->data, error));
        LEAT_TRY(leat_pk_file_writer_write(self->data, batch, error));
    }
    if (!changelog) return LEAT_OK;
    LEAT_TRY(open_writer(self, true, &self->changes, error));
    return leat_pk_file_writer_write(self->changes, changelog, error);
}

static leat_code merge_slice(leat_pk_compaction *self, leat_pk_status *status, leat_error *error)
{
    leat_batch *batch = NULL, *changelog = NULL;
    if (!self->merge) LEAT_TRY(open_section(self, error));
    LEAT_TRY(leat_pk_merge_step(self->merge, status, &batch, &changelog, error));
    if (*status == LEAT_PK_END) {
        leat_pk_merge_free(self->merge);
        self->merge = NULL;
        self->section++;
        *status = LEAT_PK_AGAIN;
    }
    if (*status != LEAT_PK_BATCH) return LEAT_OK;
    *status = LEAT_PK_AGAIN;
    leat_code code = write_batches(self, batch, changelog, error);
    leat_batch_free(batch);
    leat_batch_free(changelog);
    return code;
}

static leat_code collect(leat_pk_file_writer **writer, leat_pk_files *into, leat_error *error)
{
    const leat_pk_files *files = leat_pk_file_writer_files(*writer);
    for (size_t i = 0; i < files->count; i++)
        LEAT_TRY(leat_pk_files_add(into, files->items[i], error));
    leat_pk_file_writer_free(*writer);
    *writer = NULL;
    return LEAT_OK;
}

/* Ends a writer's files: AGAIN when they are there, WAIT before. */
static leat_code finish_writer(leat_pk_compaction *self, leat_pk_file_writer **writer, leat_pk_files *into,
                               leat_pk_status *status, leat_error *error)
{
    *status = LEAT_PK_AGAIN;
    if (!*writer) return LEAT_OK;
    bool is_done;
    if (!self->is_finishing) LEAT_TRY(leat_pk_file_writer_finish(*writer, error));
    self->is_finishing = true;
    LEAT_TRY(leat_pk_file_writer_poll(*writer, &is_done, error));
    if (!is_done) {
        *status = LEAT_PK_WAIT;
        return LEAT_OK;
    }
    self->is_finishing = false;
    return collect(writer, into, error);
}

static leat_code writers_are_full(leat_pk_compaction *self, bool *is_full, leat_error *error)
{
    bool data_full = false, changes_full = false;
    if (self->data) LEAT_TRY(leat_pk_file_writer_is_full(self->data, &data_full, error));
    if (self->changes) LEAT_TRY(leat_pk_file_writer_is_full(self->changes, &changes_full, error));
    *is_full = data_full || changes_full;
    return LEAT_OK;
}

leat_code leat_pk_compaction_step(leat_pk_compaction *self, leat_pk_status *status, leat_error *error)
{
    bool is_full, is_copied;
    LEAT_TRY(leat_pk_copies_step(&self->copies, &is_copied, error));
    LEAT_TRY(writers_are_full(self, &is_full, error));
    *status = LEAT_PK_WAIT;
    if (is_full) return LEAT_OK;
    if (self->group == self->groups_count) {
        LEAT_TRY(finish_writer(self, &self->changes, &self->changelog, status, error));
        if (*status == LEAT_PK_AGAIN) *status = is_copied ? LEAT_PK_END : LEAT_PK_WAIT;
        return LEAT_OK;
    }
    if (self->section < self->groups[self->group].count) return merge_slice(self, status, error);
    LEAT_TRY(finish_writer(self, &self->data, &self->after, status, error));
    if (*status == LEAT_PK_AGAIN) {
        self->group++;
        self->section = 0;
    }
    return LEAT_OK;
}

const leat_pk_files *leat_pk_compaction_before(const leat_pk_compaction *self)
{
    return &self->before;
}

const leat_pk_files *leat_pk_compaction_after(const leat_pk_compaction *self)
{
    return &self->after;
}

const leat_pk_files *leat_pk_compaction_changelog(const leat_pk_compaction *self)
{
    return &self->changelog;
}
