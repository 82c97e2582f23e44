/* Writes a sealed buffer as sorted files of level 0, and its unmerged rows as changelog (producer input), in slices. */
#pragma once

#include "paimon/pk/bucket.h"

/* `buffer` is borrowed until the flush is freed; it must not change. */
LEAT_CHECKED leat_code leat_pk_flush_new(leat_pk_bucket *bucket, leat_pk_buffer *buffer, leat_pk_flush **out,
                                         leat_error *error);
/* END: all files are durable and in the two lists. */
LEAT_CHECKED leat_code leat_pk_flush_step(leat_pk_flush *flush, leat_pk_files *files, leat_pk_files *changelog,
                                          leat_pk_status *status, leat_error *error);
/* The buffer's struct was moved. */
void leat_pk_flush_rebind(leat_pk_flush *flush, leat_pk_buffer *buffer);
void leat_pk_flush_free(leat_pk_flush *flush);
