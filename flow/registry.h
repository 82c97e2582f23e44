/* What kinds of operators, enumerators and committers a process knows. Filled in `main` before anything runs, read-only
 * afterwards; tests make their own. */
#pragma once

#include "common/env.h"
#include "flow/lookup.h"
#include "flow/operator.h"

typedef struct leat_enumerator leat_enumerator;
typedef struct leat_committer leat_committer;

/* Creates a closed operator; `config` is borrowed for the call. */
typedef struct leat_operator_factory {
    const char *type;
    leat_code (*create)(leat_operator_context *context, const uint8_t *config, size_t config_size, leat_operator **out,
                        leat_error *error);
} leat_operator_factory;

/* How an enumerator reaches its readers; any thread may call these. */
typedef struct leat_enumerator_context leat_enumerator_context;
struct leat_enumerator_context {
    leat_env *env;
    const leat_config *config;
    const char *job_id;
    int32_t parallelism;
    void (*assign)(leat_enumerator_context *context, int32_t subtask, const uint8_t *split, size_t size);
    void (*no_more_splits)(leat_enumerator_context *context, int32_t subtask);
    void (*send_event)(leat_enumerator_context *context, int32_t subtask, const uint8_t *event, size_t size);
    /* `poll` is called once, not before this many milliseconds. */
    void (*poll_after)(leat_enumerator_context *context, int64_t ms);
};

/* A split enumerator: linear code in the job manager. Its functions are called one at a time, on I/O threads, and may
 * block. Splits are opaque bytes. */
typedef struct leat_enumerator_vtable {
    /* `state` is NULL in a fresh start. */
    leat_code (*start)(leat_enumerator *self, const uint8_t *state, size_t size, leat_error *error);
    /* The reader of this subtask asks for a split (once after it opened, then whenever it wants more). */
    leat_code (*on_request)(leat_enumerator *self, int32_t subtask, leat_error *error);
    leat_code (*on_event)(leat_enumerator *self, int32_t subtask, const uint8_t *event, size_t size, leat_error *error);
    /* What poll_after asked for; also when the topic has news. */
    leat_code (*poll)(leat_enumerator *self, leat_error *error);
    /* State for the checkpoint. Splits assigned before this call are in the readers' state, later ones are not. */
    leat_code (*snapshot)(leat_enumerator *self, int64_t checkpoint_id, leat_bytes *state, leat_error *error);
    leat_code (*checkpoint_complete)(leat_enumerator *self, int64_t checkpoint_id, leat_error *error);
    void (*close)(leat_enumerator *self);
} leat_enumerator_vtable;

struct leat_enumerator {
    const leat_enumerator_vtable *vtable;
    leat_enumerator_context *context;
    const char *topic; /* what it follows (flow/operator.h), set when it is created; NULL: nothing */
};

typedef struct leat_enumerator_factory {
    const char *type;
    leat_code (*create)(leat_enumerator_context *context, const uint8_t *config, size_t config_size,
                        leat_enumerator **out, leat_error *error);
} leat_enumerator_factory;

/* One committable of one subtask. */
typedef struct leat_committable {
    int32_t vertex, subtask;
    const uint8_t *data;
    size_t size;
} leat_committable;

/* What a check says besides, also with a conflict. */
typedef struct leat_commit_outlook {
    bool is_done;      /* the checkpoint, or a part of it, is in the table already */
    bool may_conflict; /* others may get in the way until it is committed: it goes first */
} leat_commit_outlook;

/* Commits what a two-phase sink prepared: linear code in the job manager, called one at a time, in checkpoint order, on
 * I/O threads. Must be idempotent: after a restore the same checkpoint is committed again, and committables of an
 * older, already committed checkpoint come along. */
typedef struct leat_committer_vtable {
    /* A conflict (LEAT_CONFLICT) is certain: nothing of the checkpoint that was not in the table before is, or can be.
     * After any other error the commit may have been done. */
    leat_code (*commit)(leat_committer *self, int64_t checkpoint_id, const leat_committable *committables, size_t count,
                        leat_error *error);
    void (*close)(leat_committer *self);
    /* Of a job with several sinks, before any of them commits: LEAT_CONFLICT when `commit` would say so as things
     * stand. Changes nothing, and is cheap: with one sink that conflicts nobody commits, and the job goes back one
     * checkpoint. Optional (NULL: never conflicts, and the job manager keeps in mind what it has committed). */
    leat_code (*check)(leat_committer *self, int64_t checkpoint_id, const leat_committable *committables, size_t count,
                       leat_commit_outlook *out, leat_error *error);
    /* The newest checkpoint of this commit user that the sink holds; -1: none. Optional (NULL: it can't tell). */
    leat_code (*newest)(leat_committer *self, int64_t *checkpoint_id, leat_error *error);
} leat_committer_vtable;

struct leat_committer {
    const leat_committer_vtable *vtable;
    const char *topic; /* what it writes (flow/operator.h), set when it is created; NULL: nothing that others follow */
};

typedef struct leat_committer_factory {
    const char *type;
    /* `commit_user` is the same over all restarts of a job. */
    leat_code (*create)(leat_env *env, const leat_config *config, const char *commit_user, const uint8_t *commit_config,
                        size_t config_size, leat_committer **out, leat_error *error);
} leat_committer_factory;

enum { LEAT_REGISTRY_MAX = 128 };

typedef struct leat_registry {
    const leat_operator_factory *operators[LEAT_REGISTRY_MAX];
    const leat_enumerator_factory *enumerators[LEAT_REGISTRY_MAX];
    const leat_committer_factory *committers[LEAT_REGISTRY_MAX];
    const leat_lookup_factory *lookups[LEAT_REGISTRY_MAX];
    int operators_count, enumerators_count, committers_count, lookups_count;
} leat_registry;

void leat_registry_add_operator(leat_registry *registry, const leat_operator_factory *factory);
void leat_registry_add_enumerator(leat_registry *registry, const leat_enumerator_factory *factory);
void leat_registry_add_committer(leat_registry *registry, const leat_committer_factory *factory);
void leat_registry_add_lookup(leat_registry *registry, const leat_lookup_factory *factory);
/* LEAT_NOT_FOUND names the type. */
LEAT_CHECKED leat_code leat_registry_find_operator(const leat_registry *registry, const char *type,
                                                   const leat_operator_factory **out, leat_error *error);
LEAT_CHECKED leat_code leat_registry_find_enumerator(const leat_registry *registry, const char *type,
                                                     const leat_enumerator_factory **out, leat_error *error);
LEAT_CHECKED leat_code leat_registry_find_committer(const leat_registry *registry, const char *type,
                                                    const leat_committer_factory **out, leat_error *error);
LEAT_CHECKED leat_code leat_registry_find_lookup(const leat_registry *registry, const char *type,
                                                 const leat_lookup_factory **out, leat_error *error);
