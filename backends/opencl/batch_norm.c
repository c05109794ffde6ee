/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_norm. Forward leaves [2,C] mean and rstd, in saved when a backward follows, else in the workspace. The
 * workspace holds, in floats: parts of sums [2,parts,C], then [2,C] for the statistics (forward) or the sums of the
 * gradients (backward). Statistics take one pass over x on GPUs, two on processors, by other kernels.
 * Where channels are many and small, GPUs have one kernel for all of it (batch_norm_channel.cl).
 */
#include "nchw16c.h"
#include "sizes.h"
#include "variants.h"

#include <math.h>

/* What GPUs do to y on the way out: a residual is added, then y is kept within low..high. */
typedef struct batch_norm_epilogue {
    bool adds;
    float low, high;
} batch_norm_epilogue;

typedef struct batch_norm_plan {
    linnet_backend_plan base;
    linnet_cl_channels shape;
    uint32_t behaviour;
    uint32_t residual; /* the input that is added, where one is */
    batch_norm_epilogue epilogue;
    bool blocked;                                      /* in nchw16c */
    linnet_cl_kernel *channel;                         /* all of training, forward or backward */
    linnet_cl_kernel *moments, *statistics;            /* in one pass */
    linnet_cl_kernel *sum, *mean, *squares, *variance; /* in two */
    linnet_cl_kernel *running, *normalize;             /* forward */
    linnet_cl_kernel *sums, *gradients, *dx;           /* backward; NULL where not needed */
} batch_norm_plan;

static linnet_cl_channels batch_norm_shape(const linnet_backend_device *device, const linnet_layer_desc *desc,
                                           bool blocked)
{
    const linnet_tensor_desc *x = &desc->inputs[LINNET_BATCH_NORM_X];
    return (blocked ? linnet_cl_blocks_of : linnet_cl_channels_of)(device, x->dims[0], x->dims[1],
                                                                   linnet_cl_extent(x, 2, x->rank));
}

/* Is a channel a group's? */
static bool has_group_channels(const linnet_backend_device *device, const linnet_layer_desc *desc,
                               linnet_cl_channels shape)
{
    enum { MOST = 8192 }; /* elements: what is read twice is still near, and others have enough to do meanwhile */
    bool forward = desc->direction == LINNET_FORWARD;
    if (device->prefers_vectors || desc->behaviour != LINNET_TRAIN ||
        (!forward && !linnet_cl_wants_input(desc, LINNET_BATCH_NORM_X)))
        return false;
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_CHANNELS_WHOLE) ||
        linnet_cl_prefers(forward ? "batch_norm_channel" : "batch_norm_channel_backward"))
        return true;
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_CHANNELS_PARTS) ||
        linnet_cl_prefers(forward ? "batch_norm_moments" : "batch_norm_gradient_sums"))
        return false;
    return shape.elements <= MOST && shape.channels >= device->info.compute_units;
}

/* false: the desc wants something else. */
static bool read_epilogue(const linnet_layer_desc *desc, batch_norm_epilogue *out)
{
    uint32_t at = 0;
    *out = (batch_norm_epilogue){false, -INFINITY, INFINITY};
    if (at < desc->epilogue_count && desc->epilogue[at].op == LINNET_EPILOGUE_ADD) {
        out->adds = true;
        at++;
    }
    if (at < desc->epilogue_count && desc->epilogue[at].op == LINNET_UNARY_RELU) {
        out->low = 0;
        at++;
    } else if (at < desc->epilogue_count && desc->epilogue[at].op == LINNET_UNARY_CLIP) {
        out->low = desc->epilogue[at].alpha;
        out->high = desc->epilogue[at].beta;
        at++;
    }
    return at == desc->epilogue_count;
}

static const char *epilogue_refusal(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    batch_norm_epilogue epilogue;
    if (device->prefers_vectors)
        return desc->epilogue_count > 0 ? "takes no epilogue" : NULL;
    return read_epilogue(desc, &epilogue) ? NULL : "takes a sum, then a relu or a clip";
}

