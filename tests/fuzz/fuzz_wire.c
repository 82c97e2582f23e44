/* What comes between task managers, and what a checkpoint gives back. The first byte says what the rest is: a frame's
 * header, a batch of every layout, a schema, an expression, a key of keyed state, a keyed state. */
#include <string.h>

#include "columnar/expr.h"
#include "columnar/wire.h"
#include "common/memory.h"
#include "flow/state.h"
#include "taskmanager/frame.h"
#include "tests/fuzz/fuzz.h"

enum { COLUMNS = 6 };

static leat_field fields[COLUMNS] = {
    {"a", {.kind = LEAT_TYPE_BOOLEAN, .nullable = true}},
    {"b", {.kind = LEAT_TYPE_SMALLINT, .nullable = true}},
    {"c", {.kind = LEAT_TYPE_INT, .nullable = true}},
    {"d", {.kind = LEAT_TYPE_BIGINT, .nullable = true}},
    {"e", {.kind = LEAT_TYPE_DECIMAL, .nullable = true, .precision = 38, .scale = 3}},
    {"f", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
};
static const leat_schema schema = {COLUMNS, fields};

static void read_frame(const uint8_t *data, size_t size)
{
    leat_frame frame;
    uint8_t again[LEAT_FRAME_BYTES];
    if (leat_frame_read(data, size, &frame, NULL) == LEAT_OK) leat_frame_write(&frame, again);
}

/* Prints each value and writes the batch anew: both look at every byte that it points to. */
static void use_batch(const leat_batch *batch)
{
    leat_bytes text = {0};
    for (int32_t c = 0; c < batch->columns_count; c++) {
        for (int32_t r = 0; r < batch->rows; r++)
            leat_value_print(&fields[c].type, &batch->columns[c], r, NULL, &text);
    }
    leat_bytes_done(&text);
    leat_buffer *body = leat_buffer_new(leat_batch_wire_bytes(batch));
    if (body) leat_batch_wire_write(batch, body->data);
    leat_buffer_unref(body);
}

static void read_batch(const uint8_t *data, size_t size)
{
    leat_layout layouts[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        layouts[i] = leat_type_layout(&fields[i].type);
    leat_buffer *body = leat_buffer_new(size);
    if (!body) return;
    if (size) memcpy(body->data, data, size);
    leat_batch *batch;
    if (leat_batch_wire_read(body, layouts, COLUMNS, &batch, NULL) == LEAT_OK) {
        use_batch(batch);
        leat_batch_free(batch);
    }
    leat_buffer_unref(body);
}

static void read_schema(const uint8_t *data, size_t size, leat_arena *arena)
{
    leat_reader reader;
    leat_schema read;
    leat_bytes out = {0};
    leat_reader_init(&reader, data, size);
    if (leat_schema_read(&reader, arena, &read, NULL) == LEAT_OK) leat_schema_write(&read, &out);
    leat_bytes_done(&out);
}

/* Whatever was read is printed, folded, compiled, and run over a batch of no rows. */
static void read_expr(const uint8_t *data, size_t size, leat_arena *arena)
{
    leat_reader reader;
    const leat_expr *expr, *folded;
    leat_reader_init(&reader, data, size);
    if (leat_expr_read(&reader, arena, &expr, NULL) != LEAT_OK) return;
    leat_program *program;
    leat_program_options options = {.now_ms = 1};
    if (leat_program_compile(&expr, 1, &schema, &options, &program, NULL) != LEAT_OK) return;
    leat_bytes text = {0};
    leat_expr_print(expr, &schema, &text);
    leat_bytes_done(&text);
    if (leat_expr_fold(arena, expr, &options, &folded, NULL) == LEAT_OK) leat_expr_write(folded, &text);
    leat_bytes_done(&text);
    leat_program_free(program);
}

static void read_key(const uint8_t *data, size_t size)
{
    leat_batch_builder builder;
    leat_type types[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        types[i] = fields[i].type;
    leat_code code = leat_batch_builder_init_schema(&builder, &schema, 1, NULL);
    if (code == LEAT_OK) code = leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, NULL);
    if (code == LEAT_OK) code = leat_state_key_decode(data, size, types, COLUMNS, &builder, NULL);
    leat_batch_builder_done(&builder);
}

static void clear_record(void *self, void *record)
{
    (void)self;
    leat_bytes_done(record);
}

static void write_record(void *self, const void *record, leat_bytes *out)
{
    (void)self;
    const leat_bytes *bytes = record;
    leat_bytes_put_block(out, bytes->data, bytes->size);
}

static leat_code read_record(void *self, leat_reader *reader, void *record, leat_error *error)
{
    (void)self;
    size_t size;
    const uint8_t *bytes = leat_reader_block(reader, &size);
    LEAT_TRY(leat_reader_check(reader, false, "record", error));
    leat_bytes_put(record, bytes, size);
    return leat_bytes_check(record, error);
}

static void read_state(const uint8_t *data, size_t size)
{
    const leat_state_records records = {sizeof(leat_bytes), NULL, clear_record, write_record, read_record};
    leat_state *state;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    if (leat_state_hashmap_new(&records, &state, NULL) != LEAT_OK) return;
    if (state->vtable->restore(state, &reader, 128, 0, 128, NULL) == LEAT_OK) {
        leat_state_entry entry;
        for (size_t cursor = 0; state->vtable->iterate(state, &cursor, &entry);)
            read_key(entry.key, entry.key_size);
    }
    state->vtable->close(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    switch (data[0] % 6) {
    case 0: read_frame(data + 1, size - 1); break;
    case 1: read_batch(data + 1, size - 1); break;
    case 2: read_schema(data + 1, size - 1, &arena); break;
    case 3: read_expr(data + 1, size - 1, &arena); break;
    case 4: read_key(data + 1, size - 1); break;
    default: read_state(data + 1, size - 1); break;
    }
    leat_arena_done(&arena);
    return 0;
}
