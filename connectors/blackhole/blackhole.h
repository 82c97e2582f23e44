/* `blackhole`: a sink that drops every row. It reads every value into a checksum first (gauge "checksum"), so that what
 * is measured before it has been computed. Configuration: none. */
#pragma once

#include "flow/connector.h"
#include "flow/registry.h"

extern const leat_operator_factory leat_blackhole_factory;
extern const leat_connector leat_blackhole_connector;
