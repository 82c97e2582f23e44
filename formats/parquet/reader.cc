/* Parquet in: the caller fetches the ranges that are asked for (the footer, then the wanted column chunks of one row
 * group after another), and batches are decoded from memory, one a step. */
#include "formats/parquet/reader.h"

#include <arrow/array.h>
#include <arrow/c/bridge.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace leat
{

constexpr uint64_t footer_guess_bytes = 64 * 1024;
constexpr uint64_t tail_bytes = 8;          /* length of the footer, "PAR1" */
constexpr uint64_t chunk_slack_bytes = 100; /* some old writers say too little about a chunk's size */
constexpr uint64_t gap_bytes = 16 * 1024;   /* reading this much more is cheaper than asking twice */

struct Segment {
    uint64_t offset;
    const uint8_t *data;
    size_t size;
    void (*release)(void *);
    void *owner;
    uint64_t end() const { return offset + size; }
};

/* The file as far as it was given. */
class Source : public arrow::io::RandomAccessFile
{
  public:
    explicit Source(uint64_t size) : size_(size) {}
    ~Source() override { drop_before(UINT64_MAX); }

    /* The given bytes at `offset`, or nullptr. */
    const uint8_t *find(uint64_t offset, uint64_t size) const
    {
        for (const Segment &segment : segments_) {
            if (segment.offset <= offset && offset + size <= segment.end())
                return segment.data + (offset - segment.offset);
        }
        return nullptr;
    }
    void add(const Segment &segment) { segments_.push_back(segment); }
    void drop_before(uint64_t offset)
    {
        auto keeps = [&](const Segment &segment) { return segment.end() > offset && offset != UINT64_MAX; };
        auto dead = std::stable_partition(segments_.begin(), segments_.end(), keeps);
        for (auto at = dead; at != segments_.end(); ++at)
            at->release(at->owner);
        segments_.erase(dead, segments_.end());
    }

    arrow::Status Close() override { return arrow::Status::OK(); }
    bool closed() const override { return false; }
    arrow::Result<int64_t> Tell() const override { return position_; }
    arrow::Status Seek(int64_t position) override
    {
        position_ = position;
        return arrow::Status::OK();
    }
    arrow::Result<int64_t> GetSize() override { return static_cast<int64_t>(size_); }
    arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t size) override
    {
        if (position < 0 || size < 0 || static_cast<uint64_t>(position) > size_) {
            return arrow::Status::Invalid("a range lies outside the file: ", position, ", ", size, " bytes");
        }
        uint64_t offset = static_cast<uint64_t>(position);
        uint64_t wanted = std::min(static_cast<uint64_t>(size), size_ - offset);
        const uint8_t *data = find(offset, wanted);
        if (!data)
            return arrow::Status::Invalid("bytes ", offset, " to ", offset + wanted,
                                          " belong to no column chunk that was asked for");
        return std::make_shared<arrow::Buffer>(data, static_cast<int64_t>(wanted));
    }
    arrow::Result<int64_t> ReadAt(int64_t position, int64_t size, void *out) override
    {
        ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position, size));
        std::memcpy(out, buffer->data(), static_cast<size_t>(buffer->size()));
        return buffer->size();
    }
    arrow::Result<int64_t> Read(int64_t size, void *out) override
    {
        ARROW_ASSIGN_OR_RAISE(int64_t got, ReadAt(position_, size, out));
        position_ += got;
        return got;
    }
    arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t size) override
    {
        ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, size));
        position_ += buffer->size();
        return buffer;
    }

  private:
    uint64_t size_;
    int64_t position_ = 0;
    std::vector<Segment> segments_;
};

/* One column of the row group that is being read. */
struct Stream {
    std::unique_ptr<arrow::RecordBatchReader> batches;
    std::shared_ptr<arrow::RecordBatch> held; /* its first `used` rows are given out */
    int64_t used = 0;
    int64_t left() const { return held ? held->num_rows() - used : 0; }
};

} // namespace leat

