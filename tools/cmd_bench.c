/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "commands.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_BATCH = 65536, MOST_THREADS = 1024, MOST_REPEAT = 1000000 };

static int bench_batches(bench_report *report, table *cases, const char *name, int train, const bench_options *o)
{
    int code = EXIT_GO_ON;
    if (strcmp(name, "style") == 0)
        return o->profile ? bench_style_profile(o) : bench_style(report, o);
    if (bench_is_case(name))
        return bench_case(cases, name, o);
    for (size_t i = 0; i < o->batches.count && code == EXIT_GO_ON; i++) {
        int64_t batch = o->batches.numbers[i];
        if (o->profile)
            code = bench_net_profile(name, train, batch, o);
        else
            code = o->layers ? bench_net_layers(name, train, batch, o) : bench_net(report, name, train, batch, o);
    }
    return code;
}

/* What was asked for, or the small networks in both ways. */
static int bench_names(bench_report *report, table *cases, int count, char **names, const bench_options *o)
{
    int code = EXIT_GO_ON;
    const char *name;
    for (int i = 0; i < count && code == EXIT_GO_ON; i++)
        code = bench_batches(report, cases, names[i], o->train, o);
    for (size_t i = 0; !count && code == EXIT_GO_ON && (name = linnet_model_name(i, NULL)); i++)
        for (int train = o->train; bench_is_small(name) && train < 2 && code == EXIT_GO_ON; train++)
            code = bench_batches(report, cases, name, train, o);
    return code;
}

void bench_set_threads(int64_t threads)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)threads);
    setenv("LINNET_NUM_THREADS", text, 1);
}

/* Have the numbers of threads that were asked for no effect on the device? Says so. */
static bool has_no_threads(const bench_options *o)
{
    const char *from_environment = getenv("LINNET_NUM_THREADS");
    if (!o->threads.count && !(from_environment && *from_environment))
        return false;
    linnet_device *device = linnet_device_open(NULL, cli_common_options.backend);
    bool none = device && linnet_device_run_idle_jobs(device, 1, 1, 0) == LINNET_UNSUPPORTED;
    if (none && !cli_common_options.quiet)
        cli_fail(EXIT_GO_ON,
                 "%s does not go by %s: these are threads of the cpu backend (PoCL goes by POCL_MAX_PTHREAD_COUNT)",
                 linnet_device_label(device), o->threads.count ? "--threads" : "LINNET_NUM_THREADS");
    linnet_device_close(&device);
    return none;
}

