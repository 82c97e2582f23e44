#include "paimon/pk/merge.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/pk/spill.h"
#include "paimon/pk/state.h"
#include "paimon/pk/value.h"

enum { ARENA_BYTES_MAX = 64 << 20 };

/* Where one run is. `batch` NULL and is_ended not: its next batch must come first. */
typedef struct run_cursor {
    const leat_pk_run *run;
    size_t next_file;
    leat_pk_file_reader *reader;
    leat_pk_spilled *spilled; /* instead of the files */
    leat_batch *batch;
    int32_t row;
    int32_t level; /* of the file being read */
    bool is_ended;
} run_cursor;

struct leat_pk_merge {
    leat_pk_merge_options options;
    leat_arena arena;
    leat_schema schema;
    int32_t *keys; /* places of the key columns among `columns` */
    run_cursor *runs;
    int32_t runs_count;
    int32_t *tree; /* tree[0]: the winner; tree[1 …]: losers */
    bool is_built, is_ended;
    leat_pk_state state;
    leat_pk_state olds; /* changelog: records of changelog_level, by old_rows */
    int32_t *old_rows;  /* of each row of state: its row in olds, or -1 */
    uint32_t *order;    /* 0, 1, 2, … */
};

static leat_code make_schema(leat_pk_merge *self, leat_error *error)
{
    const leat_pk_options *table = self->options.options;
    self->schema.fields_count = self->options.columns_count;
    self->schema.fields =
        leat_arena_take(&self->arena, (size_t)self->schema.fields_count * sizeof *self->schema.fields);
    self->keys = leat_arena_take(&self->arena, (size_t)table->keys_count * sizeof *self->keys);
    if (!self->schema.fields || !self->keys) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < self->options.columns_count; i++) {
        self->schema.fields[i] = table->schema.fields[self->options.columns[i]];
        for (int32_t k = 0; k < table->keys_count; k++) {
            if (table->keys[k] == self->options.columns[i]) self->keys[k] = i;
        }
    }
    return LEAT_OK;
}

static leat_code make_states(leat_pk_merge *self, leat_error *error)
{
    const leat_pk_merge_options *options = &self->options;
    LEAT_TRY(leat_pk_state_init(&self->state, options->options, options->columns, options->columns_count, error));
    LEAT_TRY(leat_pk_state_reserve(&self->state, LEAT_PK_MERGE_ROWS, error));
    self->order = leat_arena_take(&self->arena, LEAT_PK_MERGE_ROWS * sizeof *self->order);
    if (!self->order) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < LEAT_PK_MERGE_ROWS; i++)
        self->order[i] = i;
    if (options->changelog_level < 0) return LEAT_OK;
    LEAT_TRY(leat_pk_state_init(&self->olds, options->options, options->columns, options->columns_count, error));
    LEAT_TRY(leat_pk_state_reserve(&self->olds, LEAT_PK_MERGE_ROWS, error));
    self->old_rows = leat_arena_take(&self->arena, LEAT_PK_MERGE_ROWS * sizeof *self->old_rows);
    return self->old_rows ? LEAT_OK : leat_fail_no_memory(error);
}

