#include "paimon/pk/levels.h"

#include <string.h>

#include "common/memory.h"

void leat_pk_levels_init(leat_pk_levels *levels, const leat_pk_options *options)
{
    *levels = (leat_pk_levels){.max_level = options->levels_count - 1};
}

void leat_pk_levels_done(leat_pk_levels *levels)
{
    leat_pk_files_done(&levels->files);
}

/* Whether `left` comes before `right`: youngest first on level 0, by key order of insertion above. */
static bool is_before(const leat_paimon_file *left, const leat_paimon_file *right)
{
    if (left->level != right->level) return left->level < right->level;
    if (left->level > 0) return false;
    if (left->max_sequence != right->max_sequence) return left->max_sequence > right->max_sequence;
    if (left->min_sequence != right->min_sequence) return left->min_sequence < right->min_sequence;
    if (left->creation_ms != right->creation_ms) return left->creation_ms < right->creation_ms;
    return strcmp(left->name, right->name) < 0;
}

leat_code leat_pk_levels_add(leat_pk_levels *levels, leat_pk_file *file, leat_error *error)
{
    LEAT_TRY(leat_pk_files_add(&levels->files, file, error));
    size_t at = levels->files.count - 1;
    while (at > 0 && is_before(&file->meta, &levels->files.items[at - 1]->meta)) {
        levels->files.items[at] = levels->files.items[at - 1];
        at--;
    }
    levels->files.items[at] = file;
    if (file->meta.level > levels->max_level) levels->max_level = file->meta.level;
    return LEAT_OK;
}

void leat_pk_levels_remove(leat_pk_levels *levels, const leat_pk_file *file)
{
    bool was_there = leat_pk_files_remove(&levels->files, file);
    LEAT_ASSERT(was_there);
}

size_t leat_pk_levels_runs(const leat_pk_levels *levels, leat_pk_level_run *runs)
{
    size_t count = 0;
    for (size_t i = 0; i < levels->files.count; i++) {
        const leat_paimon_file *file = &levels->files.items[i]->meta;
        bool is_same = count > 0 && file->level > 0 && runs[count - 1].level == file->level;
        if (!is_same) runs[count++] = (leat_pk_level_run){.level = file->level, .first = i};
        runs[count - 1].size_bytes += file->size_bytes;
        runs[count - 1].count++;
    }
    return count;
}

size_t leat_pk_levels_runs_count(const leat_pk_levels *levels)
{
    size_t count = 0;
    int32_t last = 0;
    for (size_t i = 0; i < levels->files.count; i++) {
        int32_t level = levels->files.items[i]->meta.level;
        count += level == 0 || level != last;
        last = level;
    }
    return count;
}

int32_t leat_pk_levels_highest(const leat_pk_levels *levels)
{
    return levels->files.count ? levels->files.items[levels->files.count - 1]->meta.level : -1;
}

typedef struct picker {
    const leat_pk_options *options;
    const leat_pk_level_run *runs;
    size_t count;
    int32_t max_level;
} picker;

static leat_pk_unit make_unit(const picker *self, size_t taken)
{
    int32_t output = taken == self->count ? self->max_level : self->runs[taken].level - 1;
    if (output < 0) output = 0;
    if (output == 0) { /* level 0 is no place for a result: go on to the first level that is not 0 */
        while (taken < self->count) {
            int32_t level = self->runs[taken++].level;
            output = level;
            if (level != 0) break;
        }
    }
    if (taken == self->count) output = self->max_level;
    size_t files = 0;
    for (size_t i = 0; i < taken; i++)
        files += self->runs[i].count;
    /* One file that is where it should be needs nothing. */
    if (files == 1 && self->runs[0].level == output) files = 0;
    return (leat_pk_unit){.files_count = files, .output_level = output};
}

static leat_pk_unit grow(const picker *self, size_t taken)
{
    int64_t size = 0;
    for (size_t i = 0; i < taken; i++)
        size += self->runs[i].size_bytes;
    while (taken < self->count) {
        double bound = (double)size * (100.0 + (double)self->options->size_ratio) / 100.0;
        if (bound < (double)self->runs[taken].size_bytes) break;
        size += self->runs[taken++].size_bytes;
    }
    return taken > 1 ? make_unit(self, taken) : (leat_pk_unit){0};
}

static leat_pk_unit pick(const picker *self)
{
    size_t trigger = (size_t)self->options->trigger;
    if (self->count < trigger || self->count == 0) return (leat_pk_unit){0};
    int64_t younger = 0, oldest = self->runs[self->count - 1].size_bytes;
    for (size_t i = 0; i + 1 < self->count; i++)
        younger += self->runs[i].size_bytes;
    if ((double)younger * 100.0 > (double)self->options->size_amplification * (double)oldest) {
        return make_unit(self, self->count);
    }
    leat_pk_unit unit = grow(self, 1);
    if (unit.files_count == 0 && self->count > trigger) unit = grow(self, self->count - trigger + 1);
    return unit;
}

leat_code leat_pk_levels_pick(const leat_pk_levels *levels, const leat_pk_options *options, leat_pk_unit *out,
                              leat_error *error)
{
    leat_pk_level_run *runs = leat_alloc(levels->files.count * sizeof *runs);
    if (!runs) return leat_fail_no_memory(error);
    picker self = {options, runs, leat_pk_levels_runs(levels, runs), levels->max_level};
    *out = pick(&self);
    leat_free(runs);
    return LEAT_OK;
}

/* The oldest runs of level 0 go to the level under the lowest that has files, so that older stays above younger; with
 * that level's run when there is none between. The top is left for the end, for its changelog is made once. */
static leat_pk_unit first_round(const picker *self, size_t runs_max)
{
    size_t young = 0;
    while (young < self->count && self->runs[young].level == 0)
        young++;
    int32_t lowest = young < self->count ? self->runs[young].level : self->max_level > 1 ? self->max_level : 2;
    bool joins = lowest == 1;
    size_t room = joins ? runs_max - 1 : runs_max, taken = young < room ? young : room;
    leat_pk_unit round = {.first = self->runs[young - taken].first, .output_level = joins ? 1 : lowest - 1};
    for (size_t i = young - taken; i < young + joins; i++)
        round.files_count += self->runs[i].count;
    return round;
}

leat_code leat_pk_levels_bound(const leat_pk_levels *levels, const leat_pk_options *options, leat_pk_unit *unit,
                               leat_error *error)
{
    /* More runs than levels: then there are two on level 0. */
    size_t runs_max = (size_t)options->merge_runs_max, levels_count = (size_t)levels->max_level + 1;
    if (runs_max < levels_count) runs_max = levels_count;
    if (unit->files_count <= runs_max) return LEAT_OK;
    leat_pk_level_run *runs = leat_alloc(levels->files.count * sizeof *runs);
    if (!runs) return leat_fail_no_memory(error);
    picker self = {options, runs, leat_pk_levels_runs(levels, runs), levels->max_level};
    size_t in_unit = 0;
    while (in_unit < self.count && runs[in_unit].first < unit->files_count)
        in_unit++;
    if (in_unit > runs_max) *unit = first_round(&self, runs_max);
    leat_free(runs);
    return LEAT_OK;
}

leat_pk_unit leat_pk_levels_pick_full(const leat_pk_levels *levels)
{
    size_t count = levels->files.count;
    if (count == 0 || levels->files.items[0]->meta.level == levels->max_level) return (leat_pk_unit){0};
    return (leat_pk_unit){.files_count = count, .output_level = levels->max_level};
}
