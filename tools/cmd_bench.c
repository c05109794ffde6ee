/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "json_lines.h"
#include "model.h"
#include "options.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define WARM_UP_SECONDS 0.5
#define WARM_UP_LEAST   3
#define MAX_RUNS        1000000
#define SMALL_WORK      1e7 /* multiply-adds an image */

typedef struct bench_options {
    int64_t batch, threads, repeat; /* repeat 0: as many as fit into seconds */
    double seconds;
} bench_options;

typedef struct bench_result {
    double median, least, most; /* seconds a run */
    double gflops;
    uint64_t memory;
    int64_t runs;
} bench_result;

/* One run: a training step with the data coming from host memory, or inference with the scores going there. */
typedef struct bench {
    engine e;
    linnet_optimizer *sgd; /* NULL: inference */
    sample_batch sample;
    linnet_value output; /* what inference reads: the scores, or what comes last */
    float *scores;
    size_t score_bytes;
} bench;

static linnet_status run_once(bench *b)
{
    if (!b->sgd) {
        linnet_status status = linnet_forward(b->e.session, &b->sample.batch);
        return status != LINNET_OK ? status : linnet_session_read(b->e.session, b->output, b->scores, b->score_bytes);
    }
    linnet_zero_grad(b->sgd);
    linnet_forward(b->e.session, &b->sample.batch);
    linnet_backward(b->e.session, b->e.model.loss);
    linnet_status status = linnet_step(b->sgd); /* refuses with what failed before it */
    return status != LINNET_OK ? status : linnet_session_finish(b->e.session);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Runs until enough was measured; *out_times is the caller's to free. */
static linnet_status measure(bench *b, const bench_options *options, double **out_times, int64_t *out_runs)
{
    linnet_status status = LINNET_OK;
    double start = text_now();
    for (int i = 0; status == LINNET_OK && (i < WARM_UP_LEAST || text_now() - start < WARM_UP_SECONDS); i++)
        status = run_once(b);
    int64_t most = options->repeat ? options->repeat : MAX_RUNS, runs = 0;
    double *times = malloc((size_t)most * sizeof *times);
    if (!times)
        status = LINNET_OUT_OF_MEMORY;
    start = text_now();
    while (status == LINNET_OK && runs < most) {
        double before = text_now();
        status = run_once(b);
        double after = text_now();
        times[runs++] = after - before;
        if (!options->repeat && after - start >= options->seconds)
            break;
    }
    *out_times = times;
    *out_runs = runs;
    return status;
}

/* Multiply-adds of one image; a training step takes three times as many: forward, gradient of the input, of the
   parameters. */
static double work(const linnet_net *net)
{
    double sum = 0;
    linnet_node_info info;
    for (size_t i = 0; linnet_net_node(net, i, &info) == LINNET_OK && i < linnet_net_node_count(net); i++)
        sum += (double)info.multiply_adds;
    return sum;
}

static uint64_t memory(const linnet_session *session)
{
    linnet_session_stats s = {.struct_size = sizeof s};
    if (linnet_session_get_stats(session, &s) != LINNET_OK)
        return 0;
    return s.parameter_bytes + s.gradient_bytes + s.optimizer_bytes + s.packed_bytes + s.arena_bytes;
}

/* The scores, or what the last layer of a network without classes makes; bytes of size of them. */
static linnet_value find_output(const linnet_model *model, int64_t size, size_t *out_bytes)
{
    linnet_tensor tensor = {.type = LINNET_F32};
    linnet_node_info info = {.output = model->logits};
    if (!model->logits.id)
        linnet_net_node(model->net, linnet_net_node_count(model->net) - 1, &info);
    tensor.rank = linnet_value_shape(model->net, info.output, tensor.dims);
    tensor.dims[0] = size;
    int64_t bytes = linnet_tensor_bytes(&tensor);
    *out_bytes = bytes > 0 ? (size_t)bytes : 0;
    return info.output;
}

static int bench_start(bench *b, const char *name, bool train, int64_t batch)
{
    linnet_model model = {.net = NULL};
    int code = model_open_any(name, &model);
    if (code == EXIT_GO_ON)
        code = engine_open(&b->e, &model);
    if (code == EXIT_GO_ON && train && !b->e.model.loss.id)
        code = cli_fail(EXIT_USAGE, "%s has no classes to be trained for", name);
    if (code == EXIT_GO_ON)
        code = sample_new(&b->e.model, batch, &b->sample);
    if (code != EXIT_GO_ON)
        return code;
    if (train) {
        b->sgd = linnet_sgd_new(b->e.session, .learning_rate = 0.01f, .momentum = 0.9f);
        return b->sgd ? EXIT_GO_ON : cli_check_last();
    }
    b->sample.batch.feed_count = 1; /* without labels the loss is left out */
    b->output = find_output(&b->e.model, batch, &b->score_bytes);
    b->scores = malloc(b->score_bytes);
    return b->scores ? EXIT_GO_ON : cli_fail(EXIT_NO_MEMORY, "no memory for the scores");
}

static int bench_run(bench *b, const char *name, bool train, const bench_options *options, bench_result *out)
{
    double *times = NULL;
    int64_t runs = 0;
    int code = bench_start(b, name, train, options->batch);
    if (code == EXIT_GO_ON)
        code = cli_check(measure(b, options, &times, &runs));
    if (code == EXIT_GO_ON) {
        qsort(times, (size_t)runs, sizeof *times, compare);
        double median = runs % 2 ? times[runs / 2] : 0.5 * (times[runs / 2 - 1] + times[runs / 2]);
        double operations = 2 * work(b->e.model.net) * (double)options->batch * (train ? 3 : 1);
        *out =
            (bench_result){median, times[0], times[runs - 1], operations / median * 1e-9, memory(b->e.session), runs};
    }
    free(times);
    return code;
}

static void bench_stop(bench *b)
{
    linnet_optimizer_free(&b->sgd);
    sample_free(&b->sample);
    free(b->scores);
    engine_close(&b->e);
}

/* Threads of this machine's processor that the device works with. */
static uint32_t thread_count(const engine *e)
{
    const linnet_device_info *info = linnet_device_get_info(e->device);
    return info->type == LINNET_DEVICE_CPU && info->compute_units ? info->compute_units : 1;
}

static void print_json(const bench *b, const char *name, bool train, const bench_options *options,
                       const bench_result *r)
{
    json_t *line = json_object();
    json_text(line, "name", name);
    json_text(line, "backend", engine_backend(&b->e));
    json_text(line, "device", engine_device(&b->e));
    json_text(line, "mode", train ? "train" : "infer");
    json_count(line, "batch", (long long)options->batch);
    json_count(line, "threads", thread_count(&b->e));
    json_number(line, "median_ms", 1e3 * r->median);
    json_number(line, "min_ms", 1e3 * r->least);
    json_number(line, "max_ms", 1e3 * r->most);
    json_number(line, "images_per_second", (double)options->batch / r->median);
    json_number(line, "gflops", r->gflops);
    json_count(line, "peak_memory_bytes", (long long)r->memory);
    json_line(line);
}

static void add_row(table *t, const char *name, bool train, const bench_options *options, const bench_result *r)
{
    char batch[24], median[32], least[32], most[32], rate[TEXT_SIZE], gflops[32], bytes[TEXT_SIZE];
    snprintf(batch, sizeof batch, "%lld", (long long)options->batch);
    snprintf(median, sizeof median, "%.3f", 1e3 * r->median);
    snprintf(least, sizeof least, "%.3f", 1e3 * r->least);
    snprintf(most, sizeof most, "%.3f", 1e3 * r->most);
    snprintf(gflops, sizeof gflops, "%.1f", r->gflops);
    table_row(t, (const char *[]){name, train ? "train" : "infer", batch, median, least, most,
                                  text_count(rate, (uint64_t)((double)options->batch / r->median)), gflops,
                                  text_bytes(bytes, r->memory)});
}

static int bench_one(table *t, const char *name, bool train, const bench_options *options, bool first)
{
    bench b = {.sgd = NULL};
    bench_result result;
    int code = bench_run(&b, name, train, options, &result);
    if (code == EXIT_GO_ON && cli_common_options.json) {
        print_json(&b, name, train, options, &result);
    } else if (code == EXIT_GO_ON) {
        if (first && !cli_common_options.quiet)
            printf("%s, threads: %u\n\n", linnet_device_label(b.e.device), thread_count(&b.e));
        add_row(t, name, train, options, &result);
    }
    bench_stop(&b);
    return code;
}

/* Networks that are timed without being asked for: those that need no patience. */
static bool is_small(const char *name)
{
    linnet_model model = {.net = NULL};
    bool small = linnet_model_new(NULL, name, NULL, &model) == LINNET_OK && work(model.net) < SMALL_WORK;
    linnet_model_free(&model);
    return small;
}

static int bench_all(const char *name, int train, const bench_options *options)
{
    table t;
    int code = EXIT_GO_ON;
    table_start(&t, (const char *[]){"NAME", "MODE", ">BATCH", ">MEDIAN MS", ">MIN MS", ">MAX MS", ">IMAGES/S",
                                     ">GFLOP/S", ">MEMORY", NULL});
    if (name)
        code = bench_one(&t, name, train, options, true);
    bool first = true;
    for (size_t i = 0; !name && code == EXIT_GO_ON && linnet_model_name(i, NULL); i++)
        for (int mode = train; is_small(linnet_model_name(i, NULL)) && mode < 2 && code == EXIT_GO_ON; mode++) {
            code = bench_one(&t, linnet_model_name(i, NULL), mode, options, first);
            first = false;
        }
    if (!cli_common_options.json && t.rows)
        table_print(&t, 0);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

static int run(int argc, char **argv)
{
    int first, train = 0;
    bench_options o = {.batch = 64, .seconds = 2};
    cli_option options[] = {
        {.name = "train", .kind = CLI_FLAG, .target = &train, .help = "time training steps (default: inference)"},
        option_batch(&o.batch, "images at once (default: 64)"),
        {.name = "threads",
         .letter = 't',
         .kind = CLI_INTEGER,
         .target = &o.threads,
         .argument = "N",
         .low = 1,
         .high = 1024,
         .help = "as LINNET_NUM_THREADS=N"},
        {.name = "seconds",
         .kind = CLI_REAL,
         .target = &o.seconds,
         .argument = "S",
         .low = 0.01,
         .high = 86400,
         .help = "how long to measure (default: 2)"},
        {.name = "repeat",
         .kind = CLI_INTEGER,
         .target = &o.repeat,
         .argument = "N",
         .low = 1,
         .high = MAX_RUNS,
         .help = "how often to measure, instead of --seconds"},
    };
    int code = cli_parse(&cmd_bench, options, sizeof options / sizeof options[0], argc, argv, &first);
    if (code == EXIT_GO_ON && argc - first > 1)
        code = cli_usage(&cmd_bench, "one network at a time");
    if (code != EXIT_GO_ON)
        return code;
    if (o.threads) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)o.threads);
        setenv("LINNET_NUM_THREADS", text, 1);
    }
    code = cli_check_environment();
    return code == EXIT_GO_ON ? bench_all(first < argc ? argv[first] : NULL, train, &o) : code;
}

const cli_command cmd_bench = {
    "bench", "[NET]", "time a network on a device",
    "Without NET: the small networks of the program, inference and training. A training step is: gradients cleared,\n"
    "forward, loss, backward, SGD with momentum; images and labels come from host memory. Inference: forward,\n"
    "scores read back. GFLOP/s counts two operations a multiply-add; a training step as three forward passes.",
    run};
