#include "tests/integration/cdc_readers.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/cdc.h"

static void add_saying(leat_enumerator_context *context, cdc_saying saying, const uint8_t *data, size_t size)
{
    cdc_readers *self = (cdc_readers *)context;
    if (self->sayings_count == CDC_SAYINGS_MAX) abort();
    if (size) leat_bytes_put(&saying.data, data, size);
    self->sayings[self->sayings_count++] = saying;
}

static void say_assign(leat_enumerator_context *context, int32_t subtask, const uint8_t *split, size_t size)
{
    add_saying(context, (cdc_saying){.subtask = subtask, .is_split = true}, split, size);
}

static void say_no_more(leat_enumerator_context *context, int32_t subtask)
{
    add_saying(context, (cdc_saying){.subtask = subtask, .is_no_more = true}, NULL, 0);
}

static void say_event(leat_enumerator_context *context, int32_t subtask, const uint8_t *event, size_t size)
{
    add_saying(context, (cdc_saying){.subtask = subtask}, event, size);
}

static void say_poll_after(leat_enumerator_context *context, int64_t ms)
{
    (void)context;
    (void)ms;
}

static void on_batch(test_host *host, leat_batch *batch)
{
    cdc_readers *self = ((cdc_reader_host *)host)->readers;
    self->take_batch(self->made, host->context.subtask, batch);
}

static leat_code on_event(test_host *host, const uint8_t *event, size_t size, leat_error *error)
{
    cdc_readers *self = ((cdc_reader_host *)host)->readers;
    const leat_enumerator_vtable *vtable = self->enumerator->vtable;
    if (!event) return vtable->on_request(self->enumerator, host->context.subtask, error);
    return vtable->on_event(self->enumerator, host->context.subtask, event, size, error);
}

void cdc_readers_init(cdc_readers *self, leat_env *env, int count, changelog *made)
{
    static const leat_config no_config;
    *self = (cdc_readers){.context = {.env = env,
                                      .config = &no_config,
                                      .job_id = "00000000000000000000000000000000",
                                      .parallelism = count,
                                      .assign = say_assign,
                                      .no_more_splits = say_no_more,
                                      .send_event = say_event,
                                      .poll_after = say_poll_after},
                          .count = count,
                          .made = made};
    for (int i = 0; i < count; i++) {
        cdc_reader_host *reader = &self->hosts[i];
        test_host_init(&reader->host, env);
        reader->host.context.subtask = i;
        reader->host.context.parallelism = count;
        reader->host.on_batch = on_batch;
        reader->host.on_event = on_event;
        reader->readers = self;
    }
}

leat_code cdc_readers_open(cdc_readers *self, const leat_bytes *config, leat_error *error)
{
    static const size_t nothing[CDC_READERS_MAX];
    changelog_return(self->made, self->has_kept ? self->kept_marks : nothing);
    for (int i = 0; i < self->count; i++) /* what is left moved up */
        self->kept_marks[i] = changelog_mark(self->made);
    if (self->count > 1) {
        const leat_enumerator_factory *factory = &leat_mysql_cdc_enumerator_factory;
        LEAT_TRY(factory->create(&self->context, config->data, config->size, &self->enumerator, error));
        self->enumerator->context = &self->context;
        LEAT_TRY(self->enumerator->vtable->start(self->enumerator, self->has_kept ? self->enumerator_kept.data : NULL,
                                                 self->enumerator_kept.size, error));
    }
    for (int i = 0; i < self->count; i++) {
        cdc_reader_host *reader = &self->hosts[i];
        const leat_bytes *state = self->has_kept && reader->kept.size ? &reader->kept : NULL;
        LEAT_TRY(test_host_open(&reader->host, &leat_mysql_cdc_factory, config, state, error));
    }
    return LEAT_OK;
}

