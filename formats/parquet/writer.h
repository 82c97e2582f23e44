#pragma once

#include "formats/parquet/support.h"

namespace leat
{

int writer_new(ArrowSchema *schema, const leat_parquet_write_options *options, leat_parquet_writer **out,
               leat_parquet_failure *failure);
int writer_write(leat_parquet_writer *writer, ArrowArray *array, leat_parquet_failure *failure);
void writer_take(leat_parquet_writer *writer, const uint8_t **data, size_t *size);
int64_t writer_bytes(const leat_parquet_writer *writer);
int writer_finish(leat_parquet_writer *writer, leat_parquet_failure *failure);
void writer_free(leat_parquet_writer *writer);

} // namespace leat
