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
                         .channels = x->dims[1],
                         .x_item = from.stride,
                         .y_item = to.stride};
    planes.count = from.items * planes.channels;
    planes.x_plane = x->dims[2] * x->dims[3] * from.lanes;
    planes.y_plane = y->dims[2] * y->dims[3] * from.lanes;
    planes.work = planes.count * (planes.x_plane + planes.y_plane);
    return planes;
}

int cpu_pool_describe(const linnet_layer_desc *desc, linnet_candidate *out, bool blocked)
{
    bool is_blocked =
        cpu_is_nchw16n(&desc->inputs[0]) || (desc->direction == LINNET_BACKWARD && cpu_is_nchw16n(&desc->outputs[0]));
    cpu_want(desc, out, blocked ? CPU_FORMAT_NCHW16N : LINNET_FORMAT_NCHW);
    if ((blocked || desc->direction == LINNET_BACKWARD) && cpu_has_stride(desc))
        out->refusal = "needs dense tensors";
    return blocked == is_blocked;
}
