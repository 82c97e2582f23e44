/* sim-aggregate: keyed aggregation by the production operator under crashes, broken and slow connections, sick storage;
 * many seeds (drive.h).
 *
 *   numbers a ─┐
 *   numbers b ─┴─ UNION ALL ── GROUP BY n % KEYS: COUNT(*), MAX(n), SUM(n) ──▶ a Paimon table with primary key
 *
 * One source ends long before the other, and finished tasks are carried through checkpoints. In batch mode there are no
 * checkpoints, and the rows come at the end of the input.
 *
 * Now and then an object of the newest checkpoint is torn. It is not taken for whole: the job goes on from an older
 * checkpoint if that doubles nothing, or ends and says why.
 *
 * Each source makes the numbers 0, 1, 2 … in one subtask. So a group's sum says how many numbers of both sources it
 * has, and what a reader sees after a commit is that of the first `count` numbers of a and of b for some two counts. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "tests/sim/drive.h"
#include "tests/sim/sql.h"
#include "tests/sim/table_reader.h"

enum { KEYS_MAX = 400, SQL_BYTES = 4096 };
static const char totals_path[] = "mem:/house/default.db/totals";

typedef struct plan {
    int64_t rows[2], rows_per_second[2];
    int64_t keys;
    int32_t parallelism, buckets;
    bool is_batch, is_mini_batch;
    int64_t damage_us; /* when an object of the newest checkpoint is torn; 0: never */
    bool *is_damaged;
    sim_chain *chain;
} plan;

static int64_t draw(sim_world *dice, void *arg)
{
    plan *self = arg;
    *self = (plan){.keys = 1 + (int64_t)sim_below(dice, KEYS_MAX),
                   .parallelism = 1 + (int32_t)sim_below(dice, 3),
                   .buckets = sim_below(dice, 2) ? 1 + (int32_t)sim_below(dice, 3) : -1,
                   .is_batch = sim_below(dice, 6) == 0,
                   .is_mini_batch = sim_below(dice, 2) == 0,
                   .is_damaged = leat_calloc(1, sizeof *self->is_damaged),
                   .chain = sim_chain_new()};
    LEAT_ASSERT(self->is_damaged);
    if (!self->is_batch && sim_below(dice, 6) == 0) self->damage_us = 500000 + (int64_t)sim_below(dice, 3000000);
    bool is_slow = sim_below(dice, 4) == 0; /* the first source ends when all is well again */
    for (int i = 0; i < 2; i++) {
        self->rows_per_second[i] = is_slow ? 20 + (int64_t)sim_below(dice, 80) : 300 + (int64_t)sim_below(dice, 2000);
        int64_t ms = self->is_batch ? 300 : (i == 0 ? 1500 : 6000) * (is_slow ? 15 : 1) / (is_slow && i ? 2 : 1);
        self->rows[i] = 1 + (int64_t)sim_below(dice, (uint64_t)(self->rows_per_second[i] * ms / 1000));
    }
    return self->rows[0] + self->rows[1];
}

