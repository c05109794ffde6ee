/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing moves: an alias, in nchw16n too as long as the batch stays. */
#include "cpu.h"

#include <string.h>

static size_t type_bytes(uint32_t type)
{
    switch (type) {
    case LINNET_F64:
    case LINNET_I64:
        return 8;
    case LINNET_F16:
    case LINNET_BF16:
        return 2;
    case LINNET_U8:
    case LINNET_BOOL:
        return 1;
    default:
        return 4;
    }
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    bool keeps_batch = cpu_can_block(&desc->inputs[0]) && cpu_can_block(&desc->outputs[0]) &&
                       desc->inputs[0].dims[0] == desc->outputs[0].dims[0];
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N);
    if (!keeps_batch)
        cpu_want(desc, out, LINNET_FORMAT_NCHW);
    out->in_place = 1;
    out->alias = 1;
    return 0;
}

static void copy_all(const linnet_tensor_desc *desc, linnet_view destination, linnet_view source)
{
    cpu_extent extent = cpu_extent_of(desc);
    if (cpu_view(destination) != cpu_view(source))
        memcpy(cpu_view(destination), cpu_view(source), (size_t)(extent.items * extent.item) * type_bytes(desc->type));
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    copy_all(&desc->inputs[0], args->outputs[0], args->inputs[0]);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    if (!cpu_view_at(args->input_gradients, 0))
        return;
    const linnet_tensor_desc *shape = &desc->inputs[0];
    if (args->accumulate_inputs & 1)
        cpu_copy_scaled(shape, cpu_view_at(args->input_gradients, 0), shape, cpu_view(args->output_gradients[0]), 1,
                        true);
    else
        copy_all(shape, args->input_gradients[0], args->output_gradients[0]);
}

static const cpu_algorithm algorithms[] = {
    {"alias", LINNET_FORWARD, false, describe, forward},
    {"alias", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(reshape, algorithms);
