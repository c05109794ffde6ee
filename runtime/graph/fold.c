/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch norm folded into the convolution or linear layer before it, where nothing is learned: with running statistics
 * it is an affine map per channel, and so part of the weights:
 *
 *   scale = weight_bn / sqrt(variance + epsilon),  W' = W scale,  b' = (b - mean) scale + bias_bn
 *
 * The folded weights are variables of their own, computed on the host whenever one of the six they come from changed.
 */
#include "session.h"

#include <math.h>

enum { WEIGHT, BIAS, BN_WEIGHT, BN_BIAS, BN_MEAN, BN_VARIANCE, SOURCE_COUNT };

/* Variables that a fold is computed from; LINNET_NONE for an absent bias. */
static void find_sources(const linnet_session *session, const linnet_fold *fold, uint32_t sources[SOURCE_COUNT])
{
    const linnet_node *layer = &session->net->nodes[fold->layer_node], *norm = &session->net->nodes[fold->norm_node];
    sources[WEIGHT] = session->variable_of[layer->parameters[0]];
    sources[BIAS] = layer->parameter_count > 1 ? session->variable_of[layer->parameters[1]] : LINNET_NONE;
    sources[BN_WEIGHT] = session->variable_of[norm->parameters[LINNET_BATCH_NORM_WEIGHT]];
    sources[BN_BIAS] = session->variable_of[norm->parameters[LINNET_BATCH_NORM_BIAS]];
    sources[BN_MEAN] = session->variable_of[norm->states[LINNET_BATCH_NORM_MEAN]];
    sources[BN_VARIANCE] = session->variable_of[norm->states[LINNET_BATCH_NORM_VARIANCE]];
}

/* A number that changes when any source changes: versions only grow. */
static uint64_t source_version(const linnet_session *session, const uint32_t sources[SOURCE_COUNT])
{
    uint64_t version = 0;
    for (int i = 0; i < SOURCE_COUNT; i++)
        version += sources[i] == LINNET_NONE ? 0 : session->variables[sources[i]].version;
    return version;
}

/* The only reader of n's output, when that is a batch norm on the same place. */
static uint32_t find_norm(const linnet_compiler *c, uint32_t n)
{
    uint32_t output = c->net->nodes[n].output, kind = c->net->nodes[n].layer->kind;
    if ((kind != LINNET_LAYER_CONV2D && kind != LINNET_LAYER_LINEAR) || c->net->values[output].uses != 1 ||
        linnet_value_is_tapped(c, output))
        return LINNET_NO_NODE;
    for (uint32_t m = n + 1; m < c->net->node_count; m++)
        if (c->net->nodes[m].inputs[0] == output && c->net->nodes[m].layer->kind == LINNET_LAYER_BATCH_NORM)
            return c->active[m] && c->node_place[m] == c->node_place[n] ? m : LINNET_NO_NODE;
    return LINNET_NO_NODE;
}

static linnet_status allocate(linnet_session *session, linnet_variable *variable)
{
    const linnet_device *device = session->places[variable->place].device;
    if (variable->own)
        return LINNET_OK;
    return linnet_device_check(session->context, device,
                               device->backend->buffer_new(device->handle, variable->bytes, &variable->own),
                               "allocating folded weights");
}

linnet_status linnet_fold_keep(linnet_session *session, uint32_t index)
{
    linnet_variable *variable = &session->variables[index];
    for (size_t i = 0; i < session->fold_count && variable->is_transient; i++)
        if (session->folds[i].weight == index || session->folds[i].bias == index)
            session->folds[i].version = 0; /* to be computed again */
    variable->is_transient = false;
    return allocate(session, variable);
}

bool linnet_tensor_is_folded(const linnet_session *session, const linnet_plan_tensor *tensor)
{
    return tensor->home == LINNET_HOME_VARIABLE && tensor->variable >= session->variable_count;
}

/* A new variable that belongs to the fold. */
static uint32_t add_variable(linnet_compiler *c, uint32_t value, uint32_t place)
{
    linnet_session *session = c->session;
    const linnet_shape *shape = &c->net->values[value].shape;
    linnet_variable variable = {
        .value = value, .place = place, .is_state = true, .gradient_is_zero = true, .is_transient = true};
    variable.bytes = (uint64_t)linnet_shape_product(shape, 0, shape->rank) * sizeof(float);
    if (!linnet_grow(&session->variables, &session->variable_capacity, session->variable_total + 1,
                     sizeof *session->variables)) {
        linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for folded weights");
        return LINNET_NONE;
    }
    session->variables[session->variable_total] = variable;
    return (uint32_t)session->variable_total++;
}

static linnet_status add_fold(linnet_compiler *c, uint32_t n, uint32_t norm, uint32_t *out_fold)
{
    linnet_session *session = c->session;
    for (uint32_t i = 0; i < session->fold_count; i++)
        if (session->folds[i].layer_node == n &&
            session->variables[session->folds[i].weight].place == c->node_place[n]) {
            *out_fold = i;
            return LINNET_OK;
        }
    linnet_fold fold = {.layer_node = n, .norm_node = norm};
    if (!linnet_grow(&session->folds, &session->fold_capacity, session->fold_count + 1, sizeof *session->folds))
        return linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for folded weights");
    fold.weight = add_variable(c, c->net->nodes[n].parameters[0], c->node_place[n]);
    if (fold.weight != LINNET_NONE)
        fold.bias = add_variable(c, c->net->nodes[norm].parameters[LINNET_BATCH_NORM_BIAS], c->node_place[n]);
    if (fold.weight == LINNET_NONE || fold.bias == LINNET_NONE)
        return linnet_context_last_status(c->context);
    *out_fold = (uint32_t)session->fold_count;
    session->folds[session->fold_count++] = fold;
    return LINNET_OK;
}

