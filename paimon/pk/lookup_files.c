/* The lookup "paimon-lookup-files": rows by key from the files of a table of fixed buckets.
 *
 *   key ─▶ bucket ─▶ its files, youngest records first ─▶ pieces in memory (lookup_blocks.h) ─▶ records ─ merged ─▶ row
 *             │                                     └ not in memory: asked for, PENDING                        │
 *             └──────────── row cache (lookup_cache.h) ◀── what took a search or a merge ──────────────────────┘
 *
 * A bucket whose files are all in memory, each in one piece, is probed many keys at a time, without the cache. What was
 * read of a file stays right for ever; a new snapshot only adds files and takes some away (lookup_plan.h). */
#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/path.h"
#include "paimon/pk.h"
#include "paimon/pk/lookup_probe.h"
#include "paimon/schema.h"

enum { CACHE_ROWS_DEFAULT = 10000, CACHE_ROWS_MAX = 10 * 1000 * 1000 };
static const int64_t cache_bytes_default = (int64_t)256 << 20;

typedef struct file_lookup {
    leat_lookup lookup; /* first */
    leat_pk_lookup_config config;
    leat_pk_lookup_index index;
    leat_pk_blocks blocks;
    leat_pk_lookup_plan plan;
    leat_pk_probe probe;
    bool is_planned;
    bool has_news;       /* more was committed than the last plan may have seen */
    bool checks_missing; /* the plan being read will tell whether missing files should be there */
    int64_t next_plan_us;
    int64_t cache_bytes;
} file_lookup;

/* --- keeping current --- */

static leat_code check_missing(file_lookup *self, leat_error *error)
{
    if (!self->checks_missing || self->blocks.missing_count == 0) return LEAT_OK;
    if (error) *error = self->blocks.missing;
    return leat_fail_in(error, self->blocks.missing_code, "look up %s: a file of its newest snapshot",
                        self->config.table.path);
}

static leat_code take_plan(file_lookup *self, int64_t now_us, bool *changed, leat_error *error)
{
    bool has_ended, is_stale;
    LEAT_TRY(leat_pk_lookup_plan_poll(&self->plan, &has_ended, error));
    if (!has_ended) return LEAT_OK;
    const leat_pk_lookup_plan *plan = &self->plan;
    *changed = !self->is_planned || plan->entries.count > 0;
    LEAT_TRY(leat_pk_lookup_index_apply(&self->index, &plan->entries, plan->is_whole, &is_stale, error));
    leat_pk_lookup_plan_reset(&self->plan);
    self->is_planned = true;
    self->next_plan_us = now_us + self->config.interval_ms * 1000;
    if (!is_stale) return check_missing(self, error);
    self->plan.next_snapshot = -1;
    self->next_plan_us = now_us;
    return LEAT_OK;
}

static leat_code start_plan(file_lookup *self, int64_t now_us, leat_error *error)
{
    bool is_due = now_us >= self->next_plan_us || self->has_news || self->blocks.missing_count > 0;
    if (self->plan.is_running || !is_due) return LEAT_OK;
    self->checks_missing = self->blocks.missing_count > 0;
    leat_code code = leat_pk_lookup_plan_start(&self->plan, error);
    if (code == LEAT_OK) self->has_news = false;
    if (code != LEAT_LIMIT) return code;
    self->next_plan_us = now_us + self->config.interval_ms * 1000; /* the queue of jobs is full */
    return LEAT_OK;
}

static leat_code lookup_refresh(leat_lookup *lookup, bool *changed, leat_error *error)
{
    file_lookup *self = (file_lookup *)lookup;
    leat_operator_context *context = lookup->context;
    int64_t now_us = leat_env_mono_us(context->env);
    bool has_more;
    *changed = false;
    LEAT_TRY(take_plan(self, now_us, changed, error));
    if (!self->plan.is_running || !self->checks_missing) { /* else what is found missing now would be newer than it */
        leat_code code = leat_pk_blocks_step(&self->blocks, &has_more, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "look up %s", self->config.table.path);
        if (has_more) leat_context_wake(context);
    }
    LEAT_TRY(start_plan(self, now_us, error));
    leat_context_set_gauge(context, "lookup.filesOpened", self->blocks.files_opened);
    leat_context_set_gauge(context, "lookup.cacheBytes", self->blocks.bytes);
    return LEAT_OK;
}

