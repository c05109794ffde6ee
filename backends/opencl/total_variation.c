/* SPDX-License-Identifier: Apache-2.0 */
/* total_variation: the loss in two stages; the gradient of x, which gathers. */
#include "plan.h"
#include "sizes.h"

#include <math.h>

/* What is added up: pixels, or on processors rows of them. A function of shape and kind of device. */
typedef struct variation_parts {
    int64_t count, run, parts;
} variation_parts;

enum { PIXELS_A_PART = 1024, MOST_PARTS = 512, GROUP = 64 }; /* GROUP: GROUP_MOST of group.clh at most */

static variation_parts parts_of(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    const int64_t *x = desc->inputs[LINNET_TOTAL_VARIATION_X].dims;
    if (!device->prefers_vectors) {
        linnet_cl_channels all = linnet_cl_channels_of(device, 1, 1, x[0] * x[1] * x[2] * x[3]);
        return (variation_parts){all.elements, all.run, all.parts};
    }
    int64_t count = x[0] * x[1] * x[2], run = larger(ceil_div(count, MOST_PARTS), ceil_div(PIXELS_A_PART, x[3]));
    return (variation_parts){count, run, ceil_div(count, run)};
}

static linnet_status total_variation_candidate(linnet_backend_device *device, const linnet_layer_desc *desc,
                                               uint32_t index, linnet_candidate *out)
{
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    if (desc->direction == LINNET_FORWARD)
        out->workspace_bytes = (uint64_t)parts_of(device, desc).parts * sizeof(float);
    else
        out->reads_inputs = 1u << LINNET_TOTAL_VARIATION_X;
    return status;
}

static linnet_cl_kernel *variation_kernel(linnet_backend_plan *plan, const linnet_layer_desc *desc, const char *name,
                                          bool with_run, cl_uint views)
{
    const linnet_total_variation_attributes *attributes = desc->attributes;
    const int64_t *x = desc->inputs[LINNET_TOTAL_VARIATION_X].dims;
    variation_parts parts = parts_of(plan->device, desc);
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_TOTAL_VARIATION, name, views);
    linnet_cl_int(kernel, x[2]);
    linnet_cl_int(kernel, x[3]);
    linnet_cl_int(kernel, parts.count);
    if (with_run)
        linnet_cl_int(kernel, parts.run);
    linnet_cl_float(kernel, attributes->beta);
    linnet_cl_float(kernel, attributes->epsilon);
    if (with_run)
        linnet_cl_float(kernel, powf(attributes->epsilon, 0.5f * attributes->beta));
    return kernel;
}

static void total_variation_forward(linnet_backend_plan *plan, const linnet_layer_desc *desc)
{
    bool vectors = plan->device->prefers_vectors;
    variation_parts parts = parts_of(plan->device, desc);
    linnet_cl_kernel *kernel =
        variation_kernel(plan, desc, vectors ? "total_variation_forward_rows" : "total_variation_forward", true, 2);
    linnet_cl_range_groups(kernel, parts.parts, 1, 1, vectors ? 1 : GROUP);
    linnet_cl_reduce_kernel(plan, 1, parts.parts, 1.0f);
}

static void total_variation_backward(linnet_backend_plan *plan, const linnet_layer_desc *desc)
{
    bool vectors = plan->device->prefers_vectors;
    linnet_cl_kernel *kernel =
        variation_kernel(plan, desc, vectors ? "total_variation_backward_rows" : "total_variation_backward", false, 3);
    linnet_cl_range(kernel, parts_of(plan->device, desc).count, 1, 1, vectors ? 1 : 0);
}

static linnet_status total_variation_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                          const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_backend_plan *plan;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(*plan), forward ? linnet_cl_run_loss : linnet_cl_run_loss_gradient, &plan);
    if (status)
        return status;
    if (forward)
        total_variation_forward(plan, desc);
    else
        total_variation_backward(plan, desc);
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(total_variation, total_variation_candidate, total_variation_plan);
