#include "cli/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/memory.h"

extern char **environ;

leat_code leat_process_find(const char *name, char *out, size_t size, leat_error *error)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) return leat_fail_errno(error, LEAT_IO, errno, "read /proc/self/exe");
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (slash) *slash = '\0';
    int wanted = snprintf(out, size, "%s/%s", self, name);
    if (wanted < 0 || (size_t)wanted >= size) return leat_fail(error, LEAT_LIMIT, "the path of %s is too long", name);
    if (access(out, X_OK) == 0) return LEAT_OK;
    leat_code code = leat_fail_errno(error, LEAT_NOT_FOUND, errno, "program %s", out);
    leat_fail_hint(error, "the three programs leat, leat-jobmanager and leat-taskmanager belong side by side");
    return code;
}

leat_code leat_process_spawn(const leat_process_options *options, pid_t *out, leat_error *error)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    flags = (short)(flags | (options->is_daemon ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP));
    posix_spawnattr_setflags(&attributes, flags);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (options->output) {
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, options->output, O_WRONLY | O_CREAT | O_APPEND, 0644);
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    }
    /* From high numbers downwards, so that no source is overwritten before it is copied: callers keep theirs above 4.
     */
    for (int i = 0; i < 2; i++) {
        if (options->inherited[i] >= 0) posix_spawn_file_actions_adddup2(&actions, options->inherited[i], 3 + i);
    }
    int failed = posix_spawn(out, options->program, &actions, &attributes, options->arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed ? leat_fail_errno(error, LEAT_IO, failed, "start %s", options->program) : LEAT_OK;
}

int64_t leat_process_start_time(pid_t pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    char *after = strrchr(line, ')'); /* the name before it may hold blanks */
    char state = 0;
    long long started = 0;
    if (!after || sscanf(after + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld",
                         &state, &started) != 2) {
        return 0;
    }
    return state == 'Z' || state == 'X' ? 0 : (int64_t)started;
}

bool leat_process_is_alive(const leat_process_id *id)
{
    return id->pid > 0 && leat_process_start_time((pid_t)id->pid) == id->started;
}

static bool any_alive(const leat_process_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)waitpid((pid_t)ids[i].pid, NULL, WNOHANG); /* in case it is our child: no zombie */
        if (leat_process_is_alive(&ids[i])) return true;
    }
    return false;
}

static void signal_all(const leat_process_id *ids, size_t count, int signal_number)
{
    for (size_t i = 0; i < count; i++) {
        int fd = pidfd_open((pid_t)ids[i].pid, 0);
        /* The descriptor pins the process: the check cannot be outrun by a reuse of the pid. */
        if (fd >= 0 && leat_process_is_alive(&ids[i])) (void)pidfd_send_signal(fd, signal_number, NULL, 0);
        if (fd >= 0) close(fd);
    }
}

enum { POLL_MS = 10, KILL_PATIENCE_MS = 2000 };

static bool wait_all(const leat_process_id *ids, size_t count, int64_t patience_ms)
{
    int64_t until_ms = leat_cli_now_ms() + patience_ms;
    while (any_alive(ids, count)) {
        if (leat_cli_now_ms() > until_ms) return false;
        (void)poll(NULL, 0, POLL_MS);
    }
    return true;
}

void leat_process_end_all(const leat_process_id *ids, size_t count, int64_t patience_ms)
{
    signal_all(ids, count, SIGTERM);
    if (wait_all(ids, count, patience_ms)) return;
    signal_all(ids, count, SIGKILL);
    (void)wait_all(ids, count, KILL_PATIENCE_MS);
}

enum { REPORT_BYTES_MAX = 4096 };

leat_code leat_process_read_report(int fd, int64_t timeout_ms, json_t **out, leat_error *error)
{
    char line[REPORT_BYTES_MAX];
    size_t length = 0;
    int64_t until_ms = leat_cli_now_ms() + timeout_ms;
    while (length == 0 || line[length - 1] != '\n') {
        struct pollfd pollers[2] = {{.fd = fd, .events = POLLIN}, {.fd = leat_cli_signals_fd(), .events = POLLIN}};
        int64_t left_ms = until_ms - leat_cli_now_ms();
        if (left_ms <= 0 || poll(pollers, 2, (int)left_ms) == 0) {
            return leat_fail(error, LEAT_TIMEOUT, "the job manager did not start within %d s",
                             (int)(timeout_ms / 1000));
        }
        if (pollers[1].revents && leat_cli_signals_take()) return leat_fail(error, LEAT_CANCELED, "interrupted");
        if (!pollers[0].revents) continue;
        ssize_t got = read(fd, line + length, sizeof line - length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0 || length + (size_t)got >= sizeof line)
            return leat_fail(error, LEAT_UNAVAILABLE, "the job manager ended while it started");
        length += (size_t)got;
    }
    *out = json_loadb(line, length, 0, NULL);
    return *out ? LEAT_OK : leat_fail(error, LEAT_CORRUPT, "the job manager's report is no JSON");
}

enum { LAST_WORDS_BYTES = 800 };

void leat_process_last_words(const char *path, leat_bytes *out)
{
    char text[LAST_WORDS_BYTES + 1];
    FILE *file = fopen(path, "re");
    if (!file) return;
    if (fseek(file, -LAST_WORDS_BYTES, SEEK_END) != 0) rewind(file);
    size_t length = fread(text, 1, LAST_WORDS_BYTES, file);
    fclose(file);
    while (length && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    leat_bytes_text(out, text);
}
