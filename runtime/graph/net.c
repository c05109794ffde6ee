/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_VALUES 1000000 /* far above any net there is; keeps indices and sums far from overflow */

linnet_net *linnet_net_new(linnet_context *context)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    linnet_net *net = linnet_allocate(1, sizeof *net);
    if (!net) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for a net");
        return NULL;
    }
    net->context = context;
    return net;
}

void linnet_net_free(linnet_net **net)
{
    if (!net || !*net)
        return;
    linnet_net *n = *net;
    *net = NULL;
    for (size_t i = 0; i < n->value_count; i++) {
        linnet_release(n->values[i].name);
        linnet_release(n->values[i].values);
    }
    for (size_t i = 0; i < n->node_count; i++) {
        linnet_release(n->nodes[i].name);
        linnet_release(n->nodes[i].attributes);
        linnet_release(n->nodes[i].inputs);
    }
    linnet_release(n->values);
    linnet_release(n->nodes);
    linnet_release(n->message);
    linnet_release(n->name);
    linnet_net_clear_notes(n);
    linnet_release(n);
}

linnet_value linnet_net_fail(linnet_net *net, linnet_status status, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (net->status == LINNET_OK) {
        net->status = status;
        net->message = linnet_duplicate(message);
    }
    linnet_fail(net->context, net->status, "%s", linnet_net_message(net));
    return (linnet_value){0};
}

linnet_status linnet_net_status(const linnet_net *net)
{
    return net ? net->status : LINNET_INVALID;
}

const char *linnet_net_message(const linnet_net *net)
{
    if (!net || net->status == LINNET_OK)
        return "";
    return net->message ? net->message : linnet_status_text(net->status);
}

linnet_status linnet_net_check(const linnet_net *net)
{
    if (!net)
        return LINNET_INVALID;
    if (net->status != LINNET_OK)
        return linnet_fail(net->context, net->status, "%s", linnet_net_message(net));
    return LINNET_OK;
}

linnet_status linnet_net_set_name(linnet_net *net, const char *name)
{
    if (!net || !name)
        return linnet_fail(net ? net->context : NULL, LINNET_INVALID, "a name needs a net, and a net a name");
    char *copy = linnet_duplicate(name);
    if (!copy)
        return linnet_fail(net->context, LINNET_OUT_OF_MEMORY, "no memory for a name");
    linnet_release(net->name);
    net->name = copy;
    return LINNET_OK;
}

const char *linnet_net_name(const linnet_net *net)
{
    return net && net->name ? net->name : "";
}

linnet_net_value *linnet_net_value_get(linnet_net *net, linnet_value value)
{
    if (value.id >= 1 && value.id <= net->value_count)
        return &net->values[value.id - 1];
    linnet_net_fail(net, LINNET_INVALID, "a value that is not of this net was used");
    return NULL;
}

/* The value of that kind and name, or UINT32_MAX. */
static uint32_t find_value(const linnet_net *net, linnet_value_kind kind, const char *name)
{
    for (size_t i = 0; i < net->value_count; i++)
        if (net->values[i].kind == kind && strcmp(net->values[i].name, name) == 0)
            return (uint32_t)i;
    return UINT32_MAX;
}

uint32_t linnet_net_add_value(linnet_net *net, linnet_value_kind kind, char *name, const linnet_shape *shape)
{
    if (!name || net->value_count >= MAX_VALUES ||
        !linnet_grow(&net->values, &net->value_capacity, net->value_count + 1, sizeof *net->values)) {
        linnet_net_fail(net, LINNET_OUT_OF_MEMORY, "no memory for a value of the net");
        linnet_release(name);
        return UINT32_MAX;
    }
    if (!*name || find_value(net, kind, name) != UINT32_MAX) {
        linnet_net_fail(net, LINNET_INVALID, *name ? "there are two values named '%s'" : "a value has an empty name%s",
                        name);
        linnet_release(name);
        return UINT32_MAX;
    }
    net->values[net->value_count] =
        (linnet_net_value){.kind = kind, .name = name, .shape = *shape, .producer = LINNET_NO_NODE};
    net->version++;
    return (uint32_t)net->value_count++;
}

/* ---- Inputs and parameters ---- */

