/* SPDX-License-Identifier: Apache-2.0 */
/* Sums that several layers need: over the parts of a two-stage sum, and over N and S of [N,C,S], a bias gradient. */
#include "nchw16c.h"
#include "sizes.h"

linnet_cl_kernel *linnet_cl_reduce_kernel(linnet_backend_plan *plan, int64_t count, int64_t parts, float scale)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_REDUCE, "reduce_parts", 2);
    linnet_cl_int(kernel, count);
    linnet_cl_int(kernel, parts);
    linnet_cl_float(kernel, scale);
    linnet_cl_lines(kernel, count, parts, count, 64);
    return kernel;
}

linnet_status linnet_cl_reduce(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view partial,
                               linnet_view out, cl_int accumulate)
{
    linnet_cl_run_int(kernel, 0, accumulate);
    return linnet_cl_launch(kernel, queue, partial, out);
}

linnet_cl_channels linnet_cl_channels_of(const linnet_backend_device *device, int64_t images, int64_t channels,
                                         int64_t size)
{
    /* Enough work-groups for the device, each with enough to do: on GPUs 32 waves of four loads under way a unit. */
    int64_t groups = 32 * (int64_t)device->info.compute_units;
    groups = device->prefers_vectors ? 16 : groups < 512 ? 512 : groups;
    int64_t elements = images * size, wanted = groups / channels, most = elements / 1024;
    int64_t run = ceil_div(elements, larger(1, smaller(wanted, most)));
    /* In channel.clh, a group's work-items have four quads each of so many. */
    if (!device->prefers_vectors)
        run = round_up(run, 1024);
    return (linnet_cl_channels){channels, size, elements, ceil_div(elements, run), run};
}

void linnet_cl_channels_walk(linnet_cl_kernel *kernel, linnet_cl_channels shape)
{
    linnet_cl_int(kernel, shape.channels);
    linnet_cl_int(kernel, shape.size);
    linnet_cl_int(kernel, shape.elements);
    linnet_cl_int(kernel, shape.run);
    /* GROUP_MOST in group.clh is the most. */
    linnet_cl_range_groups(kernel, shape.parts, shape.channels, 1, kernel->device->prefers_vectors ? 1 : 64);
}

linnet_cl_channels linnet_cl_blocks_of(const linnet_backend_device *device, int64_t images, int64_t channels,
                                       int64_t size)
{
    int64_t elements = images * size, blocks = linnet_cl_blocks(channels);
    int64_t wanted = ceil_div(8 * (int64_t)device->info.compute_units, blocks), most = elements / 256;
    int64_t run = ceil_div(elements, larger(1, smaller(wanted, most)));
    return (linnet_cl_channels){channels, size, elements, ceil_div(elements, run), run};
}

linnet_cl_kernel *linnet_cl_channel_parts_kernel(linnet_backend_plan *plan, linnet_cl_channels shape)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CHANNEL_SUM, "channel_sum_parts", 2);
    linnet_cl_channels_walk(kernel, shape);
    return kernel;
}

linnet_cl_kernel *linnet_cl_block_parts_kernel(linnet_backend_plan *plan, linnet_cl_channels shape)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CHANNEL_SUM, "channel_sum_nchw16c", 2);
    linnet_cl_int(kernel, shape.channels);
    linnet_cl_int(kernel, shape.size);
    linnet_cl_int(kernel, shape.elements);
    linnet_cl_int(kernel, shape.run);
    linnet_cl_range(kernel, shape.parts, linnet_cl_blocks(shape.channels), 1, 1);
    return kernel;
}

void linnet_cl_channel_sum_kernels(linnet_backend_plan *plan, linnet_cl_channels shape, linnet_cl_channel_sum *out)
{
    out->parts = linnet_cl_channel_parts_kernel(plan, shape);
    out->reduce = linnet_cl_reduce_kernel(plan, shape.channels, shape.parts, 1.0f);
}

void linnet_cl_block_sum_kernels(linnet_backend_plan *plan, linnet_cl_channels shape, linnet_cl_channel_sum *out)
{
    out->parts = linnet_cl_block_parts_kernel(plan, shape);
    out->reduce = linnet_cl_reduce_kernel(plan, shape.channels, shape.parts, 1.0f);
}

linnet_status linnet_cl_channel_sum_run(linnet_cl_channel_sum *sum, linnet_backend_queue *queue, linnet_view x,
                                        linnet_view workspace, linnet_view out, cl_int accumulate)
{
    linnet_status status = linnet_cl_launch(sum->parts, queue, x, workspace);
    return status ? status : linnet_cl_reduce(sum->reduce, queue, workspace, out, accumulate);
}
