/* Avro schemas from JSON. */
#include <jansson.h>
#include <string.h>

#include "common/memory.h"
#include "formats/avro/avro.h"

enum { NAMED_MAX = 4096, MEMBERS_MAX = 16 * 1024 };

typedef struct schema_parser {
    leat_arena *arena;
    leat_error *error;
    leat_avro_schema **named; /* on the heap while parsing */
    size_t named_count, named_capacity;
} schema_parser;

static const char *const primitive_names[] = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"};

static leat_code wrong(schema_parser *parser, const char *what, const char *name)
{
    return leat_fail(parser->error, LEAT_CORRUPT, "Avro schema: %s '%s'", what, name ? name : "");
}

static leat_code parse_node(schema_parser *parser, const json_t *json, const char *space, int depth,
                            const leat_avro_schema **out);

static const leat_avro_schema *find_named(const schema_parser *parser, const char *name, const char *space)
{
    const leat_avro_schema *plain = NULL;
    size_t space_length = space ? strlen(space) : 0;
    for (size_t i = 0; i < parser->named_count; i++) {
        const char *full = parser->named[i]->name;
        if (strcmp(full, name) == 0) plain = parser->named[i];
        if (space_length && strncmp(full, space, space_length) == 0 && full[space_length] == '.' &&
            strcmp(full + space_length + 1, name) == 0) {
            return parser->named[i]; /* a name without dots is looked up in the enclosing namespace first */
        }
    }
    return plain;
}

static leat_code parse_name(schema_parser *parser, const char *name, const char *space, const leat_avro_schema **out)
{
    for (size_t i = 0; i < sizeof primitive_names / sizeof *primitive_names; i++) {
        if (strcmp(name, primitive_names[i]) != 0) continue;
        leat_avro_schema *schema = leat_arena_take(parser->arena, sizeof *schema);
        if (!schema) return leat_fail_no_memory(parser->error);
        schema->kind = (leat_avro_kind)i;
        *out = schema;
        return LEAT_OK;
    }
    *out = find_named(parser, name, space);
    return *out ? LEAT_OK : wrong(parser, "unknown type", name);
}

/* Gives a record, enum or fixed its full name and makes it known; *space becomes its namespace. */
static leat_code add_named(schema_parser *parser, const json_t *json, leat_avro_schema *schema, const char **space)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *own_space = json_string_value(json_object_get(json, "namespace"));
    if (!name || !*name) return wrong(parser, "a named type without name", NULL);
    const char *dot = strrchr(name, '.');
    if (dot) {
        own_space = leat_arena_strndup(parser->arena, name, (size_t)(dot - name));
        schema->name = leat_arena_strdup(parser->arena, name);
    } else {
        if (!own_space) own_space = *space;
        schema->name = own_space && *own_space ? leat_arena_format(parser->arena, "%s.%s", own_space, name)
                                               : leat_arena_strdup(parser->arena, name);
    }
    if (!schema->name) return leat_fail_no_memory(parser->error);
    *space = own_space;
    if (parser->named_count == NAMED_MAX) return leat_fail(parser->error, LEAT_LIMIT, "Avro schema: too many types");
    LEAT_TRY(leat_grow(&parser->named, &parser->named_capacity, parser->named_count + 1, sizeof *parser->named,
                       parser->error));
    parser->named[parser->named_count++] = schema;
    return LEAT_OK;
}

static leat_code default_of(schema_parser *parser, const json_t *json, const leat_avro_schema *schema, int depth,
                            leat_avro_value *out);

static leat_code default_record(schema_parser *parser, const json_t *json, const leat_avro_schema *schema, int depth,
                                leat_avro_value *out)
{
    out->list.count = schema->count;
    out->list.items = leat_arena_take(parser->arena, schema->count * sizeof *out->list.items);
    if (!out->list.items) return leat_fail_no_memory(parser->error);
    for (size_t i = 0; i < schema->count; i++) {
        const json_t *member = json_object_get(json, schema->fields[i].name);
        if (member)
            LEAT_TRY(default_of(parser, member, schema->fields[i].schema, depth + 1, &out->list.items[i]));
        else if (schema->fields[i].fallback)
            out->list.items[i] = *schema->fields[i].fallback;
        else
            return wrong(parser, "a default without field", schema->fields[i].name);
    }
    return LEAT_OK;
}

