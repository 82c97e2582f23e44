/* leat-jobmanager: the coordinator of a Leat cluster. Started by `leat`, or by hand on any host. */
#include <argp.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "connectors/registry.h"
#include "jobmanager/net.h"
#include "jobmanager/rest.h"
#include "jobmanager/sessions.h"
#include "paimon/registry.h"
#include "storage/storage.h"

enum {
    OPTION_DIR = 256,
    OPTION_REST_PORT,
    OPTION_CONTROL_PORT,
    OPTION_ADDRESS,
    OPTION_CONFIG,
    OPTION_LOG,
    OPTION_PARENT_FD,
    OPTION_REPORT_FD,
    OPTION_REMOVE_DIR,
};

typedef struct arguments {
    const char *dir, *address, *log;
    int control_port, parent_fd, report_fd;
    bool removes_dir;
    leat_config config;
} arguments;

static const struct argp_option argp_options[] = {
    {"dir", OPTION_DIR, "DIR", 0, "Folder of the cluster: checkpoints go below it (required)", 0},
    {"rest-port", OPTION_REST_PORT, "PORT", 0, "Port of REST and web page; 0: any free one (rest.port)", 0},
    {"control-port", OPTION_CONTROL_PORT, "PORT", 0, "Port for task managers; 0: any free one (0)", 0},
    {"address", OPTION_ADDRESS, "ADDRESS", 0, "Address to bind for task managers (127.0.0.1)", 0},
    {"config", OPTION_CONFIG, "FILE", 0, "Configuration file (leat.yaml)", 0},
    {"log", OPTION_LOG, "FILE", 0, "Log to a file instead of stderr", 0},
    {"parent-fd", OPTION_PARENT_FD, "FD", OPTION_HIDDEN, "End when this descriptor is at its end", 0},
    {"report-fd", OPTION_REPORT_FD, "FD", OPTION_HIDDEN, "Where to write the ports, as one line of JSON", 0},
    {"remove-dir", OPTION_REMOVE_DIR, NULL, OPTION_HIDDEN, "Remove the folder at the end: it is a temporary one", 0},
    {NULL, 'D', "KEY=VALUE", 0, "Set an option", 0},
    {0},
};

