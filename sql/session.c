#include "sql/session.h"

#include <string.h>
#include <strings.h>

#include "common/memory.h"
#include "sql/internal.h"

enum { STATEMENT_BYTES_MAX = 256 << 20, RESULT_BYTES_MAX = 256 << 20 };

static leat_code rebuild_config(leat_session *session, leat_error *error)
{
    leat_config merged = {0};
    leat_code code = session->options.config ? leat_config_merge(&merged, session->options.config, error) : LEAT_OK;
    if (code == LEAT_OK) code = leat_config_merge(&merged, &session->own, error);
    if (code != LEAT_OK) {
        leat_config_done(&merged);
        return code;
    }
    leat_config_done(&session->merged);
    session->merged = merged;
    return LEAT_OK;
}

leat_code leat_session_new(const leat_session_options *options, leat_session **out, leat_error *error)
{
    leat_session *session = leat_calloc(1, sizeof *session);
    if (!session) return leat_fail_no_memory(error);
    session->options = *options;
    session->current_catalog = leat_strdup("default_catalog");
    session->current_database = leat_strdup("default_database");
    leat_code code = session->current_catalog && session->current_database ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK)
        code = leat_catalog_memory_new("default_catalog", "default_database", &session->default_catalog, error);
    if (code == LEAT_OK) code = leat_catalog_memory_new("temporary", NULL, &session->temporary, error);
    if (code == LEAT_OK) code = rebuild_config(session, error);
    if (code != LEAT_OK) {
        leat_session_free(session);
        return code;
    }
    *out = session;
    return LEAT_OK;
}

void leat_session_free(leat_session *session)
{
    if (!session) return;
    leat_catalog_unref(session->default_catalog);
    leat_catalog_unref(session->temporary);
    leat_config_done(&session->own);
    leat_config_done(&session->merged);
    leat_script_done(&session->script);
    leat_free(session->current_catalog);
    leat_free(session->current_database);
    leat_free(session);
}

leat_code leat_session_set(leat_session *session, const char *key, const char *value, leat_error *error)
{
    LEAT_TRY(leat_config_set(&session->own, key, value, error));
    return rebuild_config(session, error);
}

const leat_config *leat_session_config(const leat_session *session)
{
    return &session->merged;
}
const char *leat_session_current_catalog(const leat_session *session)
{
    return session->current_catalog;
}
const char *leat_session_current_database(const leat_session *session)
{
    return session->current_database;
}

leat_code leat_session_begin(leat_session *session, const char *name, const char *text, size_t size,
                             const leat_sql_variable *variables, size_t variables_count, leat_error *error)
{
    leat_script_done(&session->script);
    session->has_script = false;
    LEAT_TRY(leat_script_init(&session->script, name, text, size, variables, variables_count, error));
    session->parse = (leat_parse){.text = session->script.text, .size = session->script.size};
    session->has_script = true;
    return LEAT_OK;
}

/* NULL: UTC. */
static const char *time_zone(const leat_session *session)
{
    const char *zone = leat_config_string(&session->merged, LEAT_OPTION_LOCAL_TIME_ZONE);
    return strcasecmp(zone, "default") == 0 ? session->options.time_zone : zone;
}

static leat_code init_plan(leat_session *session, leat_arena *arena, leat_plan *plan, leat_error *error)
{
    int64_t parallelism = leat_config_int(&session->merged, LEAT_OPTION_PARALLELISM);
    const char *mode = leat_config_string(&session->merged, LEAT_OPTION_RUNTIME_MODE);
    bool is_batch = strcasecmp(mode, "batch") == 0;
    if (!is_batch && strcasecmp(mode, "streaming") != 0)
        return leat_fail(error, LEAT_INVALID, "'execution.runtime-mode' is 'streaming' or 'batch', not '%s'", mode);
    if (parallelism < 1 || parallelism > 32768)
        return leat_fail(error, LEAT_INVALID, "'parallelism.default' must be between 1 and 32768, not %lld",
                         (long long)parallelism);
    *plan = (leat_plan){.arena = arena,
                        .env = session->options.env,
                        .config = &session->merged,
                        .is_batch = is_batch,
                        .parallelism = (int32_t)parallelism,
                        .time_zone = time_zone(session),
                        .error = error,
                        .current_catalog = session->current_catalog,
                        .current_database = session->current_database,
                        .session = session};
    return LEAT_OK;
}