static leat_code deliver(cdc_readers *self, const cdc_saying *saying, leat_error *error)
{
    test_host *host = &self->hosts[saying->subtask].host;
    leat_operator *op = host->op;
    if (host->status == LEAT_SOURCE_IDLE) host->status = LEAT_SOURCE_MORE;
    if (saying->is_split) return op->vtable->add_split(op, saying->data.data, saying->data.size, error);
    if (saying->is_no_more) return op->vtable->no_more_splits(op, error);
    return op->vtable->on_event(op, saying->data.data, saying->data.size, error);
}

/* Held back for readers that have not cut the checkpoint which the enumerator has. */
static leat_code deliver_all(cdc_readers *self, leat_error *error)
{
    int kept = 0;
    leat_code code = LEAT_OK;
    for (int i = 0; i < self->sayings_count; i++) {
        cdc_saying saying = self->sayings[i];
        if (self->checkpoint && !self->hosts[saying.subtask].is_cut) {
            self->sayings[kept++] = saying;
            continue;
        }
        if (code == LEAT_OK) code = deliver(self, &saying, error);
        leat_bytes_done(&saying.data);
    }
    self->sayings_count = kept;
    return code;
}

leat_code cdc_readers_turn(cdc_readers *self, int wait_ms, leat_error *error)
{
    LEAT_TRY(deliver_all(self, error));
    for (int i = 0; i < self->count; i++)
        LEAT_TRY(test_host_turn(&self->hosts[i].host, wait_ms / self->count, error));
    return LEAT_OK;
}

leat_code cdc_readers_begin_checkpoint(cdc_readers *self, int64_t id, leat_error *error)
{
    for (int i = 0; i < self->count; i++)
        self->hosts[i].is_cut = false;
    leat_bytes_reset(&self->enumerator_state);
    /* What was said before the cut is under way already. */
    LEAT_TRY(deliver_all(self, error));
    if (self->enumerator)
        LEAT_TRY(self->enumerator->vtable->snapshot(self->enumerator, id, &self->enumerator_state, error));
    self->checkpoint = id;
    return LEAT_OK;
}

static void keep(leat_bytes *to, leat_bytes *from)
{
    leat_bytes_done(to);
    *to = *from;
    *from = (leat_bytes){0};
}

leat_code cdc_readers_cut(cdc_readers *self, int reader, leat_error *error)
{
    cdc_reader_host *host = &self->hosts[reader];
    if (!self->checkpoint || host->is_cut) return LEAT_OK;
    LEAT_TRY(test_host_snapshot(&host->host, self->checkpoint, &host->state, error));
    self->marks[reader] = changelog_mark(self->made);
    host->is_cut = true;
    for (int i = 0; i < self->count; i++)
        if (!self->hosts[i].is_cut) return LEAT_OK;
    int64_t id = self->checkpoint;
    self->checkpoint = 0;
    self->has_kept = true;
    keep(&self->enumerator_kept, &self->enumerator_state);
    for (int i = 0; i < self->count; i++)
        keep(&self->hosts[i].kept, &self->hosts[i].state);
    memcpy(self->kept_marks, self->marks, sizeof self->marks);
    return self->enumerator ? self->enumerator->vtable->checkpoint_complete(self->enumerator, id, error) : LEAT_OK;
}

void cdc_readers_close(cdc_readers *self)
{
    for (int i = 0; i < self->count; i++)
        test_host_close(&self->hosts[i].host);
    if (self->enumerator) self->enumerator->vtable->close(self->enumerator);
    self->enumerator = NULL;
    for (int i = 0; i < self->sayings_count; i++)
        leat_bytes_done(&self->sayings[i].data);
    self->sayings_count = 0;
    self->checkpoint = 0;
}

void cdc_readers_done(cdc_readers *self)
{
    leat_bytes_done(&self->enumerator_state);
    leat_bytes_done(&self->enumerator_kept);
    for (int i = 0; i < self->count; i++) {
        leat_bytes_done(&self->hosts[i].state);
        leat_bytes_done(&self->hosts[i].kept);
    }
}
