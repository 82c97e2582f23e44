#include <string.h>

#include "columnar/type.h"

static leat_code copy_type(leat_arena *arena, const leat_type *from, leat_type *out, leat_error *error)
{
    *out = *from;
    if (!from->children_count) return LEAT_OK;
    leat_type *children = leat_arena_take(arena, (size_t)from->children_count * sizeof *children);
    const char **names = leat_arena_take(arena, (size_t)from->children_count * sizeof *names);
    if (!children || !names) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < from->children_count; i++) {
        LEAT_TRY(copy_type(arena, &from->children[i], &children[i], error));
        if (from->child_names && !(names[i] = leat_arena_strdup(arena, from->child_names[i]))) {
            return leat_fail_no_memory(error);
        }
    }
    out->children = children;
    out->child_names = from->child_names ? names : NULL;
    return LEAT_OK;
}

leat_code leat_schema_copy(leat_arena *arena, const leat_schema *from, leat_schema *out, leat_error *error)
{
    leat_field *fields = leat_arena_take(arena, (size_t)from->fields_count * sizeof *fields);
    if (!fields) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < from->fields_count; i++) {
        fields[i].name = leat_arena_strdup(arena, from->fields[i].name);
        if (!fields[i].name) return leat_fail_no_memory(error);
        LEAT_TRY(copy_type(arena, &from->fields[i].type, &fields[i].type, error));
    }
    *out = (leat_schema){from->fields_count, fields};
    return LEAT_OK;
}

int32_t leat_schema_find(const leat_schema *schema, const char *name)
{
    for (int32_t i = 0; i < schema->fields_count; i++) {
        if (strcmp(schema->fields[i].name, name) == 0) return i;
    }
    return -1;
}

void leat_schema_write(const leat_schema *schema, leat_bytes *out)
{
    leat_bytes_put_u32(out, (uint32_t)schema->fields_count);
    leat_bytes type = {0};
    for (int32_t i = 0; i < schema->fields_count; i++) {
        leat_bytes_put_block(out, schema->fields[i].name, strlen(schema->fields[i].name));
        leat_bytes_reset(&type);
        leat_type_print(&schema->fields[i].type, false, &type);
        if (type.failed) out->failed = true;
        leat_bytes_put_block(out, type.data, type.size);
    }
    leat_bytes_done(&type);
}

enum { FIELDS_MAX = 4096 };

leat_code leat_schema_read(leat_reader *reader, leat_arena *arena, leat_schema *out, leat_error *error)
{
    uint32_t count = leat_reader_u32(reader);
    if (reader->failed || count > FIELDS_MAX) return leat_fail(error, LEAT_CORRUPT, "schema of %u fields", count);
    leat_field *fields = leat_arena_take(arena, count * sizeof *fields);
    if (!fields) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        size_t name_length, type_length;
        const uint8_t *name = leat_reader_block(reader, &name_length);
        const uint8_t *type = leat_reader_block(reader, &type_length);
        if (!name || !type) return leat_fail(error, LEAT_CORRUPT, "schema ends in field %u", i);
        fields[i].name = leat_arena_strndup(arena, (const char *)name, name_length);
        const char *text = leat_arena_strndup(arena, (const char *)type, type_length);
        if (!fields[i].name || !text) return leat_fail_no_memory(error);
        LEAT_TRY(leat_type_parse(text, arena, &fields[i].type, error));
    }
    *out = (leat_schema){(int32_t)count, fields};
    return LEAT_OK;
}
