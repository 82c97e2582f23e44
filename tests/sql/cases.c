/* sql_cases DATA-FOLDER CASES.jsonl PARALLELISM [--all]: SQL statements with what Flink answers (the format is
 * described beside the cases), run through session, planner and operators: a whole cluster in one thread (tests/sim),
 * with good weather.
 *
 * Streaming answers are compared change by change, in order, at parallelism 1 where the order is the input's (no
 * `race`), else as what is left when the changes are applied. Without --all every case must answer; with it, a line a
 * case says how it went: ok, refused (not supported, by name), wrong. */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/wire.h"
#include "common/memory.h"
#include "connectors/registry.h"
#include "operators/registry.h"
#include "sql/session.h"
#include "tests/sim/world.h"

enum { ROWS_MAX = 20000, JOBS_A_WORLD = 200 };

/* Streaming cases without a race whose changes are not Flink's one by one; what is left of them is. */
static const struct {
    const char *id, *why;
} other_changes[] = {
    {"q5fe57d0cca",
     "mini-batch: Flink cuts by 'table.exec.mini-batch.size' before its exchange, Leat where a batch ends"},
};

typedef struct row {
    leat_row_kind kind;
    char *text; /* values as a JSON array */
} row;

typedef struct answer {
    leat_schema schema;
    row *rows;
    size_t count, capacity;
} answer;

typedef struct runner {
    sim_world *world;
    leat_env env; /* of planning: storage is the world's */
    leat_env *system;
    leat_catalog_store *catalogs;
    leat_jm_job *job;
    const char *data, *parallelism;
    int jobs;
} runner;

typedef enum outcome { OK, REFUSED, WRONG, OUTCOMES } outcome;

static void load_data(runner *self)
{
    DIR *folder = opendir(self->data);
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
        char path[600], object[600];
        static char text[1 << 20];
        snprintf(path, sizeof path, "%s/%s", self->data, entry->d_name);
        snprintf(object, sizeof object, "mem:/data/%s", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!file) continue;
        size_t size = fread(text, 1, sizeof text, file);
        fclose(file);
        leat_code code = leat_storage_put(self->world->objects, object, text, size, LEAT_PUT_REPLACE, NULL);
        LEAT_ASSERT(code == LEAT_OK);
    }
    if (folder) closedir(folder);
}

static void begin_world(runner *self)
{
    const sim_weather good = {.delay_us_max = 1};
    leat_error error = {0};
    self->world = leat_calloc(1, sizeof *self->world);
    LEAT_ASSERT(self->world);
    sim_world_init(self->world, 1, &good);
    leat_connectors_register(&self->world->registry);
    leat_operators_register(&self->world->registry);
    load_data(self);
    sim_start_taskmanager(self->world, 0);
    leat_code code = leat_env_system_new(1, 16, &self->system, &error);
    LEAT_ASSERT(code == LEAT_OK);
    self->system->storage = self->world->objects;
    code = leat_catalog_store_new(self->system, &self->catalogs, &error);
    LEAT_ASSERT(code == LEAT_OK);
    self->jobs = 0;
}

static void end_world(runner *self)
{
    leat_catalog_store_free(self->catalogs);
    leat_env_system_free(self->system);
    sim_world_done(self->world);
    leat_free(self->world);
}

static void add_row(answer *out, leat_row_kind kind, const char *text)
{
    leat_code code = leat_grow(&out->rows, &out->capacity, out->count + 1, sizeof *out->rows, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    out->rows[out->count++] = (row){kind, leat_strdup(text)};
}

static void add_batch(answer *out, const leat_batch *batch, const char *time_zone)
{
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t at = leat_batch_row(batch, i);
        json_t *values = json_array();
        for (int32_t c = 0; c < out->schema.fields_count; c++) {
            leat_bytes text = {0};
            if (leat_column_is_null(&batch->columns[c], at)) {
                json_array_append_new(values, json_null());
                continue;
            }
            leat_value_print(&out->schema.fields[c].type, &batch->columns[c], at, time_zone, &text);
            json_array_append_new(values, json_stringn(text.data ? (const char *)text.data : "", text.size));
            leat_bytes_done(&text);
        }
        char *text = json_dumps(values, JSON_COMPACT);
        add_row(out, (leat_row_kind)leat_batch_kind(batch, at), text ? text : "?");
        free(text);
        json_decref(values);
    }
}