linnet_status linnet_compile_fold(linnet_compiler *c)
{
    linnet_plan *plan = c->plan;
    if (plan->gradients || plan->behaviour != LINNET_EVALUATE)
        return LINNET_OK;
    for (uint32_t n = 0; n < c->net->node_count; n++) {
        uint32_t norm = c->active[n] ? find_norm(c, n) : LINNET_NO_NODE;
        if (norm == LINNET_NO_NODE)
            continue;
        if (!linnet_grow(&plan->folds, &plan->fold_capacity, plan->fold_count + 1, sizeof *plan->folds))
            return linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for a plan");
        linnet_status status = add_fold(c, n, norm, &c->fold[n]);
        if (status != LINNET_OK)
            return status;
        plan->folds[plan->fold_count++] = c->fold[n];
        c->fused_into[norm] = n;
    }
    return LINNET_OK;
}

/* ---- Computing the folded weights ---- */

static linnet_status read_variable(linnet_session *session, uint32_t index, float **out)
{
    const linnet_variable *variable = &session->variables[index];
    const linnet_place *place = &session->places[variable->place];
    *out = linnet_allocate(1, variable->bytes);
    if (!*out)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to fold weights");
    return linnet_device_check(session->context, place->device,
                               place->device->backend->read(place->queue, linnet_variable_view(session, variable), *out,
                                                            variable->bytes, NULL),
                               "reading weights");
}

static linnet_status write_variable(linnet_session *session, uint32_t index, const float *data)
{
    linnet_variable *variable = &session->variables[index];
    const linnet_place *place = &session->places[variable->place];
    variable->version++;
    linnet_status status = allocate(session, variable);
    if (status != LINNET_OK)
        return status;
    return linnet_device_check(session->context, place->device,
                               place->device->backend->upload(place->queue, linnet_variable_view(session, variable),
                                                              data, variable->bytes, NULL),
                               "writing folded weights");
}

/* data[WEIGHT] becomes W', data[BN_BIAS] becomes b'. */
static void fold_arrays(float *const data[SOURCE_COUNT], float epsilon, int64_t channels, int64_t weights_per_channel)
{
    for (int64_t o = 0; o < channels; o++) {
        double scale = data[BN_WEIGHT][o] / sqrt((double)data[BN_VARIANCE][o] + epsilon);
        double bias = data[BIAS] ? data[BIAS][o] : 0.0;
        for (int64_t i = 0; i < weights_per_channel; i++)
            data[WEIGHT][o * weights_per_channel + i] = (float)(data[WEIGHT][o * weights_per_channel + i] * scale);
        data[BN_BIAS][o] = (float)((bias - data[BN_MEAN][o]) * scale + data[BN_BIAS][o]);
    }
}

/* All packed copies of a folded variable; then nobody needs it by itself, if nobody reads it so. */
static linnet_status pack(linnet_session *session, uint32_t index)
{
    linnet_status status = LINNET_OK;
    linnet_variable *variable = &session->variables[index];
    const linnet_place *place = &session->places[variable->place];
    for (size_t i = 0; i < session->packed_count && status == LINNET_OK; i++)
        if (session->packed[i].variable == index && session->packed[i].buffer)
            status = linnet_packed_update(session, &session->packed[i]);
    if (status == LINNET_OK && variable->is_transient && variable->own) {
        status = linnet_device_check(session->context, place->device, place->device->backend->finish(place->queue),
                                     "packing folded weights");
        place->device->backend->buffer_free(variable->own);
        variable->own = NULL;
    }
    return status;
}

/* Is there what plans read of the fold? A packed copy that came later has to be filled. */
static bool is_current(const linnet_session *session, const linnet_fold *fold, uint64_t version)
{
    return fold->version == version && fold->packed_made == session->packed_made;
}

linnet_status linnet_fold_update(linnet_session *session, linnet_fold *fold)
{
    uint32_t sources[SOURCE_COUNT];
    float *data[SOURCE_COUNT] = {0};
    find_sources(session, fold, sources);
    uint64_t version = source_version(session, sources);
    if (is_current(session, fold, version))
        return LINNET_OK;
    linnet_status status = LINNET_OK;
    for (int i = 0; i < SOURCE_COUNT && status == LINNET_OK; i++)
        if (sources[i] != LINNET_NONE)
            status = read_variable(session, sources[i], &data[i]);
    if (status == LINNET_OK) {
        const linnet_shape *weight = &session->net->values[session->variables[fold->weight].value].shape;
        const linnet_batch_norm_attributes *a = session->net->nodes[fold->norm_node].attributes;
        fold_arrays(data, a->epsilon, weight->dims[0], linnet_shape_product(weight, 1, weight->rank));
        status = write_variable(session, fold->weight, data[WEIGHT]);
    }
    if (status == LINNET_OK)
        status = write_variable(session, fold->bias, data[BN_BIAS]);
    if (status == LINNET_OK)
        status = pack(session, fold->weight);
    if (status == LINNET_OK)
        status = pack(session, fold->bias);
    if (status == LINNET_OK) {
        fold->version = version;
        fold->packed_made = session->packed_made;
    }
    for (int i = 0; i < SOURCE_COUNT; i++)
        linnet_release(data[i]);
    return status;
}
