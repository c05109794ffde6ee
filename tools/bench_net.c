/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: inference and training steps. */
#include "bench.h"

#define SMALL_WORK 1e7 /* multiply-adds an image */

linnet_status bench_engine_run(void *context)
{
    bench_engine *b = context;
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

double bench_work(const linnet_net *net)
{
    double sum = 0;
    linnet_node_info info;
    for (size_t i = 0; linnet_net_node(net, i, &info) == LINNET_OK && i < linnet_net_node_count(net); i++)
        sum += (double)info.multiply_adds;
    return sum;
}

bool bench_is_small(const char *name)
{
    linnet_model model = {.net = NULL};
    bool small = linnet_model_new(NULL, name, NULL, &model) == LINNET_OK && bench_work(model.net) < SMALL_WORK;
    linnet_model_free(&model);
    return small;
}

uint64_t bench_memory(const linnet_session *session)
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

int bench_engine_start(bench_engine *b, const char *name, int train, int64_t batch)
{
    linnet_model model = {.net = NULL};
    *b = (bench_engine){.sgd = NULL};
    int code = model_open_any(name, &model);
    if (code == EXIT_GO_ON)
        code = engine_open(&b->e, &model);
    if (code == EXIT_GO_ON && train && !b->e.model.loss.id)
        code = cli_fail(EXIT_USAGE, "%s has no classes to be trained for", name);
    if (code == EXIT_GO_ON)
        code = sample_new(&b->e.model, b->e.device, batch, &b->sample);
    if (code != EXIT_GO_ON)
        return code;
    if (train) {
        b->sgd = linnet_sgd_new(b->e.session, .learning_rate = 0.01f, .momentum = 0.9f);
        return b->sgd ? EXIT_GO_ON : cli_check_last();
    }
    b->sample.batch.feed_count = 1; /* without labels the loss is left out */
    b->output = find_output(&b->e.model, batch, &b->score_bytes);
    b->scores = linnet_pinned_new(b->e.device, b->score_bytes);
    return b->scores ? EXIT_GO_ON : cli_fail(EXIT_NO_MEMORY, "no memory for the scores");
}

void bench_engine_stop(bench_engine *b)
{
    linnet_optimizer_free(&b->sgd);
    sample_free(&b->sample);
    linnet_pinned_free(b->scores);
    engine_close(&b->e);
}

int bench_net(bench_report *report, const char *name, int train, int64_t batch, const bench_options *options)
{
    bench_engine b;
    bench_row row = {.name = name, .mode = train ? "train" : "infer", .batch = batch};
    double start = text_now();
    int code = bench_engine_start(&b, name, train, batch);
    if (code == EXIT_GO_ON)
        code = bench_measure(options, bench_engine_run, &b, &row.times);
    if (code == EXIT_GO_ON) {
        bench_report_device(report, b.e.device);
        row.threads = bench_threads(report->info);
        /* A training step takes three times as many: forward, gradients of the input and of the parameters. */
        row.operations = 2 * bench_work(b.e.model.net) * (double)batch * (train ? 3 : 1);
        row.memory = bench_memory(b.e.session);
        row.start = row.times.first - start;
        bench_report_row(report, &row);
    }
    bench_engine_stop(&b);
    return code;
}
