/* leat-taskmanager: runs subtasks for a job manager. Started by `leat cluster`, or by hand on any host. */
#include <argp.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "connectors/registry.h"
#include "operators/registry.h"
#include "paimon/registry.h"
#include "storage/storage.h"
#include "taskmanager/net.h"

enum { OPTION_SLOTS = 256, OPTION_ID, OPTION_ADDRESS, OPTION_PARENT_FD, OPTION_LOG, OPTION_CONFIG };

typedef struct arguments {
    const char *control_endpoint, *id, *address, *log;
    int parent_fd;
    leat_config config;
} arguments;

static const struct argp_option argp_options[] = {
    {"jobmanager", 'm', "ENDPOINT", 0, "Control endpoint of the job manager, tcp://HOST:PORT (required)", 0},
    {"slots", OPTION_SLOTS, "N", 0, "Slots (taskmanager.numberOfTaskSlots)", 0},
    {"id", OPTION_ID, "ID", 0, "Name of this task manager; made from host and pid when not given", 0},
    {"address", OPTION_ADDRESS, "ADDRESS", 0, "Address to bind and advertise (127.0.0.1)", 0},
    {"config", OPTION_CONFIG, "FILE", 0, "Configuration file (leat.yaml)", 0},
    {"log", OPTION_LOG, "FILE", 0, "Log to a file instead of stderr", 0},
    {"parent-fd", OPTION_PARENT_FD, "FD", OPTION_HIDDEN, "End when this descriptor is at its end", 0},
    {NULL, 'D', "KEY=VALUE", 0, "Set an option", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *given = state->input;
    leat_error error = {0};
    int64_t number = 0;
    leat_code code = LEAT_OK;
    switch (key) {
    case 'm': given->control_endpoint = value; break;
    case 'D': code = leat_config_set_pair(&given->config, value, &error); break;
    case OPTION_SLOTS: code = leat_config_set(&given->config, "taskmanager.numberOfTaskSlots", value, &error); break;
    case OPTION_ID: given->id = value; break;
    case OPTION_ADDRESS: given->address = value; break;
    case OPTION_LOG: given->log = value; break;
    case OPTION_CONFIG: code = leat_config_load_yaml(&given->config, value, &error); break;
    case OPTION_PARENT_FD:
        code = leat_parse_int(value, &number, &error);
        given->parent_fd = (int)number;
        break;
    case ARGP_KEY_END:
        if (!given->control_endpoint) argp_error(state, "--jobmanager is missing");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    if (code != LEAT_OK) argp_error(state, "%s%s%s", error.text, error.hint[0] ? "; " : "", error.hint);
    return 0;
}

typedef struct process {
    leat_registry registry;
    leat_storage *storage;
    leat_env *env;
    leat_executor *executor;
    leat_net *net;
    leat_taskmanager taskmanager;
    char id[64];
} process;

static leat_code start(process *self, const arguments *given, leat_error *error)
{
    leat_config *config = (leat_config *)(uintptr_t)&given->config;
    leat_operators_register(&self->registry);
    leat_connectors_register(&self->registry);
    leat_paimon_register(&self->registry);
    char host[32] = "tm";
    (void)gethostname(host, sizeof host - 1);
    snprintf(self->id, sizeof self->id, "%.31s-%d", host, (int)getpid());
    LEAT_TRY(leat_env_system_new((int)leat_config_int(config, LEAT_OPTION_IO_THREADS), 1 << 16, &self->env, error));
    LEAT_TRY(leat_storage_schemes_new(config, self->env, &self->storage, error));
    self->env->storage = self->storage;
    self->env->tmp_folder = leat_config_string(config, LEAT_OPTION_TMP_DIR);
    LEAT_TRY(leat_pool_new((int)leat_config_int(config, LEAT_OPTION_WORKERS), &self->executor, error));
    leat_net_options options = {.id = given->id ? given->id : self->id,
                                .control_endpoint = given->control_endpoint,
                                .bind_address = given->address,
                                .advertised_address = given->address};
    LEAT_TRY(leat_net_new(&options, &self->net, error));
    self->taskmanager = (leat_taskmanager){.id = options.id,
                                           .data_endpoint = leat_net_data_endpoint(self->net),
                                           .env = self->env,
                                           .config = config,
                                           .registry = &self->registry,
                                           .executor = self->executor,
                                           .transport = leat_net_transport(self->net),
                                           .slots = (int32_t)leat_config_int(config, LEAT_OPTION_TASK_SLOTS)};
    return leat_taskmanager_init(&self->taskmanager, error);
}

/* What is freed goes back to the system: large buffers (row groups, batches) are mapped each by itself, for glibc's own
 * threshold grows with them until they fragment its heaps, and there is one heap for several threads. */
static void bound_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
    mallopt(M_ARENA_MAX, 4);
}

int main(int argc, char **argv)
{
    arguments given = {.address = "127.0.0.1", .parent_fd = -1};
    const struct argp argp = {argp_options, parse_option, NULL, "Runs subtasks for a Leat job manager.",
                              NULL,         NULL,         NULL};
    argp_parse(&argp, argc, argv, 0, NULL, &given);
    bound_heap();
    int stop_fd = -1;
    leat_error error = {0};
    leat_code code = leat_process_begin(&given.config, given.log, &stop_fd, &error);
    static process self;
    if (code == LEAT_OK) code = start(&self, &given, &error);
    if (code == LEAT_OK) code = leat_net_run(self.net, &self.taskmanager, stop_fd, given.parent_fd, &error);
    if (code != LEAT_OK) leat_process_failed("leat-taskmanager", &error);
    bool is_clean = code == LEAT_OK && leat_taskmanager_jobs_count(&self.taskmanager) == 0;
    if (!is_clean)
        _exit(code == LEAT_OK ? 0 : 1); /* a task would not end in time: nothing of it is worth waiting for */
    leat_pool_free(self.executor);
    leat_env_system_free(self.env);
    leat_taskmanager_done(&self.taskmanager);
    leat_net_free(self.net);
    leat_storage_free(self.storage);
    leat_config_done(&given.config);
    return 0;
}
