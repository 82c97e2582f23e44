/* Cuts the files of a bucket into sections of overlapping key ranges, and each section into the fewest runs whose files
 * do not overlap (merge-tree.md §1). */
#pragma once

#include "columnar/type.h"
#include "paimon/table.h"

typedef struct leat_pk_run {
    const leat_paimon_file **files; /* in key order */
    size_t count;
} leat_pk_run;

typedef struct leat_pk_section {
    leat_pk_run *runs;
    size_t runs_count;
    int64_t size_bytes;
    size_t files_count;
} leat_pk_section;

typedef struct leat_pk_sections {
    leat_pk_section *items; /* in key order */
    size_t count;
} leat_pk_sections;

/* Everything in the arena. Types are those of the trimmed primary key. */
LEAT_CHECKED leat_code leat_pk_sections_make(const leat_paimon_file *const *files, size_t count,
                                             const leat_type *key_types, int32_t keys_count, leat_arena *arena,
                                             leat_pk_sections *out, leat_error *error);
