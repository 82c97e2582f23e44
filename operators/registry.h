/* All operators of this folder, for a task manager's registry. */
#pragma once

#include "flow/registry.h"

void leat_operators_register(leat_registry *registry);
