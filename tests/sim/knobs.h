/* Every option that bears on the runtime, drawn from the seed; each can be turned back to its usual value by its name
 * (--without). */
#pragma once

#include "common/config.h"
#include "tests/sim/world.h"

enum { SIM_KNOBS_FIRST_BIT = 32 }; /* of `off`: a bit a knob from here on */

int sim_knobs_count(void);
const char *sim_knob_name(int number);
/* Options of the cluster, and its size. */
void sim_draw_cluster(sim_world *dice, uint64_t off, leat_config *config);
/* Options of one job. */
void sim_draw_job(sim_world *dice, uint64_t off, leat_config *config);
void sim_set_timeout(leat_config *config, int64_t checkpoint_timeout_ms);
/* How many task managers there are, and slots of each, so that there is room for so many jobs and one more. */
void sim_draw_size(sim_world *dice, uint64_t off, int jobs, int *taskmanagers, int *slots);
sim_weather sim_draw_weather(sim_world *dice);
