/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

cpu_planes cpu_planes_of(const linnet_layer_desc *desc)
{
    const linnet_pool2d_attributes *a = desc->attributes;
    const linnet_tensor_desc *x = &desc->inputs[0], *y = &desc->outputs[0];
    cpu_extent from = cpu_extent_of(x), to = cpu_extent_of(y);
    cpu_planes planes = {.pool = {.h = x->dims[2],
                                  .w = x->dims[3],
                                  .oh = y->dims[2],
                                  .ow = y->dims[3],
                                  .kh = a->kernel[0],
                                  .kw = a->kernel[1],
                                  .sh = a->stride[0],
                                  .sw = a->stride[1],
                                  .top = a->padding[0],
                                  .left = a->padding[1],
                                  .exclude_padding = a->exclude_padding != 0},
                         .channels = cpu_planes_per_item(x),
                         .x_item = from.stride,
                         .y_item = to.stride};
    planes.count = from.items * planes.channels;
    planes.x_plane = x->dims[2] * x->dims[3] * cpu_plane_lanes(x);
    planes.y_plane = y->dims[2] * y->dims[3] * cpu_plane_lanes(x);
    planes.work = planes.count * (planes.x_plane + planes.y_plane);
    return planes;
}

int cpu_pool_describe(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format)
{
    uint32_t given = desc->inputs[0].format;
    if (given == LINNET_FORMAT_NCHW && desc->direction == LINNET_BACKWARD)
        given = desc->outputs[0].format;
    cpu_want(desc, out, format);
    if ((format != LINNET_FORMAT_NCHW || desc->direction == LINNET_BACKWARD) && cpu_has_stride(desc))
        out->refusal = "needs dense tensors";
    int64_t items = desc->inputs[0].dims[0];
    if (format == LINNET_FORMAT_NCHW) /* one element at a time */
        out->cost = 3 * cpu_cost(desc, CPU_AVOID);
    if (format == CPU_FORMAT_NCHW16N) /* with the spare lanes */
        out->cost = cpu_cost(desc, CPU_NEUTRAL) * (float)(cpu_ceil(items, CPU_LANES) * CPU_LANES) / (float)items;
    return format == given;
}
