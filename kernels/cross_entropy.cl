/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cross_entropy of logits [N,C] and labels [N]: loss = -1/N sum log softmax(logits)[n, label n]. A label outside 0..C-1
 * takes no part. A line of group.clh is a row (gradient), or a run of rows one after the other (loss): line p adds up
 * rows [p * run, (p+1) * run) into partial[p], which reduce_parts adds up; the only part is the loss itself.
 */
#include "group.clh"

__kernel void cross_entropy_forward(__global const float *logits, ulong logits_at, __global const int *labels,
                                    ulong labels_at, __global float *partial, ulong partial_at, int rows, int classes,
                                    int run, int parts, float scale, int lanes, int step)
{
    GROUP_SCRATCH(scratch)
    int p = line_number(lanes, step), first = line_lane(lanes, step);
    float loss = 0.0f;
    for (int r = 0; r < run; r++) {
        int n = p < parts ? p * run + r : rows, label = n < rows ? labels[labels_at + n] : -1;
        int last = label >= 0 && label < classes ? classes : 0;
        __global const float *row = logits + logits_at + (ulong)n * classes;
        float largest = -INFINITY, sum = 0.0f;
        for (int c = first; c < last; c += line_lanes(lanes))
            largest = fmax(largest, row[c]);
        largest = line_maximum(largest, lanes, step, scratch);
        for (int c = first; c < last; c += line_lanes(lanes))
            sum += exp(row[c] - largest);
        sum = line_sum(sum, lanes, step, scratch);
        if (last > 0)
            loss += log(sum) - (row[label] - largest);
    }
    if (p < parts && first == 0)
        partial[partial_at + p] = loss * scale;
}

/* dlogits = dloss / N (softmax(logits) - onehot(label)) */
__kernel void cross_entropy_backward(__global const float *logits, ulong logits_at, __global const int *labels,
                                     ulong labels_at, __global const float *dloss, ulong dloss_at, __global float *dx,
                                     ulong dx_at, int rows, int classes, int lanes, int step, int accumulate)
{
    GROUP_SCRATCH(scratch)
    int n = line_number(lanes, step), first = line_lane(lanes, step), last = n < rows ? classes : 0;
    __global const float *row = logits + logits_at + (ulong)n * classes;
    __global float *to = dx + dx_at + (ulong)n * classes;
    int label = n < rows ? labels[labels_at + n] : -1;
    bool counts = label >= 0 && label < classes;
    float largest = -INFINITY, sum = 0.0f, scale = dloss[dloss_at] / (float)rows;
    for (int c = first; c < last; c += line_lanes(lanes))
        largest = fmax(largest, row[c]);
    largest = line_maximum(largest, lanes, step, scratch);
    for (int c = first; c < last; c += line_lanes(lanes))
        sum += exp(row[c] - largest);
    sum = line_sum(sum, lanes, step, scratch);
    for (int c = first; c < last; c += line_lanes(lanes)) {
        float gradient = counts ? scale * (exp(row[c] - largest) / sum - (c == label ? 1.0f : 0.0f)) : 0.0f;
        to[c] = accumulate ? to[c] + gradient : gradient;
    }
}