/* A torn write: the object is as long as it was, and its end is zeros. */
static void tear(sim_world *world, const plan *self, const char *path)
{
    enum { TORN_BYTES = 16 }; /* of an aggregate: the last sum */
    leat_bytes bytes = {0};
    leat_code code = leat_storage_get_all(world->objects, path, SIM_ARENA_BYTES_MAX, &bytes, NULL);
    size_t torn = bytes.size < TORN_BYTES ? bytes.size : TORN_BYTES;
    if (torn) memset(bytes.data + bytes.size - torn, 0, torn);
    if (code == LEAT_OK) code = leat_storage_put(world->objects, path, bytes.data, bytes.size, LEAT_PUT_REPLACE, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    leat_bytes_done(&bytes);
    *self->is_damaged = true;
}

static void start_again(sim_world *world, void *arg)
{
    (void)arg;
    if (world->taskmanagers_count && world->taskmanagers[0]->is_dead) sim_start_taskmanager(world, 0);
}

/* A state of the newest checkpoint, as somebody is about to need it; its metadata is in the job manager's memory. */
static void damage(sim_world *world, void *arg)
{
    const plan *self = arg;
    const leat_jm_job *job = world->manager->jobs;
    if (!job || !job->completed || leat_job_state_is_terminal(job->state)) return;
    leat_storage_list list = {0};
    char *folder = leat_format("%s/chk-%" PRIu64, job->checkpoint_dir, job->completed->checkpoint);
    leat_code code = leat_storage_list_folder(world->objects, folder, &list, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    for (size_t i = 0; i < list.count && !*self->is_damaged; i++) {
        if (list.entries[i].name[0] != 'v') continue;
        char *path = leat_format("%s/%s", folder, list.entries[i].name);
        tear(world, self, path);
        leat_free(path);
    }
    leat_storage_list_done(&list);
    leat_free(folder);
    if (!*self->is_damaged) return;
    sim_kill_taskmanager(world, 0);
    sim_after(world, (int64_t)sim_below(world, 100000), start_again, NULL);
}

static leat_code make_graph(sim_world *world, const void *arg, leat_bytes *out, leat_error *error)
{
    (void)error;
    const plan *self = arg;
    char text[SQL_BYTES];
    static const char source[] = "'connector' = 'datagen', 'fields.n.kind' = 'sequence', 'fields.n.start' = '0'";
    snprintf(text, sizeof text,
             "CREATE TABLE totals (k BIGINT, rows_count BIGINT, greatest BIGINT, total BIGINT,\n"
             "  PRIMARY KEY (k) NOT ENFORCED) WITH ('bucket' = '%d', 'dynamic-bucket.target-row-num' = '70',\n"
             "  'num-sorted-run.compaction-trigger' = '3', 'num-levels' = '2');\n"
             "CREATE TEMPORARY TABLE a (n BIGINT) WITH (%s, 'fields.n.end' = '%" PRId64 "', 'scan.parallelism' = '1',\n"
             "  'rows-per-second' = '%" PRId64 "');\n"
             "CREATE TEMPORARY TABLE b (n BIGINT) WITH (%s, 'fields.n.end' = '%" PRId64 "', 'scan.parallelism' = '1',\n"
             "  'rows-per-second' = '%" PRId64 "');\n"
             "SET 'parallelism.default' = '%d'; SET 'execution.runtime-mode' = '%s';\n"
             "SET 'table.exec.mini-batch.enabled' = '%s';\n"
             "INSERT INTO totals SELECT k, COUNT(*), MAX(n), SUM(n) FROM (\n"
             "  SELECT MOD(n, CAST(%" PRId64 " AS BIGINT)) AS k, n FROM a UNION ALL SELECT MOD(n, CAST(%" PRId64
             " AS BIGINT)), n FROM b) GROUP BY k",
             self->buckets, source, self->rows[0] - 1, self->rows_per_second[0], source, self->rows[1] - 1,
             self->rows_per_second[1], self->parallelism, self->is_batch ? "batch" : "streaming",
             self->is_mini_batch && !self->is_batch ? "true" : "false", self->keys, self->keys);
    if (self->damage_us) sim_after(world, self->damage_us, damage, (void *)(uintptr_t)self);
    int count = sim_sql(world, text, out, 1);
    LEAT_ASSERT(count == 1);
    return LEAT_OK;
}

/* --- the reader --- */

typedef struct tally {
    sim_world *world;
    const plan *plan;
    int64_t counts[KEYS_MAX], totals[KEYS_MAX], greatest[KEYS_MAX];
} tally;

static void take(void *arg, const leat_batch *batch)
{
    tally *into = arg;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        int64_t key = ((const int64_t *)batch->columns[0].values)[row];
        bool is_sane = key >= 0 && key < into->plan->keys && into->counts[key] == 0;
        SIM_REQUIRE(into->world, is_sane, "key %" PRId64 " is there twice, or should not be there", key);
        if (!is_sane) return;
        into->counts[key] = ((const int64_t *)batch->columns[1].values)[row];
        into->greatest[key] = ((const int64_t *)batch->columns[2].values)[row];
        into->totals[key] = ((const int64_t *)batch->columns[3].values)[row];
    }
}

/* The group's share of the first `count` numbers: how many, and their sum. */
static int64_t share(const plan *self, int64_t key, int64_t count, int64_t *total)
{
    int64_t rows = count > key ? (count - key + self->keys - 1) / self->keys : 0;
    *total += rows * key + self->keys * (rows * (rows - 1) / 2);
    return rows;
}

static int64_t root_of(int64_t square)
{
    int64_t root = 0;
    while (square > 0 && (root + 1) * (root + 1) <= square)
        root++;
    return root;
}

static void check_groups(const tally *table, int64_t more, int64_t less)
{
    const plan *self = table->plan;
    for (int64_t key = 0; key < self->keys; key++) {
        int64_t total = 0;
        int64_t rows = share(self, key, more, &total);
        int64_t greatest = rows ? key + (rows - 1) * self->keys : 0;
        rows += share(self, key, less, &total);
        bool is_right = table->counts[key] == rows && table->totals[key] == total && table->greatest[key] == greatest;
        SIM_REQUIRE(table->world, is_right,
                    "group %" PRId64 " has %" PRId64 " rows, total %" PRId64 ", greatest %" PRId64 "; of %" PRId64
                    " and %" PRId64 " numbers these are %" PRId64 ", %" PRId64 ", %" PRId64,
                    key, table->counts[key], table->totals[key], table->greatest[key], more, less, rows, total,
                    greatest);
    }
}

/* a + b = rows and a * (a - 1) / 2 + b * (b - 1) / 2 = total say what a and b are, but for which is which: so
 * (a - b)² = 2 * (2 * total + rows) - rows². */
static void check(sim_world *world, const void *arg, int64_t *rows)
{
    const plan *self = arg;
    tally *table = leat_calloc(1, sizeof *table);
    LEAT_ASSERT(table);
    table->world = world;
    table->plan = self;
    sim_read_table(world, totals_path, take, table);
    sim_chain_check(self->chain, world, totals_path);
    int64_t total = 0;
    *rows = 0;
    for (int64_t key = 0; key < self->keys; key++) {
        *rows += table->counts[key];
        total += table->totals[key];
    }
    int64_t square = 2 * (2 * total + *rows) - *rows * *rows, difference = root_of(square);
    bool is_sum = difference * difference == square && (*rows + difference) % 2 == 0;
    SIM_REQUIRE(world, is_sum, "%" PRId64 " rows with a total of %" PRId64, *rows, total);
    if (is_sum) check_groups(table, (*rows + difference) / 2, (*rows - difference) / 2);
    leat_free(table);
}

static bool has_damage(sim_world *world, const void *arg)
{
    (void)world;
    return *((const plan *)arg)->is_damaged;
}

/* What can't be restored ends the job, and says so; what is in the table is right. */
static bool may_fail(sim_world *world, const void *arg, const char *error)
{
    int64_t rows;
    if (!has_damage(world, arg) || !strstr(error, "checkpoint")) return false;
    check(world, arg, &rows);
    return true;
}

static void done(void *arg)
{
    plan *self = arg;
    leat_free(self->is_damaged);
    sim_chain_free(self->chain);
}

int main(int argc, char **argv)
{
    static const sim_scenario scenario = {.name = "sim-aggregate",
                                          .plan_bytes = sizeof(plan),
                                          .draw = draw,
                                          .add_kinds = sim_sql_register,
                                          .make_graph = make_graph,
                                          .check = check,
                                          .may_fail = may_fail,
                                          .has_damage = has_damage,
                                          .done = done};
    return sim_main(argc, argv, &scenario);
}
