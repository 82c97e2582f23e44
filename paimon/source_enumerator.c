#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/catalog.h"
#include "paimon/hash.h"
#include "paimon/path.h"
#include "paimon/schema.h"
#include "paimon/snapshot.h"
#include "paimon/source.h"
#include "storage/storage.h"

enum {
    ARENA_BYTES = 64 << 20,
    PLAN_ARENA_BYTES = 1 << 30,
    STATE_VERSION = 1,
    PENDING_MAX = 4096, /* splits; more snapshots are read when readers have taken some */
    DISCOVERY_MS = 500, /* without 'continuous.discovery-interval': looking for one file is cheap */
    SCHEMA_BYTES_MAX = 16 << 20,
};

typedef struct pending_split pending_split;
struct pending_split {
    pending_split *next;
    int32_t owner; /* LEAT_PAIMON_ANY_READER */
    size_t size;
    uint8_t data[];
};

typedef struct paimon_enumerator {
    leat_enumerator enumerator; /* first */
    leat_arena arena;
    leat_paimon_table table;
    leat_paimon_source_config config;
    int64_t discovery_ms;
    int64_t next_snapshot; /* streaming: to be read next; 0: nothing was planned yet */
    pending_split *first, **last;
    int32_t pending_count;
    bool *is_waiting; /* a reader that asked and got nothing */
    bool *was_told;   /* that there are no more */
} paimon_enumerator;

static leat_code add_pending(paimon_enumerator *self, const uint8_t *data, size_t size, leat_error *error)
{
    int32_t affinity;
    LEAT_TRY(leat_paimon_source_split_affinity(data, size, &affinity, error));
    pending_split *pending = leat_alloc(sizeof *pending + size);
    if (!pending) return leat_fail_no_memory(error);
    *pending = (pending_split){.owner = leat_paimon_source_owner(affinity, self->enumerator.context->parallelism),
                               .size = size};
    memcpy(pending->data, data, size);
    *self->last = pending;
    self->last = &pending->next;
    self->pending_count++;
    return LEAT_OK;
}

/* --- planning --- */

/* Schemas of the split's files that are not the table's go along, so that readers need not fetch them. */
static leat_code add_schemas(const paimon_enumerator *self, leat_paimon_source_split *split, leat_arena *arena,
                             leat_error *error)
{
    leat_env *env = self->enumerator.context->env;
    split->schemas = leat_arena_take(arena, (split->split.files.count + 1) * sizeof *split->schemas);
    if (!split->schemas) return leat_fail_no_memory(error);
    for (size_t f = 0; f < split->split.files.count; f++) {
        int64_t id = split->split.files.files[f].schema_id;
        bool is_known = id == self->table.schema.id || self->table.schema.primary_keys_count > 0;
        for (uint32_t i = 0; i < split->schemas_count && !is_known; i++)
            is_known = split->schemas[i].id == id;
        if (is_known) continue;
        char name[32];
        snprintf(name, sizeof name, "schema-%" PRId64, id);
        const char *path = leat_paimon_path(self->table.path, "schema", name, arena);
        leat_bytes text = {0};
        leat_code code = path ? leat_storage_get_all(env->storage, path, SCHEMA_BYTES_MAX, &text, error)
                              : leat_fail_no_memory(error);
        uint8_t *copy = code == LEAT_OK ? leat_arena_take(arena, text.size + 1) : NULL;
        if (copy)
            memcpy(copy, text.data, text.size);
        else if (code == LEAT_OK)
            code = leat_fail_no_memory(error);
        if (code == LEAT_OK) split->schemas[split->schemas_count++] = (leat_paimon_source_schema){id, copy, text.size};
        leat_bytes_done(&text);
        if (code != LEAT_OK) return code;
    }
    return LEAT_OK;
}

static int32_t affinity_of(const paimon_enumerator *self, const leat_paimon_split *split)
{
    bool is_ordered =
        self->config.is_streaming && (self->table.schema.primary_keys_count > 0 || split->total_buckets > 0);
    if (!is_ordered) return LEAT_PAIMON_ANY_READER;
    int32_t hash = leat_paimon_hash(split->partition + 4, split->partition_size - 4); /* without the arity */
    return (int32_t)(((uint32_t)hash + (uint32_t)split->bucket) & INT32_MAX);
}

