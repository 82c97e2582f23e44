/* Parquet out: record batches into buffered row groups, bytes into memory that the caller takes.
 *
 * Columns are flat, so definition levels are 0 or 1 and are made here; arrow's own FileWriter would hide the sizes by
 * which row groups are cut. */
#include "formats/parquet/writer.h"

#include <arrow/array.h>
#include <arrow/c/bridge.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/schema.h>
#include <parquet/column_writer.h>
#include <parquet/file_writer.h>
#include <parquet/properties.h>

#include <cstring>
#include <string>
#include <unordered_set>
#include <vector>

namespace leat
{

/* Collects what parquet writes until it is taken. */
class Sink : public arrow::io::OutputStream
{
  public:
    arrow::Status Close() override
    {
        is_closed_ = true;
        return arrow::Status::OK();
    }
    bool closed() const override { return is_closed_; }
    arrow::Result<int64_t> Tell() const override { return written_; }
    arrow::Status Write(const void *data, int64_t size) override
    {
        const uint8_t *bytes = static_cast<const uint8_t *>(data);
        pending_.insert(pending_.end(), bytes, bytes + size);
        written_ += size;
        return arrow::Status::OK();
    }
    using arrow::io::OutputStream::Write;

    std::vector<uint8_t> pending_;
    int64_t written_ = 0;

  private:
    bool is_closed_ = false;
};

} // namespace leat

struct leat_parquet_writer {
    std::shared_ptr<arrow::Schema> schema;
    std::string compression;
    int32_t compression_level = 0;
    int64_t row_group_bytes = 0, row_group_rows_max = 0;
    std::shared_ptr<parquet::ArrowWriterProperties> arrow_properties;
    std::unique_ptr<parquet::ArrowWriteContext> context;
    std::shared_ptr<leat::Sink> sink = std::make_shared<leat::Sink>();
    std::vector<uint8_t> taken;
    std::unique_ptr<parquet::ParquetFileWriter> file; /* made with the first batch, which decides about dictionaries */
    parquet::RowGroupWriter *row_group = nullptr;
    int64_t row_group_rows = 0;
    std::vector<int16_t> levels, full_levels;
};

namespace leat
{

static arrow::Status codec_of(const std::string &name, arrow::Compression::type *out)
{
    if (name == "none" || name == "uncompressed")
        *out = arrow::Compression::UNCOMPRESSED;
    else if (name == "zstd")
        *out = arrow::Compression::ZSTD;
    else if (name == "snappy")
        *out = arrow::Compression::SNAPPY;
    else if (name == "gzip")
        *out = arrow::Compression::GZIP;
    else if (name == "lz4" || name == "lz4_raw")
        *out = arrow::Compression::LZ4;
    else if (name == "brotli")
        *out = arrow::Compression::BROTLI;
    else
        return arrow::Status::TypeError("compression '", name, "' is not one of zstd, snappy, gzip, lz4, brotli, none");
    return arrow::Status::OK();
}

static arrow::Status add_field_ids(leat_parquet_writer *self, const int32_t *field_ids)
{
    for (int i = 0; i < self->schema->num_fields(); i++) {
        auto metadata = arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(field_ids[i])});
        ARROW_ASSIGN_OR_RAISE(self->schema, self->schema->SetField(i, self->schema->field(i)->WithMetadata(metadata)));
    }
    return arrow::Status::OK();
}

int writer_new(ArrowSchema *schema, const leat_parquet_write_options *options, leat_parquet_writer **out,
               leat_parquet_failure *failure)
{
    return guarded(failure, [&]() -> arrow::Status {
        auto imported = arrow::ImportSchema(schema);
        ARROW_RETURN_NOT_OK(imported.status());
        auto self = std::make_unique<leat_parquet_writer>();
        self->schema = *imported;
        self->compression = options->compression;
        self->compression_level = options->compression_level;
        self->row_group_bytes = options->row_group_bytes;
        self->row_group_rows_max = options->row_group_rows_max;
        if (options->field_ids) ARROW_RETURN_NOT_OK(add_field_ids(self.get(), options->field_ids));
        arrow::Compression::type codec;
        ARROW_RETURN_NOT_OK(codec_of(self->compression, &codec));
        self->arrow_properties = parquet::ArrowWriterProperties::Builder().build();
        self->context = std::make_unique<parquet::ArrowWriteContext>(pool(), self->arrow_properties.get());
        *out = self.release();
        return arrow::Status::OK();
    });
}

/* A dictionary of values that hardly repeat costs a hash probe a value and is thrown away at 1 MiB: look at the first
 * rows. */
static bool repeats(const arrow::Array &array)
{
    constexpr int64_t sample_rows = 4096;
    int64_t rows = std::min(array.length(), sample_rows);
    if (rows < 256) return true;
    std::unordered_set<std::string_view> distinct;
    int width = arrow::is_fixed_width(array.type_id()) ? array.type()->byte_width() : 0;
    const uint8_t *fixed = width > 0 ? array.data()->GetValues<uint8_t>(1, array.offset() * width) : nullptr;
    for (int64_t i = 0; i < rows; i++) {
        if (array.IsNull(i)) continue;
        if (fixed)
            distinct.emplace(reinterpret_cast<const char *>(fixed) + i * width, width);
        else
            distinct.insert(static_cast<const arrow::BinaryArray &>(array).GetView(i));
    }
    return distinct.size() * 2 < static_cast<size_t>(rows);
}

