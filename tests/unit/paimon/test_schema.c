#include "tests/unit.h"

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/catalog.h"
#include "paimon/option_names.h"
#include "paimon/path.h"
#include "paimon/snapshot.h"
#include "tests/unit/paimon/env.h"

static leat_storage *storage;
static test_env world;
static leat_arena arena;

static int set_up(void **state)
{
    (void)state;
    if (leat_storage_memory_new(&storage, NULL) != LEAT_OK) return 1;
    test_env_init(&world, storage);
    leat_arena_init(&arena, 64 << 20);
    return leat_paimon_create_database(&world.env, "mem:/w", "db", NULL) != LEAT_OK;
}

static int tear_down(void **state)
{
    (void)state;
    leat_arena_done(&arena);
    leat_storage_free(storage);
    return 0;
}

static leat_type type_of(const char *text)
{
    leat_type type;
    assert_int_equal(leat_type_parse(text, &arena, &type, NULL), LEAT_OK);
    return type;
}

static leat_code parse(const char *text, leat_paimon_schema *out, leat_error *error)
{
    return leat_paimon_schema_parse(text, strlen(text), &arena, out, error);
}

static void old_versions_get_their_defaults(void **state)
{
    (void)state;
    leat_paimon_schema schema;
    assert_int_equal(parse("{\"fields\":[],\"options\":{}}", &schema, NULL), LEAT_OK);
    assert_string_equal(leat_config_find(&schema.options, "bucket"), "1");
    assert_string_equal(leat_config_find(&schema.options, "file.format"), "orc");
    leat_paimon_schema_done(&schema);
    assert_int_equal(parse("{\"version\":2,\"fields\":[],\"options\":{\"file.format\":\"avro\"}}", &schema, NULL),
                     LEAT_OK);
    assert_null(leat_config_find(&schema.options, "bucket"));
    assert_string_equal(leat_config_find(&schema.options, "file.format"), "avro");
    leat_paimon_schema_done(&schema);
}

static void unknown_types_are_kept_and_refused_by_name(void **state)
{
    (void)state;
    leat_paimon_schema schema;
    leat_error error = {0};
    static const char text[] =
        "{\"version\":3,\"fields\":[{\"id\":0,\"name\":\"k\",\"type\":\"int not null\"},"
        "{\"id\":3,\"name\":\"doc\",\"type\":\"VARIANT\",\"new\":1}],\"highestFieldId\":3,\"options\":{}}";
    assert_int_equal(parse(text, &schema, &error), LEAT_OK);
    assert_false(schema.fields[0].type.nullable);
    leat_schema columns;
    assert_int_equal(leat_paimon_schema_columns(&schema, &arena, &columns, &error), LEAT_UNSUPPORTED);
    assert_non_null(strstr(error.text, "'doc' is of type \"VARIANT\""));
    leat_bytes out = {0};
    assert_int_equal(leat_paimon_schema_print(&schema, &out, NULL), LEAT_OK);
    assert_non_null(strstr((const char *)out.data, "\"type\" : \"VARIANT\""));
    leat_bytes_done(&out);
    leat_paimon_schema_done(&schema);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{",
        "{\"fields\":3}",
        "{\"fields\":[{\"id\":0}]}",
        "{\"fields\":[{\"id\":0,\"name\":\"a\"}]}",
        "{\"fields\":[{\"id\":\"0\",\"name\":\"a\",\"type\":\"INT\"}]}",
        "{\"fields\":[],\"options\":{\"a\":1}}",
        "{\"fields\":[],\"primaryKeys\":[1]}",
        "{\"fields\":[],\"highestFieldId\":99999999999}",
        "{\"fields\":[{\"id\":0,\"name\":\"a\",\"type\":{\"type\":\"ROW\",\"fields\":[{\"type\":\"INT\"}]}}]}",
    };
    leat_paimon_schema schema;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(parse(texts[i], &schema, NULL), LEAT_CORRUPT);
    leat_paimon_snapshot snapshot;
    static const char *const snapshots[] = {"", "{}", "{\"id\":1,\"commitKind\":\"APPEND\"}", "{\"version\":\"3\"}"};
    for (size_t i = 0; i < sizeof snapshots / sizeof *snapshots; i++)
        assert_int_equal(leat_paimon_snapshot_parse(snapshots[i], strlen(snapshots[i]), &arena, &snapshot, NULL),
                         LEAT_CORRUPT);
}

