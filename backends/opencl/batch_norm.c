/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_norm. Forward leaves [2,C] mean and rstd, in saved when a backward follows, else in the workspace. The
 * workspace holds, in floats: parts of sums [2,parts,C], then [2,C] for the statistics (forward) or the sums of the
 * gradients (backward).
 */
#include "nchw16c.h"

enum { RUN = 4 }; /* as in batch_norm.cl */

typedef struct batch_norm_plan {
    linnet_backend_plan base;
    linnet_cl_channels shape;
    uint32_t behaviour;
    bool blocked;                                                            /* in nchw16c */
    linnet_cl_kernel *sum, *mean, *squares, *variance, *running, *normalize; /* forward */
    linnet_cl_kernel *sums, *reduce, *dx;                                    /* backward; NULL where not needed */
} batch_norm_plan;

static linnet_cl_channels batch_norm_shape(const linnet_backend_device *device, const linnet_layer_desc *desc,
                                           bool blocked)
{
    const linnet_tensor_desc *x = &desc->inputs[LINNET_BATCH_NORM_X];
    return (blocked ? linnet_cl_blocks_of : linnet_cl_channels_of)(device, x->dims[0], x->dims[1],
                                                                   linnet_cl_extent(x, 2, x->rank));
}

static uint64_t parts_bytes(linnet_cl_channels shape)
{
    return (uint64_t)(2 * shape.parts * shape.channels) * sizeof(float);
}

