/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d: its candidates in order of preference, by shape and kind of device. */
#include "conv2d.h"
#include "nchw16c.h"
#include "sizes.h"

#include <math.h>
#include <string.h>

/* In this order. channels.., planes, batch, depthwise and panel refuse what is no processor, where costs decide;
   implicit, im2col_gemm and winograd.. refuse processors. */
static const linnet_cl_conv2d_way *const ways[] = {&linnet_cl_conv2d_channels,
                                                   &linnet_cl_conv2d_channels_winograd_f4,
                                                   &linnet_cl_conv2d_channels_winograd_f2,
                                                   &linnet_cl_conv2d_planes,
                                                   &linnet_cl_conv2d_batch,
                                                   &linnet_cl_conv2d_depthwise,
                                                   &linnet_cl_conv2d_panel,
                                                   &linnet_cl_conv2d_implicit,
                                                   &linnet_cl_conv2d_direct,
                                                   &linnet_cl_conv2d_im2col_clblast,
                                                   &linnet_cl_conv2d_im2col_gemm,
                                                   &linnet_cl_conv2d_winograd_f4,
                                                   &linnet_cl_conv2d_winograd_f2};
enum { WAYS = sizeof(ways) / sizeof(ways[0]), WINOGRAD = WAYS - 2, IM2COL_GEMM = WAYS - 3 };

/* Winograd's algorithm, or else columns for our own products, come first where they pay. */
static const linnet_cl_conv2d_way *way_at(const linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                          uint32_t index)
{
    uint32_t first = linnet_cl_conv2d_winograd_pays(shape)         ? WINOGRAD
                     : linnet_cl_conv2d_im2col_pays(device, shape) ? IM2COL_GEMM
                                                                   : 0;
    return index > first ? ways[index] : ways[index == 0 ? first : index - 1];
}

/* Takes the epilogue apart where it is made of what every kernel can do. */
static void read_epilogue(const linnet_layer_desc *desc, linnet_cl_conv2d *shape)
{
    uint32_t at = 0;
    shape->low = -INFINITY;
    shape->high = INFINITY;
    if (at < desc->epilogue_count && desc->epilogue[at].op == LINNET_EPILOGUE_ADD) {
        shape->adds = true;
        at++;
    }
    if (at < desc->epilogue_count && desc->epilogue[at].op == LINNET_UNARY_RELU) {
        shape->low = 0;
        at++;
    } else if (at < desc->epilogue_count && desc->epilogue[at].op == LINNET_UNARY_CLIP) {
        shape->low = desc->epilogue[at].alpha;
        shape->high = desc->epilogue[at].beta;
        at++;
    }
    shape->clamps = at == desc->epilogue_count;
}

linnet_cl_conv2d linnet_cl_conv2d_of(const linnet_layer_desc *desc)
{
    const linnet_conv2d_attributes *attributes = desc->attributes;
    const int64_t *x = desc->inputs[LINNET_CONV2D_X].dims, *y = desc->outputs[LINNET_CONV2D_Y].dims;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_cl_conv2d shape = {.images = x[0],
                              .channels = x[1],
                              .height = x[2],
                              .width = x[3],
                              .outputs = y[1],
                              .out_height = y[2],
                              .out_width = y[3],
                              .groups = attributes->groups,
                              .group_inputs = x[1] / attributes->groups,
                              .group_outputs = y[1] / attributes->groups,
                              .kernel_height = attributes->kernel[0],
                              .kernel_width = attributes->kernel[1],
                              .stride_y = attributes->stride[0],
                              .stride_x = attributes->stride[1],
                              .dilation_y = attributes->dilation[0],
                              .dilation_x = attributes->dilation[1],
                              .top = attributes->padding[0],
                              .left = attributes->padding[1],
                              .weights = linnet_desc_count(&desc->parameters[LINNET_CONV2D_WEIGHT]),
                              .x_stride = desc->inputs[LINNET_CONV2D_X].outer_stride,
                              .y_stride = desc->outputs[LINNET_CONV2D_Y].outer_stride,
                              .has_bias = desc->parameter_count > LINNET_CONV2D_BIAS,
                              .in_lanes = LINNET_CL_LANES,
                              .forward = forward,
                              .want_data = !forward && linnet_cl_wants_input(desc, LINNET_CONV2D_X),
                              .want_weight = !forward && linnet_cl_wants_parameter(desc, LINNET_CONV2D_WEIGHT),
                              .want_bias = !forward && linnet_cl_wants_parameter(desc, LINNET_CONV2D_BIAS)};
    read_epilogue(desc, &shape);
    if (shape.adds)
        shape.added_stride = desc->inputs[LINNET_CONV2D_X + 1].outer_stride;
    if (desc->epilogue_count > shape.adds)
        shape.epilogue = desc->epilogue[shape.adds];
    return shape;
}

