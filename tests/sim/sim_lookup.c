/* sim-lookup: the lab's join under crashes, broken and slow connections, sick storage; many seeds (drive.h).
 *
 *   orders (n = 0 … N-1, of client n * 7 % CLIENTS + 1) ── lookup join with retry ──▶ joined (n, client, country,
 * version) │ another job writes the clients, late and one after the other, and then their later versions: clients
 * (client, country, version); a client's country follows from its number and version
 *
 * What a reader may see after any commit: an order at most once, of its own client, with the country of a version that
 * exists; and at the end every order once. Without a match: of an inner join no row; of a left join NULLs, if the
 * client never comes or if the retries may run out. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "tests/sim/drive.h"
#include "tests/sim/sql.h"
#include "tests/sim/table_reader.h"

enum { COUNTRIES = 5, NUMBERS_MAX = 1 << 14 };
static const char joined_path[] = "mem:/house/default.db/joined", clients_path[] = "mem:/house/default.db/clients",
                  orders_path[] = "mem:/house/default.db/orders";

typedef struct plan {
    int64_t orders, orders_per_second;
    int64_t clients, versions, absent; /* how many there will be; how many more the orders are of */
    int64_t clients_per_second;
    int64_t delay_ms, attempts, capacity;
    int32_t buckets; /* of the clients' table; -1: dynamic */
    int32_t parallelism;
    bool is_stored;                         /* the orders come from a table, and the job has no end */
    bool is_left, is_unordered, is_patient; /* patient: the attempts last until every client is there */
    int64_t retained, expire_us; /* of the clients' snapshots another engine leaves so many, about so often; 0: all */
    sim_chain *joined, *dimension, *stored;
    int64_t *seen_rows; /* of `joined`, at the newest commit */
} plan;

static int64_t client_of(const plan *self, int64_t n)
{
    return n * 7 % (self->clients + self->absent) + 1;
}

static int64_t expected_rows(const plan *self)
{
    if (self->is_left) return self->orders;
    int64_t rows = 0;
    for (int64_t n = 0; n < self->orders; n++)
        rows += client_of(self, n) <= self->clients;
    return rows;
}

static int64_t draw(sim_world *dice, void *arg)
{
    plan *self = arg;
    self->is_left = sim_below(dice, 2) == 0;
    self->is_patient = !self->is_left || sim_below(dice, 2) == 0;
    *self = (plan){.orders = 200 + (int64_t)sim_below(dice, 2000),
                   .clients = 1 + (int64_t)sim_below(dice, 30),
                   .versions = 1 + (int64_t)sim_below(dice, 3),
                   .clients_per_second = 5 + (int64_t)sim_below(dice, 60),
                   .delay_ms = 10 + (int64_t)sim_below(dice, 300),
                   .capacity = 1 + (int64_t)sim_below(dice, 40),
                   .buckets = sim_below(dice, 2) ? 1 + (int32_t)sim_below(dice, 3) : -1,
                   .parallelism = 1 + (int32_t)sim_below(dice, 3),
                   .is_stored = sim_below(dice, 3) == 0,
                   .is_left = self->is_left,
                   .is_patient = self->is_patient,
                   .is_unordered = sim_below(dice, 2) == 0,
                   .retained = 1 + (int64_t)sim_below(dice, 3),
                   .expire_us =
                       sim_below(dice, 2) ? 5000 + (int64_t)sim_below(dice, sim_below(dice, 2) ? 50000 : 500000) : 0,
                   .joined = sim_chain_new(),
                   .dimension = sim_chain_new(),
                   .stored = sim_chain_new(),
                   .seen_rows = leat_calloc(1, sizeof *self->seen_rows)};
    LEAT_ASSERT(self->seen_rows);
    self->orders_per_second = 100 + (int64_t)sim_below(dice, 1000);
    self->attempts = 1000000;
    if (!self->is_patient) {
        /* Orders of clients that never come may wait one after the other, each until its attempts have run out. */
        self->orders = 50 + (int64_t)sim_below(dice, 250);
        self->absent = (int64_t)sim_below(dice, 5);
        self->attempts = 1 + (int64_t)sim_below(dice, 4);
        self->delay_ms = 1 + (int64_t)sim_below(dice, 10);
    }
    return self->is_stored ? -1 : expected_rows(self);
}

