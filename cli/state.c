#include "cli/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/memory.h"

leat_code leat_state_dir(const char *given, char *out, size_t size, leat_error *error)
{
    const char *dir = given ? given : getenv("LEAT_DIR"), *home = getenv("HOME");
    int wanted;
    if (dir && dir[0]) {
        char here[4096] = "";
        if (dir[0] != '/' && !getcwd(here, sizeof here))
            return leat_fail_errno(error, LEAT_IO, errno, "the current folder");
        wanted = snprintf(out, size, "%s%s%s", here, here[0] ? "/" : "", dir);
    } else if (home && home[0]) {
        wanted = snprintf(out, size, "%s/.local/state/leat", home);
    } else {
        leat_code code = leat_fail(error, LEAT_INVALID, "there is no folder for the cluster: $HOME is not set");
        leat_fail_hint(error, "name one with --dir or $LEAT_DIR");
        return code;
    }
    return wanted > 0 && (size_t)wanted < size ? LEAT_OK
                                               : leat_fail(error, LEAT_LIMIT, "the folder's path is too long");
}

static leat_code make_parents(char *path, leat_error *error)
{
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at) continue;
        char kept = *at;
        *at = '\0';
        int failed = mkdir(path, 0755);
        int why = errno;
        *at = kept;
        if (failed && why != EEXIST)
            return leat_fail_errno(error, leat_code_of_errno(why), why, "make folder %s", path);
        if (!kept) return LEAT_OK;
    }
}

leat_code leat_state_make_dir(const char *dir, leat_error *error)
{
    char *path = leat_format("%s/log", dir);
    if (!path) return leat_fail_no_memory(error);
    leat_code code = make_parents(path, error);
    leat_free(path);
    return code;
}

leat_code leat_state_lock(const char *dir, int *fd, leat_error *error)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return leat_fail_errno(error, leat_code_of_errno(errno), errno, "open folder %s", dir);
    if (flock(folder, LOCK_EX | LOCK_NB) != 0) {
        close(folder);
        leat_code code = leat_fail(error, LEAT_CONFLICT, "another 'leat cluster' command works in %s", dir);
        leat_fail_hint(error, "wait until it has ended");
        return code;
    }
    *fd = folder;
    return LEAT_OK;
}

static void copy_text(char *to, size_t size, const json_t *from)
{
    const char *text = json_string_value(from);
    snprintf(to, size, "%s", text ? text : "");
}

static void take_process(leat_state *state, const json_t *json)
{
    const char *role = json_string_value(json_object_get(json, "role"));
    if (!role || state->processes_count == LEAT_STATE_PROCESSES_MAX) return;
    leat_state_process *process = &state->processes[state->processes_count++];
    process->is_jobmanager = strcmp(role, "jobmanager") == 0;
    copy_text(process->id, sizeof process->id, json_object_get(json, "id"));
    copy_text(process->log, sizeof process->log, json_object_get(json, "log"));
    process->process.pid = json_integer_value(json_object_get(json, "pid"));
    process->process.started = json_integer_value(json_object_get(json, "started"));
}

leat_code leat_state_read(const char *dir, leat_state *out, leat_error *error)
{
    *out = (leat_state){0};
    snprintf(out->dir, sizeof out->dir, "%s", dir);
    out->processes = leat_calloc(LEAT_STATE_PROCESSES_MAX, sizeof *out->processes);
    char *path = leat_format("%s/cluster.json", dir);
    if (!path || !out->processes) {
        leat_free(path);
        return leat_fail_no_memory(error);
    }
    json_error_t problem;
    leat_code code = LEAT_OK;
    json_t *json = json_load_file(path, 0, &problem);
    if (!json && access(path, F_OK) == 0) {
        code = leat_fail(error, LEAT_CORRUPT, "%s: %s", path, problem.text);
        leat_fail_hint(error, "remove the file when none of the cluster's processes runs");
    }
    if (json) {
        out->exists = true;
        copy_text(out->rest, sizeof out->rest, json_object_get(json, "rest"));
        copy_text(out->control, sizeof out->control, json_object_get(json, "control"));
        out->slots = (int)json_integer_value(json_object_get(json, "slots"));
        const json_t *processes = json_object_get(json, "processes");
        for (size_t i = 0; i < json_array_size(processes); i++)
            take_process(out, json_array_get(processes, i));
    }
    json_decref(json);
    leat_free(path);
    return code;
}

leat_code leat_state_write(const leat_state *state, leat_error *error)
{
    json_t *processes = json_array();
    for (int i = 0; i < state->processes_count; i++) {
        const leat_state_process *process = &state->processes[i];
        json_array_append_new(processes, json_pack("{s:s,s:s,s:I,s:I,s:s}", "role",
                                                   process->is_jobmanager ? "jobmanager" : "taskmanager", "id",
                                                   process->id, "pid", (json_int_t)process->process.pid, "started",
                                                   (json_int_t)process->process.started, "log", process->log));
    }
    json_t *json = json_pack("{s:s,s:s,s:i,s:o}", "rest", state->rest, "control", state->control, "slots", state->slots,
                             "processes", processes);
    char *path = leat_format("%s/cluster.json", state->dir), *fresh = leat_format("%s/cluster.json.new", state->dir);
    leat_code code = LEAT_OK;
    if (!json || !path || !fresh)
        code = leat_fail_no_memory(error);
    else if (json_dump_file(json, fresh, JSON_INDENT(2)) != 0 || rename(fresh, path) != 0) {
        code = leat_fail_errno(error, leat_code_of_errno(errno), errno, "write %s", path);
    }
    json_decref(json);
    leat_free(path);
    leat_free(fresh);
    return code;
}

void leat_state_remove(const leat_state *state)
{
    char *path = leat_format("%s/cluster.json", state->dir);
    if (path) (void)unlink(path); /* not there is as good */
    leat_free(path);
}

void leat_state_done(leat_state *state)
{
    leat_free(state->processes);
    *state = (leat_state){0};
}

const leat_state_process *leat_state_jobmanager(const leat_state *state)
{
    for (int i = 0; i < state->processes_count; i++) {
        if (state->processes[i].is_jobmanager) return &state->processes[i];
    }
    return NULL;
}
