/* Kills, stops, slows down the processes of a world, again and again, until it is healed. */
#pragma once

#include "tests/sim/world.h"

typedef struct sim_nemesis sim_nemesis;

typedef struct sim_blow {
    sim_nemesis *owner;
    sim_fault fault;
    int64_t every_us; /* on average; 0: never */
} sim_blow;

struct sim_nemesis {
    sim_world *world;
    sim_blow blows[SIM_FAULTS_COUNT];
};

/* How often; from the dice. */
void sim_nemesis_draw(sim_nemesis *self, sim_world *dice);
void sim_nemesis_start(sim_nemesis *self, sim_world *world);
