#include "common/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/memory.h"

/* --- meters --- */

enum { SAMPLE_MS = 5000, WINDOW_MS = 60000 };

void leat_meter_update(leat_meter *meter, int64_t now_ms, uint64_t total)
{
    bool ran_back =
        meter->count && (now_ms < meter->at_ms[meter->count - 1] || total < meter->totals[meter->count - 1]);
    if (ran_back) meter->count = 0; /* another clock, another counter */
    int old = 0;
    while (old + 1 < meter->count && now_ms - meter->at_ms[old] > WINDOW_MS)
        old++;
    meter->per_second = 0;
    if (meter->count && now_ms > meter->at_ms[old])
        meter->per_second = (double)(total - meter->totals[old]) * 1000 / (double)(now_ms - meter->at_ms[old]);
    if (meter->count && now_ms - meter->at_ms[meter->count - 1] < SAMPLE_MS) return;
    if (old == 0 && meter->count == LEAT_METER_SAMPLES) old = 1;
    meter->count -= old;
    memmove(meter->at_ms, meter->at_ms + old, (size_t)meter->count * sizeof meter->at_ms[0]);
    memmove(meter->totals, meter->totals + old, (size_t)meter->count * sizeof meter->totals[0]);
    meter->at_ms[meter->count] = now_ms;
    meter->totals[meter->count++] = total;
}

/* --- a scope --- */

void leat_metrics_done(leat_metrics *metrics)
{
    for (size_t i = 0; i < metrics->count; i++) {
        leat_free(metrics->items[i].name);
        leat_free(metrics->items[i].text);
        leat_free(metrics->items[i].meter);
    }
    leat_free(metrics->items);
    *metrics = (leat_metrics){0};
}

const leat_metric *leat_metrics_find(const leat_metrics *metrics, const char *name)
{
    for (size_t i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->items[i].name, name) == 0) return &metrics->items[i];
    }
    return NULL;
}

/* NULL: no room, or no memory for it. */
static leat_metric *take(leat_metrics *metrics, const char *name, leat_metric_kind kind)
{
    leat_metric *known = (leat_metric *)(uintptr_t)leat_metrics_find(metrics, name);
    if (known) {
        known->kind = kind;
        return known;
    }
    if (metrics->count == LEAT_METRICS_MAX ||
        leat_grow(&metrics->items, &metrics->capacity, metrics->count + 1, sizeof *metrics->items, NULL) != LEAT_OK) {
        return NULL;
    }
    char *copy = leat_strdup(name);
    if (!copy) return NULL;
    leat_metric *added = &metrics->items[metrics->count++];
    *added = (leat_metric){.name = copy, .kind = kind};
    return added;
}

void leat_metrics_set(leat_metrics *metrics, const char *name, int64_t value)
{
    leat_metric *metric = take(metrics, name, LEAT_METRIC_INTEGER);
    if (metric) metric->integer = value;
}

void leat_metrics_set_real(leat_metrics *metrics, const char *name, double value)
{
    leat_metric *metric = take(metrics, name, LEAT_METRIC_REAL);
    if (metric) metric->real = value;
}

void leat_metrics_set_text(leat_metrics *metrics, const char *name, const char *value)
{
    leat_metric *metric = take(metrics, name, LEAT_METRIC_TEXT);
    char *copy = metric ? leat_strdup(value) : NULL;
    if (!copy) return;
    leat_free(metric->text);
    metric->text = copy;
}

void leat_metrics_count(leat_metrics *metrics, const char *name, uint64_t total, int64_t now_ms)
{
    char rate_name[LEAT_METRIC_NAME_BYTES];
    leat_metrics_set(metrics, name, (int64_t)total);
    snprintf(rate_name, sizeof rate_name, "%sPerSecond", name);
    leat_metric *rate = take(metrics, rate_name, LEAT_METRIC_REAL);
    if (!rate) return;
    if (!rate->meter) rate->meter = leat_calloc(1, sizeof *rate->meter);
    if (!rate->meter) return;
    leat_meter_update(rate->meter, now_ms, total);
    rate->real = rate->meter->per_second;
}