static void put_tables(const plan *self, leat_bytes *sql)
{
    leat_bytes_format(sql,
                      "CREATE TABLE clients (client BIGINT, country STRING, version BIGINT,\n"
                      "  PRIMARY KEY (client) NOT ENFORCED) WITH ('bucket' = '%d', 'changelog-producer' = 'input',\n"
                      "  'dynamic-bucket.target-row-num' = '7', 'num-sorted-run.compaction-trigger' = '3',\n"
                      "  'continuous.discovery-interval' = '100 ms');\n"
                      "CREATE TABLE joined (n BIGINT, client BIGINT, country STRING, version BIGINT)\n"
                      "  WITH ('bucket' = '-1');\n",
                      self->buckets);
}

static void put_generator(const plan *self, const char *name, const char *columns, leat_bytes *sql)
{
    leat_bytes_format(sql,
                      "CREATE TEMPORARY TABLE %s (n BIGINT%s) WITH ('connector' = 'datagen',\n"
                      "  'rows-per-second' = '%" PRId64 "', 'fields.n.kind' = 'sequence', 'fields.n.start' = '0',\n"
                      "  'fields.n.end' = '%" PRId64 "');\n",
                      name, columns, self->orders_per_second, self->orders - 1);
}

static leat_code make_graph(sim_world *world, const void *arg, leat_bytes *out, leat_error *error)
{
    const plan *self = arg;
    leat_bytes sql = {0};
    put_tables(self, &sql);
    if (self->is_stored)
        leat_bytes_text(&sql, "CREATE TABLE orders (n BIGINT, proc_time AS PROCTIME()) WITH ('bucket' = '-1',\n"
                              "  'continuous.discovery-interval' = '100 ms');\n");
    else
        put_generator(self, "orders", ", proc_time AS PROCTIME()", &sql);
    leat_bytes_format(
        &sql,
        "SET 'parallelism.default' = '%d';\n"
        "INSERT INTO joined SELECT /*+ LOOKUP('table'='c', 'retry-predicate'='lookup_miss', 'async'='%s',\n"
        "  'output-mode'='%s', 'capacity'='%" PRId64 "', 'retry-strategy'='fixed_delay',\n"
        "  'fixed-delay'='%" PRId64 " ms', 'max-attempts'='%" PRId64 "') */\n"
        "  o.n, o.client, c.country, c.version\n"
        "  FROM (SELECT n, MOD(n * 7, %" PRId64 ") + 1 AS client, proc_time FROM orders) AS o\n"
        "  %sJOIN clients FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.client = c.client",
        self->parallelism, self->is_unordered ? "true" : "false", self->is_unordered ? "allow_unordered" : "ordered",
        self->capacity, self->delay_ms, self->attempts, self->clients + self->absent, self->is_left ? "LEFT " : "");
    leat_bytes_put_u8(&sql, 0);
    LEAT_TRY(leat_bytes_check(&sql, error));
    int count = sim_sql(world, (const char *)sql.data, out, 1);
    LEAT_ASSERT(count == 1);
    leat_bytes_done(&sql);
    return LEAT_OK;
}

static void expire(sim_world *world, void *arg)
{
    const plan *self = arg;
    if (world->taskmanagers_count == 0) return; /* the world is being taken down */
    sim_expire(world, clients_path, self->retained);
    sim_after(world, 1 + (int64_t)sim_below(world, (uint64_t)self->expire_us * 2), expire, arg);
}

static leat_code make_foreign_graph(sim_world *world, const void *arg, leat_bytes *out, leat_error *error)
{
    const plan *self = arg;
    leat_bytes sql = {0}, graph = {0};
    if (self->is_stored) put_generator(self, "made", "", &sql);
    leat_bytes_format(&sql,
                      "CREATE TEMPORARY TABLE numbers (i BIGINT) WITH ('connector' = 'datagen',\n"
                      "  'rows-per-second' = '%" PRId64 "', 'fields.i.kind' = 'sequence', 'fields.i.start' = '0',\n"
                      "  'fields.i.end' = '%" PRId64 "');\n%s"
                      "INSERT INTO clients SELECT client, 'c' || CAST(MOD(client + version, %d) AS STRING), version\n"
                      "  FROM (SELECT MOD(i, %" PRId64 ") + 1 AS client, i / %" PRId64 " AS version FROM numbers)%s",
                      self->clients_per_second, self->clients * self->versions - 1,
                      self->is_stored ? "EXECUTE STATEMENT SET BEGIN\n" : "", COUNTRIES, self->clients, self->clients,
                      self->is_stored ? ";\nINSERT INTO orders SELECT n FROM made;\nEND" : "");
    leat_bytes_put_u8(&sql, 0);
    LEAT_TRY(leat_bytes_check(&sql, error));
    if (self->expire_us) sim_after(world, self->expire_us, expire, (void *)(uintptr_t)self);
    int count = sim_sql(world, (const char *)sql.data, &graph, 1);
    LEAT_ASSERT(count == 1);
    leat_bytes_done(&sql);
    leat_bytes_done(out);
    *out = graph;
    return LEAT_OK;
}

