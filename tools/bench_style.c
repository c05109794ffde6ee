/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One evaluation of style transfer as Gatys, Ecker and Bethge have it: VGG-19 (with the weights it starts with), style
 * at conv1_1 to conv5_1, content at conv4_2, losses, and the gradient back to the pixels.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct painting {
    linnet_objective *objective;
    float *picture, *gradient;
} painting;

static linnet_status evaluate(void *context)
{
    painting *p = context;
    double loss;
    return linnet_objective_evaluate(p->objective, p->picture, p->gradient, &loss);
}

static int painting_new(int64_t side, linnet_device *device, painting *out)
{
    size_t count = 3 * (size_t)side * (size_t)side;
    float *pictures = malloc(2 * count * sizeof *pictures);
    if (!pictures)
        return cli_fail(EXIT_NO_MEMORY, "no memory for the pictures");
    uint32_t state = 1;
    for (size_t i = 0; i < 2 * count; i++) {
        state = state * 1664525u + 1013904223u;
        pictures[i] = (float)(state >> 8) * 0x1p-24f;
    }
    linnet_tensor content = {.type = LINNET_F32, .rank = 3, .dims = {3, side, side}, .data = pictures};
    linnet_tensor style = content;
    style.data = pictures + count;
    linnet_feature_source source = {.struct_size = sizeof source, .device = device, .model = "vgg19"};
    out->objective = linnet_style_new(NULL, .source = &source, .content = &content, .style = &style);
    free(pictures);
    if (!out->objective)
        return cli_check_last();
    out->picture = malloc(count * sizeof *out->picture);
    out->gradient = malloc(count * sizeof *out->gradient);
    if (!out->picture || !out->gradient)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a picture");
    linnet_objective_noise(out->objective, 1, out->picture);
    return EXIT_GO_ON;
}

/* Multiply-adds of VGG-19 up to conv5_1 on such a picture. */
static double work(int64_t side)
{
    linnet_model model = {.net = NULL};
    linnet_model_options options = {.struct_size = sizeof options, .height = side, .width = side, .depth = 13};
    double sum = 0;
    if (linnet_model_new(NULL, "vgg19", &options, &model) == LINNET_OK)
        sum = bench_work(model.net);
    linnet_model_free(&model);
    return sum;
}

static int painting_open(const bench_options *options, linnet_device **out_device, painting *out)
{
    *out = (painting){.objective = NULL};
    *out_device = linnet_device_open(NULL, cli_common_options.backend);
    return *out_device ? painting_new(options->pixels, *out_device, out) : cli_check_last();
}

static void painting_close(painting *p, linnet_device **device)
{
    linnet_objective_free(&p->objective);
    free(p->picture);
    free(p->gradient);
    linnet_device_close(device);
}

int bench_style(bench_report *report, const bench_options *options)
{
    painting p;
    linnet_device *device;
    bench_row row = {.name = "style", .mode = "gradient", .batch = 1};
    int code = painting_open(options, &device, &p);
    if (code == EXIT_GO_ON)
        code = bench_measure(options, evaluate, &p, &row.times);
    if (code == EXIT_GO_ON) {
        bench_report_device(report, device);
        row.threads = bench_threads(report->info);
        row.operations = 2 * 2 * work(options->pixels); /* forward, and the gradient of each layer's input */
        row.memory = bench_memory(linnet_objective_session(p.objective));
        bench_report_row(report, &row);
    }
    painting_close(&p, &device);
    return code;
}

int bench_style_profile(const bench_options *options)
{
    painting p;
    linnet_device *device;
    char size[48];
    int code = painting_open(options, &device, &p);
    snprintf(size, sizeof size, "%lld x %lld", (long long)options->pixels, (long long)options->pixels);
    if (code == EXIT_GO_ON)
        code = bench_profile(&(bench_profiled){.session = linnet_objective_session(p.objective),
                                               .run = evaluate,
                                               .context = &p,
                                               .name = "style",
                                               .size = size,
                                               .host_name = "evaluation",
                                               .run_name = "evaluation"},
                             options);
    painting_close(&p, &device);
    return code;
}
