/* The inside of the model server, for its clients (mysql_client.c). */
#pragma once

#include "common/bytes.h"
#include "tests/sim/mysql_model.h"

enum { SIM_MYSQL_FIRST_POSITION = 4, SIM_MYSQL_NAME_BYTES = 32 };

typedef struct sim_mysql_change {
    int64_t id, value; /* 0: deleted */
} sim_mysql_change;

typedef struct sim_mysql_event {
    leat_bytes bytes;
    int64_t file;
    uint32_t start, end; /* in the file */
} sim_mysql_event;

typedef struct sim_mysql {
    sim_world *world;
    sim_mysql_options options;
    int64_t *values, *first_values; /* by id; 0: no such row */
    int64_t greatest, locks;
    sim_mysql_change *changes;
    size_t changes_count, changes_capacity;
    uint64_t transactions;
    sim_mysql_event *events;
    size_t events_count, events_capacity;
    int64_t file, file_events; /* the newest, from 1 */
    uint32_t position;         /* its end */
    int64_t newest_view;
    uint64_t generation; /* grows at a restart */
    int64_t down_until_us;
} sim_mysql;

extern sim_mysql sim_mysql_server;

bool sim_mysql_is_down(void);
void sim_mysql_name_file(int64_t file, char out[SIM_MYSQL_NAME_BYTES]);
/* Bodies of events, and whole events. */
void sim_mysql_put_format(leat_bytes *body);
void sim_mysql_put_rotate(int64_t file, uint64_t position, leat_bytes *body);
void sim_mysql_put_event(uint8_t type, uint16_t flags, uint32_t next_position, const leat_bytes *body, leat_bytes *out);
