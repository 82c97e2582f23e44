#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "connectors/mysql/cdc_reader.h"
#include "flow/secrets.h"

/* A snapshot by several readers: tables are cut in parts along their keys, whoever asks gets the next one, and tells as
 * of which positions it was read. When all are read and a checkpoint holds what was emitted, one reader gets the log,
 * with all positions; so no change overtakes the row that it changes.
 *
 * State: `plan` (tables, and the one being cut), the bound up to which it is cut, what parts were read. A part whose
 * reader told so again after a restore counts once. */

enum { PART_CHUNKS = 8, PARTS_MAX = 10000000, STATE_VERSION = 1, ATTEMPTS = 5, PAUSE_MS = 1000, STREAM_READER = 0 };

typedef struct part {
    int32_t table;
    leat_bytes segments; /* empty: not read yet */
} part;

typedef struct enumerator {
    leat_enumerator enumerator; /* first */
    leat_arena arena;
    leat_cdc_config config;
    leat_cdc_reader *plan;
    char *lower; /* of the next part */
    part *parts;
    size_t parts_count, parts_capacity, parts_read;
    int64_t settled; /* the first checkpoint that holds all rows; -1: none yet */
    bool is_streaming;
} enumerator;

static bool is_cut(const enumerator *self)
{
    return self->plan->at_table == self->plan->tables_count;
}

static bool is_read(const enumerator *self)
{
    return is_cut(self) && self->parts_read == self->parts_count;
}

/* --- state --- */

static leat_code add_part(enumerator *self, int32_t table, leat_error *error)
{
    if (self->parts_count == PARTS_MAX) {
        leat_code code = leat_fail(error, LEAT_LIMIT, "a snapshot of more than %d parts", PARTS_MAX);
        leat_fail_hint(error, "make 'scan.incremental.snapshot.chunk.size' larger");
        return code;
    }
    LEAT_TRY(leat_grow(&self->parts, &self->parts_capacity, self->parts_count + 1, sizeof *self->parts, error));
    self->parts[self->parts_count++] = (part){.table = table};
    return LEAT_OK;
}

static void forget_parts(enumerator *self)
{
    for (size_t i = 0; i < self->parts_count; i++)
        leat_bytes_done(&self->parts[i].segments);
    self->parts_count = self->parts_read = 0;
}

static leat_code enumerator_snapshot(leat_enumerator *base, int64_t checkpoint_id, leat_bytes *state, leat_error *error)
{
    enumerator *self = (enumerator *)base;
    leat_bytes plan = {0};
    leat_cdc_write_state(self->plan, &plan);
    leat_code code = leat_bytes_check(&plan, error);
    leat_bytes_put_u8(state, STATE_VERSION);
    leat_bytes_put_u8(state, self->is_streaming);
    leat_bytes_put_block(state, plan.data, plan.size);
    leat_bytes_put_text(state, self->lower);
    leat_bytes_put_u32(state, (uint32_t)self->parts_count);
    for (size_t i = 0; i < self->parts_count; i++) {
        leat_bytes_put_u32(state, (uint32_t)self->parts[i].table);
        leat_bytes_put_block(state, self->parts[i].segments.data, self->parts[i].segments.size);
    }
    leat_bytes_done(&plan);
    if (self->settled < 0 && is_read(self)) self->settled = checkpoint_id;
    return code == LEAT_OK ? leat_bytes_check(state, error) : code;
}

static leat_code restore_parts(enumerator *self, leat_reader *reader, leat_error *error)
{
    uint32_t count = leat_reader_u32(reader);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        size_t size;
        uint32_t table = leat_reader_u32(reader);
        const uint8_t *segments = leat_reader_block(reader, &size);
        if (table >= (uint32_t)self->plan->tables_count) reader->failed = true;
        LEAT_TRY(add_part(self, (int32_t)table, error));
        if (size == 0) continue;
        leat_bytes_put(&self->parts[i].segments, segments, size);
        LEAT_TRY(leat_bytes_check(&self->parts[i].segments, error));
        self->parts_read++;
    }
    return leat_reader_check(reader, true, "state of mysql-cdc's enumerator", error);
}

