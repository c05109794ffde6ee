/* SPDX-License-Identifier: Apache-2.0 */
/* Figures that are parts of others: which of them make sense, and as text. */
#include "bench.h"

#include <stdio.h>

/* Winograd's algorithm does a fifth of the direct form's multiply-adds (tiles of 6 x 6); twice as many is beyond it. */
double bench_of_peak(double rate, double peak)
{
    return rate > 0 && peak > 0 && rate <= 10 * peak ? 100 * rate / peak : -1;
}

/* Caches are faster than memory, all of a processor's together by some hundred times at most. */
double bench_of_memory(double rate, double bandwidth)
{
    return rate > 0 && bandwidth > 0 && rate <= 500 * bandwidth ? 100 * rate / bandwidth : -1;
}

void bench_text_percent(char out[TEXT_SIZE], double percent, int decimals)
{
    if (percent < 0)
        snprintf(out, TEXT_SIZE, "-");
    else
        snprintf(out, TEXT_SIZE, "%.*f %%", decimals, percent);
}

void bench_text_spread(char out[TEXT_SIZE], const bench_times *times)
{
    enum { LEAST_RUNS = 4 };
    double percent = times->runs < LEAST_RUNS ? -1 : 100 * (times->upper - times->lower) / times->median;
    if (percent > 100)
        snprintf(out, TEXT_SIZE, "> 100 %%");
    else
        bench_text_percent(out, percent, 1);
}
