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
    MOST_BYTES = 1 << 30 /* of the workspace */
};

typedef struct winograd_layout {
    linnet_cl_winograd_sizes sizes;
    linnet_cl_winograd_tiles tiles;
    int64_t v, u, s; /* floats of each */
} winograd_layout;

typedef struct winograd_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    linnet_cl_kernel *weights;                  /* once */
    linnet_cl_kernel *input, *product, *output; /* once a chunk */
    int64_t chunk, tile_count;
    uint64_t u_at, s_at; /* bytes into the workspace */
    linnet_cl_winograd_gradient weight;
} winograd_plan;

static winograd_layout layout_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    linnet_cl_winograd_sizes size = linnet_cl_winograd_sizes_of(s);
    winograd_layout w = {.sizes = size};
    w.tiles = linnet_cl_winograd_tiles_of(device, s, size.out_height, size.out_width, size.outputs, size.channels);
    w.v = w.tiles.positions * size.channels * w.tiles.chunk;
    w.s = w.tiles.positions * size.outputs * w.tiles.chunk;
    w.u = w.tiles.positions * size.channels * size.outputs;
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
        winograd_layout w = layout_of(device, s);
        product = (uint64_t)(w.v + w.s + w.u) * sizeof(float);
    }
    uint64_t weight = s->want_weight ? linnet_cl_winograd_gradient_bytes(device, s) : 0;
    return product > weight ? product : weight;
}

static const char *winograd_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (device->prefers_vectors)
        return "for GPUs";
    const char *refusal = linnet_cl_winograd_refusal(s);
    if (refusal)
        return refusal;
    if (winograd_workspace_bytes(device, s) > MOST_BYTES)
        return "needs fewer channels";
    return NULL;
}

static void transform_kernels(winograd_plan *plan, const winograd_layout *w)
{
    const linnet_cl_conv2d *s = &plan->shape;
    const linnet_cl_winograd_sizes *size = &w->sizes;
    const linnet_cl_winograd_tiles *t = &w->tiles;
    bool large = s->winograd == 4;
    linnet_cl_program_id program = large ? LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F4 : LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F2;
    const int64_t weights[] = {s->channels, s->outputs, !s->forward};
    plan->weights = linnet_cl_kernel_new(&plan->base, program,
                                         large ? "conv2d_winograd_weights_f4" : "conv2d_winograd_weights_f2", 2);
    linnet_cl_ints(plan->weights, weights);
    linnet_cl_range(plan->weights, s->channels, s->outputs, 1, 0);
    const int64_t input[] = {size->channels, size->in_height, size->in_width, size->top, size->left,
                             t->down,        t->across,       t->chunk,       t->all};
    plan->input =
        linnet_cl_kernel_new(&plan->base, program, large ? "conv2d_winograd_input_f4" : "conv2d_winograd_input_f2", 2);
    linnet_cl_ints(plan->input, input);
    linnet_cl_range(plan->input, t->chunk, size->channels, 1, 0);
    const int64_t output[] = {size->outputs,
                              size->out_height,
                              size->out_width,
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
    linnet_cl_range(plan->output, t->chunk, size->outputs, 1, 0);
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
    winograd_layout w = layout_of(plan->base.device, s);
    int64_t channels = w.sizes.channels, outputs = w.sizes.outputs;
    plan->chunk = w.tiles.chunk;
    plan->tile_count = w.tiles.all;
    plan->s_at = (uint64_t)w.v * sizeof(float);
    plan->u_at = (uint64_t)(w.v + w.s) * sizeof(float);
    transform_kernels(plan, &w);
    const linnet_cl_gemm product = {.m = outputs,
                                    .n = w.tiles.chunk,
                                    .depth = channels,
                                    .a_row = s->forward ? s->channels : 1,
                                    .a_col = s->forward ? 1 : s->channels,
                                    .b_row = w.tiles.chunk,
                                    .b_col = 1,
                                    .c_row = w.tiles.chunk,
                                    .batches = w.tiles.positions,
                                    .a_batch = s->outputs * s->channels,
                                    .b_batch = channels * w.tiles.chunk,
                                    .c_batch = outputs * w.tiles.chunk};
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
