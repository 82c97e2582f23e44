#include "paimon/merge_read.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/pk/spill.h"

enum { ARENA_BYTES_MAX = 256 << 20 };

struct leat_merge_reader {
    leat_arena arena;
    leat_pk_options options;
    leat_pk_io io;
    const char *bucket_path;
    bool is_changes;
    int32_t *columns; /* that are read: the wanted ones, then key columns that are not among them */
    int32_t columns_count, wanted_count;
    leat_pk_sections sections; /* changes: one a file */
    size_t section;
    leat_pk_spill *spill; /* of the section */
    leat_pk_merge *merge;
};

static leat_code choose_columns(leat_merge_reader *self, const leat_merge_read_options *options, leat_error *error)
{
    size_t room = (size_t)(options->columns_count + self->options.keys_count);
    self->columns = leat_arena_take(&self->arena, (room + 1) * sizeof *self->columns);
    if (!self->columns) return leat_fail_no_memory(error);
    self->wanted_count = self->columns_count = options->columns_count;
    for (int32_t i = 0; i < options->columns_count; i++)
        self->columns[i] = options->columns[i];
    if (self->is_changes && options->columns_count > 0) return LEAT_OK; /* nothing is compared */
    for (int32_t k = 0; k < self->options.keys_count; k++) {
        bool is_there = false;
        for (int32_t i = 0; i < self->columns_count; i++) {
            is_there = is_there || self->columns[i] == self->options.keys[k];
        }
        if (!is_there) self->columns[self->columns_count++] = self->options.keys[k];
    }
    return LEAT_OK;
}

static leat_code one_section_a_file(leat_merge_reader *self, const leat_paimon_file **files, size_t count,
                                    leat_error *error)
{
    leat_pk_run *runs = leat_arena_take(&self->arena, (count + 1) * sizeof *runs);
    self->sections.items = leat_arena_take(&self->arena, (count + 1) * sizeof *self->sections.items);
    if (!runs || !self->sections.items) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        runs[i] = (leat_pk_run){&files[i], 1};
        self->sections.items[i] = (leat_pk_section){&runs[i], 1, files[i]->size_bytes, 1};
    }
    self->sections.count = count;
    return LEAT_OK;
}

static leat_code cut(leat_merge_reader *self, const leat_merge_read_options *options, leat_error *error)
{
    size_t count = options->files_count;
    const leat_paimon_file **files = leat_arena_take(&self->arena, (count + 1) * sizeof *files);
    leat_type *types = leat_arena_take(&self->arena, (size_t)self->options.keys_count * sizeof *types);
    if (!files || !types) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++)
        files[i] = &options->files[i];
    if (self->is_changes) return one_section_a_file(self, files, count, error);
    for (int32_t k = 0; k < self->options.keys_count; k++) {
        types[k] = self->options.schema.fields[self->options.keys[k]].type;
    }
    return leat_pk_sections_make(files, count, types, self->options.keys_count, &self->arena, &self->sections, error);
}

static leat_code prepare(leat_merge_reader *self, const leat_merge_read_options *options, leat_error *error)
{
    self->io = (leat_pk_io){options->env, options->context};
    self->is_changes = options->is_changes;
    self->bucket_path = leat_arena_strdup(&self->arena, options->bucket_path);
    if (!self->bucket_path) return leat_fail_no_memory(error);
    LEAT_TRY(leat_pk_options_read(&options->table->schema, false, &self->arena, &self->options, error));
    LEAT_TRY(choose_columns(self, options, error));
    return cut(self, options, error);
}

leat_code leat_merge_reader_new(const leat_merge_read_options *options, leat_merge_reader **out, leat_error *error)
{
    leat_merge_reader *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = prepare(self, options, error);
    if (code != LEAT_OK) {
        leat_merge_reader_free(self);
        return leat_fail_in(error, code, "read %s", options->bucket_path);
    }
    *out = self;
    return LEAT_OK;
}

void leat_merge_reader_free(leat_merge_reader *self)
{
    if (!self) return;
    leat_pk_merge_free(self->merge);
    leat_pk_spill_free(self->spill);
    leat_arena_done(&self->arena);
    leat_free(self);
}

/* Keeps the wanted columns; deletes go out of the selection. */
static leat_code shape(leat_merge_reader *self, leat_batch *batch, leat_error *error)
{
    for (int32_t i = self->wanted_count; i < batch->columns_count; i++)
        leat_column_clear(&batch->columns[i]);
    batch->columns_count = self->wanted_count;
    return self->is_changes ? LEAT_OK : leat_batch_keep_adds(batch, error);
}

/* Begins the section's merge, or the pass before it. */
static leat_code open_section(leat_merge_reader *self, leat_error *error)
{
    leat_pk_merge_options options = {.options = &self->options,
                                     .io = &self->io,
                                     .bucket_path = self->bucket_path,
                                     .section = &self->sections.items[self->section],
                                     .columns = self->columns,
                                     .columns_count = self->columns_count,
                                     .changelog_level = -1,
                                     .spill = self->spill};
    if (!self->spill && leat_pk_spill_is_needed(&options)) return leat_pk_spill_new(&options, &self->spill, error);
    return leat_pk_merge_new(&options, &self->merge, error);
}

static void close_section(leat_merge_reader *self)
{
    leat_pk_merge_free(self->merge);
    leat_pk_spill_free(self->spill);
    self->merge = NULL;
    self->spill = NULL;
    self->section++;
}

static leat_code step_section(leat_merge_reader *self, leat_pk_status *status, leat_batch **out, leat_error *error)
{
    if (self->merge) {
        LEAT_TRY(leat_pk_merge_step(self->merge, status, out, NULL, error));
        if (*status == LEAT_PK_END) close_section(self);
        return LEAT_OK;
    }
    *status = LEAT_PK_AGAIN;
    if (self->spill) LEAT_TRY(leat_pk_spill_step(self->spill, status, error));
    if (self->spill && *status != LEAT_PK_END) return LEAT_OK;
    *status = LEAT_PK_AGAIN;
    return open_section(self, error);
}

leat_code leat_merge_reader_step(leat_merge_reader *self, leat_merge_read_status *status, leat_batch **out,
                                 leat_error *error)
{
    *status = LEAT_MERGE_READ_END;
    if (self->section == self->sections.count) return LEAT_OK;
    leat_pk_status got;
    leat_batch *batch = NULL;
    LEAT_TRY(step_section(self, &got, &batch, error));
    switch (got) {
    case LEAT_PK_WAIT: *status = LEAT_MERGE_READ_WAIT; return LEAT_OK;
    case LEAT_PK_AGAIN:
    case LEAT_PK_END: *status = LEAT_MERGE_READ_AGAIN; return LEAT_OK;
    case LEAT_PK_BATCH: break;
    }
    LEAT_ASSERT(batch);
    leat_code code = shape(self, batch, error);
    if (code != LEAT_OK || batch->selected == 0) {
        leat_batch_free(batch);
        *status = LEAT_MERGE_READ_AGAIN;
        return code;
    }
    *status = LEAT_MERGE_READ_BATCH;
    *out = batch;
    return LEAT_OK;
}
