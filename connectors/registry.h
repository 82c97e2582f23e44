/* All connectors, for the two mains. */
#pragma once

#include "flow/registry.h"

void leat_connectors_register(leat_registry *registry);
