/* Avro (specification 1.11): schemas, binary values with schema resolution, object container files. Pure; an object is
 * used by one thread at a time. All input is untrusted: bounded, LEAT_CORRUPT with what and where.
 *
 * Values are trees in an arena; a union's value is that of its branch, logical types are their underlying type. Bytes
 * and strings of decoded values are borrowed from the file's arena. */
#pragma once

#include "common/arena.h"
#include "common/bytes.h"

enum {
    LEAT_AVRO_DEPTH_MAX = 64, /* of schemas and of values */
    LEAT_AVRO_SCHEMA_BYTES_MAX = 4 << 20,
    LEAT_AVRO_BLOCK_BYTES_MAX = 512 << 20, /* of one block, unpacked */
};

typedef enum leat_avro_kind {
    LEAT_AVRO_NULL,
    LEAT_AVRO_BOOLEAN,
    LEAT_AVRO_INT,
    LEAT_AVRO_LONG,
    LEAT_AVRO_FLOAT,
    LEAT_AVRO_DOUBLE,
    LEAT_AVRO_BYTES,
    LEAT_AVRO_STRING,
    LEAT_AVRO_RECORD,
    LEAT_AVRO_ENUM,
    LEAT_AVRO_ARRAY,
    LEAT_AVRO_MAP,
    LEAT_AVRO_UNION,
    LEAT_AVRO_FIXED,
} leat_avro_kind;

typedef struct leat_avro_value leat_avro_value;
struct leat_avro_value {
    leat_avro_kind kind; /* never UNION */
    int32_t branch;      /* of the union it was in */
    union {
        bool boolean;
        int64_t integer; /* INT, LONG; ENUM: index of the symbol */
        double number;   /* FLOAT, DOUBLE */
        struct {
            const uint8_t *data;
            size_t size;
        } bytes; /* BYTES, STRING, FIXED */
        struct {
            leat_avro_value *items; /* RECORD: a value a field; ARRAY, MAP: the elements */
            leat_avro_value *keys;  /* MAP: strings */
            size_t count;
        } list;
    };
};

typedef struct leat_avro_schema leat_avro_schema;

typedef struct leat_avro_field {
    const char *name;
    const leat_avro_schema *schema;
    const leat_avro_value *fallback; /* the default; NULL: none */
} leat_avro_field;

struct leat_avro_schema {
    leat_avro_kind kind;
    const char *name;         /* full name of RECORD, ENUM, FIXED */
    const char *logical_type; /* NULL: none */
    leat_avro_field *fields;  /* RECORD: fields; UNION: branches; ARRAY, MAP: one, the elements (names NULL) */
    const char **symbols;     /* ENUM */
    size_t count;             /* of fields or symbols; FIXED: bytes */
    int32_t fallback_symbol;  /* ENUM: default for unknown symbols; -1: none */
    int32_t precision, scale; /* of logical type decimal */
};

/* Parses a schema's JSON. Everything lives in the arena; named types may refer to each other and to themselves. */
LEAT_CHECKED leat_code leat_avro_schema_parse(const char *json, size_t size, leat_arena *arena,
                                              const leat_avro_schema **out, leat_error *error);
/* Index of a record's field; -1: none. */
int32_t leat_avro_schema_find(const leat_avro_schema *schema, const char *field);

/* Decodes one value that was written with `written`, as `wanted` sees it: fields by name, missing ones by default,
 * unknown ones skipped, numbers promoted (NULL or the same: as written). */
LEAT_CHECKED leat_code leat_avro_decode(leat_reader *reader, const leat_avro_schema *written,
                                        const leat_avro_schema *wanted, leat_arena *arena, leat_avro_value *out,
                                        leat_error *error);
/* Appends the binary form. A value in a union goes by its branch if the kind fits, else to the first branch of its
 * kind. LEAT_INVALID when the value does not fit the schema. */
LEAT_CHECKED leat_code leat_avro_encode(const leat_avro_schema *schema, const leat_avro_value *value, leat_bytes *out,
                                        leat_error *error);

/* A container file in memory. */
typedef struct leat_avro_file {
    leat_reader reader;
    leat_arena *arena; /* of schema and unpacked blocks */
    const leat_avro_schema *schema;
    const uint8_t *sync;
    int codec;
    leat_reader block;
    int64_t block_left; /* values in the block */
} leat_avro_file;

/* Reads the header. `data` is borrowed as long as the file is used (codec null: also by the values). Codecs: null,
 * deflate, zstandard; others are LEAT_UNSUPPORTED. */
LEAT_CHECKED leat_code leat_avro_file_open(const uint8_t *data, size_t size, leat_arena *arena, leat_avro_file *out,
                                           leat_error *error);
/* The next value into `arena`; *has_value is false at the end. */
LEAT_CHECKED leat_code leat_avro_file_next(leat_avro_file *file, const leat_avro_schema *wanted, leat_arena *arena,
                                           bool *has_value, leat_avro_value *out, leat_error *error);

/* Writes a container file into memory, block by block. */
typedef struct leat_avro_writer {
    const leat_avro_schema *schema;
    leat_bytes *out;
    leat_bytes block, packed;
    int64_t block_count;
    int codec;
    uint8_t sync[16];
} leat_avro_writer;

enum { LEAT_AVRO_BLOCK_BYTES = 64 << 10 }; /* a block is closed when it reaches this size */

/* `schema_json` is written as it is and describes `schema`. codec: "null", "deflate", "zstandard" ("zstd"). `sync`: 16
 * random bytes. */
LEAT_CHECKED leat_code leat_avro_writer_init(leat_avro_writer *writer, const char *schema_json,
                                             const leat_avro_schema *schema, const char *codec, const uint8_t sync[16],
                                             leat_bytes *out, leat_error *error);
LEAT_CHECKED leat_code leat_avro_writer_add(leat_avro_writer *writer, const leat_avro_value *value, leat_error *error);
/* Closes the last block. */
LEAT_CHECKED leat_code leat_avro_writer_finish(leat_avro_writer *writer, leat_error *error);
void leat_avro_writer_done(leat_avro_writer *writer);

/* Short makers of values. */
static inline leat_avro_value leat_avro_null(void)
{
    return (leat_avro_value){.kind = LEAT_AVRO_NULL};
}
static inline leat_avro_value leat_avro_int(int64_t value)
{
    return (leat_avro_value){.kind = LEAT_AVRO_INT, .integer = value};
}
static inline leat_avro_value leat_avro_long(int64_t value)
{
    return (leat_avro_value){.kind = LEAT_AVRO_LONG, .integer = value};
}
static inline leat_avro_value leat_avro_bytes(const void *data, size_t size)
{
    return (leat_avro_value){.kind = LEAT_AVRO_BYTES, .bytes = {data, size}};
}
/* NUL-terminated text; NULL gives null. */
leat_avro_value leat_avro_text(const char *text);
