/* BinaryRow (spec/paimon layout.md §8): the row format of partitions, keys, statistics and bucket hashes; byte-exact.
 *
 *   [ null bits: ((arity + 63 + 8) / 64) · 8 ][ arity · 8-byte slots ][ variable part, 8-byte aligned ]
 *
 * The serialised form (in Avro bytes, in committables) has the arity in front, 4 bytes big-endian. The row kind byte is
 * always 0 here. Nested types are refused (LEAT_UNSUPPORTED). Pure; any thread. */
#pragma once

#include "columnar/batch.h"
#include "columnar/type.h"
#include "common/bytes.h"

/* One value of a column type, as in columns. */
typedef struct leat_paimon_value {
    bool is_null;
    int16_t nanos; /* of timestamps finer than microseconds: 0…999 within the microsecond */
    union {
        int64_t integer; /* BOOLEAN (0, 1), TINYINT … BIGINT, DATE (days), TIME (ms), TIMESTAMPs (µs) */
        float real;      /* FLOAT */
        double number;   /* DOUBLE */
        __int128 decimal;
        struct {
            const uint8_t *data;
            size_t size;
        } bytes; /* text and bytes; borrowed */
    };
} leat_paimon_value;

/* A row to read from: without the arity prefix. */
typedef struct leat_binary_row {
    const uint8_t *data;
    size_t size;
    int32_t arity;
} leat_binary_row;

/* Writes one row at the end of `out`, fields in ascending order (variable parts follow in the order of the calls); each
 * field must be set once. Offsets count from the row's first byte. Running out of memory shows in out->failed. */
typedef struct leat_binary_row_writer {
    leat_bytes *out;
    size_t start; /* of the row in out */
    int32_t arity;
} leat_binary_row_writer;

/* `with_arity`: the serialised form. */
void leat_binary_row_begin(leat_binary_row_writer *writer, leat_bytes *out, int32_t arity, bool with_arity);
void leat_binary_row_set(leat_binary_row_writer *writer, int32_t field, const leat_type *type,
                         const leat_paimon_value *value);

/* The serialised row without fields: partition of an unpartitioned table, keys of append tables. */
enum { LEAT_BINARY_ROW_EMPTY_SIZE = 12 };
extern const uint8_t leat_binary_row_empty[LEAT_BINARY_ROW_EMPTY_SIZE];

/* Opens a serialised row and checks its fixed part. LEAT_CORRUPT; `what` names it. */
LEAT_CHECKED leat_code leat_binary_row_open(const uint8_t *data, size_t size, const char *what, leat_binary_row *out,
                                            leat_error *error);
/* Value of a field; text and bytes borrowed from the row. LEAT_CORRUPT when it points outside. */
LEAT_CHECKED leat_code leat_binary_row_get(const leat_binary_row *row, int32_t field, const leat_type *type,
                                           leat_paimon_value *out, leat_error *error);
bool leat_binary_row_is_null(const leat_binary_row *row, int32_t field);

/* The value of a column's row; text borrowed from the batch. */
void leat_paimon_value_of_column(const leat_column *column, int32_t row, const leat_type *type, leat_paimon_value *out);
/* Sets a column of the row that the builder has begun. */
LEAT_CHECKED leat_code leat_paimon_value_to_builder(const leat_paimon_value *value, const leat_type *type,
                                                    leat_batch_builder *builder, int32_t column, leat_error *error);

/* Appends the BinaryRow of the given columns of one row of a batch (an index into the batch, not into its selection).
 * types[k] is the type of columns[k]. Only types with columns: check with leat_binary_row_check_types once. */
void leat_binary_row_from_batch(const leat_batch *batch, int32_t row, const int32_t *columns, const leat_type *types,
                                int32_t columns_count, bool with_arity, leat_bytes *out);
/* LEAT_UNSUPPORTED naming the first type that cannot be in a row here. */
LEAT_CHECKED leat_code leat_binary_row_check_types(const leat_type *types, int32_t count, leat_error *error);

/* <0, 0, >0 in SQL order of the type; NULL is smaller than everything. Text and bytes by unsigned bytes. */
int leat_paimon_value_compare(const leat_type *type, const leat_paimon_value *left, const leat_paimon_value *right);
/* Field by field. Both are serialised rows of these types. */
LEAT_CHECKED leat_code leat_binary_row_compare(const uint8_t *left, size_t left_size, const uint8_t *right,
                                               size_t right_size, const leat_type *types, int32_t count, int *out,
                                               leat_error *error);

/* The text of a value as Java prints it (partition folders with partition.legacy-name, layout.md §1), or, when
 * `as_cast`, as a SQL cast to STRING gives it. Not for NULL. */
void leat_paimon_value_print(const leat_type *type, const leat_paimon_value *value, bool as_cast, leat_bytes *out);
