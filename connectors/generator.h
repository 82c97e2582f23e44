/* What the connectors that make rows up have in common: datagen, faker. */
#pragma once

#include "common/config.h"

typedef struct leat_generator_pace {
    int64_t rows_per_second; /* over all subtasks; each makes at least 1 */
    int64_t rows_count;      /* over all subtasks; -1: endless */
    int32_t parallelism;     /* -1: the session's */
} leat_generator_pace;

/* Options 'rows-per-second', 'number-of-rows', 'scan.parallelism'. */
LEAT_CHECKED leat_code leat_generator_read_pace(const leat_config *options, leat_generator_pace *out,
                                                leat_error *error);
