/* Paimon tables as a reader sees them: rows of the newest snapshot, and whether the chain of snapshots holds. */
#pragma once

#include "columnar/batch.h"
#include "common/arena.h"
#include "tests/sim/world.h"

enum { SIM_ARENA_BYTES_MAX = 256 << 20 };

/* Objects themselves: no delays, no failures. */
sim_process sim_looker(sim_world *world);

/* Gives the rows of the newest snapshot of an unpartitioned table, all columns in order. Tables with a primary key come
 * merged. */
void sim_read_table(sim_world *world, const char *table_path, void (*take)(void *arg, const leat_batch *batch),
                    void *arg);

/* What snapshot `id` says to those who follow the table's changes: rows with their kinds. */
void sim_read_changes(sim_world *world, const char *table_path, int64_t id,
                      void (*take)(void *arg, const leat_batch *batch), void *arg);
int64_t sim_latest_snapshot(sim_world *world, const char *table_path);

/* The chain of snapshots of a table, looked at again and again. Of every retained snapshot: ids without a gap; its list
 * of all files is that of the snapshot before and what it says that it changed; a job's checkpoint is there once (an
 * APPEND, then a COMPACT half), and those of a job in order; every object that it names is there and whole. */
typedef struct sim_chain sim_chain;
sim_chain *sim_chain_new(void);
void sim_chain_free(sim_chain *chain); /* NULL is fine */
void sim_chain_check(sim_chain *chain, sim_world *world, const char *table_path);

/* As another engine expires snapshots: all but the newest `retained` go, and every object that none of the others
 * names.
 */
void sim_expire(sim_world *world, const char *table_path, int64_t retained);
