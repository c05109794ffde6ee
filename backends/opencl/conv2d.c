/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d: its candidates in order of preference, by shape and kind of device. */
#include "conv2d.h"

#include <string.h>

static const linnet_cl_conv2d_way *const ways[] = {&linnet_cl_conv2d_panel, &linnet_cl_conv2d_direct,
                                                   &linnet_cl_conv2d_clblast};
enum { PANEL, DIRECT, CLBLAST, WAYS };

/* By whether the products of one image are large: CLBlast has a start-up cost and its own launches. panel refuses what
 * is no processor. */
static const int preferences[2][WAYS] = {{PANEL, DIRECT, CLBLAST}, {PANEL, CLBLAST, DIRECT}};

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
                              .has_bias = desc->parameter_count > LINNET_CONV2D_BIAS,
                              .forward = forward,
                              .want_data = !forward && linnet_cl_wants_input(desc, LINNET_CONV2D_X),
                              .want_weight = !forward && linnet_cl_wants_parameter(desc, LINNET_CONV2D_WEIGHT),
                              .want_bias = !forward && linnet_cl_wants_parameter(desc, LINNET_CONV2D_BIAS)};
    if (desc->epilogue_count > 0)
        shape.epilogue = desc->epilogue[0];
    return shape;
}

void linnet_cl_conv2d_constants(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape)
{
    const int64_t constants[] = {shape->height,       shape->width,         shape->out_height, shape->out_width,
                                 shape->group_inputs, shape->group_outputs, shape->groups,     shape->kernel_height,
                                 shape->kernel_width, shape->stride_y,      shape->stride_x,   shape->dilation_y,
                                 shape->dilation_x,   shape->top,           shape->left};
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
        linnet_cl_int(kernel, constants[i]);
}

static bool conv2d_is_large(const linnet_cl_conv2d *shape)
{
    double patch = (double)(shape->weights / shape->outputs), pixels = (double)(shape->out_height * shape->out_width);
    return (double)shape->group_outputs * patch * pixels > 4e6;
}

static linnet_status conv2d_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                      linnet_candidate *out)
{
    if (index >= WAYS)
        return LINNET_END;
    linnet_cl_conv2d shape = linnet_cl_conv2d_of(desc);
    const linnet_cl_conv2d_way *way = ways[preferences[conv2d_is_large(&shape) ? 1 : 0][index]];
    out->name = way->name;
    out->numerics = LINNET_NUMERICS_DIRECT;
    out->refusal = linnet_cl_refusal(desc);
    if (!out->refusal && desc->epilogue_count > 1)
        out->refusal = "takes one epilogue";
    if (!out->refusal)
        out->refusal = way->refusal(device, &shape);
    if (out->refusal)
        return LINNET_OK;
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
    for (int i = 0; i < WAYS; i++)
        if (strcmp(ways[i]->name, candidate) == 0)
            return ways[i]->plan(device, &shape, out);
    return linnet_cl_fail(LINNET_NOT_FOUND, "conv2d has no candidate '%s' in the opencl backend", candidate);
}

LINNET_CL_OPS(conv2d, conv2d_candidate, conv2d_plan);
