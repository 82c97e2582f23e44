/* A host for one operator: emitted rows become text lines, time is a number, jobs run at once. */
#pragma once

#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include "columnar/expr.h"
#include "common/memory.h"
#include "flow/registry.h"

typedef struct harness {
    leat_operator_context context; /* first */
    leat_env env;
    leat_registry registry;
    leat_operator *operator;
    const leat_schema *output;
    leat_bytes lines; /* "+I[1, a]\n"… */
    int64_t now_us, timer_us;
    int64_t rows;
    bool is_window_full, has_ended;
    const char *topic; /* that the operator follows */
} harness;

static inline int64_t harness_now_ms(leat_env *env)
{
    return ((harness *)(void *)((char *)env - offsetof(harness, env)))->now_us / 1000;
}
static inline int64_t harness_mono_us(leat_env *env)
{
    return ((harness *)(void *)((char *)env - offsetof(harness, env)))->now_us;
}

static inline void harness_print(harness *self, const leat_batch *batch)
{
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        leat_bytes_format(&self->lines, "%s[", leat_row_kind_text((leat_row_kind)leat_batch_kind(batch, row)));
        for (int32_t c = 0; c < batch->columns_count; c++) {
            if (c) leat_bytes_text(&self->lines, ", ");
            leat_value_print(&self->output->fields[c].type, &batch->columns[c], row, NULL, &self->lines);
        }
        leat_bytes_text(&self->lines, "]\n");
    }
}

static inline leat_code harness_emit(leat_operator_context *context, leat_batch **batch, leat_error *error)
{
    (void)error;
    harness *self = (harness *)context;
    assert_true((*batch)->rows <= LEAT_BATCH_ROWS_MAX);
    self->rows += (*batch)->selected;
    if (self->output) {
        assert_int_equal((*batch)->columns_count, self->output->fields_count);
        harness_print(self, *batch);
    }
    leat_batch_free(*batch);
    *batch = NULL;
    return LEAT_OK;
}

static inline void harness_set_timer(leat_operator_context *context, int64_t at_us)
{
    ((harness *)context)->timer_us = at_us;
}

static inline leat_code harness_collect(leat_operator_context *context, leat_batch *batch, bool is_end,
                                        leat_error *error)
{
    harness *self = (harness *)context;
    if (self->is_window_full) return leat_fail(error, LEAT_LIMIT, "full");
    if (batch) harness_print(self, batch);
    self->has_ended = self->has_ended || is_end;
    return LEAT_OK;
}

static inline void harness_wake(leat_operator_context *context)
{
    (void)context;
}
static inline void harness_set_gauge(leat_operator_context *context, const char *name, int64_t value)
{
    (void)context;
    (void)name;
    (void)value;
}

static inline void harness_follow(leat_operator_context *context, const char *topic)
{
    ((harness *)context)->topic = topic;
}

static const leat_env_vtable harness_env = {.now_ms = harness_now_ms, .mono_us = harness_mono_us};
static const leat_operator_host harness_host = {.emit = harness_emit,
                                                .wake = harness_wake,
                                                .set_timer = harness_set_timer,
                                                .collect = harness_collect,
                                                .set_gauge = harness_set_gauge,
                                                .follow = harness_follow};

static inline void harness_start(harness *self, const leat_operator_factory *factory, leat_bytes *config,
                                 const leat_schema *output, const leat_restored *restored)
{
    self->env.vtable = &harness_env;
    self->context.host = &harness_host;
    self->context.env = &self->env;
    self->context.registry = &self->registry;
    if (!self->context.parallelism) self->context.parallelism = 1;
    if (!self->context.max_parallelism) self->context.max_parallelism = 128;
    self->context.has_checkpoints = !self->context.is_batch;
    if (!self->context.operator_name) self->context.operator_name = "test";
    self->output = output;
    self->timer_us = INT64_MAX;
    leat_error error = {0};
    leat_code code = factory->create(&self->context, config->data, config->size, &self->operator, & error);
    if (code != LEAT_OK) fail_msg("create: %s", error.text);
    code = self->operator->vtable->open(self->operator, restored, &error);
    if (code != LEAT_OK) fail_msg("open: %s", error.text);
}

static inline void harness_drain(harness *self, leat_progress progress)
{
    leat_error error = {0};
    while (progress == LEAT_AGAIN) {
        progress = LEAT_DONE;
        leat_code code = self->operator->vtable->resume(self->operator, & progress, &error);
        if (code != LEAT_OK) fail_msg("resume: %s", error.text);
    }
}

/* Takes the batch. */
static inline leat_code harness_process_code(harness *self, leat_batch *batch, leat_error *error)
{
    leat_progress progress = LEAT_DONE;
    leat_code code = self->operator->vtable->process_batch(self->operator, 0, &batch, &progress, error);
    leat_batch_free(batch);
    if (code == LEAT_OK) harness_drain(self, progress);
    return code;
}

static inline void harness_process(harness *self, leat_batch *batch)
{
    leat_error error = {0};
    if (harness_process_code(self, batch, &error) != LEAT_OK) fail_msg("process: %s", error.text);
}

static inline void harness_end(harness *self)
{
    leat_progress progress = LEAT_DONE;
    leat_error error = {0};
    if (!self->operator->vtable->end_input) return;
    assert_int_equal(self->operator->vtable->end_input(self->operator, & progress, &error), LEAT_OK);
    harness_drain(self, progress);
}

/* Moves time to the timer and fires it. */
static inline void harness_fire(harness *self)
{
    leat_progress progress = LEAT_DONE;
    leat_error error = {0};
    if (self->timer_us > self->now_us) self->now_us = self->timer_us;
    self->timer_us = INT64_MAX;
    leat_code code = self->operator->vtable->on_timer(self->operator, self->now_us, &progress, &error);
    if (code != LEAT_OK) fail_msg("timer: %s", error.text);
    harness_drain(self, progress);
}