static leat_code default_list(schema_parser *parser, json_t *json, const leat_avro_schema *schema, int depth,
                              leat_avro_value *out)
{
    bool is_map = schema->kind == LEAT_AVRO_MAP;
    size_t count = is_map ? json_object_size(json) : json_array_size(json), at = 0;
    out->list.items = leat_arena_take(parser->arena, count * sizeof *out->list.items);
    out->list.keys = is_map ? leat_arena_take(parser->arena, count * sizeof *out->list.keys) : NULL;
    if (!out->list.items || (is_map && !out->list.keys)) return leat_fail_no_memory(parser->error);
    out->list.count = count;
    const char *key;
    json_t *member;
    json_object_foreach(is_map ? json : NULL, key, member)
    {
        const char *copy = leat_arena_strdup(parser->arena, key);
        if (!copy) return leat_fail_no_memory(parser->error);
        LEAT_ASSERT(out->list.keys);
        out->list.keys[at] = leat_avro_text(copy);
        LEAT_TRY(default_of(parser, member, schema->fields[0].schema, depth + 1, &out->list.items[at++]));
    }
    for (; !is_map && at < count; at++) {
        LEAT_TRY(
            default_of(parser, json_array_get(json, at), schema->fields[0].schema, depth + 1, &out->list.items[at]));
    }
    return LEAT_OK;
}

/* Bytes in JSON defaults are text whose code points 0…255 are the bytes. */
static leat_code default_bytes(schema_parser *parser, const json_t *json, leat_avro_value *out)
{
    const char *text = json_string_value(json);
    size_t length = json_string_length(json);
    uint8_t *bytes = text ? leat_arena_take(parser->arena, length) : NULL;
    if (!text) return wrong(parser, "a default that is no text", NULL);
    if (!bytes) return leat_fail_no_memory(parser->error);
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        if ((byte & 0xfc) == 0xc0 && i + 1 < length) byte = (uint8_t)(byte << 6 | ((uint8_t)text[++i] & 0x3f));
        bytes[size++] = byte;
    }
    out->bytes.data = bytes;
    out->bytes.size = size;
    return LEAT_OK;
}

static leat_code default_text(schema_parser *parser, const json_t *json, const leat_avro_schema *schema,
                              leat_avro_value *out)
{
    const char *text = json_string_value(json);
    if (!text) return wrong(parser, "a default that is no text", NULL);
    if (schema->kind == LEAT_AVRO_ENUM) {
        for (size_t i = 0; i < schema->count; i++) {
            out->integer = (int64_t)i;
            if (strcmp(schema->symbols[i], text) == 0) return LEAT_OK;
        }
        return wrong(parser, "a default that is no symbol:", text);
    }
    const char *copy = leat_arena_strndup(parser->arena, text, json_string_length(json));
    if (!copy) return leat_fail_no_memory(parser->error);
    out->bytes.data = (const uint8_t *)copy;
    out->bytes.size = json_string_length(json);
    return LEAT_OK;
}

static leat_code default_of(schema_parser *parser, const json_t *json, const leat_avro_schema *schema, int depth,
                            leat_avro_value *out)
{
    if (depth > LEAT_AVRO_DEPTH_MAX) return leat_fail(parser->error, LEAT_LIMIT, "Avro schema is nested too deeply");
    *out = (leat_avro_value){.kind = schema->kind};
    switch (schema->kind) {
    case LEAT_AVRO_NULL: return LEAT_OK;
    case LEAT_AVRO_BOOLEAN: out->boolean = json_is_true(json); return LEAT_OK;
    case LEAT_AVRO_INT:
    case LEAT_AVRO_LONG: out->integer = json_integer_value(json); return LEAT_OK;
    case LEAT_AVRO_FLOAT:
    case LEAT_AVRO_DOUBLE: out->number = json_number_value(json); return LEAT_OK;
    case LEAT_AVRO_BYTES:
    case LEAT_AVRO_FIXED: return default_bytes(parser, json, out);
    case LEAT_AVRO_STRING:
    case LEAT_AVRO_ENUM: return default_text(parser, json, schema, out);
    case LEAT_AVRO_RECORD: return default_record(parser, json, schema, depth, out);
    case LEAT_AVRO_ARRAY:
    case LEAT_AVRO_MAP: return default_list(parser, (json_t *)(uintptr_t)json, schema, depth, out);
    case LEAT_AVRO_UNION:
        if (!schema->count) return wrong(parser, "a default of an empty union", NULL);
        return default_of(parser, json, schema->fields[0].schema, depth + 1,
                          out); /* defaults are of the first branch */
    }
    return LEAT_OK;
}

