/* A job graph of one source and one sink, from what their connectors planned: for actions that make a job without SQL.
 */
#pragma once

#include "flow/connector.h"

typedef struct leat_graph_parts {
    const char *name;          /* of the job */
    const leat_config *config; /* of the job */
    const leat_source_plan *source;
    const leat_sink_plan *sink;
    const char *uid_prefix; /* operators' uids are "<prefix>-source", "<prefix>-sink-<stage>-<operator>" */
} leat_graph_parts;

/* Appends the packed leat.pb.JobGraph. Stages that can be chained are. */
LEAT_CHECKED leat_code leat_graph_build(const leat_plan_context *context, const leat_graph_parts *parts,
                                        leat_bytes *out, leat_error *error);
