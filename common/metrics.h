/* Metrics: named figures by scope, with Flink's names. The owner of a scope (a task, a job, a cluster) keeps a
 * leat_metrics and sets what it knows; REST lists it. Not thread-safe: what other threads count comes as leat_counter
 * or in messages.
 *
 * A scope holds at most LEAT_METRICS_MAX names; what comes after that is dropped, as figures may be. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* Counted by one thread, read by others: no locked instruction. */
typedef struct leat_counter {
    atomic_ullong value;
} leat_counter;

static inline void leat_counter_add(leat_counter *counter, uint64_t more)
{
    uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);
    atomic_store_explicit(&counter->value, value + more, memory_order_relaxed);
}
static inline uint64_t leat_counter_get(const leat_counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

/* The rate of a total over the last minute. Zeroed at the start. */
enum { LEAT_METER_SAMPLES = 12 };
typedef struct leat_meter {
    int64_t at_ms[LEAT_METER_SAMPLES]; /* oldest first, five seconds apart */
    uint64_t totals[LEAT_METER_SAMPLES];
    int count;
    double per_second;
} leat_meter;
void leat_meter_update(leat_meter *meter, int64_t now_ms, uint64_t total);

typedef enum leat_metric_kind {
    LEAT_METRIC_INTEGER, /* a gauge or a counter */
    LEAT_METRIC_REAL,
    LEAT_METRIC_TEXT,
} leat_metric_kind;

typedef struct leat_metric {
    char *name;
    leat_metric_kind kind;
    int64_t integer;
    double real;
    char *text;        /* of TEXT */
    leat_meter *meter; /* of a REAL that is the rate of a counter */
} leat_metric;

enum { LEAT_METRICS_MAX = 1024, LEAT_METRIC_NAME_BYTES = 512 };

typedef struct leat_metrics {
    leat_metric *items; /* in the order in which they came */
    size_t count, capacity;
} leat_metrics;

void leat_metrics_done(leat_metrics *metrics);
/* Registers the name when it is new. */
void leat_metrics_set(leat_metrics *metrics, const char *name, int64_t value);
void leat_metrics_set_real(leat_metrics *metrics, const char *name, double value);
void leat_metrics_set_text(leat_metrics *metrics, const char *name, const char *value);
/* A counter's total, and beside it "<name>PerSecond". */
void leat_metrics_count(leat_metrics *metrics, const char *name, uint64_t total, int64_t now_ms);
/* NULL: there is none of that name. */
const leat_metric *leat_metrics_find(const leat_metrics *metrics, const char *name);
/* As REST shows values: "7", "1.5", "NaN". */
void leat_metric_print(const leat_metric *metric, char *out, size_t size);
/* False for TEXT. */
bool leat_metric_number(const leat_metric *metric, double *out);
/* "<scope>.<name>", the scope cleaned as Flink cleans operators' names: "Writer : orders" becomes "Writer___orders". */
void leat_metric_scoped(const char *scope, const char *name, char out[LEAT_METRIC_NAME_BYTES]);

/* min, max, avg, sum, and skew: the mean distance from the average in percent of it. */
typedef struct leat_metric_summary {
    double min, max, avg, sum, skew;
} leat_metric_summary;
void leat_metric_summarize(const double *values, size_t count, leat_metric_summary *out);

/* What the system says of this process; zero where it does not. */
typedef struct leat_process_figures {
    uint64_t resident_bytes, cpu_us, threads;
} leat_process_figures;
void leat_process_measure(leat_process_figures *out);
/* When the load was measured last, and how much time had been used by then. Zeroed at the start. */
typedef struct leat_process_load {
    int64_t at_ms;
    uint64_t cpu_us;
} leat_process_load;
/* The figures as metrics "Status.JVM.…"; `budget_bytes` is what the process may use, -1: it has no bound. */
void leat_metrics_set_process(leat_metrics *metrics, const leat_process_figures *figures, int64_t budget_bytes,
                              leat_process_load *last, int64_t now_ms);
