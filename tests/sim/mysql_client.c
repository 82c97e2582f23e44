/* libmariadb's functions, as far as connectors/mysql calls them, in front of the model server. */
#include <errmsg.h>
#include <inttypes.h>
#include <mysql.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/binlog/event.h"
#include "tests/sim/mysql_internal.h"

enum { PACKETS_IN_A_ROW = 8, FIRST_SOCKET = 1 << 20, COLUMNS_MAX = 11 };

typedef struct answer {
    MYSQL_RES base; /* first */
    MYSQL_FIELD fields[COLUMNS_MAX];
    int columns;
    leat_bytes texts;          /* each ended by a NUL */
    size_t *offsets, capacity; /* of each cell */
    size_t cells, next_row;
    char *row[COLUMNS_MAX];
    unsigned long lengths[COLUMNS_MAX];
} answer;

typedef struct connection {
    MYSQL base; /* first */
    uint64_t generation;
    bool is_lost, has_lock;
    unsigned number; /* of the last error */
    int64_t *view;   /* NULL: none is open */
    int64_t view_file;
    uint32_t view_position;
    answer *result;
    /* Of a dump. */
    int64_t file;
    uint32_t position;
    int artificial; /* events of the server's own that are due first: a ROTATE, a FORMAT_DESCRIPTION */
    int in_a_row;
    leat_bytes packet;
} connection;

static connection *connections[64]; /* by socket */

static connection *of(MYSQL *mysql)
{
    return (connection *)mysql;
}

/* Only jobs may wait; what is closed elsewhere takes no time. */
static void take_time(void)
{
    if (!leat_fiber_current()) return;
    int64_t us_max = sim_mysql_server.world->is_healed ? 200 : sim_mysql_server.options.call_us_max;
    int64_t us = (int64_t)sim_below(sim_mysql_server.world, (uint64_t)us_max + 1);
    sim_wait_outside(sim_mysql_server.world, us);
}

/* Not once the world is healed. */
static bool strikes(sim_world *world, int of_10000)
{
    return !world->is_healed && (int)sim_below(world, 10000) < of_10000;
}

static int lose(connection *self)
{
    self->is_lost = true;
    self->number = CR_SERVER_LOST;
    if (self->has_lock && self->generation == sim_mysql_server.generation) sim_mysql_server.locks--;
    self->has_lock = false;
    return 1;
}

/* 1: the connection is gone, or goes now. */
static int reach(connection *self)
{
    if (self->is_lost || self->generation != sim_mysql_server.generation) return lose(self);
    return strikes(sim_mysql_server.world, sim_mysql_server.options.lose_chance) ? lose(self) : 0;
}

static int command(MYSQL *mysql, enum enum_server_command what, const char *data, size_t size, my_bool skip, void *arg)
{
    (void)skip;
    (void)arg;
    connection *self = of(mysql);
    take_time();
    if (reach(self)) return 1;
    if (what != COM_BINLOG_DUMP) return 0;
    memcpy(&self->position, data, sizeof self->position);
    const char *dot = memchr(data + 10, '.', size - 10); /* behind the position, flags, the server's id */
    LEAT_ASSERT(dot);
    char number[SIM_MYSQL_NAME_BYTES];
    snprintf(number, sizeof number, "%.*s", (int)(data + size - dot - 1), dot + 1);
    self->file = strtoll(number, NULL, 10);
    self->artificial = self->position > SIM_MYSQL_FIRST_POSITION ? 2 : 1;
    return 0;
}

static const struct st_mariadb_methods methods = {.db_command = command};

MYSQL *mysql_init(MYSQL *mysql)
{
    LEAT_ASSERT(!mysql);
    size_t at = 0;
    while (at < sizeof connections / sizeof *connections && connections[at])
        at++;
    LEAT_ASSERT(at < sizeof connections / sizeof *connections);
    connection *self = leat_calloc(1, sizeof *self);
    LEAT_ASSERT(self);
    self->base.methods = &methods;
    connections[at] = self;
    return &self->base;
}

int mysql_server_init(int argc, char **argv, char **groups)
{
    (void)argc;
    (void)argv;
    (void)groups;
    return 0;
}

int mysql_optionsv(MYSQL *mysql, enum mysql_option option, ...)
{
    (void)mysql;
    (void)option;
    return 0;
}

