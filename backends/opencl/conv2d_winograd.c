/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Winograd's convolution on GPUs (conv2d_winograd.clh): the weights are transformed once, then for each chunk of tiles
 * the inputs, a batch of matrix products (gemm_local.cl), and the transform back. The workspace holds V and S of a
 * chunk and U; for the weight's gradient (conv2d_winograd_weight.c) what that needs.
 */
#include "conv2d_winograd.h"

enum {
    LEAST_CHANNELS = 64, /* fewer: the transforms move more than the products save */
    LEAST_TILES = 64,
    LEAST_TERMS = 32,    /* of a sum of the weight's gradient: few drown in the roundings of their neighbours */
    MOST_BYTES = 1 << 30 /* of the workspace */
};

/* Of the direction: its inputs are y's gradient where that is the input's. */
typedef struct winograd_sizes {
    int64_t channels, outputs, in_height, in_width, out_height, out_width, top, left;
    linnet_cl_winograd_tiles tiles;
    int64_t v, u, s; /* floats of each */
} winograd_sizes;

typedef struct winograd_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    linnet_cl_kernel *weights;                  /* once */
    linnet_cl_kernel *input, *product, *output; /* once a chunk */
    int64_t chunk, tile_count;
    uint64_t u_at, s_at; /* bytes into the workspace */
    linnet_cl_winograd_gradient weight;
} winograd_plan;

static winograd_sizes sizes_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    bool forward = s->forward;
    winograd_sizes w = {.channels = forward ? s->channels : s->outputs,
                        .outputs = forward ? s->outputs : s->channels,
                        .in_height = forward ? s->height : s->out_height,
                        .in_width = forward ? s->width : s->out_width,
                        .out_height = forward ? s->out_height : s->height,
                        .out_width = forward ? s->out_width : s->width,
                        .top = forward ? s->top : 2 - s->top,
                        .left = forward ? s->left : 2 - s->left};
    w.tiles = linnet_cl_winograd_tiles_of(device, s, w.out_height, w.out_width, w.outputs, w.channels);
    w.v = w.tiles.positions * w.channels * w.tiles.chunk;
    w.s = w.tiles.positions * w.outputs * w.tiles.chunk;
    w.u = w.tiles.positions * w.channels * w.outputs;
    return w;
}

bool linnet_cl_conv2d_winograd_pays(const linnet_cl_conv2d *s)
{
    return s->channels >= LEAST_CHANNELS && s->outputs >= LEAST_CHANNELS &&
           s->images * s->out_height * s->out_width >= 16 * LEAST_TILES;
}

/* The gradients are computed one after the other. */
static uint64_t winograd_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    uint64_t product = 0;
    if (s->forward || s->want_data) {
        winograd_sizes w = sizes_of(device, s);
        product = (uint64_t)(w.v + w.s + w.u) * sizeof(float);
    }
    uint64_t weight = s->want_weight ? linnet_cl_winograd_gradient_bytes(device, s) : 0;
    return product > weight ? product : weight;
}

static const char *winograd_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (device->prefers_vectors)
        return "for GPUs";
    if (s->kernel_height != 3 || s->kernel_width != 3 || s->stride_y * s->stride_x != 1 ||
        s->dilation_y * s->dilation_x != 1 || s->groups != 1)
        return "needs a 3x3 kernel, stride, dilation and groups of 1";
    if (s->want_bias && !s->want_weight)
        return "computes no gradient of the bias alone";
    /* With more there are outputs that see padding only: they are 0, exactly. */
    if (s->top > 2 || s->left > 2 || s->out_height + 2 - s->height - s->top > 2 ||
        s->out_width + 2 - s->width - s->left > 2)
        return "needs padding of at most 2";
    if (s->channels < 16 || s->outputs < 16)
        return "needs 16 channels";
    if (s->want_weight && s->images * s->out_height * s->out_width < LEAST_TERMS)
        return "needs more outputs for the gradient of the weight";
    if (winograd_workspace_bytes(device, s) > MOST_BYTES)
        return "needs fewer channels";
    return NULL;
}

static void transform_kernels(winograd_plan *plan, const winograd_sizes *w)
{
    const linnet_cl_conv2d *s = &plan->shape;
    const linnet_cl_winograd_tiles *t = &w->tiles;
    bool large = s->winograd == 4;
    linnet_cl_program_id program = large ? LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F4 : LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F2;
    const int64_t weights[] = {s->channels, s->outputs, !s->forward};
    plan->weights = linnet_cl_kernel_new(&plan->base, program,
                                         large ? "conv2d_winograd_weights_f4" : "conv2d_winograd_weights_f2", 2);
    linnet_cl_ints(plan->weights, weights);
    linnet_cl_range(plan->weights, s->channels, s->outputs, 1, 0);
    const int64_t input[] = {w->channels, w->in_height, w->in_width, w->top, w->left,
                             t->down,     t->across,    t->chunk,    t->all};
    plan->input =
        linnet_cl_kernel_new(&plan->base, program, large ? "conv2d_winograd_input_f4" : "conv2d_winograd_input_f2", 2);
    linnet_cl_ints(plan->input, input);
    linnet_cl_range(plan->input, t->chunk, w->channels, 1, 0);
    const int64_t output[] = {w->outputs,
                              w->out_height,
                              w->out_width,
                              t->down,
                              t->across,
                              t->chunk,
                              t->all,
                              s->forward && s->has_bias,
                              s->forward && s->adds,
                              s->forward ? s->epilogue.op : 0};
    plan->output = linnet_cl_kernel_new(&plan->base, program,
                                        large ? "conv2d_winograd_output_f4" : "conv2d_winograd_output_f2", 4);
    linnet_cl_ints(plan->output, output);
    linnet_cl_float(plan->output, s->epilogue.alpha);
    linnet_cl_float(plan->output, s->epilogue.beta);
    linnet_cl_range(plan->output, t->chunk, w->outputs, 1, 0);
}