static uint64_t parts_bytes(linnet_cl_channels shape)
{
    return (uint64_t)(2 * shape.parts * shape.channels) * sizeof(float);
}

static linnet_status batch_norm_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                          linnet_candidate *out)
{
    linnet_status status =
        linnet_cl_only_candidate(desc, index, device->prefers_vectors ? "two_pass" : "one_pass", out);
    out->refusal = linnet_cl_refusal(desc);
    if (!out->refusal)
        out->refusal = epilogue_refusal(device, desc);
    bool blocked = linnet_cl_follow_nchw16c(device, desc, out);
    linnet_cl_channels shape = batch_norm_shape(device, desc, blocked);
    uint64_t stats_bytes = (uint64_t)(2 * shape.channels) * sizeof(float);
    out->in_place = 1;
    out->workspace_bytes = parts_bytes(shape) + stats_bytes;
    if (desc->direction == LINNET_FORWARD) {
        out->saved_count = desc->differentiate ? 1 : 0;
        out->saved_bytes[0] = desc->differentiate ? stats_bytes : 0;
        if (linnet_epilogue_inputs(desc) > 0)
            out->in_place |= 1u << (desc->input_count - 1);
        return status;
    }
    out->reads_inputs = 1u << LINNET_BATCH_NORM_X;
    out->reads_parameters = 1u << LINNET_BATCH_NORM_WEIGHT;
    out->reads_saved = 1;
    return status;
}

static linnet_status batch_norm_batch_statistics(batch_norm_plan *plan, linnet_backend_queue *queue,
                                                 const linnet_layer_args *args, linnet_view stats)
{
    linnet_view x = args->inputs[LINNET_BATCH_NORM_X], partial = args->workspace;
    linnet_status status = linnet_cl_launch(plan->moments ? plan->moments : plan->sum, queue, x, partial);
    if (!status && plan->statistics)
        return linnet_cl_launch(plan->statistics, queue, partial, stats, args->states[LINNET_BATCH_NORM_MEAN],
                                args->states[LINNET_BATCH_NORM_VARIANCE]);
    if (!status)
        status = linnet_cl_launch(plan->mean, queue, partial, stats);
    if (!status)
        status = linnet_cl_launch(plan->squares, queue, x, stats, partial);
    if (!status)
        status = linnet_cl_launch(plan->variance, queue, partial, stats, args->states[LINNET_BATCH_NORM_MEAN],
                                  args->states[LINNET_BATCH_NORM_VARIANCE]);
    return status;
}

static linnet_status batch_norm_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                            const linnet_layer_args *args)
{
    batch_norm_plan *plan = (batch_norm_plan *)base;
    linnet_view stats =
        args->saved_count ? args->saved[0] : linnet_cl_view_at(args->workspace, parts_bytes(plan->shape));
    linnet_view x = args->inputs[LINNET_BATCH_NORM_X], y = args->outputs[LINNET_BATCH_NORM_Y],
                weight = args->parameters[LINNET_BATCH_NORM_WEIGHT], bias = args->parameters[LINNET_BATCH_NORM_BIAS];
    linnet_view residual = plan->epilogue.adds ? args->inputs[plan->residual] : linnet_cl_no_view;
    if (plan->channel)
        return linnet_cl_launch(plan->channel, queue, x, stats, args->states[LINNET_BATCH_NORM_MEAN],
                                args->states[LINNET_BATCH_NORM_VARIANCE], weight, bias, residual, y);
    linnet_status status = plan->behaviour == LINNET_TRAIN
                               ? batch_norm_batch_statistics(plan, queue, args, stats)
                               : linnet_cl_launch(plan->running, queue, args->states[LINNET_BATCH_NORM_MEAN],
                                                  args->states[LINNET_BATCH_NORM_VARIANCE], stats);
    if (status)
        return status;
    if (base->device->prefers_vectors)
        return linnet_cl_launch(plan->normalize, queue, x, stats, weight, bias, y);
    return linnet_cl_launch(plan->normalize, queue, x, stats, weight, bias, residual, y);
}