static leat_code take_fields(schema_parser *parser, leat_avro_schema *schema, size_t count)
{
    if (count > MEMBERS_MAX) return leat_fail(parser->error, LEAT_LIMIT, "Avro schema: a type of %zu members", count);
    schema->fields = leat_arena_take(parser->arena, count * sizeof *schema->fields);
    schema->count = count;
    return schema->fields ? LEAT_OK : leat_fail_no_memory(parser->error);
}

static leat_code parse_record(schema_parser *parser, const json_t *json, const char *space, int depth,
                              leat_avro_schema *schema)
{
    LEAT_TRY(add_named(parser, json, schema, &space));
    const json_t *fields = json_object_get(json, "fields");
    LEAT_TRY(take_fields(parser, schema, json_array_size(fields)));
    for (size_t i = 0; i < schema->count; i++) {
        const json_t *field = json_array_get(fields, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        if (!name) return wrong(parser, "a field without name in", schema->name);
        schema->fields[i].name = leat_arena_strdup(parser->arena, name);
        if (!schema->fields[i].name) return leat_fail_no_memory(parser->error);
        LEAT_TRY(parse_node(parser, json_object_get(field, "type"), space, depth + 1, &schema->fields[i].schema));
        const json_t *fallback = json_object_get(field, "default");
        if (!fallback) continue;
        leat_avro_value *value = leat_arena_take(parser->arena, sizeof *value);
        if (!value) return leat_fail_no_memory(parser->error);
        LEAT_TRY(default_of(parser, fallback, schema->fields[i].schema, depth + 1, value));
        schema->fields[i].fallback = value;
    }
    return LEAT_OK;
}

static leat_code parse_enum(schema_parser *parser, const json_t *json, const char *space, leat_avro_schema *schema)
{
    LEAT_TRY(add_named(parser, json, schema, &space));
    const json_t *symbols = json_object_get(json, "symbols");
    size_t count = json_array_size(symbols);
    if (count > MEMBERS_MAX) return leat_fail(parser->error, LEAT_LIMIT, "Avro schema: %zu symbols", count);
    schema->symbols = leat_arena_take(parser->arena, count * sizeof *schema->symbols);
    if (!schema->symbols) return leat_fail_no_memory(parser->error);
    schema->count = count;
    const char *fallback = json_string_value(json_object_get(json, "default"));
    for (size_t i = 0; i < count; i++) {
        const char *symbol = json_string_value(json_array_get(symbols, i));
        if (!symbol) return wrong(parser, "a symbol that is no text in", schema->name);
        if (fallback && strcmp(symbol, fallback) == 0) schema->fallback_symbol = (int32_t)i;
        schema->symbols[i] = leat_arena_strdup(parser->arena, symbol);
        if (!schema->symbols[i]) return leat_fail_no_memory(parser->error);
    }
    return LEAT_OK;
}

static leat_code parse_fixed(schema_parser *parser, const json_t *json, const char *space, leat_avro_schema *schema)
{
    LEAT_TRY(add_named(parser, json, schema, &space));
    json_int_t size = json_integer_value(json_object_get(json, "size"));
    if (size < 0 || size > LEAT_AVRO_BLOCK_BYTES_MAX) return wrong(parser, "a wrong size of", schema->name);
    schema->count = (size_t)size;
    return LEAT_OK;
}

static leat_code parse_logical(schema_parser *parser, const json_t *json, leat_avro_schema *schema)
{
    const char *logical = json_string_value(json_object_get(json, "logicalType"));
    if (!logical) return LEAT_OK;
    schema->logical_type = leat_arena_strdup(parser->arena, logical);
    schema->precision = (int32_t)json_integer_value(json_object_get(json, "precision"));
    schema->scale = (int32_t)json_integer_value(json_object_get(json, "scale"));
    return schema->logical_type ? LEAT_OK : leat_fail_no_memory(parser->error);
}

static leat_code parse_object(schema_parser *parser, const json_t *json, const char *space, int depth,
                              const leat_avro_schema **out)
{
    static const struct {
        const char *name;
        leat_avro_kind kind;
    } kinds[] = {{"record", LEAT_AVRO_RECORD}, {"error", LEAT_AVRO_RECORD}, {"enum", LEAT_AVRO_ENUM},
                 {"array", LEAT_AVRO_ARRAY},   {"map", LEAT_AVRO_MAP},      {"fixed", LEAT_AVRO_FIXED}};
    const json_t *type = json_object_get(json, "type");
    const char *word = json_string_value(type);
    if (!word) return parse_node(parser, type, space, depth + 1, out); /* {"type": {…}} */
    leat_avro_schema *schema = leat_arena_take(parser->arena, sizeof *schema);
    if (!schema) return leat_fail_no_memory(parser->error);
    *out = schema;
    schema->kind = LEAT_AVRO_NULL;
    schema->fallback_symbol = -1;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(word, kinds[i].name) == 0) schema->kind = kinds[i].kind;
    LEAT_TRY(parse_logical(parser, json, schema));
    switch (schema->kind) {
    case LEAT_AVRO_RECORD: return parse_record(parser, json, space, depth, schema);
    case LEAT_AVRO_ENUM: return parse_enum(parser, json, space, schema);
    case LEAT_AVRO_FIXED: return parse_fixed(parser, json, space, schema);
    case LEAT_AVRO_ARRAY:
    case LEAT_AVRO_MAP: {
        const char *key = schema->kind == LEAT_AVRO_ARRAY ? "items" : "values";
        LEAT_TRY(take_fields(parser, schema, 1));
        return parse_node(parser, json_object_get(json, key), space, depth + 1, &schema->fields[0].schema);
    }
    default: break;
    }
    const leat_avro_schema *base;
    LEAT_TRY(parse_name(parser, word, space, &base));
    if (base->kind > LEAT_AVRO_STRING)
        *out = base; /* a reference; its own logical type stands */
    else
        schema->kind = base->kind;
    return LEAT_OK;
}

