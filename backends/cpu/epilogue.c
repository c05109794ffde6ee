/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"
#include "kernels/kernels.h"

#include <math.h>

cpu_epilogue cpu_epilogue_of(const linnet_layer_desc *desc)
{
    cpu_epilogue epilogue = {.low = -INFINITY, .high = INFINITY, .count = desc->epilogue_count, .ops = desc->epilogue};
    if (epilogue.count == 0)
        return epilogue;
    const linnet_epilogue *first = &epilogue.ops[0];
    if (first->op != LINNET_UNARY_RELU && first->op != LINNET_UNARY_CLIP)
        return epilogue;
    if (first->op == LINNET_UNARY_RELU) {
        epilogue.low = 0;
    } else {
        epilogue.low = first->alpha;
        epilogue.high = first->beta;
    }
    epilogue.ops++;
    epilogue.count--;
    return epilogue;
}

void cpu_epilogue_apply(const cpu_epilogue *epilogue, float *y, int64_t count)
{
    for (uint32_t i = 0; i < epilogue->count; i++)
        cpu_table.unary(epilogue->ops[i].op, epilogue->ops[i].alpha, epilogue->ops[i].beta, y, y, count);
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
