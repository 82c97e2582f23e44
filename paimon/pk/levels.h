/* Levels of a bucket and what universal compaction takes next (merge-tree.md §1, §2). Pure. */
#pragma once

#include "paimon/pk/file.h"
#include "paimon/pk/options.h"

/* A sorted run: one file of level 0, or all files of a higher level. */
typedef struct leat_pk_level_run {
    int32_t level;
    int64_t size_bytes;
    size_t first, count; /* in the sorted list of files */
} leat_pk_level_run;

typedef struct leat_pk_levels {
    leat_pk_files files; /* youngest first: level 0 by age, then levels 1, 2, … */
    int32_t max_level;
} leat_pk_levels;

/* Files to compact and the level they go to. */
typedef struct leat_pk_unit {
    size_t files_count; /* of levels->files, whole runs; 0: nothing to do */
    int32_t output_level;
    size_t first; /* the youngest of them; not 0 only when a unit was bounded */
} leat_pk_unit;

void leat_pk_levels_init(leat_pk_levels *levels, const leat_pk_options *options);
void leat_pk_levels_done(leat_pk_levels *levels);
/* Takes a reference. A file on a higher level than known raises max_level. */
LEAT_CHECKED leat_code leat_pk_levels_add(leat_pk_levels *levels, leat_pk_file *file, leat_error *error);
void leat_pk_levels_remove(leat_pk_levels *levels, const leat_pk_file *file);
/* The runs, youngest first; `runs` has room for one a file. */
size_t leat_pk_levels_runs(const leat_pk_levels *levels, leat_pk_level_run *runs);
size_t leat_pk_levels_runs_count(const leat_pk_levels *levels);
/* Highest level that has files; -1: none. */
int32_t leat_pk_levels_highest(const leat_pk_levels *levels);
LEAT_CHECKED leat_code leat_pk_levels_pick(const leat_pk_levels *levels, const leat_pk_options *options,
                                           leat_pk_unit *out, leat_error *error);
/* A merge holds a row group of each of its runs: a unit of more than `merge_runs_max` is done in rounds. *unit becomes
 * the first of them, which makes one run of the oldest of level 0; what is then still to do is picked again. */
LEAT_CHECKED leat_code leat_pk_levels_bound(const leat_pk_levels *levels, const leat_pk_options *options,
                                            leat_pk_unit *unit, leat_error *error);
/* All runs to the top; nothing when only the top level has files. */
leat_pk_unit leat_pk_levels_pick_full(const leat_pk_levels *levels);
