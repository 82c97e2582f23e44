/* Internal to scan planning. */
#pragma once

#include "paimon/scan.h"
#include "paimon/schema.h"

/* What the scan's conditions say of partitions and files; made once a scan. */
typedef struct leat_scan_filter {
    const leat_paimon_table *table;
    const leat_paimon_scan *scan; /* never NULL */
    leat_paimon_key partition_key, trimmed_key;
} leat_scan_filter;

LEAT_CHECKED leat_code leat_scan_filter_init(leat_scan_filter *self, const leat_paimon_table *table,
                                             const leat_paimon_scan *scan, leat_arena *arena, leat_error *error);
/* Whether a manifest may hold something that is wanted. */
LEAT_CHECKED leat_code leat_scan_filter_manifest(const leat_scan_filter *self, const leat_paimon_manifest *manifest,
                                                 bool *out, leat_error *error);
/* By partition, bucket and level: the same for an ADD and its DELETE. */
LEAT_CHECKED leat_code leat_scan_filter_place(const leat_scan_filter *self, const leat_paimon_entry *entry, bool *out,
                                              leat_error *error);
/* By the file's statistics. Of tables with a primary key only those of the key count: a file that is left out for a
 * value could hide a newer version of a row. */
LEAT_CHECKED leat_code leat_scan_filter_file(const leat_scan_filter *self, const leat_paimon_file *file, bool *out,
                                             leat_error *error);
