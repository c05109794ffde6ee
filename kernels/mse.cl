/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mse: loss = mean (x - target)^2 over count elements. Work-item p adds up elements [p * run, (p+1) * run) into
 * partial[p], which reduce_parts adds up. The gradient is one work-item an element.
 */

__kernel void mse_forward(__global const float *x, ulong x_at, __global const float *target, ulong target_at,
                          __global float *partial, ulong partial_at, int count, int run, int parts)
{
    int p = (int)get_global_id(0);
    if (p >= parts)
        return;
    float sum = 0.0f;
    int first = p * run, last = min(count - first, run) + first;
    for (int i = first; i < last; i++) {
        float difference = x[x_at + i] - target[target_at + i];
        sum += difference * difference;
    }
    partial[partial_at + p] = sum;
}

/* d(first) = 2 dloss / count (first - second): of x with (x, target), of target with (target, x). */
__kernel void mse_backward(__global const float *first, ulong first_at, __global const float *second, ulong second_at,
                           __global const float *dloss, ulong dloss_at, __global float *dx, ulong dx_at, int count,
                           int accumulate)
{
    int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float gradient = 2.0f * dloss[dloss_at] / (float)count * (first[first_at + i] - second[second_at + i]);
    dx[dx_at + i] = accumulate ? dx[dx_at + i] + gradient : gradient;
}
