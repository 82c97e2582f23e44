/* The action mysql_sync_table up to the job graph, against a real MariaDB (MYSQL_PORT; tests/integration/with_mariadb).
 */
// clang-format off
#include "tests/unit.h"
// clang-format on
#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/client.h"
#include "connectors/mysql/sync_table.h"
#include "paimon/catalog.h"
#include "proto/graph.pb-c.h"
#include "storage/storage.h"

static leat_env *env;
static char port_text[16];
static char warehouse[64];
static const char *parallelism; /* parallelism.default of the jobs planned; NULL: not set */

static void sql(const char *const *statements)
{
    leat_mysql_address where = {
        .host = "127.0.0.1", .port = (uint16_t)strtol(port_text, NULL, 10), .user = "root", .password = "root"};
    MYSQL *mysql = NULL;
    leat_error error = {0};
    if (leat_mysql_connect(&where, &mysql, &error) != LEAT_OK) fail_msg("%s", error.text);
    for (; *statements; statements++)
        if (leat_mysql_run(mysql, *statements, "test", &error) != LEAT_OK) fail_msg("%s", error.text);
    leat_mysql_close(mysql);
}

static leat_code plan(const leat_action_argument *more, size_t more_count, Leat__Pb__JobGraph **graph,
                      leat_error *error)
{
    char port_pair[32];
    snprintf(port_pair, sizeof port_pair, "port=%s", port_text);
    leat_action_argument arguments[32] = {{"warehouse", warehouse},
                                          {"database", "default"},
                                          {"mysql-conf", "hostname=localhost"},
                                          {"mysql_conf", port_pair},
                                          {"mysql_conf", "username=root"},
                                          {"mysql_conf", "password=root"},
                                          {"mysql_conf", "database-name=sync_test"}};
    size_t count = 7;
    for (size_t i = 0; i < more_count; i++)
        arguments[count++] = more[i];
    leat_config config = {0};
    leat_arena arena;
    leat_arena_init(&arena, 16 << 20);
    leat_bytes packed = {0};
    const char *name = NULL;
    leat_code code = parallelism ? leat_config_set(&config, "parallelism.default", parallelism, error) : LEAT_OK;
    if (code == LEAT_OK)
        code = leat_mysql_sync_table(env, &config, NULL, arguments, count, &arena, &packed, &name, error);
    if (code == LEAT_OK && graph) *graph = leat__pb__job_graph__unpack(NULL, packed.size, packed.data);
    leat_bytes_done(&packed);
    leat_arena_done(&arena);
    leat_config_done(&config);
    return code;
}

static void check_schema(const char *table, const char *wanted)
{
    leat_arena arena;
    leat_arena_init(&arena, 16 << 20);
    leat_paimon_table found = {0};
    leat_error error = {0};
    if (leat_paimon_get_table(env, warehouse, "default", table, &arena, &found, &error) != LEAT_OK)
        fail_msg("%s", error.text);
    leat_bytes text = {0};
    leat_bytes_format(&text, "%lld:", (long long)found.schema.id);
    for (int32_t i = 0; i < found.schema.fields_count; i++) {
        leat_bytes_format(&text, " %s ", found.schema.fields[i].name);
        leat_type_print(&found.schema.fields[i].type, true, &text);
    }
    for (int32_t i = 0; i < found.schema.primary_keys_count; i++)
        leat_bytes_format(&text, " KEY %s", found.schema.primary_keys[i]);
    const char *producer = leat_config_find(&found.schema.options, "changelog-producer");
    if (producer) leat_bytes_format(&text, " producer %s", producer);
    assert_string_equal((const char *)text.data, wanted);
    leat_bytes_done(&text);
    leat_paimon_table_done(&found);
    leat_arena_done(&arena);
}

