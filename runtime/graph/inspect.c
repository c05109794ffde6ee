/* SPDX-License-Identifier: Apache-2.0 */
/* What a net is made of, for summaries and tools. */
#include "net.h"

#include "../core/text.h"

#include <string.h>

size_t linnet_net_node_count(const linnet_net *net)
{
    return net ? net->node_count : 0;
}

/* "relu" for a unary node with that operator, "add" for a binary one. */
static const char *kind_name(const linnet_node *node)
{
    if (node->layer->kind == LINNET_LAYER_UNARY)
        switch (((const linnet_unary_attributes *)node->attributes)->op) {
#define LINNET_UNARY_OP(number, NAME, name)                                                                            \
    case number:                                                                                                       \
        return #name;
#include "linnet/layers.def"
        }
    if (node->layer->kind == LINNET_LAYER_BINARY)
        switch (((const linnet_binary_attributes *)node->attributes)->op) {
#define LINNET_BINARY_OP(number, NAME, name)                                                                           \
    case number:                                                                                                       \
        return #name;
#include "linnet/layers.def"
        }
    return node->layer->name;
}

/* A node's shapes with a free batch taken as 1; false when anything else is free. */
static bool one_item(const linnet_net *net, const linnet_node *node, linnet_shape_job *job)
{
    *job = (linnet_shape_job){.context = net->context,
                              .node = node->name,
                              .attributes = node->attributes,
                              .input_count = node->input_count,
                              .parameter_count = node->parameter_count,
                              .output_count = 1};
    for (uint32_t i = 0; i < node->input_count; i++)
        job->inputs[i] = net->values[node->inputs[i]].shape;
    for (uint32_t i = 0; i < node->parameter_count; i++)
        job->parameters[i] = net->values[node->parameters[i]].shape;
    job->outputs[0] = net->values[node->output].shape;
    linnet_shape *shapes[LINNET_MAX_INPUTS + 1] = {&job->outputs[0]};
    for (uint32_t i = 0; i < node->input_count; i++)
        shapes[i + 1] = &job->inputs[i];
    for (uint32_t i = 0; i <= node->input_count; i++) {
        if (shapes[i]->rank && shapes[i]->dims[0] == LINNET_FREE_DIM)
            shapes[i]->dims[0] = 1;
        if (linnet_shape_product(shapes[i], 0, shapes[i]->rank) < 0)
            return false;
    }
    return true;
}

/* Elements of the node's parameters that no node before it has. */
static uint64_t own_parameters(const linnet_net *net, size_t index)
{
    uint64_t count = 0;
    const linnet_node *node = &net->nodes[index];
    for (uint32_t i = 0; i < node->parameter_count; i++) {
        bool seen = false;
        for (size_t m = 0; m < index && !seen; m++)
            for (uint32_t j = 0; j < net->nodes[m].parameter_count; j++)
                seen = seen || net->nodes[m].parameters[j] == node->parameters[i];
        const linnet_shape *shape = &net->values[node->parameters[i]].shape;
        count += seen ? 0 : (uint64_t)linnet_shape_product(shape, 0, shape->rank);
    }
    return count;
}

linnet_status linnet_net_node(const linnet_net *net, size_t index, linnet_node_info *out_info)
{
    linnet_shape_job job;
    if (!net || index >= net->node_count)
        return LINNET_END;
    const linnet_node *node = &net->nodes[index];
    *out_info = (linnet_node_info){.name = node->name,
                                   .kind = kind_name(node),
                                   .input_count = node->input_count,
                                   .output = {node->output + 1},
                                   .parameters = own_parameters(net, index)};
    for (uint32_t i = 0; i < node->input_count; i++)
        out_info->inputs[i] = (linnet_value){node->inputs[i] + 1};
    if (node->layer->multiply_adds && one_item(net, node, &job))
        out_info->multiply_adds = node->layer->multiply_adds(&job);
    return LINNET_OK;
}

linnet_status linnet_net_layer(const linnet_net *net, const char *name, linnet_value *out_value)
{
    if (!net || !name || !out_value)
        return linnet_fail(net ? net->context : NULL, LINNET_INVALID, "a layer is looked up in a net, by a name");
    *out_value = (linnet_value){0};
    for (size_t n = 0; n < net->node_count; n++) {
        uint32_t output = net->nodes[n].output;
        if (strcmp(net->nodes[n].name, name) == 0 || strcmp(net->values[output].name, name) == 0) {
            out_value->id = output + 1;
            return LINNET_OK;
        }
    }
    linnet_text layers = {0};
    for (size_t n = 0; n < net->node_count; n++)
        linnet_text_append(&layers, "%s%s", n ? ", " : "", net->nodes[n].name);
    linnet_status status = linnet_fail(net->context, LINNET_NOT_FOUND, "there is no layer '%s'; there are: %s", name,
                                       layers.data ? layers.data : "none");
    linnet_release(layers.data);
    return status;
}

uint32_t linnet_value_shape(const linnet_net *net, linnet_value value, int64_t *out_dims)
{
    if (!net || value.id < 1 || value.id > net->value_count)
        return 0;
    const linnet_shape *shape = &net->values[value.id - 1].shape;
    memcpy(out_dims, shape->dims, shape->rank * sizeof *out_dims);
    return shape->rank;
}

const char *linnet_value_name(const linnet_net *net, linnet_value value)
{
    return net && value.id >= 1 && value.id <= net->value_count ? net->values[value.id - 1].name : "";
}

uint64_t linnet_net_parameter_count(const linnet_net *net)
{
    uint64_t count = 0;
    for (size_t v = 0; net && v < net->value_count; v++)
        if (net->values[v].kind == LINNET_VALUE_PARAMETER)
            count += (uint64_t)linnet_shape_product(&net->values[v].shape, 0, net->values[v].shape.rank);
    return count;
}
