/* A model of a MySQL or MariaDB server with one table shop.t (id BIGINT PRIMARY KEY, v BIGINT), as libmariadb's caller
 * sees it: mysql_client.c defines the functions of that library which connectors/mysql calls. So the connector is the
 * production one, down to the bytes of the binlog.
 *
 * The server commits transactions at times of its own: each inserts, updates and deletes some rows. Every value of `v`
 * is new and greater than all before, so that it tells when it was written. The binlog has files, transactions with
 * their GTID events, row events with checksums; it rotates. Reads see a consistent view once one is open. A connection
 * may be lost at any call or event; the server may restart: then all are, and nobody can connect for a while. */
#pragma once

#include "tests/sim/world.h"

typedef struct sim_mysql_options {
    bool is_mariadb; /* knows the binlog position of a view; else the server is locked for a moment */
    int64_t keys;    /* ids are 1 … keys */
    int64_t rows;    /* that are there at the beginning */
    int64_t transaction_us_max, changes_max;
    int64_t file_events; /* a binlog file has about so many */
    int64_t restart_us;  /* about so often; 0: never */
    int64_t call_us_max; /* a call takes at most so long */
    int lose_chance;     /* of a connection, in 1 of 10,000 calls and events */
} sim_mysql_options;

/* Starts the world's server. There is one at a time. */
void sim_mysql_start(sim_world *world, const sim_mysql_options *options);
void sim_mysql_stop(void);

/* Changes of rows so far, in the log's order, and of them those that the newest consistent view has. */
int64_t sim_mysql_changes(void);
int64_t sim_mysql_newest_view(void);
/* The greatest value that the first `changes` wrote. */
int64_t sim_mysql_greatest(int64_t changes);
/* Goes through the table's history: makes values[id] (0: no such row) as they were after the at-th change, from what
 * they were after the one before; 0 is the beginning. */
void sim_mysql_replay(int64_t at, int64_t *values);