/* --- showing --- */

void leat_metric_print(const leat_metric *metric, char *out, size_t size)
{
    if (metric->kind == LEAT_METRIC_INTEGER) {
        snprintf(out, size, "%" PRId64, metric->integer);
    } else if (metric->kind == LEAT_METRIC_TEXT) {
        snprintf(out, size, "%s", metric->text ? metric->text : "");
    } else if (isnan(metric->real)) {
        snprintf(out, size, "NaN");
    } else {
        bool is_whole = metric->real == floor(metric->real) && fabs(metric->real) < 1e15;
        snprintf(out, size, is_whole ? "%.1f" : "%.15g", metric->real);
    }
}

bool leat_metric_number(const leat_metric *metric, double *out)
{
    *out = metric->kind == LEAT_METRIC_INTEGER ? (double)metric->integer : metric->real;
    return metric->kind != LEAT_METRIC_TEXT;
}

static bool is_kept(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '[' || c == ']' ||
           c == '-';
}

void leat_metric_scoped(const char *scope, const char *name, char out[LEAT_METRIC_NAME_BYTES])
{
    size_t at = 0;
    for (; scope[at] && at < LEAT_METRIC_NAME_BYTES / 2; at++)
        out[at] = is_kept(scope[at]) ? scope[at] : '_';
    snprintf(out + at, LEAT_METRIC_NAME_BYTES - at, ".%s", name);
}

void leat_metric_summarize(const double *values, size_t count, leat_metric_summary *out)
{
    *out = (leat_metric_summary){0};
    if (count == 0) return;
    out->min = out->max = values[0];
    for (size_t i = 0; i < count; i++) {
        if (values[i] < out->min) out->min = values[i];
        if (values[i] > out->max) out->max = values[i];
        out->sum += values[i];
    }
    out->avg = out->sum / (double)count;
    double distance = 0;
    for (size_t i = 0; i < count; i++)
        distance += fabs(values[i] - out->avg);
    out->skew = out->avg == 0 ? 0 : distance / (double)count / out->avg * 100;
}

/* --- the process --- */

static uint64_t read_resident(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    int fields = fscanf(file, "%llu %llu", &total, &resident);
    (void)fclose(file); /* only read */
    return fields == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static uint64_t read_threads(void)
{
    char line[256];
    unsigned long long threads = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "Threads: %llu", &threads) == 1) break;
    }
    if (file) (void)fclose(file);
    return threads;
}

void leat_process_measure(leat_process_figures *out)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    out->cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                  (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    out->resident_bytes = read_resident();
    out->threads = read_threads();
}

void leat_metrics_set_process(leat_metrics *metrics, const leat_process_figures *figures, int64_t budget_bytes,
                              leat_process_load *last, int64_t now_ms)
{
    int64_t resident = (int64_t)figures->resident_bytes;
    leat_metrics_set(metrics, "Status.JVM.Memory.Heap.Used", resident);
    leat_metrics_set(metrics, "Status.JVM.Memory.Heap.Committed", resident);
    leat_metrics_set(metrics, "Status.JVM.Memory.Heap.Max", budget_bytes);
    leat_metrics_set(metrics, "Status.JVM.Threads.Count", (int64_t)figures->threads);
    leat_metrics_set(metrics, "Status.JVM.CPU.Time", (int64_t)figures->cpu_us * 1000);
    if (now_ms <= last->at_ms) return;
    double share = (double)(figures->cpu_us - last->cpu_us) / 1000 / (double)(now_ms - last->at_ms);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    bool is_sane = last->at_ms && figures->cpu_us >= last->cpu_us;
    leat_metrics_set_real(metrics, "Status.JVM.CPU.Load", is_sane ? share / (double)(cores > 0 ? cores : 1) : 0);
    *last = (leat_process_load){now_ms, figures->cpu_us};
}