static leat_code restore(enumerator *self, const uint8_t *state, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, state, size);
    uint8_t version = leat_reader_u8(&reader);
    if (version != STATE_VERSION)
        return leat_fail(error, LEAT_UNSUPPORTED, "state of mysql-cdc's enumerator in version %u", version);
    self->is_streaming = leat_reader_u8(&reader) != 0;
    size_t plan_size;
    const uint8_t *plan = leat_reader_block(&reader, &plan_size);
    LEAT_TRY(leat_reader_check(&reader, false, "state of mysql-cdc's enumerator", error));
    LEAT_TRY(leat_cdc_reader_assign(self->plan, plan, plan_size, error));
    const char *lower;
    LEAT_TRY(leat_reader_text(&reader, &self->arena, &lower, error));
    self->lower = lower ? leat_strdup(lower) : NULL;
    if (lower && !self->lower) return leat_fail_no_memory(error);
    return restore_parts(self, &reader, error);
}

/* --- parts --- */

/* The server may be away for a while, as for a reader. */
static leat_code again(enumerator *self, leat_code code, int attempt, leat_error *why, leat_error *error)
{
    if (leat_code_is_transient(code) && attempt < ATTEMPTS) {
        leat_log(LEAT_LOG_WARN, "mysql-cdc", "%s; tries again (%d of %d)", why->text, attempt + 1, ATTEMPTS);
        leat_cdc_reader_rest(self->plan);
        leat_env_sleep_ms(self->enumerator.context->env, PAUSE_MS);
        return LEAT_OK;
    }
    if (error) *error = *why;
    return code;
}

static leat_code begin(enumerator *self, leat_error *error)
{
    for (int attempt = 0;; attempt++) {
        leat_error why = {0};
        leat_code code = leat_cdc_begin(self->plan, &why);
        if (code == LEAT_OK) return LEAT_OK;
        LEAT_TRY(again(self, code, attempt, &why, error));
    }
}

static leat_code find_upper(enumerator *self, char **out, leat_error *error)
{
    for (int attempt = 0;; attempt++) {
        leat_error why = {0};
        int64_t rows = self->config.chunk_rows * PART_CHUNKS;
        leat_code code = leat_cdc_find_bound(self->plan, self->lower, rows, out, &why);
        if (code == LEAT_OK) return LEAT_OK;
        LEAT_TRY(again(self, code, attempt, &why, error));
    }
}

static leat_code assign(enumerator *self, int32_t subtask, uint32_t number, const leat_cdc_reader *reader,
                        leat_error *error)
{
    leat_bytes split = {0};
    leat_bytes_put_u32(&split, number);
    leat_cdc_write_state(reader, &split);
    leat_code code = leat_bytes_check(&split, error);
    leat_enumerator_context *context = self->enumerator.context;
    if (code == LEAT_OK) context->assign(context, subtask, split.data, split.size);
    leat_bytes_done(&split);
    return code;
}

static leat_code assign_part(enumerator *self, int32_t subtask, leat_error *error)
{
    leat_cdc_reader *plan = self->plan;
    char *upper = NULL;
    LEAT_TRY(find_upper(self, &upper, error));
    leat_cdc_reader reader = {.phase = LEAT_CDC_PHASE_SNAPSHOT,
                              .tables = &plan->tables[plan->at_table],
                              .tables_count = 1,
                              .part = {.is_set = true, .lower = self->lower, .upper = upper}};
    leat_code code = add_part(self, plan->at_table, error);
    if (code == LEAT_OK) code = assign(self, subtask, (uint32_t)(self->parts_count - 1), &reader, error);
    leat_free(self->lower);
    self->lower = upper;
    if (!upper) plan->at_table++;
    if (is_cut(self)) leat_cdc_reader_rest(plan);
    return code;
}

static void tell(enumerator *self, int32_t subtask, uint32_t number)
{
    uint8_t event[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16), (uint8_t)(number >> 24)};
    leat_enumerator_context *context = self->enumerator.context;
    context->send_event(context, subtask, event, sizeof event);
}