MYSQL *mysql_real_connect(MYSQL *mysql, const char *host, const char *user, const char *password, const char *database,
                          unsigned port, const char *path, unsigned long flags)
{
    (void)host, (void)user, (void)password, (void)database, (void)port, (void)path, (void)flags;
    connection *self = of(mysql);
    take_time();
    self->generation = sim_mysql_server.generation;
    if (!sim_mysql_is_down() && !strikes(sim_mysql_server.world, sim_mysql_server.options.lose_chance)) return mysql;
    self->is_lost = true;
    self->number = CR_CONN_HOST_ERROR;
    return NULL;
}

static void free_answer(answer *result)
{
    if (!result) return;
    leat_bytes_done(&result->texts);
    leat_free(result->offsets);
    leat_free(result);
}

void mysql_close(MYSQL *mysql)
{
    connection *self = of(mysql);
    (void)lose(self);
    for (size_t i = 0; i < sizeof connections / sizeof *connections; i++)
        if (connections[i] == self) connections[i] = NULL;
    free_answer(self->result);
    leat_bytes_done(&self->packet);
    leat_free(self->view);
    leat_free(self);
}

unsigned mysql_errno(MYSQL *mysql)
{
    return of(mysql)->number;
}

const char *mysql_error(MYSQL *mysql)
{
    return of(mysql)->number ? "the model lost the connection" : "";
}

my_bool mariadb_connection(MYSQL *mysql)
{
    (void)mysql;
    return sim_mysql_server.options.is_mariadb;
}

unsigned long mysql_get_server_version(MYSQL *mysql)
{
    (void)mysql;
    return sim_mysql_server.options.is_mariadb ? 101100 : 80400;
}

/* --- statements --- */

