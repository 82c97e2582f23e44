/* The action mysql_sync_table: one or several MySQL tables into one Paimon table, first their rows, then every change
 * (spec/cdc types §5). Makes or checks the Paimon table and plans the job; the caller submits it. Blocks. */
#pragma once

#include "common/arena.h"
#include "common/bytes.h"
#include "common/config.h"
#include "common/env.h"

/* "--key value" of the command line; dashes and underscores in the key are the same. */
typedef struct leat_action_argument {
    const char *key, *value;
} leat_action_argument;

/* `config` is the job's (cluster, session, -D). Appends a packed leat.pb.JobGraph; *job_name lives in the arena.
 * `time_zone` is the machine's (NULL: UTC). */
LEAT_CHECKED leat_code leat_mysql_sync_table(leat_env *env, const leat_config *config, const char *time_zone,
                                             const leat_action_argument *arguments, size_t arguments_count,
                                             leat_arena *arena, leat_bytes *graph, const char **job_name,
                                             leat_error *error);