static void lookup_on_news(leat_lookup *lookup)
{
    ((file_lookup *)lookup)->has_news = true;
}

/* --- answering --- */

static leat_code lookup_get_many(leat_lookup *lookup, const leat_batch *keys, int32_t first, leat_lookup_result *result,
                                 int32_t *done, leat_error *error)
{
    file_lookup *self = (file_lookup *)lookup;
    int32_t count = keys->selected - first;
    *done = count;
    if (!self->is_planned) {
        for (int32_t i = 0; i < count; i++)
            result->counts[i] = LEAT_LOOKUP_PENDING;
        return LEAT_OK;
    }
    int32_t room = result->rows.capacity_rows - result->rows.rows; /* a key has at most one row */
    if (count > room) *done = count = room;
    bool has_wanted = false;
    LEAT_TRY(leat_pk_probe_run(&self->probe, keys, first, count, result, &has_wanted, error));
    if (has_wanted) leat_context_wake(lookup->context);
    return LEAT_OK;
}

/* --- life --- */

static leat_code lookup_open(leat_lookup *lookup, leat_error *error)
{
    file_lookup *self = (file_lookup *)lookup;
    int64_t memory = lookup->context->memory_bytes;
    self->blocks.io = (leat_pk_io){lookup->context->env, lookup->context};
    self->blocks.budget_bytes = memory > 0 && memory < self->cache_bytes ? memory : self->cache_bytes;
    self->plan.context = lookup->context;
    return leat_pk_lookup_plan_start(&self->plan, error);
}

static void lookup_close(leat_lookup *lookup)
{
    file_lookup *self = (file_lookup *)lookup;
    leat_pk_probe_done(&self->probe);
    leat_pk_blocks_done(&self->blocks);
    leat_pk_lookup_index_done(&self->index);
    leat_pk_lookup_plan_reset(&self->plan);
    leat_pk_lookup_config_done(&self->config);
    leat_free(self);
}

static const leat_lookup_vtable file_lookup_vtable = {.open = lookup_open,
                                                      .get_many = lookup_get_many,
                                                      .refresh = lookup_refresh,
                                                      .close = lookup_close,
                                                      .on_news = lookup_on_news};

static void on_delete(void *context, leat_pk_lookup_file *file)
{
    leat_pk_blocks_forget(&((file_lookup *)context)->blocks, file);
}

static leat_code read_config(file_lookup *self, const uint8_t *config, size_t size, leat_error *error)
{
    int64_t rows;
    LEAT_TRY(leat_pk_lookup_config_read(&self->config, config, size, error));
    const leat_config *options = &self->config.table.schema.options;
    LEAT_TRY(leat_paimon_option_memory(options, "lookup.cache-max-memory-size", cache_bytes_default, &self->cache_bytes,
                                       error));
    LEAT_TRY(leat_paimon_option_int(options, "lookup.cache-rows", CACHE_ROWS_DEFAULT, &rows, error));
    if (rows < 0 || rows > CACHE_ROWS_MAX)
        return leat_fail(error, LEAT_INVALID, "'lookup.cache-rows' = '%lld' is not 0 … %d", (long long)rows,
                         CACHE_ROWS_MAX);
    self->plan.table = &self->config.table;
    self->plan.next_snapshot = -1;
    LEAT_TRY(leat_pk_lookup_index_init(&self->index, &self->config, error));
    self->index.on_delete = on_delete;
    self->index.on_delete_context = self;
    LEAT_TRY(leat_pk_blocks_init(&self->blocks, &self->config, &self->index, error));
    return leat_pk_probe_init(&self->probe, &self->config, &self->index, &self->blocks, (int32_t)rows, error);
}

static leat_code lookup_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_lookup **out, leat_error *error)
{
    file_lookup *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->lookup = (leat_lookup){.vtable = &file_lookup_vtable, .context = context};
    leat_code code = read_config(self, config, config_size, error);
    if (code != LEAT_OK) {
        lookup_close(&self->lookup);
        return code;
    }
    self->lookup.topic = leat_paimon_topic(self->config.table.path);
    *out = &self->lookup;
    return LEAT_OK;
}

const leat_lookup_factory leat_paimon_file_lookup_factory = {"paimon-lookup-files", lookup_create};
