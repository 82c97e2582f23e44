#include "tests/sim/knobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct knob {
    const char *name;
    leat_option option; /* of a number */
    int64_t least, most, usual;
    const char *unit;
    bool is_job;
} knob;

/* Between least and most every order of magnitude is as likely as another. Long timeouts show what never comes by
 * itself, short ones what gives up while it is under way. */
static const knob knobs[] = {
    {"checkpoint-interval", LEAT_OPTION_CHECKPOINT_INTERVAL, 20, 600, 100, " ms", true},
    {"checkpoint-timeout", LEAT_OPTION_CHECKPOINT_TIMEOUT, 50, 600000, 2000, " ms", true},
    {"checkpoint-pause", LEAT_OPTION_CHECKPOINT_MIN_PAUSE, 0, 300, 10, " ms", true},
    {"concurrent-checkpoints", LEAT_OPTION_CHECKPOINT_MAX_CONCURRENT, 1, LEAT_COORDINATOR_PENDING_MAX, 1, "", true},
    {"tolerable-failures", LEAT_OPTION_CHECKPOINT_TOLERABLE_FAILURES, 0, 4, 0, "", true},
    {"retained-checkpoints", LEAT_OPTION_CHECKPOINT_RETAINED, 1, 5, 1, "", true},
    {"buffer-timeout", LEAT_OPTION_BUFFER_TIMEOUT, 0, 500, 20, " ms", true},
    {"inline-state", LEAT_OPTION_STATE_INLINE_BYTES, 0, 20000, 100, " b", true},
    {"state-parts", LEAT_OPTION_STATE_PART_BYTES, 1, 4000, 100, " b", true},
    {"credit", LEAT_OPTION_CREDIT_BYTES, 1, 2 << 20, 16384, " b", false},
    {"batch", LEAT_OPTION_BATCH_BYTES, 1, 1 << 15, 4096, " b", false},
    {"heartbeat-interval", LEAT_OPTION_HEARTBEAT_INTERVAL, 50, 300, 200, " ms", false},
    {"heartbeat-timeout", LEAT_OPTION_HEARTBEAT_TIMEOUT, 900, 50000, 2000, " ms", false},
    {"lease", LEAT_OPTION_LEASE, 1500, 20000, 10000, " ms", false},
};

enum { NUMBERS_COUNT = sizeof knobs / sizeof *knobs, RESTART = NUMBERS_COUNT, BALANCE, SIZE, KNOBS_COUNT };

int sim_knobs_count(void)
{
    return KNOBS_COUNT;
}

const char *sim_knob_name(int number)
{
    static const char *const others[] = {"restart-strategy", "load-balance", "cluster-size"};
    return number < NUMBERS_COUNT ? knobs[number].name : others[number - NUMBERS_COUNT];
}

static bool is_off(uint64_t off, int number)
{
    return off >> (SIM_KNOBS_FIRST_BIT + number) & 1;
}

static int64_t draw_between(sim_world *dice, int64_t least, int64_t most)
{
    int magnitudes = 0;
    for (int64_t range = most - least; range; range /= 2)
        magnitudes++;
    int64_t range = (most - least) >> sim_below(dice, (uint64_t)magnitudes + 1);
    return least + (int64_t)sim_below(dice, (uint64_t)range + 1);
}

