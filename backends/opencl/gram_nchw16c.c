/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gram in nchw16c (gram_nchw16c.cl). The workspace holds the parts of the products, [part][N][CB][CB][16][16]; backward
 * the symmetric part of dy, [N][CB][CB][16][16].
 */
#include "gram.h"
#include "nchw16c.h"
#include "sizes.h"

enum { GROUP = 4, DEPTH = 128 /* as in gram_nchw16c.cl */, LEAST_PIXELS = 256, MOST_PIXELS = 112, TASKS_A_UNIT = 4 };
enum { PAIR = LINNET_CL_LANES * LINNET_CL_LANES };
#define PARTS_FLOATS ((int64_t)16 << 20) /* that the parts may take, unless one takes more */

typedef struct gram_split {
    int64_t images, channels, blocks, pixels, pairs;
    int64_t run, parts; /* pixels of a part */
} gram_split;

typedef struct gram_plan {
    linnet_backend_plan base;
    gram_split split;
    linnet_cl_kernel *product, *other; /* other: adds the parts up; backward: makes the weights */
} gram_plan;

static gram_split split_of(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    const int64_t *x = desc->inputs[LINNET_GRAM_X].dims;
    gram_split s = {.images = x[0], .channels = x[1], .blocks = linnet_cl_blocks(x[1]), .pixels = x[2] * x[3]};
    s.pairs = ceil_div(ceil_div(s.blocks, GROUP), 2);
    int64_t wanted = ceil_div(TASKS_A_UNIT * (int64_t)device->info.compute_units, s.images * s.pairs);
    int64_t most = PARTS_FLOATS / (s.images * s.blocks * s.blocks * PAIR);
    int64_t parts = smaller(smaller(wanted, ceil_div(s.pixels, LEAST_PIXELS)), larger(most, 1));
    s.run = round_up(ceil_div(s.pixels, parts), DEPTH);
    s.parts = ceil_div(s.pixels, s.run);
    return s;
}

const char *linnet_cl_gram_nchw16c_refusal(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *x = &desc->inputs[LINNET_GRAM_X];
    if (!linnet_cl_can_block(device, x))
        return "for devices with vectors";
    int64_t blocks = linnet_cl_blocks(x->dims[1]);
    bool fits = blocks * blocks <= LINNET_CL_MOST_ELEMENTS / PAIR / x->dims[0];
    return fits ? NULL : "has too many channels";
}

uint64_t linnet_cl_gram_nchw16c_workspace(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    gram_split s = split_of(device, desc);
    int64_t parts = desc->direction == LINNET_FORWARD ? s.parts : 1;
    return (uint64_t)(parts * s.images * s.blocks * s.blocks * PAIR) * sizeof(float);
}

float linnet_cl_gram_nchw16c_cost(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    static const double products = 60e3; /* of a unit in a microsecond, with AVX-512 */
    gram_split s = split_of(device, desc);
    double side = (double)(s.blocks * LINNET_CL_LANES), pixels = (double)(s.images * s.pixels);
    double columns = desc->direction == LINNET_FORWARD ? 0.5 * (side + GROUP * LINNET_CL_LANES) : side;
    double speed = device->parameters.values[LINNET_CL_SPEED] * device->info.compute_units;
    columns = columns < side ? columns : side;
    return (float)(side * columns * pixels / (products * speed)) + linnet_cl_memory_cost(device, desc);
}

static linnet_status run_forward(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    gram_plan *plan = (gram_plan *)base;
    linnet_status status = linnet_cl_launch(plan->product, queue, args->inputs[LINNET_GRAM_X], args->workspace);
    return status ? status : linnet_cl_launch(plan->other, queue, args->workspace, args->outputs[LINNET_GRAM_Y]);
}

static linnet_status run_backward(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    gram_plan *plan = (gram_plan *)base;
    linnet_status status = linnet_cl_launch(plan->other, queue, args->output_gradients[LINNET_GRAM_Y], args->workspace);
    if (status)
        return status;
    linnet_cl_run_int(plan->product, 0, linnet_cl_bit(args->accumulate_inputs, LINNET_GRAM_X));
    return linnet_cl_launch(plan->product, queue, args->inputs[LINNET_GRAM_X], args->workspace,
                            args->input_gradients[LINNET_GRAM_X]);
}

static void forward_kernels(gram_plan *plan, float scale)
{
    const gram_split *s = &plan->split;
    plan->product = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_GRAM_NCHW16C, "gram_nchw16c", 2);
    linnet_cl_int(plan->product, s->blocks);
    linnet_cl_int(plan->product, s->pixels);
    linnet_cl_int(plan->product, s->run);
    linnet_cl_range(plan->product, s->parts, s->pairs, s->images, 1);
    plan->other = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_GRAM_NCHW16C, "gram_nchw16c_sum", 2);
    linnet_cl_int(plan->other, s->channels);
    linnet_cl_int(plan->other, s->parts);
    linnet_cl_float(plan->other, scale);
    linnet_cl_range(plan->other, s->blocks, s->blocks, s->images, 1);
}

static void backward_kernels(gram_plan *plan, float scale)
{
    const gram_split *s = &plan->split;
    plan->product = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_GRAM_NCHW16C, "gram_nchw16c_gradient", 3);
    int64_t units = (int64_t)plan->base.device->info.compute_units;
    int64_t wanted = ceil_div(TASKS_A_UNIT * units, s->images), run = smaller(ceil_div(s->pixels, wanted), MOST_PIXELS);
    run = round_up(run, plan->base.device->tile_rows);
    linnet_cl_int(plan->product, s->blocks);
    linnet_cl_int(plan->product, s->pixels);
    linnet_cl_int(plan->product, run);
    linnet_cl_range(plan->product, ceil_div(s->pixels, run), s->images, 1, 1);
    plan->other = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_GRAM_NCHW16C, "gram_nchw16c_symmetric", 2);
    linnet_cl_int(plan->other, s->channels);
    linnet_cl_float(plan->other, scale);
    linnet_cl_range(plan->other, s->blocks, s->blocks, s->images, 1);
}

linnet_status linnet_cl_gram_nchw16c_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                          linnet_backend_plan **out)
{
    float scale = ((const linnet_gram_attributes *)desc->attributes)->scale;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_backend_plan *base;
    linnet_status status = linnet_cl_plan_new(device, sizeof(gram_plan), forward ? run_forward : run_backward, &base);
    if (status)
        return status;
    gram_plan *plan = (gram_plan *)base;
    plan->split = split_of(device, desc);
    if (forward)
        forward_kernels(plan, scale);
    else
        backward_kernels(plan, scale);
    return linnet_cl_plan_done(base, out);
}