static bool shape_from(linnet_net *net, const char *name, linnet_type type, size_t rank, const int64_t *dims,
                       bool may_be_free, linnet_shape *out)
{
    if (rank > LINNET_MAX_RANK - 1) {
        linnet_net_fail(net, LINNET_LIMIT, "'%s' has more than %d dimensions", name, LINNET_MAX_RANK - 1);
        return false;
    }
    *out = (linnet_shape){.type = type, .rank = (uint32_t)rank};
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 1 && !(may_be_free && dims[i] == LINNET_FREE)) {
            linnet_net_fail(net, LINNET_SHAPE, "'%s': dimension %zu is %lld", name, i, (long long)dims[i]);
            return false;
        }
        out->dims[i] = dims[i];
    }
    if (linnet_shape_product(out, 0, out->rank) < LINNET_FREE_DIM) {
        linnet_net_fail(net, LINNET_LIMIT, "'%s' has too many elements", name);
        return false;
    }
    return true;
}

linnet_value linnet_input_with(linnet_net *net, const char *name, linnet_type type, size_t rank, const int64_t *dims)
{
    int64_t batched[LINNET_MAX_RANK] = {LINNET_FREE};
    linnet_shape shape;
    if (linnet_net_check(net) != LINNET_OK)
        return (linnet_value){0};
    if (!name || rank > LINNET_MAX_RANK - 2)
        return linnet_net_fail(net, LINNET_INVALID, "input '%s': at most %d dimensions behind the batch",
                               name ? name : "", LINNET_MAX_RANK - 2);
    if (type != LINNET_F32 && type != LINNET_I32)
        return linnet_net_fail(net, LINNET_UNSUPPORTED, "input '%s': only f32 and i32 inputs are supported", name);
    if (rank)
        memcpy(batched + 1, dims, rank * sizeof *dims);
    if (!shape_from(net, name, type, rank + 1, batched, true, &shape))
        return (linnet_value){0};
    return (linnet_value){linnet_net_add_value(net, LINNET_VALUE_INPUT, linnet_duplicate(name), &shape) + 1};
}

linnet_value linnet_labels(linnet_net *net, const char *name)
{
    return linnet_input_with(net, name, LINNET_I32, 0, NULL);
}

/* false: the net says why. */
static bool copy_values(linnet_net *net, const char *name, const linnet_parameter_options *o, const linnet_shape *shape,
                        float **out_values)
{
    size_t count = (size_t)linnet_shape_product(shape, 0, shape->rank);
    *out_values = NULL;
    if (o->initial != LINNET_INITIAL_VALUES)
        return true;
    if (!o->values) {
        linnet_net_fail(net, LINNET_INVALID, "parameter '%s' is to start with values, but has none", name);
        return false;
    }
    *out_values = linnet_allocate(count, sizeof **out_values);
    if (*out_values)
        memcpy(*out_values, o->values, count * sizeof **out_values);
    else
        linnet_net_fail(net, LINNET_OUT_OF_MEMORY, "no memory for the values of '%s'", name);
    return *out_values != NULL;
}

/* All dims but the second: of a convolution the places that one input has an effect on, groups aside. */
static int64_t fan_out_of(const linnet_shape *weight)
{
    return linnet_shape_product(weight, 0, 1) * linnet_shape_product(weight, 2, weight->rank);
}

linnet_value linnet_parameter_with(linnet_net *net, const char *name, size_t rank, const int64_t *dims,
                                   const linnet_parameter_options *options)
{
    linnet_shape shape;
    linnet_parameter_options o;
    if (!linnet_net_take_options(net, "parameter", options, &o, sizeof o))
        return (linnet_value){0};
    if (!name || !shape_from(net, name, LINNET_F32, rank, dims, false, &shape))
        return linnet_net_fail(net, LINNET_INVALID, "a parameter needs a name");
    if (o.initial > LINNET_INITIAL_SMALL_NORMAL || o.fan_in < 0)
        return linnet_net_fail(net, LINNET_INVALID, "parameter '%s': %s is %lld", name,
                               o.fan_in < 0 ? "fan_in" : "initial", o.fan_in < 0 ? (long long)o.fan_in : o.initial);
    float *values = NULL;
    if (!copy_values(net, name, &o, &shape, &values))
        return (linnet_value){0};
    uint32_t index = linnet_net_add_value(net, LINNET_VALUE_PARAMETER, linnet_duplicate(name), &shape);
    if (index == UINT32_MAX) {
        linnet_release(values);
        return (linnet_value){0};
    }
    linnet_net_value *value = &net->values[index];
    value->initial = o.initial;
    value->values = values;
    value->fan_in = o.fan_in ? o.fan_in : linnet_shape_product(&shape, rank > 1, shape.rank);
    value->fan_out = fan_out_of(&shape);
    return (linnet_value){index + 1};
}

