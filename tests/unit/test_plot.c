/*
 * test_plot.c: patterns, axes, and pictures of lines: gaps are dashed, hostile names stay text, and
 * a picture stays small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"

static char text[1 << 20];

/* The drawing of one line of `count` points, a step apart, as text. */
static const char *draw(struct dun_plot_point *points, size_t count, const char *name,
                        const struct dun_plot_wish *asked)
{
    static struct dun_plot plot;
    static struct dun_out out;
    struct dun_plot_wish wish = *asked;
    FILE *file = tmpfile();
    assert_non_null(file);
    wish.width = wish.width > 0 ? wish.width : 500;
    wish.height = wish.height > 0 ? wish.height : 100;
    plot = (struct dun_plot){.line_count = 1};
    plot.lines[0] = (struct dun_plot_line){
        .name = (char *)(uintptr_t)name, .unit = (char *)(uintptr_t) "W", .gap_ms = 5000};
    plot.lines[0].points = (struct dun_list){.items = points, .count = count};
    for (size_t i = 1; i < count; i++) {
        plot.lines[0].gaps += points[i].at_ms - points[i - 1].at_ms > 5000 ? 1 : 0;
    }
    dun_out_init(&out, fileno(file));
    dun_plot_draw(&plot, &wish, &out);
    assert_true(dun_out_flush(&out));
    rewind(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    return text;
}

static size_t count_of(const char *in, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(in, what); at != NULL; at = strstr(at + 1, what)) {
        count++;
    }
    return count;
}

static void patterns_match_as_in_a_shell(void **state)
{
    (void)state;
    assert_true(dun_plot_match("*", ""));
    assert_true(dun_plot_match("a*c", "abbbc"));
    assert_true(dun_plot_match("a*b*c", "a.b.b.c"));
    assert_true(dun_plot_match("sim-0000?", "sim-00001"));
    assert_true(dun_plot_match("*.temperature", "hw.temperature"));
    assert_false(dun_plot_match("sim-0000?", "sim-00012x"));
    assert_false(dun_plot_match("", "a"));
    assert_false(dun_plot_match("a*c", "abbb"));
    assert_false(dun_plot_match("Power", "power"));
}

static void ticks_are_round(void **state)
{
    (void)state;
    assert_true(fabs(dun_plot_step(0, 10, 5) - 2) < 1e-9);
    assert_true(fabs(dun_plot_step(0, 0.9, 5) - 0.2) < 1e-9);
    assert_true(fabs(dun_plot_step(-1e6, 1e6, 5) - 500000) < 1e-3);
    assert_true(dun_plot_step(5, 5, 5) > 0);
    assert_int_equal(dun_plot_time_step(60000, 6), 10000);
    assert_int_equal(dun_plot_time_step(86400000, 8), 10800000);
    assert_true(dun_plot_time_step(INT64_C(86400000) * 36500, 8) >= INT64_C(86400000) * 36500 / 9);
    assert_true(dun_plot_time_step(1, 8) >= 1);
}

static void a_gap_is_dashed_and_counted(void **state)
{
    (void)state;
    struct dun_plot_point points[] = {{0, 1}, {1000, 2}, {20000, 3}, {21000, 4}};
    const struct dun_plot_wish wish = {.title = NULL};
    const char *svg = draw(points, 4, "d m", &wish);
    assert_non_null(strstr(svg, "class=\"gap\""));
    assert_non_null(strstr(svg, "d m, gaps: 1"));
    points[2].at_ms = 2000;
    points[3].at_ms = 3000;
    svg = draw(points, 4, "d m", &wish);
    assert_null(strstr(svg, "class=\"gap\""));
    assert_null(strstr(svg, "gaps"));
}

static void names_cannot_break_out(void **state)
{
    (void)state;
    struct dun_plot_point points[] = {{0, 1}};
    const struct dun_plot_wish wish = {.title = "</svg><script>&\"\x1b"};
    const char *svg = draw(points, 1, "<b>\"x&y", &wish);
    assert_int_equal(count_of(svg, "</svg>"), 1);
    assert_null(strstr(svg, "<script"));
    assert_null(strstr(svg, "<b>"));
    assert_null(strchr(svg, 0x1b));
    assert_non_null(strstr(svg, "&lt;b&gt;&quot;x&amp;y"));
}

/* Its extremes are there all the same. */
static void a_million_points_are_a_small_picture(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    struct dun_plot_point *points = malloc(COUNT * sizeof *points);
    assert_non_null(points);
    for (size_t i = 0; i < COUNT; i++) {
        points[i] = (struct dun_plot_point){(int64_t)i * 10, (double)(i % 97)};
    }
    points[500001].value = 1234;
    const struct dun_plot_wish wish = {.title = "many"};
    const char *svg = draw(points, COUNT, "d m", &wish);
    assert_true(strlen(svg) < 60000);
    assert_non_null(strstr(svg, ">1500<"));
    free(points);
}

static void values_at_the_ends_of_what_there_is(void **state)
{
    (void)state;
    static const double values[] = {0, -0.0, 1e300, -1e300, 1e-300, 9.2e18};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct dun_plot_point points[] = {{-5, values[i]}, {INT64_C(253402300799000), values[i]}};
        const struct dun_plot_wish wish = {.steps = true};
        const char *svg = draw(points, i % 2 == 0 ? 1 : 2, "d m", &wish);
        assert_null(strstr(svg, "nan"));
        assert_null(strstr(svg, "inf"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_in_a_shell),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(a_gap_is_dashed_and_counted),
        cmocka_unit_test(names_cannot_break_out),
        cmocka_unit_test(a_million_points_are_a_small_picture),
        cmocka_unit_test(values_at_the_ends_of_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
