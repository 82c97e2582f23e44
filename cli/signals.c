#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum { SECOND_SIGNAL_MS = 300 };

static int signals_fd = -1;
static int64_t first_ms; /* when the first signal came; 0: none yet */

void leat_cli_signals_block(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signals_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

int leat_cli_signals_fd(void)
{
    return signals_fd;
}

int64_t leat_cli_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

bool leat_cli_signals_take(void)
{
    struct signalfd_siginfo taken;
    bool any = false;
    while (read(signals_fd, &taken, sizeof taken) == (ssize_t)sizeof taken) {
        any = true;
        int64_t now_ms = leat_cli_now_ms();
        /* Some send one to the process and one to its group: that is no second wish. */
        if (first_ms && now_ms - first_ms > SECOND_SIGNAL_MS) _exit(LEAT_EXIT_INTERRUPTED);
        if (!first_ms) first_ms = now_ms;
    }
    return any;
}

leat_code leat_cli_sleep(int64_t ms, leat_error *error)
{
    struct pollfd poller = {.fd = signals_fd, .events = POLLIN};
    if (poll(&poller, 1, (int)ms) > 0 && leat_cli_signals_take()) return leat_fail(error, LEAT_CANCELED, "interrupted");
    return LEAT_OK;
}
