#include "jobmanager/sessions.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/sessions_internal.h"

enum { SESSIONS_MAX = 256, WORKS_MAX = 64, IDLE_MS = 10 * 60 * 1000 };

/* --- the session's thread --- */

static leat_session_work *take_work(leat_session_entry *session)
{
    pthread_mutex_lock(&session->lock);
    while (!session->works && !session->must_end)
        pthread_cond_wait(&session->changed, &session->lock);
    leat_session_work *work = session->works;
    if (work) {
        session->works = work->next;
        if (!session->works) session->works_last = &session->works;
    }
    pthread_mutex_unlock(&session->lock);
    return work;
}

static void work_is_done(leat_jobmanager *manager, leat_jm_message *message)
{
    leat_session_work *work = (leat_session_work *)message;
    leat_session_entry *session = work->session;
    session->busy--;
    session->used_ms = leat_env_mono_us(manager->env) / 1000;
    work->finish(work);
    bool is_over = session->is_single;
    if (work->has_result) leat_session_result_done(&work->result);
    leat_jobmanager_drop_prepared(manager, &work->submission);
    json_decref(work->input);
    json_decref(work->output);
    leat_free(work);
    if (is_over) leat_session_end(session);
}

static void thread_has_ended(leat_jobmanager *manager, leat_jm_message *message)
{
    (void)manager;
    leat_session_entry *session = (leat_session_entry *)((char *)message - offsetof(leat_session_entry, ended));
    pthread_join(session->thread, NULL);
    leat_session_entry **link = &session->owner->sessions;
    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    session->owner->sessions_count--;
    pthread_cond_destroy(&session->changed);
    pthread_mutex_destroy(&session->lock);
    leat_free(session);
}

static void *run_session(void *arg)
{
    leat_session_entry *session = arg;
    leat_jobmanager *manager = session->owner->options.manager;
    for (leat_session_work *work = take_work(session); work; work = take_work(session)) {
        work->code = work->run(work, &work->error);
        work->message.handle = work_is_done;
        leat_jobmanager_post(manager, &work->message);
    }
    leat_session_free(session->sql);
    session->ended.handle = thread_has_ended;
    leat_jobmanager_post(manager, &session->ended); /* the last touch: the loop joins and frees */
    return NULL;
}

/* --- on the loop --- */

leat_session_entry *leat_sessions_find(leat_rest_call *call)
{
    leat_session_entry *session = call->rest->sessions->sessions;
    while (session && (session->is_closing || strcmp(session->id, call->parameters[0]) != 0))
        session = session->next;
    if (session) {
        session->used_ms = leat_env_mono_us(call->manager->env) / 1000;
        return session;
    }
    leat_error error = {0};
    (void)leat_fail(&error, LEAT_NOT_FOUND, "there is no session %s", call->parameters[0]);
    leat_fail_hint(&error, "sessions end when nobody uses them for ten minutes, or reads a query's rows for one");
    leat_rest_error(call->request, &error);
    return NULL;
}

leat_session_work *leat_session_work_new(leat_rest_call *call)
{
    leat_error error = {0};
    json_t *input = NULL;
    if (call->request->body.size) {
        json_error_t problem;
        input = json_loadb((const char *)call->request->body.data, call->request->body.size, JSON_ALLOW_NUL, &problem);
        if (!json_is_object(input)) {
            (void)leat_fail(&error, LEAT_INVALID, "the request's body is no JSON object: %s",
                            input ? "something else" : problem.text);
            json_decref(input);
            leat_rest_error(call->request, &error);
            return NULL;
        }
    }
    leat_session_work *work = leat_calloc(1, sizeof *work);
    if (!work) {
        json_decref(input);
        (void)leat_fail_no_memory(&error);
        leat_rest_error(call->request, &error);
        return NULL;
    }
    work->input = input;
    work->request = call->request;
    return work;
}

void leat_session_post(leat_session_entry *session, leat_session_work *work)
{
    if (session->busy >= WORKS_MAX) {
        leat_error error = {0};
        (void)leat_fail(&error, LEAT_LIMIT, "%d requests of session %s wait", WORKS_MAX, session->id);
        leat_rest_error(work->request, &error);
        json_decref(work->input);
        leat_free(work);
        return;
    }
    work->session = session;
    session->busy++;
    pthread_mutex_lock(&session->lock);
    *session->works_last = work;
    session->works_last = &work->next;
    pthread_cond_signal(&session->changed);
    pthread_mutex_unlock(&session->lock);
}

