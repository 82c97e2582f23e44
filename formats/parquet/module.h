/* The seam between formats/datafile.c and the Parquet module, leat-parquet.so: plain C, one table of functions. Columns
 * cross it by the Arrow C data interface, bytes as pointers; nothing of C++ does.
 *
 * Functions return 0, or a leat_code as a number and its words in `failure`. An object is used by one thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "formats/arrow_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LEAT_PARQUET_ABI = 2, LEAT_PARQUET_FAILURE_BYTES = 512 };

typedef struct leat_parquet_failure {
    char text[LEAT_PARQUET_FAILURE_BYTES];
} leat_parquet_failure;

/* Memory of the process that loads the module; 64-byte aligned. */
typedef struct leat_parquet_host {
    void *(*allocate)(size_t bytes);
    void (*release)(void *block);
} leat_parquet_host;

typedef struct leat_parquet_write_options {
    const char *compression;    /* as in leat_datafile_write_options, never NULL */
    int32_t compression_level;  /* 0: the codec's default */
    int64_t row_group_bytes;    /* encoded; > 0 */
    int64_t row_group_rows_max; /* > 0 */
    const int32_t *field_ids;   /* one a column; NULL: none */
} leat_parquet_write_options;

typedef struct leat_parquet_range {
    uint64_t offset, size;
} leat_parquet_range;

typedef struct leat_parquet_writer leat_parquet_writer;
typedef struct leat_parquet_reader leat_parquet_reader;

enum { LEAT_PARQUET_BATCH, LEAT_PARQUET_NEED, LEAT_PARQUET_END };

typedef struct leat_parquet_module {
    int32_t abi;
    const char *arrow_version;
    /* Takes `schema` (released in any case). */
    int (*writer_new)(struct ArrowSchema *schema, const leat_parquet_write_options *options, leat_parquet_writer **out,
                      leat_parquet_failure *failure);
    /* Takes `array`, a struct of the columns (released in any case). */
    int (*write)(leat_parquet_writer *writer, struct ArrowArray *array, leat_parquet_failure *failure);
    /* The bytes since the last call, borrowed until the next call of any function of this writer. */
    void (*take)(leat_parquet_writer *writer, const uint8_t **data, size_t *size);
    int64_t (*bytes)(const leat_parquet_writer *writer);
    int (*finish)(leat_parquet_writer *writer, leat_parquet_failure *failure);
    void (*writer_free)(leat_parquet_writer *writer);

    /* `names`: the top-level columns that are wanted, in this order. */
    int (*reader_new)(uint64_t file_size, const char *const *names, int32_t names_count, leat_parquet_reader **out,
                      leat_parquet_failure *failure);
    /* `data` stays valid until `release(owner)` is called, at the latest by reader_free. Takes the owner in any case.
     */
    int (*give)(leat_parquet_reader *reader, uint64_t offset, const uint8_t *data, size_t size,
                void (*release)(void *owner), void *owner, leat_parquet_failure *failure);
    /* LEAT_PARQUET_BATCH: `array` is a struct of the wanted columns and `schema` says their formats; the caller
     * releases both. */
    int (*step)(leat_parquet_reader *reader, int32_t rows_max, int *status, struct ArrowArray *array,
                struct ArrowSchema *schema, leat_parquet_failure *failure);
    /* Before the first step: begins with the row group that holds this row. */
    void (*start_at)(leat_parquet_reader *reader, int64_t row);
    /* Which row the first batch begins with; known when it came. */
    int64_t (*first_row)(const leat_parquet_reader *reader);
    size_t (*needed)(leat_parquet_reader *reader, leat_parquet_range *ranges, size_t ranges_max);
    void (*reader_free)(leat_parquet_reader *reader);
} leat_parquet_module;

/* The module's only symbol. */
typedef const leat_parquet_module *(*leat_parquet_module_get)(const leat_parquet_host *host);
#define LEAT_PARQUET_MODULE_SYMBOL "leat_parquet_get_module"

#ifdef __cplusplus
}
#endif
