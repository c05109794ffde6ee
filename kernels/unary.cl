/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unary: y = f(x; alpha, beta), element-wise over count elements of an item, and its gradient from y and dy. Items lie
 * x_item (x, dx) and y_item (y, dy) elements apart. A work-item has eight elements (elements.clh), or in the _run
 * kernels, for processors, a run of them; y: the item. In place is allowed: y on x, dx on dy.
 */
#include "elements.clh"
#include "unary_op.clh"
#include "loops.clh"
#include "vectors.clh"

float unary_gradient(int op, float y, float dy, float alpha, float beta)
{
    switch (op) {
    case 1: /* relu */
        return y > 0.0f ? dy : 0.0f;
    case 2: /* leaky_relu */
        return y > 0.0f ? dy : alpha * dy;
    case 3: /* clip */
        return y > alpha && y < beta ? dy : 0.0f;
    case 4: /* tanh */
        return dy * (1.0f - y * y);
    case 5: /* sigmoid */
        return dy * y * (1.0f - y);
    default: /* scale */
        return alpha * dy;
    }
}

float8 unary_gradient8(int op, float8 y, float8 dy, float alpha, float beta)
{
    switch (op) {
    case 1:
        return select((float8)0.0f, dy, y > 0.0f);
    case 2:
        return select(alpha * dy, dy, y > 0.0f);
    case 3:
        return select((float8)0.0f, dy, y > alpha && y < beta);
    case 4:
        return dy * (1.0f - y * y);
    case 5:
        return dy * y * (1.0f - y);
    default:
        return alpha * dy;
    }
}

__kernel void unary_forward(__global const float *x, ulong x_at, __global float *y, ulong y_at, int count, int op,
                            float alpha, float beta, int x_item, int y_item)
{
    int first = elements_first();
    x_at += get_global_id(1) * x_item;
    y_at += get_global_id(1) * y_item;
    if (elements_are_quads(first, count, x_at | y_at)) {
        elements_store(unary_apply8(op, elements_load(x + x_at + first), alpha, beta), y + y_at + first);
        return;
    }
    ROLLED for (int k = 0; k < ELEMENTS; k++) {
        int i = elements_at(first, k);
        if (i < count)
            y[y_at + i] = unary_apply(op, x[x_at + i], alpha, beta);
    }
}

__kernel void unary_backward(__global const float *y, ulong y_at, __global const float *dy, ulong dy_at,
                             __global float *dx, ulong dx_at, int count, int op, float alpha, float beta, int x_item,
                             int y_item, int accumulate)
{
    int first = elements_first();
    dy_at += get_global_id(1) * y_item;
    dx_at += get_global_id(1) * x_item;
    y = op == 6 ? dy : y; /* scale reads no y */
    y_at = op == 6 ? dy_at : y_at + get_global_id(1) * y_item;
    if (elements_are_quads(first, count, y_at | dy_at | dx_at)) {
        float8 gradient =
            unary_gradient8(op, elements_load(y + y_at + first), elements_load(dy + dy_at + first), alpha, beta);
        __global float *to = dx + dx_at + first;
        elements_store(accumulate ? elements_load(to) + gradient : gradient, to);
        return;
    }
    ROLLED for (int k = 0; k < ELEMENTS; k++) {
        int i = elements_at(first, k);
        if (i < count) {
            float gradient = unary_gradient(op, y[y_at + i], dy[dy_at + i], alpha, beta);
            dx[dx_at + i] = accumulate ? dx[dx_at + i] + gradient : gradient;
        }
    }
}

__kernel void unary_forward_run(__global const float *x, ulong x_at, __global float *y, ulong y_at, int count, int op,
                                float alpha, float beta, int x_item, int y_item, int run)
{
    int i = (int)get_global_id(0) * run, last = i + min(run, count - i);
    x += x_at + get_global_id(1) * x_item;
    y += y_at + get_global_id(1) * y_item;
    ROLLED for (; i + 8 <= last; i += 8)
        store8(unary_apply8(op, load8(0, x + i), alpha, beta), 0, y + i);
    ROLLED for (; i < last; i++)
        y[i] = unary_apply(op, x[i], alpha, beta);
}

__kernel void unary_backward_run(__global const float *y, ulong y_at, __global const float *dy, ulong dy_at,
                                 __global float *dx, ulong dx_at, int count, int op, float alpha, float beta,
                                 int x_item, int y_item, int run, int accumulate)
{
    int i = (int)get_global_id(0) * run, last = i + min(run, count - i);
    dy += dy_at + get_global_id(1) * y_item;
    dx += dx_at + get_global_id(1) * x_item;
    y = op == 6 ? dy : y + y_at + get_global_id(1) * y_item; /* scale reads no y */
    ROLLED for (; i + 8 <= last; i += 8) {
        float8 gradient = unary_gradient8(op, load8(0, y + i), load8(0, dy + i), alpha, beta);
        store8(accumulate ? load8(0, dx + i) + gradient : gradient, 0, dx + i);
    }
    ROLLED for (; i < last; i++) {
        float gradient = unary_gradient(op, y[i], dy[i], alpha, beta);
        dx[i] = accumulate ? dx[i] + gradient : gradient;
    }
}
