#include "operators/registry.h"

#include "operators/aggregate.h"
#include "operators/calc.h"
#include "operators/collect.h"
#include "operators/limit.h"
#include "operators/lookup_join.h"
#include "operators/not_null.h"
#include "operators/sort.h"
#include "operators/values.h"

void leat_operators_register(leat_registry *registry)
{
    leat_registry_add_operator(registry, &leat_aggregate_factory);
    leat_registry_add_operator(registry, &leat_calc_factory);
    leat_registry_add_operator(registry, &leat_collect_factory);
    leat_registry_add_operator(registry, &leat_limit_factory);
    leat_registry_add_operator(registry, &leat_lookup_join_factory);
    leat_registry_add_operator(registry, &leat_not_null_factory);
    leat_registry_add_operator(registry, &leat_sort_factory);
    leat_registry_add_operator(registry, &leat_values_factory);
}
