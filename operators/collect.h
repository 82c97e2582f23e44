/* The sink of a SELECT: hands rows to whoever reads the query's result (leat_context_collect), in order, within its
 * window: when that is full the batch is kept and tried again after the next wake. The end of input is told as such. No
 * state: results that were fetched before a restart come again. Parallelism 1. Its config is empty. */
#pragma once

#include "flow/registry.h"

extern const leat_operator_factory leat_collect_factory; /* "collect" */
