/* Columns to and from the Arrow C data interface. What lies in memory alike is not copied; BOOLEAN (bytes here, bits
 * there), text (views here, offsets there), timestamps of another unit and time of day are converted. */
#pragma once

#include "columnar/batch.h"
#include "formats/arrow_abi.h"

/* The schema as a struct, with the formats that Paimon's Parquet files have (spec/paimon/files.md §3): TIMESTAMP(0–3)
 * in ms, TIMESTAMP(4–6) in µs. Freed by out->release. LEAT_UNSUPPORTED names a column of a kind without columns. */
LEAT_CHECKED leat_code leat_arrow_export_schema(const leat_schema *schema, struct ArrowSchema *out, leat_error *error);
/* A batch without selection, which must outlive the array. */
LEAT_CHECKED leat_code leat_arrow_export_batch(const leat_schema *schema, const leat_batch *batch,
                                               struct ArrowArray *out, leat_error *error);
/* A batch of the given columns. Takes `array` (in any case) and keeps it as long as the batch uses its buffers;
 * `array_schema` is only read. LEAT_UNSUPPORTED when the array's type is not one that the column can be read from. */
LEAT_CHECKED leat_code leat_arrow_import_batch(const leat_schema *columns, struct ArrowArray *array,
                                               const struct ArrowSchema *array_schema, leat_batch **out,
                                               leat_error *error);
