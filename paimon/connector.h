/* Paimon as a connector: how the planner reads, writes and looks up tables of a Paimon catalog. */
#pragma once

#include "flow/connector.h"

extern const leat_connector leat_paimon_connector;
