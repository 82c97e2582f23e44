/* Streams the merge of sorted runs (one section) through a loser tree: records by (key, sequence number), those of one
 * key into the table's merge engine, oldest first. Memory: a row group and a batch of each run, one batch of output;
 * where that is too much, a first pass makes fewer runs (spill.h). */
#pragma once

#include "paimon/pk/file_reader.h"
#include "paimon/pk/options.h"
#include "paimon/pk/sections.h"

enum { LEAT_PK_MERGE_ROWS = 4096 }; /* of an output batch */

typedef struct leat_pk_merge leat_pk_merge;

typedef struct leat_pk_merge_options {
    const leat_pk_options *options; /* borrowed, as all here */
    const leat_pk_io *io;
    const char *bucket_path;
    const leat_pk_section *section;
    const int32_t *columns; /* of the table; the key's among them */
    int32_t columns_count;
    /* Full-compaction changelog: the difference between records of this level and the merged ones; -1: none is made. */
    int32_t changelog_level;
    struct leat_pk_spill *spill; /* the section's runs after a first pass; NULL: they are read from their files */
    bool keeps_all;              /* records of one key stay apart */
} leat_pk_merge_options;

LEAT_CHECKED leat_code leat_pk_merge_new(const leat_pk_merge_options *options, leat_pk_merge **out, leat_error *error);
/* A batch: the columns, then the sequence number; row kinds, deletes among them. *changelog (NULL when there is none;
 * may be given NULL without changelog_level): the same columns. */
LEAT_CHECKED leat_code leat_pk_merge_step(leat_pk_merge *merge, leat_pk_status *status, leat_batch **out,
                                          leat_batch **changelog, leat_error *error);
void leat_pk_merge_free(leat_pk_merge *merge); /* NULL is fine */