static leat_code enumerator_request(leat_enumerator *base, int32_t subtask, leat_error *error)
{
    enumerator *self = (enumerator *)base;
    if (!is_cut(self)) return assign_part(self, subtask, error);
    if (self->is_streaming)
        base->context->no_more_splits(base->context, subtask);
    else
        tell(self, subtask, LEAT_CDC_REST);
    return LEAT_OK;
}

static leat_code enumerator_event(leat_enumerator *base, int32_t subtask, const uint8_t *event, size_t size,
                                  leat_error *error)
{
    enumerator *self = (enumerator *)base;
    leat_reader reader;
    leat_reader_init(&reader, event, size);
    uint32_t number = leat_reader_u32(&reader);
    size_t segments_size = leat_reader_left(&reader);
    LEAT_TRY(leat_reader_check(&reader, false, "what a reader of mysql-cdc tells", error));
    bool is_new = number < self->parts_count && self->parts[number].segments.size == 0;
    if (is_new) {
        leat_bytes_put(&self->parts[number].segments, reader.at, segments_size);
        LEAT_TRY(leat_bytes_check(&self->parts[number].segments, error));
        self->parts_read++;
    }
    tell(self, subtask, number);
    return LEAT_OK;
}

/* --- the log --- */

static leat_code start_stream(enumerator *self, leat_error *error)
{
    leat_cdc_forget_segments(self->plan);
    for (size_t i = 0; i < self->parts_count; i++) {
        const part *read = &self->parts[i];
        LEAT_TRY(leat_cdc_read_segments(self->plan, read->table, read->segments.data, read->segments.size, error));
    }
    leat_cdc_begin_stream(self->plan);
    LEAT_TRY(assign(self, STREAM_READER, LEAT_CDC_STREAM, self->plan, error));
    leat_enumerator_context *context = self->enumerator.context;
    for (int32_t i = 0; i < context->parallelism; i++)
        if (i != STREAM_READER) context->no_more_splits(context, i);
    leat_cdc_forget_segments(self->plan);
    forget_parts(self);
    self->is_streaming = true;
    return LEAT_OK;
}

static leat_code enumerator_complete(leat_enumerator *base, int64_t checkpoint_id, leat_error *error)
{
    enumerator *self = (enumerator *)base;
    bool is_settled = self->settled >= 0 && checkpoint_id >= self->settled;
    return is_settled && !self->is_streaming ? start_stream(self, error) : LEAT_OK;
}

/* --- life --- */

static leat_code enumerator_start(leat_enumerator *base, const uint8_t *state, size_t size, leat_error *error)
{
    enumerator *self = (enumerator *)base;
    LEAT_TRY(leat_cdc_reader_new(&self->config, base->context->env, NULL, 0, &self->plan, error));
    return state ? restore(self, state, size, error) : begin(self, error);
}

static void enumerator_close(leat_enumerator *base)
{
    enumerator *self = (enumerator *)base;
    forget_parts(self);
    leat_free(self->parts);
    leat_free(self->lower);
    leat_cdc_reader_free(self->plan);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_enumerator_vtable enumerator_vtable = {
    .start = enumerator_start,
    .on_request = enumerator_request,
    .on_event = enumerator_event,
    .snapshot = enumerator_snapshot,
    .checkpoint_complete = enumerator_complete,
    .close = enumerator_close,
};

static leat_code enumerator_create(leat_enumerator_context *context, const uint8_t *config, size_t config_size,
                                   leat_enumerator **out, leat_error *error)
{
    enum { ARENA_BYTES_MAX = 4 << 20 };
    enumerator *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->enumerator.vtable = &enumerator_vtable;
    self->settled = -1;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = leat_cdc_config_read(config, config_size, &self->arena, &self->config, error);
    if (code == LEAT_OK) code = leat_secret_reveal(context->config, &self->config.address.password, error);
    if (code == LEAT_OK)
        *out = &self->enumerator;
    else
        enumerator_close(&self->enumerator);
    return code;
}

const leat_enumerator_factory leat_mysql_cdc_enumerator_factory = {"mysql-cdc", enumerator_create};
