/* SPDX-License-Identifier: Apache-2.0 */
/* A linear filter as a net of its own: the border, then a convolution with one channel; the channels of the picture are
   its batch. */
#include "core/core.h"
#include "device/device.h"
#include "linnet/filter.h"
#include "linnet/session.h"
#include "options.h"

#include <math.h>

typedef struct filter {
    linnet_context *context;
    const linnet_kernel *kernel;
    linnet_filter_options options;
    int64_t top, left, bottom, right; /* how far the kernel reaches beyond the picture */
} filter;

static linnet_status filter_start(linnet_context *context, const linnet_kernel *kernel,
                                  const linnet_filter_options *options, filter *out)
{
    *out = (filter){.context = linnet_context_or_default(context), .kernel = kernel};
    context = out->context;
    linnet_status status = linnet_context_check(context);
    if (status == LINNET_OK)
        status = linnet_vision_options(context, "filter", options, &out->options, sizeof out->options);
    if (status != LINNET_OK)
        return status;
    if (!kernel || !kernel->values || kernel->height < 1 || kernel->width < 1)
        return linnet_fail(context, LINNET_INVALID, "filter: there is no kernel");
    if ((unsigned)out->options.border > LINNET_BORDER_NONE || out->options.stride < 0)
        return linnet_fail(context, LINNET_INVALID, "filter: border %d or stride %d makes no sense",
                           (int)out->options.border, out->options.stride);
    if (out->options.stride == 0)
        out->options.stride = 1;
    if (out->options.border == LINNET_BORDER_NONE)
        return LINNET_OK;
    bool flip = out->options.flip != 0; /* turns the anchor with the kernel */
    int64_t before_y = (kernel->height - 1) / 2, before_x = (kernel->width - 1) / 2;
    out->top = flip ? kernel->height - 1 - before_y : before_y;
    out->left = flip ? kernel->width - 1 - before_x : before_x;
    out->bottom = kernel->height - 1 - out->top;
    out->right = kernel->width - 1 - out->left;
    return LINNET_OK;
}

static linnet_status filter_result_size(const filter *f, int64_t height, int64_t width, int64_t *out_height,
                                        int64_t *out_width)
{
    int64_t inside_y = height + f->top + f->bottom - f->kernel->height;
    int64_t inside_x = width + f->left + f->right - f->kernel->width;
    if (height < 1 || width < 1 || inside_y < 0 || inside_x < 0)
        return linnet_fail(f->context, LINNET_SHAPE, "filter: a kernel of %d x %d does not fit into %lld x %lld pixels",
                           f->kernel->height, f->kernel->width, (long long)height, (long long)width);
    if (f->options.border == LINNET_BORDER_REFLECT &&
        (f->top >= height || f->bottom >= height || f->left >= width || f->right >= width))
        return linnet_fail(f->context, LINNET_SHAPE,
                           "filter: a kernel of %d x %d reaches further than %lld x %lld pixels can be mirrored",
                           f->kernel->height, f->kernel->width, (long long)height, (long long)width);
    *out_height = inside_y / f->options.stride + 1;
    *out_width = inside_x / f->options.stride + 1;
    return LINNET_OK;
}

linnet_status linnet_filter_size_with(linnet_context *context, int64_t height, int64_t width,
                                      const linnet_kernel *kernel, const linnet_filter_options *options,
                                      int64_t *out_height, int64_t *out_width)
{
    filter f;
    linnet_status status = filter_start(context, kernel, options, &f);
    return status == LINNET_OK ? filter_result_size(&f, height, width, out_height, out_width) : status;
}

