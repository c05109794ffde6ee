/* SPDX-License-Identifier: Apache-2.0 */
/* reshape, and dropout when it does nothing: y = x over count words of 4 bytes; backward adds floats. One work-item an
 * element. */

__kernel void reshape_forward(__global const uint *x, ulong x_at, __global uint *y, ulong y_at, int count)
{
    int i = (int)get_global_id(0);
    if (i < count)
        y[y_at + i] = x[x_at + i];
}

__kernel void reshape_backward(__global const float *dy, ulong dy_at, __global float *dx, ulong dx_at, int count,
                               int accumulate)
{
    int i = (int)get_global_id(0);
    if (i < count)
        dx[dx_at + i] = accumulate ? dx[dx_at + i] + dy[dy_at + i] : dy[dy_at + i];
}