static leat_code add_splits(paimon_enumerator *self, const leat_paimon_splits *splits, leat_arena *arena,
                            leat_error *error)
{
    leat_bytes encoded = {0};
    leat_code code = LEAT_OK;
    for (size_t i = 0; code == LEAT_OK && i < splits->count; i++) {
        leat_paimon_source_split split = {.affinity = affinity_of(self, &splits->items[i]), .split = splits->items[i]};
        code = add_schemas(self, &split, arena, error);
        if (code != LEAT_OK) break;
        leat_bytes_reset(&encoded);
        leat_paimon_source_split_write(&split, &encoded);
        code = leat_bytes_check(&encoded, error);
        if (code == LEAT_OK) code = add_pending(self, encoded.data, encoded.size, error);
    }
    leat_bytes_done(&encoded);
    return code;
}

static leat_paimon_scan scan_of(const paimon_enumerator *self)
{
    return (leat_paimon_scan){.predicates = self->config.predicates,
                              .predicates_count = (size_t)self->config.predicates_count,
                              .bucket = -1,
                              .is_one_split_a_bucket =
                                  self->config.is_streaming && self->table.schema.primary_keys_count > 0};
}

static leat_code plan_full(paimon_enumerator *self, int64_t id, leat_error *error)
{
    leat_env *env = self->enumerator.context->env;
    leat_arena arena;
    leat_arena_init(&arena, PLAN_ARENA_BYTES);
    leat_paimon_snapshot snapshot;
    leat_paimon_splits splits = {0};
    leat_paimon_scan scan = scan_of(self);
    leat_code code = leat_paimon_snapshot_load(env, self->table.path, id, &arena, &snapshot, error);
    if (code == LEAT_OK && self->config.is_streaming) {
        code = leat_paimon_full_phase_min_level(&self->table, &scan.min_level, error);
    }
    if (code == LEAT_OK) code = leat_paimon_plan_snapshot(env, &self->table, &snapshot, &scan, &arena, &splits, error);
    if (code == LEAT_OK) code = add_splits(self, &splits, &arena, error);
    leat_arena_done(&arena);
    return code;
}

/* *is_there: the snapshot was there, and its changes are pending now. */
static leat_code plan_next(paimon_enumerator *self, bool *is_there, leat_error *error)
{
    leat_env *env = self->enumerator.context->env;
    LEAT_TRY(leat_paimon_snapshot_exists(env, self->table.path, self->next_snapshot, is_there, error));
    if (!*is_there) {
        int64_t earliest = 0;
        LEAT_TRY(leat_paimon_snapshot_earliest_id(env, self->table.path, &earliest, error));
        if (earliest <= self->next_snapshot) return LEAT_OK;
        leat_code code =
            leat_fail(error, LEAT_NOT_FOUND,
                      "The snapshot with id %" PRId64 " has expired. You can: 1. increase the snapshot or changelog "
                      "expiration time. 2. use consumer-id to ensure that unconsumed snapshots will not be expired.",
                      self->next_snapshot);
        leat_fail_hint(error, "the earliest snapshot is %" PRId64 "; start the job afresh to read the table as it is",
                       earliest);
        return code;
    }
    leat_arena arena;
    leat_arena_init(&arena, PLAN_ARENA_BYTES);
    leat_paimon_snapshot snapshot;
    leat_paimon_splits splits = {0};
    leat_paimon_scan scan = scan_of(self);
    leat_code code = leat_paimon_snapshot_load(env, self->table.path, self->next_snapshot, &arena, &snapshot, error);
    if (code == LEAT_OK) code = leat_paimon_plan_changes(env, &self->table, &snapshot, &scan, &arena, &splits, error);
    if (code == LEAT_OK) code = add_splits(self, &splits, &arena, error);
    leat_arena_done(&arena);
    if (code == LEAT_OK) self->next_snapshot++;
    return code;
}

/* What scan.mode says about the start: the snapshot that is read whole (0: none), and the one whose changes come next.
 */
static leat_code choose_start(paimon_enumerator *self, int64_t *full, int64_t *next, leat_error *error)
{
    leat_env *env = self->enumerator.context->env;
    const leat_config *options = &self->table.schema.options;
    const char *mode = leat_paimon_option_text(options, "scan.mode", "default");
    int64_t latest = 0, earliest = 0, wanted = 0;
    LEAT_TRY(leat_paimon_snapshot_latest_id(env, self->table.path, &latest, error));
    LEAT_TRY(leat_paimon_option_int(options, "scan.snapshot-id", 0, &wanted, error));
    *full = latest;
    *next = latest + 1;
    if (wanted > 0 && strcmp(mode, "latest") != 0 && strcmp(mode, "latest-full") != 0 && strcmp(mode, "full") != 0) {
        LEAT_TRY(leat_paimon_snapshot_earliest_id(env, self->table.path, &earliest, error));
        bool is_full = !self->config.is_streaming || strcmp(mode, "from-snapshot-full") == 0;
        *full = is_full ? wanted : 0;
        *next = is_full ? wanted + 1 : wanted > earliest ? wanted : earliest;
    } else if (self->config.is_streaming && strcmp(mode, "latest") == 0) {
        *full = 0;
    }
    if (*next < 1) *next = 1;
    return LEAT_OK;
}

