/* SQL scripts through a whole session: grammar, names, types, catalogs, plan, job graph. Tables live in memory. The
 * connectors that would ask a server are left out. */
#include <string.h>

#include "common/memory.h"
#include "connectors/registry.h"
#include "sql/session.h"
#include "storage/storage.h"
#include "tests/fuzz/fuzz.h"

enum { STATEMENTS_MAX = 200 };

static const leat_connector *find_connector(const char *identifier)
{
    bool is_remote = strcmp(identifier, "jdbc") == 0 || strcmp(identifier, "mysql-cdc") == 0;
    return is_remote ? NULL : leat_connector_find(identifier);
}

static void run(leat_session *session, const char *text, size_t size)
{
    const leat_sql_variable variable = {"A", "'x'"};
    bool has_result = leat_session_begin(session, "fuzz", text, size, &variable, 1, NULL) == LEAT_OK;
    for (int i = 0; i < STATEMENTS_MAX && has_result; i++) {
        leat_session_result result;
        leat_error error; /* with one, so that texts and hints are made */
        if (leat_session_next(session, &result, &has_result, &error) != LEAT_OK) return;
        if (has_result) leat_session_result_done(&result);
    }
}

/* What scripts of the corpus speak of. */
static const char setup[] =
    "CREATE TABLE people (id INT, name STRING, city STRING, pay INT) WITH ('connector'='datagen');"
    "CREATE TABLE orders (oid INT, pid INT, amt DECIMAL(10, 2), at TIMESTAMP(3), PRIMARY KEY (oid) NOT ENFORCED)"
    " WITH ('connector'='datagen','number-of-rows'='1');"
    "CREATE CATALOG house WITH ('type'='paimon','warehouse'='mem:/house');"
    "CREATE DATABASE house.d;"
    "CREATE TABLE house.d.t (k INT, v STRING, d DATE, PRIMARY KEY (k) NOT ENFORCED) WITH ('bucket'='2');";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    leat_storage *storage = NULL;
    leat_env *env = NULL;
    leat_catalog_store *catalogs = NULL;
    leat_session *session = NULL;
    leat_config config = {0};
    leat_code code = leat_storage_memory_new(&storage, NULL);
    if (code == LEAT_OK) code = leat_env_system_new(1, 16, &env, NULL);
    if (env) env->storage = storage;
    if (code == LEAT_OK) code = leat_catalog_store_new(env, &catalogs, NULL);
    leat_session_options options = {
        .env = env, .config = &config, .catalogs = catalogs, .find_connector = find_connector};
    if (code == LEAT_OK) code = leat_session_new(&options, &session, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    run(session, setup, strlen(setup));
    run(session, (const char *)data, size);
    leat_session_free(session);
    leat_catalog_store_free(catalogs);
    leat_env_system_free(env);
    leat_storage_free(storage);
    return 0;
}