static leat_code run_set(leat_statement *self)
{
    static const char *const columns[] = {"key", "value"};
    leat_session *session = self->session;
    leat_plan *plan = &self->plan;
    const leat_ast_statement *ast = self->ast;
    if (ast->kind == LEAT_AST_SET && !ast->key) {
        LEAT_TRY(leat_result_columns(self->result, columns, 2, plan->error));
        for (size_t i = 0; i < session->merged.count; i++) {
            const leat_config_entry *entry = &session->merged.entries[i];
            const char *row[2] = {entry->key, leat_option_is_secret(entry->key) ? "******" : entry->value};
            LEAT_TRY(leat_result_row(self->result, row, plan->error));
        }
        return LEAT_OK;
    }
    if (ast->kind == LEAT_AST_SET) {
        leat_code code = leat_session_set(session, ast->key, ast->value, plan->error);
        if (code != LEAT_OK) return leat_plan_at(plan, ast->value_place, code);
        bool is_foreign = leat_option_by_key(ast->key) == LEAT_OPTIONS_COUNT && strncmp(ast->key, "table.", 6) != 0 &&
                          strncmp(ast->key, "sql-client.", 11) != 0;
        if (!is_foreign) return LEAT_OK;
        const char *nearest = leat_option_nearest_key(ast->key);
        leat_bytes_format(&plan->warnings, "The option '%s' is not known and has no effect%s%s%s\n", ast->key,
                          nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
        return LEAT_OK;
    }
    if (ast->key)
        leat_config_remove(&session->own, ast->key);
    else
        leat_config_done(&session->own);
    if (!ast->key) session->own = (leat_config){0};
    return rebuild_config(session, plan->error);
}

static leat_code run(leat_statement *self)
{
    switch (self->ast->kind) {
    case LEAT_AST_SET:
    case LEAT_AST_RESET: return run_set(self);
    case LEAT_AST_CREATE_CATALOG:
    case LEAT_AST_CREATE_DATABASE:
    case LEAT_AST_CREATE_TABLE:
    case LEAT_AST_CREATE_VIEW:
    case LEAT_AST_DROP:
    case LEAT_AST_USE: return leat_define(self);
    case LEAT_AST_SHOW:
    case LEAT_AST_DESCRIBE: return leat_show(self);
    case LEAT_AST_INSERT:
    case LEAT_AST_QUERY:
    case LEAT_AST_EXPLAIN:
    case LEAT_AST_STATEMENT_SET: return leat_execute(self);
    case LEAT_AST_EMPTY: return LEAT_OK;
    case LEAT_AST_UNSUPPORTED_STATEMENT: break;
    }
    return leat_plan_fail(&self->plan, self->ast->place, LEAT_UNSUPPORTED, "%s is not supported", self->ast->what);
}

/* The statement's text for people: secrets of WITH masked. */
static leat_code copy_statement(const leat_session *session, const leat_ast_statement *ast, leat_session_result *result,
                                leat_error *error)
{
    leat_bytes text = {0};
    int32_t at = ast->place.start;
    for (int32_t i = 0; i < ast->options.count; i++) {
        const leat_ast_pair *pair = ast->options.items[i];
        if (!leat_option_is_secret(pair->key)) continue;
        leat_bytes_put(&text, session->script.text + at, (size_t)(pair->value_place.start - at));
        leat_bytes_put(&text, "'******'", 8);
        at = pair->value_place.end;
    }
    if (ast->key && ast->value && leat_option_is_secret(ast->key)) {
        leat_bytes_put(&text, session->script.text + at, (size_t)(ast->value_place.start - at));
        leat_bytes_put(&text, "'******'", 8);
        at = ast->value_place.end;
    }
    leat_bytes_put(&text, session->script.text + at, (size_t)(ast->place.end - at));
    leat_bytes_text(&text, "");
    leat_code code = leat_bytes_check(&text, error);
    if (code == LEAT_OK) result->statement = leat_arena_strdup(&result->arena, (const char *)text.data);
    leat_bytes_done(&text);
    if (code == LEAT_OK && !result->statement) return leat_fail_no_memory(error);
    result->line = leat_script_line(&session->script, ast->place.start);
    return code;
}

/* Words that begin statements of Flink which the grammar does not know. */
static const char *find_unsupported(const char *text)
{
    static const char *const words[] = {"ALTER",  "ANALYZE", "CALL",   "COMPILE", "LOAD",     "UNLOAD", "ADD",
                                        "REMOVE", "DELETE",  "UPDATE", "MERGE",   "TRUNCATE", "HELP",   "QUIT",
                                        "EXIT",   "CLEAR",   "STOP",   "REPLACE", "UPSERT"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (strncasecmp(text, words[i], length) == 0 && strchr(" \t\r\n;", text[length])) return words[i];
    }
    return NULL;
}

static leat_code parse_next(leat_session *session, leat_error *error)
{
    leat_parse *parse = &session->parse;
    leat_code code = leat_parse_statement(parse, error);
    if (code == LEAT_OK) return code;
    const char *text = session->script.text + parse->error_place.start;
    const char *word = find_unsupported(text);
    if (word && parse->error_place.end > parse->error_place.start) {
        bool is_first = true; /* nothing but blanks, comments and ';' before it in this statement */
        for (int32_t i = parse->end; i < parse->error_place.start; i++)
            if (!strchr(" \t\r\n", session->script.text[i]))
                is_first = session->script.text[i] == '-' ? is_first : false;
        if (is_first) code = leat_fail(error, LEAT_UNSUPPORTED, "The statement %s is not supported", word);
    }
    return leat_script_locate(&session->script, parse->error_place, code, error);
}

static leat_code run_one(leat_session *session, leat_session_result *result, leat_error *error)
{
    leat_statement self = {.session = session, .ast = session->parse.statement, .result = result};
    LEAT_TRY(copy_statement(session, self.ast, result, error));
    leat_code code = init_plan(session, session->parse.arena, &self.plan, error);
    if (code == LEAT_OK) code = run(&self);
    if (code == LEAT_OK && self.plan.warnings.size > 0) {
        result->warning =
            leat_arena_strndup(&result->arena, (const char *)self.plan.warnings.data, self.plan.warnings.size - 1);
        if (!result->warning) code = leat_fail_no_memory(error);
    }
    leat_bytes_done(&self.plan.warnings);
    if (code == LEAT_OK) return LEAT_OK;
    return leat_script_locate(&session->script, self.plan.has_place ? self.plan.place : self.ast->place, code, error);
}

leat_code leat_session_next(leat_session *session, leat_session_result *result, bool *has_result, leat_error *error)
{
    leat_arena arena;
    leat_error own = {0};
    if (!error) error = &own;
    *has_result = false;
    if (!session->has_script) return LEAT_OK;
    *result = (leat_session_result){.message = "Execute statement succeeded."};
    leat_arena_init(&arena, STATEMENT_BYTES_MAX);
    leat_arena_init(&result->arena, RESULT_BYTES_MAX);
    leat_parse *parse = &session->parse;
    parse->arena = &arena;
    leat_code code;
    do {
        code = parse_next(session, error);
        if (code == LEAT_OK && parse->statement && parse->statement->kind == LEAT_AST_EMPTY) parse->at = parse->end;
    } while (code == LEAT_OK && parse->statement && parse->statement->kind == LEAT_AST_EMPTY);
    bool is_end = code == LEAT_OK && !parse->statement;
    if (code == LEAT_OK && !is_end) code = run_one(session, result, error);
    parse->at = parse->end;
    parse->arena = NULL;
    leat_arena_done(&arena);
    if (code != LEAT_OK || is_end) {
        session->has_script = false;
        leat_session_result_done(result);
        return code;
    }
    *has_result = true;
    return LEAT_OK;
}

void leat_session_result_done(leat_session_result *result)
{
    leat_bytes_done(&result->graph);
    leat_arena_done(&result->arena);
    *result = (leat_session_result){0};
}

leat_code leat_session_find_table(leat_session *session, const char *catalog, const char *database, const char *table,
                                  leat_arena *arena, leat_table *out, leat_error *error)
{
    leat_plan plan;
    leat_error own = {0};
    LEAT_TRY(init_plan(session, arena, &plan, error ? error : &own));
    leat_ast_name name = {.parts = {catalog, database, table}, .count = 3};
    const leat_catalog_table *definition;
    leat_bound_table *bound;
    LEAT_TRY(leat_plan_find_table(&plan, &name, NULL, &definition));
    LEAT_TRY(leat_plan_bind_table(&plan, definition, name.place, &bound));
    *out = bound->table;
    return LEAT_OK;
}
