/* SPDX-License-Identifier: Apache-2.0 */
/* Any convolution in NCHW, a row at a time: for each weight, the row that it touches is added as a vector. Good for few
   channels per group (depthwise). */
#include "conv2d.h"
#include "kernels/kernels.h"

#include <string.h>

int cpu_conv2d_describe_direct(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_conv2d_describe(desc, out, LINNET_FORMAT_NCHW);
    return 0;
}

/* One weight [o, c, u, v] and the rows it connects: outputs [first, last) of a row read inputs from *column on. */
typedef struct tap {
    int64_t first, last, column;
} tap;

static tap tap_of(const cpu_conv2d_sizes *s, int64_t v)
{
    tap t;
    cpu_conv2d_range(s->sw, s->left, v * s->dw, s->w, s->ow, &t.first, &t.last);
    t.column = t.first * s->sw - s->left + v * s->dw;
    return t;
}

static void forward_row(const cpu_conv2d_sizes *s, float weight, const float *x, float *y, int64_t v)
{
    tap t = tap_of(s, v);
    if (s->sw == 1) {
        cpu_table.scale(weight, x + t.column, y + t.first, t.last - t.first, true);
        return;
    }
    for (int64_t j = t.first; j < t.last; j++)
        y[j] += weight * x[t.column + (j - t.first) * s->sw];
}

/* One output plane per task. */
static void forward_plane(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_conv2d_data *d = context;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t n = plane / s->o, o = plane % s->o, group = o / s->group_o;
    float *y = d->y + n * s->y_stride + o * s->oh * s->ow;
    for (int64_t i = 0; i < s->oh * s->ow; i++)
        y[i] = d->bias ? d->bias[o] : 0;
    for (int64_t c = 0; c < s->group_c; c++) {
        const float *x = d->x + n * s->x_stride + (group * s->group_c + c) * s->h * s->w;
        const float *weight = d->weight + (o * s->group_c + c) * s->kh * s->kw;
        for (int64_t u = 0; u < s->kh; u++) {
            int64_t first, last;
            cpu_conv2d_range(s->sh, s->top, u * s->dh, s->h, s->oh, &first, &last);
            for (int64_t i = first; i < last; i++)
                for (int64_t v = 0; v < s->kw; v++)
                    forward_row(s, weight[u * s->kw + v], x + (i * s->sh - s->top + u * s->dh) * s->w, y + i * s->ow,
                                v);
        }
    }
    cpu_table.unary(LINNET_UNARY_CLIP, d->epilogue.low, d->epilogue.high, y, y, s->oh * s->ow);
    cpu_epilogue_apply(&d->epilogue, y, s->oh * s->ow);
}

void cpu_conv2d_forward_direct(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    cpu_parallel(d.s.n * d.s.o, cpu_conv2d_work(&d.s), forward_plane, &d);
}

static void backward_row(const cpu_conv2d_sizes *s, float weight, const float *dy, float *dx, int64_t v)
{
    tap t = tap_of(s, v);
    if (s->sw == 1) {
        cpu_table.scale(weight, dy + t.first, dx + t.column, t.last - t.first, true);
        return;
    }
    for (int64_t j = t.first; j < t.last; j++)
        dx[t.column + (j - t.first) * s->sw] += weight * dy[j];
}

/* One input plane per task. */
static void backward_plane(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_conv2d_data *d = context;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t n = plane / s->c, channel = plane % s->c, group = channel / s->group_c, c = channel % s->group_c;
    float *dx = d->dx + n * s->x_stride + channel * s->h * s->w;
    if (!d->accumulate_x)
        memset(dx, 0, (size_t)(s->h * s->w) * sizeof *dx);
    for (int64_t o = group * s->group_o; o < (group + 1) * s->group_o; o++) {
        const float *dy = d->dy + n * s->y_stride + o * s->oh * s->ow;
        const float *weight = d->weight + (o * s->group_c + c) * s->kh * s->kw;
        for (int64_t u = 0; u < s->kh; u++) {
            int64_t first, last;
            cpu_conv2d_range(s->sh, s->top, u * s->dh, s->h, s->oh, &first, &last);
            for (int64_t i = first; i < last; i++)
                for (int64_t v = 0; v < s->kw; v++)
                    backward_row(s, weight[u * s->kw + v], dy + i * s->ow, dx + (i * s->sh - s->top + u * s->dh) * s->w,
                                 v);
        }
    }
}

/* Sum over one row of dy times the x that weight v saw. */
static float row_product(const cpu_conv2d_sizes *s, const float *x, const float *dy, int64_t v)
{
    tap t = tap_of(s, v);
    float sums[CPU_LANES] = {0}, total = 0;
    if (s->sw == 1) {
        cpu_table.lane_products(x + t.column, 0, dy + t.first, t.last - t.first, sums);
        for (int i = 0; i < CPU_LANES; i++)
            total += sums[i];
        return total;
    }
    for (int64_t j = t.first; j < t.last; j++)
        total += dy[j] * x[t.column + (j - t.first) * s->sw];
    return total;
}

/* The weights of one [o, c] per task. */
static void weight_plane(const void *context, int64_t plane, uint32_t worker)
{
    (void)worker;
    const cpu_conv2d_data *d = context;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t o = plane / s->group_c, channel = o / s->group_o * s->group_c + plane % s->group_c;
    for (int64_t u = 0; u < s->kh; u++)
        for (int64_t v = 0; v < s->kw; v++) {
            float *dweight = d->dweight + (plane * s->kh + u) * s->kw + v;
            double total = d->accumulate_weight ? *dweight : 0;
            int64_t first, last;
            cpu_conv2d_range(s->sh, s->top, u * s->dh, s->h, s->oh, &first, &last);
            for (int64_t n = 0; n < s->n; n++)
                for (int64_t i = first; i < last; i++)
                    total += row_product(
                        s, d->x + n * s->x_stride + (channel * s->h + i * s->sh - s->top + u * s->dh) * s->w,
                        d->dy + n * s->y_stride + (o * s->oh + i) * s->ow, v);
            *dweight = (float)total;
        }
}

void cpu_conv2d_backward_direct(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    if (d.dx)
        cpu_parallel(d.s.n * d.s.c, cpu_conv2d_work(&d.s), backward_plane, &d);
    if (d.dweight)
        cpu_parallel(d.s.o * d.s.group_c, cpu_conv2d_work(&d.s), weight_plane, &d);
    if (d.dbias)
        cpu_conv2d_bias_gradient(&d);
}
