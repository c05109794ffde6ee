/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a network, each timed inside the session: where the time goes. */
#include "bench.h"
#include "json_lines.h"
#include "profile.h"

#include <stdio.h>
#include <stdlib.h>

/* Times of every step of every run: samples[step * runs + run]. */
typedef struct steps {
    size_t count;
    int64_t runs, done;
    double *samples;
} steps;

static size_t count_steps(const linnet_session *session)
{
    linnet_step_info info = {.struct_size = sizeof info};
    size_t count = 0;
    while (linnet_session_step(session, count, &info) == LINNET_OK)
        count++;
    return count;
}

static void take(void *context, const linnet_span *span)
{
    steps *s = context;
    if (span->index >= 0 && (size_t)span->index < s->count)
        s->samples[(size_t)span->index * (size_t)s->runs + (size_t)s->done] = span->seconds;
}

static linnet_status run_once(bench_engine *b, steps *s)
{
    linnet_status status = bench_engine_run(b);
    if (status == LINNET_OK)
        status = linnet_session_take_profile(b->e.session, take, s);
    s->done += status == LINNET_OK;
    return status;
}

/* Runs without a clock inside say how many fit into the time, and what the clocks cost. */
static int collect(bench_engine *b, const bench_options *options, bench_times *whole, steps *out)
{
    bench_options half = *options;
    half.seconds = options->seconds > 0 ? 0.5 * options->seconds : 1;
    int code = bench_measure(&half, bench_engine_run, b, whole);
    if (code != EXIT_GO_ON)
        return code;
    linnet_status status = linnet_session_set_profile(b->e.session, 1);
    *out = (steps){.count = count_steps(b->e.session), .runs = whole->runs};
    out->samples = calloc(out->count * (size_t)out->runs + 1, sizeof *out->samples);
    if (!out->samples)
        return cli_fail(EXIT_NO_MEMORY, "no memory for the times");
    while (status == LINNET_OK && out->done < out->runs)
        status = run_once(b, out);
    return cli_check(status);
}

static void print_json(const char *name, const linnet_step_info *info, const bench_times *t, const double rates[2],
                       const double limits[2])
{
    json_t *line = json_object();
    json_text(line, "name", name);
    json_text(line, "node", info->node);
    json_text(line, "direction", info->backward ? "backward" : "forward");
    json_text(line, "layer", info->layer);
    json_text(line, "epilogue", info->epilogue);
    json_text(line, "implementation", info->implementation);
    json_number(line, "median_ms", 1e3 * t->median);
    json_number(line, "min_ms", 1e3 * t->least);
    json_count(line, "multiply_adds", (long long)info->multiply_adds);
    json_count(line, "bytes", (long long)info->bytes);
    json_number(line, "gflops", 1e-9 * rates[0]);
    json_number(line, "percent_of_peak", bench_of_peak(rates[0], limits[0]));
    json_number(line, "gigabytes_per_second", 1e-9 * rates[1]);
    json_number(line, "percent_of_bandwidth", bench_of_memory(rates[1], limits[1]));
    json_line(line);
}

/* A rate, and its part of what there is; empty where there is none. */
static void text_rate(char out[TEXT_SIZE], char out_part[TEXT_SIZE], double rate, double percent)
{
    *out = *out_part = '\0';
    if (rate <= 0)
        return;
    snprintf(out, TEXT_SIZE, "%.1f", 1e-9 * rate);
    bench_text_percent(out_part, percent, 0);
}

static void add_row(table *t, const linnet_step_info *info, const bench_times *times, double whole,
                    const double rates[2], const double limits[2])
{
    char what[160], cells[6][TEXT_SIZE];
    profile_describe(info, what, sizeof what);
    snprintf(cells[0], sizeof cells[0], "%.4f", 1e3 * times->median);
    snprintf(cells[1], sizeof cells[1], "%.1f %%", 100 * times->median / whole);
    text_rate(cells[2], cells[3], rates[0], bench_of_peak(rates[0], limits[0]));
    text_rate(cells[4], cells[5], rates[1], bench_of_memory(rates[1], limits[1]));
    table_row(t, (const char *[]){info->node, info->backward ? "backward" : "forward", what, cells[0], cells[1],
                                  cells[2], cells[3], cells[4], cells[5]});
}

/* One row a step; the sum of their medians. */
static double report_steps(const bench_engine *b, const char *name, const steps *s, const bench_times *whole, table *t)
{
    const linnet_device_info *device = linnet_device_get_info(b->e.device);
    const double limits[2] = {bench_peak(device), bench_bandwidth(device)};
    linnet_step_info info = {.struct_size = sizeof info};
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        linnet_session_step(b->e.session, i, &info);
        bench_times times = bench_times_of(s->samples + i * (size_t)s->runs, s->runs);
        sum += times.median;
        double rates[2] = {0};
        if (times.median > 1e-7) {
            rates[0] = 2 * (double)info.multiply_adds / times.median;
            rates[1] = (double)info.bytes / times.median;
        }
        if (cli_common_options.json)
            print_json(name, &info, &times, rates, limits);
        else
            add_row(t, &info, &times, whole->median, rates, limits);
    }
    return sum;
}

static void report(const bench_engine *b, const char *name, int64_t batch, const steps *s, const bench_times *whole)
{
    const linnet_device_info *device = linnet_device_get_info(b->e.device);
    table t;
    table_start(&t, (const char *[]){"LAYER", "DIRECTION", "WORK", ">MEDIAN MS", ">OF RUN", ">GFLOP/S", ">OF PEAK",
                                     ">GB/S", ">OF MEMORY", NULL});
    double sum = report_steps(b, name, s, whole, &t);
    if (cli_common_options.json)
        return;
    if (!cli_common_options.quiet)
        printf("%s, %s, batch %lld, threads: %u\n\n", name, linnet_device_label(b->e.device), (long long)batch,
               bench_threads(device));
    table_print(&t, 0);
    printf("\n%.3f ms in the steps; a run without clocks inside takes %.3f ms (fastest %.3f ms)\n", 1e3 * sum,
           1e3 * whole->median, 1e3 * whole->least);
}

int bench_net_layers(const char *name, int train, int64_t batch, const bench_options *options)
{
    bench_engine b;
    bench_times whole;
    steps s = {.count = 0};
    int code = bench_engine_start(&b, name, train, batch);
    if (code == EXIT_GO_ON)
        code = collect(&b, options, &whole, &s);
    if (code == EXIT_GO_ON)
        report(&b, name, batch, &s, &whole);
    free(s.samples);
    bench_engine_stop(&b);
    return code;
}
