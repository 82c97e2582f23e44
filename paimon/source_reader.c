#include <string.h>

#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/source.h"
#include "paimon/split_reader.h"

enum { ARENA_BYTES = 16 << 20, STATE_VERSION = 1, HELD_WANTED = 2 };

/* A split that this reader has. */
typedef struct held_split held_split;
struct held_split {
    held_split *next;
    int64_t rows_done; /* emitted before the restart */
    size_t size;
    uint8_t data[];
};

typedef struct paimon_source {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_paimon_table table;
    leat_paimon_source_config config;
    held_split *first, **last;
    int32_t held_count;
    leat_paimon_split_reader *reader; /* of the first split; NULL: not begun */
    bool is_asked, no_more;
} paimon_source;

static leat_code hold(paimon_source *self, const uint8_t *data, size_t size, int64_t rows_done, leat_error *error)
{
    held_split *held = leat_alloc(sizeof *held + size);
    if (!held) return leat_fail_no_memory(error);
    *held = (held_split){.rows_done = rows_done, .size = size};
    memcpy(held->data, data, size);
    *self->last = held;
    self->last = &held->next;
    self->held_count++;
    return LEAT_OK;
}

static void drop_first(paimon_source *self)
{
    held_split *first = self->first;
    self->first = first->next;
    if (!self->first) self->last = &self->first;
    self->held_count--;
    leat_free(first);
}

/* The next split is asked for while one is read. */
static leat_code ask(paimon_source *self, leat_error *error)
{
    if (self->held_count >= HELD_WANTED || self->no_more || self->is_asked) return LEAT_OK;
    self->is_asked = true;
    return leat_context_send_event(self->operator.context, NULL, 0, error);
}

static leat_code begin(paimon_source *self, leat_error *error)
{
    leat_paimon_split_reader_options options = {.config = &self->config,
                                                .split = self->first->data,
                                                .split_size = self->first->size,
                                                .skip_rows = self->first->rows_done,
                                                .env = self->operator.context->env,
                                                .context = self->operator.context };
    return leat_paimon_split_reader_new(&options, &self->reader, error);
}

static leat_code source_produce(leat_operator *operator, leat_source_status * status, leat_error *error)
{
    paimon_source *self = (paimon_source *)operator;
    LEAT_TRY(ask(self, error));
    if (!self->first) {
        *status = self->no_more ? LEAT_SOURCE_END : LEAT_SOURCE_IDLE;
        return LEAT_OK;
    }
    if (!self->reader) LEAT_TRY(begin(self, error));
    leat_paimon_read_status read;
    leat_batch *batch = NULL;
    LEAT_TRY(leat_paimon_split_reader_step(self->reader, &read, &batch, error));
    *status = read == LEAT_PAIMON_READ_WAIT ? LEAT_SOURCE_IDLE : LEAT_SOURCE_MORE;
    if (read == LEAT_PAIMON_READ_END) {
        leat_paimon_split_reader_free(self->reader);
        self->reader = NULL;
        drop_first(self);
    }
    if (!batch) return LEAT_OK;
    leat_code code = leat_context_emit(operator->context, &batch, error);
    leat_batch_free(batch);
    return code;
}

static leat_code source_add_split(leat_operator *operator, const uint8_t * split, size_t size, leat_error *error)
{
    paimon_source *self = (paimon_source *)operator;
    self->is_asked = false;
    return hold(self, split, size, 0, error);
}

static leat_code source_no_more(leat_operator *operator, leat_error * error)
{
    (void)error;
    ((paimon_source *)operator)->no_more = true;
    return LEAT_OK;
}

static leat_code source_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                 leat_error *error)
{
    (void)progress;
    const paimon_source *self = (const paimon_source *)operator;
    leat_bytes *out = &snapshot->state;
    leat_bytes_put_u8(out, STATE_VERSION);
    leat_bytes_put_u32(out, (uint32_t)self->held_count);
    for (const held_split *held = self->first; held; held = held->next) {
        bool is_read = held == self->first && self->reader;
        leat_bytes_put_i64(out, is_read ? leat_paimon_split_reader_position(self->reader) : held->rows_done);
        leat_bytes_put_block(out, held->data, held->size);
    }
    return leat_bytes_check(out, error);
}

/* After a rescale each split goes to who owns its bucket now, or is dealt out by who had it. */
static leat_code restore_part(paimon_source *self, const leat_restored_part *part, leat_error *error)
{
    const leat_operator_context *context = self->operator.context;
    leat_reader reader;
    leat_reader_init(&reader, part->state, part->state_size);
    uint8_t version = leat_reader_u8(&reader);
    if (!reader.failed && version != STATE_VERSION)
        return leat_fail(error, LEAT_CORRUPT, "state of version %d", version);
    uint32_t count = leat_reader_u32(&reader);
    for (uint32_t i = 0; i < count && !reader.failed; i++) {
        int64_t rows_done = leat_reader_i64(&reader);
        size_t size;
        const uint8_t *data = leat_reader_block(&reader, &size);
        if (!data) break;
        int32_t affinity;
        LEAT_TRY(leat_paimon_source_split_affinity(data, size, &affinity, error));
        int32_t owner = leat_paimon_source_owner(affinity, context->parallelism);
        if (owner == LEAT_PAIMON_ANY_READER) owner = part->subtask % context->parallelism;
        if (owner == context->subtask) LEAT_TRY(hold(self, data, size, rows_done, error));
    }
    return leat_reader_check(&reader, true, "state of a Paimon source", error);
}

static leat_code source_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    paimon_source *self = (paimon_source *)operator;
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        if (restored->parts[i].state_size) LEAT_TRY(restore_part(self, &restored->parts[i], error));
    }
    return LEAT_OK;
}

static void source_close(leat_operator *operator)
{
    paimon_source *self = (paimon_source *)operator;
    leat_paimon_split_reader_free(self->reader);
    while (self->first)
        drop_first(self);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable source_vtable = {
    .type = "paimon-source",
    .open = source_open,
    .snapshot = source_snapshot,
    .produce = source_produce,
    .add_split = source_add_split,
    .no_more_splits = source_no_more,
    .close = source_close,
};

static leat_code source_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    paimon_source *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & source_vtable;
    self->operator.context = context;
    self->last = &self->first;
    leat_arena_init(&self->arena, ARENA_BYTES);
    leat_code code =
        leat_paimon_source_config_read(config, config_size, &self->arena, &self->table, &self->config, error);
    if (code == LEAT_OK)
        *out = &self->operator;
    else
        source_close(&self->operator);
    return code;
}

const leat_operator_factory leat_paimon_source_factory = {"paimon-source", source_create};
