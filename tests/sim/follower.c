#include "tests/sim/follower.h"

#include <inttypes.h>

#include "common/memory.h"

enum { KEYS_MAX = 8192, VALUES = 2 };

struct sim_follower {
    sim_world *world;
    int64_t snapshot; /* that was read last */
    bool is_there[KEYS_MAX];
    int64_t values[KEYS_MAX][VALUES];
};

static int64_t key_of(const leat_batch *batch, int32_t row)
{
    const leat_column *keys = &batch->columns[0];
    return keys->layout == LEAT_LAYOUT_32 ? ((const int32_t *)keys->values)[row] : ((const int64_t *)keys->values)[row];
}

static void take_row(sim_follower *self, const leat_batch *batch, int32_t row)
{
    int64_t key = key_of(batch, row);
    int8_t kind = leat_batch_kind(batch, row);
    bool is_add = leat_row_kind_is_add(kind);
    SIM_REQUIRE(self->world, key >= 0 && key < KEYS_MAX, "key %" PRId64, key);
    if (self->world->failure[0]) return;
    for (int i = 0; i < VALUES; i++) {
        int64_t value = ((const int64_t *)batch->columns[1 + i].values)[row], *known = &self->values[key][i];
        SIM_REQUIRE(self->world, is_add || !self->is_there[key] || value == *known,
                    "the changes of snapshot %" PRId64 " take back %" PRId64 " of key %" PRId64 ", which has %" PRId64,
                    self->snapshot, value, key, *known);
        *known = value;
    }
    SIM_REQUIRE(self->world, is_add != self->is_there[key],
                "the changes of snapshot %" PRId64 " %s key %" PRId64 ", which is%s there", self->snapshot,
                is_add ? "add" : "take back", key, is_add ? "" : " not");
    self->is_there[key] = is_add;
}

static void take(void *arg, const leat_batch *batch)
{
    for (int32_t i = 0; i < batch->selected; i++)
        take_row(arg, batch, leat_batch_row(batch, i));
}

sim_follower *sim_follower_new(void)
{
    sim_follower *self = leat_calloc(1, sizeof *self);
    LEAT_ASSERT(self);
    return self;
}

void sim_follower_free(sim_follower *follower)
{
    leat_free(follower);
}

void sim_follower_read(sim_follower *follower, sim_world *world, const char *table_path)
{
    int64_t latest = sim_latest_snapshot(world, table_path);
    follower->world = world;
    while (follower->snapshot < latest && !world->failure[0]) {
        follower->snapshot++;
        sim_read_changes(world, table_path, follower->snapshot, take, follower);
    }
}
