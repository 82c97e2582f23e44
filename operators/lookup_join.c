#include "operators/lookup_join.h"

#include <string.h>

#include "common/memory.h"
#include "operators/config.h"
#include "operators/lookup_join_state.h"

enum { CAPACITY_DEFAULT = 100, CAPACITY_MAX = 100000, TIMEOUT_DEFAULT_MS = 180000, REFRESH_US = 1000000 };

void leat_lookup_join_config_write(const leat_lookup_join_config *config, leat_bytes *out)
{
    leat_schema_write(&config->input, out);
    leat_schema_write(&config->table, out);
    leat_bytes_put_text(out, config->lookup_type);
    leat_bytes_put_block(out, config->lookup_config, config->lookup_config_size);
    leat_config_put_columns(out, config->key_columns, config->keys_count);
    leat_config_put_columns(out, config->output, config->output_count);
    leat_bytes_put_u8(out, config->is_left);
    leat_bytes_put_u8(out, config->allow_unordered);
    leat_bytes_put_u32(out, (uint32_t)config->capacity);
    leat_bytes_put_i64(out, config->timeout_ms);
    leat_bytes_put_i64(out, config->retry_delay_ms);
    leat_bytes_put_u32(out, (uint32_t)config->retry_attempts);
    leat_bytes_put_text(out, config->time_zone);
    leat_bytes_put_u8(out, config->condition != NULL);
    if (config->condition) leat_expr_write(config->condition, out);
}

static leat_code read_config(leat_lookup_join *self, const uint8_t *data, size_t size, leat_error *error)
{
    leat_lookup_join_config *config = &self->config;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    LEAT_TRY(leat_schema_read(&reader, &self->arena, &config->input, error));
    LEAT_TRY(leat_schema_read(&reader, &self->arena, &config->table, error));
    self->joined_count = config->input.fields_count + config->table.fields_count;
    LEAT_TRY(leat_reader_text(&reader, &self->arena, &config->lookup_type, error));
    const uint8_t *lookup = leat_reader_block(&reader, &config->lookup_config_size);
    if (reader.failed || !config->lookup_type) return leat_fail(error, LEAT_CORRUPT, "lookup join configuration");
    config->lookup_config =
        (const uint8_t *)leat_arena_strndup(&self->arena, (const char *)lookup, config->lookup_config_size);
    if (!config->lookup_config) return leat_fail_no_memory(error);
    LEAT_TRY(leat_config_take_columns(&reader, &self->arena, config->input.fields_count, &config->key_columns,
                                      &config->keys_count, error));
    LEAT_TRY(leat_config_take_columns(&reader, &self->arena, self->joined_count, &config->output, &config->output_count,
                                      error));
    config->is_left = leat_reader_u8(&reader) != 0;
    config->allow_unordered = leat_reader_u8(&reader) != 0;
    config->capacity = (int32_t)leat_reader_u32(&reader);
    config->timeout_ms = leat_reader_i64(&reader);
    config->retry_delay_ms = leat_reader_i64(&reader);
    config->retry_attempts = (int32_t)leat_reader_u32(&reader);
    LEAT_TRY(leat_reader_text(&reader, &self->arena, &config->time_zone, error));
    if (leat_reader_u8(&reader)) LEAT_TRY(leat_expr_read(&reader, &self->arena, &config->condition, error));
    if (config->capacity <= 0) config->capacity = CAPACITY_DEFAULT;
    if (config->capacity > CAPACITY_MAX) config->capacity = CAPACITY_MAX;
    if (config->timeout_ms <= 0) config->timeout_ms = TIMEOUT_DEFAULT_MS;
    if (config->retry_delay_ms < 1) config->retry_delay_ms = 1;
    if (config->retry_attempts < 0) config->retry_attempts = 0;
    return leat_reader_check(&reader, true, "lookup join configuration", error);
}

static void mark_columns(const leat_expr *expr, int depth, uint8_t *used, int32_t count)
{
    if (depth > LEAT_EXPR_DEPTH_MAX) return;
    if (expr->kind == LEAT_EXPR_COLUMN && expr->column >= 0 && expr->column < count) used[expr->column] = 1;
    for (int32_t i = 0; i < expr->arguments_count; i++)
        mark_columns(expr->arguments[i], depth + 1, used, count);
}

