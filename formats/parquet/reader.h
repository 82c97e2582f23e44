#pragma once

#include "formats/parquet/support.h"

namespace leat
{

int reader_new(uint64_t file_size, const char *const *names, int32_t names_count, leat_parquet_reader **out,
               leat_parquet_failure *failure);
int reader_give(leat_parquet_reader *reader, uint64_t offset, const uint8_t *data, size_t size, void (*release)(void *),
                void *owner, leat_parquet_failure *failure);
int reader_step(leat_parquet_reader *reader, int32_t rows_max, int *status, ArrowArray *array, ArrowSchema *schema,
                leat_parquet_failure *failure);
void reader_start_at(leat_parquet_reader *reader, int64_t row);
int64_t reader_first_row(const leat_parquet_reader *reader);
size_t reader_needed(leat_parquet_reader *reader, leat_parquet_range *ranges, size_t ranges_max);
void reader_free(leat_parquet_reader *reader);

} // namespace leat
