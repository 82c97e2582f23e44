// clang-format off
#include "tests/unit.h"
// clang-format on
#include <string.h>

#include "connectors/mysql/cdc_reader.h"

/* An enumerator of two readers whose one table is cut in two parts, both assigned: it needs no server any more. */
typedef struct stage {
    leat_enumerator_context context; /* first */
    leat_enumerator *enumerator;
    leat_bytes said; /* "0:rest 1:known-1 0:split-… 1:no-more " */
    leat_bytes state;
} stage;

static void say_split(leat_enumerator_context *context, int32_t subtask, const uint8_t *split, size_t size)
{
    stage *self = (stage *)context;
    leat_reader reader;
    leat_reader_init(&reader, split, size);
    uint32_t number = leat_reader_u32(&reader);
    leat_bytes_format(&self->said, "%d:%s ", subtask, number == LEAT_CDC_STREAM ? "stream" : "part");
    leat_bytes_put(&self->state, reader.at, leat_reader_left(&reader));
}

static void say_no_more(leat_enumerator_context *context, int32_t subtask)
{
    leat_bytes_format(&((stage *)context)->said, "%d:no-more ", subtask);
}

static void say_event(leat_enumerator_context *context, int32_t subtask, const uint8_t *event, size_t size)
{
    leat_reader reader;
    leat_reader_init(&reader, event, size);
    uint32_t number = leat_reader_u32(&reader);
    if (number == LEAT_CDC_REST)
        leat_bytes_format(&((stage *)context)->said, "%d:rest ", subtask);
    else
        leat_bytes_format(&((stage *)context)->said, "%d:known-%u ", subtask, number);
}

static leat_field fields[] = {{"id", {.kind = LEAT_TYPE_INT}}};

static void make_config(leat_bytes *out)
{
    leat_cdc_config config = {.address = {.host = "h", .user = "u", .password = "p"},
                              .database_pattern = "d",
                              .table_pattern = "t",
                              .schema = {1, fields},
                              .chunk_rows = 10,
                              .is_parallel = true};
    leat_cdc_config_write(&config, out);
}

/* What it would have cut at this point. */
static void make_state(leat_bytes *out)
{
    leat_mysql_column column = {.name = "id", .type_text = "int(11)", .kind = LEAT_MYSQL_INT, .comment = ""};
    int32_t key = 0;
    leat_cdc_table table = {.definition = {.database = "d",
                                           .name = "t",
                                           .comment = "",
                                           .columns = &column,
                                           .columns_count = 1,
                                           .primary_key = &key,
                                           .primary_key_count = 1}};
    leat_cdc_reader plan = {.phase = LEAT_CDC_PHASE_SNAPSHOT, .tables = &table, .tables_count = 1, .at_table = 1};
    leat_bytes bytes = {0};
    leat_cdc_write_state(&plan, &bytes);
    leat_bytes_put_u8(out, 1);
    leat_bytes_put_u8(out, false);
    leat_bytes_put_block(out, bytes.data, bytes.size);
    leat_bytes_put_text(out, NULL);
    leat_bytes_put_u32(out, 2);
    for (int i = 0; i < 2; i++) {
        leat_bytes_put_u32(out, 0);
        leat_bytes_put_block(out, NULL, 0);
    }
    leat_bytes_done(&bytes);
}

static void start(stage *self, const leat_bytes *state)
{
    leat_bytes config = {0};
    make_config(&config);
    *self = (stage){
        .context = {.parallelism = 2, .assign = say_split, .no_more_splits = say_no_more, .send_event = say_event}};
    assert_int_equal(leat_env_system_new(1, 4, &self->context.env, NULL), LEAT_OK);
    assert_int_equal(
        leat_mysql_cdc_enumerator_factory.create(&self->context, config.data, config.size, &self->enumerator, NULL),
        LEAT_OK);
    self->enumerator->context = &self->context;
    assert_int_equal(self->enumerator->vtable->start(self->enumerator, state->data, state->size, NULL), LEAT_OK);
    leat_bytes_done(&config);
}

static void end(stage *self)
{
    self->enumerator->vtable->close(self->enumerator);
    leat_env_system_free(self->context.env);
    leat_bytes_done(&self->said);
    leat_bytes_done(&self->state);
}

static void is_read(stage *self, int32_t subtask, uint32_t number, const char *upper, uint64_t position)
{
    leat_cdc_segment segment = {.upper = (char *)(uintptr_t)upper, .high = {"b.1", position}};
    const leat_cdc_reader reader = {.segments = &segment, .segments_count = 1};
    leat_bytes event = {0};
    leat_bytes_put_u32(&event, number);
    leat_cdc_reader_write_segments(&reader, &event);
    assert_int_equal(self->enumerator->vtable->on_event(self->enumerator, subtask, event.data, event.size, NULL),
                     LEAT_OK);
    leat_bytes_done(&event);
}