/* The gradient of a parameter; what is done to it is scalar number `scalar` of the kernel's run (batch_norm.clh). */
static linnet_view parameter_gradient(linnet_cl_kernel *kernel, cl_uint scalar, const linnet_layer_args *args,
                                      uint32_t index)
{
    linnet_view gradient = args->parameter_gradients ? args->parameter_gradients[index] : linnet_cl_no_view;
    linnet_cl_run_int(kernel, scalar, gradient.buffer ? 1 + linnet_cl_bit(args->accumulate_parameters, index) : 0);
    return gradient;
}

static linnet_status batch_norm_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                             const linnet_layer_args *args)
{
    batch_norm_plan *plan = (batch_norm_plan *)base;
    linnet_view x = args->inputs[LINNET_BATCH_NORM_X], dy = args->output_gradients[LINNET_BATCH_NORM_Y],
                stats = args->saved[0];
    linnet_view sums = linnet_cl_view_at(args->workspace, parts_bytes(plan->shape)), bias = linnet_cl_no_view,
                weight = linnet_cl_no_view;
    linnet_cl_kernel *gradients = plan->channel ? plan->channel : plan->gradients;
    /* sum dy is the gradient of the bias, sum dy xhat that of the weight. */
    if (gradients) {
        bias = parameter_gradient(gradients, 0, args, LINNET_BATCH_NORM_BIAS);
        weight = parameter_gradient(gradients, 1, args, LINNET_BATCH_NORM_WEIGHT);
    }
    if (plan->channel) {
        linnet_cl_run_int(plan->channel, 2, linnet_cl_bit(args->accumulate_inputs, LINNET_BATCH_NORM_X));
        return linnet_cl_launch(plan->channel, queue, x, dy, stats, args->parameters[LINNET_BATCH_NORM_WEIGHT],
                                args->input_gradients[LINNET_BATCH_NORM_X], bias, weight);
    }
    linnet_status status = LINNET_OK;
    if (plan->sums)
        status = linnet_cl_launch(plan->sums, queue, x, dy, stats, args->workspace);
    if (plan->sums && !status)
        status = linnet_cl_launch(plan->gradients, queue, args->workspace, sums, bias, weight);
    if (status || !plan->dx)
        return status;
    linnet_cl_run_int(plan->dx, 0, linnet_cl_bit(args->accumulate_inputs, LINNET_BATCH_NORM_X));
    return linnet_cl_launch(plan->dx, queue, x, dy, stats, args->parameters[LINNET_BATCH_NORM_WEIGHT], sums,
                            args->input_gradients[LINNET_BATCH_NORM_X]);
}

/* A kernel that sums over channels, by its name in NCHW and in nchw16c. */
static linnet_cl_kernel *sum_kernel(batch_norm_plan *plan, const char *name, const char *blocked_name, cl_uint views)
{
    linnet_cl_channels s = plan->shape;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(
        &plan->base, plan->blocked ? LINNET_CL_PROGRAM_BATCH_NORM_NCHW16C : LINNET_CL_PROGRAM_BATCH_NORM,
        plan->blocked ? blocked_name : name, views);
    linnet_cl_channels_walk(kernel, s);
    if (plan->blocked)
        linnet_cl_range(kernel, s.parts, linnet_cl_blocks(s.channels), 1, 1);
    return kernel;
}

