/* SPDX-License-Identifier: Apache-2.0 */
/* unary: y = f(x), and its gradient from y. */
#include "nchw16c.h"
#include "sizes.h"

enum { RUN = 2048 }; /* elements of a work-item on processors */

/* Does f leave the zeros of spare lanes what they are? Gradients are products with them. */
static bool keeps_spare_lanes(const linnet_layer_desc *desc)
{
    const linnet_unary_attributes *a = desc->attributes;
    if (desc->direction == LINNET_BACKWARD || desc->inputs[LINNET_UNARY_X].dims[1] % LINNET_CL_LANES == 0)
        return true;
    return a->op != LINNET_UNARY_SIGMOID && (a->op != LINNET_UNARY_CLIP || (a->alpha <= 0 && a->beta >= 0)) &&
           (a->op != LINNET_UNARY_SCALE || a->beta == 0);
}

static linnet_status unary_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                     linnet_candidate *out)
{
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    const linnet_unary_attributes *attributes = desc->attributes;
    if (status)
        return status;
    if (!linnet_cl_follow_nchw16n(device, desc, out) && keeps_spare_lanes(desc))
        linnet_cl_follow_nchw16c(device, desc, out);
    out->refusal = linnet_cl_refusal_but_strides(desc);
    if (!out->refusal && desc->epilogue_count > 0)
        out->refusal = "takes no epilogue";
    if (!out->refusal)
        out->refusal = linnet_cl_stride_refusal(desc, out);
    if (attributes->op < LINNET_UNARY_RELU || attributes->op > LINNET_UNARY_SCALE)
        out->refusal = "unknown operator";
    out->in_place = 1;
    if (desc->direction == LINNET_BACKWARD && attributes->op != LINNET_UNARY_SCALE)
        out->reads_outputs = 1;
    return LINNET_OK;
}

static linnet_status unary_run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                       const linnet_layer_args *args)
{
    return linnet_cl_launch(&plan->kernels[0], queue, args->inputs[LINNET_UNARY_X], args->outputs[LINNET_UNARY_Y]);
}

static linnet_status unary_run_backward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                        const linnet_layer_args *args)
{
    linnet_cl_run_int(&plan->kernels[0], 0, linnet_cl_bit(args->accumulate_inputs, LINNET_UNARY_X));
    return linnet_cl_launch(&plan->kernels[0], queue, args->outputs ? args->outputs[LINNET_UNARY_Y] : linnet_cl_no_view,
                            args->output_gradients[LINNET_UNARY_Y], args->input_gradients[LINNET_UNARY_X]);
}

static linnet_status unary_plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                                linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    const linnet_unary_attributes *attributes = desc->attributes;
    linnet_backend_plan *plan;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(*plan), forward ? unary_run_forward : unary_run_backward, &plan);
    if (status)
        return status;
    /* Without gaps all items are one. */
    const linnet_tensor_desc *x = &desc->inputs[LINNET_UNARY_X], *y = &desc->outputs[LINNET_UNARY_Y];
    int64_t items = linnet_cl_has_strides(desc) ? y->dims[0] : 1, count = linnet_cl_storage(y) / items;
    static const char *const names[2][2] = {{"unary_forward", "unary_forward_run"},
                                            {"unary_backward", "unary_backward_run"}};
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(
        plan, LINNET_CL_PROGRAM_UNARY, names[forward ? 0 : 1][device->prefers_vectors ? 1 : 0], forward ? 2 : 3);
    linnet_cl_int(kernel, count);
    linnet_cl_int(kernel, attributes->op);
    linnet_cl_float(kernel, attributes->alpha);
    linnet_cl_float(kernel, attributes->beta);
    linnet_cl_int(kernel, items > 1 ? linnet_cl_item(x) : 0);
    linnet_cl_int(kernel, items > 1 ? linnet_cl_item(y) : 0);
    if (device->prefers_vectors) {
        linnet_cl_int(kernel, RUN);
        linnet_cl_range(kernel, ceil_div(count, RUN), items, 1, 1);
    } else {
        linnet_cl_elements(kernel, count, items);
    }
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(unary, unary_candidate, unary_plan);