/* Layouts, the columns that are needed, scratch. */
static leat_code prepare(leat_lookup_join *self, leat_error *error)
{
    const leat_lookup_join_config *config = &self->config;
    size_t joined = (size_t)self->joined_count + 1;
    uint8_t *used = leat_arena_take(&self->arena, joined);
    self->needed = leat_arena_take(&self->arena, joined * sizeof *self->needed);
    self->needed_layouts = leat_arena_take(&self->arena, joined * sizeof *self->needed_layouts);
    self->table_layouts = leat_arena_take(&self->arena, joined * sizeof *self->table_layouts);
    self->key_layouts = leat_arena_take(&self->arena, (size_t)(config->keys_count + 1) * sizeof *self->key_layouts);
    self->key_types = leat_arena_take(&self->arena, (size_t)(config->keys_count + 1) * sizeof *self->key_types);
    self->counts = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->counts);
    self->keys = leat_calloc((size_t)config->capacity, sizeof *self->keys);
    bool is_whole = used && self->needed && self->needed_layouts && self->table_layouts && self->key_layouts &&
                    self->key_types && self->counts && self->keys;
    if (!is_whole) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < config->output_count; i++)
        used[config->output[i]] = 1;
    if (config->condition) mark_columns(config->condition, 0, used, self->joined_count);
    for (int32_t i = 0; i < self->joined_count; i++) {
        bool is_stream = i < config->input.fields_count;
        const leat_field *field =
            is_stream ? &config->input.fields[i] : &config->table.fields[i - config->input.fields_count];
        leat_layout layout = leat_type_layout(&field->type);
        if (!is_stream) self->table_layouts[i - config->input.fields_count] = layout;
        if (!used[i]) continue;
        self->needed_layouts[self->needed_count] = layout;
        self->needed[self->needed_count++] = i;
        self->needed_stream_count += is_stream;
    }
    for (int32_t i = 0; i < config->keys_count; i++) {
        self->key_types[i] = config->input.fields[config->key_columns[i]].type;
        self->key_layouts[i] = leat_type_layout(&self->key_types[i]);
    }
    return leat_lookup_emit_init(self, error);
}

static leat_code compile_condition(leat_lookup_join *self, leat_error *error)
{
    const leat_lookup_join_config *config = &self->config;
    if (!config->condition) return LEAT_OK;
    leat_schema joined = {.fields_count = self->joined_count};
    joined.fields = leat_arena_take(&self->arena, (size_t)(self->joined_count + 1) * sizeof *joined.fields);
    if (!joined.fields) return leat_fail_no_memory(error);
    memcpy(joined.fields, config->input.fields, (size_t)config->input.fields_count * sizeof *joined.fields);
    memcpy(joined.fields + config->input.fields_count, config->table.fields,
           (size_t)config->table.fields_count * sizeof *joined.fields);
    leat_program_options options = {.time_zone = config->time_zone, .env = self->operator.context->env };
    return leat_program_compile(&config->condition, 1, &joined, &options, &self->condition, error);
}

static void set_timer(leat_lookup_join *self)
{
    int64_t deadline =
        leat_lookup_deadline_us(self); /* not counted from now: a steady stream would put it off for ever */
    leat_context_set_timer(self->operator.context, deadline < self->refresh_us ? deadline : self->refresh_us);
}

static leat_code join_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    leat_lookup_join *self = (leat_lookup_join *)operator;
    LEAT_TRY(prepare(self, error));
    LEAT_TRY(compile_condition(self, error));
    const leat_lookup_factory *factory;
    if (!operator->context->registry) return leat_fail(error, LEAT_NOT_FOUND, "this process has no lookups");
    LEAT_TRY(leat_registry_find_lookup(operator->context->registry, self->config.lookup_type, &factory, error));
    LEAT_TRY(factory->create(operator->context, self->config.lookup_config, self->config.lookup_config_size,
                             &self->lookup, error));
    self->lookup->context = operator->context;
    LEAT_TRY(self->lookup->vtable->open(self->lookup, error));
    if (self->lookup->topic) leat_context_follow(operator->context, self->lookup->topic);
    if (restored) LEAT_TRY(leat_lookup_held_read(self, restored, error));
    self->refresh_us = leat_env_mono_us(operator->context->env) + (restored ? 0 : REFRESH_US);
    leat_context_set_timer(operator->context, self->refresh_us);
    return LEAT_OK;
}

