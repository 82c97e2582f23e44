#include "paimon/pk/hash_set.h"

#include "common/memory.h"

enum { SLOTS_MIN = 64 };

void leat_pk_hash_set_done(leat_pk_hash_set *set)
{
    leat_free(set->items);
    leat_free(set->values);
    leat_free(set->slots);
    *set = (leat_pk_hash_set){.is_map = set->is_map};
}

static size_t first_slot(const leat_pk_hash_set *set, int32_t hash)
{
    return (size_t)(((uint64_t)(uint32_t)hash * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (set->slots_count - 1);
}

int64_t leat_pk_hash_set_find(const leat_pk_hash_set *set, int32_t hash)
{
    if (set->count == 0) return -1;
    for (size_t slot = first_slot(set, hash); set->slots[slot]; slot = (slot + 1) & (set->slots_count - 1)) {
        uint32_t index = set->slots[slot] - 1;
        if (set->items[index] == hash) return index;
    }
    return -1;
}

static void put_slot(leat_pk_hash_set *set, size_t index)
{
    size_t slot = first_slot(set, set->items[index]);
    while (set->slots[slot])
        slot = (slot + 1) & (set->slots_count - 1);
    set->slots[slot] = (uint32_t)index + 1;
}

leat_code leat_pk_hash_set_add(leat_pk_hash_set *set, int32_t hash, int32_t value, leat_error *error)
{
    if (leat_pk_hash_set_find(set, hash) >= 0) return LEAT_OK;
    if (set->count >= UINT32_MAX / 2)
        return leat_fail(error, LEAT_LIMIT, "more than %u keys in one index", UINT32_MAX / 2);
    LEAT_TRY(leat_grow(&set->items, &set->capacity, set->count + 1, sizeof *set->items, error));
    if (set->is_map) {
        LEAT_TRY(leat_grow(&set->values, &set->values_capacity, set->count + 1, sizeof *set->values, error));
        set->values[set->count] = value;
    }
    set->items[set->count++] = hash;
    if (set->count * 2 <= set->slots_count) {
        put_slot(set, set->count - 1);
        return LEAT_OK;
    }
    size_t slots_count = set->slots_count ? set->slots_count * 2 : SLOTS_MIN;
    uint32_t *slots = leat_calloc(slots_count, sizeof *slots);
    if (!slots) {
        set->count--;
        return leat_fail_no_memory(error);
    }
    leat_free(set->slots);
    set->slots = slots;
    set->slots_count = slots_count;
    for (size_t i = 0; i < set->count; i++)
        put_slot(set, i);
    return LEAT_OK;
}
