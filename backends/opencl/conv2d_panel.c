/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d for processors: patches of a tile of pixels in local memory, multiplied there (conv2d_panel.cl). */
#include "conv2d.h"
#include "sizes.h"

/* Bytes of a tile: what a core's second-level cache holds easily; a single row of pixels may take up to the limit. */
#define TILE_BYTES ((int64_t)128 << 10)
#define TILE_LIMIT ((int64_t)512 << 10)
/* Floats that the parts of a weight's gradient may take, and how many parts there are at most. */
#define PARTS_FLOATS ((int64_t)16 << 20)
enum { MOST_PARTS = 16 };

/* rows of images output pixels, as local memory of local_rows rows. */
typedef struct panel_tile {
    int64_t rows, images, pitch;
    uint64_t bytes;
} panel_tile;

static int64_t depth_of(const linnet_cl_conv2d *shape)
{
    return shape->weights / shape->outputs;
}

/* A row in units of 16 floats, an odd number of them: neighbouring rows must not fall on the same lines of a cache. */
static int64_t pitch_of(int64_t length)
{
    return (ceil_div(length, 16) | 1) * 16;
}

static int64_t tile_bytes(int64_t length, int64_t local_rows)
{
    return pitch_of(length) * local_rows * (int64_t)sizeof(float);
}

static panel_tile panel_tile_of(const linnet_cl_conv2d *shape, int64_t limit, int64_t local_rows, int64_t most_images)
{
    int64_t wanted = smaller(limit, TILE_BYTES);
    panel_tile tile = {1, 1, 0, 0};
    while (tile.rows < shape->out_height && tile_bytes((tile.rows + 1) * shape->out_width, local_rows) <= wanted)
        tile.rows++;
    int64_t image = shape->out_height * shape->out_width;
    while (tile.rows == shape->out_height && tile.images < most_images &&
           tile_bytes((tile.images + 1) * image, local_rows) <= wanted)
        tile.images++;
    tile.pitch = pitch_of(tile.rows * tile.images * shape->out_width);
    tile.bytes = (uint64_t)(tile.pitch * local_rows) * sizeof(float);
    return tile;
}

/* What a group may take of local memory; the driver may need a little itself. */
static int64_t local_limit(const linnet_backend_device *device)
{
    int64_t limit = (int64_t)device->local_memory - 1024;
    return smaller(limit, TILE_LIMIT);
}

static int64_t local_rows(const linnet_cl_conv2d *shape)
{
    return depth_of(shape) + (shape->forward ? 0 : shape->group_outputs);
}

static const char *panel_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    if (!device->prefers_vectors)
        return "for devices with vectors";
    if (tile_bytes(shape->out_width, local_rows(shape)) > local_limit(device))
        return "the patches of one row of pixels do not fit local memory";
    return NULL;
}

static int64_t weight_run(const linnet_cl_conv2d *shape)
{
    return ceil_div(shape->images, between(PARTS_FLOATS / shape->weights, 1, MOST_PARTS));
}

static int64_t weight_parts(const linnet_cl_conv2d *shape)
{
    int64_t run = weight_run(shape);
    return ceil_div(shape->images, run);
}

static uint64_t panel_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    return linnet_cl_conv2d_nchw_workspace(device, shape, weight_parts(shape));
}

static linnet_cl_kernel *panel_kernel(linnet_cl_conv2d_nchw *plan, const char *name, cl_uint views, panel_tile tile)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_CONV2D_PANEL, name, views);
    linnet_cl_conv2d_constants(kernel, &plan->shape);
    linnet_cl_int(kernel, tile.rows);
    linnet_cl_int(kernel, tile.pitch);
    linnet_cl_local(kernel, tile.bytes);
    return kernel;
}

static void panel_forward_kernel(linnet_cl_conv2d_nchw *plan)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    panel_tile tile = panel_tile_of(shape, local_limit(plan->base.device), local_rows(shape), 1);
    plan->forward = panel_kernel(plan, "conv2d_panel_forward", 4, tile);
    linnet_cl_conv2d_nchw_epilogue(plan->forward, shape);
    linnet_cl_range(plan->forward, ceil_div(shape->out_height, tile.rows), shape->groups, shape->images, 1);
}

static void panel_backward_kernels(linnet_cl_conv2d_nchw *plan)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    int64_t limit = local_limit(plan->base.device);
    if (shape->want_data) {
        plan->data =
            panel_kernel(plan, "conv2d_panel_backward_data", 3, panel_tile_of(shape, limit, local_rows(shape), 1));
        linnet_cl_range(plan->data, shape->groups, shape->images, 1, 1);
    }
    if (shape->want_weight) {
        int64_t run = weight_run(shape);
        panel_tile tile = panel_tile_of(shape, limit, local_rows(shape), run);
        plan->weight = panel_kernel(plan, "conv2d_panel_backward_weight", 3, tile);
        linnet_cl_int(plan->weight, shape->images);
        linnet_cl_int(plan->weight, run);
        linnet_cl_int(plan->weight, tile.images);
        linnet_cl_range(plan->weight, weight_parts(shape), shape->groups, 1, 1);
    }
    linnet_cl_conv2d_nchw_sums(plan, weight_parts(shape));
}

static linnet_status panel_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                    linnet_backend_plan **out)
{
    return linnet_cl_conv2d_nchw_plan(device, shape, panel_forward_kernel, panel_backward_kernels, out);
}

/* What is packed is multiplied once for each output of its group: of depthwise layers the packing is most of it. */
static double panel_microseconds(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    static const double products = 11e3, packed = 1e3; /* of one compute unit, a microsecond */
    double columns = (double)(s->images * s->groups * s->group_inputs) *
                     (double)(s->kernel_height * s->kernel_width * s->out_height * s->out_width);
    int parts = s->forward ? 1 : s->want_data + s->want_weight;
    double sum = columns * (double)s->group_outputs / products + columns / packed;
    return parts * sum / (double)device->info.compute_units;
}

const linnet_cl_conv2d_way linnet_cl_conv2d_panel = {.name = "panel",
                                                     .microseconds = panel_microseconds,
                                                     .refusal = panel_refusal,
                                                     .workspace_bytes = panel_workspace_bytes,
                                                     .plan = panel_plan_new};
