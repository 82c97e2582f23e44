/* Paimon tables in the simulated world: datagen (k INT random, n BIGINT sequence, one BIGINT = 1) into an append table,
 * a deduplicating or an aggregating primary-key table, written by the production operators and committer over simulated
 * storage, with a small row format in the place of Parquet.
 *
 * What a reader may see after any commit, also when another job adds rows of n = one = 0: the numbers 0 … m − 1 of the
 * one source subtask, each once: append       every row is there aggregation  the sum of `one` is m, the sum of n is m
 * (m − 1) / 2, one row a key */
#pragma once

#include "common/bytes.h"
#include "tests/sim/follower.h"
#include "tests/sim/world.h"

typedef enum sim_table_kind {
    SIM_TABLE_APPEND,
    SIM_TABLE_AGGREGATION_DYNAMIC,
    SIM_TABLE_AGGREGATION_FIXED,
    SIM_TABLE_KINDS
} sim_table_kind;

typedef struct sim_table {
    const char *name;
    sim_table_kind kind;
    int32_t keys, sink_parallelism;
    int64_t rows_per_second, rows_count; /* -1: endless */
    bool has_changelog;                  /* changelog-producer = full-compaction, every second commit */
    int32_t buckets;                     /* of the fixed kind */
    int32_t levels, amplification;       /* large: compactions stop below the top level */
    sim_chain *chain;
    sim_follower *follower; /* of its changelog */
    bool is_compacting;     /* also when it is foreign: then compactions conflict */
    bool is_foreign; /* it is there already, and the job writes keys of its own choice with n = one = 0 into it */
} sim_table;

void sim_tables_register(leat_registry *registry);
/* Creates the tables and plans the job: one source, described by the first, writes them all. */
LEAT_CHECKED leat_code sim_tables_graph(sim_world *world, const sim_table *tables, int count, leat_bytes *out,
                                        leat_error *error);
/* Reads the newest snapshot and checks it. *rows: m. */
void sim_table_check(sim_world *world, const sim_table *table, int64_t *rows);
/* As another engine does, once the follower has read on: leaves the newest `retained` snapshots. */
void sim_table_expire(sim_world *world, const sim_table *table, int64_t retained);
