/* SQL types, as Flink and Paimon name them, and schemas of columns.
 *
 * A type is immutable once built and is passed by pointer; child types of ARRAY, MAP, MULTISET and ROW live in the same
 * arena as the type itself. Not all kinds have columns yet: leat_type_has_column says which do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/bytes.h"
#include "common/error.h"

typedef enum leat_type_kind {
    LEAT_TYPE_NULL, /* of the literal NULL, until it takes its context's type */
    LEAT_TYPE_BOOLEAN,
    LEAT_TYPE_TINYINT,
    LEAT_TYPE_SMALLINT,
    LEAT_TYPE_INT,
    LEAT_TYPE_BIGINT,
    LEAT_TYPE_FLOAT,
    LEAT_TYPE_DOUBLE,
    LEAT_TYPE_DECIMAL,   /* precision 1–38, scale */
    LEAT_TYPE_CHAR,      /* length */
    LEAT_TYPE_VARCHAR,   /* length; LEAT_LENGTH_MAX: STRING */
    LEAT_TYPE_BINARY,    /* length */
    LEAT_TYPE_VARBINARY, /* length; LEAT_LENGTH_MAX: BYTES */
    LEAT_TYPE_DATE,
    LEAT_TYPE_TIME,          /* precision 0–9 (printed); values are milliseconds */
    LEAT_TYPE_TIMESTAMP,     /* precision 0–9 */
    LEAT_TYPE_TIMESTAMP_LTZ, /* precision 0–9 */
    LEAT_TYPE_INTERVAL_YEAR_MONTH,
    LEAT_TYPE_INTERVAL_DAY_TIME,
    LEAT_TYPE_ARRAY,    /* children[0] */
    LEAT_TYPE_MULTISET, /* children[0] */
    LEAT_TYPE_MAP,      /* key, value */
    LEAT_TYPE_ROW,      /* fields: names and children */
    LEAT_TYPE_KINDS_COUNT,
} leat_type_kind;

enum { LEAT_LENGTH_MAX = INT32_MAX, LEAT_DECIMAL_PRECISION_MAX = 38, LEAT_TYPE_DEPTH_MAX = 32 };

typedef struct leat_type leat_type;
struct leat_type {
    leat_type_kind kind;
    bool nullable;
    int32_t precision; /* of DECIMAL, TIME and TIMESTAMPs; the length of CHAR … VARBINARY */
    int32_t scale;     /* of DECIMAL */
    int32_t children_count;
    const leat_type *children;      /* array of children_count */
    const char *const *child_names; /* of ROW */
};

/* How a column's values lie in memory. Everything that only moves rows needs no more than this. */
typedef enum leat_layout {
    LEAT_LAYOUT_8,    /* BOOLEAN (0 or 1, a byte each: kernels make masks of them), TINYINT */
    LEAT_LAYOUT_16,   /* SMALLINT */
    LEAT_LAYOUT_32,   /* INT, FLOAT, DATE (days since 1970), TIME (ms of the day), INTERVAL YEAR TO MONTH (months) */
    LEAT_LAYOUT_64,   /* BIGINT, DOUBLE, TIMESTAMPs (µs since 1970, UTC), INTERVAL DAY TO SECOND (ms) */
    LEAT_LAYOUT_128,  /* DECIMAL: the unscaled value, a two's complement __int128 */
    LEAT_LAYOUT_VIEW, /* CHAR … VARBINARY: leat_view */
} leat_layout;

/* False for the nested kinds and for timestamps finer than microseconds, which have no columns (yet). */
bool leat_type_has_column(const leat_type *type);
leat_layout leat_type_layout(const leat_type *type);
size_t leat_layout_bytes(leat_layout layout);

/* Simple types by value. */
static inline leat_type leat_type_make(leat_type_kind kind, bool nullable)
{
    return (leat_type){.kind = kind, .nullable = nullable};
}
leat_type leat_type_string(bool nullable);
leat_type leat_type_decimal(int32_t precision, int32_t scale, bool nullable);
leat_type leat_type_with_nullable(const leat_type *type, bool nullable);

bool leat_type_is_numeric(const leat_type *type); /* TINYINT … DOUBLE, DECIMAL */
bool leat_type_is_integer(const leat_type *type); /* TINYINT … BIGINT */
bool leat_type_is_text(const leat_type *type);    /* CHAR, VARCHAR */
bool leat_type_is_bytes(const leat_type *type);   /* BINARY, VARBINARY */
bool leat_type_equal(const leat_type *left, const leat_type *right, bool with_nullable);

/* As Flink's serializable strings: "INT NOT NULL", "VARCHAR(2147483647)", "DECIMAL(10, 2)", "ROW<`a` INT>". When
 * `short_names`, STRING and BYTES are so called. Appends to bytes (NUL-terminated). */
void leat_type_print(const leat_type *type, bool short_names, leat_bytes *out);
/* Parses the same (and what Paimon's schema files hold). Children come from the arena. Places in errors are offsets. */
LEAT_CHECKED leat_code leat_type_parse(const char *text, leat_arena *arena, leat_type *out, leat_error *error);

/* Columns of a table, a batch or an edge. */
typedef struct leat_field {
    const char *name;
    leat_type type;
} leat_field;

typedef struct leat_schema {
    int32_t fields_count;
    leat_field *fields;
} leat_schema;

/* Deep copy into the arena. */
LEAT_CHECKED leat_code leat_schema_copy(leat_arena *arena, const leat_schema *from, leat_schema *out,
                                        leat_error *error);
/* -1 when there is none. */
int32_t leat_schema_find(const leat_schema *schema, const char *name);
/* Binary form for operator configurations: count, then name and type text a field. */
void leat_schema_write(const leat_schema *schema, leat_bytes *out);
LEAT_CHECKED leat_code leat_schema_read(leat_reader *reader, leat_arena *arena, leat_schema *out, leat_error *error);
