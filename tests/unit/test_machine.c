/* SPDX-License-Identifier: Apache-2.0 */
/* What the program's benchmarks measure the machine with, on a machine made up here: disturbed, it is as fast as ever.
 */
#include "../../tools/bench.h"
#include "../../tools/machine.h"
#include "sessions.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

enum { THREADS = 2, DISTURBED = 3 * THREADS };
#define ROUND_SECONDS      1e-6
#define OPERATIONS_A_ROUND 1000.0

static atomic_int calls;

/* Rounds take their time without a processor, so that the test is none of its own disturbances; the first calls take
   longer than a sample has to. */
static double multiply_add(int64_t rounds, float *out_sink)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + (int64_t)(1e9 * ROUND_SECONDS) * rounds;
    if (atomic_fetch_add(&calls, 1) < DISTURBED)
        nanoseconds += 40000000;
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
    *out_sink = 0;
    return OPERATIONS_A_ROUND * (double)rounds;
}

static void a_disturbed_peak_is_the_same(void **state)
{
    (void)state;
    const machine_set set = {.name = "slow", .multiply_add = multiply_add};
    double peak = THREADS * OPERATIONS_A_ROUND / ROUND_SECONDS;
    machine_rate rate = machine_multiply_adds(&set, THREADS);
    if (!(rate.best > 0.5 * peak && rate.best <= peak))
        fail_msg("%g of %g operations a second", rate.best, peak);
}

static void what_makes_no_sense_is_no_figure(void **state)
{
    (void)state;
    char text[TEXT_SIZE];
    bench_text_percent(text, bench_of_peak(3.5e9, 1e9), 1);
    assert_string_equal(text, "350.0 %");
    bench_text_percent(text, bench_of_peak(5e14, 1e9), 1);
    assert_string_equal(text, "-");
    bench_text_percent(text, bench_of_peak(5e9, 0), 1);
    assert_string_equal(text, "-");
    bench_text_percent(text, bench_of_memory(2e9, 1e9), 0);
    assert_string_equal(text, "200 %");
    bench_text_percent(text, bench_of_memory(1e15, 1e9), 0);
    assert_string_equal(text, "-");
    bench_times times = {.median = 1, .lower = 0.9, .upper = 1.1, .runs = 9};
    bench_text_spread(text, &times);
    assert_string_equal(text, "20.0 %");
    times.upper = 14;
    bench_text_spread(text, &times);
    assert_string_equal(text, "> 100 %");
    times.runs = 3;
    bench_text_spread(text, &times);
    assert_string_equal(text, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disturbed_peak_is_the_same),
        cmocka_unit_test(what_makes_no_sense_is_no_figure),
    };
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
