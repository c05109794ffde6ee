/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of few input channels in NCHW, for processors (conv2d_planes_data.cl): how the work is split. */
#include "conv2d.h"
#include "nchw16c.h"
#include "sizes.h"

enum { MOST_TILE = 4 /* channels */ };

typedef struct data_split {
    int64_t rows_per_task, row_chunks, copy_floats, sum_floats, packed_floats;
} data_split;

/* Columns that tiles make of so many (planes_data_vectors). */
static int64_t tiled_columns(const linnet_backend_device *device, int64_t columns)
{
    int64_t vectors = linnet_cl_blocks(columns);
    if (device->tile_columns > 1)
        vectors = vectors < 3 ? 3 : vectors == 5 ? 6 : vectors;
    return vectors * LINNET_CL_LANES;
}

/* What all phases of `count` inputs along an axis see of the output: one more at most than where all taps lie. */
static int64_t window_of(int64_t count, int64_t kernel, int64_t stride, int64_t dilation)
{
    return count + (kernel - 1) * dilation / stride + 1;
}

static data_split split_at(const linnet_backend_device *device, const linnet_cl_conv2d *s, int64_t rows)
{
    int64_t columns = tiled_columns(device, ceil_div(s->width, s->stride_x));
    int64_t taps = ceil_div(s->kernel_height, s->stride_y / gcd(s->stride_y, s->dilation_y)) *
                   ceil_div(s->kernel_width, s->stride_x / gcd(s->stride_x, s->dilation_x));
    return (data_split){.rows_per_task = rows,
                        .row_chunks = ceil_div(ceil_div(s->height, s->stride_y), rows),
                        .copy_floats = LINNET_CL_LANES * window_of(rows, s->kernel_height, s->stride_y, s->dilation_y) *
                                       window_of(columns, s->kernel_width, s->stride_x, s->dilation_x),
                        .sum_floats = s->stride_y * s->stride_x * s->channels * rows * columns,
                        .packed_floats = LINNET_CL_LANES * taps * MOST_TILE};
}

static bool fits(const linnet_backend_device *device, data_split split)
{
    return split.copy_floats + split.sum_floats + split.packed_floats <= linnet_cl_channels_limit(device);
}

/* Halves a task's rows until it fits, and until there are tasks enough. */
static data_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t wanted = 4 * (int64_t)device->info.compute_units;
    data_split split = split_at(device, s, ceil_div(s->height, s->stride_y));
    while (split.rows_per_task > 1 &&
           (!fits(device, split) || (split.rows_per_task > 4 && s->images * split.row_chunks < wanted)))
        split = split_at(device, s, ceil_div(split.rows_per_task, 2));
    return split;
}

bool linnet_cl_planes_data_fits(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return fits(device, split_of(device, s));
}

double linnet_cl_planes_data_columns(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t columns = ceil_div(s->width, s->stride_x);
    return (double)tiled_columns(device, columns) / (double)columns;
}

linnet_cl_kernel *linnet_cl_planes_data_kernel(linnet_backend_plan *plan, const linnet_cl_conv2d *s)
{
    data_split split = split_of(plan->device, s);
    linnet_cl_kernel *kernel =
        linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CONV2D_PLANES_DATA, "conv2d_planes_data", 3);
    linnet_cl_conv2d_sizes(kernel, s, false);
    linnet_cl_int(kernel, s->channels);
    linnet_cl_int(kernel, s->outputs);
    linnet_cl_conv2d_window(kernel, s);
    linnet_cl_int(kernel, split.rows_per_task);
    linnet_cl_local(kernel, (uint64_t)split.copy_floats * sizeof(float));
    linnet_cl_local(kernel, (uint64_t)split.sum_floats * sizeof(float));
    linnet_cl_local(kernel, (uint64_t)split.packed_floats * sizeof(float));
    linnet_cl_range(kernel, split.row_chunks, s->images, 1, 1);
    return kernel;
}