static void a_table_is_made_and_the_job_planned(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "CREATE OR REPLACE DATABASE sync_test",
        "CREATE TABLE sync_test.clients (client_id INT PRIMARY KEY, full_name VARCHAR(64) COMMENT 'who', country "
        "VARCHAR(64), "
        "zip VARCHAR(6), balance DECIMAL(10,2), flag TINYINT(1), at DATETIME(3) NOT NULL)",
        "CREATE TABLE sync_test.bare (a INT)", NULL};
    sql(statements);
    const leat_action_argument arguments[] = {{"table", "clients"},
                                              {"primary_keys", "client_id"},
                                              {"mysql_conf", "table-name=clients"},
                                              {"table-conf", "changelog-producer=input"},
                                              {"table_conf", "sink.parallelism=4"}};
    Leat__Pb__JobGraph *graph = NULL;
    leat_error error = {0};
    if (plan(arguments, 5, &graph, &error) != LEAT_OK) fail_msg("%s (%s)", error.text, error.hint);
    assert_string_equal(graph->name, "MySQL-Paimon Table Sync: default.clients");
    assert_true(graph->n_vertices >= 2);
    assert_true(graph->vertices[0]->is_source);
    assert_int_equal(graph->vertices[0]->parallelism, 1);
    const Leat__Pb__Vertex *last = graph->vertices[graph->n_vertices - 1];
    assert_int_equal(last->parallelism, 4);
    assert_non_null(last->committer);
    assert_int_equal(graph->n_edges, graph->n_vertices - 1);
    bool has_interval = false;
    for (size_t i = 0; i < graph->n_config; i++)
        has_interval = has_interval || strcmp(graph->config[i]->key, "execution.checkpointing.interval") == 0;
    assert_true(has_interval);
    leat__pb__job_graph__free_unpacked(graph, NULL);
    check_schema("clients",
                 "0: client_id INT NOT NULL full_name VARCHAR(64) country VARCHAR(64) zip VARCHAR(6) balance "
                 "DECIMAL(10, 2) flag BOOLEAN at TIMESTAMP(3) NOT NULL KEY client_id producer input");
    /* Several readers need an enumerator. */
    parallelism = "3";
    if (plan(arguments, 5, &graph, &error) != LEAT_OK) fail_msg("%s (%s)", error.text, error.hint);
    parallelism = NULL;
    assert_int_equal(graph->vertices[0]->parallelism, 3);
    assert_string_equal(graph->vertices[0]->enumerator, "mysql-cdc");
    leat__pb__job_graph__free_unpacked(graph, NULL);
    /* Again: the table is there and fits; an option is changed, one that can't be is kept. */
    const leat_action_argument again[] = {{"table", "clients"},
                                          {"mysql_conf", "table-name=clients"},
                                          {"table_conf", "changelog-producer=none"},
                                          {"table_conf", "merge-engine=aggregation"}};
    if (plan(again, 4, NULL, &error) != LEAT_OK) fail_msg("%s (%s)", error.text, error.hint);
    check_schema("clients",
                 "1: client_id INT NOT NULL full_name VARCHAR(64) country VARCHAR(64) zip VARCHAR(6) balance "
                 "DECIMAL(10, 2) flag BOOLEAN at TIMESTAMP(3) NOT NULL KEY client_id producer none");
}

static void check_refused(const leat_action_argument *arguments, size_t count, leat_code wanted, const char *text)
{
    leat_error error = {0};
    leat_code code = plan(arguments, count, NULL, &error);
    if (code != wanted || !strstr(error.text, text)) fail_msg("code %d: %s", code, error.text);
    assert_null(strstr(error.text, "hunter2"));
}

static void what_does_not_fit_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const statements[] = {"ALTER TABLE sync_test.clients MODIFY country TEXT", NULL};
    const leat_action_argument unknown[] = {{"tabel", "clients"}};
    check_refused(unknown, 1, LEAT_INVALID, "--tabel");
    const leat_action_argument no_table[] = {{"mysql_conf", "table-name=clients"}};
    check_refused(no_table, 1, LEAT_INVALID, "--table is missing");
    const leat_action_argument option[] = {
        {"table", "x"}, {"mysql_conf", "table-name=clients"}, {"mysql_conf", "hostnam=x"}};
    check_refused(option, 3, LEAT_INVALID, "hostnam");
    const leat_action_argument missing[] = {{"table", "x"}, {"mysql_conf", "table-name=nothing"}};
    check_refused(missing, 2, LEAT_NOT_FOUND, "nothing");
    const leat_action_argument bare[] = {{"table", "x"}, {"mysql_conf", "table-name=bare"}};
    check_refused(bare, 2, LEAT_INVALID, "can't infer primary keys");
    const leat_action_argument computed[] = {{"table", "x"}, {"computed_column", "y=year(at)"}};
    check_refused(computed, 2, LEAT_UNSUPPORTED, "computed_column");
    const leat_action_argument password[] = {
        {"table", "x"}, {"mysql_conf", "table-name=clients"}, {"mysql_conf", "password=hunter2"}};
    check_refused(password, 3, LEAT_DENIED, "Access denied");
    sql(statements);
    const leat_action_argument wide[] = {{"table", "clients"}, {"mysql_conf", "table-name=clients"}};
    check_refused(wide, 2, LEAT_INVALID, "Cannot convert field country from type STRING to VARCHAR(64)");
    const leat_action_argument keys[] = {
        {"table", "clients"}, {"mysql_conf", "table-name=clients"}, {"primary_keys", "zip"}};
    check_refused(keys, 3, LEAT_INVALID, "primary keys are [client_id]");
}

int main(void)
{
    const char *text = getenv("MYSQL_PORT");
    if (!text) {
        fprintf(stderr, "MYSQL_PORT is not set: run tests/integration/with_mariadb %s\n", "test_sync_table");
        return 1;
    }
    snprintf(port_text, sizeof port_text, "%s", text);
    snprintf(warehouse, sizeof warehouse, "/tmp/leat-sync-XXXXXX");
    if (!mkdtemp(warehouse)) return 1;
    leat_storage *storage = NULL;
    if (leat_storage_file_new(&storage, NULL) != LEAT_OK || leat_env_system_new(4, 100, &env, NULL) != LEAT_OK)
        return 1;
    env->storage = storage;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_made_and_the_job_planned),
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    leat_env_system_free(env);
    leat_storage_free(storage);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", warehouse);
    return failed + (system(command) != 0);
}
