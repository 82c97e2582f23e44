#include "paimon/table_config.h"

#include <string.h>

#include "paimon/schema.h"

leat_code leat_paimon_table_write(const leat_paimon_table *table, leat_bytes *out, leat_error *error)
{
    leat_bytes schema = {0};
    leat_code code = leat_paimon_schema_print(&table->schema, &schema, error);
    if (code == LEAT_OK) {
        leat_bytes_put_block(out, table->path, strlen(table->path));
        leat_bytes_put_block(out, table->database, strlen(table->database));
        leat_bytes_put_block(out, table->name, strlen(table->name));
        leat_bytes_put_block(out, schema.data, schema.size);
        code = leat_bytes_check(out, error);
    }
    leat_bytes_done(&schema);
    return code;
}

static const char *read_text(leat_reader *reader, leat_arena *arena)
{
    size_t size;
    const uint8_t *data = leat_reader_block(reader, &size);
    return data ? leat_arena_strndup(arena, (const char *)data, size) : NULL;
}

leat_code leat_paimon_table_read(leat_reader *reader, leat_arena *arena, leat_paimon_table *out, leat_error *error)
{
    *out = (leat_paimon_table){0};
    out->path = read_text(reader, arena);
    out->database = read_text(reader, arena);
    out->name = read_text(reader, arena);
    size_t size;
    const uint8_t *schema = leat_reader_block(reader, &size);
    LEAT_TRY(leat_reader_check(reader, false, "a table's configuration", error));
    if (!out->path || !out->database || !out->name) return leat_fail_no_memory(error);
    return leat_paimon_schema_parse((const char *)schema, size, arena, &out->schema, error);
}
