#include "connectors/registry.h"

#include "connectors/blackhole/blackhole.h"
#include "connectors/datagen/datagen.h"

void leat_connectors_register(leat_registry *registry)
{
    leat_registry_add_operator(registry, &leat_datagen_factory);
    leat_registry_add_operator(registry, &leat_blackhole_factory);
}
