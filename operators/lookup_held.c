#include <string.h>

#include "columnar/compare.h"
#include "columnar/hash.h"
#include "columnar/wire.h"
#include "common/memory.h"
#include "operators/lookup_join_state.h"

enum { STATE_VERSION = 1 };

static int64_t now_us(const leat_lookup_join *self)
{
    return leat_env_mono_us(self->operator.context->env);
}

leat_code leat_lookup_keys_of(const leat_lookup_join *self, const leat_batch *batch, leat_batch **out,
                              leat_error *error)
{
    leat_batch *keys = leat_batch_new(self->config.keys_count);
    if (!keys) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < self->config.keys_count; i++) {
        leat_code code = leat_column_share(&keys->columns[i], &batch->columns[self->config.key_columns[i]], error);
        if (code != LEAT_OK) {
            leat_batch_free(keys);
            return code;
        }
    }
    keys->rows = batch->rows;
    keys->selected = batch->selected;
    keys->selection = batch->selection;
    if (batch->selection_buffer) keys->selection_buffer = leat_buffer_ref(batch->selection_buffer);
    *out = keys;
    return LEAT_OK;
}

/* Keys from position `first` on; *found: the rows, *done: how many keys self->counts tells of. */
leat_code leat_lookup_ask(leat_lookup_join *self, const leat_batch *keys, int32_t first, int32_t *done,
                          leat_batch **found, leat_error *error)
{
    leat_lookup_result result = {.counts = self->counts};
    *done = 0;
    LEAT_TRY(leat_batch_builder_init(&result.rows, self->table_layouts, self->config.table.fields_count,
                                     LEAT_BATCH_ROWS_MAX, error));
    leat_code code = self->lookup->vtable->get_many(self->lookup, keys, first, &result, done, error);
    bool is_sane = *done > 0 && *done <= keys->selected - first;
    if (code == LEAT_OK && !is_sane) code = leat_fail(error, LEAT_CORRUPT, "the lookup answered %d keys", *done);
    if (code == LEAT_OK) code = leat_batch_builder_finish(&result.rows, found, error);
    leat_batch_builder_done(&result.rows);
    return code;
}

/* --- waiting keys --- */

static void free_key(leat_lookup_join *self, leat_waiting_key *key)
{
    leat_batch_free(key->found);
    *key = (leat_waiting_key){0};
    self->keys_used--;
}

static bool same_key(const leat_lookup_join *self, const leat_batch *a, int32_t i, const leat_batch *b, int32_t j)
{
    for (int32_t k = 0; k < self->config.keys_count; k++) {
        leat_operand x = {.column = &a->columns[self->config.key_columns[k]], .type = &self->key_types[k]};
        leat_operand y = {.column = &b->columns[self->config.key_columns[k]], .type = &self->key_types[k]};
        bool x_null = leat_column_is_null(x.column, i), y_null = leat_column_is_null(y.column, j);
        if (x_null || y_null ? x_null != y_null : leat_order_of(x.type)(&x, i, &y, j) != 0) return false;
    }
    return true;
}

/* The key of a held row among the undecided ones (a decided one's answer may be old), or a free slot (*is_new), or -1.
 * Linear: at most `capacity` of them, hashes first. */
static int32_t find_key(const leat_lookup_join *self, const leat_held_row *row, uint64_t hash, bool *is_new)
{
    int32_t free_slot = -1;
    for (int32_t i = 0; i < self->config.capacity; i++) {
        const leat_waiting_key *key = &self->keys[i];
        if (key->rows == 0) {
            if (free_slot < 0) free_slot = i;
            continue;
        }
        bool is_open = key->state == LEAT_WAITING_MISS || key->state == LEAT_WAITING_PENDING;
        if (!is_open || key->hash != hash) continue;
        *is_new = false;
        if (same_key(self, key->chunk->batch, key->chunk_row, row->chunk->batch, row->row)) return i;
    }
    *is_new = true;
    return free_slot;
}

