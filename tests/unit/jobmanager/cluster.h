/* A job manager with a task manager that is only messages: the test says what its tasks report. Time is a number, and
 * jobs of the env run at once. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/jobmanager.h"
#include "storage/storage.h"

enum { CLUSTER_VERTICES_MAX = 8, CLUSTER_SENT_MAX = 64 };

/* Vertices in a line, of parallelism 1. */
typedef struct cluster_vertex {
    const char *name, *enumerator, *committer;
    const char *config; /* of either */
} cluster_vertex;

typedef struct cluster {
    leat_env env; /* first */
    leat_jm_transport transport;
    leat_registry registry;
    leat_config config;
    leat_jobmanager manager;
    int64_t now_ms;
    uint64_t random;
    /* What was sent: kinds, and the topic of NEWS. */
    Leat__Pb__Envelope__BodyCase sent[CLUSTER_SENT_MAX];
    int sent_count;
    char topic[64];
    uint64_t triggered;     /* newest checkpoint */
    uint32_t idle_vertices; /* a bit each: they bring no committable */
} cluster;

static inline int64_t cluster_now_ms(leat_env *env)
{
    return ((cluster *)env)->now_ms;
}
static inline int64_t cluster_mono_us(leat_env *env)
{
    return ((cluster *)env)->now_ms * 1000;
}
static inline void cluster_sleep_ms(leat_env *env, int64_t ms)
{
    ((cluster *)env)->now_ms += ms;
}
static inline uint64_t cluster_random(leat_env *env)
{
    return ((cluster *)env)->random += UINT64_C(0x9e3779b97f4a7c15);
}
static inline leat_code cluster_spawn(leat_env *env, leat_job *job, leat_error *error)
{
    (void)error;
    job->run(job, env);
    job->done(job, env);
    return LEAT_OK;
}
static const leat_env_vtable cluster_env = {cluster_now_ms, cluster_mono_us, cluster_sleep_ms, cluster_random,
                                            cluster_spawn};

static inline void cluster_on_send(leat_jm_transport *transport, const char *task_manager, Leat__Pb__Envelope *envelope)
{
    cluster *self = (cluster *)((char *)transport - offsetof(cluster, transport));
    assert_string_equal(task_manager, "tm");
    if (self->sent_count < CLUSTER_SENT_MAX) self->sent[self->sent_count++] = envelope->body_case;
    if (envelope->body_case == LEAT__PB__ENVELOPE__BODY_NEWS)
        snprintf(self->topic, sizeof self->topic, "%s", envelope->news->topic);
    if (envelope->body_case == LEAT__PB__ENVELOPE__BODY_TRIGGER) self->triggered = envelope->trigger->checkpoint;
}
static inline void cluster_on_wake(leat_jm_transport *transport)
{
    (void)transport;
}

static inline int cluster_count_sent(cluster *self, Leat__Pb__Envelope__BodyCase kind)
{
    int count = 0;
    for (int i = 0; i < self->sent_count; i++)
        count += self->sent[i] == kind;
    self->sent_count = 0;
    return count;
}

/* Lets time pass, and handles all that comes of it. */
static inline void cluster_settle(cluster *self, int64_t ms)
{
    self->now_ms += ms;
    for (int i = 0; i < 4; i++) {
        leat_jobmanager_handle_inbox(&self->manager);
        (void)leat_jobmanager_on_tick(&self->manager);
    }
}

static inline void cluster_say(cluster *self, Leat__Pb__Envelope__BodyCase kind, void *body)
{
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.version = 1;
    envelope.leader_epoch = 1;
    envelope.body_case = kind;
    envelope.register_ = body; /* of the union: any member */
    uint8_t packed[4096];
    assert_true(leat__pb__envelope__get_packed_size(&envelope) <= sizeof packed);
    size_t size = leat__pb__envelope__pack(&envelope, packed);
    leat_jobmanager_on_control(&self->manager, "tm", packed, size);
    cluster_settle(self, 0);
}

static inline void cluster_register(cluster *self, uint32_t slots)
{
    Leat__Pb__Register message = LEAT__PB__REGISTER__INIT;
    message.task_manager = (char[]){"tm"};
    message.data_endpoint = (char[]){"tcp://nowhere:1"};
    message.host = (char[]){"nowhere"};
    message.version = (char[]){LEAT_VERSION};
    message.slots = slots;
    message.cores = 1;
    cluster_say(self, LEAT__PB__ENVELOPE__BODY_REGISTER_, &message);
}

static inline void cluster_set(cluster *self, const char *key, const char *value)
{
    assert_int_equal(leat_config_set(&self->config, key, value, NULL), LEAT_OK);
}

static inline void cluster_start(cluster *self)
{
    *self = (cluster){.env = {.vtable = &cluster_env}, .now_ms = 1700000000000};
    self->transport = (leat_jm_transport){cluster_on_send, cluster_on_wake};
    leat_log_set_level(LEAT_LOG_OFF);
    assert_int_equal(leat_storage_memory_new(&self->env.storage, NULL), LEAT_OK);
    cluster_set(self, "execution.checkpointing.interval", "1000");
    self->manager = (leat_jobmanager){.env = &self->env,
                                      .config = &self->config,
                                      .registry = &self->registry,
                                      .transport = &self->transport,
                                      .cluster_dir = "mem:/cluster"};
    assert_int_equal(leat_jobmanager_init(&self->manager, NULL), LEAT_OK);
}

