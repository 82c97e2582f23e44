/* Primary-key tables: how they are written and looked up. The planning half is called by the Paimon connector
 * (paimon/connector.c); the running half are the operators and the lookup of the factories below. Semantics:
 * spec/paimon merge-tree.md, hashing.md.
 *
 *   rows ─▶ "paimon-pk-router" ──CUSTOM──▶ "paimon-bucket-assigner" ──CUSTOM──▶ "paimon-pk-writer" ─▶ committables
 *           (key hash, "Map")   by key hash  (dynamic buckets only)   by partition and bucket
 *
 * With fixed buckets the router computes the bucket itself, and its exchange goes straight to the writer. */
#pragma once

#include "flow/connector.h"
#include "flow/lookup.h"
#include "flow/registry.h"
#include "paimon/table.h"

/* Fills the stages of the sink into `out` (in the context's arena): router, assigner, writer. The caller adds to the
 * last stage its committer and committer_config; committables are those of paimon/message.c. Refuses what primary-key
 * tables can't do here, by name. `table_name` is the name as shown ("Writer : orders"). */
LEAT_CHECKED leat_code leat_paimon_plan_pk_sink(const leat_plan_context *context, const leat_table *table,
                                                const leat_paimon_table *paimon_table, const leat_sink_request *request,
                                                leat_sink_plan *out, leat_error *error);

/* The lookup half, for any table with a primary key whose key columns are among `keys`. */
LEAT_CHECKED leat_code leat_paimon_plan_lookup(const leat_plan_context *context, const leat_table *table,
                                               const leat_paimon_table *paimon_table, const int32_t *keys,
                                               int32_t keys_count, const int32_t *columns, int32_t columns_count,
                                               leat_lookup_plan *out, leat_error *error);

/* Whether options of a primary-key table can be written and merged by this version; LEAT_UNSUPPORTED names the first
 * that can't. Called when a table is created, too. */
LEAT_CHECKED leat_code leat_paimon_pk_check(const leat_paimon_schema *schema, leat_error *error);

extern const leat_operator_factory leat_paimon_pk_router_factory;
extern const leat_operator_factory leat_paimon_bucket_assigner_factory;
extern const leat_operator_factory leat_paimon_pk_writer_factory;
extern const leat_lookup_factory leat_paimon_lookup_factory;      /* a copy of the table */
extern const leat_lookup_factory leat_paimon_file_lookup_factory; /* by key from the files; fixed buckets */
