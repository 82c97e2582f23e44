/* Append tables: the operator "paimon-append-writer", and what plans it. Files of unaware and of fixed buckets, with
 * partitions (spec/paimon files.md §2, §4, §5; hashing.md §2).
 *
 *   rows ─▶ open file of (partition, bucket) ──rolled, or cut by a barrier──▶ closing files ──durable──▶ committables
 *
 * A barrier freezes the open files; they are finished and sent while new rows go to new ones. */
#pragma once

#include "flow/registry.h"
#include "paimon/table.h"

/* Configuration of the writer. */
LEAT_CHECKED leat_code leat_paimon_append_config_write(const leat_paimon_table *table, leat_bytes *out,
                                                       leat_error *error);
extern const leat_operator_factory leat_paimon_append_writer_factory;

/* Fixed buckets: a router in front of the writer puts the number of the writer's subtask that owns a row's bucket into
 * an INT column behind the row's; the exchange CUSTOM drops it. `parallelism` is the writer's. */
LEAT_CHECKED leat_code leat_paimon_append_router_config_write(const leat_paimon_table *table, int32_t parallelism,
                                                              leat_bytes *out, leat_error *error);
extern const leat_operator_factory leat_paimon_append_router_factory;
