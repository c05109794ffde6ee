/* SPDX-License-Identifier: Apache-2.0 */
/*
 * total_variation of x [planes,H,W], planes = N C: loss = sum of (d + epsilon)^(beta/2) - epsilon^(beta/2) over all
 * pixels, d the square of the difference to the right plus that of the one below; a difference that would leave the
 * picture is 0. A group adds up a part of the pixels (or of the rows: the _rows kernels, for processors) into
 * partial[part], which reduce_parts adds up. The gradient is a gather: a pixel has a part in its own term and in those
 * of its left and upper neighbours.
 */
#include "channel.clh"

/* Without the difference of two nearly equal powers, where epsilon is the larger part. base: epsilon^(beta/2). */
float variation_term(float d, float beta, float epsilon, float base)
{
    if (beta == 2.0f)
        return d;
    if (beta == 1.0f)
        return d == 0.0f ? 0.0f : d / (sqrt(d + epsilon) + sqrt(epsilon));
    if (d < epsilon)
        return base * expm1(0.5f * beta * log1p(d / epsilon));
    return pow(d + epsilon, 0.5f * beta) - base;
}

/* The derivative of a term with respect to a difference is this times the difference. */
float variation_weight(float d, float beta, float epsilon)
{
    float s = d + epsilon;
    if (beta == 2.0f)
        return 2.0f;
    if (s == 0.0f)
        return 0.0f;
    return beta == 1.0f ? 1.0f / sqrt(s) : beta * pow(s, 0.5f * beta - 1.0f);
}

float8 variation_term8(float8 d, float beta, float epsilon, float base)
{
    if (beta == 2.0f)
        return d;
    if (beta == 1.0f)
        return select(d / (sqrt(d + epsilon) + sqrt(epsilon)), (float8)0.0f, d == 0.0f);
    float8 small = base * expm1(0.5f * beta * log1p(d / epsilon));
    float8 large = pow(d + epsilon, (float8)(0.5f * beta)) - base;
    return select(large, small, d < epsilon);
}

float8 variation_weight8(float8 d, float beta, float epsilon)
{
    float8 s = d + epsilon;
    if (beta == 2.0f)
        return 2.0f;
    float8 weight = beta == 1.0f ? 1.0f / sqrt(s) : beta * pow(s, (float8)(0.5f * beta - 1.0f));
    return select(weight, (float8)0.0f, s == 0.0f);
}

/* To the right and below of the pixel that x points at, unless it is the last. */
float2 variation_differences(__global const float *x, int width, bool last_column, bool last_row)
{
    float here = x[0], right = x[last_column ? 0 : 1], below = x[last_row ? 0 : width];
    return (float2)(last_column ? 0.0f : right - here, last_row ? 0.0f : below - here);
}

/* d loss / d (pixel at row, column), x pointing at the pixel. */
float variation_gradient(__global const float *x, int height, int width, int row, int column, float beta, float epsilon)
{
    bool last_column = column == width - 1, last_row = row == height - 1;
    float2 own = variation_differences(x, width, last_column, last_row);
    float gradient = -variation_weight(own.x * own.x + own.y * own.y, beta, epsilon) * (own.x + own.y);
    if (column > 0) {
        float2 left = variation_differences(x - 1, width, false, last_row);
        gradient += variation_weight(left.x * left.x + left.y * left.y, beta, epsilon) * left.x;
    }
    if (row > 0) {
        float2 above = variation_differences(x - width, width, last_column, false);
        gradient += variation_weight(above.x * above.x + above.y * above.y, beta, epsilon) * above.y;
    }
    return gradient;
}

/* x: part of the count pixels. */
__kernel void total_variation_forward(__global const float *x, ulong x_at, __global float *partial, ulong partial_at,
                                      int height, int width, int count, int run, float beta, float epsilon,
                                      float base)
{
    GROUP_SCRATCH(scratch)
    int p = (int)get_group_id(0), first = p * run, last = first + min(run, count - first);
    float sum = 0.0f;
    for (int e = first + (int)get_local_id(0); e < last; e += (int)get_local_size(0)) {
        int line = e / width;
        float2 d =
            variation_differences(x + x_at + e, width, e - line * width == width - 1, line % height == height - 1);
        sum += variation_term(d.x * d.x + d.y * d.y, beta, epsilon, base);
    }
    sum = group_sum(sum, scratch);
    if (get_local_id(0) == 0)
        partial[partial_at + p] = sum;
}