leat_code leat_pk_merge_new(const leat_pk_merge_options *options, leat_pk_merge **out, leat_error *error)
{
    leat_pk_merge *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->options = *options;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    self->runs_count = options->spill ? leat_pk_spill_runs(options->spill) : (int32_t)options->section->runs_count;
    self->runs = leat_calloc((size_t)self->runs_count, sizeof *self->runs);
    self->tree = leat_calloc((size_t)self->runs_count + 1, sizeof *self->tree);
    leat_code code = self->runs && self->tree ? LEAT_OK : leat_fail_no_memory(error);
    for (int32_t i = 0; i < self->runs_count && code == LEAT_OK; i++) {
        if (options->spill)
            code = leat_pk_spilled_open(options->spill, i, &self->runs[i].spilled, error);
        else
            self->runs[i].run = &options->section->runs[i];
    }
    if (code == LEAT_OK) code = make_schema(self, error);
    if (code == LEAT_OK) code = make_states(self, error);
    if (code != LEAT_OK) {
        leat_pk_merge_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

void leat_pk_merge_free(leat_pk_merge *self)
{
    if (!self) return;
    for (int32_t i = 0; self->runs && i < self->runs_count; i++) {
        leat_pk_file_reader_free(self->runs[i].reader);
        leat_pk_spilled_free(self->runs[i].spilled);
        leat_batch_free(self->runs[i].batch);
    }
    leat_pk_state_done(&self->state);
    leat_pk_state_done(&self->olds);
    leat_free(self->runs);
    leat_free(self->tree);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static leat_code open_file(const leat_pk_merge *self, run_cursor *run, leat_error *error)
{
    const leat_paimon_file *file = run->run->files[run->next_file++];
    run->level = file->level;
    return leat_pk_file_reader_new(self->options.io, self->options.bucket_path, file, &self->schema, &run->reader,
                                   error);
}

/* One step of a run's files, as of one: AGAIN between two of them. */
static leat_code step_run(const leat_pk_merge *self, run_cursor *run, leat_pk_status *status, leat_error *error)
{
    if (run->spilled) return leat_pk_spilled_step(run->spilled, status, &run->batch, error);
    *status = LEAT_PK_END;
    if (!run->reader && run->next_file == run->run->count) return LEAT_OK;
    if (!run->reader) LEAT_TRY(open_file(self, run, error));
    LEAT_TRY(leat_pk_file_reader_step(run->reader, LEAT_PK_MERGE_ROWS, status, &run->batch, error));
    if (*status != LEAT_PK_END) return LEAT_OK;
    leat_pk_file_reader_free(run->reader);
    run->reader = NULL;
    *status = LEAT_PK_AGAIN;
    return LEAT_OK;
}

/* Brings the next batch of a run. *is_waiting: not yet. */
static leat_code fill_run(leat_pk_merge *self, run_cursor *run, bool *is_waiting, leat_error *error)
{
    *is_waiting = false;
    while (!run->batch && !run->is_ended) {
        leat_pk_status status;
        LEAT_TRY(step_run(self, run, &status, error));
        if (status == LEAT_PK_WAIT) {
            *is_waiting = true;
            return LEAT_OK;
        }
        run->is_ended = status == LEAT_PK_END;
        if (run->batch && run->batch->rows == 0) {
            leat_batch_free(run->batch);
            run->batch = NULL;
        }
        run->row = 0;
    }
    return LEAT_OK;
}

static int64_t sequence_at(const leat_pk_merge *self, const run_cursor *run)
{
    return ((const int64_t *)run->batch->columns[self->options.columns_count].values)[run->row];
}

static int compare_key(const leat_pk_merge *self, const leat_column *left, int32_t left_row, const leat_column *right,
                       int32_t right_row, size_t left_stride)
{
    for (int32_t k = 0; k < self->options.options->keys_count; k++) {
        int32_t at = self->keys[k];
        const leat_column *column =
            (const leat_column *)(const void *)((const uint8_t *)left + (size_t)at * left_stride);
        int order = leat_pk_compare(&self->schema.fields[at].type, column, left_row, &right[at], right_row);
        if (order) return order;
    }
    return 0;
}

/* Whether a record's key is that of the last merged row. */
static bool is_key_of_last(const leat_pk_merge *self, const leat_batch *batch, int32_t row)
{
    const leat_pk_state *state = &self->state;
    return compare_key(self, &state->columns[0].column, state->rows - 1, batch->columns, row, sizeof(leat_pk_column)) ==
           0;
}

/* Whether run a's record comes before run b's. Ended runs come last. */
static bool is_before(const leat_pk_merge *self, int32_t a, int32_t b)
{
    const run_cursor *left = &self->runs[a], *right = &self->runs[b];
    if (left->is_ended || right->is_ended) return !left->is_ended;
    int order =
        compare_key(self, left->batch->columns, left->row, right->batch->columns, right->row, sizeof(leat_column));
    if (order) return order < 0;
    int64_t first = sequence_at(self, left), second = sequence_at(self, right);
    return first != second ? first < second : a < b;
}

/* Leaves are runs_count … 2·runs_count − 1, the parent of node n is n / 2. */
static void replay(leat_pk_merge *self, int32_t run)
{
    int32_t winner = run;
    for (int32_t node = (run + self->runs_count) / 2; node > 0; node /= 2) {
        if (!is_before(self, self->tree[node], winner)) continue;
        int32_t loser = winner;
        winner = self->tree[node];
        self->tree[node] = loser;
    }
    self->tree[0] = winner;
}

static void build_tree(leat_pk_merge *self)
{
    /* Play bottom-up: winners[n] of each inner node, the loser stays. Winners are kept in the upper half's place. */
    int32_t count = self->runs_count;
    int32_t *winners = leat_arena_take(&self->arena, 2 * (size_t)count * sizeof *winners);
    LEAT_ASSERT(winners); /* the arena holds far more than the runs of a bucket */
    for (int32_t i = 0; i < count; i++)
        winners[count + i] = i;
    for (int32_t node = count - 1; node > 0; node--) {
        int32_t left = winners[2 * node], right = winners[2 * node + 1];
        bool left_wins = is_before(self, left, right);
        winners[node] = left_wins ? left : right;
        self->tree[node] = left_wins ? right : left;
    }
    self->tree[0] = count > 1 ? winners[1] : 0;
    self->is_built = true;
}

static leat_code prepare(leat_pk_merge *self, bool *is_waiting, leat_error *error)
{
    *is_waiting = false;
    for (int32_t i = 0; i < self->runs_count; i++) {
        bool waits;
        LEAT_TRY(fill_run(self, &self->runs[i], &waits, error)); /* all reads start at once */
        *is_waiting = *is_waiting || waits;
    }
    if (!*is_waiting) build_tree(self);
    return LEAT_OK;
}

/* --- output --- */

static bool rows_are_equal(const leat_pk_merge *self, int32_t old_row, int32_t new_row)
{
    for (int32_t i = 0; i < self->state.columns_count; i++) {
        const leat_pk_column *old = &self->olds.columns[i], *now = &self->state.columns[i];
        if (leat_pk_compare(&old->type, &old->column, old_row, &now->column, new_row) != 0) return false;
    }
    return true;
}

static leat_code add_change(leat_batch_builder *builder, const leat_pk_state *from, int32_t row, leat_row_kind kind,
                            leat_error *error)
{
    LEAT_TRY(leat_batch_builder_begin_row(builder, kind, error));
    for (int32_t i = 0; i < from->columns_count; i++) {
        LEAT_TRY(leat_batch_builder_copy_value(builder, i, &from->columns[i].column, row, error));
    }
    leat_batch_builder_set_fixed(builder, from->columns_count, &from->sequences[row]);
    return LEAT_OK;
}

/* merge-tree.md §3, full-compaction: old is the record of the top level, new the merged one. */
static leat_code add_changes(const leat_pk_merge *self, int32_t row, leat_batch_builder *builder, leat_error *error)
{
    int32_t old = self->old_rows[row];
    bool is_put = leat_row_kind_is_add(self->state.kinds[row]);
    bool had_put = old >= 0 && leat_row_kind_is_add(self->olds.kinds[old]);
    if (!had_put) return is_put ? add_change(builder, &self->state, row, LEAT_ROW_INSERT, error) : LEAT_OK;
    if (self->state.records[row] == 1) return LEAT_OK; /* only the old record: unchanged */
    if (!is_put) return add_change(builder, &self->olds, old, LEAT_ROW_DELETE, error);
    if (self->options.options->row_deduplicate && rows_are_equal(self, old, row)) return LEAT_OK;
    LEAT_TRY(add_change(builder, &self->olds, old, LEAT_ROW_UPDATE_BEFORE, error));
    return add_change(builder, &self->state, row, LEAT_ROW_UPDATE_AFTER, error);
}

static leat_code make_changelog(leat_pk_merge *self, leat_batch **out, leat_error *error)
{
    int32_t columns = self->state.columns_count;
    leat_layout *layouts = leat_alloc(((size_t)columns + 1) * sizeof *layouts);
    if (!layouts) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < columns; i++)
        layouts[i] = self->state.columns[i].column.layout;
    layouts[columns] = LEAT_LAYOUT_64;
    leat_batch_builder builder;
    leat_code code = leat_batch_builder_init(&builder, layouts, columns + 1, 2 * LEAT_PK_MERGE_ROWS, error);
    leat_free(layouts);
    for (int32_t i = 0; i < self->state.rows && code == LEAT_OK; i++)
        code = add_changes(self, i, &builder, error);
    if (code == LEAT_OK && builder.rows) code = leat_batch_builder_finish(&builder, out, error);
    leat_batch_builder_done(&builder);
    return code;
}

static leat_code emit(leat_pk_merge *self, leat_batch **out, leat_batch **changelog, leat_error *error)
{
    if (self->options.changelog_level >= 0) {
        *changelog = NULL;
        LEAT_TRY(make_changelog(self, changelog, error));
        leat_pk_state_reset(&self->olds);
    }
    LEAT_TRY(leat_pk_state_gather(&self->state, self->order, self->state.rows, out, error));
    leat_pk_state_reset(&self->state);
    return LEAT_OK;
}

static leat_code take_record(leat_pk_merge *self, const run_cursor *run, bool is_new, leat_error *error)
{
    int32_t target = is_new ? leat_pk_state_new_row(&self->state) : self->state.rows - 1;
    leat_row_kind kind = (leat_row_kind)leat_batch_kind(run->batch, run->row);
    int64_t sequence = sequence_at(self, run);
    if (self->old_rows && is_new) self->old_rows[target] = -1;
    if (self->old_rows && run->level == self->options.changelog_level) {
        if (self->old_rows[target] >= 0) {
            return leat_fail(error, LEAT_CORRUPT, "%s: a key is twice on level %d", self->options.bucket_path,
                             run->level);
        }
        int32_t old = leat_pk_state_new_row(&self->olds);
        self->old_rows[target] = old;
        LEAT_TRY(leat_pk_state_add(&self->olds, old, run->batch, run->row, kind, sequence, error));
    }
    return leat_pk_state_add(&self->state, target, run->batch, run->row, kind, sequence, error);
}

/* One run, no changelog: its batches are the result. */
static leat_code pass_batch(leat_pk_merge *self, leat_pk_status *status, leat_batch **out, leat_error *error)
{
    bool is_waiting;
    run_cursor *run = &self->runs[0];
    LEAT_TRY(fill_run(self, run, &is_waiting, error));
    *status = is_waiting ? LEAT_PK_WAIT : run->is_ended ? LEAT_PK_END : LEAT_PK_BATCH;
    if (*status == LEAT_PK_BATCH) {
        *out = run->batch;
        run->batch = NULL;
    }
    return LEAT_OK;
}

static leat_code advance(leat_pk_merge *self, int32_t winner, bool *is_waiting, leat_error *error)
{
    run_cursor *run = &self->runs[winner];
    *is_waiting = false;
    if (run->batch && ++run->row < run->batch->rows) {
        replay(self, winner);
        return LEAT_OK;
    }
    leat_batch_free(run->batch);
    run->batch = NULL;
    LEAT_TRY(fill_run(self, run, is_waiting, error));
    if (!*is_waiting) replay(self, winner);
    return LEAT_OK;
}

leat_code leat_pk_merge_step(leat_pk_merge *self, leat_pk_status *status, leat_batch **out, leat_batch **changelog,
                             leat_error *error)
{
    if (self->runs_count == 1 && self->options.changelog_level < 0) return pass_batch(self, status, out, error);
    bool is_waiting = false;
    *status = LEAT_PK_WAIT;
    if (!self->is_built) LEAT_TRY(prepare(self, &is_waiting, error));
    if (is_waiting) return LEAT_OK;
    for (;;) {
        int32_t winner = self->tree[0];
        run_cursor *run = &self->runs[winner];
        if (!run->is_ended && !run->batch) { /* its next batch was under way when the last step ended */
            LEAT_TRY(advance(self, winner, &is_waiting, error));
            if (is_waiting) return LEAT_OK;
            continue;
        }
        if (run->is_ended) break;
        bool is_new = self->options.keeps_all || self->state.rows == 0 || !is_key_of_last(self, run->batch, run->row);
        if (is_new && self->state.rows == LEAT_PK_MERGE_ROWS) {
            *status = LEAT_PK_BATCH;
            return emit(self, out, changelog, error);
        }
        LEAT_TRY(take_record(self, run, is_new, error));
        LEAT_TRY(advance(self, winner, &is_waiting, error));
        if (is_waiting) return LEAT_OK;
    }
    *status = self->state.rows ? LEAT_PK_BATCH : LEAT_PK_END;
    return self->state.rows ? emit(self, out, changelog, error) : LEAT_OK;
}
