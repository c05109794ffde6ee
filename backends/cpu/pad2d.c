/* SPDX-License-Identifier: Apache-2.0 */
/* Rows are copied whole, only what lies beside them is looked up. A task is a band of rows of one plane of the result.
 */
#include "cpu.h"
#include "kernels/kernels.h"

#include <string.h>

enum { CHUNK = 1 << 14 /* elements of a band, about */ };

typedef struct job {
    const linnet_pad2d_attributes *a;
    int64_t channels, h, w, oh, ow, x_stride, y_stride;
    int64_t rows, bands; /* of a band, of a plane */
    const float *from;   /* x or dy */
    float *to;           /* y or dx */
    bool accumulate;
} job;

static job job_of(const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *x = &desc->inputs[LINNET_PAD2D_X], *y = &desc->outputs[LINNET_PAD2D_Y];
    job j = {.a = desc->attributes,
             .channels = x->dims[1],
             .h = x->dims[2],
             .w = x->dims[3],
             .oh = y->dims[2],
             .ow = y->dims[3],
             .x_stride = cpu_extent_of(x).stride,
             .y_stride = cpu_extent_of(y).stride};
    int64_t height = desc->direction == LINNET_FORWARD ? j.oh : j.h;
    j.rows = cpu_max(1, cpu_min(height, CHUNK / j.ow));
    j.bands = cpu_ceil(height, j.rows);
    return j;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want(desc, out, LINNET_FORMAT_NCHW);
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
    int64_t left = j->a->padding[1], right = j->a->padding[3];
    memcpy(out + left, in, (size_t)j->w * sizeof *out);
    if (j->a->mode == LINNET_PAD_REFLECT) {
        for (int64_t i = 0; i < left; i++)
            out[i] = in[left - i];
        for (int64_t i = 0; i < right; i++)
            out[left + j->w + i] = in[j->w - 2 - i];
        return;
    }
    bool replicate = j->a->mode == LINNET_PAD_REPLICATE;
    fill(out, replicate ? in[0] : j->a->value, left);
    fill(out + left + j->w, replicate ? in[j->w - 1] : j->a->value, right);
}

static void forward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t plane = task / j->bands, n = plane / j->channels, c = plane % j->channels;
    const float *x = j->from + n * j->x_stride + c * j->h * j->w;
    float *y = j->to + n * j->y_stride + c * j->oh * j->ow;
    int64_t first = task % j->bands * j->rows, last = cpu_min(j->oh, first + j->rows);
    for (int64_t i = first; i < last; i++) {
        int64_t row = source(j->a->mode, i - j->a->padding[0], j->h);
        if (row < 0)
            fill(y + i * j->ow, j->a->value, j->ow);
        else
            pad_row(j, x + row * j->w, y + i * j->ow);
    }
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    j.from = cpu_view(args->inputs[LINNET_PAD2D_X]);
    j.to = cpu_view(args->outputs[LINNET_PAD2D_Y]);
    cpu_parallel(desc->inputs[0].dims[0] * j.channels * j.bands, linnet_desc_count(&desc->outputs[0]), forward_task,
                 &j);
}

/* One row of dy, added up where it came from. */
static void unpad_row(const job *j, const float *dy, float *dx, bool accumulate)
{
    int64_t left = j->a->padding[1], right = j->a->padding[3];
    cpu_table.scale(1, dy + left, dx, j->w, accumulate);
    if (j->a->mode == LINNET_PAD_CONSTANT)
        return;
    bool reflect = j->a->mode == LINNET_PAD_REFLECT;
    for (int64_t i = 0; i < left; i++)
        dx[reflect ? left - i : 0] += dy[i];
    for (int64_t i = 0; i < right; i++)
        dx[reflect ? j->w - 2 - i : j->w - 1] += dy[left + j->w + i];
}

/* A row of dx is the sum of the rows of dy that came from it: its own, and those of the padding. */
static void backward_row(const job *j, const float *dy, int64_t row, float *dx)
{
    int64_t top = j->a->padding[0], bottom = j->a->padding[2], last = j->h - 1;
    const float *behind = dy + (top + j->h) * j->ow; /* the first row of the bottom */
    unpad_row(j, dy + (top + row) * j->ow, dx, j->accumulate);
    if (j->a->mode == LINNET_PAD_REPLICATE) {
        for (int64_t i = 0; i < top && row == 0; i++)
            unpad_row(j, dy + i * j->ow, dx, true);
        for (int64_t i = 0; i < bottom && row == last; i++)
            unpad_row(j, behind + i * j->ow, dx, true);
    } else if (j->a->mode == LINNET_PAD_REFLECT) {
        if (row >= 1 && row <= top)
            unpad_row(j, dy + (top - row) * j->ow, dx, true);
        if (row < last && last - row <= bottom)
            unpad_row(j, behind + (last - row - 1) * j->ow, dx, true);
    }
}

static void backward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t plane = task / j->bands, n = plane / j->channels, c = plane % j->channels;
    const float *dy = j->from + n * j->y_stride + c * j->oh * j->ow;
    float *dx = j->to + n * j->x_stride + c * j->h * j->w;
    int64_t first = task % j->bands * j->rows, last = cpu_min(j->h, first + j->rows);
    for (int64_t i = first; i < last; i++)
        backward_row(j, dy, i, dx + i * j->w);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    j.from = cpu_view(args->output_gradients[LINNET_PAD2D_Y]);
    j.to = cpu_view(args->input_gradients[LINNET_PAD2D_X]);
    j.accumulate = args->accumulate_inputs & 1;
    cpu_parallel(desc->inputs[0].dims[0] * j.channels * j.bands, linnet_desc_count(&desc->outputs[0]), backward_task,
                 &j);
}

static const cpu_algorithm algorithms[] = {
    {"rows", LINNET_FORWARD, false, describe, forward},
    {"rows", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(pad2d, algorithms);