/* From an item to the next, `groups` of `channels` in blocks of `lanes`. */
static int64_t item_of(int64_t stride, int64_t groups, int64_t channels, int64_t lanes, int64_t pixels)
{
    return stride ? stride : groups * round_up(channels, lanes) * pixels;
}

int64_t linnet_cl_conv2d_x_item(const linnet_cl_conv2d *s)
{
    return item_of(s->x_stride, s->groups, s->group_inputs, s->in_lanes, s->height * s->width);
}

int64_t linnet_cl_conv2d_y_item(const linnet_cl_conv2d *s)
{
    return item_of(s->y_stride, s->groups, s->group_outputs, LINNET_CL_LANES, s->out_height * s->out_width);
}

int64_t linnet_cl_conv2d_added_item(const linnet_cl_conv2d *s)
{
    return item_of(s->added_stride, s->groups, s->group_outputs, LINNET_CL_LANES, s->out_height * s->out_width);
}

void linnet_cl_conv2d_sizes(linnet_cl_kernel *kernel, const linnet_cl_conv2d *s, bool turned)
{
    const int64_t sizes[] = {s->height, s->width, s->out_height, s->out_width};
    for (int i = 0; i < 4; i++)
        linnet_cl_int(kernel, sizes[turned ? i ^ 2 : i]);
}

void linnet_cl_conv2d_window(linnet_cl_kernel *kernel, const linnet_cl_conv2d *s)
{
    const int64_t constants[] = {s->kernel_height, s->kernel_width, s->stride_y, s->stride_x,
                                 s->dilation_y,    s->dilation_x,   s->top,      s->left};
    linnet_cl_ints(kernel, constants);
}

void linnet_cl_conv2d_constants(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape)
{
    const int64_t channels[] = {shape->group_inputs, shape->group_outputs, shape->groups};
    linnet_cl_conv2d_sizes(kernel, shape, false);
    linnet_cl_ints(kernel, channels);
    linnet_cl_conv2d_window(kernel, shape);
}

void linnet_cl_conv2d_clamp(linnet_cl_kernel *kernel, const linnet_cl_conv2d *s)
{
    linnet_cl_float(kernel, s->forward ? s->low : -INFINITY);
    linnet_cl_float(kernel, s->forward ? s->high : INFINITY);
    linnet_cl_int(kernel, s->forward && s->adds);
}

linnet_cl_conv2d linnet_cl_conv2d_forward(const linnet_cl_conv2d *shape)
{
    linnet_cl_conv2d forward = *shape;
    forward.forward = true;
    return forward;
}

