/* All connectors, for the two mains. */
#pragma once

#include "flow/connector.h"
#include "flow/registry.h"

void leat_connectors_register(leat_registry *registry);

/* The planning half of a connector; NULL when there is none. */
const leat_connector *leat_connector_find(const char *identifier);
/* Their identifiers, sorted, ended by NULL. */
const char *const *leat_connectors_list(void);
