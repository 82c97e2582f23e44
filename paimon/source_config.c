#include <string.h>

#include "paimon/schema.h"
#include "paimon/source.h"
#include "paimon/table_config.h"

enum { COLUMNS_MAX = LEAT_PAIMON_FIELDS_MAX, PREDICATES_MAX = 256, SCHEMAS_MAX = 4096 };

static void write_predicate(const leat_paimon_schema *schema, const leat_paimon_predicate *predicate, leat_bytes *out)
{
    leat_bytes_put_u32(out, (uint32_t)predicate->field_id);
    leat_bytes_put_u8(out, (uint8_t)predicate->compare);
    const leat_type *type = &schema->fields[leat_paimon_schema_find_id(schema, predicate->field_id)].type;
    leat_bytes row = {0};
    leat_binary_row_writer writer;
    leat_binary_row_begin(&writer, &row, 1, true);
    leat_binary_row_set(&writer, 0, type, &predicate->value);
    if (row.failed)
        out->failed = true;
    else
        leat_bytes_put_block(out, row.data, row.size);
    leat_bytes_done(&row);
}

leat_code leat_paimon_source_config_write(const leat_paimon_source_config *config, leat_bytes *out, leat_error *error)
{
    LEAT_TRY(leat_paimon_table_write(config->table, out, error));
    leat_bytes_put_u8(out, config->is_streaming);
    leat_bytes_put_u32(out, (uint32_t)config->columns_count);
    for (int32_t i = 0; i < config->columns_count; i++)
        leat_bytes_put_u32(out, (uint32_t)config->columns[i]);
    leat_bytes_put_u32(out, (uint32_t)config->predicates_count);
    for (int32_t i = 0; i < config->predicates_count; i++) {
        write_predicate(&config->table->schema, &config->predicates[i], out);
    }
    return leat_bytes_check(out, error);
}

static leat_code read_predicate(leat_reader *reader, const leat_paimon_schema *schema, leat_arena *arena,
                                leat_paimon_predicate *out, leat_error *error)
{
    out->field_id = (int32_t)leat_reader_u32(reader);
    out->compare = (leat_paimon_compare)leat_reader_u8(reader);
    size_t size;
    const uint8_t *data = leat_reader_block(reader, &size);
    int32_t field = leat_paimon_schema_find_id(schema, out->field_id);
    if (!data || field < 0) return leat_fail(error, LEAT_CORRUPT, "a source's configuration: its filter");
    uint8_t *copy = leat_arena_take(arena, size);
    if (!copy) return leat_fail_no_memory(error);
    memcpy(copy, data, size);
    leat_binary_row row;
    LEAT_TRY(leat_binary_row_open(copy, size, "a filter's value", &row, error));
    return leat_binary_row_get(&row, 0, &schema->fields[field].type, &out->value, error);
}

static leat_code read_lists(leat_reader *reader, leat_arena *arena, leat_paimon_source_config *out, leat_error *error)
{
    const leat_paimon_schema *schema = &out->table->schema;
    out->is_streaming = leat_reader_u8(reader) != 0;
    uint32_t count = leat_reader_u32(reader);
    if (count > COLUMNS_MAX) return leat_fail(error, LEAT_CORRUPT, "a source's configuration: %u columns", count);
    int32_t *columns = leat_arena_take(arena, ((size_t)count + 1) * sizeof *columns);
    if (!columns) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = (int32_t)leat_reader_u32(reader);
        if (columns[i] < 0 || columns[i] >= schema->fields_count)
            return leat_fail(error, LEAT_CORRUPT, "a source's column");
    }
    out->columns = columns;
    out->columns_count = (int32_t)count;
    count = leat_reader_u32(reader);
    if (count > PREDICATES_MAX) return leat_fail(error, LEAT_CORRUPT, "a source's configuration: %u conditions", count);
    leat_paimon_predicate *predicates = leat_arena_take(arena, ((size_t)count + 1) * sizeof *predicates);
    if (!predicates) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < count; i++)
        LEAT_TRY(read_predicate(reader, schema, arena, &predicates[i], error));
    out->predicates = predicates;
    out->predicates_count = (int32_t)count;
    return leat_reader_check(reader, true, "a source's configuration", error);
}

leat_code leat_paimon_source_config_read(const uint8_t *data, size_t size, leat_arena *arena, leat_paimon_table *table,
                                         leat_paimon_source_config *out, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    *out = (leat_paimon_source_config){.table = table};
    LEAT_TRY(leat_paimon_table_read(&reader, arena, table, error));
    return read_lists(&reader, arena, out, error);
}

void leat_paimon_source_split_write(const leat_paimon_source_split *split, leat_bytes *out)
{
    leat_bytes_put_u32(out, (uint32_t)split->affinity);
    leat_bytes_put_u32(out, split->schemas_count);
    for (uint32_t i = 0; i < split->schemas_count; i++) {
        leat_bytes_put_i64(out, split->schemas[i].id);
        leat_bytes_put_block(out, split->schemas[i].text, split->schemas[i].size);
    }
    leat_bytes inner = {0};
    leat_paimon_split_write(&split->split, &inner);
    if (inner.failed)
        out->failed = true;
    else
        leat_bytes_put_block(out, inner.data, inner.size);
    leat_bytes_done(&inner);
}

leat_code leat_paimon_source_split_affinity(const uint8_t *data, size_t size, int32_t *out, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    *out = (int32_t)leat_reader_u32(&reader);
    return leat_reader_check(&reader, false, "a split", error);
}

leat_code leat_paimon_source_split_read(const uint8_t *data, size_t size, leat_arena *arena,
                                        leat_paimon_source_split *out, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    out->affinity = (int32_t)leat_reader_u32(&reader);
    out->schemas_count = leat_reader_u32(&reader);
    if (out->schemas_count > SCHEMAS_MAX)
        return leat_fail(error, LEAT_CORRUPT, "a split of %u schemas", out->schemas_count);
    out->schemas = leat_arena_take(arena, ((size_t)out->schemas_count + 1) * sizeof *out->schemas);
    if (!out->schemas) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < out->schemas_count; i++) {
        out->schemas[i].id = leat_reader_i64(&reader);
        out->schemas[i].text = leat_reader_block(&reader, &out->schemas[i].size);
    }
    size_t inner_size;
    const uint8_t *inner = leat_reader_block(&reader, &inner_size);
    LEAT_TRY(leat_reader_check(&reader, true, "a split", error));
    return leat_paimon_split_read(inner, inner_size, arena, &out->split, error);
}
