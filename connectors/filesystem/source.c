#include <stdatomic.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/filesystem/filesystem.h"
#include "formats/text/decoder.h"
#include "storage/storage.h"

/* Reads a file in pieces by jobs, cuts lines, decodes up to a batch a step. State: the file and the offset behind the
 * last line that was emitted. */

enum { PIECE_BYTES = 1 << 20, LINE_BYTES_MAX = 16 << 20, ROWS_PER_BATCH = 1024, ARENA_BYTES_MAX = 1 << 20 };

typedef struct source source;

typedef struct fetch {
    leat_job job; /* first */
    source *owner;
    uint64_t offset;
    leat_bytes bytes;
    leat_code code;
    leat_error error;
    atomic_bool is_done;
} fetch;

struct source {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_config options;
    leat_schema schema;
    int32_t *columns;
    int32_t columns_count;
    const char *format;
    leat_decoder *decoder;
    leat_batch_builder builder;
    char *path;        /* NULL: no split */
    uint64_t offset;   /* in the file, of buffer.data[at] */
    leat_bytes buffer; /* fetched, from `at` on not yet decoded */
    size_t at;
    uint64_t fetched; /* end of what was fetched */
    bool is_at_end, is_asked, no_more;
    fetch *fetching;
};

void leat_filesystem_config_write(const leat_filesystem_config *config, leat_bytes *out)
{
    leat_schema_write(&config->schema, out);
    leat_bytes_put_u32(out, (uint32_t)config->columns_count);
    for (int32_t i = 0; i < config->columns_count; i++)
        leat_bytes_put_u32(out, (uint32_t)config->columns[i]);
    leat_bytes_put_block(out, config->format, strlen(config->format));
    leat_bytes_put_u32(out, (uint32_t)config->options->count);
    for (size_t i = 0; i < config->options->count; i++) {
        const leat_config_entry *entry = &config->options->entries[i];
        leat_bytes_put_block(out, entry->key, strlen(entry->key));
        leat_bytes_put_block(out, entry->value, strlen(entry->value));
    }
}

static char *read_text(source *self, leat_reader *reader)
{
    size_t length;
    const uint8_t *text = leat_reader_block(reader, &length);
    return leat_arena_strndup(&self->arena, (const char *)text, length);
}

static leat_code read_config(source *self, const uint8_t *data, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    LEAT_TRY(leat_schema_read(&reader, &self->arena, &self->schema, error));
    self->columns_count = (int32_t)leat_reader_u32(&reader);
    if (self->columns_count < 0 || self->columns_count > self->schema.fields_count) {
        return leat_fail(error, LEAT_CORRUPT, "filesystem: %d columns", self->columns_count);
    }
    self->columns = leat_arena_take(&self->arena, (size_t)(self->columns_count + 1) * sizeof *self->columns);
    if (!self->columns) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < self->columns_count; i++) {
        self->columns[i] = (int32_t)leat_reader_u32(&reader);
        if (self->columns[i] < 0 || self->columns[i] >= self->schema.fields_count) {
            return leat_fail(error, LEAT_CORRUPT, "filesystem: column %d", self->columns[i]);
        }
    }
    self->format = read_text(self, &reader);
    uint32_t count = leat_reader_u32(&reader);
    for (uint32_t i = 0; i < count && !reader.failed; i++) {
        char *key = read_text(self, &reader), *value = read_text(self, &reader);
        if (!key || !value) return leat_fail_no_memory(error);
        LEAT_TRY(leat_config_set(&self->options, key, value, error));
    }
    return leat_reader_check(&reader, true, "filesystem configuration", error);
}

/* --- fetching --- */

static void run_fetch(leat_job *job, leat_env *env)
{
    fetch *self = (fetch *)job;
    self->code =
        leat_storage_get(env->storage, self->owner->path, self->offset, PIECE_BYTES, &self->bytes, &self->error);
}

static void done_fetch(leat_job *job, leat_env *env)
{
    (void)env;
    fetch *self = (fetch *)job;
    leat_operator_context *context = self->owner->operator.context;
    atomic_store_explicit(&self->is_done, true, memory_order_release); /* pairs with take_fetched */
    leat_context_wake(context);
}

