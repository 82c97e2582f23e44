#include "tests/unit.h"

#include <math.h>
#include <string.h>

#include "common/memory.h"
#include "common/metrics.h"

static const char *shown(const leat_metrics *metrics, const char *name)
{
    static char text[64];
    const leat_metric *metric = leat_metrics_find(metrics, name);
    if (!metric) return "";
    leat_metric_print(metric, text, sizeof text);
    return text;
}

static void a_scope_keeps_the_newest_value_of_each_name(void **state)
{
    (void)state;
    leat_metrics metrics = {0};
    leat_metrics_set(&metrics, "uptime", 5);
    leat_metrics_set(&metrics, "uptime", INT64_MIN);
    leat_metrics_set_real(&metrics, "load", 0.25);
    leat_metrics_set_real(&metrics, "whole", 3);
    leat_metrics_set_real(&metrics, "none", NAN);
    leat_metrics_set_text(&metrics, "path", "a");
    leat_metrics_set_text(&metrics, "path", "file:/b");
    assert_int_equal(metrics.count, 5);
    assert_string_equal(shown(&metrics, "uptime"), "-9223372036854775808");
    assert_string_equal(shown(&metrics, "load"), "0.25");
    assert_string_equal(shown(&metrics, "whole"), "3.0");
    assert_string_equal(shown(&metrics, "none"), "NaN");
    assert_string_equal(shown(&metrics, "path"), "file:/b");
    assert_null(leat_metrics_find(&metrics, "nope"));
    double number;
    assert_false(leat_metric_number(leat_metrics_find(&metrics, "path"), &number));
    assert_true(leat_metric_number(leat_metrics_find(&metrics, "load"), &number));
    assert_true(number == 0.25);
    leat_metrics_done(&metrics);
}

static void a_counter_has_its_rate_over_the_last_minute(void **state)
{
    (void)state;
    leat_metrics metrics = {0};
    leat_metrics_count(&metrics, "numRecordsIn", 0, 1000);
    assert_string_equal(shown(&metrics, "numRecordsInPerSecond"), "0.0");
    leat_metrics_count(&metrics, "numRecordsIn", 500, 2000);
    assert_string_equal(shown(&metrics, "numRecordsIn"), "500");
    assert_string_equal(shown(&metrics, "numRecordsInPerSecond"), "500.0");
    for (int64_t second = 3; second <= 200; second++) /* 10 a second from here on */
        leat_metrics_count(&metrics, "numRecordsIn", 500 + (uint64_t)(second - 2) * 10, second * 1000);
    assert_string_equal(shown(&metrics, "numRecordsInPerSecond"), "10.0");
    leat_metrics_count(&metrics, "numRecordsIn", 0, 201000); /* the task started again */
    assert_string_equal(shown(&metrics, "numRecordsInPerSecond"), "0.0");
    leat_metrics_count(&metrics, "numRecordsIn", 7, 202000);
    assert_string_equal(shown(&metrics, "numRecordsInPerSecond"), "7.0");
    leat_metrics_done(&metrics);
}

static void operators_names_are_cleaned_as_flinks(void **state)
{
    (void)state;
    char name[LEAT_METRIC_NAME_BYTES];
    leat_metric_scoped("Source: src[21]", "numRecordsOut", name);
    assert_string_equal(name, "Source__src[21].numRecordsOut");
    leat_metric_scoped("Writer : orders", "a.b", name);
    assert_string_equal(name, "Writer___orders.a.b");
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    leat_metric_scoped(longer, longer, name);
    assert_int_equal(strlen(name), LEAT_METRIC_NAME_BYTES - 1);
}

static void a_summary_is_as_flinks(void **state)
{
    (void)state;
    leat_metric_summary summary;
    leat_metric_summarize((double[]){74264, 103715}, 2, &summary);
    assert_true(summary.min == 74264 && summary.max == 103715 && summary.avg == 88989.5 && summary.sum == 177979);
    assert_true(fabs(summary.skew - 16.547457846150387) < 1e-9);
    leat_metric_summarize((double[]){0, 0}, 2, &summary);
    assert_true(summary.skew == 0);
    leat_metric_summarize(NULL, 0, &summary);
    assert_true(summary.sum == 0);
}

static void names_are_bounded(void **state)
{
    (void)state;
    leat_metrics metrics = {0};
    for (int i = 0; i < LEAT_METRICS_MAX + 10; i++) {
        char *name = leat_format("m%d", i);
        leat_metrics_set(&metrics, name, i);
        leat_free(name);
    }
    assert_int_equal(metrics.count, LEAT_METRICS_MAX);
    leat_metrics_done(&metrics);
}

static void a_figure_less_is_all_that_missing_memory_does(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 20; n++) {
        leat_metrics metrics = {0};
        leat_memory_fail_nth(n);
        leat_metrics_count(&metrics, "numRecordsIn", 5, 1000);
        leat_metrics_set_text(&metrics, "path", "x");
        leat_memory_fail_nth(0);
        leat_metrics_done(&metrics);
    }
}

static void a_process_has_figures(void **state)
{
    (void)state;
    leat_process_figures figures;
    leat_process_measure(&figures);
    assert_true(figures.resident_bytes > 0 && figures.threads > 0);
    leat_metrics metrics = {0};
    leat_process_load last = {0};
    leat_metrics_set_process(&metrics, &figures, 1000, &last, 5000);
    assert_string_equal(shown(&metrics, "Status.JVM.CPU.Load"), "0.0");
    assert_string_equal(shown(&metrics, "Status.JVM.Memory.Heap.Max"), "1000");
    figures.cpu_us += 1000000;
    leat_metrics_set_process(&metrics, &figures, 1000, &last, 6000);
    double load;
    assert_true(leat_metric_number(leat_metrics_find(&metrics, "Status.JVM.CPU.Load"), &load));
    assert_true(load > 0 && load <= 1);
    leat_metrics_done(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_keeps_the_newest_value_of_each_name),
        cmocka_unit_test(a_counter_has_its_rate_over_the_last_minute),
        cmocka_unit_test(operators_names_are_cleaned_as_flinks),
        cmocka_unit_test(a_summary_is_as_flinks),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(a_figure_less_is_all_that_missing_memory_does),
        cmocka_unit_test(a_process_has_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
