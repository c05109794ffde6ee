/* SPDX-License-Identifier: Apache-2.0 */
/* Rows are copied whole, only what lies beside them is looked up, an element (in nchw16c: 16 channels of one) at a
   time. A task is a band of rows of one plane of the result. */
#include "cpu.h"
#include "kernels/kernels.h"

#include <string.h>

enum { CHUNK = 1 << 14 /* elements of a band, about */ };

typedef struct job {
    const linnet_pad2d_attributes *a;
    int64_t planes, lanes; /* of an item; of an element */
    int64_t h, w, oh, ow, x_stride, y_stride;
    int64_t rows, bands; /* of a band, of a plane */
    const float *from;   /* x or dy */
    float *to;           /* y or dx */
    bool accumulate;
} job;

static job job_of(const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *x = &desc->inputs[LINNET_PAD2D_X], *y = &desc->outputs[LINNET_PAD2D_Y];
    job j = {.a = desc->attributes,
             .planes = cpu_planes_per_item(x),
             .lanes = cpu_plane_lanes(x),
             .h = x->dims[2],
             .w = x->dims[3],
             .oh = y->dims[2],
             .ow = y->dims[3],
             .x_stride = cpu_extent_of(x).stride,
             .y_stride = cpu_extent_of(y).stride};
    int64_t height = desc->direction == LINNET_FORWARD ? j.oh : j.h;
    j.rows = cpu_max(1, cpu_min(height, CHUNK / (j.ow * j.lanes)));
    j.bands = cpu_ceil(height, j.rows);
    return j;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want_same(desc, out, CPU_TAKES_NCHW16C | CPU_TAKES_STRIDES);
    return 0;
}

/* Where a position of a padded dimension, 0 at the first element of x, comes from; -1: nowhere. */
static int64_t source(uint32_t mode, int64_t position, int64_t length)
{
    if (position >= 0 && position < length)
        return position;
    if (mode == LINNET_PAD_REPLICATE)
        return position < 0 ? 0 : length - 1;
    if (mode == LINNET_PAD_REFLECT)
        return position < 0 ? -position : 2 * (length - 1) - position;
    return -1;
}

static void fill(float *out, float value, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = value;
}

static void pad_row(const job *j, const float *in, float *out)
{
    int64_t left = j->a->padding[1], right = j->a->padding[3], lanes = j->lanes;
    float *behind = out + (left + j->w) * lanes;
    memcpy(out + left * lanes, in, (size_t)(j->w * lanes) * sizeof *out);
    if (j->a->mode == LINNET_PAD_CONSTANT) {
        fill(out, j->a->value, left * lanes);
        fill(behind, j->a->value, right * lanes);
        return;
    }
    bool reflect = j->a->mode == LINNET_PAD_REFLECT;
    for (int64_t i = 0; i < left; i++)
        memcpy(out + i * lanes, in + (reflect ? left - i : 0) * lanes, (size_t)lanes * sizeof *out);
    for (int64_t i = 0; i < right; i++)
        memcpy(behind + i * lanes, in + (reflect ? j->w - 2 - i : j->w - 1) * lanes, (size_t)lanes * sizeof *out);
}

static void forward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t plane = task / j->bands, n = plane / j->planes, c = plane % j->planes, lanes = j->lanes;
    const float *x = j->from + n * j->x_stride + c * j->h * j->w * lanes;
    float *y = j->to + n * j->y_stride + c * j->oh * j->ow * lanes;
    int64_t first = task % j->bands * j->rows, last = cpu_min(j->oh, first + j->rows);
    for (int64_t i = first; i < last; i++) {
        int64_t row = source(j->a->mode, i - j->a->padding[0], j->h);
        if (row < 0)
            fill(y + i * j->ow * lanes, j->a->value, j->ow * lanes);
        else
            pad_row(j, x + row * j->w * lanes, y + i * j->ow * lanes);
    }
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    j.from = cpu_view(args->inputs[LINNET_PAD2D_X]);
    j.to = cpu_view(args->outputs[LINNET_PAD2D_Y]);
    cpu_parallel(desc->inputs[0].dims[0] * j.planes * j.bands, linnet_desc_count(&desc->outputs[0]), forward_task, &j);
    if (j.a->mode == LINNET_PAD_CONSTANT && j.a->value != 0)
        cpu_clear_spare_lanes(&desc->outputs[LINNET_PAD2D_Y], j.to);
}

static void add_element(const float *dy, float *dx, int64_t lanes)
{
    for (int64_t i = 0; i < lanes; i++)
        dx[i] += dy[i];
}

/* One row of dy, added up where it came from. */
static void unpad_row(const job *j, const float *dy, float *dx, bool accumulate)
{
    int64_t left = j->a->padding[1], right = j->a->padding[3], lanes = j->lanes;
    const float *behind = dy + (left + j->w) * lanes;
    cpu_table.scale(1, dy + left * lanes, dx, j->w * lanes, accumulate);
    if (j->a->mode == LINNET_PAD_CONSTANT)
        return;
    bool reflect = j->a->mode == LINNET_PAD_REFLECT;
    for (int64_t i = 0; i < left; i++)
        add_element(dy + i * lanes, dx + (reflect ? left - i : 0) * lanes, lanes);
    for (int64_t i = 0; i < right; i++)
        add_element(behind + i * lanes, dx + (reflect ? j->w - 2 - i : j->w - 1) * lanes, lanes);
}

/* A row of dx is the sum of the rows of dy that came from it: its own, and those of the padding. */
static void backward_row(const job *j, const float *dy, int64_t row, float *dx)
{
    int64_t top = j->a->padding[0], bottom = j->a->padding[2], last = j->h - 1, width = j->ow * j->lanes;
    const float *behind = dy + (top + j->h) * width; /* the first row of the bottom */
    unpad_row(j, dy + (top + row) * width, dx, j->accumulate);
    if (j->a->mode == LINNET_PAD_REPLICATE) {
        for (int64_t i = 0; i < top && row == 0; i++)
            unpad_row(j, dy + i * width, dx, true);
        for (int64_t i = 0; i < bottom && row == last; i++)
            unpad_row(j, behind + i * width, dx, true);
    } else if (j->a->mode == LINNET_PAD_REFLECT) {
        if (row >= 1 && row <= top)
            unpad_row(j, dy + (top - row) * width, dx, true);
        if (row < last && last - row <= bottom)
            unpad_row(j, behind + (last - row - 1) * width, dx, true);
    }
}

static void backward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t plane = task / j->bands, n = plane / j->planes, c = plane % j->planes, lanes = j->lanes;
    const float *dy = j->from + n * j->y_stride + c * j->oh * j->ow * lanes;
    float *dx = j->to + n * j->x_stride + c * j->h * j->w * lanes;
    int64_t first = task % j->bands * j->rows, last = cpu_min(j->h, first + j->rows);
    for (int64_t i = first; i < last; i++)
        backward_row(j, dy, i, dx + i * j->w * lanes);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    j.from = cpu_view(args->output_gradients[LINNET_PAD2D_Y]);
    j.to = cpu_view(args->input_gradients[LINNET_PAD2D_X]);
    j.accumulate = args->accumulate_inputs & 1;
    cpu_parallel(desc->inputs[0].dims[0] * j.planes * j.bands, linnet_desc_count(&desc->outputs[0]), backward_task, &j);
}

static const cpu_algorithm algorithms[] = {
    {"rows", LINNET_FORWARD, false, describe, forward},
    {"rows", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(pad2d, algorithms);