/* --- the batch in hand --- */

static void drop_current(leat_lookup_join *self)
{
    leat_batch_free(self->current);
    leat_batch_free(self->current_keys);
    self->current = self->current_keys = NULL;
    self->cursor = 0;
}

static leat_code hold_rest(leat_lookup_join *self, int32_t from, leat_error *error)
{
    uint16_t *rows = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *rows);
    if (!rows) return leat_fail_no_memory(error);
    int32_t count = 0;
    for (int32_t i = from; i < self->current->selected; i++)
        rows[count++] = (uint16_t)leat_batch_row(self->current, i);
    leat_code code = leat_lookup_hold(self, self->current, rows, count, error);
    leat_free(rows);
    self->cursor = self->current->selected;
    return code;
}

/* Deals with the answers for `done` keys from the cursor on. Inner joins without holes go a column at a time. */
static leat_code take_answers(leat_lookup_join *self, int32_t done, leat_batch *found, leat_error *error)
{
    bool retries = self->config.retry_attempts > 0, is_row_wise = self->config.is_left;
    uint16_t *joined = leat_alloc(2 * LEAT_BATCH_ROWS_MAX * sizeof *joined), *held = joined + LEAT_BATCH_ROWS_MAX;
    if (!joined) return leat_fail_no_memory(error);
    int32_t joined_count = 0, held_count = 0, i = 0;
    leat_code code = LEAT_OK;
    for (; code == LEAT_OK && i < done; i++) {
        uint16_t row = (uint16_t)leat_batch_row(self->current, self->cursor + i);
        int32_t count = self->counts[i];
        bool is_open = count == LEAT_LOOKUP_PENDING || (count == 0 && retries);
        if (is_open && !self->config.allow_unordered) break; /* it and what follows waits */
        if (is_open) {
            held[held_count++] = row;
        } else if (is_row_wise) {
            code = leat_lookup_emit_row(self, self->current, row, found, joined_count, count, error);
            joined_count += count;
        } else {
            for (int32_t k = 0; k < count; k++)
                joined[joined_count++] = row;
        }
    }
    if (code == LEAT_OK) {
        code = is_row_wise ? leat_lookup_emit_flush(self, error)
                           : leat_lookup_emit_all(self, self->current, joined, joined_count, found, error);
    }
    if (code == LEAT_OK && held_count > 0) code = leat_lookup_hold(self, self->current, held, held_count, error);
    bool is_stopped = code == LEAT_OK && i < done;
    if (is_stopped)
        code = hold_rest(self, self->cursor + i, error);
    else
        self->cursor += done;
    leat_free(joined);
    return code;
}

static leat_code work(leat_lookup_join *self, leat_error *error)
{
    if (!self->current) return LEAT_OK;
    leat_code code = LEAT_OK;
    bool has_held = self->held_count > 0;
    if (has_held && !self->config.allow_unordered) {
        code = hold_rest(self, self->cursor, error);
    } else {
        leat_batch *found = NULL;
        int32_t done;
        if (!self->current_keys) LEAT_TRY(leat_lookup_keys_of(self, self->current, &self->current_keys, error));
        code = leat_lookup_ask(self, self->current_keys, self->cursor, &done, &found, error);
        if (code == LEAT_OK) code = take_answers(self, done, found, error);
        leat_batch_free(found);
    }
    if (code != LEAT_OK) return code;
    if (self->cursor >= self->current->selected) drop_current(self);
    if (self->unasked_count > 0) code = leat_lookup_pump(self, false, error);
    return code;
}