static leat_code plan_start(paimon_enumerator *self, leat_error *error)
{
    int64_t full, next;
    LEAT_TRY(choose_start(self, &full, &next, error));
    if (full > 0) LEAT_TRY(plan_full(self, full, error));
    self->next_snapshot = next;
    leat_log(LEAT_LOG_INFO, "paimon", "read %s: snapshot %" PRId64 " whole (%d splits), %s %" PRId64, self->table.path,
             full, self->pending_count, self->config.is_streaming ? "then changes from" : "up to",
             next - !self->config.is_streaming);
    return LEAT_OK;
}

/* --- readers --- */

static bool may_have(const pending_split *pending, int32_t subtask)
{
    return pending->owner == LEAT_PAIMON_ANY_READER || pending->owner == subtask;
}

static void serve(paimon_enumerator *self, int32_t subtask)
{
    leat_enumerator_context *context = self->enumerator.context;
    for (pending_split **at = &self->first; *at; at = &(*at)->next) {
        pending_split *pending = *at;
        if (!may_have(pending, subtask)) continue;
        *at = pending->next;
        if (self->last == &pending->next) self->last = at;
        self->pending_count--;
        context->assign(context, subtask, pending->data, pending->size);
        leat_free(pending);
        self->is_waiting[subtask] = false;
        return;
    }
    self->is_waiting[subtask] = true;
    if (self->config.is_streaming || self->was_told[subtask]) return;
    self->was_told[subtask] = true;
    context->no_more_splits(context, subtask);
}

static leat_code enumerator_request(leat_enumerator *enumerator, int32_t subtask, leat_error *error)
{
    (void)error;
    paimon_enumerator *self = (paimon_enumerator *)enumerator;
    LEAT_ASSERT(subtask >= 0 && subtask < enumerator->context->parallelism);
    serve(self, subtask);
    return LEAT_OK;
}

static leat_code enumerator_event(leat_enumerator *enumerator, int32_t subtask, const uint8_t *event, size_t size,
                                  leat_error *error)
{
    (void)enumerator;
    (void)event;
    return leat_fail(error, LEAT_INVALID, "subtask %d says something (%zu bytes) that a Paimon source does not know",
                     subtask, size);
}

static leat_code enumerator_poll(leat_enumerator *enumerator, leat_error *error)
{
    paimon_enumerator *self = (paimon_enumerator *)enumerator;
    if (!self->config.is_streaming) return LEAT_OK;
    bool is_there = true;
    while (is_there && self->pending_count < PENDING_MAX) {
        leat_code code = plan_next(self, &is_there, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "read the changes of %s", self->table.path);
    }
    for (int32_t i = 0; i < enumerator->context->parallelism; i++) {
        if (self->is_waiting[i]) serve(self, i);
    }
    enumerator->context->poll_after(enumerator->context, self->discovery_ms);
    return LEAT_OK;
}

/* --- life --- */

static leat_code restore(paimon_enumerator *self, const uint8_t *state, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, state, size);
    uint8_t version = leat_reader_u8(&reader);
    if (!reader.failed && version != STATE_VERSION)
        return leat_fail(error, LEAT_CORRUPT, "state of version %d", version);
    self->next_snapshot = leat_reader_i64(&reader);
    uint32_t count = leat_reader_u32(&reader);
    for (uint32_t i = 0; i < count && !reader.failed; i++) {
        size_t split_size;
        const uint8_t *split = leat_reader_block(&reader, &split_size);
        if (split) LEAT_TRY(add_pending(self, split, split_size, error));
    }
    return leat_reader_check(&reader, true, "state of a Paimon enumerator", error);
}

static leat_code enumerator_start(leat_enumerator *enumerator, const uint8_t *state, size_t size, leat_error *error)
{
    paimon_enumerator *self = (paimon_enumerator *)enumerator;
    leat_code code = state ? restore(self, state, size, error) : plan_start(self, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "plan the reading of %s", self->table.path);
    if (self->config.is_streaming) enumerator->context->poll_after(enumerator->context, 0);
    return LEAT_OK;
}