static void hash_row(const leat_lookup_join *self, const leat_held_row *row, uint64_t *hash)
{
    uint16_t at = (uint16_t)row->row;
    leat_batch one = *row->chunk->batch; /* borrowed columns, one row selected */
    one.selection = &at;
    one.selected = 1;
    leat_hash_rows(&one, self->config.key_columns, self->key_types, self->config.keys_count, hash);
}

/* Attaches rows that were not asked for to keys, while there are free keys. New ones are due at once. */
static void attach(leat_lookup_join *self)
{
    for (size_t i = 0; i < self->held_count && self->unasked_count > 0; i++) {
        leat_held_row *row = &self->held[i];
        if (row->key >= 0) continue;
        uint64_t hash;
        bool is_new;
        hash_row(self, row, &hash);
        int32_t at = find_key(self, row, hash, &is_new);
        if (at < 0) break; /* in order: later rows wait too */
        leat_waiting_key *key = &self->keys[at];
        if (is_new) {
            *key = (leat_waiting_key){.hash = hash,
                                      .chunk = row->chunk,
                                      .chunk_row = row->row,
                                      .next_us = INT64_MIN,
                                      .asked_us = now_us(self),
                                      .retries = row->retries};
            self->keys_used++;
        }
        key->rows++;
        row->key = at;
        self->unasked_count--;
    }
}

static leat_code hold_batch(leat_lookup_join *self, leat_batch *dense, const int32_t *retries, leat_error *error)
{
    leat_held_chunk *chunk = leat_alloc(sizeof *chunk);
    leat_code code = chunk ? LEAT_OK : leat_fail_no_memory(error);
    size_t wanted = self->held_count + (size_t)dense->rows;
    if (code == LEAT_OK) code = leat_grow(&self->held, &self->held_capacity, wanted, sizeof *self->held, error);
    if (code != LEAT_OK) {
        leat_free(chunk);
        leat_batch_free(dense);
        return code;
    }
    *chunk = (leat_held_chunk){dense, dense->rows};
    for (int32_t i = 0; i < dense->rows; i++) {
        self->held[self->held_count++] = (leat_held_row){chunk, i, -1, retries ? retries[i] : 0};
    }
    self->unasked_count += dense->rows;
    self->held_bytes += leat_batch_bytes(dense);
    return LEAT_OK;
}

leat_code leat_lookup_hold(leat_lookup_join *self, const leat_batch *batch, const uint16_t *rows, int32_t count,
                           leat_error *error)
{
    if (count == 0) return LEAT_OK;
    leat_batch_builder builder;
    leat_batch *dense = NULL;
    LEAT_TRY(leat_batch_builder_init_schema(&builder, &self->config.input, count, error));
    leat_code code = leat_batch_builder_append_rows(&builder, batch, rows, count, error);
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, &dense, error);
    leat_batch_builder_done(&builder);
    return code == LEAT_OK ? hold_batch(self, dense, NULL, error) : code;
}

/* --- asking --- */

static bool is_due(const leat_waiting_key *key, int64_t now, bool asks_misses)
{
    if (key->rows == 0) return false;
    if (key->state == LEAT_WAITING_PENDING) return true;
    return key->state == LEAT_WAITING_MISS && (asks_misses || key->next_us <= now);
}

static leat_code keep_found(leat_waiting_key *key, const leat_batch *found, int32_t first, int32_t count,
                            leat_error *error)
{
    key->found = leat_batch_share(found);
    if (!key->found) return leat_fail_no_memory(error);
    key->found_first = first;
    key->found_count = count;
    key->state = LEAT_WAITING_FOUND;
    return LEAT_OK;
}

