/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "commands.h"
#include "interrupt.h"
#include "json_lines.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

#define MEASURE_SECONDS 1.0
#define BETTER          0.99 /* less is noise */

typedef struct tune_options {
    bench_options bench;
    int train_only, infer_only, force;
    double seconds, limit;
    double end;                 /* when to be done, by text_now's clock; 0: never */
    double after;               /* seconds that looking at the whole network once more takes */
    bool stopped;               /* by the limit or by a signal: no more of anything */
    bool kept, measured, begun; /* plans are chosen by something, something was measured, measuring began */
} tune_options;

/* Of a network. */
typedef struct outcome {
    double before, after; /* seconds of a step */
    bool same, kept;      /* the plan is as before; it is chosen by what was measured */
} outcome;

static bool is_over(const tune_options *o)
{
    return interrupt_seen() || (o->end > 0 && text_now() + o->after >= o->end);
}

static int go_on(void *context, size_t done, size_t all, const char *layer)
{
    tune_options *o = context;
    if (is_over(o))
        return 1;
    o->begun = true;
    if (!cli_common_options.quiet && !cli_common_options.json && text_colour(stderr))
        fprintf(stderr, "\r\033[K%zu of %zu: %s", done, all, layer);
    return 0;
}

static void clear_progress(void)
{
    if (!cli_common_options.quiet && !cli_common_options.json && text_colour(stderr))
        fputs("\r\033[K", stderr);
}

static void print(const bench_engine *b, const char *name, int64_t batch, const linnet_tune_report *r, const outcome *o,
                  bool stopped)
{
    const char *mode = b->sgd ? "train" : "infer";
    if (!cli_common_options.json) {
        printf("%s, %s, batch %lld: %u implementation%s of %u layer%s measured", name, mode, (long long)batch,
               r->measured, r->measured == 1 ? "" : "s", r->layers, r->layers == 1 ? "" : "s");
        if (r->wrong)
            printf(", %u of them WRONG", r->wrong);
        if (r->reused)
            printf(", %u known from before", r->reused);
        if (r->skipped)
            printf(", %u skipped", r->skipped);
        if (stopped)
            printf(interrupt_seen() ? ", interrupted" : ", stopped at the limit");
        if (o->same)
            printf("; %.3f ms, by the same plan as before%s\n", 1e3 * o->before, o->kept ? ": kept" : "");
        else
            printf("; %.3f ms before, %.3f ms now: %s\n", 1e3 * o->before, 1e3 * o->after,
                   o->kept ? "kept" : "not chosen, it is no faster");
        return;
    }
    json_t *line = json_object();
    json_text(line, "name", name);
    json_text(line, "device", engine_device(&b->e));
    json_text(line, "mode", mode);
    json_count(line, "batch", (long long)batch);
    json_count(line, "layers", r->layers);
    json_count(line, "measured", r->measured);
    json_count(line, "wrong", r->wrong);
    json_count(line, "skipped", r->skipped);
    json_count(line, "reused", r->reused);
    json_number(line, "before_ms", 1e3 * o->before);
    json_number(line, "after_ms", 1e3 * o->after);
    json_bool(line, "same", o->same);
    json_bool(line, "kept", o->kept);
    json_bool(line, "stopped", stopped);
    json_line(line);
}

/* The whole network; shorter where there is not much time, or none is left. */
static int measure_whole(bench_engine *b, const tune_options *o, bench_times *out)
{
    bench_options options = o->bench;
    double most = interrupt_seen() ? MEASURE_SECONDS / 10 : o->limit > 0 ? o->limit / 10 : MEASURE_SECONDS;
    options.seconds = most < options.seconds ? most : options.seconds;
    options.warm_up = most < options.warm_up ? most : options.warm_up;
    return bench_measure(&options, bench_engine_run, b, out);
}

static int measure_steps(bench_engine *b, tune_options *o, linnet_tune_report *out_report)
{
    const linnet_tune_options options = {.struct_size = sizeof options,
                                         .anew = (uint32_t)o->force,
                                         .seconds = o->seconds,
                                         .progress = go_on,
                                         .context = o};
    o->stopped = is_over(o);
    if (o->stopped)
        return EXIT_GO_ON;
    linnet_status status = linnet_session_tune(b->e.session, &b->sample.batch, &options, out_report);
    o->stopped = status == LINNET_END;
    clear_progress();
    return o->stopped ? EXIT_GO_ON : cli_check(status);
}

