/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing moves: an alias, in nchw16n too as long as the batch stays, in nchw16c as long as the channels stay, and from
   nchw16c to NCHW where both are the same storage: planes of one element, whole blocks. */
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

/* The formats between which nothing moves. */
static void want_formats(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_tensor_desc *x = &desc->inputs[0], *y = &desc->outputs[0];
    bool keeps_batch = cpu_can_block(x) && cpu_can_block(y) && x->dims[0] == y->dims[0];
    bool keeps_channels = keeps_batch && x->dims[1] == y->dims[1];
    cpu_want_same(desc, out, (keeps_batch ? CPU_TAKES_NCHW16N : 0) | (keeps_channels ? CPU_TAKES_NCHW16C : 0));
    if (cpu_is_nchw16c(x) && x->dims[1] % CPU_LANES == 0 && cpu_dims(x, 2, x->rank) == 1) {
        out->input_formats[0] = CPU_FORMAT_NCHW16C;
        out->output_formats[0] = LINNET_FORMAT_NCHW;
    }
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    want_formats(desc, out);
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