/* x [N,1,H,W] -> the filtered picture. */
static linnet_value build(linnet_net *net, const filter *f, linnet_value x)
{
    linnet_conv2d_options conv = {.struct_size = sizeof conv,
                                  .no_bias = 1,
                                  .name = "filter",
                                  .out_channels = 1,
                                  .kernel_h = f->kernel->height,
                                  .kernel_w = f->kernel->width,
                                  .stride = f->options.stride};
    if (f->options.border == LINNET_BORDER_REPLICATE || f->options.border == LINNET_BORDER_REFLECT) {
        x = linnet_pad2d(
            net, x, .mode = f->options.border == LINNET_BORDER_REFLECT ? LINNET_PAD_REFLECT : LINNET_PAD_REPLICATE,
            .padding_top = f->top, .padding_left = f->left, .padding_bottom = f->bottom, .padding_right = f->right);
    } else {
        conv.padding_top = f->top;
        conv.padding_left = f->left;
        conv.padding_bottom = f->bottom;
        conv.padding_right = f->right;
    }
    return linnet_conv2d_with(net, x, &conv);
}

static linnet_status set_kernel(linnet_session *session, const filter *f)
{
    size_t count = (size_t)f->kernel->height * (size_t)f->kernel->width;
    float *weight = linnet_allocate(count, sizeof *weight);
    if (!weight)
        return linnet_fail(f->context, LINNET_OUT_OF_MEMORY, "no memory for a kernel");
    for (size_t i = 0; i < count; i++)
        weight[i] = f->kernel->values[f->options.flip ? count - 1 - i : i];
    linnet_status status = linnet_session_set(session, "filter.weight", weight, count * sizeof *weight);
    linnet_release(weight);
    return status;
}

/* planes: f32 [N,1,H,W]. */
static linnet_status filter_run(const filter *f, linnet_device *device, const linnet_tensor *planes, float *out_values)
{
    linnet_tensor result;
    linnet_net *net = linnet_net_new(f->context);
    if (!net)
        return linnet_context_last_status(f->context);
    linnet_value x = linnet_input(net, "picture", 1, planes->dims[2], planes->dims[3]);
    linnet_value y = build(net, f, x);
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = planes->dims[0]};
    batch.feeds[0] = (linnet_feed){.name = "picture", .tensor = *planes};
    linnet_session *session = linnet_session_new(net, device);
    linnet_status status = session ? set_kernel(session, f) : linnet_context_last_status(f->context);
    if (status == LINNET_OK)
        status = linnet_forward(session, &batch);
    if (status == LINNET_OK)
        status = linnet_session_shape(session, y, &result);
    if (status == LINNET_OK)
        status = linnet_session_read(session, y, out_values, (size_t)linnet_tensor_bytes(&result));
    linnet_session_free(&session);
    linnet_net_free(&net);
    return status;
}

linnet_status linnet_filter_apply_with(linnet_device *device, const linnet_tensor *picture, const linnet_kernel *kernel,
                                       const linnet_filter_options *options, float *out_values)
{
    filter f;
    int64_t height, width;
    linnet_status status = filter_start(device ? device->context : NULL, kernel, options, &f);
    if (status != LINNET_OK)
        return status;
    if (!picture || !picture->data || !out_values || picture->type != LINNET_F32 ||
        (picture->rank != 3 && picture->rank != 4) || linnet_tensor_count(picture) < 1)
        return linnet_fail(f.context, LINNET_SHAPE, "filter: the picture has to be f32 [C,H,W] or [N,C,H,W]");
    linnet_tensor planes = {.type = LINNET_F32, .rank = 4, .dims = {1, 1}, .data = picture->data};
    for (uint32_t i = 0; i + 2 < picture->rank; i++)
        planes.dims[0] *= picture->dims[i];
    planes.dims[2] = picture->dims[picture->rank - 2];
    planes.dims[3] = picture->dims[picture->rank - 1];
    status = filter_result_size(&f, planes.dims[2], planes.dims[3], &height, &width);
    return status == LINNET_OK ? filter_run(&f, device, &planes, out_values) : status;
}

void linnet_filter_magnitude(const float *x, const float *y, size_t count, float *out_values)
{
    for (size_t i = 0; i < count; i++)
        out_values[i] = hypotf(x[i], y[i]);
}
