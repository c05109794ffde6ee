/* SPDX-License-Identifier: Apache-2.0 */
/* Warming up, timing, and what becomes of the times. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { WARM_UP_LEAST = 3, MOST_RUNS = 1000000, FIRST_CAPACITY = 1024 };
#define USUAL_SECONDS 2

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between two samples where it does not fall on one. */
static double quantile(const double *sorted, int64_t count, double part)
{
    double at = part * (double)(count - 1);
    int64_t i = (int64_t)at;
    double next = sorted[i + 1 < count ? i + 1 : i];
    return sorted[i] + (at - (double)i) * (next - sorted[i]);
}

bench_times bench_times_of(double *samples, int64_t count)
{
    qsort(samples, (size_t)count, sizeof *samples, compare);
    return (bench_times){.median = quantile(samples, count, 0.5),
                         .least = samples[0],
                         .most = samples[count - 1],
                         .lower = quantile(samples, count, 0.25),
                         .upper = quantile(samples, count, 0.75),
                         .runs = count};
}

static bool grow(double **samples, int64_t *capacity)
{
    double *grown = realloc(*samples, 2 * (size_t)*capacity * sizeof *grown);
    if (!grown)
        return false;
    *samples = grown;
    *capacity *= 2;
    return true;
}

int bench_measure(const bench_options *options, linnet_status (*run)(void *context), void *context, bench_times *out)
{
    linnet_status status = LINNET_OK;
    double seconds = options->seconds > 0 ? options->seconds : USUAL_SECONDS;
    int64_t most = options->repeat ? options->repeat : MOST_RUNS, runs = 0, capacity = FIRST_CAPACITY;
    double *samples = malloc((size_t)capacity * sizeof *samples), start = text_now(), first = 0;
    if (!samples)
        status = LINNET_OUT_OF_MEMORY;
    for (int i = 0; status == LINNET_OK && (i < WARM_UP_LEAST || text_now() - start < options->warm_up); i++) {
        status = run(context);
        first = i ? first : text_now();
    }
    start = text_now();
    while (status == LINNET_OK && runs < most) {
        double before = text_now();
        status = run(context);
        double after = text_now();
        if (runs == capacity && !grow(&samples, &capacity))
            status = LINNET_OUT_OF_MEMORY;
        else
            samples[runs++] = after - before;
        if (!options->repeat && after - start >= seconds)
            break;
    }
    if (status == LINNET_OK)
        *out = bench_times_of(samples, runs);
    out->first = first;
    free(samples);
    return cli_check(status);
}

/* A number at *text, which moves behind it; 0: there is none up to most. */
static int64_t read_number(const char **text, int64_t most)
{
    int64_t number = 0;
    for (; **text >= '0' && **text <= '9' && number <= most; ++*text)
        number = 10 * number + (**text - '0');
    return number <= most ? number : 0;
}

bool bench_list_read(const char *text, int64_t most, bench_list *out)
{
    out->count = 0;
    for (;; text++) {
        int64_t number = read_number(&text, most), last = number;
        if (strncmp(text, "..", 2) == 0) {
            text += 2;
            last = read_number(&text, most);
        }
        if (number < 1 || last < number)
            return false;
        for (; number <= last; number *= 2) {
            if (out->count == BENCH_LIST)
                return false;
            out->numbers[out->count++] = number;
        }
        if (*text != ',')
            return *text == '\0';
    }
}
