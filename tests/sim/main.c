#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/drive.h"
#include "tests/sim/knobs.h"

/* Seeds run in processes of their own, so that a crash is a failure like any other: it is noticed, made smaller, and
 * printed as a command. */

enum { WORKERS_MAX = 64, SWITCHES_MAX = 64 };

/* What a worker leaves, in memory that is shared. */
typedef struct report {
    uint64_t seed; /* under way, or the one that broke */
    bool has_failed;
    char failure[SIM_FAILURE_BYTES], condition[SIM_FAILURE_BYTES];
    sim_totals totals;
} report;

typedef struct arguments {
    uint64_t first, seeds, off;
    int64_t until_ms;
    double minutes; /* 0: by the number of seeds */
    int workers;
    bool is_verbose, is_logged, is_plain; /* plain: a seed that fails is not made smaller */
    const char *known;                    /* a file of seeds that failed once */
} arguments;

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static report *share_reports(int count)
{
    void *shared =
        mmap(NULL, (size_t)count * sizeof(report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    LEAT_ASSERT(shared != MAP_FAILED);
    return shared;
}

/* --- switches --- */

static int switch_bit(int number)
{
    return number < SIM_FAULTS_COUNT ? number : SIM_KNOBS_FIRST_BIT + number - SIM_FAULTS_COUNT;
}

static int switches_count(void)
{
    return SIM_FAULTS_COUNT + sim_knobs_count();
}

static const char *switch_name(int number)
{
    return number < SIM_FAULTS_COUNT ? sim_fault_name((sim_fault)number) : sim_knob_name(number - SIM_FAULTS_COUNT);
}

static bool parse_switches(const char *text, uint64_t *off)
{
    while (*text) {
        size_t length = strcspn(text, ",");
        int number = 0;
        while (number < switches_count() &&
               (strncmp(switch_name(number), text, length) != 0 || switch_name(number)[length]))
            number++;
        if (number == switches_count()) {
            fprintf(stderr, "'%.*s' is not a switch; there are:", (int)length, text);
            for (int i = 0; i < switches_count(); i++)
                fprintf(stderr, " %s", switch_name(i));
            fprintf(stderr, "\n");
            return false;
        }
        *off |= UINT64_C(1) << switch_bit(number);
        text += length + (text[length] == ',');
    }
    return true;
}

/* --- one seed in a process of its own --- */

static bool try_seed(const sim_scenario *scenario, const sim_run_options *options, report *out)
{
    out->has_failed = false;
    fflush(NULL);
    pid_t child = fork();
    LEAT_ASSERT(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        bool is_good = sim_run_seed(scenario, options, &out->totals, out->failure, out->condition);
        out->has_failed = !is_good;
        _exit(0);
    }
    int status = 0;
    LEAT_ASSERT(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return !out->has_failed;
    out->has_failed = true;
    snprintf(out->condition, sizeof out->condition, "crash");
    snprintf(out->failure, sizeof out->failure, "seed %" PRIu64 ": the program crashed", options->seed);
    return false;
}

static void print_replay(const sim_scenario *scenario, const sim_run_options *options)
{
    printf("replay: %s --first %" PRIu64 " --seeds 1", scenario->name, options->seed);
    const char *separator = " --without ";
    for (int i = 0; i < switches_count(); i++) {
        if (!(options->off >> switch_bit(i) & 1)) continue;
        printf("%s%s", separator, switch_name(i));
        separator = ",";
    }
    if (options->until_ms) printf(" --until-ms %" PRId64, options->until_ms);
    printf("\n");
}

/* Turns off what is not needed, one switch after the other, and ends the storm as soon as it goes. */
static void make_smaller(const sim_scenario *scenario, sim_run_options *options, const report *broken)
{
    enum { PATIENCE_SECONDS = 120, UNTIL_MS = 16000, STEP_MS = 50 };
    double deadline = now_seconds() + PATIENCE_SECONDS;
    report *probe = share_reports(1);
    for (int i = 0; i < switches_count() && now_seconds() < deadline; i++) {
        sim_run_options less = *options;
        less.off |= UINT64_C(1) << switch_bit(i);
        if (!try_seed(scenario, &less, probe) && strcmp(probe->condition, broken->condition) == 0) *options = less;
    }
    int64_t good_ms = 0, bad_ms = options->until_ms ? options->until_ms : UNTIL_MS;
    while (bad_ms - good_ms > STEP_MS && now_seconds() < deadline) {
        sim_run_options less = *options;
        less.until_ms = (good_ms + bad_ms) / 2;
        if (!try_seed(scenario, &less, probe) && strcmp(probe->condition, broken->condition) == 0) {
            bad_ms = less.until_ms;
            *options = less;
        } else {
            good_ms = less.until_ms;
        }
    }
    if (!try_seed(scenario, options, probe)) printf("%s\n", probe->failure);
    munmap(probe, sizeof *probe);
}

static void tell_failure(const sim_scenario *scenario, const arguments *given, const report *broken)
{
    sim_run_options options = {broken->seed, given->off, given->until_ms, false};
    printf("%s\n", broken->failure);
    print_replay(scenario, &options);
    if (given->is_plain) return;
    printf("making it smaller …\n");
    make_smaller(scenario, &options, broken);
    print_replay(scenario, &options);
}

/* --- many seeds --- */

static bool run_one(const sim_scenario *scenario, const arguments *given, uint64_t seed, report *out)
{
    sim_run_options options = {seed, given->off, given->until_ms, given->is_logged};
    out->seed = seed;
    bool is_good = sim_run_seed(scenario, &options, &out->totals, out->failure, out->condition);
    out->has_failed = !is_good;
    if (given->is_verbose) printf("seed %" PRIu64 ": %" PRId64 " events so far\n", seed, out->totals.counts.events);
    return is_good;
}

/* Seeds that failed once come first: a line each, "PROGRAM SEED what it was". */
static bool run_known(const sim_scenario *scenario, const arguments *given, report *out)
{
    FILE *file = given->known ? fopen(given->known, "r") : NULL;
    if (!file) return !given->known;
    char line[256], name[64];
    uint64_t seed;
    bool is_good = true;
    while (is_good && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%63s %" SCNu64, name, &seed) != 2 || strcmp(name, scenario->name) != 0) continue;
        is_good = run_one(scenario, given, seed, out);
    }
    fclose(file);
    return is_good;
}

static void work(const sim_scenario *scenario, const arguments *given, int worker, report *out)
{
    double deadline = now_seconds() + given->minutes * 60;
    if (worker == 0 && !run_known(scenario, given, out)) return;
    for (uint64_t i = (uint64_t)worker; given->minutes > 0 || i < given->seeds; i += (uint64_t)given->workers) {
        if (given->minutes > 0 && now_seconds() > deadline) return;
        if (!run_one(scenario, given, given->first + i, out)) return;
    }
}

static void add_totals(sim_totals *sum, const sim_totals *part)
{
    int64_t *into = (int64_t *)sum;
    const int64_t *from = (const int64_t *)part;
    static_assert(sizeof *sum % sizeof *into == 0, "all of it is numbers");
    for (size_t i = 0; i < sizeof *sum / sizeof *into; i++)
        into[i] += from[i];
}

static void print_totals(const sim_totals *sum, double seconds)
{
    int64_t failures = 0;
    for (int i = 0; i < SIM_FAULTS_COUNT; i++)
        failures += sum->counts.faults[i];
    printf("%" PRId64 " seeds (%" PRId64 " count): %" PRId64 " jobs, %" PRId64 " restarts, %" PRId64
           " checkpoints, %" PRId64 " rows, %" PRId64 " conflicts, %" PRId64 " jobs ended by one, %" PRId64
           " news, %" PRId64 " messages, %" PRId64 " events, %" PRId64 " checks of channels\n",
           sum->seeds, sum->counted, sum->jobs, sum->restarts, sum->checkpoints, sum->rows, sum->conflicts, sum->failed,
           sum->counts.news, sum->counts.messages, sum->counts.events, sum->counts.checks);
    for (int i = 0; i < SIM_FAULTS_COUNT; i++)
        printf("%12" PRId64 " %s\n", sum->counts.faults[i], sim_fault_name((sim_fault)i));
    printf("%12" PRId64 " failures in %.0f s, %.0f an hour\n", failures, seconds, (double)failures / seconds * 3600);
}

static bool run_all(const sim_scenario *scenario, const arguments *given, sim_totals *sum)
{
    report *reports = share_reports(given->workers);
    pid_t workers[WORKERS_MAX];
    fflush(NULL);
    for (int i = 0; i < given->workers; i++) {
        workers[i] = fork();
        LEAT_ASSERT(workers[i] >= 0);
        if (workers[i]) continue;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        work(scenario, given, i, &reports[i]);
        fflush(NULL);
        exit(0); /* not _exit: what leaks is looked for */
    }
    bool is_good = true;
    for (int i = 0; i < given->workers; i++) {
        int status = 0;
        LEAT_ASSERT(waitpid(workers[i], &status, 0) == workers[i]);
        report *left = &reports[i];
        add_totals(sum, &left->totals);
        if (!left->has_failed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
            left->has_failed = true;
            snprintf(left->condition, sizeof left->condition, "crash");
            snprintf(left->failure, sizeof left->failure, "seed %" PRIu64 ": the program crashed", left->seed);
        }
        if (left->has_failed && is_good) tell_failure(scenario, given, left);
        is_good = is_good && !left->has_failed;
    }
    munmap(reports, (size_t)given->workers * sizeof *reports);
    return is_good;
}

static bool parse(int argc, char **argv, arguments *out)
{
    *out = (arguments){.first = 1, .seeds = 600, .workers = 1};
    for (int i = 1; i < argc; i++) {
        const char *key = argv[i];
        bool is_verbose = strcmp(key, "--verbose") == 0, is_logged = strcmp(key, "--log") == 0;
        out->is_verbose = out->is_verbose || is_verbose;
        bool is_plain = strcmp(key, "--plain") == 0;
        out->is_logged = out->is_logged || is_logged;
        out->is_plain = out->is_plain || is_plain;
        if (is_verbose || is_logged || is_plain) continue;
        const char *value = ++i < argc ? argv[i] : NULL;
        if (!value) return false;
        if (strcmp(key, "--seeds") == 0)
            out->seeds = strtoull(value, NULL, 10);
        else if (strcmp(key, "--first") == 0)
            out->first = strtoull(value, NULL, 10);
        else if (strcmp(key, "--minutes") == 0)
            out->minutes = strtod(value, NULL);
        else if (strcmp(key, "--jobs") == 0)
            out->workers = (int)strtol(value, NULL, 10);
        else if (strcmp(key, "--until-ms") == 0)
            out->until_ms = strtoll(value, NULL, 10);
        else if (strcmp(key, "--known") == 0)
            out->known = value;
        else if (strcmp(key, "--without") != 0 || !parse_switches(value, &out->off))
            return false;
    }
    return out->workers >= 1 && out->workers <= WORKERS_MAX;
}

int sim_main(int argc, char **argv, const sim_scenario *scenario)
{
    arguments given;
    if (!parse(argc, argv, &given)) {
        fprintf(stderr,
                "usage: %s [--seeds N | --minutes M] [--first S] [--jobs J] [--known FILE] [--without SWITCH,…]\n"
                "       [--until-ms T] [--verbose] [--log] [--plain]\n",
                scenario->name);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    sim_totals sum = {0};
    double started = now_seconds();
    if (!run_all(scenario, &given, &sum)) return 1;
    print_totals(&sum, now_seconds() - started);
    if (!scenario->has_news || sum.counts.news > 0 || sum.seeds < 100) return 0;
    printf("nobody heard of a commit\n");
    return 1;
}
