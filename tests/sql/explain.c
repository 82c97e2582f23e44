/* sql_explain FILE…: runs SQL files in one session without a cluster and prints what each statement makes: texts, or
 * the job graph's vertices and edges. For people; tests use test_sql_session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "sql/session.h"
#include "storage/storage.h"

static void print_graph(const leat_bytes *bytes)
{
    Leat__Pb__JobGraph *graph = leat__pb__job_graph__unpack(NULL, bytes->size, bytes->data);
    if (!graph) return;
    printf("job '%s'%s\n", graph->name, graph->is_batch ? " (batch)" : "");
    for (size_t i = 0; i < graph->n_vertices; i++) {
        const Leat__Pb__Vertex *vertex = graph->vertices[i];
        printf("  %zu: %s (%u)%s%s%s%s\n", i, vertex->name, vertex->parallelism,
               vertex->enumerator ? " enumerator " : "", vertex->enumerator ? vertex->enumerator : "",
               vertex->committer ? " committer " : "", vertex->committer ? vertex->committer : "");
        for (size_t k = 0; k < vertex->n_operators; k++)
            printf("       %-12s %-20s %s\n", vertex->operators[k]->type, vertex->operators[k]->uid,
                   vertex->operators[k]->description);
    }
    for (size_t i = 0; i < graph->n_edges; i++) {
        const Leat__Pb__Edge *edge = graph->edges[i];
        printf("  %u -> %u exchange %d keys", edge->source, edge->target, (int)edge->exchange);
        for (size_t k = 0; k < edge->n_key_columns; k++)
            printf(" %u", edge->key_columns[k]);
        printf(" %s\n", edge->ship_strategy ? edge->ship_strategy : "");
    }
    leat__pb__job_graph__free_unpacked(graph, NULL);
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = calloc(1, 1 << 20);
    *size = text ? fread(text, 1, (1 << 20) - 1, file) : 0;
    fclose(file);
    return text;
}

static leat_code run_file(leat_session *session, const char *path, leat_error *error)
{
    size_t size;
    char *text = read_file(path, &size);
    const char *warehouse = getenv("WAREHOUSE");
    const leat_sql_variable variable = {"WAREHOUSE", warehouse};
    leat_session_result result;
    bool has_result;
    leat_code code = text ? leat_session_begin(session, path, text, size, &variable, warehouse ? 1 : 0, error)
                          : leat_fail(error, LEAT_NOT_FOUND, "%s: no such file", path);
    free(text);
    while (code == LEAT_OK) {
        code = leat_session_next(session, &result, &has_result, error);
        if (code != LEAT_OK || !has_result) break;
        printf("-- %s:%d %.60s\n", path, result.line, result.statement);
        if (result.warning) printf("warning: %s\n", result.warning);
        for (int32_t r = 0; r < result.rows_count; r++)
            for (int32_t c = 0; c < result.schema.fields_count; c++) {
                const char *value = result.texts[r * result.schema.fields_count + c];
                printf("%s%s", value ? value : "NULL", c + 1 < result.schema.fields_count ? " | " : "\n");
            }
        if (result.graph.size > 0) print_graph(&result.graph);
        leat_session_result_done(&result);
    }
    return code;
}

int main(int argc, char **argv)
{
    leat_env *env = NULL;
    leat_storage *storage = NULL;
    leat_catalog_store *catalogs = NULL;
    leat_session *session = NULL;
    leat_config config = {0};
    leat_error error = {0};
    leat_code code = leat_storage_file_new(&storage, &error);
    if (code == LEAT_OK) code = leat_env_system_new(1, 64, &env, &error);
    if (code == LEAT_OK) {
        env->storage = storage;
        code = leat_catalog_store_new(env, &catalogs, &error);
    }
    if (code == LEAT_OK)
        code = leat_session_new(&(leat_session_options){.env = env, .config = &config, .catalogs = catalogs}, &session,
                                &error);
    for (int i = 1; i < argc && code == LEAT_OK; i++)
        code = run_file(session, argv[i], &error);
    if (code != LEAT_OK) printf("%s: %s\nhint: %s\n", leat_code_name(code), error.text, error.hint);
    leat_session_free(session);
    leat_catalog_store_free(catalogs);
    return code == LEAT_OK ? 0 : 1;
}