static leat_code parse_number(const char *value, int *out, leat_error *error)
{
    int64_t number;
    LEAT_TRY(leat_parse_int(value, &number, error));
    if (number < 0 || number > 65535) return leat_fail(error, LEAT_INVALID, "'%s' is not between 0 and 65535", value);
    *out = (int)number;
    return LEAT_OK;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *given = state->input;
    leat_error error = {0};
    leat_code code = LEAT_OK;
    int port;
    switch (key) {
    case OPTION_DIR: given->dir = value; break;
    case OPTION_REST_PORT:
        code = parse_number(value, &port, &error);
        if (code == LEAT_OK) code = leat_config_set(&given->config, "rest.port", value, &error);
        break;
    case OPTION_CONTROL_PORT: code = parse_number(value, &given->control_port, &error); break;
    case OPTION_ADDRESS: given->address = value; break;
    case OPTION_CONFIG: code = leat_config_load_yaml(&given->config, value, &error); break;
    case OPTION_LOG: given->log = value; break;
    case OPTION_PARENT_FD: code = parse_number(value, &given->parent_fd, &error); break;
    case OPTION_REPORT_FD: code = parse_number(value, &given->report_fd, &error); break;
    case OPTION_REMOVE_DIR: given->removes_dir = true; break;
    case 'D': code = leat_config_set_pair(&given->config, value, &error); break;
    case ARGP_KEY_END:
        if (!given->dir) argp_error(state, "--dir is missing");
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
    leat_jm_net *net;
    leat_job_store store;
    leat_jobmanager manager;
    leat_sessions *sessions;
    leat_rest rest;
    leat_http *http;
    char dir[4096], time_zone[256];
} process;

/* The machine's time zone by its IANA name: $TZ, else where /etc/localtime points; NULL: UTC. */
static const char *time_zone(process *self)
{
    const char *named = getenv("TZ");
    if (named && named[0] == ':') named++;
    if (named && named[0] && named[0] != '/') return named;
    char target[256];
    ssize_t length = readlink("/etc/localtime", target, sizeof target - 1);
    if (length <= 0) return NULL;
    target[length] = '\0';
    const char *folder = strstr(target, "zoneinfo/");
    if (!folder) return NULL;
    snprintf(self->time_zone, sizeof self->time_zone, "%s", folder + strlen("zoneinfo/"));
    return self->time_zone;
}

enum { IO_THREADS = 8, IO_QUEUE_MAX = 1 << 16 };

/* The jobs' records hold their secrets: on this machine nobody else may read them. */
static leat_code keep_private(const char *dir, leat_error *error)
{
    const char *path = strncmp(dir, "file://", 7) == 0 ? dir + 7 : strncmp(dir, "file:", 5) == 0 ? dir + 5 : dir;
    if (path[0] != '/' || chmod(path, 0700) == 0) return LEAT_OK;
    return leat_fail_errno(error, leat_code_of_errno(errno), errno, "make %s private", path);
}

static leat_code open_store(process *self, const leat_config *config, leat_jm_recovery *recovery, leat_error *error)
{
    const char *given = leat_config_string(config, LEAT_OPTION_HA_STORAGE_DIR);
    char *dir = given[0] ? leat_strdup(given) : leat_format("%s/ha", self->dir);
    if (!dir) return leat_fail_no_memory(error);
    leat_code code = leat_job_store_open(&self->store, self->env, dir, error);
    if (code == LEAT_OK) code = keep_private(dir, error);
    leat_free(dir);
    return code == LEAT_OK ? leat_jobmanager_load(&self->store, recovery, error) : code;
}

static leat_code start(process *self, const arguments *given, leat_error *error)
{
    LEAT_ASSERT(given->dir); /* parse_option asks for it */
    if (mkdir(given->dir, 0755) != 0 && errno != EEXIST) {
        return leat_fail_errno(error, leat_code_of_errno(errno), errno, "make folder %s", given->dir);
    }
    if (!realpath(given->dir, self->dir)) {
        return leat_fail_errno(error, leat_code_of_errno(errno), errno, "folder %s", given->dir);
    }
    leat_connectors_register(&self->registry);
    leat_paimon_register(&self->registry);
    LEAT_TRY(leat_env_system_new(IO_THREADS, IO_QUEUE_MAX, &self->env, error));
    LEAT_TRY(leat_storage_schemes_new(&given->config, self->env, &self->storage, error));
    self->env->storage = self->storage;
    LEAT_TRY(leat_jm_net_new(given->address, given->control_port, &self->net, error));
    self->manager = (leat_jobmanager){.env = self->env,
                                      .config = &given->config,
                                      .registry = &self->registry,
                                      .transport = leat_jm_net_transport(self->net),
                                      .cluster_dir = self->dir};
    leat_jm_recovery recovery = {0};
    if (!given->removes_dir) { /* a temporary cluster has no tomorrow */
        LEAT_TRY(open_store(self, &given->config, &recovery, error));
        self->manager.store = &self->store;
    }
    LEAT_TRY(leat_jobmanager_init(&self->manager, error));
    if (recovery.count)
        leat_log(LEAT_LOG_INFO, "jobmanager", "epoch %llu: goes on with %zu jobs of the job manager before",
                 (unsigned long long)self->store.epoch, recovery.count);
    leat_jobmanager_resume(&self->manager, &recovery);
    leat_sessions_options sessions = {.manager = &self->manager, .time_zone = time_zone(self)};
    LEAT_TRY(leat_sessions_new(&sessions, &self->sessions, error));
    self->rest = (leat_rest){.manager = &self->manager,
                             .sessions = self->sessions,
                             .more_routes = leat_sessions_routes,
                             .tick = leat_sessions_tick};
    leat_http_options http = {.address = leat_config_string(&given->config, LEAT_OPTION_REST_ADDRESS),
                              .port = (int)leat_config_int(&given->config, LEAT_OPTION_REST_PORT),
                              .handle = leat_rest_handle,
                              .tick = leat_rest_tick,
                              .arg = &self->rest};
    return leat_http_new(&http, &self->http, error);
}

/* One line for who started us: {"rest":PORT,"control":"tcp://…"}. */
static leat_code report(const process *self, int report_fd, leat_error *error)
{
    if (report_fd < 0) return LEAT_OK;
    int wrote = dprintf(report_fd, "{\"rest\":%d,\"control\":\"%s\",\"pid\":%d}\n", leat_http_port(self->http),
                        leat_jm_net_endpoint(self->net), (int)getpid());
    close(report_fd);
    return wrote > 0 ? LEAT_OK : leat_fail_errno(error, LEAT_IO, errno, "report the ports");
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    (void)remove(path); /* what stays keeps its folder */
    return 0;
}

static bool jobs_run(const leat_jobmanager *manager)
{
    for (const leat_jm_job *job = manager->jobs; job; job = job->next) {
        if (!leat_job_state_is_terminal(job->state) || job->io_running) return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    static arguments given = {.address = "127.0.0.1", .parent_fd = -1, .report_fd = -1};
    const struct argp argp = {
        argp_options, parse_option, NULL, "Coordinates a Leat cluster: SQL sessions, jobs, checkpoints, REST.",
        NULL,         NULL,         NULL};
    argp_parse(&argp, argc, argv, 0, NULL, &given);
    int stop_fd = -1;
    leat_error error = {0};
    leat_code code = leat_process_begin(&given.config, given.log, &stop_fd, &error);
    static process self;
    if (code == LEAT_OK) code = start(&self, &given, &error);
    if (code == LEAT_OK) code = report(&self, given.report_fd, &error);
    if (code == LEAT_OK) {
        leat_log(LEAT_LOG_INFO, "jobmanager", "control at %s, REST at http://%s:%d", leat_jm_net_endpoint(self.net),
                 leat_config_string(&given.config, LEAT_OPTION_REST_ADDRESS), leat_http_port(self.http));
        code = leat_jm_net_run(self.net, &self.manager, stop_fd, given.parent_fd, &error);
    }
    if (code != LEAT_OK) {
        leat_process_failed("leat-jobmanager", &error);
        _exit(1);
    }
    leat_http_stop(self.http);
    leat_sessions_free(self.sessions);
    if (given.removes_dir) (void)nftw(self.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (jobs_run(&self.manager)) _exit(0); /* their I/O may take long, and nothing of it is worth waiting for */
    leat_env_system_free(self.env);
    leat_jobmanager_done(&self.manager);
    leat_http_free(self.http);
    leat_jm_net_free(self.net);
    leat_job_store_done(&self.store);
    leat_storage_free(self.storage);
    leat_config_done(&given.config);
    return 0;
}
