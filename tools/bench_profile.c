/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a network goes, from what its device says of itself. */
#include "bench.h"
#include "profile.h"

#include <stdio.h>

/* So many runs that what they did is taken now and then. */
enum { RUNS_AT_ONCE = 16 };

static int profile_runs(const bench_profiled *what, profile *p, int64_t runs)
{
    int code = EXIT_GO_ON;
    for (int64_t done = 0; done < runs && code == EXIT_GO_ON;) {
        int64_t count = runs - done < RUNS_AT_ONCE ? runs - done : RUNS_AT_ONCE;
        profile_start(p);
        for (int64_t i = 0; i < count && code == EXIT_GO_ON; i++) {
            double start = text_now();
            code = cli_check(what->run(what->context));
            profile_host(p, what->host_name, start, text_now());
        }
        if (code == EXIT_GO_ON)
            code = profile_stop(p, count);
        done += count;
    }
    return code;
}

int bench_profile(const bench_profiled *what, const bench_options *options)
{
    bench_times whole;
    profile p = {.session = NULL};
    bench_options half = *options;
    half.seconds = options->seconds > 0 ? 0.5 * options->seconds : 1;
    int code = bench_measure(&half, what->run, what->context, &whole);
    if (code == EXIT_GO_ON)
        code = profile_open(&p, what->session, options->trace);
    if (code == EXIT_GO_ON)
        code = cli_check(what->run(what->context)); /* the new queue's first */
    if (code == EXIT_GO_ON)
        code = profile_skip(&p);
    if (code == EXIT_GO_ON)
        code = profile_runs(what, &p, whole.runs);
    if (code == EXIT_GO_ON && !cli_common_options.json && !cli_common_options.quiet)
        printf("%s, %s, %s, %lld runs\n\n", what->name, linnet_device_label(linnet_session_device(what->session)),
               what->size, (long long)p.runs);
    if (code == EXIT_GO_ON)
        profile_print(&p, what->name, what->run_name);
    if (code == EXIT_GO_ON && !cli_common_options.json)
        printf("without a profile it takes %.3f ms (fastest %.3f ms)\n", 1e3 * whole.median, 1e3 * whole.least);
    int closed = profile_close(&p);
    return code == EXIT_GO_ON ? closed : code;
}

int bench_net_profile(const char *name, int train, int64_t batch, const bench_options *options)
{
    bench_engine b;
    char size[40];
    int code = bench_engine_start(&b, name, train, batch);
    bench_profiled what = {.session = b.e.session,
                           .run = bench_engine_run,
                           .context = &b,
                           .name = name,
                           .size = size,
                           .host_name = train ? "training step" : "inference",
                           .run_name = train ? "training step" : "run"};
    snprintf(size, sizeof size, "batch %lld", (long long)batch);
    if (code == EXIT_GO_ON)
        code = bench_profile(&what, options);
    bench_engine_stop(&b);
    return code;
}
