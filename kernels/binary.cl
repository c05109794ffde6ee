/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binary: y = a + b, a - b or a * b, element-wise over count elements (elements.clh); the gradient of one operand is dy
 * times a factor: 1, -1 or the other operand. In place is allowed: y on a or b, the gradient on dy.
 */
#include "elements.clh"
#include "loops.clh"

#define BINARY(op, a, b) ((op) == 1 ? (a) + (b) : (op) == 2 ? (a) - (b) : (a) * (b))

__kernel void binary_forward(__global const float *a, ulong a_at, __global const float *b, ulong b_at,
                             __global float *y, ulong y_at, int count, int op)
{
    int first = elements_first();
    if (elements_are_quads(first, count, a_at | b_at | y_at)) {
        float8 left = elements_load(a + a_at + first), right = elements_load(b + b_at + first);
        elements_store(BINARY(op, left, right), y + y_at + first);
        return;
    }
    ROLLED for (int k = 0; k < ELEMENTS; k++) {
        int i = elements_at(first, k);
        if (i < count)
            y[y_at + i] = BINARY(op, a[a_at + i], b[b_at + i]);
    }
}

/* negate: b of a - b. other: the other operand of a * b; not read otherwise. */
__kernel void binary_backward(__global const float *dy, ulong dy_at, __global const float *other, ulong other_at,
                              __global float *dx, ulong dx_at, int count, int op, int negate, int accumulate)
{
    int first = elements_first();
    if (elements_are_quads(first, count, dy_at | other_at | dx_at)) {
        float8 gradient = elements_load(dy + dy_at + first);
        if (op == 3)
            gradient *= elements_load(other + other_at + first);
        else if (negate)
            gradient = -gradient;
        __global float *to = dx + dx_at + first;
        elements_store(accumulate ? elements_load(to) + gradient : gradient, to);
        return;
    }
    ROLLED for (int k = 0; k < ELEMENTS; k++) {
        int i = elements_at(first, k);
        if (i >= count)
            break;
        float gradient = dy[dy_at + i];
        if (op == 3)
            gradient *= other[other_at + i];
        else if (negate)
            gradient = -gradient;
        dx[dx_at + i] = accumulate ? dx[dx_at + i] + gradient : gradient;
    }
}
