#include "flow/registry.h"

#include <string.h>

#include "common/memory.h"

#define DEFINE_REGISTRY(kind)                                                                                          \
    void leat_registry_add_##kind(leat_registry *registry, const leat_##kind##_factory *factory)                       \
    {                                                                                                                  \
        LEAT_ASSERT(registry->kind##s_count < LEAT_REGISTRY_MAX);                                                      \
        registry->kind##s[registry->kind##s_count++] = factory;                                                        \
    }                                                                                                                  \
    leat_code leat_registry_find_##kind(const leat_registry *registry, const char *type,                               \
                                        const leat_##kind##_factory **out, leat_error *error)                          \
    {                                                                                                                  \
        for (int i = 0; i < registry->kind##s_count; i++) {                                                            \
            if (strcmp(registry->kind##s[i]->type, type) == 0) {                                                       \
                *out = registry->kind##s[i];                                                                           \
                return LEAT_OK;                                                                                        \
            }                                                                                                          \
        }                                                                                                              \
        return leat_fail(error, LEAT_NOT_FOUND, "this process knows no " #kind " '%s'", type);                         \
    }

DEFINE_REGISTRY(operator)
DEFINE_REGISTRY(enumerator)
DEFINE_REGISTRY(committer)
DEFINE_REGISTRY(lookup)

leat_code leat_operator_snapshot_add(leat_operator_snapshot *snapshot, leat_bytes *committable, leat_error *error)
{
    LEAT_TRY(leat_bytes_check(committable, error));
    LEAT_TRY(leat_grow(&snapshot->committables, &snapshot->committables_capacity, snapshot->committables_count + 1,
                       sizeof *snapshot->committables, error));
    snapshot->committables[snapshot->committables_count++] = *committable;
    *committable = (leat_bytes){0};
    return LEAT_OK;
}

void leat_operator_snapshot_done(leat_operator_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->committables_count; i++) {
        leat_bytes_done(&snapshot->committables[i]);
    }
    leat_free(snapshot->committables);
    leat_bytes_done(&snapshot->state);
    *snapshot = (leat_operator_snapshot){0};
}
