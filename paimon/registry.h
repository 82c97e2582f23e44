/* What paimon/ brings to the processes. */
#pragma once

#include "flow/registry.h"

void leat_paimon_register(leat_registry *registry);