/* layout.md §2, as measured: c_row 28, x 29, y 30, w 31, z 32; the next column 33. Here from 0. */
static void nested_fields_are_numbered_children_first(void **state)
{
    (void)state;
    leat_paimon_new_column columns[] = {
        {.name = "c_row", .type = type_of("ROW<`x` INT, `y` INT, `z` ROW<`w` STRING>>")},
        {.name = "m", .type = type_of("MAP<INT, ARRAY<ROW<`a` INT, `b` INT>>>")},
        {.name = "last", .type = type_of("DECIMAL(10, 2)")}};
    leat_paimon_new_table table = {.database = "db", .name = "nested", .columns = columns, .columns_count = 3};
    assert_int_equal(leat_paimon_create_table(&world.env, "mem:/w", &table, NULL), LEAT_OK);
    leat_paimon_table made;
    assert_int_equal(leat_paimon_get_table(&world.env, "mem:/w", "db", "nested", &arena, &made, NULL), LEAT_OK);
    assert_string_equal(made.schema.fields[0].type_json,
                        "{\"type\":\"ROW\",\"fields\":[{\"id\":1,\"name\":\"x\",\"type\":\"INT\"},{\"id\":2,\"name\":"
                        "\"y\",\"type\":\"INT\"},"
                        "{\"id\":4,\"name\":\"z\",\"type\":{\"type\":\"ROW\",\"fields\":[{\"id\":3,\"name\":\"w\","
                        "\"type\":\"STRING\"}]}}]}");
    assert_int_equal(made.schema.fields[1].id, 5);
    assert_non_null(strstr(made.schema.fields[1].type_json, "{\"id\":6,\"name\":\"a\""));
    assert_int_equal(made.schema.fields[2].id, 8);
    assert_int_equal(made.schema.highest_field_id, 8);
    assert_string_equal(made.schema.comment, "");
    leat_paimon_table_done(&made);
}

static leat_code create_with(const char *keys, const char *partition, const char *option, const char *value,
                             leat_error *error)
{
    leat_paimon_new_column columns[] = {{.name = "a", .type = type_of("INT")},
                                        {.name = "b", .type = type_of("STRING")}};
    leat_config options = {0};
    if (option) assert_int_equal(leat_config_set(&options, option, value, NULL), LEAT_OK);
    leat_paimon_new_table table = {.database = "db",
                                   .name = "checked",
                                   .columns = columns,
                                   .columns_count = 2,
                                   .options = &options,
                                   .primary_keys = &keys,
                                   .primary_keys_count = keys ? 1 : 0,
                                   .partition_keys = &partition,
                                   .partition_keys_count = partition ? 1 : 0};
    leat_code code = leat_paimon_create_table(&world.env, "mem:/w", &table, error);
    leat_config_done(&options);
    return code;
}

static void definitions_are_checked(void **state)
{
    (void)state;
    leat_error error = {0};
    assert_int_equal(create_with("nope", NULL, NULL, NULL, &error), LEAT_INVALID);
    assert_int_equal(create_with("a", "a", NULL, NULL, &error), LEAT_INVALID);
    assert_int_equal(create_with(NULL, NULL, "bucket", "0", &error), LEAT_INVALID);
    assert_int_equal(create_with(NULL, NULL, "bucket", "4", &error), LEAT_INVALID); /* no bucket-key */
    assert_int_equal(create_with("a", NULL, "bucket-key", "b", &error), LEAT_INVALID);
    assert_int_equal(create_with("a", NULL, "merge-engine", "magic", &error), LEAT_INVALID);
    assert_non_null(strstr(error.hint, "aggregation"));
    assert_int_equal(create_with(NULL, NULL, "changelog-producer", "input", &error), LEAT_INVALID);
    assert_int_equal(create_with(NULL, NULL, "row-tracking.enabled", "true", &error), LEAT_UNSUPPORTED);
    assert_non_null(strstr(error.text, "row-tracking.enabled"));
    assert_int_equal(create_with("a", "b", "bucket", "2", &error), LEAT_OK);
}