static arrow::Status open_file(leat_parquet_writer *self, const arrow::RecordBatch &first)
{
    arrow::Compression::type codec;
    ARROW_RETURN_NOT_OK(codec_of(self->compression, &codec));
    parquet::WriterProperties::Builder builder;
    builder.memory_pool(pool())->compression(codec)->enable_store_decimal_as_integer()->write_batch_size(8192);
    if (self->compression_level) builder.compression_level(self->compression_level);
    for (int i = 0; i < first.num_columns(); i++) {
        const arrow::Array &column = *first.column(i);
        bool is_boolean = column.type_id() == arrow::Type::BOOL;
        auto path =
            std::make_shared<parquet::schema::ColumnPath>(std::vector<std::string>{self->schema->field(i)->name()});
        if (is_boolean || !repeats(column)) builder.disable_dictionary(path);
    }
    auto properties = builder.build();
    std::shared_ptr<parquet::SchemaDescriptor> descriptor;
    ARROW_RETURN_NOT_OK(
        parquet::arrow::ToParquetSchema(self->schema.get(), *properties, *self->arrow_properties, &descriptor));
    parquet::schema::NodeVector fields;
    for (int i = 0; i < descriptor->group_node()->field_count(); i++)
        fields.push_back(descriptor->group_node()->field(i));
    auto root = parquet::schema::GroupNode::Make("paimon_schema", parquet::Repetition::REQUIRED, fields);
    self->file = parquet::ParquetFileWriter::Open(
        self->sink, std::static_pointer_cast<parquet::schema::GroupNode>(root), properties);
    return arrow::Status::OK();
}

static const int16_t *levels_of(leat_parquet_writer *self, const arrow::Array &column, bool is_nullable)
{
    if (!is_nullable) return nullptr;
    size_t rows = static_cast<size_t>(column.length());
    if (column.null_count() == 0) {
        if (self->full_levels.size() < rows) self->full_levels.resize(rows, 1);
        return self->full_levels.data();
    }
    if (self->levels.size() < rows) self->levels.resize(rows);
    for (size_t i = 0; i < rows; i++)
        self->levels[i] = column.IsNull(static_cast<int64_t>(i)) ? 0 : 1;
    return self->levels.data();
}

/* Pages that are compressed, and values that are not in a page yet. */
static int64_t row_group_bytes(const leat_parquet_writer *self)
{
    int64_t bytes = self->row_group->total_compressed_bytes() + self->row_group->total_compressed_bytes_written();
    for (int i = 0; i < self->schema->num_fields(); i++)
        bytes += self->row_group->column(i)->estimated_buffered_value_bytes();
    return bytes;
}

int writer_write(leat_parquet_writer *self, ArrowArray *array, leat_parquet_failure *failure)
{
    return guarded(failure, [&]() -> arrow::Status {
        auto imported = arrow::ImportRecordBatch(array, self->schema);
        ARROW_RETURN_NOT_OK(imported.status());
        const arrow::RecordBatch &batch = **imported;
        if (batch.num_rows() == 0) return arrow::Status::OK();
        if (!self->file) ARROW_RETURN_NOT_OK(open_file(self, batch));
        if (!self->row_group) {
            self->row_group = self->file->AppendBufferedRowGroup();
            self->row_group_rows = 0;
        }
        for (int i = 0; i < batch.num_columns(); i++) {
            const arrow::Array &column = *batch.column(i);
            bool is_nullable = self->schema->field(i)->nullable();
            ARROW_RETURN_NOT_OK(self->row_group->column(i)->WriteArrow(levels_of(self, column, is_nullable), nullptr,
                                                                       column.length(), column, self->context.get(),
                                                                       is_nullable));
        }
        self->row_group_rows += batch.num_rows();
        if (row_group_bytes(self) >= self->row_group_bytes || self->row_group_rows >= self->row_group_rows_max) {
            self->row_group->Close();
            self->row_group = nullptr;
        }
        return arrow::Status::OK();
    });
}

void writer_take(leat_parquet_writer *self, const uint8_t **data, size_t *size)
{
    self->taken.swap(self->sink->pending_);
    self->sink->pending_.clear();
    *data = self->taken.data();
    *size = self->taken.size();
}

int64_t writer_bytes(const leat_parquet_writer *self)
{
    int64_t bytes = self->sink->written_;
    if (self->row_group) bytes += row_group_bytes(self);
    return bytes;
}

int writer_finish(leat_parquet_writer *self, leat_parquet_failure *failure)
{
    return guarded(failure, [&]() -> arrow::Status {
        if (!self->file) {
            auto empty = arrow::RecordBatch::MakeEmpty(self->schema, pool());
            ARROW_RETURN_NOT_OK(empty.status());
            ARROW_RETURN_NOT_OK(open_file(self, **empty));
        }
        if (self->row_group) self->row_group->Close();
        self->row_group = nullptr;
        self->file->Close();
        return arrow::Status::OK();
    });
}

void writer_free(leat_parquet_writer *self)
{
    try {
        delete self;
    } catch (const std::exception &) {
        /* An unfinished file is thrown away: what its parts say while they go does not matter. */
    }
}

} // namespace leat