static linnet_status batch_norm_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                          linnet_candidate *out)
{
    linnet_status status = linnet_cl_only_candidate(desc, index, "two_pass", out);
    bool blocked = linnet_cl_follow_nchw16c(device, desc, out);
    linnet_cl_channels shape = batch_norm_shape(device, desc, blocked);
    uint64_t stats_bytes = (uint64_t)(2 * shape.channels) * sizeof(float);
    out->in_place = 1;
    out->workspace_bytes = parts_bytes(shape) + stats_bytes;
    if (desc->direction == LINNET_FORWARD) {
        out->saved_count = desc->differentiate ? 1 : 0;
        out->saved_bytes[0] = desc->differentiate ? stats_bytes : 0;
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
    linnet_status status = linnet_cl_launch(plan->sum, queue, x, partial);
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
    linnet_status status = plan->behaviour == LINNET_TRAIN
                               ? batch_norm_batch_statistics(plan, queue, args, stats)
                               : linnet_cl_launch(plan->running, queue, args->states[LINNET_BATCH_NORM_MEAN],
                                                  args->states[LINNET_BATCH_NORM_VARIANCE], stats);
    if (status)
        return status;
    return linnet_cl_launch(plan->normalize, queue, args->inputs[LINNET_BATCH_NORM_X], stats,
                            args->parameters[LINNET_BATCH_NORM_WEIGHT], args->parameters[LINNET_BATCH_NORM_BIAS],
                            args->outputs[LINNET_BATCH_NORM_Y]);
}

static linnet_status batch_norm_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                             const linnet_layer_args *args)
{
    batch_norm_plan *plan = (batch_norm_plan *)base;
    linnet_view x = args->inputs[LINNET_BATCH_NORM_X], dy = args->output_gradients[LINNET_BATCH_NORM_Y],
                stats = args->saved[0];
    linnet_view sums = linnet_cl_view_at(args->workspace, parts_bytes(plan->shape));
    linnet_view parts[2] = {args->workspace, linnet_cl_view_at(args->workspace, parts_bytes(plan->shape) / 2)};
    linnet_view totals[2] = {sums, linnet_cl_view_at(sums, (uint64_t)plan->shape.channels * sizeof(float))};
    linnet_status status = LINNET_OK;
    if (plan->sums)
        status = linnet_cl_launch(plan->sums, queue, x, dy, stats, args->workspace);
    for (int i = 0; i < 2 && plan->dx && plan->sums && !status; i++)
        status = linnet_cl_reduce(plan->reduce, queue, parts[i], totals[i], 0);
    /* sum dy is the gradient of the bias, sum dy xhat that of the weight. */
    if (!status && args->parameter_gradients && args->parameter_gradients[LINNET_BATCH_NORM_BIAS].buffer)
        status = linnet_cl_reduce(plan->reduce, queue, parts[0], args->parameter_gradients[LINNET_BATCH_NORM_BIAS],
                                  linnet_cl_bit(args->accumulate_parameters, LINNET_BATCH_NORM_BIAS));
    if (!status && args->parameter_gradients && args->parameter_gradients[LINNET_BATCH_NORM_WEIGHT].buffer)
        status = linnet_cl_reduce(plan->reduce, queue, parts[1], args->parameter_gradients[LINNET_BATCH_NORM_WEIGHT],
                                  linnet_cl_bit(args->accumulate_parameters, LINNET_BATCH_NORM_WEIGHT));
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

static void batch_norm_statistics_kernels(batch_norm_plan *plan, const linnet_batch_norm_attributes *attributes)
{
    linnet_backend_plan *base = &plan->base;
    linnet_cl_channels shape = plan->shape;
    plan->sum = sum_kernel(plan, "batch_norm_sum", "batch_norm_nchw16c_sum", 2);
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

/* Processors go plane by plane, unless planes are tiny. */
static bool by_planes(const batch_norm_plan *plan)
{
    return plan->base.device->prefers_vectors && plan->shape.size >= 32;
}

/* Range of a kernel that visits every element, behind its other constants. */
static void per_element(const batch_norm_plan *plan, linnet_cl_kernel *kernel)
{
    int64_t count = plan->shape.elements * plan->shape.channels;
    if (plan->blocked) {
        linnet_cl_range(kernel, plan->shape.elements / plan->shape.size * linnet_cl_blocks(plan->shape.channels), 1, 1,
                        1);
        return;
    }
    if (by_planes(plan)) {
        linnet_cl_range(kernel, count / plan->shape.size, 1, 1, 1);
        return;
    }
    linnet_cl_int(kernel, count);
    linnet_cl_range(kernel, (count + RUN - 1) / RUN, 1, 1, 0);
}

static void batch_norm_forward_kernels(batch_norm_plan *plan, const linnet_layer_desc *desc)
{
    const linnet_batch_norm_attributes *attributes = desc->attributes;
    linnet_cl_channels shape = plan->shape;
    if (plan->behaviour == LINNET_TRAIN) {
        batch_norm_statistics_kernels(plan, attributes);
    } else {
        plan->running = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BATCH_NORM, "batch_norm_running", 3);
        linnet_cl_int(plan->running, shape.channels);
        linnet_cl_float(plan->running, attributes->epsilon);
        linnet_cl_range(plan->running, shape.channels, 1, 1, 64);
    }
    plan->normalize =
        plan->blocked
            ? linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BATCH_NORM_NCHW16C, "batch_norm_nchw16c_normalize", 5)
            : linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BATCH_NORM,
                                   by_planes(plan) ? "batch_norm_normalize_planes" : "batch_norm_normalize", 5);
    linnet_cl_int(plan->normalize, shape.channels);
    linnet_cl_int(plan->normalize, shape.size);
    per_element(plan, plan->normalize);
}

static void batch_norm_backward_kernels(batch_norm_plan *plan, const linnet_layer_desc *desc)
{
    linnet_backend_plan *base = &plan->base;
    linnet_cl_channels shape = plan->shape;
    bool train = plan->behaviour == LINNET_TRAIN;
    bool wants_x = linnet_cl_wants_input(desc, LINNET_BATCH_NORM_X);
    if (desc->want_parameters || (wants_x && train)) {
        plan->sums = sum_kernel(plan, "batch_norm_gradient_sums", "batch_norm_nchw16c_gradient_sums", 4);
        linnet_cl_int(plan->sums, shape.parts);
        plan->reduce = linnet_cl_reduce_kernel(base, shape.channels, shape.parts, 1.0f);
    }
    if (!wants_x)
        return;
    plan->dx = plan->blocked
                   ? linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_BATCH_NORM_NCHW16C, "batch_norm_nchw16c_backward", 6)
                   : linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_BATCH_NORM,
                                          by_planes(plan) ? "batch_norm_backward_planes" : "batch_norm_backward", 6);
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
    if (forward)
        batch_norm_forward_kernels(plan, desc);
    else
        batch_norm_backward_kernels(plan, desc);
    return linnet_cl_plan_done(base, out);
}

LINNET_CL_OPS(batch_norm, batch_norm_candidate, batch_norm_plan_new);
