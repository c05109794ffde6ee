/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products whose tiles are too few for a GPU, in parts along their depth ("split K"), and the kernel that adds
 * those up. */
#include "gemm.h"
#include "sizes.h"

enum {
    TILE_ROWS = 32, /* or 64 by 64 */
    TILE_COLUMNS = 128,
    GROUPS_A_UNIT = 6, /* that hide one another's waiting */
    LEAST_RUN = 64,    /* of a part: eight steps of a tile */
    MOST_BYTES = 64 << 20
};

/* Elements of the depth of a part. */
static int64_t run_of(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    int64_t count = gemm->m * gemm->n, groups = ceil_div(gemm->m, TILE_ROWS) * ceil_div(gemm->n, TILE_COLUMNS);
    int64_t parts = groups > 0 ? GROUPS_A_UNIT * (int64_t)device->info.compute_units / groups : 1;
    int64_t deep = gemm->depth / LEAST_RUN, fit = MOST_BYTES / (int64_t)sizeof(float) / larger(count, 1);
    parts = smaller(parts, smaller(deep, fit));
    if (parts < 2 || device->prefers_vectors || atomic_load(&device->tile_most) == 0)
        return gemm->depth;
    return round_up(ceil_div(gemm->depth, parts), 8);
}

static int64_t parts_of(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    int64_t run = run_of(device, gemm);
    return run < gemm->depth ? ceil_div(gemm->depth, run) : 1;
}

uint64_t linnet_cl_gemm_parts_bytes(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    int64_t parts = parts_of(device, gemm);
    return parts > 1 ? (uint64_t)(parts * gemm->m * gemm->n) * sizeof(float) : 0;
}

linnet_cl_gemm_parts linnet_cl_gemm_parts_kernels(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    linnet_cl_gemm_parts out = {NULL, NULL};
    int64_t count = gemm->m * gemm->n, parts = parts_of(plan->device, gemm);
    if (parts == 1) {
        out.product = linnet_cl_gemm_kernel(plan, gemm, true);
        return out;
    }
    linnet_cl_gemm part = *gemm;
    part.run = run_of(plan->device, gemm);
    part.c_row = gemm->n;
    part.c_batch = count;
    part.has_bias = false;
    part.epilogue = (linnet_epilogue){0};
    part.row_sums = false;
    out.product = linnet_cl_gemm_kernel(plan, &part, true);
    const linnet_cl_parts sum = {.count = count,
                                 .parts = parts,
                                 .channels = gemm->n,
                                 .plane = 1,
                                 .has_bias = gemm->has_bias,
                                 .epilogue = gemm->epilogue};
    out.sum = linnet_cl_parts_kernel(plan, &sum);
    return out;
}

linnet_cl_kernel *linnet_cl_parts_kernel(linnet_backend_plan *plan, const linnet_cl_parts *parts)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_PARTS, "gemm_parts", 4);
    const int64_t constants[] = {parts->count,    parts->parts,   parts->channels,   parts->plane,
                                 parts->has_bias, parts->has_add, parts->epilogue.op};
    linnet_cl_ints(kernel, constants);
    linnet_cl_float(kernel, parts->epilogue.alpha);
    linnet_cl_float(kernel, parts->epilogue.beta);
    linnet_cl_range(kernel, parts->count, 1, 1, 0);
    return kernel;
}

linnet_status linnet_cl_parts_run(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view parts,
                                  linnet_view bias, linnet_view add, linnet_view out, cl_int accumulate)
{
    linnet_cl_run_int(kernel, 0, accumulate);
    return linnet_cl_launch(kernel, queue, parts, bias, add, out);
}

linnet_status linnet_cl_gemm_parts_run(const linnet_cl_gemm_parts *parts, linnet_backend_queue *queue, linnet_view a,
                                       linnet_view b, linnet_view bias, linnet_view c, cl_int accumulate,
                                       linnet_view workspace)
{
    if (!parts->sum)
        return linnet_cl_gemm_run(parts->product, queue, a, b, bias, c, accumulate);
    linnet_status status = linnet_cl_gemm_run(parts->product, queue, a, b, linnet_cl_no_view, workspace, 0);
    if (status)
        return status;
    return linnet_cl_parts_run(parts->sum, queue, workspace, bias, linnet_cl_no_view, c, accumulate);
}