static leat_code parse_node(schema_parser *parser, const json_t *json, const char *space, int depth,
                            const leat_avro_schema **out)
{
    if (depth > LEAT_AVRO_DEPTH_MAX) return leat_fail(parser->error, LEAT_LIMIT, "Avro schema is nested too deeply");
    if (json_is_string(json)) return parse_name(parser, json_string_value(json), space, out);
    if (json_is_object(json)) return parse_object(parser, json, space, depth, out);
    if (!json_is_array(json)) return wrong(parser, "a type is missing", NULL);
    leat_avro_schema *schema = leat_arena_take(parser->arena, sizeof *schema);
    if (!schema) return leat_fail_no_memory(parser->error);
    schema->kind = LEAT_AVRO_UNION;
    LEAT_TRY(take_fields(parser, schema, json_array_size(json)));
    for (size_t i = 0; i < schema->count; i++)
        LEAT_TRY(parse_node(parser, json_array_get(json, i), space, depth + 1, &schema->fields[i].schema));
    *out = schema;
    return LEAT_OK;
}

leat_code leat_avro_schema_parse(const char *json, size_t size, leat_arena *arena, const leat_avro_schema **out,
                                 leat_error *error)
{
    if (size > LEAT_AVRO_SCHEMA_BYTES_MAX) return leat_fail(error, LEAT_LIMIT, "an Avro schema of %zu bytes", size);
    json_error_t cause;
    json_t *root = json_loadb(json, size, JSON_DECODE_ANY, &cause);
    if (!root) {
        return leat_fail(error, LEAT_CORRUPT, "Avro schema: line %d, column %d: %s", cause.line, cause.column,
                         cause.text);
    }
    schema_parser parser = {.arena = arena, .error = error};
    leat_code code = parse_node(&parser, root, NULL, 0, out);
    leat_free(parser.named);
    json_decref(root);
    return code;
}

int32_t leat_avro_schema_find(const leat_avro_schema *schema, const char *field)
{
    if (schema->kind != LEAT_AVRO_RECORD) return -1;
    for (size_t i = 0; i < schema->count; i++)
        if (strcmp(schema->fields[i].name, field) == 0) return (int32_t)i;
    return -1;
}
