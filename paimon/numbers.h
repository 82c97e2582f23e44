/* Numbered files: schema-N, snapshot-N. Internal to paimon/. */
#pragma once

#include <stddef.h>

#include "common/env.h"

typedef struct leat_paimon_range {
    int64_t min, max; /* -1: there is none */
} leat_paimon_range;

/* Over the files <table>/<folder>/<prefix><decimal>; other names (temporary files of other writers) are left out. */
LEAT_CHECKED leat_code leat_paimon_list_numbers(leat_env *env, const char *table_path, const char *folder,
                                                const char *prefix, leat_paimon_range *out, leat_error *error);
/* A decimal number and nothing else; -1 when it is not one. */
int64_t leat_paimon_parse_number(const char *text, size_t length);
