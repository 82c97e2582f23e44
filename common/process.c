#include "common/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "common/log.h"

static void warn_of_unknown_keys(const leat_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        const char *key = config->entries[i].key;
        if (leat_option_by_key(key) != LEAT_OPTIONS_COUNT) continue;
        const char *nearest = leat_option_nearest_key(key);
        leat_log(LEAT_LOG_WARN, "config", "option '%s' is not known%s%s", key, nearest ? "; the nearest is " : "",
                 nearest ? nearest : "");
    }
}

leat_code leat_process_begin(const leat_config *config, const char *log_path, int *stop_fd, leat_error *error)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    *stop_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (*stop_fd < 0) return leat_fail_errno(error, LEAT_IO, errno, "listen for signals");
    leat_log_level level;
    LEAT_TRY(leat_log_level_parse(leat_config_string(config, LEAT_OPTION_LOG_LEVEL), &level, error));
    leat_log_set_level(level);
    if (log_path) LEAT_TRY(leat_log_open(log_path, error));
    warn_of_unknown_keys(config);
    return LEAT_OK;
}

void leat_process_failed(const char *program, const leat_error *error)
{
    fprintf(stderr, "%s: %s%s%s\n", program, error->text, error->hint[0] ? "\nhint: " : "", error->hint);
}
