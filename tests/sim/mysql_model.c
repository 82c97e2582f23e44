/* The model server: its table, transactions and binlog. */
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "common/memory.h"
#include "connectors/mysql/binlog/event.h"
#include "tests/sim/mysql_internal.h"

enum { DOWN_US = 300000, TABLE_ID = 7 };

sim_mysql sim_mysql_server;

/* --- the binlog --- */

void sim_mysql_put_event(uint8_t type, uint16_t flags, uint32_t next_position, const leat_bytes *body, leat_bytes *out)
{
    size_t at = out->size;
    leat_bytes_put_u32(out, 1700000000);
    leat_bytes_put_u8(out, type);
    leat_bytes_put_u32(out, 1);
    leat_bytes_put_u32(out, (uint32_t)(LEAT_BINLOG_HEADER_BYTES + body->size + 4));
    leat_bytes_put_u32(out, next_position);
    leat_bytes_put_u8(out, (uint8_t)flags);
    leat_bytes_put_u8(out, (uint8_t)(flags >> 8));
    leat_bytes_put(out, body->data, body->size);
    leat_bytes_put_u32(out, (uint32_t)crc32_z(0, out->data + at, out->size - at));
}

static void log_event(uint8_t type, leat_bytes *body)
{
    leat_code code = leat_grow(&sim_mysql_server.events, &sim_mysql_server.events_capacity,
                               sim_mysql_server.events_count + 1, sizeof *sim_mysql_server.events, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    sim_mysql_event *event = &sim_mysql_server.events[sim_mysql_server.events_count++];
    uint32_t end = sim_mysql_server.position + (uint32_t)(LEAT_BINLOG_HEADER_BYTES + body->size + 4);
    *event = (sim_mysql_event){.file = sim_mysql_server.file, .start = sim_mysql_server.position, .end = end};
    sim_mysql_put_event(type, 0, end, body, &event->bytes);
    sim_mysql_server.position = end;
    sim_mysql_server.file_events++;
    leat_bytes_done(body);
}

void sim_mysql_put_format(leat_bytes *body)
{
    enum { TYPES = 164 };
    static const uint8_t server_name[50] = "model";
    leat_bytes_put_u8(body, 4);
    leat_bytes_put_u8(body, 0);
    leat_bytes_put(body, server_name, sizeof server_name);
    leat_bytes_put_u32(body, 0);
    leat_bytes_put_u8(body, LEAT_BINLOG_HEADER_BYTES);
    for (int i = 1; i <= TYPES; i++)
        leat_bytes_put_u8(body, 8); /* of a table map and rows: so ids have 6 bytes */
    leat_bytes_put_u8(body, 1);     /* CRC32 */
}

void sim_mysql_name_file(int64_t file, char out[SIM_MYSQL_NAME_BYTES])
{
    snprintf(out, SIM_MYSQL_NAME_BYTES, "binlog.%06" PRId64, file);
}

void sim_mysql_put_rotate(int64_t file, uint64_t position, leat_bytes *body)
{
    char name[SIM_MYSQL_NAME_BYTES];
    sim_mysql_name_file(file, name);
    leat_bytes_put_u64(body, position);
    leat_bytes_put(body, name, strlen(name));
}

static void begin_file(void)
{
    leat_bytes body = {0};
    sim_mysql_server.file++;
    sim_mysql_server.file_events = 0;
    sim_mysql_server.position = SIM_MYSQL_FIRST_POSITION;
    sim_mysql_put_format(&body);
    log_event(LEAT_BINLOG_FORMAT_DESCRIPTION, &body);
}

static void put_u48(leat_bytes *out, uint64_t value)
{
    for (int i = 0; i < 6; i++)
        leat_bytes_put_u8(out, (uint8_t)(value >> (8 * i)));
}

static void log_begin(void)
{
    leat_bytes body = {0};
    leat_bytes_put_u64(&body, sim_mysql_server.transactions);
    leat_bytes_put_u32(&body, 0);
    leat_bytes_put_u64(&body, 0);
    leat_bytes_put_u64(&body, 0);
    log_event(sim_mysql_server.options.is_mariadb ? LEAT_BINLOG_MARIADB_GTID : LEAT_BINLOG_ANONYMOUS_GTID, &body);
}

static void log_table(void)
{
    static const uint8_t rest[] = {2 /* columns */, 8, 8 /* BIGINT */, 0 /* bytes of metadata */, 0 /* NOT NULL */};
    leat_bytes body = {0};
    put_u48(&body, TABLE_ID);
    leat_bytes_put(&body, "\1", 2);
    leat_bytes_put(&body, "\4shop", 6);
    leat_bytes_put(&body, "\1t", 3);
    leat_bytes_put(&body, rest, sizeof rest);
    log_event(LEAT_BINLOG_TABLE_MAP, &body);
}

static void put_image(int64_t id, int64_t value, leat_bytes *out)
{
    leat_bytes_put_u8(out, 0); /* no NULLs */
    leat_bytes_put_i64(out, id);
    leat_bytes_put_i64(out, value);
}

static void log_change(int64_t id, int64_t before, int64_t after)
{
    bool is_update = before && after;
    int kind = is_update ? 1 : after ? 0 : 2;
    leat_bytes body = {0};
    put_u48(&body, TABLE_ID);
    leat_bytes_put(&body, "\1", 2);
    if (!sim_mysql_server.options.is_mariadb)
        leat_bytes_put(&body, "\2", 2); /* version 2: extra data of its own length */
    leat_bytes_put_u8(&body, 2);
    for (int i = 0; i < 1 + is_update; i++)
        leat_bytes_put_u8(&body, 3); /* both columns are there */
    if (before) put_image(id, before, &body);
    if (after) put_image(id, after, &body);
    log_event((uint8_t)((sim_mysql_server.options.is_mariadb ? LEAT_BINLOG_WRITE_V1 : LEAT_BINLOG_WRITE_V2) + kind),
              &body);
}

static void log_commit(void)
{
    leat_bytes body = {0};
    leat_bytes_put_u64(&body, sim_mysql_server.transactions);
    log_event(LEAT_BINLOG_XID, &body);
}

/* --- transactions --- */

static void change_row(int64_t id)
{
    int64_t before = sim_mysql_server.values[id];
    int64_t after = before && sim_below(sim_mysql_server.world, 3) == 0 ? 0 : ++sim_mysql_server.greatest;
    log_change(id, before, after);
    sim_mysql_server.values[id] = after;
    leat_code code = leat_grow(&sim_mysql_server.changes, &sim_mysql_server.changes_capacity,
                               sim_mysql_server.changes_count + 1, sizeof *sim_mysql_server.changes, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    sim_mysql_server.changes[sim_mysql_server.changes_count++] = (sim_mysql_change){id, after};
}

static void commit_transaction(void)
{
    int64_t changes = 1 + (int64_t)sim_below(sim_mysql_server.world, (uint64_t)sim_mysql_server.options.changes_max);
    log_begin();
    log_table();
    for (int64_t i = 0; i < changes; i++)
        change_row(1 + (int64_t)sim_below(sim_mysql_server.world, (uint64_t)sim_mysql_server.options.keys));
    log_commit();
    sim_mysql_server.transactions++;
    if (sim_mysql_server.file_events < sim_mysql_server.options.file_events) return;
    leat_bytes body = {0};
    sim_mysql_put_rotate(sim_mysql_server.file + 1, SIM_MYSQL_FIRST_POSITION, &body);
    log_event(LEAT_BINLOG_ROTATE, &body);
    begin_file();
}

bool sim_mysql_is_down(void)
{
    return sim_mysql_server.world->now_us < sim_mysql_server.down_until_us;
}

static void transact(sim_world *world, void *arg)
{
    (void)arg;
    if (world->is_healed || world != sim_mysql_server.world) return;
    if (!sim_mysql_is_down() && sim_mysql_server.locks == 0) commit_transaction();
    sim_after(world, 1 + (int64_t)sim_below(world, (uint64_t)sim_mysql_server.options.transaction_us_max), transact,
              NULL);
}

/* All connections are gone; the log goes on in a new file, without a word in the old one. */
static void restart(sim_world *world, void *arg)
{
    (void)arg;
    if (world->is_healed || world != sim_mysql_server.world) return;
    sim_mysql_server.generation++;
    sim_mysql_server.locks = 0;
    sim_mysql_server.down_until_us = world->now_us + (int64_t)sim_below(world, DOWN_US);
    begin_file();
    sim_after(world, 1 + (int64_t)sim_below(world, (uint64_t)sim_mysql_server.options.restart_us * 2), restart, NULL);
}

void sim_mysql_start(sim_world *world, const sim_mysql_options *options)
{
    sim_mysql_stop();
    sim_mysql_server = (sim_mysql){.world = world, .options = *options, .generation = 1};
    size_t bytes = (size_t)(options->keys + 1) * sizeof *sim_mysql_server.values;
    sim_mysql_server.values = leat_calloc(1, bytes);
    sim_mysql_server.first_values = leat_calloc(1, bytes);
    LEAT_ASSERT(sim_mysql_server.values && sim_mysql_server.first_values);
    for (int64_t i = 0; i < options->rows; i++)
        sim_mysql_server.values[1 + (int64_t)sim_below(world, (uint64_t)options->keys)] = ++sim_mysql_server.greatest;
    memcpy(sim_mysql_server.first_values, sim_mysql_server.values, bytes);
    begin_file();
    sim_after(world, 0, transact, NULL);
    if (options->restart_us) sim_after(world, options->restart_us, restart, NULL);
}

void sim_mysql_stop(void)
{
    for (size_t i = 0; i < sim_mysql_server.events_count; i++)
        leat_bytes_done(&sim_mysql_server.events[i].bytes);
    leat_free(sim_mysql_server.events);
    leat_free(sim_mysql_server.changes);
    leat_free(sim_mysql_server.values);
    leat_free(sim_mysql_server.first_values);
    sim_mysql_server = (sim_mysql){0};
}

int64_t sim_mysql_changes(void)
{
    return (int64_t)sim_mysql_server.changes_count;
}

int64_t sim_mysql_newest_view(void)
{
    return sim_mysql_server.newest_view;
}

int64_t sim_mysql_greatest(int64_t changes)
{
    int64_t greatest = 0;
    for (int64_t id = 1; id <= sim_mysql_server.options.keys; id++)
        if (sim_mysql_server.first_values[id] > greatest) greatest = sim_mysql_server.first_values[id];
    for (int64_t i = 0; i < changes; i++)
        if (sim_mysql_server.changes[i].value > greatest) greatest = sim_mysql_server.changes[i].value;
    return greatest;
}

void sim_mysql_replay(int64_t at, int64_t *values)
{
    if (at == 0)
        memcpy(values, sim_mysql_server.first_values, (size_t)(sim_mysql_server.options.keys + 1) * sizeof *values);
    else
        values[sim_mysql_server.changes[at - 1].id] = sim_mysql_server.changes[at - 1].value;
}