static inline void harness_wake_up(harness *self)
{
    leat_progress progress = LEAT_DONE;
    leat_error error = {0};
    assert_int_equal(self->operator->vtable->on_wake(self->operator, & progress, &error), LEAT_OK);
    harness_drain(self, progress);
}

static inline leat_bytes harness_snapshot(harness *self)
{
    leat_operator_snapshot snapshot = {.checkpoint_id = 1};
    leat_progress progress = LEAT_DONE;
    leat_error error = {0};
    assert_int_equal(self->operator->vtable->snapshot(self->operator, & snapshot, &progress, &error), LEAT_OK);
    while (progress == LEAT_AGAIN)
        assert_int_equal(self->operator->vtable->snapshot_resume(self->operator, & snapshot, &progress, &error),
                         LEAT_OK);
    return snapshot.state;
}

static inline void harness_stop(harness *self)
{
    if (self->operator) self->operator->vtable->close(self->operator);
    leat_bytes_done(&self->lines);
    self->operator= NULL;
}

static inline void harness_expect(harness *self, const char *lines)
{
    assert_string_equal(self->lines.data ? (const char *)self->lines.data : "", lines);
    leat_bytes_reset(&self->lines);
    leat_bytes_text(&self->lines, "");
}

/* Rows of INT and STRING columns from text: "+I 1 a; -D NULL b". Columns by the schema. */
static inline leat_batch *harness_batch(const leat_schema *schema, const char *text)
{
    leat_batch_builder builder;
    leat_error error = {0};
    assert_int_equal(leat_batch_builder_init_schema(&builder, schema, LEAT_BATCH_ROWS_MAX, &error), LEAT_OK);
    char copy[4096], *row_state, *word_state;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *row = strtok_r(copy, ";", &row_state); row; row = strtok_r(NULL, ";", &row_state)) {
        char *word = strtok_r(row, " ", &word_state);
        leat_row_kind kind = LEAT_ROW_INSERT;
        for (int k = 0; k < 4; k++) {
            if (strcmp(word, leat_row_kind_text((leat_row_kind)k)) == 0) kind = (leat_row_kind)k;
        }
        assert_int_equal(leat_batch_builder_begin_row(&builder, kind, &error), LEAT_OK);
        for (int32_t c = 0; c < schema->fields_count; c++) {
            word = strtok_r(NULL, " ", &word_state);
            if (strcmp(word, "NULL") == 0) continue;
            if (leat_type_layout(&schema->fields[c].type) == LEAT_LAYOUT_VIEW) {
                assert_int_equal(leat_batch_builder_set_bytes(&builder, c, word, strlen(word), &error), LEAT_OK);
            } else {
                __int128 value = (__int128)strtoll(word, NULL, 10);
                leat_batch_builder_set_fixed(&builder, c, &value);
            }
        }
    }
    leat_batch *batch = NULL;
    assert_int_equal(leat_batch_builder_finish(&builder, &batch, &error), LEAT_OK);
    leat_batch_builder_done(&builder);
    return batch;
}

/* Runs the operator over batches, its end and a snapshot with the n-th allocation failing, for every n until nothing
 * fails. Nothing may crash or leak; the only failure is "no memory". */
static inline void harness_fail_allocations(const leat_operator_factory *factory, const leat_operator_context *context,
                                            const leat_registry *registry, const leat_bytes *config,
                                            leat_batch *const *batches, int count)
{
    for (int64_t n = 1;; n++) {
        harness test = {.context = *context};
        if (registry) test.registry = *registry;
        leat_bytes none = *config;
        test.env.vtable = &harness_env;
        test.context.host = &harness_host;
        test.context.env = &test.env;
        test.context.registry = &test.registry;
        test.context.parallelism = 1;
        test.context.max_parallelism = 128;
        test.context.has_checkpoints = !test.context.is_batch;
        leat_batch *given[8];
        for (int i = 0; i < count; i++)
            given[i] = leat_batch_share(batches[i]);
        leat_error error = {0};
        leat_memory_fail_nth(n);
        leat_code code = factory->create(&test.context, none.data, none.size, &test.operator, & error);
        if (code == LEAT_OK) code = test.operator->vtable->open(test.operator, NULL, &error);
        for (int i = 0; i < count; i++) {
            leat_progress progress = LEAT_DONE;
            if (code == LEAT_OK)
                code = test.operator->vtable->process_batch(test.operator, 0, &given[i], &progress, &error);
            while (code == LEAT_OK && progress == LEAT_AGAIN) {
                progress = LEAT_DONE;
                code = test.operator->vtable->resume(test.operator, & progress, &error);
            }
            leat_batch_free(given[i]);
        }
        if (code == LEAT_OK && test.operator->vtable->snapshot) {
            leat_operator_snapshot snapshot = {0};
            leat_progress progress = LEAT_DONE;
            code = test.operator->vtable->snapshot(test.operator, & snapshot, &progress, &error);
            while (code == LEAT_OK && progress == LEAT_AGAIN)
                code = test.operator->vtable->snapshot_resume(test.operator, & snapshot, &progress, &error);
            leat_bytes_done(&snapshot.state);
        }
        if (code == LEAT_OK && test.operator->vtable->end_input) {
            leat_progress progress = LEAT_DONE;
            code = test.operator->vtable->end_input(test.operator, & progress, &error);
        }
        leat_memory_fail_nth(0);
        harness_stop(&test);
        if (code == LEAT_OK) return;
        assert_int_equal(code, LEAT_NO_MEMORY);
        assert_true(n < 5000);
    }
}