static linnet_status run_chunk(winograd_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
                               int64_t first)
{
    const linnet_cl_conv2d *s = &plan->shape;
    linnet_view v = args->workspace, u = linnet_cl_view_at(v, plan->u_at), sums = linnet_cl_view_at(v, plan->s_at);
    linnet_cl_run_int(plan->input, 0, (cl_int)first);
    linnet_status status = linnet_cl_launch(
        plan->input, queue, s->forward ? args->inputs[LINNET_CONV2D_X] : args->output_gradients[LINNET_CONV2D_Y], v);
    if (!status)
        status = linnet_cl_gemm_run(plan->product, queue, u, v, linnet_cl_no_view, sums, 0);
    if (status)
        return status;
    linnet_cl_run_int(plan->output, 0, s->forward ? 0 : linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X));
    linnet_cl_run_int(plan->output, 1, (cl_int)first);
    return linnet_cl_launch(plan->output, queue, sums,
                            s->forward && s->has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            s->forward && s->adds ? args->inputs[LINNET_CONV2D_X + 1] : linnet_cl_no_view,
                            s->forward ? args->outputs[LINNET_CONV2D_Y] : args->input_gradients[LINNET_CONV2D_X]);
}

static linnet_status run_product(winograd_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_status status = linnet_cl_launch(plan->weights, queue, args->parameters[LINNET_CONV2D_WEIGHT],
                                            linnet_cl_view_at(args->workspace, plan->u_at));
    for (int64_t first = 0; first < plan->tile_count && !status; first += plan->chunk)
        status = run_chunk(plan, queue, args, first);
    return status;
}

static linnet_status winograd_run(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    winograd_plan *plan = (winograd_plan *)base;
    linnet_status status = plan->product ? run_product(plan, queue, args) : LINNET_OK;
    return status || !plan->weight.product ? status : linnet_cl_winograd_gradient_run(&plan->weight, queue, args);
}

static void product_kernels(winograd_plan *plan)
{
    const linnet_cl_conv2d *s = &plan->shape;
    winograd_sizes w = sizes_of(plan->base.device, s);
    plan->chunk = w.tiles.chunk;
    plan->tile_count = w.tiles.all;
    plan->s_at = (uint64_t)w.v * sizeof(float);
    plan->u_at = (uint64_t)(w.v + w.s) * sizeof(float);
    transform_kernels(plan, &w);
    const linnet_cl_gemm product = {.m = w.outputs,
                                    .n = w.tiles.chunk,
                                    .depth = w.channels,
                                    .a_row = s->forward ? s->channels : 1,
                                    .a_col = s->forward ? 1 : s->channels,
                                    .b_row = w.tiles.chunk,
                                    .b_col = 1,
                                    .c_row = w.tiles.chunk,
                                    .batches = w.tiles.positions,
                                    .a_batch = s->outputs * s->channels,
                                    .b_batch = w.channels * w.tiles.chunk,
                                    .c_batch = w.outputs * w.tiles.chunk};
    plan->product = linnet_cl_gemm_kernel(&plan->base, &product, true);
}

static linnet_status winograd_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                       linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status = linnet_cl_plan_new(device, sizeof(winograd_plan), winograd_run, &base);
    if (status)
        return status;
    winograd_plan *plan = (winograd_plan *)base;
    plan->shape = *shape;
    if (shape->forward || shape->want_data)
        product_kernels(plan);
    if (shape->want_weight)
        linnet_cl_winograd_gradient_kernels(base, shape, &plan->weight);
    return linnet_cl_plan_done(base, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_winograd_f2 = {.name = "winograd_f2",
                                                           .winograd = 2,
                                                           .adds = true,
                                                           .refusal = winograd_refusal,
                                                           .workspace_bytes = winograd_workspace_bytes,
                                                           .plan = winograd_plan_new};

const linnet_cl_conv2d_way linnet_cl_conv2d_winograd_f4 = {.name = "winograd_f4",
                                                           .winograd = 4,
                                                           .adds = true,
                                                           .refusal = winograd_refusal,
                                                           .workspace_bytes = winograd_workspace_bytes,
                                                           .plan = winograd_plan_new};
