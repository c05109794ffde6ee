/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <string.h>

static int describe_planar(const linnet_layer_desc *desc, linnet_candidate *out)
{
    return cpu_pool_describe(desc, out, LINNET_FORMAT_NCHW);
}

static int describe_nchw16n(const linnet_layer_desc *desc, linnet_candidate *out)
{
    return cpu_pool_describe(desc, out, CPU_FORMAT_NCHW16N);
}

static int describe_nchw16c(const linnet_layer_desc *desc, linnet_candidate *out)
{
    return cpu_pool_describe(desc, out, CPU_FORMAT_NCHW16C);
}

/* ---- NCHW ---- */

/* One over what the window's sum is divided by; 0 for a window outside. */
static float weight_of(const cpu_pool *g, int64_t rows, int64_t columns)
{
    if (rows <= 0 || columns <= 0)
        return 0;
    return 1.0f / (float)(g->exclude_padding ? rows * columns : g->kh * g->kw);
}

static void forward_plane(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_planes *p = context;
    const cpu_pool *g = &p->pool;
    const float *x = p->x + cpu_plane_x(p, plane);
    float *y = p->y + cpu_plane_y(p, plane);
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            int64_t u0, u1, v0, v1;
            float sum = 0;
            cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
            cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
            for (int64_t u = u0; u < u1; u++)
                for (int64_t v = v0; v < v1; v++)
                    sum += x[(oy * g->sh - g->top + u) * g->w + ox * g->sw - g->left + v];
            y[oy * g->ow + ox] = sum * weight_of(g, u1 - u0, v1 - v0);
        }
}

static void backward_plane(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_planes *p = context;
    const cpu_pool *g = &p->pool;
    const float *dy = p->dy + cpu_plane_y(p, plane);
    float *dx = p->dx + cpu_plane_x(p, plane);
    if (!p->accumulate)
        memset(dx, 0, (size_t)p->x_plane * sizeof *dx);
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            int64_t u0, u1, v0, v1;
            cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
            cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
            float gradient = dy[oy * g->ow + ox] * weight_of(g, u1 - u0, v1 - v0);
            for (int64_t u = u0; u < u1; u++)
                for (int64_t v = v0; v < v1; v++)
                    dx[(oy * g->sh - g->top + u) * g->w + ox * g->sw - g->left + v] += gradient;
        }
}

/* ---- Planes of 16 lanes ---- */

static void forward_lanes(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_planes *p = context;
    cpu_table.avg_pool(&p->pool, p->x + cpu_plane_x(p, plane), p->y + cpu_plane_y(p, plane));
}

static void backward_lanes(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_planes *p = context;
    cpu_table.avg_pool_gradient(&p->pool, p->dy + cpu_plane_y(p, plane), p->dx + cpu_plane_x(p, plane), p->accumulate);
}

/* ---- All ---- */

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_planes planes = cpu_planes_of(desc);
    planes.x = cpu_view(args->inputs[0]);
    planes.y = cpu_view(args->outputs[0]);
    cpu_parallel(planes.count, planes.work, cpu_plane_lanes(&desc->inputs[0]) > 1 ? forward_lanes : forward_plane,
                 &planes);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_planes planes = cpu_planes_of(desc);
    planes.dy = cpu_view(args->output_gradients[0]);
    planes.dx = cpu_view_at(args->input_gradients, 0);
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
CPU_LAYER(avg_pool2d, algorithms);