static inline void cluster_stop(cluster *self)
{
    cluster_settle(self, 0);
    leat_jobmanager_done(&self->manager);
    leat_storage_free(self->env.storage);
    leat_config_done(&self->config);
}

static inline leat_jm_job *cluster_submit(cluster *self, const cluster_vertex *vertices, size_t count)
{
    Leat__Pb__Operator operators[CLUSTER_VERTICES_MAX], *chains[CLUSTER_VERTICES_MAX];
    Leat__Pb__Vertex made[CLUSTER_VERTICES_MAX], *all[CLUSTER_VERTICES_MAX];
    Leat__Pb__Edge edges[CLUSTER_VERTICES_MAX], *all_edges[CLUSTER_VERTICES_MAX];
    for (size_t i = 0; i < count; i++) {
        leat__pb__operator__init(&operators[i]);
        char *name = (char *)(uintptr_t)vertices[i].name;
        operators[i].type = operators[i].uid = operators[i].name = operators[i].description = name;
        chains[i] = &operators[i];
        leat__pb__vertex__init(&made[i]);
        made[i].name = name;
        made[i].parallelism = 1;
        made[i].operators = &chains[i];
        made[i].n_operators = 1;
        made[i].is_source = i == 0;
        made[i].enumerator = (char *)(uintptr_t)vertices[i].enumerator;
        made[i].committer = (char *)(uintptr_t)vertices[i].committer;
        ProtobufCBinaryData config = {vertices[i].config ? strlen(vertices[i].config) : 0,
                                      (uint8_t *)(uintptr_t)vertices[i].config};
        made[i].has_enumerator_config = made[i].has_committer_config = true;
        made[i].enumerator_config = made[i].committer_config = config;
        all[i] = &made[i];
        leat__pb__edge__init(&edges[i]);
        edges[i].source = (uint32_t)i;
        edges[i].target = (uint32_t)i + 1;
        all_edges[i] = &edges[i];
    }
    Leat__Pb__JobGraph graph = LEAT__PB__JOB_GRAPH__INIT;
    graph.version = 1;
    graph.name = (char[]){"a job"};
    graph.vertices = all;
    graph.n_vertices = count;
    graph.edges = all_edges;
    graph.n_edges = count - 1;
    leat_bytes packed = {0};
    leat__pb__job_graph__pack(&graph, leat_bytes_extend(&packed, leat__pb__job_graph__get_packed_size(&graph)));
    leat_jm_job *job = NULL;
    assert_int_equal(leat_jobmanager_submit(&self->manager, NULL, &packed, &job, NULL), LEAT_OK);
    cluster_settle(self, 0);
    return job;
}

/* Each vertex may be a region of its own. */
static inline uint32_t cluster_attempt(const leat_jm_job *job, uint32_t vertex)
{
    return job->regions[job->tasks[vertex].region].attempt;
}

/* `topic`: what the task follows; NULL: nothing. */
static inline void cluster_report(cluster *self, leat_jm_job *job, uint32_t vertex, Leat__Pb__TaskState state,
                                  const char *topic)
{
    Leat__Pb__TaskStateChanged message = LEAT__PB__TASK_STATE_CHANGED__INIT;
    char *topics[] = {(char *)(uintptr_t)topic};
    message.job = (ProtobufCBinaryData){LEAT_JM_JOB_ID_BYTES, job->id};
    message.attempt = cluster_attempt(job, vertex);
    message.vertex = vertex;
    message.state = state;
    message.topics = topics;
    message.n_topics = topic != NULL;
    cluster_say(self, LEAT__PB__ENVELOPE__BODY_TASK_STATE, &message);
}

static inline void cluster_run(cluster *self, leat_jm_job *job)
{
    for (int32_t i = 0; i < job->tasks_count; i++)
        cluster_report(self, job, (uint32_t)i, LEAT__PB__TASK_STATE__TASK_RUNNING, NULL);
    assert_int_equal(job->state, LEAT_JOB_RUNNING);
}

static inline void cluster_cancel_tasks(cluster *self, leat_jm_job *job)
{
    for (int32_t i = 0; i < job->tasks_count; i++)
        cluster_report(self, job, (uint32_t)i, LEAT__PB__TASK_STATE__TASK_CANCELED, NULL);
}

/* A checkpoint from its trigger to its commit; each vertex with a committer brings one committable. */
static inline void cluster_checkpoint(cluster *self, leat_jm_job *job)
{
    uint64_t before = self->triggered;
    cluster_settle(self, 1000);
    assert_true(self->triggered > before);
    for (int32_t i = 0; i < job->tasks_count; i++) {
        Leat__Pb__OperatorSnapshot part = LEAT__PB__OPERATOR_SNAPSHOT__INIT, *parts[] = {&part};
        ProtobufCBinaryData committable = {3, (uint8_t[]){"row"}};
        part.uid = job->graph->vertices[i]->operators[0]->uid;
        part.committables = &committable;
        bool is_idle = self->idle_vertices >> i & 1;
        part.n_committables = job->graph->vertices[i]->committer && !is_idle;
        Leat__Pb__CheckpointAck message = LEAT__PB__CHECKPOINT_ACK__INIT;
        message.job = (ProtobufCBinaryData){LEAT_JM_JOB_ID_BYTES, job->id};
        message.attempt = cluster_attempt(job, (uint32_t)i);
        message.checkpoint = self->triggered;
        message.vertex = (uint32_t)i;
        message.operators = parts;
        message.n_operators = 1;
        cluster_say(self, LEAT__PB__ENVELOPE__BODY_ACK, &message);
    }
    cluster_settle(self, 0);
}
