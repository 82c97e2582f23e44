/* The first pass over a section of too many runs: groups of neighbouring runs become one sorted run each, in scratch
 * bytes on disk; no records are merged, so that what the second pass (merge.h) makes is what one pass would have made.
 * Memory: the readers of one group, or a frame or two of each of the runs that were made. */
#pragma once

#include "paimon/pk/merge.h"

typedef struct leat_pk_spill leat_pk_spill;
typedef struct leat_pk_spilled leat_pk_spilled; /* one run that was made, being read */

/* Whether a merge of all runs at once would hold more than the table's options let it. */
bool leat_pk_spill_is_needed(const leat_pk_merge_options *options);
LEAT_CHECKED leat_code leat_pk_spill_new(const leat_pk_merge_options *options, leat_pk_spill **out, leat_error *error);
/* END: all runs are there, and leat_pk_merge_new can be given the spill. */
LEAT_CHECKED leat_code leat_pk_spill_step(leat_pk_spill *spill, leat_pk_status *status, leat_error *error);
int32_t leat_pk_spill_runs(const leat_pk_spill *spill);
void leat_pk_spill_free(leat_pk_spill *spill); /* when no job runs; NULL is fine */

LEAT_CHECKED leat_code leat_pk_spilled_open(leat_pk_spill *spill, int32_t run, leat_pk_spilled **out,
                                            leat_error *error);
/* As leat_pk_file_reader_step. */
LEAT_CHECKED leat_code leat_pk_spilled_step(leat_pk_spilled *run, leat_pk_status *status, leat_batch **out,
                                            leat_error *error);
void leat_pk_spilled_free(leat_pk_spilled *run); /* when its job does not run; NULL is fine */
