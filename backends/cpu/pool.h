/* SPDX-License-Identifier: Apache-2.0 */
/* What max_pool2d and avg_pool2d share. */
#ifndef LINNET_CPU_POOL_H
#define LINNET_CPU_POOL_H

#include "cpu.h"
#include "kernels/kernels.h"

/* Planes of x and y: plane p = item * channels + channel; in the blocked formats a plane has 16 lanes, of as many
   images or channels. */
typedef struct cpu_planes {
    cpu_pool pool;
    int64_t count, channels;  /* planes; of an item */
    int64_t x_item, y_item;   /* strides between items, elements */
    int64_t x_plane, y_plane; /* elements of a plane, lanes included */
    int64_t work;             /* for cpu_parallel */
    bool accumulate;
    const float *x, *dy; /* of what the direction has */
    float *y, *dx;
    void *winners; /* max_pool2d */
} cpu_planes;

cpu_planes cpu_planes_of(const linnet_layer_desc *desc);

static inline int64_t cpu_plane_x(const cpu_planes *planes, int64_t plane)
{
    return plane / planes->channels * planes->x_item + plane % planes->channels * planes->x_plane;
}

static inline int64_t cpu_plane_y(const cpu_planes *planes, int64_t plane)
{
    return plane / planes->channels * planes->y_item + plane % planes->channels * planes->y_plane;
}

/* Formats and preference of a pooling algorithm that works in this format. */
int cpu_pool_describe(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format);

#endif
