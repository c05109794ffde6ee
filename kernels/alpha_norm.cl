/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alpha_norm: loss = sum |x|^alpha over count elements. A group adds up a part into partial[part] (channel.clh, with
 * all of x as one channel), which reduce_parts adds up. The gradient is one work-item an element, or in the _run
 * kernel, for processors, a run of them.
 *
 * whole: the exponent where it is a small whole number, so that the power is a product, else -1.
 */
#include "channel.clh"

/* |x|^exponent, exponent >= 0 */
#define ALPHA_NORM_POWER(name, type)                                                                                   \
    type name(type x, int whole, float exponent)                                                                       \
    {                                                                                                                  \
        type a = fabs(x), power = 1.0f;                                                                                \
        if (whole < 0)                                                                                                 \
            return pow(a, (type)exponent);                                                                             \
        for (int k = 0; k < whole; k++)                                                                                \
            power *= a;                                                                                                \
        return power;                                                                                                  \
    }
ALPHA_NORM_POWER(alpha_norm_power1, float)
ALPHA_NORM_POWER(alpha_norm_power4, float4)
ALPHA_NORM_POWER(alpha_norm_power8, float8)

#define ALPHA_NORM_SUM(N) CHANNEL_OF(N, sum) += alpha_norm_power##N(CHANNEL_LOAD(N, x), whole, alpha);

__kernel void alpha_norm_forward(__global const float *x, ulong x_at, __global float *partial, ulong partial_at,
                                 int channels, int size, int elements, int run, int whole, float alpha)
{
    GROUP_SCRATCH(scratch)
    int p = (int)get_group_id(0), first = p * run, last = first + min(run, elements - first);
    channel_vector sum = 0.0f;
    x += x_at;
    CHANNEL_EACH(channels, size, 0, first, last, x_at, ALPHA_NORM_SUM)
    float total = group_sum(channel_total(sum), scratch);
    if (get_local_id(0) == 0)
        partial[partial_at + p] = total;
}

/* magnitude sign(x): 0 where x is 0, NaN where x is NaN. */
float alpha_norm_signed(float magnitude, float x)
{
    return x > 0.0f ? magnitude : x < 0.0f ? -magnitude : x;
}

/* dx = dloss alpha |x|^(alpha-1) sign(x). exponent: alpha - 1. */
__kernel void alpha_norm_backward(__global const float *x, ulong x_at, __global const float *dloss, ulong dloss_at,
                                  __global float *dx, ulong dx_at, int count, int whole, float exponent, float alpha,
                                  int accumulate)
{
    int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float value = x[x_at + i], factor = dloss[dloss_at] * alpha;
    float gradient = alpha_norm_signed(factor * alpha_norm_power1(value, whole, exponent), value);
    dx[dx_at + i] = accumulate ? dx[dx_at + i] + gradient : gradient;
}

__kernel void alpha_norm_backward_run(__global const float *x, ulong x_at, __global const float *dloss, ulong dloss_at,
                                      __global float *dx, ulong dx_at, int count, int whole, float exponent,
                                      float alpha, int run, int accumulate)
{
    int i = (int)get_global_id(0) * run, last = i + min(run, count - i);
    float factor = dloss[dloss_at] * alpha;
    x += x_at;
    dx += dx_at;
    for (; i + 8 <= last; i += 8) {
        float8 value = load8(0, x + i), gradient = factor * alpha_norm_power8(value, whole, exponent);
        gradient = select(select(value, gradient, value > 0.0f), -gradient, value < 0.0f);
        store8(accumulate ? load8(0, dx + i) + gradient : gradient, 0, dx + i);
    }
    for (; i < last; i++) {
        float value = x[i];
        float gradient = alpha_norm_signed(factor * alpha_norm_power1(value, whole, exponent), value);
        dx[i] = accumulate ? dx[i] + gradient : gradient;
    }
}