static leat_code take_rows(runner *self, answer *out, const char *time_zone, leat_error *error)
{
    leat_layout layouts[512];
    LEAT_ASSERT(out->schema.fields_count <= 512);
    for (int32_t c = 0; c < out->schema.fields_count; c++)
        layouts[c] = leat_type_layout(&out->schema.fields[c].type);
    for (leat_jm_collected *part = self->job->collected; part; part = part->next) {
        leat_buffer *body = leat_buffer_new(part->batch.size);
        leat_batch *batch;
        if (!body) return leat_fail_no_memory(error);
        memcpy(body->data, part->batch.data, part->batch.size);
        leat_code code = leat_batch_wire_read(body, layouts, out->schema.fields_count, &batch, error);
        leat_buffer_unref(body);
        if (code != LEAT_OK) return code;
        add_batch(out, batch, time_zone);
        leat_batch_free(batch);
    }
    leat_jobmanager_collect_ack(self->world->manager, self->job, self->job->collected_rows);
    return LEAT_OK;
}

static bool has_ended(sim_world *world, void *arg)
{
    (void)world;
    const runner *self = arg;
    return leat_job_state_is_terminal(self->job->state);
}

static leat_code run_job(runner *self, leat_session_result *result, answer *out, leat_error *error)
{
    self->jobs++;
    LEAT_TRY(leat_jobmanager_submit(self->world->manager, NULL, &result->graph, &self->job, error));
    sim_run(self->world, self->world->now_us + 60000000, has_ended, self);
    if (self->world->failure[0]) return leat_fail(error, LEAT_CORRUPT, "%s", self->world->failure);
    if (self->job->state != LEAT_JOB_FINISHED)
        return leat_fail(error, LEAT_INVALID, "%s: %s", leat_job_state_name(self->job->state),
                         self->job->exceptions_count ? self->job->exceptions[self->job->exceptions_count - 1].text
                                                     : "");
    return result->kind == LEAT_RESULT_QUERY ? take_rows(self, out, result->time_zone, error) : LEAT_OK;
}

static leat_code run_statement(runner *self, leat_session *session, const char *sql, leat_arena *arena, answer *out,
                               leat_error *error)
{
    const leat_sql_variable data = {"DATA", "mem:/data"};
    leat_session_result result;
    bool has_result;
    LEAT_TRY(leat_session_begin(session, "case", sql, strlen(sql), &data, 1, error));
    for (;;) {
        LEAT_TRY(leat_session_next(session, &result, &has_result, error));
        if (!has_result) return LEAT_OK;
        leat_code code = LEAT_OK;
        if (result.kind == LEAT_RESULT_QUERY) code = leat_schema_copy(arena, &result.schema, &out->schema, error);
        if (code == LEAT_OK && result.graph.size > 0) code = run_job(self, &result, out, error);
        leat_session_result_done(&result);
        if (code != LEAT_OK) return code;
    }
}