linnet_value linnet_net_parameter(const linnet_net *net, const char *name)
{
    uint32_t index = net && name ? find_value(net, LINNET_VALUE_PARAMETER, name) : UINT32_MAX;
    return (linnet_value){index + 1}; /* UINT32_MAX + 1 is the null value */
}

void linnet_net_freeze(linnet_net *net, linnet_value parameter, int frozen)
{
    if (linnet_net_check(net) != LINNET_OK)
        return;
    linnet_net_value *value = linnet_net_value_get(net, parameter);
    if (value && value->kind != LINNET_VALUE_PARAMETER)
        linnet_net_fail(net, LINNET_INVALID, "'%s' is no parameter and cannot be frozen", value->name);
    else if (value) {
        value->frozen = frozen != 0;
        net->version++;
    }
}

void linnet_output(linnet_net *net, linnet_value value, const char *name)
{
    if (linnet_net_check(net) != LINNET_OK)
        return;
    linnet_net_value *v = linnet_net_value_get(net, value);
    if (!v)
        return;
    if (!name || !*name || v->kind != LINNET_VALUE_NODE) {
        linnet_net_fail(net, LINNET_INVALID, "an output needs a name, and a layer that makes it");
        return;
    }
    uint32_t other = find_value(net, LINNET_VALUE_NODE, name);
    if (other != UINT32_MAX && other + 1 != value.id) {
        linnet_net_fail(net, LINNET_INVALID, "there are two values named '%s'", name);
        return;
    }
    char *copy = linnet_duplicate(name);
    if (!copy) {
        linnet_net_fail(net, LINNET_OUT_OF_MEMORY, "no memory for a name");
        return;
    }
    linnet_release(v->name);
    v->name = copy;
    v->is_output = true;
    net->version++;
}

linnet_value linnet_net_find(const linnet_net *net, const char *name)
{
    static const linnet_value_kind kinds[] = {LINNET_VALUE_NODE, LINNET_VALUE_INPUT, LINNET_VALUE_PARAMETER};
    for (size_t i = 0; net && name && i < sizeof kinds / sizeof kinds[0]; i++) {
        uint32_t index = find_value(net, kinds[i], name);
        if (index != UINT32_MAX)
            return (linnet_value){index + 1};
    }
    return (linnet_value){0};
}

/* ---- Nodes ---- */

/* A value of the right kind for a node's input, or for one of its parameters. */
static const linnet_net_value *take_value(linnet_net *net, const linnet_node_request *request, const char *name,
                                          linnet_value handle, bool as_parameter)
{
    const char *layer = linnet_layer_find(request->kind)->name;
    const linnet_net_value *value = linnet_net_value_get(net, handle);
    if (!value)
        return NULL;
    bool is_parameter = value->kind == LINNET_VALUE_PARAMETER;
    if (as_parameter && !is_parameter)
        linnet_net_fail(net, LINNET_INVALID, "%s '%s': '%s' is no parameter", layer, name, value->name);
    else if (!as_parameter && is_parameter)
        linnet_net_fail(net, LINNET_INVALID, "%s '%s': '%s' is a parameter, not something a layer can read as input",
                        layer, name, value->name);
    else if (as_parameter && value->shape.rank == 0) /* rank 0 would mean to infer: make one */
        linnet_net_fail(net, LINNET_SHAPE, "%s '%s': '%s' is a scalar, which no layer takes as a parameter", layer,
                        name, value->name);
    else
        return value;
    return NULL;
}

