/* SPDX-License-Identifier: Apache-2.0 */
/* How the work-items of a group are shared out between lines (group.clh): a function of the shape and the device. */
#include "plan.h"
#include "sizes.h"

/* GROUP_MOST in group.clh; a smaller group where lines are short; neighbours that read one line of a cache; lanes
   beyond which more would only make reductions longer. */
enum { MOST = 256, USUAL = 64, NEIGHBOURS = 16, ENOUGH = 1 << 17 };

/* The largest power of two that is at most limit; 1 where there is none. */
static int64_t power_of_two(int64_t limit)
{
    int64_t power = 1;
    while (power * 2 <= limit)
        power *= 2;
    return power;
}

void linnet_cl_lines(linnet_cl_kernel *kernel, int64_t lines, int64_t length, int64_t inner, size_t alone)
{
    int64_t lanes = 1, step = 1;
    if (kernel->device->prefers_vectors) {
        linnet_cl_range(kernel, lines, 1, 1, alone);
    } else {
        /* Neighbouring lines next to each other, where they lie so. */
        int64_t neighbours = power_of_two(smaller(inner, NEIGHBOURS));
        linnet_cl_range_groups(kernel, 1, 1, 1, length > USUAL || inner > 1 ? MOST : USUAL);
        int64_t group = (int64_t)kernel->local[0];
        lanes = power_of_two(smaller(length, group / smaller(neighbours, group)));
        while (lanes > (inner > 1 ? 1 : NEIGHBOURS) && lanes * lines > ENOUGH)
            lanes /= 2;
        step = inner > 1 ? group / lanes : 1;
        linnet_cl_range_groups(kernel, ceil_div(lines, group / lanes), 1, 1, (size_t)group);
    }
    linnet_cl_int(kernel, lanes);
    linnet_cl_int(kernel, step);
}