/* What the session's plan does, whatever it was chosen by. Free with linnet_text_free. */
static int describe(bench_engine *b, char **out)
{
    static const char tuned[] = "  tuned";
    int code = cli_check(linnet_session_describe(b->e.session, &b->sample.batch, 0, out));
    for (char *p = code == EXIT_GO_ON ? strstr(*out, tuned) : NULL; p; p = strstr(p, tuned))
        memmove(p, p + strlen(tuned), strlen(p + strlen(tuned)) + 1);
    return code;
}

/* Times the whole network as it is tuned now, where that is another plan. */
static int measure_after(bench_engine *b, const tune_options *o, const char *plan_before, outcome *result)
{
    char *plan = NULL;
    bench_times after;
    int code = describe(b, &plan);
    result->same = code == EXIT_GO_ON && strcmp(plan, plan_before) == 0;
    linnet_text_free(&plan);
    if (code == EXIT_GO_ON && !result->same)
        code = measure_whole(b, o, &after);
    if (code == EXIT_GO_ON && !result->same)
        result->after = after.least;
    return code;
}

/* Without a folder for caches there is nothing to be kept for the next time, which was said. */
static int settle(bench_engine *b, bool keeps)
{
    if (keeps)
        return cli_check(linnet_session_keep_tuning(b->e.session));
    linnet_status status = linnet_session_drop_tuning(b->e.session);
    return status == LINNET_UNSUPPORTED ? EXIT_GO_ON : cli_check(status);
}

/* Before, tuning, after: what is slower as a whole is not chosen by. */
static int tune_engine(bench_engine *b, const char *name, int64_t batch, tune_options *o)
{
    linnet_tune_report report = {.struct_size = sizeof report};
    outcome result = {.same = true};
    bench_times before;
    char *plan = NULL;
    int code = measure_whole(b, o, &before);
    o->after = text_now() - before.first;
    result.before = result.after = before.least;
    if (code == EXIT_GO_ON)
        code = describe(b, &plan);
    if (code == EXIT_GO_ON)
        code = measure_steps(b, o, &report);
    bool known = report.measured || report.reused;
    if (code == EXIT_GO_ON && known)
        code = measure_after(b, o, plan, &result);
    linnet_text_free(&plan);
    result.kept = known && (o->force || result.after < BETTER * result.before);
    if (code == EXIT_GO_ON && known)
        code = settle(b, result.kept);
    if (code != EXIT_GO_ON)
        return code;
    o->kept = o->kept || result.kept;
    o->measured = o->measured || report.measured;
    o->after = 0;
    print(b, name, batch, &report, &result, o->stopped);
    return EXIT_GO_ON;
}

/* name is what the net is called in the report. Nothing once the limit is over. */
static int tune_one(const char *net, const char *name, int train, int64_t batch, tune_options *o)
{
    bench_engine b;
    o->stopped = o->stopped || is_over(o);
    if (o->stopped)
        return EXIT_GO_ON;
    int code = bench_engine_start(&b, net, train, batch);
    if (code == EXIT_GO_ON)
        code = tune_engine(&b, name, batch, o);
    bench_engine_stop(&b);
    return code;
}

static bool has_classes(const char *name)
{
    linnet_model model = {.net = NULL};
    bool has = model_open_any(name, &model) == EXIT_GO_ON && model.loss.id;
    linnet_model_free(&model);
    return has;
}

static int tune_layer(const char *text, tune_options *o)
{
    char net[512];
    int64_t batch;
    int code = EXIT_GO_ON;
    for (int train = o->train_only; train <= !o->infer_only && code == EXIT_GO_ON; train++) {
        code = tune_case_net(text, train, net, sizeof net, &batch);
        if (code == EXIT_GO_ON)
            code = tune_one(net, text, train, batch, o);
    }
    return code;
}

static int tune_net(const char *name, tune_options *o)
{
    int code = EXIT_GO_ON;
    if (bench_is_case(name))
        return tune_layer(name, o);
    for (size_t i = 0; i < o->bench.batches.count && code == EXIT_GO_ON; i++)
        for (int train = o->train_only; train <= !o->infer_only && code == EXIT_GO_ON; train++)
            if (!train || o->train_only || has_classes(name))
                code = tune_one(name, name, train, o->bench.batches.numbers[i], o);
    return code;
}

/* What is said of having been stopped. */
static int end(const tune_options *o)
{
    if (interrupt_seen())
        return cli_fail(EXIT_INTERRUPTED, "interrupted; %s",
                        o->kept       ? "plans are chosen by what had been measured, where a network is faster with it"
                        : o->measured ? "what had been measured is kept for the next time"
                                      : "nothing was measured");
    if (o->stopped && !cli_common_options.quiet)
        fprintf(stderr, "linnet: tuning stopped at the limit of %g s; %s\n", o->limit,
                o->begun ? "once more measures the rest"
                         : "all of it went into making the network ready, which is slow where a driver compiles and "
                           "Linnet checks for the first time: once more, or longer");
    return EXIT_GO_ON;
}