typedef struct tally {
    sim_world *world;
    const plan *plan;
    uint8_t *seen; /* a bit an order */
    int64_t rows;
} tally;

static void check_match(const tally *into, int64_t n, int64_t client, const leat_batch *batch, int32_t row)
{
    sim_world *world = into->world;
    const plan *self = into->plan;
    bool is_null = leat_column_is_null(&batch->columns[3], row);
    if (is_null) {
        bool may_miss = self->is_left && (client > self->clients || !self->is_patient);
        SIM_REQUIRE(world, may_miss, "order %" PRId64 " has not found client %" PRId64, n, client);
        return;
    }
    int64_t version = ((const int64_t *)batch->columns[3].values)[row];
    char expected[8];
    snprintf(expected, sizeof expected, "c%d", (int)((client + version) % COUNTRIES));
    const leat_view *view = &((const leat_view *)batch->columns[2].values)[row];
    const char *country = leat_view_data(&batch->columns[2], view);
    size_t size = (size_t)view->length;
    bool is_right = version >= 0 && version < self->versions && client <= self->clients && size == strlen(expected) &&
                    memcmp(country, expected, size) == 0;
    SIM_REQUIRE(world, is_right, "order %" PRId64 " of client %" PRId64 " has version %" PRId64 " and country %.*s", n,
                client, version, (int)size, country);
}

static void count_batch(void *arg, const leat_batch *batch)
{
    tally *into = arg;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        int64_t n = ((const int64_t *)batch->columns[0].values)[row];
        int64_t client = ((const int64_t *)batch->columns[1].values)[row];
        bool is_sane = n >= 0 && n < into->plan->orders && client == client_of(into->plan, n);
        SIM_REQUIRE(into->world, is_sane, "order %" PRId64 " of client %" PRId64, n, client);
        if (!is_sane) return;
        SIM_REQUIRE(into->world, !leat_bit_get(into->seen, (int32_t)n), "order %" PRId64 " is there twice", n);
        leat_bit_set(into->seen, (int32_t)n);
        check_match(into, n, client, batch, row);
        into->rows++;
    }
}

static void check(sim_world *world, const void *arg, int64_t *rows)
{
    const plan *self = arg;
    tally table = {.world = world, .plan = self, .seen = leat_calloc(1, NUMBERS_MAX / 8)};
    LEAT_ASSERT(table.seen);
    sim_read_table(world, joined_path, count_batch, &table);
    sim_chain_check(self->joined, world, joined_path);
    sim_chain_check(self->dimension, world, clients_path);
    if (self->is_stored) sim_chain_check(self->stored, world, orders_path);
    *rows = *self->seen_rows = table.rows;
    leat_free(table.seen);
}

static bool has_settled(sim_world *world, const void *arg)
{
    (void)world;
    const plan *self = arg;
    return *self->seen_rows == expected_rows(self);
}

static void done(void *arg)
{
    plan *self = arg;
    sim_chain_free(self->stored);
    leat_free(self->seen_rows);
    sim_chain_free(self->joined);
    sim_chain_free(self->dimension);
}

int main(int argc, char **argv)
{
    static const sim_scenario scenario = {.name = "sim-lookup",
                                          .plan_bytes = sizeof(plan),
                                          .draw = draw,
                                          .add_kinds = sim_sql_register,
                                          .make_graph = make_graph,
                                          .make_foreign_graph = make_foreign_graph,
                                          .check = check,
                                          .has_settled = has_settled,
                                          .done = done};
    return sim_main(argc, argv, &scenario);
}
