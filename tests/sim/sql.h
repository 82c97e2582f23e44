/* Job graphs from SQL, planned by the production session over the simulated world's storage (without its weather). */
#pragma once

#include "common/bytes.h"
#include "tests/sim/world.h"

/* What such graphs may name. */
void sim_sql_register(leat_registry *registry);
/* Runs the statements in a session of its own whose catalog is a Paimon warehouse at "mem:/house"; the graph of the
 * n-th INSERT goes to graphs[n]. Returns how many there were; ends the program when a statement fails. */
int sim_sql(sim_world *world, const char *text, leat_bytes *graphs, int graphs_max);
