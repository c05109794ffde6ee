/* SPDX-License-Identifier: Apache-2.0 */
/* dropout: drawn from Philox in training, nothing at all when evaluating. */
#include "nchw16c.h"
#include "sizes.h"

enum { RUN = 256 }; /* pixels of a work-item in nchw16c */

typedef struct dropout_plan {
    linnet_backend_plan base;
    bool train;
} dropout_plan;

static linnet_status dropout_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                       linnet_candidate *out)
{
    bool train = desc->behaviour == LINNET_TRAIN;
    linnet_status status = linnet_cl_only_candidate(desc, index, train ? "philox" : "alias", out);
    linnet_cl_follow_nchw16c(device, desc, out);
    out->in_place = 1;
    out->alias = train ? 0 : 1;
    return status;
}

static linnet_status dropout_apply(dropout_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
                                   linnet_view from, linnet_view to, cl_int accumulate)
{
    linnet_cl_kernel *kernel = &plan->base.kernels[0];
    if (!plan->train)
        return linnet_cl_add_words(kernel, queue, from, to, accumulate);
    linnet_cl_run_int(kernel, 0, accumulate);
    linnet_cl_run_ulong(kernel, 1, args->seed);
    linnet_cl_run_ulong(kernel, 2, args->step);
    linnet_cl_run_uint(kernel, 3, args->node);
    return linnet_cl_launch(kernel, queue, from, to);
}

static linnet_status dropout_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                         const linnet_layer_args *args)
{
    dropout_plan *plan = (dropout_plan *)base;
    if (!plan->train)
        return linnet_cl_copy_words(&base->kernels[0], queue, args->inputs[LINNET_DROPOUT_X],
                                    args->outputs[LINNET_DROPOUT_Y]);
    return dropout_apply(plan, queue, args, args->inputs[LINNET_DROPOUT_X], args->outputs[LINNET_DROPOUT_Y], 0);
}

static linnet_status dropout_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                          const linnet_layer_args *args)
{
    return dropout_apply((dropout_plan *)base, queue, args, args->output_gradients[LINNET_DROPOUT_Y],
                         args->input_gradients[LINNET_DROPOUT_X],
                         linnet_cl_bit(args->accumulate_inputs, LINNET_DROPOUT_X));
}

static void dropout_kernel(linnet_backend_plan *plan, const linnet_layer_desc *desc)
{
    const linnet_dropout_attributes *attributes = desc->attributes;
    const linnet_tensor_desc *y = &desc->outputs[LINNET_DROPOUT_Y];
    bool blocked = linnet_cl_is_nchw16c(y);
    int64_t count = blocked ? linnet_cl_extent(y, 2, y->rank) : linnet_desc_count(y);
    linnet_cl_kernel *kernel =
        linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_DROPOUT, blocked ? "dropout_apply_nchw16c" : "dropout_apply", 2);
    linnet_cl_int(kernel, count);
    linnet_cl_float(kernel, attributes->probability);
    linnet_cl_float(kernel, 1.0f / (1.0f - attributes->probability));
    if (blocked) {
        linnet_cl_int(kernel, y->dims[1]);
        linnet_cl_int(kernel, RUN);
        linnet_cl_range(kernel, ceil_div(count, RUN), linnet_cl_blocks(y->dims[1]), y->dims[0], 1);
    } else {
        linnet_cl_range(kernel, ceil_div(count, 4), 1, 1, 0);
    }
}

static linnet_status dropout_plan_new(linnet_backend_device *device, const linnet_layer_desc *desc,
                                      const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(dropout_plan),
                           desc->direction == LINNET_FORWARD ? dropout_run_forward : dropout_run_backward, &base);
    if (status)
        return status;
    dropout_plan *plan = (dropout_plan *)base;
    plan->train = desc->behaviour == LINNET_TRAIN;
    if (plan->train)
        dropout_kernel(base, desc);
    else
        linnet_cl_copy_kernel(base, desc, linnet_cl_storage(&desc->outputs[LINNET_DROPOUT_Y]));
    return linnet_cl_plan_done(base, out);
}

LINNET_CL_OPS(dropout, dropout_candidate, dropout_plan_new);