struct leat_parquet_reader {
    uint64_t file_size = 0;
    std::vector<std::string> names;
    std::shared_ptr<leat::Source> source;
    uint64_t footer_bytes = 0; /* with its tail; 0: not known yet */
    std::shared_ptr<parquet::FileMetaData> metadata;
    std::vector<int> columns; /* of the file, one a name */
    int row_group = 0;        /* the current, or the next when there is no reader */
    int64_t start_row = 0;    /* reading begins with its row group, */
    int64_t first_row = 0;    /* which begins with this row */
    std::unique_ptr<parquet::arrow::FileReader> file;
    std::vector<leat::Stream> streams; /* one a column */
    bool is_open = false;              /* the row group is being read */
    int64_t rows_left = 0;             /* of it */
};

namespace leat
{

int reader_new(uint64_t file_size, const char *const *names, int32_t names_count, leat_parquet_reader **out,
               leat_parquet_failure *failure)
{
    return guarded(failure, [&]() -> arrow::Status {
        if (file_size < tail_bytes + 4)
            return arrow::Status::Invalid("a file of ", file_size, " bytes is no Parquet file");
        auto self = std::make_unique<leat_parquet_reader>();
        self->file_size = file_size;
        for (int32_t i = 0; i < names_count; i++)
            self->names.emplace_back(names[i]);
        self->source = std::make_shared<Source>(file_size);
        *out = self.release();
        return arrow::Status::OK();
    });
}

int reader_give(leat_parquet_reader *self, uint64_t offset, const uint8_t *data, size_t size, void (*release)(void *),
                void *owner, leat_parquet_failure *failure)
{
    int code = guarded(failure, [&]() -> arrow::Status {
        self->source->add({offset, data, size, release, owner});
        return arrow::Status::OK();
    });
    if (code != LEAT_OK) release(owner);
    return code;
}

/* Bytes of the wanted chunks of a row group, merged where they lie near each other. */
static std::vector<leat_parquet_range> ranges_of(const leat_parquet_reader *self, int row_group)
{
    std::vector<leat_parquet_range> ranges;
    auto group = self->metadata->RowGroup(row_group);
    for (int column : self->columns) {
        auto chunk = group->ColumnChunk(column);
        int64_t start = chunk->data_page_offset();
        if (chunk->has_dictionary_page() && chunk->dictionary_page_offset() > 0) {
            start = std::min(start, chunk->dictionary_page_offset());
        }
        int64_t size = chunk->total_compressed_size();
        if (start < 0 || size < 0 || static_cast<uint64_t>(start) + static_cast<uint64_t>(size) > self->file_size) {
            throw parquet::ParquetException("a column chunk lies outside the file");
        }
        uint64_t offset = static_cast<uint64_t>(start);
        ranges.push_back({offset, std::min(static_cast<uint64_t>(size) + chunk_slack_bytes, self->file_size - offset)});
    }
    std::sort(ranges.begin(), ranges.end(), [](const auto &a, const auto &b) { return a.offset < b.offset; });
    std::vector<leat_parquet_range> merged;
    for (const auto &range : ranges) {
        if (!merged.empty() && range.offset <= merged.back().offset + merged.back().size + gap_bytes) {
            uint64_t end = std::max(merged.back().offset + merged.back().size, range.offset + range.size);
            merged.back().size = end - merged.back().offset;
        } else {
            merged.push_back(range);
        }
    }
    return merged;
}

static void add_missing(const leat_parquet_reader *self, int row_group, std::vector<leat_parquet_range> *out)
{
    if (row_group >= self->metadata->num_row_groups()) return;
    for (const auto &range : ranges_of(self, row_group)) {
        if (!self->source->find(range.offset, range.size)) out->push_back(range);
    }
}

static std::vector<leat_parquet_range> missing(const leat_parquet_reader *self)
{
    std::vector<leat_parquet_range> out;
    if (self->metadata) {
        add_missing(self, self->row_group, &out);
        if (out.empty()) add_missing(self, self->row_group + 1, &out); /* ahead of the need */
        return out;
    }
    uint64_t size = self->footer_bytes ? self->footer_bytes : std::min(self->file_size, footer_guess_bytes);
    out.push_back({self->file_size - size, size});
    return out;
}

size_t reader_needed(leat_parquet_reader *self, leat_parquet_range *ranges, size_t ranges_max)
{
    try {
        auto all = missing(self);
        size_t count = std::min(all.size(), ranges_max);
        std::copy(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), ranges);
        return count;
    } catch (const std::exception &) {
        return 0; /* step says it again, and what */
    }
}

