/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cross_entropy of logits [N,C] and labels [N]: loss = -1/N sum log softmax(logits)[n, label n]. A label outside 0..C-1
 * takes no part. One work-item a row (gradient), or a run of rows (loss): work-item p adds up rows [p * run, (p+1) *
 * run) into partial[p], which reduce_parts adds up.
 */

__kernel void cross_entropy_forward(__global const float *logits, ulong logits_at, __global const int *labels,
                                    ulong labels_at, __global float *partial, ulong partial_at, int rows, int classes,
                                    int run, int parts)
{
    int p = (int)get_global_id(0);
    if (p >= parts)
        return;
    float loss = 0.0f;
    for (int n = p * run; n < min(rows, (p + 1) * run); n++) {
        __global const float *row = logits + logits_at + (ulong)n * classes;
        int label = labels[labels_at + n];
        if (label < 0 || label >= classes)
            continue;
        float largest = row[0], sum = 0.0f;
        for (int c = 1; c < classes; c++)
            largest = fmax(largest, row[c]);
        for (int c = 0; c < classes; c++)
            sum += exp(row[c] - largest);
        loss += log(sum) - (row[label] - largest);
    }
    partial[partial_at + p] = loss;
}

/* dlogits = dloss / N (softmax(logits) - onehot(label)) */
__kernel void cross_entropy_backward(__global const float *logits, ulong logits_at, __global const int *labels,
                                     ulong labels_at, __global const float *dloss, ulong dloss_at, __global float *dx,
                                     ulong dx_at, int rows, int classes, int accumulate)
{
    int n = (int)get_global_id(0);
    if (n >= rows)
        return;
    __global const float *row = logits + logits_at + (ulong)n * classes;
    __global float *to = dx + dx_at + (ulong)n * classes;
    int label = labels[labels_at + n];
    bool counts = label >= 0 && label < classes;
    float largest = row[0], sum = 0.0f, scale = dloss[dloss_at] / (float)rows;
    for (int c = 1; c < classes; c++)
        largest = fmax(largest, row[c]);
    for (int c = 0; c < classes; c++)
        sum += exp(row[c] - largest);
    for (int c = 0; c < classes; c++) {
        float gradient = counts ? scale * (exp(row[c] - largest) / sum - (c == label ? 1.0f : 0.0f)) : 0.0f;
        to[c] = accumulate ? to[c] + gradient : gradient;
    }
}