static void cut(stage *self, int64_t id, leat_bytes *out)
{
    leat_bytes_reset(out);
    assert_int_equal(self->enumerator->vtable->snapshot(self->enumerator, id, out, NULL), LEAT_OK);
}

static void complete(stage *self, int64_t id)
{
    assert_int_equal(self->enumerator->vtable->checkpoint_complete(self->enumerator, id, NULL), LEAT_OK);
}

static void the_log_follows_a_checkpoint_with_all_parts(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    make_state(&bytes);
    stage self;
    start(&self, &bytes);
    const leat_enumerator_vtable *vtable = self.enumerator->vtable;
    assert_int_equal(vtable->on_request(self.enumerator, 0, NULL), LEAT_OK);
    is_read(&self, 1, 1, NULL, 300);
    cut(&self, 4, &bytes);
    is_read(&self, 0, 0, "10", 200);
    is_read(&self, 1, 1, NULL, 900); /* told again: known already */
    complete(&self, 4);              /* was cut too early */
    assert_string_equal((const char *)self.said.data, "0:rest 1:known-1 0:known-0 1:known-1 ");
    cut(&self, 5, &bytes);
    leat_bytes_reset(&self.said);
    complete(&self, 5);
    complete(&self, 6);
    assert_int_equal(vtable->on_request(self.enumerator, 1, NULL), LEAT_OK);
    assert_string_equal((const char *)self.said.data, "0:stream 1:no-more 1:no-more ");
    leat_cdc_reader *reader;
    const leat_cdc_config config = {.schema = {1, fields}};
    assert_int_equal(leat_cdc_reader_new(&config, self.context.env, self.state.data, self.state.size, &reader, NULL),
                     LEAT_OK);
    assert_int_equal(reader->phase, LEAT_CDC_PHASE_STREAM);
    assert_int_equal(reader->safe.position, 200);
    assert_int_equal(reader->segments_count, 2);
    assert_string_equal(reader->segments[0].upper, "10");
    assert_int_equal(reader->segments[1].high.position, 300);
    leat_cdc_reader_free(reader);
    end(&self);
    leat_bytes_done(&bytes);
}

static void a_restored_enumerator_knows_what_was_read(void **state)
{
    (void)state;
    leat_bytes bytes = {0}, kept = {0};
    make_state(&bytes);
    stage self;
    start(&self, &bytes);
    is_read(&self, 1, 0, "10", 300);
    cut(&self, 1, &kept);
    end(&self);
    start(&self, &kept);
    is_read(&self, 1, 0, "10", 300);
    is_read(&self, 0, 1, NULL, 300);
    cut(&self, 2, &bytes);
    leat_bytes_reset(&self.said);
    complete(&self, 2);
    assert_string_equal((const char *)self.said.data, "0:stream 1:no-more ");
    cut(&self, 3, &kept);
    end(&self);
    start(&self, &kept); /* a reader has the log: there is nothing more, and nothing to be told anew */
    assert_int_equal(self.enumerator->vtable->on_request(self.enumerator, 1, NULL), LEAT_OK);
    is_read(&self, 1, 0, "10", 300);
    assert_string_equal((const char *)self.said.data, "1:no-more 1:known-0 ");
    end(&self);
    leat_bytes_done(&bytes);
    leat_bytes_done(&kept);
}

static void broken_states_and_events_are_errors(void **state)
{
    (void)state;
    leat_bytes bytes = {0}, config = {0};
    make_state(&bytes);
    make_config(&config);
    stage self;
    start(&self, &bytes);
    assert_int_equal(self.enumerator->vtable->on_event(self.enumerator, 0, bytes.data, 2, NULL), LEAT_CORRUPT);
    for (size_t size = 1; size < bytes.size; size++) {
        leat_enumerator *other;
        assert_int_equal(
            leat_mysql_cdc_enumerator_factory.create(&self.context, config.data, config.size, &other, NULL), LEAT_OK);
        other->context = &self.context;
        assert_int_not_equal(other->vtable->start(other, bytes.data, size, NULL), LEAT_OK);
        other->vtable->close(other);
    }
    end(&self);
    leat_bytes_done(&bytes);
    leat_bytes_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_follows_a_checkpoint_with_all_parts),
        cmocka_unit_test(a_restored_enumerator_knows_what_was_read),
        cmocka_unit_test(broken_states_and_events_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
