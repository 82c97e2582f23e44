/* exchange: datagen (3 INT columns) → hash exchange → blackhole, between two task manager processes over ZeroMQ.
 *
 * Runs the job manager in this process and starts two leat-taskmanager programs (argv[1]); argv[2] rows. Prints the CPU
 * seconds of both task managers and rows a CPU-second. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/memory.h"
#include "connectors/datagen/datagen.h"
#include "connectors/registry.h"
#include "jobmanager/net.h"
#include "storage/storage.h"

extern char **environ;

static leat_code make_graph(int64_t rows, bool has_exchange, leat_bytes *out, leat_error *error)
{
    leat_type int_type = leat_type_make(LEAT_TYPE_INT, true);
    leat_field fields[3] = {{"order_id", int_type}, {"amount", int_type}, {"client_id", int_type}};
    leat_datagen_field generators[3];
    for (int i = 0; i < 3; i++) {
        generators[i] = leat_datagen_field_default(&int_type);
        generators[i].min = 1;
        generators[i].max = 1000;
    }
    leat_datagen_config datagen = {
        .schema = {3, fields}, .fields = generators, .rows_per_second = INT64_MAX, .rows_count = rows};
    leat_bytes config = {0}, schema = {0};
    leat_datagen_config_write(&datagen, &config);
    leat_schema_write(&datagen.schema, &schema);
    Leat__Pb__Operator source = LEAT__PB__OPERATOR__INIT, sink = LEAT__PB__OPERATOR__INIT;
    source.type = source.uid = source.name = source.description = "datagen";
    source.config = (ProtobufCBinaryData){config.size, config.data};
    sink.type = sink.uid = sink.name = sink.description = "blackhole";
    Leat__Pb__Operator *chain[2] = {&source, &sink}, *second[1] = {&sink};
    Leat__Pb__Vertex first = LEAT__PB__VERTEX__INIT, last = LEAT__PB__VERTEX__INIT;
    first.name = "Source: datagen";
    first.parallelism = last.parallelism = 1;
    first.is_source = true;
    first.operators = chain;
    first.n_operators = has_exchange ? 1 : 2;
    last.name = "Sink: blackhole";
    last.operators = second;
    last.n_operators = 1;
    Leat__Pb__Vertex *vertices[2] = {&first, &last};
    Leat__Pb__Edge edge = LEAT__PB__EDGE__INIT, *edges[1] = {&edge};
    uint32_t key = 2;
    edge.target = 1;
    edge.exchange = LEAT__PB__EXCHANGE__HASH;
    edge.key_columns = &key;
    edge.n_key_columns = 1;
    edge.schema = (ProtobufCBinaryData){schema.size, schema.data};
    Leat__Pb__JobGraph graph = LEAT__PB__JOB_GRAPH__INIT;
    graph.version = 1;
    graph.name = "exchange";
    graph.vertices = vertices;
    graph.n_vertices = has_exchange ? 2 : 1;
    graph.edges = edges;
    graph.n_edges = has_exchange ? 1 : 0;
    uint8_t *room = leat_bytes_extend(out, leat__pb__job_graph__get_packed_size(&graph));
    if (room) leat__pb__job_graph__pack(&graph, room);
    leat_bytes_done(&config);
    leat_bytes_done(&schema);
    return leat_bytes_check(out, error);
}

typedef struct bench {
    leat_jm_message submit; /* first */
    leat_jobmanager manager;
    leat_jm_net *net;
    int stop_fd;
    int64_t rows;
    bool has_exchange, is_submitted, is_good;
} bench;

static void stop_when_ended(leat_jm_job *job, void *arg)
{
    bench *self = arg;
    if (!leat_job_state_is_terminal(job->state)) return;
    self->is_good = job->state == LEAT_JOB_FINISHED;
    uint64_t one = 1;
    if (write(self->stop_fd, &one, sizeof one) < 0) perror("bench");
}

/* Submits once all task managers have registered, so that the two subtasks are spread. */
static void submit(leat_jobmanager *manager, leat_jm_message *message)
{
    bench *self = (bench *)message;
    if (leat_jobmanager_slots_free(manager) < (self->has_exchange ? 2 : 1)) {
        usleep(1000);
        leat_jobmanager_post(manager, message);
        return;
    }
    leat_bytes graph = {0};
    leat_error error = {0};
    leat_jm_job *job;
    if (make_graph(self->rows, self->has_exchange, &graph, &error) != LEAT_OK ||
        leat_jobmanager_submit(manager, NULL, &graph, &job, &error) != LEAT_OK) {
        fprintf(stderr, "exchange: %s\n", error.text);
        exit(1);
    }
    job->on_change = stop_when_ended;
    job->on_change_arg = self;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: exchange LEAT-TASKMANAGER ROWS [chained]\n");
        return 2;
    }
    static bench self;
    static leat_registry registry;
    leat_config config = {0};
    leat_storage *storage = NULL;
    leat_error error = {0};
    self.rows = strtoll(argv[2], NULL, 10);
    self.has_exchange = argc < 4;
    self.stop_fd = eventfd(0, EFD_CLOEXEC);
    leat_connectors_register(&registry);
    leat_code code = leat_storage_file_new(&storage, &error);
    self.manager = (leat_jobmanager){.config = &config, .registry = &registry, .cluster_dir = "/tmp"};
    if (code == LEAT_OK) code = leat_env_system_new(2, 1024, &self.manager.env, &error);
    if (code == LEAT_OK) self.manager.env->storage = storage;
    if (code == LEAT_OK) code = leat_jm_net_new("127.0.0.1", 0, &self.net, &error);
    if (code == LEAT_OK) self.manager.transport = leat_jm_net_transport(self.net);
    if (code == LEAT_OK) code = leat_jobmanager_init(&self.manager, &error);
    pid_t pids[2] = {0};
    for (int i = 0; code == LEAT_OK && i < (self.has_exchange ? 2 : 1); i++) {
        char id[16];
        snprintf(id, sizeof id, "tm-%d", i);
        char *child[] = {argv[1],
                         "--jobmanager",
                         (char *)(uintptr_t)leat_jm_net_endpoint(self.net),
                         "--slots",
                         "1",
                         "--id",
                         id,
                         "-DrootLogger.level=WARN",
                         NULL};
        if (posix_spawn(&pids[i], argv[1], NULL, NULL, child, environ) != 0)
            code = leat_fail(&error, LEAT_IO, "spawn %s", argv[1]);
    }
    leat_log_set_level(LEAT_LOG_WARN);
    self.submit.handle = submit;
    if (code == LEAT_OK) {
        leat_jobmanager_post(&self.manager, &self.submit);
        code = leat_jm_net_run(self.net, &self.manager, self.stop_fd, -1, &error);
    }
    for (int i = 0; i < 2; i++) {
        if (pids[i] > 0) kill(pids[i], SIGTERM);
        if (pids[i] > 0) waitpid(pids[i], NULL, 0);
    }
    if (code != LEAT_OK || !self.is_good) {
        fprintf(stderr, "exchange: %s\n", code == LEAT_OK ? "the job did not finish" : error.text);
        return 1;
    }
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("rows %lld cpu_s %.3f rows_per_cpu_s %.0f\n", (long long)self.rows, cpu, (double)self.rows / cpu);
    return 0;
}
