/* One compaction of a bucket, in slices (merge-tree.md §2 "Running a unit", §3 full-compaction): overlapping sections
 * and small files are rewritten; large files that overlap nothing keep their bytes and get a new name and level. */
#pragma once

#include "paimon/pk/file_writer.h"
#include "paimon/pk/levels.h"

typedef struct leat_pk_compaction leat_pk_compaction;

typedef struct leat_pk_compaction_options {
    const leat_pk_options *options; /* borrowed, as all here */
    const leat_paimon_schema *schema;
    leat_pk_io io;
    const char *bucket_path;
    leat_paimon_names *names;
    const leat_pk_levels *levels; /* looked at in _new only; the files are shared */
    leat_pk_unit unit;
} leat_pk_compaction_options;

LEAT_CHECKED leat_code leat_pk_compaction_new(const leat_pk_compaction_options *options, leat_pk_compaction **out,
                                              leat_error *error);
/* END: all files are durable. */
LEAT_CHECKED leat_code leat_pk_compaction_step(leat_pk_compaction *compaction, leat_pk_status *status,
                                               leat_error *error);
/* After END: what it replaces, what with, and the changelog. */
const leat_pk_files *leat_pk_compaction_before(const leat_pk_compaction *compaction);
const leat_pk_files *leat_pk_compaction_after(const leat_pk_compaction *compaction);
const leat_pk_files *leat_pk_compaction_changelog(const leat_pk_compaction *compaction);
void leat_pk_compaction_free(leat_pk_compaction *compaction); /* when no job runs; NULL is fine */
