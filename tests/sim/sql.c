#include "tests/sim/sql.h"

#include <stdio.h>
#include <string.h>

#include "connectors/registry.h"
#include "operators/registry.h"
#include "paimon/registry.h"
#include "sql/session.h"
#include "tests/sim/rows_format.h"

void sim_sql_register(leat_registry *registry)
{
    sim_rows_format_add();
    leat_connectors_register(registry);
    leat_operators_register(registry);
    leat_paimon_register(registry);
}

static void require(leat_code code, const leat_error *error)
{
    if (code != LEAT_OK) fprintf(stderr, "%s\n", error->text);
    LEAT_ASSERT(code == LEAT_OK);
}

static int run(leat_session *session, const char *text, leat_bytes *graphs, int graphs_max)
{
    leat_error error = {0};
    int count = 0;
    require(leat_session_begin(session, "simulation", text, strlen(text), NULL, 0, &error), &error);
    for (;;) {
        leat_session_result result;
        bool has_result;
        require(leat_session_next(session, &result, &has_result, &error), &error);
        if (!has_result) return count;
        if (result.kind == LEAT_RESULT_JOB) {
            LEAT_ASSERT(count < graphs_max);
            graphs[count++] = result.graph;
            result.graph = (leat_bytes){0};
        }
        leat_session_result_done(&result);
    }
}

int sim_sql(sim_world *world, const char *text, leat_bytes *graphs, int graphs_max)
{
    static const char catalog[] = "CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = 'mem:/house');\n"
                                  "USE CATALOG house;";
    sim_process planner = world->jm;
    planner.env.storage = world->objects; /* no delays, no failures */
    leat_catalog_store *catalogs;
    leat_session *session;
    leat_error error = {0};
    require(leat_catalog_store_new(&planner.env, &catalogs, &error), &error);
    leat_session_options options = {.env = &planner.env, .config = &world->config, .catalogs = catalogs};
    require(leat_session_new(&options, &session, &error), &error);
    (void)run(session, catalog, NULL, 0);
    int count = run(session, text, graphs, graphs_max);
    leat_session_free(session);
    leat_catalog_store_free(catalogs);
    return count;
}
