/* SPDX-License-Identifier: Apache-2.0 */
/* Forward keeps which element of each window won: an int32 in NCHW (-1: none), a byte in the blocked formats. */
#include "pool.h"

#include <math.h>
#include <string.h>

/* Bytes of the winners in this format. */
static uint64_t winner_bytes(const linnet_layer_desc *desc, uint32_t format)
{
    linnet_tensor_desc y = desc->outputs[0];
    y.format = format;
    y.outer_stride = 0;
    cpu_extent extent = cpu_extent_of(&y);
    uint64_t elements = (uint64_t)(extent.items * extent.item);
    return format == LINNET_FORMAT_NCHW ? elements * sizeof(int32_t) : elements;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format)
{
    const linnet_pool2d_attributes *a = desc->attributes;
    int preference = cpu_pool_describe(desc, out, format);
    if (format != LINNET_FORMAT_NCHW && (a->kernel[0] > 255 || a->kernel[1] > 255 / a->kernel[0]))
        out->refusal = "needs a window of at most 255 elements";
    if (desc->direction == LINNET_FORWARD) {
        out->saved_count = desc->differentiate ? 1 : 0;
        out->saved_bytes[0] = desc->differentiate ? winner_bytes(desc, format) : 0;
        cpu_pool pool = cpu_planes_of(desc).pool;
        if (format == LINNET_FORMAT_NCHW && !desc->differentiate && cpu_pool_takes_rows(&pool))
            out->cost = cpu_cost(desc, CPU_NEUTRAL);
        return preference;
    }
    out->reads_saved = 1;
    if (desc->forward && strcmp(desc->forward, out->name) != 0)
        out->refusal = "needs what its own forward saved";
    return preference;
}

static int describe_planar(const linnet_layer_desc *desc, linnet_candidate *out)
{
    return describe(desc, out, LINNET_FORMAT_NCHW);
}

static int describe_nchw16n(const linnet_layer_desc *desc, linnet_candidate *out)
{
    return describe(desc, out, CPU_FORMAT_NCHW16N);
}

static int describe_nchw16c(const linnet_layer_desc *desc, linnet_candidate *out)
{
    return describe(desc, out, CPU_FORMAT_NCHW16C);
}

/* ---- NCHW ---- */

static float window_maximum(const cpu_pool *g, const float *x, int64_t oy, int64_t ox, int32_t *out_winner)
{
    int64_t u0, u1, v0, v1;
    float best = -INFINITY;
    cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
    cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
    int32_t winner = u0 < u1 && v0 < v1 ? (int32_t)(u0 * g->kw + v0) : -1;
    for (int64_t u = u0; u < u1; u++)
        for (int64_t v = v0; v < v1; v++) {
            float value = x[(oy * g->sh - g->top + u) * g->w + ox * g->sw - g->left + v];
            if (value > best || (isnan(value) && !isnan(best))) {
                best = value;
                winner = (int32_t)(u * g->kw + v);
            }
        }
    *out_winner = winner;
    return best;
}

static void forward_plane(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_planes *p = context;
    const cpu_pool *g = &p->pool;
    const float *x = p->x + cpu_plane_x(p, plane);
    float *y = p->y + cpu_plane_y(p, plane);
    int32_t *winners = p->winners ? (int32_t *)p->winners + plane * p->y_plane : NULL, winner;
    if (!winners && cpu_pool_takes_rows(g)) {
        cpu_table.max_pool_rows(g, x, y);
        return;
    }
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            y[oy * g->ow + ox] = window_maximum(g, x, oy, ox, &winner);
            if (winners)
                winners[oy * g->ow + ox] = winner;
        }
}

static void backward_plane(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_planes *p = context;
    const cpu_pool *g = &p->pool;
    const float *dy = p->dy + cpu_plane_y(p, plane);
    float *dx = p->dx + cpu_plane_x(p, plane);
    const int32_t *winners = (const int32_t *)p->winners + plane * p->y_plane;
    if (!p->accumulate)
        memset(dx, 0, (size_t)p->x_plane * sizeof *dx);
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            int32_t winner = winners[oy * g->ow + ox];
            int64_t row = oy * g->sh - g->top + winner / g->kw, column = ox * g->sw - g->left + winner % g->kw;
            if (winner >= 0)
                dx[row * g->w + column] += dy[oy * g->ow + ox];
        }
}

/* ---- Planes of 16 lanes ---- */

static void forward_lanes(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_planes *p = context;
    uint8_t *winners = p->winners ? (uint8_t *)p->winners + plane * p->y_plane : NULL;
    cpu_table.max_pool(&p->pool, p->x + cpu_plane_x(p, plane), p->y + cpu_plane_y(p, plane), winners);
}

static void backward_lanes(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_planes *p = context;
    cpu_table.max_pool_gradient(&p->pool, (const uint8_t *)p->winners + plane * p->y_plane,
                                p->dy + cpu_plane_y(p, plane), p->dx + cpu_plane_x(p, plane), p->accumulate);
}

/* ---- All ---- */

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_planes planes = cpu_planes_of(desc);
    planes.x = cpu_view(args->inputs[0]);
    planes.y = cpu_view(args->outputs[0]);
    planes.winners = desc->differentiate && args->saved_count > 0 ? cpu_view_at(args->saved, 0) : NULL;
    cpu_parallel(planes.count, planes.work, cpu_plane_lanes(&desc->inputs[0]) > 1 ? forward_lanes : forward_plane,
                 &planes);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_planes planes = cpu_planes_of(desc);
    planes.dy = cpu_view(args->output_gradients[0]);
    planes.dx = cpu_view_at(args->input_gradients, 0);
    planes.winners = cpu_view_at(args->saved, 0);
    planes.accumulate = args->accumulate_inputs & 1;
    if (planes.dx)
        cpu_parallel(planes.count, planes.work, cpu_plane_lanes(&desc->inputs[0]) > 1 ? backward_lanes : backward_plane,
                     &planes);
}

static const cpu_algorithm algorithms[] = {
    {"nchw", LINNET_FORWARD, false, describe_planar, forward},
    {"nchw16n", LINNET_FORWARD, false, describe_nchw16n, forward},
    {"nchw16c", LINNET_FORWARD, false, describe_nchw16c, forward},
    {"nchw", LINNET_BACKWARD, false, describe_planar, backward},
    {"nchw16n", LINNET_BACKWARD, false, describe_nchw16n, backward},
    {"nchw16c", LINNET_BACKWARD, false, describe_nchw16c, backward},
};
CPU_LAYER(max_pool2d, algorithms);
