/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"
#include "kernels/kernels.h"

#include <math.h>

const char *cpu_epilogue_refusal(const linnet_layer_desc *desc)
{
    uint32_t added = linnet_epilogue_inputs(desc);
    if (added == 0)
        return NULL;
    if (added > 1)
        return "adds one tensor";
    if (desc->inputs[desc->input_count - 1].outer_stride != desc->outputs[0].outer_stride)
        return "needs what it adds to lie as its output does";
    return NULL;
}

/* Moves a first relu or clip into the clamp. */
static void take_clamp(cpu_epilogue *epilogue)
{
    const linnet_epilogue *first = epilogue->ops;
    if (epilogue->count == 0 || (first->op != LINNET_UNARY_RELU && first->op != LINNET_UNARY_CLIP))
        return;
    epilogue->low = first->op == LINNET_UNARY_RELU ? 0 : first->alpha;
    epilogue->high = first->op == LINNET_UNARY_RELU ? INFINITY : first->beta;
    epilogue->ops++;
    epilogue->count--;
}

static cpu_epilogue all_ops(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_epilogue epilogue = {.low = -INFINITY, .high = INFINITY, .count = desc->epilogue_count, .ops = desc->epilogue};
    if (linnet_epilogue_inputs(desc) > 0) {
        epilogue.y = cpu_view(args->outputs[0]);
        epilogue.added = cpu_view(args->inputs[desc->input_count - 1]);
    }
    return epilogue;
}

cpu_epilogue cpu_epilogue_of(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_epilogue epilogue = all_ops(desc, args);
    take_clamp(&epilogue);
    return epilogue;
}

cpu_epilogue cpu_epilogue_with_residual(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_epilogue epilogue = all_ops(desc, args);
    if (epilogue.count > 0 && epilogue.ops->op == LINNET_EPILOGUE_ADD) {
        epilogue.residual = epilogue.added;
        epilogue.ops++;
        epilogue.count--;
    }
    take_clamp(&epilogue);
    return epilogue;
}

void cpu_epilogue_apply(const cpu_epilogue *epilogue, float *y, int64_t count)
{
    for (uint32_t i = 0; i < epilogue->count; i++) {
        const linnet_epilogue *op = &epilogue->ops[i];
        if (op->op == LINNET_EPILOGUE_ADD)
            cpu_table.binary(LINNET_BINARY_ADD, y, epilogue->added + (y - epilogue->y), y, count);
        else
            cpu_table.unary(op->op, op->alpha, op->beta, y, y, count);
    }
}

bool cpu_keeps_zero(uint32_t op, float alpha, float beta)
{
    switch (op) {
    case LINNET_UNARY_RELU:
    case LINNET_UNARY_LEAKY_RELU:
    case LINNET_UNARY_TANH:
        return true;
    case LINNET_UNARY_CLIP:
        return alpha <= 0 && beta >= 0;
    case LINNET_UNARY_SCALE:
        return beta == 0;
    default:
        return false;
    }
}