static void two_pass_kernels(batch_norm_plan *plan, const linnet_batch_norm_attributes *attributes)
{
    linnet_backend_plan *base = &plan->base;
    linnet_cl_channels shape = plan->shape;
    plan->sum = (plan->blocked ? linnet_cl_block_parts_kernel : linnet_cl_channel_parts_kernel)(base, shape);
    plan->mean = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_BATCH_NORM, "batch_norm_mean", 2);
    plan->squares = sum_kernel(plan, "batch_norm_squares", "batch_norm_nchw16c_squares", 3);
    plan->variance = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_BATCH_NORM, "batch_norm_variance", 4);
    linnet_cl_kernel *finishers[2] = {plan->mean, plan->variance};
    for (int i = 0; i < 2; i++) {
        linnet_cl_int(finishers[i], shape.channels);
        linnet_cl_int(finishers[i], shape.parts);
        linnet_cl_int(finishers[i], shape.elements);
    }
    linnet_cl_float(plan->variance, attributes->epsilon);
    linnet_cl_float(plan->variance, attributes->momentum);
    for (int i = 0; i < 2; i++)
        linnet_cl_lines(finishers[i], shape.channels, shape.parts, shape.channels, 64);
}

static void one_pass_kernels(batch_norm_plan *plan, const linnet_batch_norm_attributes *attributes)
{
    linnet_cl_channels shape = plan->shape;
    plan->moments = sum_kernel(plan, "batch_norm_moments", NULL, 2);
    linnet_cl_int(plan->moments, shape.parts);
    plan->statistics = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BATCH_NORM, "batch_norm_statistics", 4);
    linnet_cl_int(plan->statistics, shape.channels);
    linnet_cl_int(plan->statistics, shape.parts);
    linnet_cl_int(plan->statistics, shape.elements);
    linnet_cl_int(plan->statistics, shape.run);
    linnet_cl_float(plan->statistics, attributes->epsilon);
    linnet_cl_float(plan->statistics, attributes->momentum);
    linnet_cl_lines(plan->statistics, shape.channels, shape.parts, shape.channels, 1);
}

/* Constants and range of a kernel that visits every element, behind its other constants. */
static void per_element(const batch_norm_plan *plan, linnet_cl_kernel *kernel)
{
    enum { TINY = 32, ELEMENTS = 256 }; /* of a plane, and of a work-item that has several of them */
    linnet_cl_channels shape = plan->shape;
    int64_t images = shape.elements / shape.size, planes = images * shape.channels;
    if (plan->blocked) {
        linnet_cl_range(kernel, images * linnet_cl_blocks(shape.channels), 1, 1, 1);
    } else if (plan->base.device->prefers_vectors) {
        int64_t run = shape.size < TINY ? ELEMENTS / shape.size : 1;
        linnet_cl_int(kernel, planes);
        linnet_cl_int(kernel, run);
        linnet_cl_range(kernel, ceil_div(planes, run), 1, 1, 1);
    } else {
        linnet_cl_int(kernel, planes * shape.size);
        linnet_cl_elements(kernel, planes * shape.size, 1);
    }
}

/* The kernel of that name for what the plan's x is in, and on. */
static linnet_cl_kernel *element_kernel(batch_norm_plan *plan, const char *name, const char *planes_name,
                                        const char *blocked_name, cl_uint views)
{
    if (plan->blocked)
        return linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BATCH_NORM_NCHW16C, blocked_name, views);
    return linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BATCH_NORM,
                                plan->base.device->prefers_vectors ? planes_name : name, views);
}

/* Constants that both channel kernels begin with, and their range. */
static void channel_kernel(batch_norm_plan *plan, const char *name, cl_uint views)
{
    enum { GROUP = 256 }; /* GROUP_MOST in group.clh */
    plan->channel = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BATCH_NORM_CHANNEL, name, views);
    linnet_cl_int(plan->channel, plan->shape.channels);
    linnet_cl_int(plan->channel, plan->shape.size);
    linnet_cl_int(plan->channel, plan->shape.elements);
    linnet_cl_range_groups(plan->channel, plan->shape.channels, 1, 1, GROUP);
}

static void epilogue_constants(linnet_cl_kernel *kernel, const batch_norm_epilogue *epilogue)
{
    linnet_cl_int(kernel, epilogue->adds);
    linnet_cl_float(kernel, epilogue->low);
    linnet_cl_float(kernel, epilogue->high);
}

