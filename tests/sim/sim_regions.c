/* sim-regions: a job of parts that no rows connect (pipelined regions), under crashes, broken and slow connections,
 * sick storage; many seeds (drive.h).
 *
 *   numbers a ── GROUP BY n % KEYS: COUNT(*), SUM(n) ──▶ table a
 *   numbers b ───────────────────────────────────────▶ table b, …
 *
 * When one part fails the others run on: their state is then newer than the checkpoint that the failed one begins from,
 * and what they have prepared is in the next checkpoint beside what it writes anew. Each table holds after every commit
 * the first numbers of its own source, each once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "tests/sim/drive.h"
#include "tests/sim/sql.h"
#include "tests/sim/table_reader.h"

enum { PARTS_MAX = 4, KEYS_MAX = 50, SQL_BYTES = 8192 };

typedef struct part {
    int64_t rows, rows_per_second, keys;
    int32_t buckets;
    bool is_grouped;
    sim_chain *chain;
} part;

typedef struct plan {
    part parts[PARTS_MAX];
    int count;
    int32_t parallelism;
} plan;

static int64_t draw(sim_world *dice, void *arg)
{
    plan *self = arg;
    *self = (plan){.count = 2 + (int)sim_below(dice, PARTS_MAX - 1), .parallelism = 1 + (int32_t)sim_below(dice, 2)};
    int64_t rows = 0;
    bool is_slow = sim_below(dice, 4) == 0;
    for (int i = 0; i < self->count; i++) {
        part *one = &self->parts[i];
        one->rows_per_second = is_slow ? 20 + (int64_t)sim_below(dice, 80) : 200 + (int64_t)sim_below(dice, 1500);
        one->rows = 1 + (int64_t)sim_below(dice, (uint64_t)one->rows_per_second * (sim_below(dice, 2) ? 2 : 8));
        one->keys = 1 + (int64_t)sim_below(dice, KEYS_MAX);
        one->buckets = sim_below(dice, 2) ? 1 + (int32_t)sim_below(dice, 3) : -1;
        one->is_grouped = sim_below(dice, 2) == 0;
        one->chain = sim_chain_new();
        rows += one->rows;
    }
    return rows;
}

static leat_code make_graph(sim_world *world, const void *arg, leat_bytes *out, leat_error *error)
{
    const plan *self = arg;
    leat_bytes text = {0};
    leat_bytes_format(&text, "SET 'parallelism.default' = '%d';\n", self->parallelism);
    for (int i = 0; i < self->count; i++) {
        const part *one = &self->parts[i];
        leat_bytes_format(
            &text,
            "CREATE TEMPORARY TABLE source_%d (n BIGINT) WITH ('connector' = 'datagen', 'fields.n.kind' = 'sequence',\n"
            "  'fields.n.start' = '0', 'fields.n.end' = '%" PRId64 "', 'scan.parallelism' = '1',\n"
            "  'rows-per-second' = '%" PRId64 "');\n",
            i, one->rows - 1, one->rows_per_second);
        if (one->is_grouped)
            leat_bytes_format(&text,
                              "CREATE TABLE table_%d (k BIGINT, c BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED)\n"
                              "  WITH ('bucket' = '%d', 'num-sorted-run.compaction-trigger' = '3');\n",
                              i, one->buckets);
        else
            leat_bytes_format(&text, "CREATE TABLE table_%d (k BIGINT, c BIGINT, total BIGINT);\n", i);
    }
    leat_bytes_text(&text, "EXECUTE STATEMENT SET BEGIN\n");
    for (int i = 0; i < self->count; i++) {
        const part *one = &self->parts[i];
        if (one->is_grouped)
            leat_bytes_format(&text,
                              "INSERT INTO table_%d SELECT MOD(n, CAST(%" PRId64 " AS BIGINT)), COUNT(*), SUM(n)\n"
                              "  FROM source_%d GROUP BY MOD(n, CAST(%" PRId64 " AS BIGINT));\n",
                              i, one->keys, i, one->keys);
        else
            leat_bytes_format(&text, "INSERT INTO table_%d SELECT n, CAST(1 AS BIGINT), n FROM source_%d;\n", i, i);
    }
    leat_bytes_text(&text, "END;\n");
    LEAT_TRY(leat_bytes_check(&text, error));
    int count = sim_sql(world, (const char *)text.data, out, 1);
    LEAT_ASSERT(count == 1);
    leat_bytes_done(&text);
    return LEAT_OK;
}

/* --- the reader --- */

typedef struct tally {
    sim_world *world;
    const part *part;
    int64_t rows, total, greatest;
    int64_t counts[KEYS_MAX], totals[KEYS_MAX];
} tally;

static void take(void *arg, const leat_batch *batch)
{
    tally *into = arg;
    const int64_t *keys = batch->columns[0].values, *counts = batch->columns[1].values,
                  *totals = batch->columns[2].values;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        into->rows += counts[row];
        into->total += totals[row];
        if (totals[row] > into->greatest) into->greatest = totals[row];
        if (!into->part->is_grouped) continue;
        bool is_sane = keys[row] >= 0 && keys[row] < into->part->keys && into->counts[keys[row]] == 0;
        SIM_REQUIRE(into->world, is_sane, "group %" PRId64 " is none, or there twice", keys[row]);
        if (!is_sane) return;
        into->counts[keys[row]] = counts[row];
        into->totals[keys[row]] = totals[row];
    }
}

static void check_groups(const tally *table)
{
    const part *one = table->part;
    for (int64_t key = 0; key < one->keys; key++) {
        int64_t rows = table->rows > key ? (table->rows - key + one->keys - 1) / one->keys : 0;
        int64_t total = rows * key + one->keys * (rows * (rows - 1) / 2);
        SIM_REQUIRE(table->world, table->counts[key] == rows && table->totals[key] == total,
                    "group %" PRId64 " has %" PRId64 " rows of total %" PRId64 "; of %" PRId64
                    " numbers it has %" PRId64 " of total %" PRId64,
                    key, table->counts[key], table->totals[key], table->rows, rows, total);
    }
}

static void check(sim_world *world, const void *arg, int64_t *rows)
{
    const plan *self = arg;
    *rows = 0;
    for (int i = 0; i < self->count; i++) {
        tally table = {.world = world, .part = &self->parts[i], .greatest = -1};
        char path[64];
        snprintf(path, sizeof path, "mem:/house/default.db/table_%d", i);
        sim_read_table(world, path, take, &table);
        sim_chain_check(self->parts[i].chain, world, path);
        int64_t m = table.rows;
        SIM_REQUIRE(world, table.total == m * (m - 1) / 2,
                    "table %d: %" PRId64 " rows were counted, their numbers sum to %" PRId64, i, m, table.total);
        if (self->parts[i].is_grouped)
            check_groups(&table);
        else
            SIM_REQUIRE(world, table.greatest == m - 1, "table %d: %" PRId64 " rows, greatest number %" PRId64, i, m,
                        table.greatest);
        *rows += m;
    }
}

static void done(void *arg)
{
    plan *self = arg;
    for (int i = 0; i < self->count; i++)
        sim_chain_free(self->parts[i].chain);
}

int main(int argc, char **argv)
{
    static const sim_scenario scenario = {.name = "sim-regions",
                                          .plan_bytes = sizeof(plan),
                                          .draw = draw,
                                          .add_kinds = sim_sql_register,
                                          .make_graph = make_graph,
                                          .check = check,
                                          .done = done};
    return sim_main(argc, argv, &scenario);
}