/* What an answer means for a key. A first ask is no retry; asking early since the table changed is none either. */
static leat_code take_answer(leat_lookup_join *self, leat_waiting_key *key, int32_t count, const leat_batch *found,
                             int32_t first, int64_t now, leat_error *error)
{
    if (count == LEAT_LOOKUP_PENDING) {
        if (key->state != LEAT_WAITING_PENDING) key->asked_us = now;
        key->state = LEAT_WAITING_PENDING;
        if (now - key->asked_us > self->config.timeout_ms * 1000) {
            return leat_fail(error, LEAT_TIMEOUT, "a lookup was not answered within %lld ms",
                             (long long)self->config.timeout_ms);
        }
        return LEAT_OK;
    }
    if (count > 0) return keep_found(key, found, first, count, error);
    bool was_first = key->next_us == INT64_MIN, was_due = key->next_us <= now;
    key->state = LEAT_WAITING_MISS;
    if (!was_first && was_due) key->retries++;
    if (key->retries >= self->config.retry_attempts) {
        key->state = LEAT_WAITING_GIVEN_UP;
    } else if (was_first || was_due) {
        key->next_us = now + self->config.retry_delay_ms * 1000;
    }
    return LEAT_OK;
}

static leat_code ask_due(leat_lookup_join *self, bool asks_misses, leat_error *error)
{
    int64_t now = now_us(self);
    int32_t *asked = leat_alloc((size_t)self->config.capacity * sizeof *asked), count = 0;
    if (!asked) return leat_fail_no_memory(error);
    leat_batch_builder builder;
    leat_code code =
        leat_batch_builder_init(&builder, self->key_layouts, self->config.keys_count, LEAT_BATCH_ROWS_MAX, error);
    for (int32_t i = 0; code == LEAT_OK && i < self->config.capacity && count < LEAT_BATCH_ROWS_MAX; i++) {
        const leat_waiting_key *key = &self->keys[i];
        if (!is_due(key, now, asks_misses)) continue;
        asked[count++] = i;
        code = leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, error);
        for (int32_t k = 0; code == LEAT_OK && k < self->config.keys_count; k++) {
            const leat_column *column = &key->chunk->batch->columns[self->config.key_columns[k]];
            code = leat_batch_builder_copy_value(&builder, k, column, key->chunk_row, error);
        }
    }
    leat_batch *keys = NULL;
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, &keys, error);
    if (builder.columns) leat_batch_builder_done(&builder);
    for (int32_t first = 0; code == LEAT_OK && first < count;) {
        leat_batch *found = NULL;
        int32_t done, row = 0;
        code = leat_lookup_ask(self, keys, first, &done, &found, error);
        for (int32_t i = 0; code == LEAT_OK && i < done; i++) {
            code = take_answer(self, &self->keys[asked[first + i]], self->counts[i], found, row, now, error);
            row += self->counts[i] > 0 ? self->counts[i] : 0;
        }
        leat_batch_free(found);
        first += done;
    }
    leat_batch_free(keys);
    leat_free(asked);
    return code;
}

/* --- letting go --- */

static void release_row(leat_lookup_join *self, const leat_held_row *row)
{
    leat_waiting_key *key = &self->keys[row->key];
    if (--key->rows == 0) free_key(self, key);
    if (--row->chunk->rows_left == 0) {
        size_t bytes = leat_batch_bytes(row->chunk->batch);
        self->held_bytes -= bytes < self->held_bytes ? bytes : self->held_bytes;
        leat_batch_free(row->chunk->batch);
        leat_free(row->chunk);
    }
}

static bool is_decided(const leat_lookup_join *self, const leat_held_row *row)
{
    if (row->key < 0) return false;
    leat_waiting_state state = self->keys[row->key].state;
    return state == LEAT_WAITING_FOUND || state == LEAT_WAITING_GIVEN_UP;
}

/* Decided rows go out, in order; of an ordered join only those before the first that is open. */
static leat_code emit_decided(leat_lookup_join *self, leat_error *error)
{
    size_t kept = 0;
    bool may_go = true;
    leat_code code = LEAT_OK;
    for (size_t i = 0; i < self->held_count; i++) {
        leat_held_row row = self->held[i];
        bool goes = code == LEAT_OK && may_go && is_decided(self, &row);
        if (!goes) {
            may_go = may_go && self->config.allow_unordered;
            self->held[kept++] = row;
            continue;
        }
        const leat_waiting_key *key = &self->keys[row.key];
        bool is_found = key->state == LEAT_WAITING_FOUND;
        code = leat_lookup_emit_row(self, row.chunk->batch, row.row, is_found ? key->found : NULL, key->found_first,
                                    is_found ? key->found_count : 0, error);
        release_row(self, &row);
    }
    self->held_count = kept;
    return code == LEAT_OK ? leat_lookup_emit_flush(self, error) : code;
}