static arrow::Status find_columns(leat_parquet_reader *self)
{
    const parquet::SchemaDescriptor *schema = self->metadata->schema();
    for (const std::string &name : self->names) {
        int found = -1;
        for (int i = 0; i < schema->num_columns() && found < 0; i++) {
            bool is_flat = schema->Column(i)->path()->ToDotVector().size() == 1;
            if (schema->GetColumnRoot(i)->name() != name) continue;
            if (!is_flat) return arrow::Status::NotImplemented("column '", name, "' of the file is nested");
            found = i;
        }
        if (found < 0) return arrow::Status::KeyError("the file has no column '", name, "'");
        self->columns.push_back(found);
    }
    return arrow::Status::OK();
}

void reader_start_at(leat_parquet_reader *self, int64_t row)
{
    self->start_row = row;
}

int64_t reader_first_row(const leat_parquet_reader *self)
{
    return self->first_row;
}

static void find_start(leat_parquet_reader *self)
{
    for (; self->row_group < self->metadata->num_row_groups(); self->row_group++) {
        int64_t end = self->first_row + self->metadata->RowGroup(self->row_group)->num_rows();
        if (end > self->start_row) return;
        self->first_row = end;
    }
}

/* Sets *is_there once the footer is parsed. */
static arrow::Status read_footer(leat_parquet_reader *self, bool *is_there)
{
    const uint8_t *tail = self->source->find(self->file_size - tail_bytes, tail_bytes);
    *is_there = false;
    if (!tail) return arrow::Status::OK();
    if (std::memcmp(tail + 4, "PAR1", 4) != 0)
        return arrow::Status::Invalid("the file does not end as a Parquet file does");
    uint32_t length;
    std::memcpy(&length, tail, sizeof length);
    self->footer_bytes = length + tail_bytes;
    if (self->footer_bytes > self->file_size)
        return arrow::Status::Invalid("a footer of ", length, " bytes is longer than the file");
    const uint8_t *footer = self->source->find(self->file_size - self->footer_bytes, self->footer_bytes);
    if (!footer) return arrow::Status::OK();
    parquet::ReaderProperties properties(pool());
    self->metadata = parquet::FileMetaData::Make(footer, &length, properties);
    *is_there = true;
    find_start(self);
    return find_columns(self);
}

/* Strings come as dictionaries when all pages of the chunk are written so: then each value is handled once. */
static bool is_dictionary(const parquet::ColumnChunkMetaData &chunk)
{
    if (chunk.type() != parquet::Type::BYTE_ARRAY || !chunk.has_dictionary_page()) return false;
    bool has_stats = false;
    for (const auto &stats : chunk.encoding_stats()) {
        if (stats.page_type != parquet::PageType::DATA_PAGE && stats.page_type != parquet::PageType::DATA_PAGE_V2)
            continue;
        has_stats = true;
        if (stats.encoding != parquet::Encoding::RLE_DICTIONARY &&
            stats.encoding != parquet::Encoding::PLAIN_DICTIONARY) {
            return false;
        }
    }
    return has_stats;
}

