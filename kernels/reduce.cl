/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second half of every two-stage sum: adds parts of a vector in a fixed order, so the result does not depend on how
 * the device schedules.
 */

/* out[i] (+)= scale * sum over p of partial[p * count + i]. One work-item an i. */
__kernel void reduce_parts(__global const float *partial, ulong partial_at, __global float *out, ulong out_at,
                           int count, int parts, float scale, int accumulate)
{
    int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float sum = 0.0f;
    for (int p = 0; p < parts; p++)
        sum += partial[partial_at + (ulong)p * count + i];
    sum *= scale;
    out[out_at + i] = accumulate ? out[out_at + i] + sum : sum;
}