leat_code leat_lookup_pump(leat_lookup_join *self, bool asks_misses, leat_error *error)
{
    /* Each round frees keys for rows that were not asked for yet; it ends when nothing was freed. */
    for (bool asks = asks_misses;; asks = false) {
        attach(self);
        if (self->held_count == 0) return LEAT_OK;
        LEAT_TRY(ask_due(self, asks, error));
        size_t before = self->held_count;
        LEAT_TRY(emit_decided(self, error));
        if (self->held_count == before || self->unasked_count == 0) return LEAT_OK;
    }
}

int64_t leat_lookup_deadline_us(const leat_lookup_join *self)
{
    int64_t least = INT64_MAX;
    for (int32_t i = 0; self->keys_used > 0 && i < self->config.capacity; i++) {
        const leat_waiting_key *key = &self->keys[i];
        if (key->rows > 0 && key->state == LEAT_WAITING_MISS && key->next_us < least) least = key->next_us;
    }
    return least;
}

/* --- checkpoints: version u8, batches u32; each: wire block, then retries u32 a row --- */

static leat_code write_rows(leat_lookup_join *self, size_t first, size_t count, leat_bytes *out, leat_error *error)
{
    leat_batch_builder builder;
    leat_batch *batch = NULL;
    LEAT_TRY(leat_batch_builder_init_schema(&builder, &self->config.input, (int32_t)count, error));
    leat_code code = LEAT_OK;
    for (size_t i = 0; code == LEAT_OK && i < count; i++) {
        const leat_held_row *row = &self->held[first + i];
        uint16_t at = (uint16_t)row->row;
        code = leat_batch_builder_append_rows(&builder, row->chunk->batch, &at, 1, error);
    }
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, &batch, error);
    leat_batch_builder_done(&builder);
    if (code != LEAT_OK) return code;
    size_t bytes = leat_batch_wire_bytes(batch);
    leat_buffer *body = leat_buffer_new(bytes);
    if (body) {
        leat_batch_wire_write(batch, body->data);
        leat_bytes_put_block(out, body->data, bytes);
    } else {
        code = leat_fail_no_memory(error);
    }
    leat_buffer_unref(body);
    leat_batch_free(batch);
    for (size_t i = 0; i < count; i++) {
        const leat_held_row *row = &self->held[first + i];
        leat_bytes_put_u32(out, (uint32_t)(row->key < 0 ? row->retries : self->keys[row->key].retries));
    }
    return code;
}

leat_code leat_lookup_held_write(leat_lookup_join *self, leat_bytes *out, leat_error *error)
{
    if (self->held_count == 0) return LEAT_OK;
    size_t batches = (self->held_count + LEAT_BATCH_ROWS_MAX - 1) / LEAT_BATCH_ROWS_MAX;
    leat_bytes_put_u8(out, STATE_VERSION);
    leat_bytes_put_u32(out, (uint32_t)batches);
    for (size_t first = 0; first < self->held_count; first += LEAT_BATCH_ROWS_MAX) {
        size_t left = self->held_count - first;
        LEAT_TRY(write_rows(self, first, left < LEAT_BATCH_ROWS_MAX ? left : LEAT_BATCH_ROWS_MAX, out, error));
    }
    return leat_bytes_check(out, error);
}

