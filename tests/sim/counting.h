/* The counting job: datagen (n BIGINT sequence, k INT random) ─ hash(k) ─▶ count by k ─ hash(n) ─▶ a two-phase sink
 * whose table is objects in storage.
 *
 * What a reader may ever see: for each source subtask the numbers 0 … m without a gap or repetition, and for each k the
 * counts 1 … c likewise. A lost row, a doubled row, a lost or doubled state update, a commit out of order or done twice
 * breaks it. */
#pragma once

#include "common/bytes.h"
#include "flow/registry.h"
#include "tests/sim/world.h"

enum { SIM_KEYS = 16, SIM_NUMBERS_MAX = 1 << 20 };

typedef struct sim_counting {
    int32_t number; /* its table is "mem:/table-<number>" */
    int32_t source_parallelism, count_parallelism, sink_parallelism;
    int64_t rows_per_second;
    int64_t rows_count; /* -1: endless */
    int32_t sources;    /* with splits: 1 or 2; the second makes the numbers from SIM_NUMBERS_MAX / 2 on */
    int64_t split_rows; /* 0: datagen; else a source whose enumerator hands out splits of so many rows */
    int32_t batch_rows; /* with splits: at most so many rows at once */
} sim_counting;

void sim_counting_register(leat_registry *registry);
LEAT_CHECKED leat_code sim_counting_graph(const sim_counting *job, leat_bytes *out, leat_error *error);
/* Reads the committed table as a reader would and checks it. Rows in *rows. */
void sim_counting_check(sim_world *world, const sim_counting *job, int64_t *rows);

/* counter.c */
extern const leat_operator_factory sim_counter_factory;

/* What the sink of a job commits to; its counters and split enumerators follow it. The name is kept for ever. */
const char *sim_counting_topic(int32_t number);
/* The number in an operator's or a committer's configuration. */
int32_t sim_counting_number(const uint8_t *config, size_t size);

/* splits.c */
typedef struct sim_splits {
    int32_t number;     /* of the job */
    int64_t first, end; /* the numbers that the source makes */
    int64_t split_rows, rows_per_second;
    int32_t batch_rows;
} sim_splits;
void sim_splits_config(const sim_splits *config, leat_bytes *out);
extern const leat_operator_factory sim_splits_reader_factory;
extern const leat_enumerator_factory sim_splits_enumerator_factory;