static void dynamic_options_do_not_change_what_is_fixed(void **state)
{
    (void)state;
    assert_int_equal(create_with("a", NULL, "bucket", "2", NULL), LEAT_OK);
    leat_config hints = {0};
    assert_int_equal(leat_config_set(&hints, "bucket", "3", NULL), LEAT_OK);
    leat_paimon_table table;
    assert_int_equal(leat_paimon_open_table(&world.env, "mem:/w/db.db/checked", &hints, &arena, &table, NULL),
                     LEAT_INVALID);
    assert_int_equal(leat_config_set(&hints, "bucket", "2", NULL), LEAT_OK);
    assert_int_equal(leat_config_set(&hints, "scan.mode", "latest", NULL), LEAT_OK);
    assert_int_equal(leat_paimon_open_table(&world.env, "mem:/w/db.db/checked/", &hints, &arena, &table, NULL),
                     LEAT_OK);
    assert_string_equal(table.database, "db");
    assert_string_equal(table.name, "checked");
    assert_string_equal(leat_config_find(&table.schema.options, "scan.mode"), "latest");
    leat_paimon_table_done(&table);
    leat_config_done(&hints);
}

static void assert_escaped(const char *text, const char *wanted)
{
    leat_bytes out = {0};
    leat_paimon_path_escape(text, strlen(text), &out);
    assert_string_equal((const char *)out.data, wanted);
    leat_bytes_done(&out);
}

static void partition_folders_are_named_as_paimon_does(void **state)
{
    (void)state;
    assert_escaped("a/b=c%d e:f", "a%2Fb%3Dc%25d e%3Af");
    assert_escaped("\xc3\xa9t\xc3\xa9 \xe6\xbc\xa2", "\xc3\xa9t\xc3\xa9 \xe6\xbc\xa2");
    assert_escaped("\x7f\x01", "%7F%01");
    leat_paimon_field fields[] = {{.name = "dt", .type = type_of("DATE")}, {.name = "s:", .type = type_of("STRING")}};
    const char *keys[] = {"dt", "s:"};
    leat_paimon_schema schema = {
        .fields = fields, .fields_count = 2, .partition_keys = keys, .partition_keys_count = 2};
    leat_bytes row = {0};
    leat_binary_row_writer writer;
    leat_binary_row_begin(&writer, &row, 2, true);
    leat_binary_row_set(&writer, 0, &fields[0].type, &(leat_paimon_value){.integer = 19754});
    leat_binary_row_set(&writer, 1, &fields[1].type, &(leat_paimon_value){.bytes = {(const uint8_t *)"  ", 2}});
    const char *path;
    assert_int_equal(leat_paimon_bucket_path("/t", &schema, row.data, row.size, 3, &arena, &path, NULL), LEAT_OK);
    assert_string_equal(path, "/t/dt=19754/s%3A=__DEFAULT_PARTITION__/bucket-3");
    assert_int_equal(leat_config_set(&schema.options, "partition.legacy-name", "false", NULL), LEAT_OK);
    assert_int_equal(leat_config_set(&schema.options, "data-file.path-directory", "data", NULL), LEAT_OK);
    assert_int_equal(leat_paimon_bucket_path("/t", &schema, row.data, row.size, -2, &arena, &path, NULL), LEAT_OK);
    assert_string_equal(path, "/t/data/dt=2024-02-01/s%3A=__DEFAULT_PARTITION__/bucket-postpone");
    assert_int_equal(leat_paimon_bucket_path("/t", &schema, leat_binary_row_empty, LEAT_BINARY_ROW_EMPTY_SIZE, 0,
                                             &arena, &path, NULL),
                     LEAT_CORRUPT);
    leat_config_done(&schema.options);
    leat_bytes_done(&row);
}