static leat_code start_fetch(source *self, leat_error *error)
{
    fetch *started = leat_calloc(1, sizeof *started);
    if (!started) return leat_fail_no_memory(error);
    started->job = (leat_job){.run = run_fetch, .done = done_fetch};
    started->owner = self;
    started->offset = self->fetched;
    self->fetching = started;
    return leat_context_spawn(self->operator.context, &started->job, error);
}

static leat_code take_fetched(source *self, bool *got, leat_error *error)
{
    *got = false;
    fetch *done = self->fetching;
    if (!done || !atomic_load_explicit(&done->is_done, memory_order_acquire)) return LEAT_OK;
    self->fetching = NULL;
    *got = true;
    leat_code code = done->code;
    if (code != LEAT_OK) {
        if (error) *error = done->error;
    } else {
        self->is_at_end = done->bytes.size < PIECE_BYTES;
        self->fetched += done->bytes.size;
        if (self->at) {
            self->buffer.size -= self->at;
            memmove(self->buffer.data, self->buffer.data + self->at, self->buffer.size);
            self->at = 0;
        }
        leat_bytes_put(&self->buffer, done->bytes.data, done->bytes.size);
        code = leat_bytes_check(&self->buffer, error);
    }
    leat_bytes_done(&done->bytes);
    leat_free(done);
    return code;
}

/* --- lines --- */

/* The next whole line; the last one may lack its end. False: more bytes are needed, or the file is at its end. */
static bool next_line(source *self, const char **line, size_t *length)
{
    if (self->at >= self->buffer.size) return false;
    const char *start = (const char *)self->buffer.data + self->at;
    size_t left = self->buffer.size - self->at;
    const char *end = memchr(start, '\n', left);
    if (!end && !self->is_at_end) return false;
    *line = start;
    *length = end ? (size_t)(end - start) + 1 : left;
    return true;
}

static leat_code emit_rows(source *self, leat_error *error)
{
    leat_batch *whole;
    LEAT_TRY(leat_batch_builder_finish(&self->builder, &whole, error));
    leat_batch *wanted = leat_batch_new(self->columns_count);
    leat_code code = wanted ? LEAT_OK : leat_fail_no_memory(error);
    for (int32_t i = 0; code == LEAT_OK && i < self->columns_count; i++) {
        code = leat_column_share(&wanted->columns[i], &whole->columns[self->columns[i]], error);
    }
    if (code == LEAT_OK) {
        wanted->rows = wanted->selected = whole->rows;
        wanted->kinds = whole->kinds;
        wanted->kinds_buffer = leat_buffer_ref(whole->kinds_buffer);
        code = leat_context_emit(self->operator.context, &wanted, error);
    }
    leat_batch_free(wanted);
    leat_batch_free(whole);
    return code;
}

static leat_code decode_lines(source *self, leat_error *error)
{
    const char *line;
    size_t length;
    while (self->builder.rows + LEAT_DECODER_ROWS_MAX <= ROWS_PER_BATCH && next_line(self, &line, &length)) {
        leat_code code = leat_decoder_decode(self->decoder, line, length, &self->builder, error);
        if (code != LEAT_OK)
            return leat_fail_in(error, code, "%s: offset %llu", self->path, (unsigned long long)self->offset);
        self->at += length;
        self->offset += length;
    }
    if (self->buffer.size - self->at > LINE_BYTES_MAX) {
        return leat_fail(error, LEAT_LIMIT, "%s: a line of more than %d bytes at offset %llu", self->path,
                         LINE_BYTES_MAX, (unsigned long long)self->offset);
    }
    return LEAT_OK;
}

static leat_code want_split(source *self, leat_source_status *status, leat_error *error)
{
    *status = self->no_more ? LEAT_SOURCE_END : LEAT_SOURCE_IDLE;
    if (self->no_more || self->is_asked) return LEAT_OK;
    self->is_asked = true;
    return leat_context_send_event(self->operator.context, NULL, 0, error);
}

