/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d by one work-item a pixel and four channels: any shape, workspace only for the parts of gradients. */
#include "conv2d.h"
#include "sizes.h"

enum {
    TILE = 4,       /* as in conv2d_direct.cl */
    LEAST_PART = 64 /* outputs */
};

/* Output rows of a part: images are split so that there is work for the device, and no further: the parts take memory.
   A GPU splits their rows, too, where there are few weights. */
static int64_t weight_run(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    int64_t parts = (device->prefers_vectors ? 4096 : 65536) / shape->weights + 1;
    int64_t rows = shape->images * shape->out_height, least = ceil_div(LEAST_PART, shape->out_width);
    if (device->prefers_vectors || parts <= shape->images)
        return ceil_div(shape->images, parts) * shape->out_height;
    int64_t run = ceil_div(rows, parts);
    return larger(run, least);
}

static int64_t weight_parts(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    int64_t run = weight_run(device, shape);
    return ceil_div(shape->images * shape->out_height, run);
}

static uint64_t direct_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    return linnet_cl_conv2d_nchw_workspace(device, shape, weight_parts(device, shape));
}

static const char *direct_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    (void)device;
    (void)shape;
    return NULL;
}

static int64_t tiles(int64_t groups, int64_t channels)
{
    return groups * ceil_div(channels, TILE);
}

static void direct_forward_kernel(linnet_cl_conv2d_nchw *plan)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    plan->forward = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_CONV2D_DIRECT, "conv2d_direct_forward", 4);
    linnet_cl_conv2d_constants(plan->forward, shape);
    linnet_cl_conv2d_nchw_epilogue(plan->forward, shape);
    linnet_cl_range(plan->forward, shape->out_height * shape->out_width, tiles(shape->groups, shape->group_outputs),
                    shape->images, 64);
}

static void direct_backward_kernels(linnet_cl_conv2d_nchw *plan)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    linnet_backend_plan *base = &plan->base;
    int64_t parts = weight_parts(base->device, shape);
    if (shape->want_data) {
        plan->data = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_CONV2D_DIRECT, "conv2d_direct_backward_data", 3);
        linnet_cl_conv2d_constants(plan->data, shape);
        linnet_cl_range(plan->data, shape->height * shape->width, tiles(shape->groups, shape->group_inputs),
                        shape->images, 64);
    }
    if (shape->want_weight) {
        plan->weight = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_CONV2D_DIRECT, "conv2d_direct_backward_weight", 3);
        linnet_cl_conv2d_constants(plan->weight, shape);
        linnet_cl_int(plan->weight, shape->images * shape->out_height);
        linnet_cl_int(plan->weight, weight_run(base->device, shape));
        linnet_cl_range(plan->weight, shape->weights, parts, 1, 64);
    }
    linnet_cl_conv2d_nchw_sums(plan, parts);
}

static linnet_status direct_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                     linnet_backend_plan **out)
{
    return linnet_cl_conv2d_nchw_plan(device, shape, direct_forward_kernel, direct_backward_kernels, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_direct = {.name = "direct",
                                                      .products_a_microsecond = 1e3f,
                                                      .refusal = direct_refusal,
                                                      .workspace_bytes = direct_workspace_bytes,
                                                      .plan = direct_plan_new};