/* Emits at most one batch; works on when nothing is ready. */
static leat_code step(leat_lookup_join *self, leat_progress *progress, leat_error *error)
{
    if (self->outputs_next == self->outputs_count) {
        self->outputs_next = self->outputs_count = 0;
        LEAT_TRY(work(self, error));
    }
    leat_code code = LEAT_OK;
    if (self->outputs_next < self->outputs_count) {
        leat_batch *batch = self->outputs[self->outputs_next++];
        code = leat_context_emit(self->operator.context, &batch, error);
        leat_batch_free(batch);
    }
    bool has_more = self->current || self->outputs_next < self->outputs_count;
    *progress = has_more ? LEAT_AGAIN : LEAT_DONE;
    if (!has_more) set_timer(self);
    return code;
}

static leat_code join_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                              leat_error *error)
{
    (void)input;
    leat_lookup_join *self = (leat_lookup_join *)operator;
    if ((*batch)->selected == 0) return LEAT_OK;
    self->current = *batch;
    *batch = NULL;
    self->cursor = 0;
    return step(self, progress, error);
}

static leat_code join_resume(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    return step((leat_lookup_join *)operator, progress, error);
}

static leat_code refresh(leat_lookup_join *self, leat_progress *progress, leat_error *error)
{
    bool changed = false;
    self->refresh_us = leat_env_mono_us(self->operator.context->env) + REFRESH_US;
    LEAT_TRY(self->lookup->vtable->refresh(self->lookup, &changed, error));
    LEAT_TRY(leat_lookup_pump(self, changed, error));
    leat_context_set_gauge(self->operator.context, "lookup.waitingRows", (int64_t)self->held_count);
    return step(self, progress, error);
}

static leat_code join_on_timer(leat_operator *operator, int64_t now_us, leat_progress *progress, leat_error *error)
{
    (void)now_us;
    return refresh((leat_lookup_join *)operator, progress, error);
}

static leat_code join_on_wake(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    return refresh((leat_lookup_join *)operator, progress, error);
}

static leat_code join_on_news(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    leat_lookup_join *self = (leat_lookup_join *)operator;
    self->lookup->vtable->on_news(self->lookup);
    return refresh(self, progress, error);
}

static bool join_has_room(const leat_operator *operator)
{
    const leat_lookup_join *self = (const leat_lookup_join *)operator;
    int64_t budget = operator->context->memory_bytes;
    bool is_within = budget <= 0 || self->held_bytes < (size_t)budget;
    return self->keys_used < self->config.capacity && self->unasked_count == 0 && is_within;
}

static bool join_is_waiting(const leat_operator *operator)
{
    return ((const leat_lookup_join *)operator)->held_count > 0;
}

static leat_code join_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                               leat_error *error)
{
    (void)progress;
    return leat_lookup_held_write((leat_lookup_join *)operator, & snapshot->state, error);
}

static void join_close(leat_operator *operator)
{
    leat_lookup_join *self = (leat_lookup_join *)operator;
    drop_current(self);
    if (self->lookup) self->lookup->vtable->close(self->lookup);
    leat_program_free(self->condition);
    leat_lookup_held_done(self);
    leat_lookup_emit_done(self);
    leat_free(self->counts);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable join_vtable = {.type = "lookup-join",
                                                 .open = join_open,
                                                 .process_batch = join_process,
                                                 .resume = join_resume,
                                                 .on_timer = join_on_timer,
                                                 .on_wake = join_on_wake,
                                                 .on_news = join_on_news,
                                                 .has_room = join_has_room,
                                                 .is_waiting = join_is_waiting,
                                                 .snapshot = join_snapshot,
                                                 .close = join_close};

static leat_code join_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                             leat_operator **out, leat_error *error)
{
    leat_lookup_join *self = leat_operator_new(sizeof *self, offsetof(leat_lookup_join, arena));
    if (!self) return leat_fail_no_memory(error);
    self->operator=(leat_operator){&join_vtable, context};
    leat_code code = read_config(self, config, config_size, error);
    if (code == LEAT_OK)
        *out = &self->operator;
    else
        join_close(&self->operator);
    return code;
}

const leat_operator_factory leat_lookup_join_factory = {"lookup-join", join_create};