static leat_code source_produce(leat_operator *operator, leat_source_status * status, leat_error *error)
{
    source *self = (source *)operator;
    if (!self->path) return want_split(self, status, error);
    bool got;
    LEAT_TRY(take_fetched(self, &got, error));
    LEAT_TRY(decode_lines(self, error));
    *status = LEAT_SOURCE_MORE;
    if (self->builder.rows) return emit_rows(self, error);
    if (self->is_at_end && self->at == self->buffer.size && !self->fetching) { /* the file is done */
        leat_free(self->path);
        self->path = NULL;
        leat_bytes_reset(&self->buffer);
        self->at = 0;
        return LEAT_OK;
    }
    *status = LEAT_SOURCE_IDLE;
    return self->fetching ? LEAT_OK : start_fetch(self, error);
}

static leat_code begin_split(source *self, const char *path, size_t length, uint64_t offset, leat_error *error)
{
    if (self->path) return leat_fail(error, LEAT_CORRUPT, "a second split, and the first is not read");
    self->path = leat_strndup(path, length);
    if (!self->path) return leat_fail_no_memory(error);
    self->offset = self->fetched = offset;
    self->is_at_end = self->is_asked = false;
    return LEAT_OK;
}

static leat_code source_add_split(leat_operator *operator, const uint8_t * split, size_t size, leat_error *error)
{
    return begin_split((source *)operator,(const char *) split, size, 0, error);
}

static leat_code source_no_more(leat_operator *operator, leat_error * error)
{
    (void)error;
    ((source *)operator)->no_more = true;
    return LEAT_OK;
}

static leat_code source_on_wake(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    (void)operator;
    (void)progress;
    (void)error;
    return LEAT_OK; /* produce is called after it */
}

static leat_code source_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    source *self = (source *)operator;
    const leat_operator_context *context = operator->context;
    LEAT_TRY(leat_decoder_new(self->format, &self->schema, &self->options, &self->decoder, error));
    LEAT_TRY(leat_batch_builder_init_schema(&self->builder, &self->schema, ROWS_PER_BATCH, error));
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        const leat_restored_part *part = &restored->parts[i];
        if (part->parallelism != context->parallelism) {
            return leat_fail(error, LEAT_UNSUPPORTED,
                             "a filesystem source can't be restored with another parallelism yet");
        }
        leat_reader reader;
        leat_reader_init(&reader, part->state, part->state_size);
        self->no_more = leat_reader_u8(&reader) != 0;
        uint64_t offset = leat_reader_u64(&reader);
        size_t length;
        const uint8_t *path = leat_reader_block(&reader, &length);
        LEAT_TRY(leat_reader_check(&reader, true, "filesystem source state", error));
        if (length) LEAT_TRY(begin_split(self, (const char *)path, length, offset, error));
    }
    return LEAT_OK;
}

static leat_code source_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                 leat_error *error)
{
    (void)progress;
    source *self = (source *)operator;
    leat_bytes_put_u8(&snapshot->state, self->no_more);
    leat_bytes_put_u64(&snapshot->state, self->offset);
    leat_bytes_put_block(&snapshot->state, self->path, self->path ? strlen(self->path) : 0);
    return leat_bytes_check(&snapshot->state, error);
}

static void source_close(leat_operator *operator)
{
    source *self = (source *)operator;
    if (self->fetching) leat_bytes_done(&self->fetching->bytes);
    leat_free(self->fetching);
    leat_decoder_free(self->decoder);
    leat_batch_builder_done(&self->builder);
    leat_bytes_done(&self->buffer);
    leat_config_done(&self->options);
    leat_free(self->path);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable source_vtable = {
    .type = "filesystem-source",
    .open = source_open,
    .on_wake = source_on_wake,
    .snapshot = source_snapshot,
    .produce = source_produce,
    .add_split = source_add_split,
    .no_more_splits = source_no_more,
    .close = source_close,
};

static leat_code source_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    (void)context;
    source *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & source_vtable;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = read_config(self, config, config_size, error);
    if (code != LEAT_OK) {
        source_close(&self->operator);
        return code;
    }
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_filesystem_source_factory = {"filesystem-source", source_create};
