/* The table that the host gets. */
#include <parquet/parquet_version.h>

#include "formats/parquet/reader.h"
#include "formats/parquet/support.h"
#include "formats/parquet/writer.h"

namespace leat
{

const leat_parquet_module module_table = {
    .abi = LEAT_PARQUET_ABI,
    .arrow_version = CREATED_BY_VERSION,
    .writer_new = writer_new,
    .write = writer_write,
    .take = writer_take,
    .bytes = writer_bytes,
    .finish = writer_finish,
    .writer_free = writer_free,
    .reader_new = reader_new,
    .give = reader_give,
    .step = reader_step,
    .start_at = reader_start_at,
    .first_row = reader_first_row,
    .needed = reader_needed,
    .reader_free = reader_free,
};

} // namespace leat