static leat_code enumerator_snapshot(leat_enumerator *enumerator, int64_t checkpoint_id, leat_bytes *state,
                                     leat_error *error)
{
    (void)checkpoint_id;
    const paimon_enumerator *self = (const paimon_enumerator *)enumerator;
    leat_bytes_put_u8(state, STATE_VERSION);
    leat_bytes_put_i64(state, self->next_snapshot);
    leat_bytes_put_u32(state, (uint32_t)self->pending_count);
    for (const pending_split *pending = self->first; pending; pending = pending->next) {
        leat_bytes_put_block(state, pending->data, pending->size);
    }
    return leat_bytes_check(state, error);
}

static leat_code enumerator_complete(leat_enumerator *enumerator, int64_t checkpoint_id, leat_error *error)
{
    (void)enumerator;
    (void)checkpoint_id;
    (void)error;
    return LEAT_OK;
}

static void enumerator_close(leat_enumerator *enumerator)
{
    paimon_enumerator *self = (paimon_enumerator *)enumerator;
    while (self->first) {
        pending_split *next = self->first->next;
        leat_free(self->first);
        self->first = next;
    }
    leat_free(self->is_waiting);
    leat_free(self->was_told);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_enumerator_vtable enumerator_vtable = {
    .start = enumerator_start,
    .on_request = enumerator_request,
    .on_event = enumerator_event,
    .poll = enumerator_poll,
    .snapshot = enumerator_snapshot,
    .checkpoint_complete = enumerator_complete,
    .close = enumerator_close,
};

static leat_code prepare(paimon_enumerator *self, const uint8_t *config, size_t config_size, leat_error *error)
{
    size_t readers = (size_t)self->enumerator.context->parallelism;
    self->is_waiting = leat_calloc(readers, sizeof *self->is_waiting);
    self->was_told = leat_calloc(readers, sizeof *self->was_told);
    if (!self->is_waiting || !self->was_told) return leat_fail_no_memory(error);
    LEAT_TRY(leat_paimon_source_config_read(config, config_size, &self->arena, &self->table, &self->config, error));
    return leat_paimon_option_duration(&self->table.schema.options, "continuous.discovery-interval", DISCOVERY_MS,
                                       &self->discovery_ms, error);
}

static leat_code enumerator_create(leat_enumerator_context *context, const uint8_t *config, size_t config_size,
                                   leat_enumerator **out, leat_error *error)
{
    paimon_enumerator *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->enumerator = (leat_enumerator){.vtable = &enumerator_vtable, .context = context};
    self->last = &self->first;
    leat_arena_init(&self->arena, ARENA_BYTES);
    leat_code code = prepare(self, config, config_size, error);
    self->enumerator.topic = code == LEAT_OK ? leat_paimon_topic(self->table.path) : NULL;
    if (code == LEAT_OK)
        *out = &self->enumerator;
    else
        enumerator_close(&self->enumerator);
    return code;
}

const leat_enumerator_factory leat_paimon_source_enumerator_factory = {"paimon-source", enumerator_create};

/* --- options --- */

leat_code leat_paimon_source_check(const leat_paimon_table *table, bool is_streaming, leat_error *error)
{
    static const char *const unknown[] = {
        "consumer-id",
        "scan.tag-name",
        "scan.watermark",
        "scan.version",
        "scan.timestamp",
        "scan.timestamp-millis",
        "scan.file-creation-time-millis",
        "scan.creation-time-millis",
        "scan.bounded.watermark",
        "incremental-between",
        "incremental-between-timestamp",
        "incremental-to-auto-tag",
        "streaming-read-overwrite",
        "scan.partitions",
    };
    static const char *const modes[] = {"default", "latest",        "latest-full",
                                        "full",    "from-snapshot", "from-snapshot-full"};
    const leat_config *options = &table->schema.options;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        const char *value = leat_config_find(options, unknown[i]);
        if (value && strcmp(value, "false") != 0) {
            return leat_fail(error, LEAT_UNSUPPORTED, "option '%s' is not supported yet", unknown[i]);
        }
    }
    const char *mode = leat_paimon_option_text(options, "scan.mode", "default");
    bool is_known = false;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        is_known = is_known || strcmp(mode, modes[i]) == 0;
    if (!is_known) {
        leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "'scan.mode' = '%s' is not supported yet", mode);
        leat_fail_hint(error, "latest-full, latest, from-snapshot and from-snapshot-full are");
        return code;
    }
    int64_t id;
    LEAT_TRY(leat_paimon_option_int(options, "scan.snapshot-id", 0, &id, error));
    if (strncmp(mode, "from-snapshot", 13) == 0 && id <= 0) {
        return leat_fail(error, LEAT_INVALID, "must set 'scan.snapshot-id' when you use %s for scan.mode", mode);
    }
    return is_streaming ? leat_paimon_check_streaming(table, error) : LEAT_OK;
}