/* Microseconds. Blocks of 16 channels are multiplied whole. */
static float conv2d_cost(const linnet_backend_device *device, const linnet_layer_desc *desc,
                         const linnet_cl_conv2d_way *way, const linnet_cl_conv2d *shape)
{
    double speed = device->parameters.values[LINNET_CL_SPEED];
    if (way->microseconds)
        return (float)(way->microseconds(device, shape) / speed) + linnet_cl_memory_cost(device, desc);
    int64_t lanes = way->blocked ? LINNET_CL_LANES : 1;
    double inputs = (double)(way->planes ? shape->channels : way->depthwise ? 1 : round_up(shape->group_inputs, lanes));
    double outputs = (double)(way->depthwise ? shape->outputs : round_up(shape->group_outputs, lanes) * shape->groups);
    double pixels = (double)(shape->images * shape->out_height * shape->out_width);
    double products = inputs * outputs * pixels * (double)(shape->kernel_height * shape->kernel_width);
    double parts = shape->forward ? 1 : shape->want_data + shape->want_weight;
    if (way->planes && shape->want_data)
        parts += linnet_cl_planes_data_columns(device, shape) - 1;
    return (float)(parts * products / (way->products_a_microsecond * speed * device->info.compute_units)) +
           linnet_cl_memory_cost(device, desc);
}

static const char *epilogue_refusal(const linnet_layer_desc *desc, const linnet_cl_conv2d_way *way,
                                    const linnet_cl_conv2d *shape)
{
    if (way->blocked || way->batch)
        return shape->clamps ? NULL : "takes a residual, then relu or clip";
    if (way->adds)
        return desc->epilogue_count > 1u + shape->adds ? "takes a residual, then one operator" : NULL;
    if (linnet_epilogue_inputs(desc) > 0)
        return "adds nothing to its output";
    return desc->epilogue_count > 1 ? "takes one epilogue" : NULL;
}

static linnet_status conv2d_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                      linnet_candidate *out)
{
    if (index >= WAYS)
        return LINNET_END;
    linnet_cl_conv2d shape = linnet_cl_conv2d_of(desc);
    const linnet_cl_conv2d_way *way = way_at(device, &shape, index);
    out->name = way->name;
    out->numerics = way->winograd ? LINNET_NUMERICS_WINOGRAD : LINNET_NUMERICS_DIRECT;
    shape.winograd = way->winograd;
    out->refusal = way->strides[!shape.forward] ? linnet_cl_refusal_but_strides(desc) : linnet_cl_refusal(desc);
    if (!out->refusal)
        out->refusal = epilogue_refusal(desc, way, &shape);
    if (!out->refusal)
        out->refusal = way->refusal(device, &shape);
    if (out->refusal)
        return LINNET_OK;
    if (way->batch)
        linnet_cl_want_nchw16n(device, desc, out);
    if (way->blocked) {
        linnet_cl_want_nchw16c(device, desc, out);
        if (way->planes)
            out->input_formats[LINNET_CONV2D_X] = LINNET_FORMAT_NCHW;
        out->parameter_formats[LINNET_CONV2D_WEIGHT] = way->planes || way->depthwise ? LINNET_CL_CONV2D_PLANES
                                                       : shape.forward               ? LINNET_CL_CONV2D_FORWARD
                                                                                     : LINNET_CL_CONV2D_BACKWARD;
    }
    out->refusal = linnet_cl_stride_refusal(desc, out);
    if (device->prefers_vectors)
        out->cost = conv2d_cost(device, desc, way, &shape);
    out->workspace_bytes = way->workspace_bytes(device, &shape);
    out->reads_parameters = shape.want_data ? 1u << LINNET_CONV2D_WEIGHT : 0u;
    out->reads_inputs = shape.want_weight ? 1u << LINNET_CONV2D_X : 0u;
    return LINNET_OK;
}

static linnet_status conv2d_plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                                 linnet_backend_plan **out)
{
    *out = NULL;
    linnet_cl_conv2d shape = linnet_cl_conv2d_of(desc);
    for (size_t i = 0; i < WAYS; i++)
        if (strcmp(ways[i]->name, candidate) == 0) {
            shape.winograd = ways[i]->winograd;
            return ways[i]->plan(device, &shape, out);
        }
    return linnet_cl_fail(LINNET_NOT_FOUND, "conv2d has no candidate '%s' in the opencl backend", candidate);
}

LINNET_CL_OPS(conv2d, conv2d_candidate, conv2d_plan);