static leat_code run_case(runner *self, const json_t *item, leat_arena *arena, answer *out, leat_error *error)
{
    leat_session *session;
    size_t i;
    json_t *setup;
    leat_code code = leat_session_new(
        &(leat_session_options){.env = self->system, .config = &self->world->config, .catalogs = self->catalogs},
        &session, error);
    if (code == LEAT_OK)
        code = leat_session_set(session, "execution.runtime-mode", json_string_value(json_object_get(item, "mode")),
                                error);
    if (code == LEAT_OK) code = leat_session_set(session, "parallelism.default", self->parallelism, error);
    json_array_foreach(json_object_get(item, "setup"), i, setup)
    {
        if (code == LEAT_OK) code = run_statement(self, session, json_string_value(setup), arena, out, error);
    }
    if (code == LEAT_OK)
        code = run_statement(self, session, json_string_value(json_object_get(item, "sql")), arena, out, error);
    leat_session_free(session);
    return code;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The multiset that is left when the changes are applied; -1: a row was taken away that was not there. */
static int64_t apply_changes(const answer *out, char **texts)
{
    size_t count = 0;
    for (size_t i = 0; i < out->count; i++) {
        if (leat_row_kind_is_add((int8_t)out->rows[i].kind)) {
            texts[count++] = out->rows[i].text;
            continue;
        }
        size_t at = count;
        while (at > 0 && strcmp(texts[at - 1], out->rows[i].text) != 0)
            at--;
        if (at == 0) return -1;
        memmove(&texts[at - 1], &texts[at], (count - at) * sizeof *texts);
        count--;
    }
    return (int64_t)count;
}

/* `skip`: values of an expected row that stand before the columns (its kind). */
static bool rows_are(const json_t *expected, size_t skip, bool is_ordered, char **texts, size_t count, char *why,
                     size_t why_size)
{
    size_t wanted = json_array_size(expected);
    char **other = leat_calloc(wanted + 1, sizeof *other);
    LEAT_ASSERT(other);
    for (size_t i = 0; i < wanted; i++) {
        json_t *values = json_deep_copy(json_array_get(expected, i));
        for (size_t k = 0; k < skip; k++)
            json_array_remove(values, 0);
        other[i] = json_dumps(values, JSON_COMPACT);
        json_decref(values);
    }
    if (!is_ordered && wanted > 1) qsort(other, wanted, sizeof *other, compare_texts);
    if (!is_ordered && count > 1) qsort(texts, count, sizeof *texts, compare_texts);
    bool is_same = wanted == count;
    snprintf(why, why_size, "%zu rows, not %zu", count, wanted);
    for (size_t i = 0; i < wanted && i < count && is_same; i++) {
        is_same = strcmp(other[i], texts[i]) == 0;
        if (!is_same) snprintf(why, why_size, "row %zu is %.200s, not %.200s", i, texts[i], other[i]);
    }
    for (size_t i = 0; i < wanted; i++)
        free(other[i]);
    leat_free(other);
    return is_same;
}

static bool has_own_changes(const json_t *item)
{
    for (size_t i = 0; i < sizeof other_changes / sizeof other_changes[0]; i++)
        if (strcmp(json_string_value(json_object_get(item, "id")), other_changes[i].id) == 0) return true;
    return false;
}

/* Every change, kinds and order included. */
static bool changelog_is(const json_t *expected, const answer *out, char **texts, char *why, size_t why_size)
{
    for (size_t i = 0; i < out->count; i++) {
        size_t size = strlen(out->rows[i].text) + 8;
        texts[i] = leat_alloc(size);
        LEAT_ASSERT(texts[i]);
        snprintf(texts[i], size, "[\"%s\",%s", leat_row_kind_text(out->rows[i].kind), out->rows[i].text + 1);
    }
    bool is_same = rows_are(expected, 0, true, texts, out->count, why, why_size);
    for (size_t i = 0; i < out->count; i++)
        leat_free(texts[i]);
    return is_same;
}

static bool types_are(const json_t *item, const answer *out, char *why, size_t why_size)
{
    const json_t *types = json_object_get(item, "types"), *names = json_object_get(item, "columns");
    if (json_array_size(types) != (size_t)out->schema.fields_count) {
        snprintf(why, why_size, "%d columns, not %zu", out->schema.fields_count, json_array_size(types));
        return false;
    }
    for (int32_t c = 0; c < out->schema.fields_count; c++) {
        leat_bytes text = {0};
        leat_type_print(&out->schema.fields[c].type, false, &text);
        const char *type = json_string_value(json_array_get(types, (size_t)c)),
                   *name = json_string_value(json_array_get(names, (size_t)c));
        bool is_same = strcmp(type, (const char *)text.data) == 0 && strcmp(name, out->schema.fields[c].name) == 0;
        if (!is_same)
            snprintf(why, why_size, "column %s %s, not %s %s", out->schema.fields[c].name, (const char *)text.data,
                     name, type);
        leat_bytes_done(&text);
        if (!is_same) return false;
    }
    return true;
}

/* `is_alone`: at parallelism 1, where a streaming case without a race has its changes in Flink's order. */
static outcome judge(const json_t *item, const answer *out, leat_code code, const leat_error *error, bool is_alone,
                     char *why, size_t why_size)
{
    bool wants_error = json_object_get(item, "error") != NULL;
    snprintf(why, why_size, "%s", error->text);
    if (code == LEAT_UNSUPPORTED || code == LEAT_NOT_FOUND) return wants_error ? OK : REFUSED;
    if (code != LEAT_OK) return wants_error ? OK : WRONG;
    if (wants_error) {
        snprintf(why, why_size, "answered, but should say: %.300s", json_string_value(json_object_get(item, "error")));
        return WRONG;
    }
    if (!types_are(item, out, why, why_size)) return WRONG;
    char **texts = leat_calloc(out->count + 1, sizeof *texts);
    LEAT_ASSERT(texts);
    bool is_same;
    const json_t *final = json_object_get(item, "final");
    bool is_changelog = final && is_alone && json_object_get(item, "rows") &&
                        !json_is_true(json_object_get(item, "race")) && !has_own_changes(item);
    if (is_changelog) {
        is_same = changelog_is(json_object_get(item, "rows"), out, texts, why, why_size);
    } else if (final) {
        int64_t count = apply_changes(out, texts);
        is_same = count >= 0 && rows_are(final, 0, false, texts, (size_t)count, why, why_size);
        if (count < 0) snprintf(why, why_size, "a row is taken away that was not there");
    } else {
        bool is_ordered = json_is_true(json_object_get(item, "ordered")) ||
                          strcmp(json_string_value(json_object_get(item, "kind")), "column-expression") == 0;
        for (size_t i = 0; i < out->count; i++)
            texts[i] = out->rows[i].text;
        is_same = rows_are(json_object_get(item, "rows"), 1, is_ordered, texts, out->count, why, why_size);
    }
    leat_free(texts);
    return is_same ? OK : WRONG;
}

static void free_answer(answer *out)
{
    for (size_t i = 0; i < out->count; i++)
        leat_free(out->rows[i].text);
    leat_free(out->rows);
}

static bool is_chosen(const char *id, char **ids, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(ids[i], id) == 0) return true;
    return count == 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"ok", "refused", "wrong"};
    if (argc < 4) {
        fprintf(stderr, "usage: sql_cases DATA-FOLDER CASES.jsonl PARALLELISM [--all] [ID…]\n");
        return 2;
    }
    static char line[1 << 20];
    bool shows_all = argc > 4 && strcmp(argv[4], "--all") == 0;
    char **ids = argv + 4 + shows_all;
    int ids_count = argc - 4 - shows_all, counts[OUTCOMES] = {0};
    FILE *file = fopen(argv[2], "rb");
    if (!file) {
        perror(argv[2]);
        return 2;
    }
    runner self = {.data = argv[1], .parallelism = argv[3]};
    begin_world(&self);
    while (fgets(line, sizeof line, file)) {
        json_t *item = json_loads(line, 0, NULL);
        const char *id = item ? json_string_value(json_object_get(item, "id")) : NULL;
        if (id && is_chosen(id, ids, ids_count)) {
            leat_arena arena;
            leat_error error = {0};
            answer out = {0};
            char why[1200] = "";
            if (self.jobs >= JOBS_A_WORLD) {
                end_world(&self);
                begin_world(&self);
            }
            leat_arena_init(&arena, 16 << 20);
            leat_code code = run_case(&self, item, &arena, &out, &error);
            outcome how = judge(item, &out, code, &error, strcmp(self.parallelism, "1") == 0, why, sizeof why);
            counts[how]++;
            if (how != OK || shows_all)
                printf("%s %s %s\n    %s\n", names[how], id, json_string_value(json_object_get(item, "sql")), why);
            free_answer(&out);
            leat_arena_done(&arena);
        }
        json_decref(item);
    }
    fclose(file);
    end_world(&self);
    printf("%d ok, %d refused, %d wrong\n", counts[OK], counts[REFUSED], counts[WRONG]);
    return counts[REFUSED] + counts[WRONG] > 0 || counts[OK] == 0 ? 1 : 0;
}
