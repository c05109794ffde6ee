/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binary: y = a + b, a - b or a * b, element-wise over count elements; the gradient of one operand is dy times a
 * factor: 1, -1 or the other operand. One work-item an element. In place is allowed: y on a or b, the gradient on dy.
 */

__kernel void binary_forward(__global const float *a, ulong a_at, __global const float *b, ulong b_at,
                             __global float *y, ulong y_at, int count, int op)
{
    int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float left = a[a_at + i], right = b[b_at + i];
    y[y_at + i] = op == 1 ? left + right : op == 2 ? left - right : left * right;
}

/* negate: b of a - b. other: the other operand of a * b; not read otherwise. */
__kernel void binary_backward(__global const float *dy, ulong dy_at, __global const float *other, ulong other_at,
                              __global float *dx, ulong dx_at, int count, int op, int negate, int accumulate)
{
    int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float gradient = dy[dy_at + i];
    if (op == 3)
        gradient *= other[other_at + i];
    else if (negate)
        gradient = -gradient;
    dx[dx_at + i] = accumulate ? dx[dx_at + i] + gradient : gradient;
}