static void batch_norm_forward_kernels(batch_norm_plan *plan, const linnet_layer_desc *desc)
{
    const linnet_batch_norm_attributes *attributes = desc->attributes;
    linnet_cl_channels shape = plan->shape;
    if (has_group_channels(plan->base.device, desc, shape)) {
        channel_kernel(plan, "batch_norm_channel", 8);
        linnet_cl_float(plan->channel, attributes->epsilon);
        linnet_cl_float(plan->channel, attributes->momentum);
        epilogue_constants(plan->channel, &plan->epilogue);
        return;
    }
    if (plan->behaviour == LINNET_TRAIN) {
        (plan->base.device->prefers_vectors ? two_pass_kernels : one_pass_kernels)(plan, attributes);
    } else {
        plan->running = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BATCH_NORM, "batch_norm_running", 3);
        linnet_cl_int(plan->running, shape.channels);
        linnet_cl_float(plan->running, attributes->epsilon);
        linnet_cl_range(plan->running, shape.channels, 1, 1, 64);
    }
    bool vectors = plan->base.device->prefers_vectors;
    plan->normalize = element_kernel(plan, "batch_norm_normalize", "batch_norm_normalize_planes",
                                     "batch_norm_nchw16c_normalize", vectors ? 5 : 6);
    linnet_cl_int(plan->normalize, shape.channels);
    linnet_cl_int(plan->normalize, shape.size);
    if (!vectors)
        epilogue_constants(plan->normalize, &plan->epilogue);
    per_element(plan, plan->normalize);
}

static void batch_norm_backward_kernels(batch_norm_plan *plan, const linnet_layer_desc *desc)
{
    linnet_backend_plan *base = &plan->base;
    linnet_cl_channels shape = plan->shape;
    bool train = plan->behaviour == LINNET_TRAIN;
    bool wants_x = linnet_cl_wants_input(desc, LINNET_BATCH_NORM_X);
    if (has_group_channels(base->device, desc, shape)) {
        channel_kernel(plan, "batch_norm_channel_backward", 7);
        return;
    }
    if (desc->want_parameters || (wants_x && train)) {
        plan->sums = sum_kernel(plan, "batch_norm_gradient_sums", "batch_norm_nchw16c_gradient_sums", 4);
        linnet_cl_int(plan->sums, shape.parts);
        plan->gradients = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_BATCH_NORM, "batch_norm_gradients", 4);
        linnet_cl_int(plan->gradients, shape.channels);
        linnet_cl_int(plan->gradients, shape.parts);
        linnet_cl_lines(plan->gradients, shape.channels, shape.parts, shape.channels, 64);
    }
    if (!wants_x)
        return;
    plan->dx =
        element_kernel(plan, "batch_norm_backward", "batch_norm_backward_planes", "batch_norm_nchw16c_backward", 6);
    linnet_cl_int(plan->dx, shape.channels);
    linnet_cl_int(plan->dx, shape.size);
    linnet_cl_int(plan->dx, shape.elements);
    linnet_cl_int(plan->dx, train);
    per_element(plan, plan->dx);
}

static linnet_status batch_norm_plan_new(linnet_backend_device *device, const linnet_layer_desc *desc,
                                         const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_backend_plan *base;
    linnet_status status = linnet_cl_plan_new(device, sizeof(batch_norm_plan),
                                              forward ? batch_norm_run_forward : batch_norm_run_backward, &base);
    if (status)
        return status;
    batch_norm_plan *plan = (batch_norm_plan *)base;
    plan->blocked = linnet_cl_is_nchw16c(&desc->inputs[LINNET_BATCH_NORM_X]);
    plan->shape = batch_norm_shape(device, desc, plan->blocked);
    plan->behaviour = desc->behaviour;
    plan->residual = desc->input_count - 1;
    read_epilogue(desc, &plan->epilogue);
    if (forward)
        batch_norm_forward_kernels(plan, desc);
    else
        batch_norm_backward_kernels(plan, desc);
    return linnet_cl_plan_done(base, out);
}

LINNET_CL_OPS(batch_norm, batch_norm_candidate, batch_norm_plan_new);
