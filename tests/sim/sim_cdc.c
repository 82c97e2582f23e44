/* sim-cdc: a MySQL table mirrored into a Paimon table, from a model server (mysql_model.h), under crashes, broken and
 * slow connections, sick storage; many seeds (drive.h).
 *
 *   shop.t ── mysql-cdc: snapshot in chunks, then the binlog ──▶ mirror (id, v), or
 *                                                             ──▶ sums (id, sum of v, rows)
 *
 * What a reader may see: once the table has a value that was written after the newest view of the snapshot, it equals
 * after every commit what the server had after some change of its log, and never an earlier one than before. Before
 * that, each row of the mirror is one that the server had. After healing it equals what the server has. Sums take away
 * and add for each change, so that they are wrong for ever once a change is lost or comes twice. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "tests/sim/drive.h"
#include "tests/sim/mysql_model.h"
#include "tests/sim/sql.h"
#include "tests/sim/table_reader.h"

enum { KEYS_MAX = 256, SQL_BYTES = 4096 };
static const char mirror_path[] = "mem:/house/default.db/mirror";

/* By id. */
typedef struct contents {
    int64_t values[KEYS_MAX], rows[KEYS_MAX];
    int64_t greatest;
} contents;

/* At the newest commit. */
typedef struct progress {
    int64_t matched; /* so many changes of the log the table had; -1: the snapshot is not over */
    bool has_all;    /* it was as the server is */
} progress;

typedef struct plan {
    sim_mysql_options server;
    int64_t chunk_rows;
    int32_t buckets, parallelism, levels, amplification;
    bool is_summed;
    sim_chain *chain;
    progress *progress;
} plan;

static int64_t draw(sim_world *dice, void *arg)
{
    plan *self = arg;
    *self = (plan){.server = {.is_mariadb = sim_below(dice, 2) == 0,
                              .keys = 2 + (int64_t)sim_below(dice, KEYS_MAX - 2),
                              .transaction_us_max = 2000 + (int64_t)sim_below(dice, 60000),
                              .changes_max = 1 + (int64_t)sim_below(dice, 6),
                              .file_events = 10 + (int64_t)sim_below(dice, 300),
                              .restart_us = sim_below(dice, 2) ? 500000 + (int64_t)sim_below(dice, 2000000) : 0,
                              .call_us_max = 500 + (int64_t)sim_below(dice, 30000),
                              .lose_chance = (int)sim_below(dice, 60)},
                   .chunk_rows = 2 + (int64_t)sim_below(dice, sim_below(dice, 2) ? 3 : 20),
                   .buckets = sim_below(dice, 2) ? 1 + (int32_t)sim_below(dice, 3) : -1,
                   .parallelism = 1 + (int32_t)sim_below(dice, 3),
                   .levels = 2 + (int32_t)sim_below(dice, 4),
                   .amplification = sim_below(dice, 2) ? 200 : 1000000, /* compactions stop below the top level */
                   .is_summed = sim_below(dice, 2) == 0,
                   .chain = sim_chain_new(),
                   .progress = leat_calloc(1, sizeof *self->progress)};
    LEAT_ASSERT(self->progress);
    self->progress->matched = -1;
    self->server.keys--; /* ids from 1 */
    self->server.rows = (int64_t)sim_below(dice, (uint64_t)self->server.keys + 1);
    return -1;
}

static leat_code make_graph(sim_world *world, const void *arg, leat_bytes *out, leat_error *error)
{
    (void)error;
    const plan *self = arg;
    sim_mysql_start(world, &self->server);
    const char *columns = self->is_summed ? "id BIGINT, v BIGINT, n BIGINT, PRIMARY KEY (id) NOT ENFORCED"
                                          : "id BIGINT, v BIGINT, PRIMARY KEY (id) NOT ENFORCED";
    const char *options = self->is_summed ? "'merge-engine' = 'aggregation', 'fields.v.aggregate-function' = 'sum', "
                                            "'fields.n.aggregate-function' = 'sum', "
                                          : "'changelog-producer' = 'input', ";
    char text[SQL_BYTES];
    snprintf(text, sizeof text,
             "CREATE TABLE mirror (%s) WITH (%s'bucket' = '%d', 'dynamic-bucket.target-row-num' = '7',\n"
             "  'num-sorted-run.compaction-trigger' = '3', 'num-levels' = '%d',\n"
             "  'compaction.max-size-amplification-percent' = '%d');\n"
             "CREATE TEMPORARY TABLE source (id BIGINT, v BIGINT, PRIMARY KEY (id) NOT ENFORCED) WITH (\n"
             "  'connector' = 'mysql-cdc', 'hostname' = 'model', 'username' = 'u', 'password' = 'p',\n"
             "  'database-name' = 'shop', 'table-name' = 't', 'heartbeat.interval' = '600 s',\n"
             "  'scan.incremental.snapshot.chunk.size' = '%" PRId64 "');\n"
             "SET 'parallelism.default' = '%d';\n"
             "INSERT INTO mirror %s",
             columns, options, self->buckets, self->levels, self->amplification, self->chunk_rows, self->parallelism,
             self->is_summed ? "SELECT id, v, CAST(1 AS BIGINT) FROM source" : "SELECT id, v FROM source");
    int count = sim_sql(world, text, out, 1);
    LEAT_ASSERT(count == 1);
    return LEAT_OK;
}