static bool fill_job(linnet_net *net, const linnet_node_request *request, const char *name, linnet_shape_job *job)
{
    *job = (linnet_shape_job){.context = net->context,
                              .node = name,
                              .attributes = request->attributes,
                              .input_count = request->input_count,
                              .parameter_count = request->parameter_count,
                              .features = request->features};
    for (uint32_t i = 0; i < request->input_count; i++) {
        const linnet_net_value *input = take_value(net, request, name, request->inputs[i], false);
        if (!input)
            return false;
        job->inputs[i] = input->shape;
    }
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        if (!request->parameters[i].id)
            continue;
        const linnet_net_value *parameter = take_value(net, request, name, request->parameters[i], true);
        if (!parameter)
            return false;
        job->parameters[i] = parameter->shape;
    }
    return true;
}

/* The layer's own parameter, started as PyTorch's layers start theirs, or the weight as the request says. */
static uint32_t make_parameter(linnet_net *net, const linnet_layer *layer, const char *node, uint32_t role,
                               const linnet_shape_job *job, linnet_initial initial)
{
    char *name = linnet_format("%s.%s", node, layer->parameter_names[role]);
    uint32_t index = linnet_net_add_value(net, LINNET_VALUE_PARAMETER, name, &job->parameters[role]);
    if (index == UINT32_MAX)
        return index;
    linnet_net_value *value = &net->values[index];
    uint32_t from = layer->fan_in_from ? layer->fan_in_from : job->parameters[0].rank > 1;
    value->fan_in = linnet_shape_product(&job->parameters[0], from, job->parameters[0].rank);
    value->fan_out = fan_out_of(&job->parameters[0]);
    if (role == 0)
        value->initial = initial;
    else if (initial >= LINNET_INITIAL_HE_UNIFORM)
        value->initial = LINNET_INITIAL_ZERO;
    if (layer->kind == LINNET_LAYER_BATCH_NORM)
        value->initial = role == LINNET_BATCH_NORM_WEIGHT ? LINNET_INITIAL_ONE : LINNET_INITIAL_ZERO;
    return index;
}

static uint32_t make_state(linnet_net *net, const linnet_layer *layer, const char *node, uint32_t role,
                           const linnet_shape_job *job)
{
    char *name = linnet_format("%s.%s", node, layer->state_names[role]);
    uint32_t index = linnet_net_add_value(net, LINNET_VALUE_STATE, name, &job->states[role]);
    if (index != UINT32_MAX)
        net->values[index].initial = role == LINNET_BATCH_NORM_VARIANCE ? LINNET_INITIAL_ONE : LINNET_INITIAL_ZERO;
    return index;
}

static bool make_own(linnet_net *net, const linnet_node_request *request, linnet_node *node,
                     const linnet_shape_job *job)
{
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        node->parameters[i] = request->parameters[i].id
                                  ? request->parameters[i].id - 1
                                  : make_parameter(net, node->layer, node->name, i, job, request->initial);
        if (node->parameters[i] == UINT32_MAX)
            return false;
    }
    for (uint32_t i = 0; i < job->state_count; i++)
        if ((node->states[i] = make_state(net, node->layer, node->name, i, job)) == UINT32_MAX)
            return false;
    return true;
}

static bool copy_request(linnet_net *net, const linnet_node_request *request, linnet_node *node)
{
    node->inputs = linnet_allocate(request->input_count, sizeof *node->inputs);
    if (node->layer->attributes_size && request->attributes)
        node->attributes = linnet_allocate(1, node->layer->attributes_size);
    if (!node->name || !node->inputs || (node->layer->attributes_size && !node->attributes) ||
        !linnet_grow(&net->nodes, &net->node_capacity, net->node_count + 1, sizeof *net->nodes)) {
        linnet_net_fail(net, LINNET_OUT_OF_MEMORY, "no memory for a node of the net");
        return false;
    }
    if (node->attributes)
        memcpy(node->attributes, request->attributes, node->layer->attributes_size);
    for (uint32_t i = 0; i < request->input_count; i++)
        node->inputs[i] = request->inputs[i].id - 1;
    return true;
}

static void node_clear(linnet_node *node)
{
    linnet_release(node->name);
    linnet_release(node->attributes);
    linnet_release(node->inputs);
}