static leat_code start_session(leat_sessions *self, leat_session_entry **out, leat_error *error)
{
    if (self->sessions_count == SESSIONS_MAX) return leat_fail(error, LEAT_LIMIT, "%d sessions are open", SESSIONS_MAX);
    leat_session_entry *session = leat_calloc(1, sizeof *session);
    if (!session) return leat_fail_no_memory(error);
    leat_env *env = self->options.manager->env;
    uint64_t random[2] = {leat_env_random(env), leat_env_random(env)};
    snprintf(session->id, sizeof session->id, "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    session->owner = self;
    session->used_ms = leat_env_mono_us(env) / 1000;
    session->works_last = &session->works;
    pthread_mutex_init(&session->lock, NULL);
    pthread_cond_init(&session->changed, NULL);
    int failed = pthread_create(&session->thread, NULL, run_session, session);
    if (failed) {
        pthread_cond_destroy(&session->changed);
        pthread_mutex_destroy(&session->lock);
        leat_free(session);
        return leat_fail_errno(error, LEAT_LIMIT, failed, "start a session's thread");
    }
    session->next = self->sessions;
    self->sessions = session;
    self->sessions_count++;
    *out = session;
    return LEAT_OK;
}

leat_session_entry *leat_session_start(leat_rest_call *call, leat_session_work **work)
{
    *work = leat_session_work_new(call);
    if (!*work) return NULL;
    leat_session_entry *session = NULL;
    leat_error error = {0};
    if (start_session(call->rest->sessions, &session, &error) == LEAT_OK) return session;
    leat_rest_error(call->request, &error);
    json_decref((*work)->input);
    leat_free(*work);
    return NULL;
}

void leat_session_end(leat_session_entry *session)
{
    if (session->is_closing) return;
    session->is_closing = true;
    while (session->queries) {
        leat_query *query = session->queries;
        session->queries = query->next;
        leat_query_close(query);
    }
    pthread_mutex_lock(&session->lock);
    session->must_end = true;
    pthread_cond_signal(&session->changed);
    pthread_mutex_unlock(&session->lock);
}

void leat_sessions_close(leat_rest_call *call)
{
    leat_session_entry *session = leat_sessions_find(call);
    if (!session) return;
    leat_session_end(session);
    leat_rest_json(call->request, 200, json_object());
}

/* --- time --- */

static bool is_abandoned(const leat_session_entry *session, int64_t now_ms)
{
    if (session->is_closing || session->busy) return false;
    bool has_reader = false;
    for (const leat_query *query = session->queries; query; query = query->next) {
        if (leat_query_was_abandoned(query, now_ms)) return true;
        has_reader = has_reader || query->waiting;
    }
    return !has_reader && now_ms - session->used_ms > IDLE_MS;
}

static void on_tick(leat_jobmanager *manager, leat_jm_message *message)
{
    leat_sessions *self = (leat_sessions *)((char *)message - offsetof(leat_sessions, tick));
    atomic_store_explicit(&self->is_ticking, false, memory_order_release);
    int64_t now_ms = leat_env_mono_us(manager->env) / 1000;
    for (leat_session_entry *session = self->sessions; session; session = session->next) {
        if (!is_abandoned(session, now_ms)) continue;
        leat_log(LEAT_LOG_INFO, "sessions", "session %s is closed: nobody uses it", session->id);
        leat_session_end(session);
    }
}

void leat_sessions_tick(leat_sessions *self)
{
    if (atomic_exchange_explicit(&self->is_ticking, true, memory_order_acquire)) return;
    self->tick.handle = on_tick;
    leat_jobmanager_post(self->options.manager, &self->tick);
}

/* --- life --- */

leat_code leat_sessions_new(const leat_sessions_options *options, leat_sessions **out, leat_error *error)
{
    leat_sessions *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->options = *options;
    leat_code code = leat_catalog_store_new(options->manager->env, &self->catalogs, error);
    if (code != LEAT_OK) {
        leat_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

void leat_sessions_free(leat_sessions *self)
{
    if (!self) return;
    for (leat_session_entry *session = self->sessions; session; session = session->next)
        leat_session_end(session);
    while (self->sessions) { /* each ends with a message, as long as the loop ran; now it is handled here */
        leat_env_sleep_ms(self->options.manager->env, 1);
        leat_jobmanager_handle_inbox(self->options.manager);
    }
    leat_catalog_store_free(self->catalogs);
    leat_free(self);
}

const leat_rest_route leat_sessions_routes[] = {
    {LEAT_HTTP_POST, "/leat/v1/sessions", leat_sessions_create},
    {LEAT_HTTP_DELETE, "/leat/v1/sessions/:session", leat_sessions_close},
    {LEAT_HTTP_POST, "/leat/v1/sessions/:session/scripts", leat_sessions_begin},
    {LEAT_HTTP_POST, "/leat/v1/sessions/:session/statements", leat_sessions_next},
    {LEAT_HTTP_GET, "/leat/v1/sessions/:session/statements/:statement/rows", leat_sessions_rows},
    {LEAT_HTTP_GET, "/leat/v1/sessions/:session/tables/:catalog/:database/:table", leat_sessions_table},
    {LEAT_HTTP_POST, "/leat/v1/actions/:name", leat_sessions_action},
    {LEAT_HTTP_POST, "/leat/v1/checkpoints/inspect", leat_sessions_inspect},
    {.path = NULL},
};