/* --- the reader --- */

typedef struct reading {
    sim_world *world;
    const plan *plan;
    contents *into;
} reading;

static void take(void *arg, const leat_batch *batch)
{
    reading *self = arg;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        int64_t key = ((const int64_t *)batch->columns[0].values)[row];
        int64_t value = ((const int64_t *)batch->columns[1].values)[row];
        bool is_sane = key >= 0 && key <= self->plan->server.keys;
        SIM_REQUIRE(self->world, is_sane, "key %" PRId64, key);
        if (!is_sane) return;
        SIM_REQUIRE(self->world, self->into->rows[key] == 0, "key %" PRId64 " is there twice", key);
        self->into->values[key] = value;
        /* Of a deleted row sums have zeros. */
        self->into->rows[key] = self->plan->is_summed ? ((const int64_t *)batch->columns[2].values)[row] : 1;
        if (value > self->into->greatest) self->into->greatest = value;
    }
}

static bool is_equal(const plan *self, const contents *table, const int64_t *values)
{
    for (int64_t id = 1; id <= self->server.keys; id++)
        if (table->values[id] != values[id] || table->rows[id] != (values[id] != 0)) return false;
    return true;
}

/* The fewest changes of these after which the server had this (it may have had it again later); -1: none. */
static int64_t match(const plan *self, const contents *table, int64_t from, int64_t to)
{
    int64_t values[KEYS_MAX];
    for (int64_t at = 0; at <= to; at++) {
        sim_mysql_replay(at, values);
        if (at >= from && is_equal(self, table, values)) return at;
    }
    return -1;
}

/* Rows that the server had: all values are of one row each. */
static void check_rows(sim_world *world, const plan *self, const contents *table)
{
    enum { VALUES_MAX = 1 << 16 };
    static int64_t owner[VALUES_MAX];
    int64_t values[KEYS_MAX];
    memset(owner, 0, sizeof owner);
    for (int64_t at = 0; at <= sim_mysql_changes(); at++) {
        sim_mysql_replay(at, values);
        for (int64_t id = 1; id <= self->server.keys; id++)
            if (values[id] < VALUES_MAX) owner[values[id]] = id;
    }
    for (int64_t id = 1; id <= self->server.keys; id++) {
        int64_t value = table->values[id];
        bool is_one = table->rows[id] == 1 && value > 0 && value < VALUES_MAX && owner[value] == id;
        bool is_none = table->rows[id] == 0 && value == 0;
        SIM_REQUIRE(world, is_one || is_none, "row %" PRId64 " has value %" PRId64 " and is there %" PRId64 " times",
                    id, value, table->rows[id]);
    }
}

static void read_mirror(sim_world *world, const plan *self, contents *out)
{
    *out = (contents){0};
    reading reader = {world, self, out};
    sim_read_table(world, mirror_path, take, &reader);
}

static void check(sim_world *world, const void *arg, int64_t *rows)
{
    const plan *self = arg;
    progress *reached = self->progress;
    contents table;
    read_mirror(world, self, &table);
    sim_chain_check(self->chain, world, mirror_path);
    int64_t now = sim_mysql_changes(), view = sim_mysql_newest_view();
    reached->has_all = match(self, &table, now, now) == now;
    /* What was written after the newest view has come from the log, which was read beyond all views then. */
    bool is_over = reached->matched >= 0 || table.greatest > sim_mysql_greatest(view);
    if (is_over) {
        int64_t from = reached->matched >= 0 ? reached->matched : view;
        reached->matched = match(self, &table, from, now);
        SIM_REQUIRE(world, reached->matched >= 0,
                    "the table is as the server never was since change %" PRId64 " of %" PRId64, from, now);
    } else {
        check_rows(world, self, &table);
    }
    *rows = reached->matched > 0 ? reached->matched : 0;
}

static bool has_settled(sim_world *world, const void *arg)
{
    (void)world;
    return ((const plan *)arg)->progress->has_all;
}

static void done(void *arg)
{
    plan *self = arg;
    sim_mysql_stop();
    sim_chain_free(self->chain);
    leat_free(self->progress);
}

int main(int argc, char **argv)
{
    static const sim_scenario scenario = {.name = "sim-cdc",
                                          .plan_bytes = sizeof(plan),
                                          .draw = draw,
                                          .add_kinds = sim_sql_register,
                                          .make_graph = make_graph,
                                          .check = check,
                                          .has_settled = has_settled,
                                          .done = done};
    return sim_main(argc, argv, &scenario);
}
