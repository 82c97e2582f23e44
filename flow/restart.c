#include "flow/restart.h"

#include <strings.h>

static leat_code find_kind(const char *name, leat_restart_kind *out, leat_error *error)
{
    static const struct {
        const char *name;
        leat_restart_kind kind;
    } known[] = {{"none", LEAT_RESTART_NONE},
                 {"off", LEAT_RESTART_NONE},
                 {"disable", LEAT_RESTART_NONE},
                 {"fixed-delay", LEAT_RESTART_FIXED_DELAY},
                 {"fixeddelay", LEAT_RESTART_FIXED_DELAY},
                 {"failure-rate", LEAT_RESTART_FAILURE_RATE},
                 {"failurerate", LEAT_RESTART_FAILURE_RATE},
                 {"exponential-delay", LEAT_RESTART_EXPONENTIAL_DELAY},
                 {"exponentialdelay", LEAT_RESTART_EXPONENTIAL_DELAY}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(name, known[i].name) != 0) continue;
        *out = known[i].kind;
        return LEAT_OK;
    }
    leat_code code = leat_fail(error, LEAT_INVALID, "'%s' is not a restart strategy", name);
    leat_fail_hint(error, "restart-strategy.type is none, fixed-delay, failure-rate or exponential-delay");
    return code;
}

static leat_code read_exponential(leat_restart *self, const leat_config *config, leat_error *error)
{
    self->initial_ms = leat_config_duration_ms(config, LEAT_OPTION_RESTART_BACKOFF_INITIAL);
    self->most_ms = leat_config_duration_ms(config, LEAT_OPTION_RESTART_BACKOFF_MAX);
    self->reset_ms = leat_config_duration_ms(config, LEAT_OPTION_RESTART_BACKOFF_RESET);
    self->multiplier = leat_config_double(config, LEAT_OPTION_RESTART_BACKOFF_MULTIPLIER);
    self->jitter = leat_config_double(config, LEAT_OPTION_RESTART_BACKOFF_JITTER);
    self->attempts = leat_config_int(config, LEAT_OPTION_RESTART_BACKOFF_ATTEMPTS);
    if (self->initial_ms < 1 || self->most_ms < self->initial_ms)
        return leat_fail(
            error, LEAT_INVALID,
            "restart-strategy.exponential-delay: initial-backoff must be at least 1 ms, and max-backoff no "
            "less than it");
    if (self->multiplier < 1 || self->jitter < 0 || self->jitter > 1)
        return leat_fail(error, LEAT_INVALID,
                         "restart-strategy.exponential-delay: backoff-multiplier must be at least 1, and jitter-factor "
                         "between 0 and 1");
    return LEAT_OK;
}

leat_code leat_restart_init(leat_restart *self, const leat_config *config, bool has_checkpoints, leat_error *error)
{
    *self = (leat_restart){.failed_ms = INT64_MIN};
    const char *name = leat_config_string(config, LEAT_OPTION_RESTART_STRATEGY);
    if (!name[0]) {
        self->kind = has_checkpoints ? LEAT_RESTART_FIXED_DELAY : LEAT_RESTART_NONE;
        self->attempts = -1;
        self->delay_ms = 1000;
        return LEAT_OK;
    }
    LEAT_TRY(find_kind(name, &self->kind, error));
    if (self->kind == LEAT_RESTART_FIXED_DELAY) {
        self->attempts = leat_config_int(config, LEAT_OPTION_RESTART_FIXED_ATTEMPTS);
        self->delay_ms = leat_config_duration_ms(config, LEAT_OPTION_RESTART_FIXED_DELAY);
    }
    if (self->kind == LEAT_RESTART_FAILURE_RATE) {
        self->failures_max = leat_config_int(config, LEAT_OPTION_RESTART_RATE_MAX);
        self->interval_ms = leat_config_duration_ms(config, LEAT_OPTION_RESTART_RATE_INTERVAL);
        self->delay_ms = leat_config_duration_ms(config, LEAT_OPTION_RESTART_RATE_DELAY);
        if (self->failures_max < 1 || self->failures_max > LEAT_RESTART_RATE_MAX)
            return leat_fail(error, LEAT_INVALID,
                             "restart-strategy.failure-rate.max-failures-per-interval must be between 1 and %d",
                             LEAT_RESTART_RATE_MAX);
    }
    return self->kind == LEAT_RESTART_EXPONENTIAL_DELAY ? read_exponential(self, config, error) : LEAT_OK;
}

/* The failure `failures_max` before this one must lie outside the interval. */
static bool is_rate_kept(leat_restart *self, int64_t now_ms)
{
    int64_t *slot = &self->failures_ms[self->failures_count % self->failures_max];
    bool is_kept = self->failures_count < self->failures_max || now_ms - *slot > self->interval_ms;
    *slot = now_ms;
    self->failures_count++;
    return is_kept;
}

static int64_t back_off(leat_restart *self, int64_t now_ms, uint64_t random)
{
    bool is_first = self->failed_ms == INT64_MIN || now_ms - self->failed_ms >= self->reset_ms + self->delay_ms;
    double next = is_first ? (double)self->initial_ms : (double)self->delay_ms * self->multiplier;
    if (is_first) self->restarts = 0;
    self->delay_ms = next < (double)self->most_ms ? (int64_t)next : self->most_ms;
    double share = (double)(random >> 11) / (double)(UINT64_C(1) << 53) * 2 - 1; /* from -1 up to 1 */
    int64_t delay_ms = self->delay_ms + (int64_t)((double)self->delay_ms * self->jitter * share);
    return delay_ms < self->most_ms ? delay_ms : self->most_ms;
}

bool leat_restart_on_failure(leat_restart *self, int64_t now_ms, uint64_t random, int64_t *delay_ms)
{
    *delay_ms = self->delay_ms;
    bool restarts = false;
    switch (self->kind) {
    case LEAT_RESTART_NONE: break;
    case LEAT_RESTART_FAILURE_RATE: restarts = is_rate_kept(self, now_ms); break;
    case LEAT_RESTART_EXPONENTIAL_DELAY: *delay_ms = back_off(self, now_ms, random); __attribute__((fallthrough));
    case LEAT_RESTART_FIXED_DELAY:
        restarts = self->attempts < 0 || self->restarts < self->attempts;
        self->restarts += restarts;
        break;
    }
    self->failed_ms = now_ms;
    return restarts;
}
