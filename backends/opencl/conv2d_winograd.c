/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Winograd's convolution on GPUs (conv2d_winograd.clh): transforms, a batch of matrix products (gemm_local.cl), and the
 * transform back. The workspace holds V, U and S; for the weight's gradient (conv2d_winograd_weight.c) what that needs.
 */
#include "conv2d.h"
#include "conv2d_winograd.h"

enum {
    LEAST_CHANNELS = 64, /* fewer: the transforms move more than the products save */
    LEAST_TILES = 64,
    LEAST_TERMS = 32,    /* of a sum of the weight's gradient: few drown in the roundings of their neighbours */
    MOST_BYTES = 1 << 30 /* of the workspace */
};

typedef struct winograd_sizes {
    int64_t channels, outputs, in_height, in_width, out_height, out_width, top, left, tiles_y, tiles_x, tiles;
    int64_t positions, v, u, s; /* floats of each */
} winograd_sizes;

typedef struct winograd_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    linnet_cl_kernel *input, *weights, *product, *output;
    uint64_t u_at, s_at; /* bytes into the workspace */
    linnet_cl_winograd_gradient weight;
} winograd_plan;

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static winograd_sizes sizes_of(const linnet_cl_conv2d *s)
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
    w.tiles_y = ceil_div(w.out_height, s->winograd);
    w.tiles_x = ceil_div(w.out_width, s->winograd);
    w.tiles = s->images * w.tiles_y * w.tiles_x;
    w.positions = (s->winograd + 2) * (s->winograd + 2);
    w.v = w.positions * w.channels * w.tiles;
    w.u = w.positions * w.channels * w.outputs;
    w.s = w.positions * w.outputs * w.tiles;
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
    winograd_sizes w = sizes_of(s);
    uint64_t product = s->forward || s->want_data ? (uint64_t)(w.v + w.u + w.s) * sizeof(float) : 0;
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
        return "needs fewer or smaller items";
    return NULL;
}

static void transform_kernels(winograd_plan *plan, const winograd_sizes *w)
{
    const linnet_cl_conv2d *s = &plan->shape;
    bool large = s->winograd == 4;
    linnet_cl_program_id program = large ? LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F4 : LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F2;
    const int64_t input[] = {w->channels, w->in_height, w->in_width, w->top,  w->left,
                             w->tiles_y,  w->tiles_x,   w->tiles,    w->tiles};
    plan->input =
        linnet_cl_kernel_new(&plan->base, program, large ? "conv2d_winograd_input_f4" : "conv2d_winograd_input_f2", 2);
    linnet_cl_ints(plan->input, input);
    linnet_cl_range(plan->input, w->tiles, w->channels, 1, 0);
    const int64_t weights[] = {w->channels, w->outputs, s->forward ? 9 : s->channels * 9,
                               s->forward ? s->channels * 9 : 9, !s->forward};
    plan->weights = linnet_cl_kernel_new(&plan->base, program,
                                         large ? "conv2d_winograd_weights_f4" : "conv2d_winograd_weights_f2", 2);
    linnet_cl_ints(plan->weights, weights);
    linnet_cl_range(plan->weights, w->channels, w->outputs, 1, 0);
    const int64_t output[] = {w->outputs,
                              w->out_height,
                              w->out_width,
                              w->tiles_y,
                              w->tiles_x,
                              w->tiles,
                              s->forward && s->has_bias,
                              s->forward && s->adds,
                              s->forward ? s->epilogue.op : 0};
    plan->output = linnet_cl_kernel_new(&plan->base, program,
                                        large ? "conv2d_winograd_output_f4" : "conv2d_winograd_output_f2", 4);
    linnet_cl_ints(plan->output, output);
    linnet_cl_float(plan->output, s->epilogue.alpha);
    linnet_cl_float(plan->output, s->epilogue.beta);
    linnet_cl_range(plan->output, w->tiles, w->outputs, 1, 0);
}

static linnet_status run_product(winograd_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    const linnet_cl_conv2d *s = &plan->shape;
    linnet_view v = args->workspace, u = linnet_cl_view_at(v, plan->u_at), sums = linnet_cl_view_at(v, plan->s_at);
    linnet_cl_run_int(plan->input, 0, 0);
    linnet_status status = linnet_cl_launch(
        plan->input, queue, s->forward ? args->inputs[LINNET_CONV2D_X] : args->output_gradients[LINNET_CONV2D_Y], v);
    if (!status)
        status = linnet_cl_launch(plan->weights, queue, args->parameters[LINNET_CONV2D_WEIGHT], u);
    if (!status)
        status = linnet_cl_gemm_run(plan->product, queue, u, v, linnet_cl_no_view, sums, 0);
    if (status)
        return status;
    linnet_cl_run_int(plan->output, 0, s->forward ? 0 : linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X));
    return linnet_cl_launch(plan->output, queue, sums,
                            s->forward && s->has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            s->forward && s->adds ? args->inputs[LINNET_CONV2D_X + 1] : linnet_cl_no_view,
                            s->forward ? args->outputs[LINNET_CONV2D_Y] : args->input_gradients[LINNET_CONV2D_X]);
}

static linnet_status winograd_run(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    winograd_plan *plan = (winograd_plan *)base;
    linnet_status status = plan->product ? run_product(plan, queue, args) : LINNET_OK;
    return status || !plan->weight.product ? status : linnet_cl_winograd_gradient_run(&plan->weight, queue, args);
}

static void product_kernels(winograd_plan *plan)
{
    winograd_sizes w = sizes_of(&plan->shape);
    plan->u_at = (uint64_t)w.v * sizeof(float);
    plan->s_at = (uint64_t)(w.v + w.u) * sizeof(float);
    transform_kernels(plan, &w);
    const linnet_cl_gemm product = {.m = w.outputs,
                                    .n = w.tiles,
                                    .depth = w.channels,
                                    .a_row = w.channels,
                                    .a_col = 1,
                                    .b_row = w.tiles,
                                    .b_col = 1,
                                    .c_row = w.tiles,
                                    .batches = w.positions,
                                    .a_batch = w.outputs * w.channels,
                                    .b_batch = w.channels * w.tiles,
                                    .c_batch = w.outputs * w.tiles};
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
