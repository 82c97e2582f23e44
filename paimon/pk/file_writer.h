/* Writes sorted records into rolling data (or changelog) files of a bucket: system columns, bounds, statistics and
 * counts as spec/paimon files.md §2, layout.md §6 have them. */
#pragma once

#include "paimon/path.h"
#include "paimon/pk/file.h"
#include "paimon/pk/file_reader.h"
#include "paimon/pk/options.h"

typedef struct leat_pk_file_writer leat_pk_file_writer;

typedef struct leat_pk_file_writer_options {
    const leat_pk_options *options; /* borrowed, as all here */
    const leat_paimon_schema *schema;
    leat_pk_io io;
    const char *bucket_path;
    leat_paimon_names *names; /* of the bucket's writer */
    int32_t level;
    leat_paimon_file_source source;
    bool is_changelog;
} leat_pk_file_writer_options;

LEAT_CHECKED leat_code leat_pk_file_writer_new(const leat_pk_file_writer_options *options, leat_pk_file_writer **out,
                                               leat_error *error);
/* The selected rows of a batch of all table columns and the sequence number, with row kinds; in key order. Borrowed. */
LEAT_CHECKED leat_code leat_pk_file_writer_write(leat_pk_file_writer *writer, const leat_batch *batch,
                                                 leat_error *error);
/* Whether so much waits for storage that nothing should be written before the next wake. */
LEAT_CHECKED leat_code leat_pk_file_writer_is_full(leat_pk_file_writer *writer, bool *is_full, leat_error *error);
/* No more rows. */
LEAT_CHECKED leat_code leat_pk_file_writer_finish(leat_pk_file_writer *writer, leat_error *error);
/* After finish: true once all files are durable. Then `files` are theirs, in key order. */
LEAT_CHECKED leat_code leat_pk_file_writer_poll(leat_pk_file_writer *writer, bool *is_done, leat_error *error);
const leat_pk_files *leat_pk_file_writer_files(const leat_pk_file_writer *writer);
void leat_pk_file_writer_free(leat_pk_file_writer *writer); /* when no job runs; NULL is fine */
