/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a network goes, from what its device says of itself. */
#include "bench.h"
#include "profile.h"

#include <stdio.h>

/* So many runs that what they did is taken now and then. */
enum { RUNS_AT_ONCE = 16 };

static int profile_runs(bench_engine *b, profile *p, int64_t runs)
{
    int code = EXIT_GO_ON;
    for (int64_t done = 0; done < runs && code == EXIT_GO_ON;) {
        int64_t count = runs - done < RUNS_AT_ONCE ? runs - done : RUNS_AT_ONCE;
        profile_start(p);
        for (int64_t i = 0; i < count && code == EXIT_GO_ON; i++) {
            double start = text_now();
            code = cli_check(bench_engine_run(b));
            profile_host(p, b->sgd ? "training step" : "inference", start, text_now());
        }
        if (code == EXIT_GO_ON)
            code = profile_stop(p, count);
        done += count;
    }
    return code;
}

int bench_net_profile(const char *name, int train, int64_t batch, const bench_options *options)
{
    bench_engine b;
    bench_times whole;
    profile p = {.session = NULL};
    bench_options half = *options;
    half.seconds = options->seconds > 0 ? 0.5 * options->seconds : 1;
    int code = bench_engine_start(&b, name, train, batch);
    if (code == EXIT_GO_ON)
        code = bench_measure(&half, bench_engine_run, &b, &whole);
    if (code == EXIT_GO_ON)
        code = profile_open(&p, b.e.session, options->trace);
    if (code == EXIT_GO_ON)
        code = cli_check(bench_engine_run(&b)); /* the new queue's first */
    if (code == EXIT_GO_ON)
        code = profile_skip(&p);
    if (code == EXIT_GO_ON)
        code = profile_runs(&b, &p, whole.runs);
    if (code == EXIT_GO_ON && !cli_common_options.json && !cli_common_options.quiet)
        printf("%s, %s, batch %lld, %lld runs\n\n", name, linnet_device_label(b.e.device), (long long)batch,
               (long long)p.runs);
    if (code == EXIT_GO_ON)
        profile_print(&p, name, train ? "training step" : "run");
    if (code == EXIT_GO_ON && !cli_common_options.json)
        printf("without a profile it takes %.3f ms (fastest %.3f ms)\n", 1e3 * whole.median, 1e3 * whole.least);
    int closed = profile_close(&p);
    bench_engine_stop(&b);
    return code == EXIT_GO_ON ? closed : code;
}