static void put(const char *path, const char *text)
{
    assert_int_equal(leat_storage_put(storage, path, text, strlen(text), LEAT_PUT_REPLACE, NULL), LEAT_OK);
}

static void hints_may_be_stale_absent_or_nonsense(void **state)
{
    (void)state;
    int64_t id;
    assert_int_equal(leat_paimon_snapshot_latest_id(&world.env, "mem:/t", &id, NULL), LEAT_OK);
    assert_int_equal(id, 0);
    put("mem:/t/snapshot/snapshot-9", "{}");
    put("mem:/t/snapshot/snapshot-10", "{}");
    put("mem:/t/snapshot/snapshot-11.tmp", "{}"); /* of another writer */
    assert_int_equal(leat_paimon_snapshot_latest_id(&world.env, "mem:/t", &id, NULL), LEAT_OK);
    assert_int_equal(id, 10);
    static const char *const hints[] = {"9", "12", "", "ten", "-1", "10", "10\n"};
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        put("mem:/t/snapshot/LATEST", hints[i]);
        put("mem:/t/snapshot/EARLIEST", hints[i][0] == '1' && hints[i][1] == '0' ? "9" : hints[i]);
        assert_int_equal(leat_paimon_snapshot_latest_id(&world.env, "mem:/t", &id, NULL), LEAT_OK);
        assert_int_equal(id, 10);
        assert_int_equal(leat_paimon_snapshot_earliest_id(&world.env, "mem:/t", &id, NULL), LEAT_OK);
        assert_int_equal(id, 9);
    }
}

static void an_option_that_paimon_lacks_is_named_with_its_neighbour(void **state)
{
    (void)state;
    static const struct {
        const char *key, *warning;
    } cases[] = {
        {"bucket", NULL},
        {"fields.a.b.aggregate-function", NULL},
        {"fields.a,b.sequence-group", NULL},
        {"file-index.bloom-filter.c.fpp", NULL},
        {"s3.anything", NULL},
        {"buckett", "The option 'buckett' is not one of Paimon's and has no effect; did you mean 'bucket'?\n"},
        {"changelog_producer", "The option 'changelog_producer' is not one of Paimon's and has no effect; did you mean "
                               "'changelog-producer'?\n"},
        {"fields..aggregate-function",
         "The option 'fields..aggregate-function' is not one of Paimon's and has no effect"
         "; did you mean 'fields.#.aggregate-function'?\n"},
        {"zzzzzz", "The option 'zzzzzz' is not one of Paimon's and has no effect\n"},
        {"", "The option '' is not one of Paimon's and has no effect\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_config options = {0};
        leat_bytes warnings = {0};
        assert_int_equal(leat_config_set(&options, cases[i].key, "1", NULL), LEAT_OK);
        leat_paimon_warn_of_options(&options, &warnings);
        if (cases[i].warning)
            assert_string_equal((const char *)warnings.data, cases[i].warning);
        else
            assert_int_equal(warnings.size, 0);
        leat_bytes_done(&warnings);
        leat_config_done(&options);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_option_that_paimon_lacks_is_named_with_its_neighbour),
        TEST(old_versions_get_their_defaults),
        TEST(unknown_types_are_kept_and_refused_by_name),
        TEST(broken_files_are_refused),
        TEST(nested_fields_are_numbered_children_first),
        TEST(definitions_are_checked),
        TEST(dynamic_options_do_not_change_what_is_fixed),
        TEST(partition_folders_are_named_as_paimon_does),
        TEST(hints_may_be_stale_absent_or_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
