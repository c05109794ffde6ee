/* SPDX-License-Identifier: Apache-2.0 */
/* alpha_norm: the loss in two stages, all of x being one channel of channel.clh; the gradient of x. Spare lanes of
   nchw16c are 0 and add nothing. */
#include "nchw16c.h"
#include "sizes.h"

enum { RUN = 2048, MOST_FACTORS = 16 }; /* elements of a work-item on processors; factors of a power */

static linnet_cl_channels parts_of(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    return linnet_cl_channels_of(device, 1, 1, linnet_cl_storage(&desc->inputs[LINNET_ALPHA_NORM_X]));
}

static linnet_status alpha_norm_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                          linnet_candidate *out)
{
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    linnet_cl_follow_nchw16c(device, desc, out);
    if (desc->direction == LINNET_FORWARD)
        out->workspace_bytes = (uint64_t)parts_of(device, desc).parts * sizeof(float);
    else
        out->reads_inputs = 1u << LINNET_ALPHA_NORM_X;
    return status;
}

/* Constants whole and exponent. */
static void exponent_constants(linnet_cl_kernel *kernel, float exponent)
{
    bool small = exponent >= 0.0f && exponent <= (float)MOST_FACTORS;
    int64_t whole = small ? (int64_t)exponent : 0;
    linnet_cl_int(kernel, small && (float)whole == exponent ? whole : -1);
    linnet_cl_float(kernel, exponent);
}

static void alpha_norm_forward(linnet_backend_plan *plan, const linnet_layer_desc *desc, float alpha)
{
    linnet_cl_channels parts = parts_of(plan->device, desc);
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_ALPHA_NORM, "alpha_norm_forward", 2);
    linnet_cl_channels_walk(kernel, parts);
    exponent_constants(kernel, alpha);
    linnet_cl_reduce_kernel(plan, 1, parts.parts, 1.0f);
}

static void alpha_norm_backward(linnet_backend_plan *plan, const linnet_layer_desc *desc, float alpha)
{
    bool vectors = plan->device->prefers_vectors;
    int64_t count = linnet_cl_storage(&desc->inputs[LINNET_ALPHA_NORM_X]);
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_ALPHA_NORM,
                                                    vectors ? "alpha_norm_backward_run" : "alpha_norm_backward", 3);
    linnet_cl_int(kernel, count);
    exponent_constants(kernel, alpha - 1.0f);
    linnet_cl_float(kernel, alpha);
    if (vectors)
        linnet_cl_int(kernel, RUN);
    linnet_cl_range(kernel, vectors ? ceil_div(count, RUN) : count, 1, 1, vectors ? 1 : 0);
}

static linnet_status alpha_norm_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                     const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    const linnet_alpha_norm_attributes *attributes = desc->attributes;
    linnet_backend_plan *plan;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(*plan), forward ? linnet_cl_run_loss : linnet_cl_run_loss_gradient, &plan);
    if (status)
        return status;
    if (forward)
        alpha_norm_forward(plan, desc, attributes->alpha);
    else
        alpha_norm_backward(plan, desc, attributes->alpha);
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(alpha_norm, alpha_norm_candidate, alpha_norm_plan);
