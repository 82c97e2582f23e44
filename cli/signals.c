#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum { SECOND_SIGNAL_MS = 300 };

static int signals_fd = -1;
static bool has_child_ended;
static int64_t first_ms; /* when the first signal came; 0: none yet */

static void take_over(bool with_children)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    if (with_children) sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signals_fd = signalfd(signals_fd, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

void leat_cli_signals_block(void)
{
    signal(SIGPIPE, SIG_IGN);
    take_over(false);
}

void leat_cli_signals_watch_children(void)
{
    take_over(true);
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
        if (taken.ssi_signo == SIGCHLD) {
            has_child_ended = true;
            continue;
        }
        int64_t now_ms = leat_cli_now_ms();
        /* Some send one to the process and one to its group: that is no second wish. */
        if (first_ms && now_ms - first_ms > SECOND_SIGNAL_MS) _exit(LEAT_EXIT_INTERRUPTED);
        if (!first_ms) first_ms = now_ms;
    }
    return any;
}

leat_code leat_cli_interrupted(leat_error *error)
{
    if (first_ms || !has_child_ended) return leat_fail(error, LEAT_CANCELED, "interrupted");
    leat_code code = leat_fail(error, LEAT_UNAVAILABLE, "a process of the embedded cluster has ended");
    leat_fail_hint(error, "'leat cluster start' gives a cluster whose jobs outlive a task manager");
    return code;
}

leat_code leat_cli_sleep(int64_t ms, leat_error *error)
{
    struct pollfd poller = {.fd = signals_fd, .events = POLLIN};
    if (poll(&poller, 1, (int)ms) > 0 && leat_cli_signals_take()) return leat_cli_interrupted(error);
    return LEAT_OK;
}
