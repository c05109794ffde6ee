/* SPDX-License-Identifier: Apache-2.0 */
/* What the two algorithms share: batch_norm_nchw16c.c, and batch_norm.c for the other formats. What they save is the
   same: the mean and 1 / sqrt(variance + epsilon) that forward used, [2][C], in both behaviours. */
#ifndef LINNET_CPU_BATCH_NORM_H
#define LINNET_CPU_BATCH_NORM_H

#include "cpu.h"

typedef struct cpu_batch_norm_data {
    int64_t channels;
    double count; /* elements of a channel */
    float epsilon, momentum;
    bool train;
    const float *x, *dy, *weight, *bias;
    float *y, *dx, *running_mean, *running_variance, *saved, *dweight, *dbias;
    bool accumulate_x, accumulate_weight, accumulate_bias;
} cpu_batch_norm_data;

/* Where the direction's tensors are. */
cpu_batch_norm_data cpu_batch_norm_data_of(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_batch_norm_update_running(const cpu_batch_norm_data *data, int64_t channel, double mean, double variance);
/* dweight and dbias, where they are wanted. */
void cpu_batch_norm_store_gradients(const cpu_batch_norm_data *data, int64_t channel, double dweight, double dbias);

int cpu_batch_norm_describe_nchw16c(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_batch_norm_forward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_batch_norm_backward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args);

/* What forward saves and backward reads. */
void cpu_batch_norm_describe_saved(const linnet_layer_desc *desc, linnet_candidate *out);

#endif