/* x: pixel of all count. */
__kernel void total_variation_backward(__global const float *x, ulong x_at, __global const float *dloss, ulong dloss_at,
                                       __global float *dx, ulong dx_at, int height, int width, int count, float beta,
                                       float epsilon, int accumulate)
{
    int e = (int)get_global_id(0);
    if (e >= count)
        return;
    int line = e / width, row = line % height, column = e - line * width;
    float gradient = dloss[dloss_at] * variation_gradient(x + x_at + e, height, width, row, column, beta, epsilon);
    dx[dx_at + e] = accumulate ? dx[dx_at + e] + gradient : gradient;
}

float variation_row_sum(__global const float *x, int width, bool last_row, float beta, float epsilon, float base)
{
    float sum = 0.0f;
    float8 sum8 = 0.0f;
    int j = 0;
    for (; j + 8 < width; j += 8) {
        float8 here = load8(0, x + j), right = load8(0, x + j + 1) - here, below = 0.0f;
        if (!last_row)
            below = load8(0, x + width + j) - here;
        sum8 += variation_term8(right * right + below * below, beta, epsilon, base);
    }
    for (; j < width; j++) {
        float2 d = variation_differences(x + j, width, j == width - 1, last_row);
        sum += variation_term(d.x * d.x + d.y * d.y, beta, epsilon, base);
    }
    return sum + channel_sum8(sum8);
}

/* x: part of the rows of all planes, count of them. */
__kernel void total_variation_forward_rows(__global const float *x, ulong x_at, __global float *partial,
                                           ulong partial_at, int height, int width, int count, int run, float beta,
                                           float epsilon, float base)
{
    int p = (int)get_global_id(0), first = p * run, last = first + min(run, count - first);
    float sum = 0.0f;
    for (int line = first; line < last; line++)
        sum += variation_row_sum(x + x_at + (ulong)line * width, width, line % height == height - 1, beta, epsilon, base);
    partial[partial_at + p] = sum;
}

/* Eight pixels that have a left and a right neighbour. */
float8 variation_gradient8(__global const float *x, int width, bool first_row, bool last_row, float beta, float epsilon)
{
    float8 here = load8(0, x), before = load8(0, x - 1), right = load8(0, x + 1) - here, left = here - before;
    float8 below = 0.0f, left_below = 0.0f;
    if (!last_row) {
        below = load8(0, x + width) - here;
        left_below = load8(0, x + width - 1) - before;
    }
    float8 gradient = variation_weight8(left * left + left_below * left_below, beta, epsilon) * left -
                      variation_weight8(right * right + below * below, beta, epsilon) * (right + below);
    if (!first_row) {
        float8 above = load8(0, x - width), above_right = load8(0, x - width + 1) - above;
        above = here - above;
        gradient += variation_weight8(above_right * above_right + above * above, beta, epsilon) * above;
    }
    return gradient;
}

/* x: row of all planes. */
__kernel void total_variation_backward_rows(__global const float *x, ulong x_at, __global const float *dloss,
                                            ulong dloss_at, __global float *dx, ulong dx_at, int height, int width,
                                            int count, float beta, float epsilon, int accumulate)
{
    int line = (int)get_global_id(0), row = line % height;
    float scale = dloss[dloss_at];
    x += x_at + (ulong)line * width;
    dx += dx_at + (ulong)line * width;
    for (int j = 0; j < width;) {
        if (j > 0 && j + 8 < width) {
            float8 gradient = scale * variation_gradient8(x + j, width, row == 0, row == height - 1, beta, epsilon);
            store8(accumulate ? load8(0, dx + j) + gradient : gradient, 0, dx + j);
            j += 8;
        } else {
            float gradient = scale * variation_gradient(x + j, height, width, row, j, beta, epsilon);
            dx[j] = accumulate ? dx[j] + gradient : gradient;
            j++;
        }
    }
}
