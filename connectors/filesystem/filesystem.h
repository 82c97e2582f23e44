/* `filesystem`: a bounded source of files in csv, json or debezium-json. A split is a file; the enumerator lists them,
 * readers ask for one after the other and read it in the order of its lines. */
#pragma once

#include "flow/connector.h"
#include "flow/registry.h"

/* Configuration of the reader: table schema, wanted columns, format, its options. */
typedef struct leat_filesystem_config {
    leat_schema schema; /* of the file */
    const int32_t *columns;
    int32_t columns_count;
    const char *format;
    const leat_config *options;
} leat_filesystem_config;

void leat_filesystem_config_write(const leat_filesystem_config *config, leat_bytes *out);

extern const leat_operator_factory leat_filesystem_source_factory;
extern const leat_enumerator_factory leat_filesystem_enumerator_factory;
extern const leat_connector leat_filesystem_connector;
