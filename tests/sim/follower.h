/* Somebody who follows the changes of a table with a key (its first column, an INT or BIGINT) and two BIGINT columns
 * more, snapshot for snapshot. What is taken back must be there and be the same; what is added must not be there. */
#pragma once

#include "tests/sim/table_reader.h"

typedef struct sim_follower sim_follower;
sim_follower *sim_follower_new(void);
void sim_follower_free(sim_follower *follower); /* NULL is fine */
/* Reads on to the newest snapshot. */
void sim_follower_read(sim_follower *follower, sim_world *world, const char *table_path);
