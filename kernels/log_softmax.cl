/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_softmax along an axis of x [outer, length, inner]: y = x - max - log sum exp(x - max). One work-item walks one
 * line, whose elements are inner apart. In place is allowed.
 */

__kernel void log_softmax_forward(__global const float *x, ulong x_at, __global float *y, ulong y_at, int length,
                                  int inner, int lines)
{
    int line = (int)get_global_id(0), o = line / inner;
    if (line >= lines)
        return;
    ulong at = (ulong)o * length * inner + (line - o * inner);
    x += x_at + at;
    y += y_at + at;
    float largest = x[0], sum = 0.0f;
    for (int k = 1; k < length; k++)
        largest = fmax(largest, x[(ulong)k * inner]);
    for (int k = 0; k < length; k++)
        sum += exp(x[(ulong)k * inner] - largest);
    float log_sum = log(sum);
    for (int k = 0; k < length; k++)
        y[(ulong)k * inner] = x[(ulong)k * inner] - largest - log_sum;
}

/* dx = dy - exp(y) sum dy */
__kernel void log_softmax_backward(__global const float *y, ulong y_at, __global const float *dy, ulong dy_at,
                                   __global float *dx, ulong dx_at, int length, int inner, int lines, int accumulate)
{
    int line = (int)get_global_id(0), o = line / inner;
    if (line >= lines)
        return;
    ulong at = (ulong)o * length * inner + (line - o * inner);
    y += y_at + at;
    dy += dy_at + at;
    dx += dx_at + at;
    float sum = 0.0f;
    for (int k = 0; k < length; k++)
        sum += dy[(ulong)k * inner];
    for (int k = 0; k < length; k++) {
        float gradient = dy[(ulong)k * inner] - exp(y[(ulong)k * inner]) * sum;
        dx[(ulong)k * inner] = accumulate ? dx[(ulong)k * inner] + gradient : gradient;
    }
}