/* After a rescale a row goes to the subtask that its key's hash says, so that the rows of one key keep their order. */
static leat_code keep_mine(leat_lookup_join *self, leat_batch *batch, const int32_t *retries, leat_error *error)
{
    const leat_operator_context *context = self->operator.context;
    uint64_t *hashes = leat_alloc((size_t)batch->rows * sizeof *hashes + 8);
    uint16_t *rows = leat_alloc((size_t)batch->rows * sizeof *rows + 8);
    int32_t *mine = leat_alloc((size_t)batch->rows * sizeof *mine + 8), count = 0;
    leat_code code = hashes && rows && mine ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK)
        leat_hash_rows(batch, self->config.key_columns, self->key_types, self->config.keys_count, hashes);
    for (int32_t i = 0; code == LEAT_OK && i < batch->rows; i++) {
        int32_t group = leat_key_group(hashes[i], context->max_parallelism);
        if (leat_key_group_subtask(group, context->max_parallelism, context->parallelism) != context->subtask) continue;
        mine[count] = retries[i];
        rows[count++] = (uint16_t)i;
    }
    leat_batch_builder builder = {0};
    leat_batch *dense = NULL;
    if (code == LEAT_OK && count > 0) {
        code = leat_batch_builder_init_schema(&builder, &self->config.input, count, error);
        if (code == LEAT_OK) code = leat_batch_builder_append_rows(&builder, batch, rows, count, error);
        if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, &dense, error);
        if (builder.columns) leat_batch_builder_done(&builder);
        if (code == LEAT_OK) code = hold_batch(self, dense, mine, error);
    }
    leat_free(hashes);
    leat_free(rows);
    leat_free(mine);
    return code;
}

static leat_code read_batch(leat_lookup_join *self, leat_reader *reader, bool is_own, leat_error *error)
{
    size_t size;
    const uint8_t *wire = leat_reader_block(reader, &size);
    if (reader->failed) return leat_fail(error, LEAT_CORRUPT, "lookup join state ends early");
    leat_buffer *body = leat_buffer_new(size);
    leat_layout *layouts = leat_alloc(((size_t)self->config.input.fields_count + 1) * sizeof *layouts);
    int32_t *retries = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *retries);
    leat_batch *batch = NULL;
    leat_code code = body && layouts && retries ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK) {
        memcpy(body->data, wire, size);
        for (int32_t i = 0; i < self->config.input.fields_count; i++) {
            layouts[i] = leat_type_layout(&self->config.input.fields[i].type);
        }
        code = leat_batch_wire_read(body, layouts, self->config.input.fields_count, &batch, error);
    }
    for (int32_t i = 0; code == LEAT_OK && i < batch->rows; i++)
        retries[i] = (int32_t)leat_reader_u32(reader);
    if (code == LEAT_OK && is_own) {
        code = hold_batch(self, batch, retries, error);
        batch = NULL;
    } else if (code == LEAT_OK) {
        code = keep_mine(self, batch, retries, error);
    }
    leat_batch_free(batch);
    leat_buffer_unref(body);
    leat_free(layouts);
    leat_free(retries);
    return code;
}

leat_code leat_lookup_held_read(leat_lookup_join *self, const leat_restored *restored, leat_error *error)
{
    const leat_operator_context *context = self->operator.context;
    for (size_t i = 0; i < restored->parts_count; i++) {
        const leat_restored_part *part = &restored->parts[i];
        if (part->state_size == 0) continue;
        bool is_own = part->parallelism == context->parallelism && part->subtask == context->subtask;
        if (part->parallelism == context->parallelism && !is_own) continue;
        leat_reader reader;
        leat_reader_init(&reader, part->state, part->state_size);
        if (leat_reader_u8(&reader) != STATE_VERSION)
            return leat_fail(error, LEAT_UNSUPPORTED, "lookup join state of another version");
        uint32_t batches = leat_reader_u32(&reader);
        for (uint32_t b = 0; b < batches && !reader.failed; b++)
            LEAT_TRY(read_batch(self, &reader, is_own, error));
        LEAT_TRY(leat_reader_check(&reader, true, "lookup join state", error));
    }
    return LEAT_OK;
}

void leat_lookup_held_done(leat_lookup_join *self)
{
    for (size_t i = 0; i < self->held_count; i++) {
        leat_held_chunk *chunk = self->held[i].chunk;
        if (--chunk->rows_left > 0) continue;
        leat_batch_free(chunk->batch);
        leat_free(chunk);
    }
    leat_free(self->held);
    for (int32_t i = 0; self->keys && i < self->config.capacity; i++)
        leat_batch_free(self->keys[i].found);
    leat_free(self->keys);
}