static void set(leat_config *config, leat_option option, const char *text)
{
    leat_code code = leat_config_set(config, leat_option_get_info(option)->key, text, NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

static void set_number(leat_config *config, leat_option option, int64_t value, const char *unit)
{
    char text[48];
    snprintf(text, sizeof text, "%" PRId64 "%s", value, unit);
    set(config, option, text);
}

void sim_set_timeout(leat_config *config, int64_t checkpoint_timeout_ms)
{
    set_number(config, LEAT_OPTION_CHECKPOINT_TIMEOUT, checkpoint_timeout_ms, " ms");
}

static void draw_numbers(sim_world *dice, uint64_t off, bool of_job, leat_config *config)
{
    for (int i = 0; i < NUMBERS_COUNT; i++) {
        const knob *drawn = &knobs[i];
        if (drawn->is_job != of_job) continue;
        int64_t value = draw_between(dice, drawn->least, drawn->most);
        set_number(config, drawn->option, is_off(off, i) ? drawn->usual : value, drawn->unit);
    }
}

/* None of them ends the job: that it goes on is what is looked at. */
static void draw_restart(sim_world *dice, uint64_t off, leat_config *config)
{
    int64_t delay_ms = draw_between(dice, 0, 3000), most_ms = 1 + delay_ms * 2;
    uint64_t kind = sim_below(dice, 3);
    if (is_off(off, RESTART)) {
        kind = 0;
        delay_ms = 50;
    }
    static const char *const kinds[] = {"fixed-delay", "exponential-delay", "failure-rate"};
    set(config, LEAT_OPTION_RESTART_STRATEGY, kinds[kind]);
    set_number(config, LEAT_OPTION_RESTART_FIXED_DELAY, delay_ms, " ms");
    set_number(config, LEAT_OPTION_RESTART_FIXED_ATTEMPTS, -1, "");
    set_number(config, LEAT_OPTION_RESTART_BACKOFF_INITIAL, 1 + delay_ms / 10, " ms");
    set_number(config, LEAT_OPTION_RESTART_BACKOFF_MAX, most_ms, " ms");
    set_number(config, LEAT_OPTION_RESTART_BACKOFF_RESET, most_ms * 2, " ms");
    set_number(config, LEAT_OPTION_RESTART_RATE_DELAY, delay_ms, " ms");
    set_number(config, LEAT_OPTION_RESTART_RATE_MAX, LEAT_RESTART_RATE_MAX, "");
    set_number(config, LEAT_OPTION_RESTART_RATE_INTERVAL, 100, " ms");
}

void sim_draw_cluster(sim_world *dice, uint64_t off, leat_config *config)
{
    static const char *const modes[] = {"SLOTS", "NONE", "MIN_RESOURCES"};
    draw_numbers(dice, off, false, config);
    uint64_t mode = sim_below(dice, 3);
    set(config, LEAT_OPTION_LOAD_BALANCE, modes[is_off(off, BALANCE) ? 0 : mode]);
}

void sim_draw_job(sim_world *dice, uint64_t off, leat_config *config)
{
    draw_numbers(dice, off, true, config);
    draw_restart(dice, off, config);
}

void sim_draw_size(sim_world *dice, uint64_t off, int jobs, int *taskmanagers, int *slots)
{
    enum { PARALLELISM_MAX = 4 };
    *taskmanagers = 1 + (int)sim_below(dice, 5);
    *slots = 1 + (int)sim_below(dice, 4);
    if (is_off(off, SIZE)) {
        *taskmanagers = 3;
        *slots = 4;
    }
    /* A job takes a slot on each task manager where there are enough. */
    int most = *taskmanagers > PARALLELISM_MAX ? *taskmanagers : PARALLELISM_MAX;
    while (*taskmanagers * *slots < (jobs + 1) * most)
        ++*slots;
}

sim_weather sim_draw_weather(sim_world *dice)
{
    enum { OUTAGE_US = 9000000 };
    /* An outage outlasts the committer's patience: nobody knows then whether its last commit was done. */
    int64_t outage_us = sim_below(dice, 8) == 0 ? 500000 + (int64_t)sim_below(dice, 2000000) : 0;
    return (sim_weather){.outage_from_us = outage_us,
                         .outage_until_us = outage_us ? outage_us + OUTAGE_US : 0,
                         .delay_us_max = 1 + (int)sim_below(dice, 5000),
                         .break_chance = (int)sim_below(dice, 8),
                         .stall_chance = sim_below(dice, 2) ? (int)sim_below(dice, 6) : 0,
                         .stall_us_max = (int)draw_between(dice, 1000, 6000000),
                         .is_object_store = sim_below(dice, 4) > 0,
                         .storage_delay_us_max = (int)draw_between(dice, 10, 40000),
                         .storage_fail_chance = (int)sim_below(dice, 300),
                         .storage_lose_chance = (int)sim_below(dice, 200),
                         .storage_repeat_chance = (int)sim_below(dice, 400),
                         .storage_slow_chance = sim_below(dice, 2) ? (int)sim_below(dice, 60) : 0};
}
