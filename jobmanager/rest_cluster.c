#include <string.h>
#include <unistd.h>

#include "jobmanager/rest.h"

void leat_rest_overview(leat_rest_call *call)
{
    int taskmanagers = 0, slots = 0, running = 0, finished = 0, cancelled = 0, failed = 0;
    for (size_t i = 0; i < call->manager->taskmanagers_count; i++) {
        const leat_jm_taskmanager *taskmanager = &call->manager->taskmanagers[i];
        if (!taskmanager->is_alive) continue;
        taskmanagers++;
        slots += taskmanager->slots;
    }
    for (const leat_jm_job *job = call->manager->jobs; job; job = job->next) {
        switch (job->state) {
        case LEAT_JOB_FINISHED: finished++; break;
        case LEAT_JOB_CANCELED: cancelled++; break;
        case LEAT_JOB_FAILED: failed++; break;
        default: running++; break;
        }
    }
    leat_rest_json(call->request, 200,
                   json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:s,s:s,s:s}", "taskmanagers", taskmanagers, "slots-total",
                             slots, "slots-available", leat_jobmanager_slots_free(call->manager), "jobs-running",
                             running, "jobs-finished", finished, "jobs-cancelled", cancelled, "jobs-failed", failed,
                             "flink-version", "1.20", "flink-commit", "leat", "leat-version", LEAT_VERSION));
}

void leat_rest_config(leat_rest_call *call)
{
    leat_rest_json(call->request, 200,
                   json_pack("{s:i,s:s,s:i,s:s,s:s,s:{s:b,s:b,s:b,s:b}}", "refresh-interval", 3000, "timezone-name",
                             "Coordinated Universal Time", "timezone-offset", 0, "flink-version", "1.20",
                             "flink-revision", "leat " LEAT_VERSION, "features", "web-submit", 0, "web-cancel", 1,
                             "web-rescale", 0, "web-history", 0));
}

void leat_rest_cluster_config(leat_rest_call *call)
{
    const leat_config *config = call->manager->config;
    json_t *entries = json_array();
    for (size_t i = 0; i < config->count; i++) {
        const char *value = leat_option_is_secret(config->entries[i].key) ? "******" : config->entries[i].value;
        json_array_append_new(entries, json_pack("{s:s,s:s}", "key", config->entries[i].key, "value", value));
    }
    leat_rest_json(call->request, 200, entries);
}

static json_t *resources(double cores, int64_t memory_mb)
{
    return json_pack("{s:f,s:I,s:i,s:i,s:i,s:{}}", "cpuCores", cores, "taskHeapMemory", (json_int_t)memory_mb,
                     "taskOffHeapMemory", 0, "managedMemory", 0, "networkMemory", 0, "extendedResources");
}

static int port_of(const char *endpoint)
{
    const char *colon = endpoint ? strrchr(endpoint, ':') : NULL;
    int64_t port;
    return colon && leat_parse_int(colon + 1, &port, NULL) == LEAT_OK ? (int)port : 0;
}

/* Leat's task managers have one budget where Flink's have a heap and its parts: it is shown as the task heap. */
static json_t *taskmanager_json(const leat_jobmanager *manager, const leat_jm_taskmanager *taskmanager)
{
    int64_t budget = leat_config_memory_bytes(manager->config, LEAT_OPTION_PROCESS_MEMORY);
    int free_slots = taskmanager->slots - taskmanager->slots_used;
    double share = taskmanager->slots ? (double)free_slots / taskmanager->slots : 0;
    int64_t physical = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    json_t *hardware = json_pack("{s:I,s:I,s:I,s:i}", "cpuCores", (json_int_t)taskmanager->cores, "physicalMemory",
                                 (json_int_t)physical, "freeMemory",
                                 (json_int_t)(budget - (int64_t)taskmanager->memory_bytes), "managedMemory", 0);
    json_t *memory =
        json_pack("{s:i,s:I,s:i,s:i,s:i,s:i,s:i,s:i,s:I,s:I}", "frameworkHeap", 0, "taskHeap", (json_int_t)budget,
                  "frameworkOffHeap", 0, "taskOffHeap", 0, "networkMemory", 0, "managedMemory", 0, "jvmMetaspace", 0,
                  "jvmOverhead", 0, "totalFlinkMemory", (json_int_t)budget, "totalProcessMemory", (json_int_t)budget);
    return json_pack("{s:s,s:s,s:i,s:i,s:I,s:i,s:i,s:o,s:o,s:o,s:o,s:s,s:I,s:I}", "id", taskmanager->id, "path",
                     taskmanager->data_endpoint ? taskmanager->data_endpoint : "", "dataPort",
                     port_of(taskmanager->data_endpoint), "jmxPort", -1, "timeSinceLastHeartbeat",
                     (json_int_t)taskmanager->heard_ms, "slotsNumber", taskmanager->slots, "freeSlots", free_slots,
                     "totalResource", resources(taskmanager->cores, budget >> 20), "freeResource",
                     resources(taskmanager->cores * share, (int64_t)((double)(budget >> 20) * share)), "hardware",
                     hardware, "memoryConfiguration", memory, "host", taskmanager->host ? taskmanager->host : "", "pid",
                     (json_int_t)taskmanager->pid, "memoryUsed", (json_int_t)taskmanager->memory_bytes);
}

void leat_rest_taskmanagers(leat_rest_call *call)
{
    json_t *list = json_array();
    for (size_t i = 0; i < call->manager->taskmanagers_count; i++) {
        const leat_jm_taskmanager *taskmanager = &call->manager->taskmanagers[i];
        if (taskmanager->is_alive) json_array_append_new(list, taskmanager_json(call->manager, taskmanager));
    }
    leat_rest_json(call->request, 200, json_pack("{s:o}", "taskmanagers", list));
}

static json_t *allocated_slots(const leat_jobmanager *manager, int32_t taskmanager)
{
    json_t *slots = json_array();
    for (const leat_jm_job *job = manager->jobs; job; job = job->next) {
        for (int32_t s = 0; s < job->slots_count; s++) {
            if (job->slots[s] != taskmanager) continue;
            json_array_append_new(slots, json_pack("{s:s,s:o}", "jobId", job->id_text, "resource", resources(1, 0)));
        }
    }
    return slots;
}

void leat_rest_taskmanager(leat_rest_call *call)
{
    const char *id = call->parameters[0];
    for (size_t i = 0; i < call->manager->taskmanagers_count; i++) {
        const leat_jm_taskmanager *taskmanager = &call->manager->taskmanagers[i];
        if (!taskmanager->is_alive || strcmp(taskmanager->id, id) != 0) continue;
        json_t *json = taskmanager_json(call->manager, taskmanager);
        json_object_set_new(json, "allocatedSlots", allocated_slots(call->manager, (int32_t)i));
        json_object_set_new(
            json, "metrics",
            json_pack("{s:I,s:I,s:I}", "heapUsed", (json_int_t)taskmanager->memory_bytes, "heapCommitted",
                      (json_int_t)taskmanager->memory_bytes, "heapMax",
                      (json_int_t)leat_config_memory_bytes(call->manager->config, LEAT_OPTION_PROCESS_MEMORY)));
        leat_rest_json(call->request, 200, json);
        return;
    }
    char text[512];
    snprintf(text, sizeof text,
             "<Exception on server "
             "side:\norg.apache.flink.runtime.resourcemanager.exceptions.UnknownTaskExecutorException: No "
             "TaskExecutor registered under %s.\n\nEnd of exception on server side>",
             id);
    leat_rest_json(call->request, 500, json_pack("{s:[s,s]}", "errors", "Internal server error.", text));
}