/* Everything of linnet_net_add_node but the clean-up of a node that failed. */
static bool build_node(linnet_net *net, const linnet_node_request *request, linnet_node *node, linnet_shape_job *job)
{
    if (!fill_job(net, request, node->name ? node->name : "", job))
        return false;
    linnet_status status = node->layer->infer(job);
    if (status != LINNET_OK) {
        linnet_net_fail(net, status, "%s", linnet_context_message(net->context));
        return false;
    }
    if (!copy_request(net, request, node) || !make_own(net, request, node, job))
        return false;
    node->output = linnet_net_add_value(net, LINNET_VALUE_NODE, linnet_duplicate(node->name), &job->outputs[0]);
    return node->output != UINT32_MAX;
}

/* Of a layer or of a value that one makes: those named as outputs have names of their own. */
static bool name_is_taken(const linnet_net *net, const char *name)
{
    for (size_t n = 0; n < net->node_count; n++)
        if (strcmp(net->nodes[n].name, name) == 0)
            return true;
    return find_value(net, LINNET_VALUE_NODE, name) != UINT32_MAX;
}

/* How many layers are called kind_name and a number. */
static uint32_t count_numbered(const linnet_net *net, const char *kind_name)
{
    uint32_t count = 0;
    size_t length = strlen(kind_name);
    for (size_t n = 0; n < net->node_count; n++) {
        const char *name = net->nodes[n].name;
        count += strncmp(name, kind_name, length) == 0 && name[length] >= '0' && name[length] <= '9';
    }
    return count;
}

linnet_value linnet_name(linnet_net *net, linnet_value handle, const char *name)
{
    if (linnet_net_check(net) != LINNET_OK)
        return (linnet_value){0};
    linnet_net_value *value = linnet_net_value_get(net, handle);
    if (!value)
        return (linnet_value){0};
    if (!name || !*name || value->kind != LINNET_VALUE_NODE)
        return linnet_net_fail(net, LINNET_INVALID, "only what a layer makes can be named, and a name is not empty");
    linnet_node *node = &net->nodes[value->producer];
    if (strcmp(value->name, name) != 0 && name_is_taken(net, name))
        return linnet_net_fail(net, LINNET_INVALID, "there are two values named '%s'", name);
    char *value_name = linnet_duplicate(name), *node_name = linnet_duplicate(name);
    if (!value_name || !node_name) {
        linnet_release(value_name);
        linnet_release(node_name);
        return linnet_net_fail(net, LINNET_OUT_OF_MEMORY, "no memory for a name");
    }
    linnet_release(value->name);
    linnet_release(node->name);
    value->name = value_name;
    node->name = node_name;
    net->version++;
    return handle;
}

linnet_value linnet_net_add_node(linnet_net *net, const linnet_node_request *request)
{
    linnet_shape_job job;
    const linnet_layer *layer = linnet_layer_find(request->kind);
    if (linnet_net_check(net) != LINNET_OK)
        return (linnet_value){0};
    if (request->input_count < 1 || request->input_count > LINNET_MAX_INPUTS)
        return linnet_net_fail(net, LINNET_LIMIT, "%s: 1 to %d inputs are possible, not %u", layer->name,
                               LINNET_MAX_INPUTS, request->input_count);
    if (request->name && name_is_taken(net, request->name))
        return linnet_net_fail(net, LINNET_INVALID, "there are two values named '%s'", request->name);
    const char *kind_name = request->kind_name ? request->kind_name : layer->name;
    linnet_node node = {.layer = layer,
                        .input_count = request->input_count,
                        .parameter_count = request->parameter_count,
                        .name = request->name ? linnet_duplicate(request->name) : NULL};
    /* Numbers count per name, so that relu1, relu2 stay in step whatever else the net holds. */
    for (uint32_t number = 1 + count_numbered(net, kind_name); !request->name; number++) {
        linnet_release(node.name);
        node.name = linnet_format("%s%u", kind_name, number);
        if (!node.name || !name_is_taken(net, node.name))
            break;
    }
    if (!build_node(net, request, &node, &job)) {
        node_clear(&node);
        return (linnet_value){0};
    }
    node.state_count = job.state_count;
    for (uint32_t i = 0; i < node.input_count; i++)
        net->values[node.inputs[i]].uses++;
    net->values[node.output].producer = (uint32_t)net->node_count;
    net->nodes[net->node_count++] = node;
    return (linnet_value){node.output + 1};
}