/* What was asked for, or the small networks. */
static int tune_names(int count, char **names, tune_options *o)
{
    int code = EXIT_GO_ON;
    const char *name;
    interrupt_watch();
    if (o->limit > 0)
        o->end = text_now() + o->limit;
    for (int i = 0; i < count && code == EXIT_GO_ON; i++)
        code = tune_net(names[i], o);
    for (size_t i = 0; !count && code == EXIT_GO_ON && (name = linnet_model_name(i, NULL)); i++)
        if (bench_is_small(name))
            code = tune_net(name, o);
    return code == EXIT_GO_ON ? end(o) : code;
}

static int run(int argc, char **argv)
{
    int first;
    const char *batches = "1,64";
    tune_options o = {.bench = {.warm_up = 0.1, .seconds = MEASURE_SECONDS}, .seconds = 0.02};
    cli_option options[] = {
        {.name = "batch",
         .letter = 'b',
         .kind = CLI_TEXT,
         .target = &batches,
         .argument = "LIST",
         .help = "images at once: 1,8,64 or 1..256, doubled each time (default: 1,64)"},
        {.name = "train", .kind = CLI_FLAG, .target = &o.train_only, .help = "training steps only"},
        {.name = "infer", .kind = CLI_FLAG, .target = &o.infer_only, .help = "inference only"},
        {.name = "seconds",
         .kind = CLI_REAL,
         .target = &o.seconds,
         .argument = "S",
         .low = 0.0001,
         .high = 60,
         .help = "how long to measure each implementation (default: 0.02)"},
        {.name = "limit",
         .kind = CLI_REAL,
         .target = &o.limit,
         .argument = "S",
         .low = 0.001,
         .high = 1e6,
         .help = "when to stop measuring, from the start on: the rest is for the next time (default: when all is "
                 "measured)"},
        {.name = "force",
         .kind = CLI_FLAG,
         .target = &o.force,
         .help = "measure what was measured before, too, and choose by it even where the network is no faster"},
    };
    int code = cli_parse(&cmd_tune, options, sizeof options / sizeof options[0], argc, argv, &first);
    if (code == EXIT_GO_ON && !bench_list_read(batches, 65536, &o.bench.batches))
        code = cli_usage(&cmd_tune, "--batch: '%s' is no list of numbers from 1 to 65536", batches);
    if (code == EXIT_GO_ON && o.train_only && o.infer_only)
        code = cli_usage(&cmd_tune, "--train and --infer exclude each other");
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON)
        code = tune_names(argc - first, argv + first, &o);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

const cli_command cmd_tune = {
    "tune", "[NET|LAYER]...", "measure on this device which implementation of each layer is the fastest",
    "NET is a network's name, a net in a line (one layer is a net, too: \"input 64x56x56; conv 64 k3 p1\") or a\n"
    "file that holds one; without NET, the small networks of the program. Without tuning, implementations are chosen\n"
    "by costs that the backend estimates from shapes alone. Here each one that a plan could use in the place of\n"
    "another is timed, for every layer and size of the network, inference and training steps, and compared with the\n"
    "first one (on OpenCL: the first that was found right at first use, LINNET_CHECK); one that computes something\n"
    "else is never used again. What was measured is kept in the cache directory (LINNET_CACHE_DIR) for this device,\n"
    "this number of threads and these sizes, and not measured again; plans are chosen by it where the whole network "
    "is\n"
    "faster with it. 'linnet plan' says which steps were tuned.\n"
    "\n"
    "Times are only compared with times: where all were measured, they choose the plan; else the formats of tensors\n"
    "are those of the estimates, and in these each layer whose implementations were all measured gets the fastest.\n"
    "\n"
    "The layers that take the most time in a step are measured first. The limit is looked at before each\n"
    "implementation, so that one may go over it, the longer the more of it the driver has to compile; and so does\n"
    "what is chosen at the end where it is compared with the reference for the first time. Ctrl-C or SIGTERM ends the\n"
    "measuring like the limit, and the exit code is 130. A second one ends at once, and keeps nothing of the network\n"
    "at hand.\n"
    "\n"
    "LAYER is a layer with its sizes as 'linnet bench' takes them, conv2d:n1c64h56w56_oc64k3p1: a convolution, a\n"
    "linear layer or a pool. In a training step, batch norm before it and a few classes behind it give it both\n"
    "gradients.",
    run};