static int bench_all(int count, char **names, const bench_options *o)
{
    bench_report report;
    table cases;
    bench_report_start(&report);
    bench_case_table(&cases);
    int code = cli_check_environment();
    bool ends = false; /* asked after the first row, whose time is from nothing, not even an open device */
    for (size_t i = 0; !ends && code == EXIT_GO_ON && (i < o->threads.count || i == 0); i++) {
        if (o->threads.count)
            bench_set_threads(o->threads.numbers[i]);
        code = cli_check_environment();
        if (code == EXIT_GO_ON)
            code = bench_names(&report, &cases, count, names, o);
        ends = i == 0 && code == EXIT_GO_ON && has_no_threads(o);
    }
    bench_report_end(&report);
    if (cases.rows)
        table_print(&cases, 0);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

/* ---- What goes together ---- */

enum { NETWORK = 1, LAYER = 2, STYLE = 4, MACHINE = 8 };

static unsigned kind_of(int count, char *const *names)
{
    unsigned kinds = count ? 0 : NETWORK;
    if (count == 1 && strcmp(names[0], "machine") == 0)
        return MACHINE;
    for (int i = 0; i < count; i++)
        kinds |= strcmp(names[i], "style") == 0 ? STYLE : bench_is_case(names[i]) ? LAYER : NETWORK;
    return kinds;
}

/* EXIT_GO_ON, or what was given has nothing to do with what is timed. */
static int check_kinds(const cli_option *options, size_t count, unsigned kinds)
{
    static const struct {
        const char *name, *of;
        unsigned kinds;
    } rules[] = {
        {"train", "networks and layers", NETWORK | LAYER},
        {"layers", "networks", NETWORK},
        {"profile", "networks and style", NETWORK | STYLE},
        {"trace", "networks and style", NETWORK | STYLE},
        {"batch", "networks", NETWORK},
        {"direction", "layers", LAYER},
        {"candidate", "layers", LAYER},
        {"planned", "layers", LAYER},
        {"pixels", "style", STYLE},
        {"seconds", "networks, layers and style", NETWORK | LAYER | STYLE},
        {"repeat", "networks and style", NETWORK | STYLE},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (!(rules[i].kinds & kinds) && cli_given(options, count, rules[i].name))
            return cli_usage(&cmd_bench, "--%s is for %s", rules[i].name, rules[i].of);
    bool profiles = cli_given(options, count, "profile") || cli_given(options, count, "trace");
    if (profiles && cli_given(options, count, "layers"))
        return cli_usage(&cmd_bench, "--layers and --profile exclude each other");
    if (cli_given(options, count, "seconds") && cli_given(options, count, "repeat"))
        return cli_usage(&cmd_bench, "--seconds and --repeat exclude each other");
    return EXIT_GO_ON;
}

/* One thread, and as many as there are. */
static int machine(const bench_options *o)
{
    bench_list threads = o->threads;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (!threads.count) {
        threads.numbers[threads.count++] = 1;
        if (online > 1)
            threads.numbers[threads.count++] = online;
    }
    int code = bench_machine(&threads);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

static int run(int argc, char **argv)
{
    int first;
    const char *batches = "64", *threads = NULL;
    static const char *const directions[] = {"usual", "forward", "backward_data", "backward_weights", "all", NULL};
    bench_options o = {.warm_up = 0.5, .pixels = 256};
    cli_option options[] = {
        {.name = "train", .kind = CLI_FLAG, .target = &o.train, .help = "time training steps (default: inference)"},
        {.name = "layers", .kind = CLI_FLAG, .target = &o.layers, .help = "time every step of a network by itself"},
        {.name = "profile",
         .kind = CLI_FLAG,
         .target = &o.profile,
         .help = "where the time goes, by layer and direction: the device's own clock, nothing waited for"},
        {.name = "trace",
         .kind = CLI_TEXT,
         .target = &o.trace,
         .argument = "FILE",
         .help = "--profile, and write it as a Chrome trace (chrome://tracing, ui.perfetto.dev)"},
        {.name = "batch",
         .letter = 'b',
         .kind = CLI_TEXT,
         .target = &batches,
         .argument = "LIST",
         .help = "images at once: 1,8,64 or 1..256, doubled each time (default: 64)"},
        {.name = "threads",
         .letter = 't',
         .kind = CLI_TEXT,
         .target = &threads,
         .argument = "LIST",
         .help = "of the cpu backend (PoCL: POCL_MAX_PTHREAD_COUNT), as LINNET_NUM_THREADS=N, for each N of a list"},
        {.name = "direction",
         .kind = CLI_CHOICE,
         .target = &o.direction,
         .argument = "DIRECTION",
         .choices = directions,
         .help = "of layers: forward (default), backward_data, backward_weights or all (default with --train)"},
        {.name = "candidate",
         .kind = CLI_TEXT,
         .target = &o.candidate,
         .argument = "NAME",
         .help = "of layers: only this forward implementation, and what goes back from it"},
        {.name = "planned",
         .kind = CLI_FLAG,
         .target = &o.planned,
         .help = "of layers: only the implementations that a plan takes, as the device estimates their time"},
        option_pixels("pixels", 0, &o.pixels, "of a side, for style (default: 256)"),
        {.name = "seconds",
         .kind = CLI_REAL,
         .target = &o.seconds,
         .argument = "S",
         .low = 0.01,
         .high = 86400,
         .help = "how long to measure (default: 2; an implementation of a layer: 0.2)"},
        {.name = "repeat",
         .kind = CLI_INTEGER,
         .target = &o.repeat,
         .argument = "N",
         .low = 1,
         .high = MOST_REPEAT,
         .help = "how often to measure, instead of --seconds"},
    };
    int code = cli_parse(&cmd_bench, options, sizeof options / sizeof options[0], argc, argv, &first);
    if (code == EXIT_GO_ON && !bench_list_read(batches, MOST_BATCH, &o.batches))
        code = cli_usage(&cmd_bench, "--batch: '%s' is no list of numbers from 1 to %d", batches, MOST_BATCH);
    if (code == EXIT_GO_ON && threads && !bench_list_read(threads, MOST_THREADS, &o.threads))
        code = cli_usage(&cmd_bench, "--threads: '%s' is no list of numbers from 1 to %d", threads, MOST_THREADS);
    o.profile = o.profile || o.trace;
    if (code == EXIT_GO_ON)
        code = check_kinds(options, sizeof options / sizeof options[0], kind_of(argc - first, argv + first));
    if (code == EXIT_GO_ON && o.trace && (argc - first != 1 || o.batches.count != 1 || o.threads.count > 1))
        code = cli_usage(&cmd_bench, "--trace is for one network with one batch size");
    if (code != EXIT_GO_ON)
        return code;
    if (argc - first == 1 && strcmp(argv[first], "machine") == 0)
        return machine(&o);
    return bench_all(argc - first, argv + first, &o);
}

const cli_command cmd_bench = {
    "bench", "[NET|LAYER|style]... | machine", "time networks, their layers and the processor",
    "NET is a network's name, a net in a line or a file that holds one. Without NET: the small networks of the\n"
    "program, inference and training. A training step is: gradients cleared, forward, loss, backward, SGD with\n"
    "momentum; images and labels come from pinned host memory. Inference: forward, scores read back. GFLOP/s counts\n"
    "two operations a multiply-add of the direct form, whatever the implementation does; a training step as three\n"
    "forward passes. OF PEAK is the part of the multiply-adds that the processor was found to do with so many "
    "threads,\n"
    "in this run; SPREAD is from the lower to the upper quartile. - is no figure: there is none, or it could only be\n"
    "wrong (more of the peak than any algorithm saves; a spread of three runs). --json also has first_ms, from "
    "nothing, not even an\n"
    "open device, to the end of the first run.\n"
    "\n"
    "LAYER is a layer with its sizes, as in conv2d:n1c64h56w56_oc64k3p1 (more in linnet/verify.h): each "
    "implementation\n"
    "with its tensors in the formats that it wants, * the first that accepts; CONVERT is what it takes to bring them\n"
    "there from dense NCHW and back. style: a gradient of style transfer with VGG-19 on a picture of 256 x 256.\n"
    "\n"
    "--layers: each step of the plan, as --profile times it. GB/s counts each tensor that a step has in hand once, OF\n"
    "MEMORY is the part of what a triad gets from memory: more than 100 % where data stays in the caches.\n"
    "\n"
    "--profile: mean times of a run on the device's own clock (events, where it has some, else the host's clock "
    "around\n"
    "calls that are done when they return), uploads, packed parameters and the optimiser among them. A trace has one\n"
    "track for the host and one for the device, and up to 200,000 events. Networks and style can be profiled.\n"
    "\n"
    "machine: multiply-adds a second of each instruction set, bytes a second from the caches and from memory; and,\n"
    "where the device has threads, how many microseconds a job of 8 tasks a thread, 1 microsecond each, takes beyond\n"
    "the 8: while the threads look for work (shared job), and when they sleep (woken).",
    run};