static void add_cell(answer *result, const char *text)
{
    leat_code code = leat_grow(&result->offsets, &result->capacity, result->cells + 1, sizeof *result->offsets, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    result->offsets[result->cells++] = text ? result->texts.size : SIZE_MAX;
    if (text) leat_bytes_put(&result->texts, text, strlen(text) + 1);
}

static void add_number(answer *result, int64_t number)
{
    char text[SIM_MYSQL_NAME_BYTES];
    snprintf(text, sizeof text, "%" PRId64, number);
    add_cell(result, text);
}

static void add_texts(answer *result, const char *const *texts, int count)
{
    for (int i = 0; i < count; i++)
        add_cell(result, texts[i]);
}

static void add_position(answer *result, int64_t file, uint32_t position)
{
    char name[SIM_MYSQL_NAME_BYTES];
    sim_mysql_name_file(file, name);
    add_cell(result, name);
    add_number(result, position);
}

static int64_t number_behind(const char *sql, const char *mark, int64_t otherwise)
{
    const char *at = strstr(sql, mark);
    return at ? strtoll(at + strlen(mark), NULL, 10) : otherwise;
}

/* SELECT of `id` and `v` in any order FROM the table, a range of keys, ORDER BY the key, LIMIT, OFFSET. */
static void select_rows(const connection *self, const char *sql, answer *result)
{
    const int64_t *values = self->view ? self->view : sim_mysql_server.values;
    const char *end = strstr(sql, " FROM ");
    bool is_value[COLUMNS_MAX];
    result->columns = 0;
    for (const char *at = sql; (at = strchr(at, '`')) && at < end; at = strchr(at + 1, '`') + 1)
        is_value[result->columns++] = at[1] == 'v';
    int64_t above = number_behind(sql, "`id` >= ", 0),
            up_to = number_behind(sql, "`id` <= ", sim_mysql_server.options.keys);
    int64_t skipped = number_behind(sql, " OFFSET ", 0), left = number_behind(sql, " LIMIT ", INT64_MAX);
    for (int64_t id = above + 1; id <= up_to && left > 0; id++) {
        if (!values[id] || skipped-- > 0) continue;
        for (int i = 0; i < result->columns; i++)
            add_number(result, is_value[i] ? values[id] : id);
        left--;
    }
    for (int i = 0; i < result->columns; i++)
        result->fields[i].type = MYSQL_TYPE_LONGLONG;
}

static void describe_columns(answer *result)
{
    static const char *const names[] = {"id", "v"};
    result->columns = 11;
    for (int i = 0; i < 2; i++) {
        const char *const column[] = {names[i], "bigint", "bigint(20)", "NO", NULL, "19", "0", NULL, NULL, "", NULL};
        add_texts(result, column, 11);
    }
}

static void open_view(connection *self)
{
    size_t bytes = (size_t)(sim_mysql_server.options.keys + 1) * sizeof *self->view;
    if (!self->view) self->view = leat_alloc(bytes);
    LEAT_ASSERT(self->view);
    memcpy(self->view, sim_mysql_server.values, bytes);
    sim_mysql_server.newest_view = (int64_t)sim_mysql_server.changes_count;
    self->view_file = sim_mysql_server.file;
    self->view_position = sim_mysql_server.position;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void show_view(const connection *self, answer *result)
{
    char name[SIM_MYSQL_NAME_BYTES], position[SIM_MYSQL_NAME_BYTES];
    sim_mysql_name_file(self->view_file, name);
    snprintf(position, sizeof position, "%u", self->view_position);
    const char *const status[] = {"Binlog_snapshot_file", name, "Binlog_snapshot_position", position};
    add_texts(result, status, 4);
    result->columns = 2;
}

static void show_logs(answer *result)
{
    for (int64_t file = 1; file <= sim_mysql_server.file; file++)
        add_position(result, file, SIM_MYSQL_FIRST_POSITION);
    result->columns = 2;
}

/* False: no answer but "OK". */
static bool run_statement(connection *self, const char *sql, answer *result)
{
    static const char *const table[] = {"shop", "t"};
    result->columns = 1;
    if (starts(sql, "SELECT @@global.log_bin"))
        add_cell(result, "1");
    else if (starts(sql, "SELECT @@global.binlog_format"))
        add_cell(result, "ROW");
    else if (starts(sql, "SELECT @@global.binlog_row_image"))
        add_cell(result, "FULL");
    else if (starts(sql, "SELECT TABLE_SCHEMA, TABLE_NAME"))
        add_texts(result, table, result->columns = 2);
    else if (starts(sql, "SELECT TABLE_COMMENT"))
        add_cell(result, "");
    else if (starts(sql, "SELECT COLUMN_NAME, DATA_TYPE"))
        describe_columns(result);
    else if (starts(sql, "SELECT COLUMN_NAME, SUB_PART"))
        add_texts(result, (const char *const[]){"id", NULL}, result->columns = 2);
    else if (starts(sql, "SELECT CONSTRAINT_NAME"))
        return true;
    else if (starts(sql, "SHOW MASTER STATUS") || starts(sql, "SHOW BINARY LOG STATUS"))
        add_position(result, sim_mysql_server.file, sim_mysql_server.position), result->columns = 2;
    else if (starts(sql, "SHOW BINARY LOGS"))
        show_logs(result);
    else if (starts(sql, "SHOW STATUS LIKE 'binlog_snapshot"))
        show_view(self, result);
    else if (starts(sql, "SELECT `"))
        select_rows(self, sql, result);
    else
        return false;
    return true;
}

static void run_command(connection *self, const char *sql)
{
    if (starts(sql, "FLUSH TABLES WITH READ LOCK")) {
        sim_mysql_server.locks += !self->has_lock;
        self->has_lock = true;
    } else if (starts(sql, "UNLOCK TABLES")) {
        sim_mysql_server.locks -= self->has_lock;
        self->has_lock = false;
    } else if (starts(sql, "START TRANSACTION")) {
        open_view(self);
    } else {
        LEAT_ASSERT(starts(sql, "SET ") || !"the model does not know this statement");
    }
}

int mysql_real_query(MYSQL *mysql, const char *sql, unsigned long size)
{
    connection *self = of(mysql);
    LEAT_ASSERT(strlen(sql) == size);
    take_time();
    if (reach(self)) return 1;
    self->number = 0;
    answer *result = leat_calloc(1, sizeof *result);
    LEAT_ASSERT(result && !self->result);
    if (run_statement(self, sql, result)) {
        self->result = result;
    } else {
        free_answer(result);
        run_command(self, sql);
    }
    /* The server has done it, and the client does not hear so. */
    if (!strikes(sim_mysql_server.world, sim_mysql_server.options.lose_chance)) return 0;
    free_answer(self->result);
    self->result = NULL;
    return lose(self);
}

my_bool mysql_rollback(MYSQL *mysql)
{
    connection *self = of(mysql);
    leat_free(self->view);
    self->view = NULL;
    return 0;
}

MYSQL_RES *mysql_store_result(MYSQL *mysql)
{
    answer *result = of(mysql)->result;
    of(mysql)->result = NULL;
    return result ? &result->base : NULL;
}

MYSQL_RES *mysql_use_result(MYSQL *mysql)
{
    return mysql_store_result(mysql);
}

void mysql_free_result(MYSQL_RES *result)
{
    free_answer((answer *)result);
}

MYSQL_ROW mysql_fetch_row(MYSQL_RES *base)
{
    answer *result = (answer *)base;
    size_t first = result->next_row * (size_t)result->columns;
    if (first >= result->cells) return NULL;
    result->next_row++;
    for (int i = 0; i < result->columns; i++) {
        size_t offset = result->offsets[first + (size_t)i];
        result->row[i] = offset == SIZE_MAX ? NULL : (char *)result->texts.data + offset;
        result->lengths[i] = result->row[i] ? strlen(result->row[i]) : 0;
    }
    return result->row;
}

unsigned long *mysql_fetch_lengths(MYSQL_RES *result)
{
    return ((answer *)result)->lengths;
}

MYSQL_FIELD *mysql_fetch_fields(MYSQL_RES *result)
{
    return ((answer *)result)->fields;
}

unsigned mysql_num_fields(MYSQL_RES *result)
{
    return (unsigned)((answer *)result)->columns;
}

my_ulonglong mysql_num_rows(MYSQL_RES *base)
{
    const answer *result = (const answer *)base;
    return result->cells / (size_t)result->columns;
}

/* --- the dump --- */

/* The event that begins at the position or, at its file's end, where the next file begins. */
static const sim_mysql_event *next_event(const connection *self, bool *is_at_end)
{
    *is_at_end = false;
    for (size_t i = 0; i < sim_mysql_server.events_count; i++) {
        const sim_mysql_event *event = &sim_mysql_server.events[i];
        if (event->file == self->file && event->start >= self->position) return event;
    }
    *is_at_end = self->file < sim_mysql_server.file;
    return NULL;
}

static bool has_packet(const connection *self)
{
    bool is_at_end;
    return self->artificial > 0 || self->is_lost || self->generation != sim_mysql_server.generation ||
           next_event(self, &is_at_end) || is_at_end;
}

my_socket mysql_get_socket(MYSQL *mysql)
{
    for (size_t i = 0; i < sizeof connections / sizeof *connections; i++)
        if (connections[i] == of(mysql)) return FIRST_SOCKET + (my_socket)i;
    return -1;
}

int __real_poll(struct pollfd *sockets, nfds_t count, int wait_ms);
int __wrap_poll(struct pollfd *sockets, nfds_t count, int wait_ms);

/* Time passes in the world, not here. */
int __wrap_poll(struct pollfd *sockets, nfds_t count, int wait_ms)
{
    if (count != 1 || sockets->fd < FIRST_SOCKET) return __real_poll(sockets, count, wait_ms);
    const connection *self = connections[sockets->fd - FIRST_SOCKET];
    if (has_packet(self) || wait_ms == 0) return has_packet(self);
    sim_wait_outside(sim_mysql_server.world, (int64_t)wait_ms * 1000);
    return has_packet(self);
}

static void make_artificial(connection *self)
{
    leat_bytes body = {0};
    bool is_rotate = self->artificial == 2 || self->position == SIM_MYSQL_FIRST_POSITION;
    if (is_rotate)
        sim_mysql_put_rotate(self->file, self->position, &body);
    else
        sim_mysql_put_format(&body);
    sim_mysql_put_event(is_rotate ? LEAT_BINLOG_ROTATE : LEAT_BINLOG_FORMAT_DESCRIPTION, LEAT_BINLOG_FLAG_ARTIFICIAL, 0,
                        &body, &self->packet);
    leat_bytes_done(&body);
    self->artificial--;
}

unsigned long mysql_net_read_packet(MYSQL *mysql)
{
    connection *self = of(mysql);
    if (++self->in_a_row % PACKETS_IN_A_ROW == 0) take_time();
    if (reach(self)) return packet_error;
    leat_bytes_reset(&self->packet);
    leat_bytes_put_u8(&self->packet, 0);
    bool is_at_end = false;
    const sim_mysql_event *event = self->artificial ? NULL : next_event(self, &is_at_end);
    if (is_at_end) {
        self->file++;
        self->position = SIM_MYSQL_FIRST_POSITION;
        self->artificial = 1;
    }
    if (event) {
        leat_bytes_put(&self->packet, event->bytes.data, event->bytes.size);
        self->position = event->end;
    } else {
        LEAT_ASSERT(self->artificial > 0);
        make_artificial(self);
    }
    self->base.net.read_pos = self->packet.data;
    return self->packet.size;
}