static arrow::Status open_row_group(leat_parquet_reader *self, int32_t rows_max)
{
    auto group = self->metadata->RowGroup(self->row_group);
    self->is_open = true;
    self->rows_left = group->num_rows();
    if (self->columns.empty()) return arrow::Status::OK();
    parquet::ArrowReaderProperties properties(false);
    properties.set_batch_size(rows_max);
    properties.set_pre_buffer(false);
    properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
    for (int column : self->columns) {
        if (is_dictionary(*group->ColumnChunk(column))) properties.set_read_dictionary(column, true);
    }
    auto raw = parquet::ParquetFileReader::Open(self->source, parquet::ReaderProperties(pool()), self->metadata);
    ARROW_RETURN_NOT_OK(parquet::arrow::FileReader::Make(pool(), std::move(raw), properties, &self->file));
    /* Column by column: of several at once Arrow believes that they are equally long, and reads where they are not. */
    self->streams.resize(self->columns.size());
    for (size_t i = 0; i < self->columns.size(); i++) {
        auto *batches = &self->streams[i].batches;
        ARROW_RETURN_NOT_OK(self->file->GetRecordBatchReader({self->row_group}, {self->columns[i]}, batches));
    }
    return arrow::Status::OK();
}

static void close_row_group(leat_parquet_reader *self)
{
    self->streams.clear();
    self->file.reset();
    self->is_open = false;
    self->row_group++;
    uint64_t first = UINT64_MAX;
    for (int i = self->row_group; i < self->metadata->num_row_groups(); i++) {
        auto ranges = ranges_of(self, i);
        if (!ranges.empty()) first = std::min(first, ranges[0].offset);
    }
    self->source->drop_before(first);
}

/* Lowers *rows to what every column has ready. */
static arrow::Status fill(leat_parquet_reader *self, int64_t *rows)
{
    for (size_t i = 0; i < self->streams.size(); i++) {
        Stream &stream = self->streams[i];
        while (stream.left() == 0) {
            stream.used = 0;
            ARROW_RETURN_NOT_OK(stream.batches->ReadNext(&stream.held));
            if (stream.held) continue;
            return arrow::Status::Invalid("column '", self->names[i], "' ends ", self->rows_left,
                                          " rows before its row group does");
        }
        *rows = std::min(*rows, stream.left());
    }
    return arrow::Status::OK();
}

static arrow::Status next_batch(leat_parquet_reader *self, int32_t rows_max, std::shared_ptr<arrow::RecordBatch> *out)
{
    int64_t rows = std::min(self->rows_left, static_cast<int64_t>(rows_max));
    if (rows <= 0) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(fill(self, &rows));
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    for (Stream &stream : self->streams) {
        fields.push_back(stream.held->schema()->field(0));
        arrays.push_back(stream.held->column(0)->Slice(stream.used, rows));
        stream.used += rows;
    }
    self->rows_left -= rows;
    *out = arrow::RecordBatch::Make(arrow::schema(fields), rows, arrays);
    return arrow::Status::OK();
}

int reader_step(leat_parquet_reader *self, int32_t rows_max, int *status, ArrowArray *array, ArrowSchema *schema,
                leat_parquet_failure *failure)
{
    return guarded(failure, [&]() -> arrow::Status {
        *status = LEAT_PARQUET_NEED;
        if (!self->metadata) {
            bool is_there;
            ARROW_RETURN_NOT_OK(read_footer(self, &is_there));
            if (!is_there) return arrow::Status::OK();
        }
        while (self->row_group < self->metadata->num_row_groups()) {
            if (!self->is_open) {
                std::vector<leat_parquet_range> lacking;
                add_missing(self, self->row_group, &lacking);
                if (!lacking.empty()) return arrow::Status::OK();
                ARROW_RETURN_NOT_OK(open_row_group(self, rows_max));
            }
            std::shared_ptr<arrow::RecordBatch> batch;
            ARROW_RETURN_NOT_OK(next_batch(self, rows_max, &batch));
            if (batch && batch->num_rows() > 0) {
                *status = LEAT_PARQUET_BATCH;
                return arrow::ExportRecordBatch(*batch, array, schema);
            }
            close_row_group(self);
        }
        *status = LEAT_PARQUET_END;
        return arrow::Status::OK();
    });
}

void reader_free(leat_parquet_reader *self)
{
    delete self;
}

} // namespace leat
