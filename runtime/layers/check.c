/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that several layers share, and their sentences. */
#include "layer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

linnet_status linnet_layer_fail(const linnet_shape_job *job, uint32_t kind, linnet_status status, const char *format,
                                ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    const linnet_layer *layer = linnet_layer_find(kind);
    const char *name = layer ? layer->name : "layer";
    if (job->node && job->node[0])
        return linnet_fail(job->context, status, "%s '%s': %s", name, job->node, sentence);
    return linnet_fail(job->context, status, "%s: %s", name, sentence);
}

static linnet_status check_shape(const linnet_shape_job *job, uint32_t kind, const char *what,
                                 const linnet_shape *shape)
{
    if (shape->rank > LINNET_MAX_RANK)
        return linnet_layer_fail(job, kind, LINNET_LIMIT, "%s has %" PRIu32 " dimensions, at most %d are possible",
                                 what, shape->rank, LINNET_MAX_RANK);
    if (!linnet_type_size(shape->type))
        return linnet_layer_fail(job, kind, LINNET_INVALID, "%s has no element type", what);
    char text[192];
    for (uint32_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 1 && shape->dims[i] != LINNET_FREE_DIM)
            return linnet_layer_fail(job, kind, LINNET_SHAPE, "%s %s is empty", what,
                                     linnet_shape_text(shape, text, sizeof text));
    if (linnet_shape_product(shape, 0, shape->rank) == -3)
        return linnet_layer_fail(job, kind, LINNET_LIMIT, "%s %s has more than 2^40 elements", what,
                                 linnet_shape_text(shape, text, sizeof text));
    return LINNET_OK;
}

/* What layers.def says: how many inputs (0: any number) and parameters at most. */
#define LINNET_ROLES_ANY(NAME)     0
#define LINNET_ROLES_0(NAME)       0
#define LINNET_ROLES_1(NAME, A)    1
#define LINNET_ROLES_2(NAME, A, B) 2
static const struct {
    uint32_t inputs, parameters;
} counts[] = {
#define LINNET_LAYER(number, NAME, name, inputs, outputs, parameters, states) [number] = {inputs, parameters},
#include "linnet/layers.def"
};

linnet_status linnet_layer_check_inputs(const linnet_shape_job *job, uint32_t kind)
{
    const linnet_layer *layer = linnet_layer_find(kind);
    uint32_t wanted = counts[kind].inputs, most = counts[kind].parameters;
    if (wanted ? job->input_count != wanted : job->input_count < 1 || job->input_count > LINNET_MAX_INPUTS)
        return linnet_layer_fail(job, kind, LINNET_INVALID, "has %" PRIu32 " inputs, wants %" PRIu32 "%s",
                                 job->input_count, wanted ? wanted : 1, wanted ? "" : " to 32");
    uint32_t size = 0;
    if (layer->attributes_size && kind != LINNET_LAYER_RESHAPE && job->attributes)
        memcpy(&size, job->attributes, sizeof size);
    if (layer->attributes_size && (!job->attributes || (kind != LINNET_LAYER_RESHAPE && size < layer->attributes_size)))
        return linnet_layer_fail(job, kind, LINNET_INVALID, "its attributes are missing or incomplete");
    for (uint32_t i = 0; i < job->input_count; i++) {
        char what[32];
        snprintf(what, sizeof what, job->input_count > 1 ? "input %" PRIu32 : "input", i);
        linnet_status status = check_shape(job, kind, what, &job->inputs[i]);
        if (status)
            return status;
    }
    if (job->parameter_count > most || (most && !job->parameter_count))
        return linnet_layer_fail(job, kind, LINNET_INVALID, "has %" PRIu32 " parameters, wants %" PRIu32,
                                 job->parameter_count, most);
    return LINNET_OK;
}

linnet_status linnet_layer_check_outputs(const linnet_shape_job *job, uint32_t kind)
{
    linnet_status status = LINNET_OK;
    for (uint32_t i = 0; i < job->output_count && !status; i++)
        status = check_shape(job, kind, "output", &job->outputs[i]);
    const linnet_layer *layer = linnet_layer_find(kind);
    for (uint32_t i = 0; i < job->parameter_count && !status; i++)
        status = check_shape(job, kind, layer->parameter_names[i], &job->parameters[i]);
    return status;
}

linnet_status linnet_layer_check_float(const linnet_shape_job *job, uint32_t kind, uint32_t index, uint32_t rank)
{
    const linnet_shape *shape = &job->inputs[index];
    if (shape->type != LINNET_F32 && shape->type != LINNET_F16 && shape->type != LINNET_BF16 &&
        shape->type != LINNET_F64)
        return linnet_layer_fail(job, kind, LINNET_INVALID, "input is of type %s, wants floating point",
                                 linnet_type_name(shape->type));
    char text[192];
    if (rank && shape->rank != rank)
        return linnet_layer_fail(job, kind, LINNET_SHAPE, "input %s has %" PRIu32 " dimensions, wants %" PRIu32 "%s",
                                 linnet_shape_text(shape, text, sizeof text), shape->rank, rank,
                                 rank == 4 ? " (batch, channels, height, width)" : "");
    return LINNET_OK;
}

linnet_status linnet_layer_check_equal(linnet_shape_job *job, uint32_t kind)
{
    const linnet_shape *a = &job->inputs[0], *b = &job->inputs[1];
    if (a->type != b->type)
        return linnet_layer_fail(job, kind, LINNET_INVALID, "inputs are of types %s and %s, wants equal types",
                                 linnet_type_name(a->type), linnet_type_name(b->type));
    linnet_shape merged = *a;
    bool agree = a->rank == b->rank;
    for (uint32_t i = 0; i < a->rank && agree; i++) {
        agree = linnet_dim_agrees(a->dims[i], b->dims[i]);
        if (merged.dims[i] == LINNET_FREE_DIM)
            merged.dims[i] = b->dims[i];
    }
    char first[192], second[192];
    if (!agree)
        return linnet_layer_fail(job, kind, LINNET_SHAPE, "inputs are %s and %s, wants equal shapes",
                                 linnet_shape_text(a, first, sizeof first),
                                 linnet_shape_text(b, second, sizeof second));
    job->outputs[0] = merged;
    return LINNET_OK;
}

linnet_status linnet_layer_check_axis(const linnet_shape_job *job, uint32_t kind)
{
    const linnet_axis_attributes *attributes = job->attributes;
    char text[192];
    if (attributes->axis >= job->inputs[0].rank)
        return linnet_layer_fail(job, kind, LINNET_INVALID, "input %s has no axis %" PRIu32,
                                 linnet_shape_text(&job->inputs[0], text, sizeof text), attributes->axis);
    return LINNET_OK;
}

linnet_status linnet_layer_check_window(const linnet_shape_job *job, uint32_t kind, const char *what,
                                        const int64_t *values, uint32_t count, int64_t minimum)
{
    for (uint32_t i = 0; i < count; i++)
        if (values[i] < minimum || values[i] > LINNET_MAX_WINDOW)
            return linnet_layer_fail(job, kind, LINNET_INVALID, "%s is %" PRId64 ", wants %" PRId64 " to %" PRId64,
                                     what, values[i], minimum, LINNET_MAX_WINDOW);
    return LINNET_OK;
}

linnet_status linnet_layer_vector(linnet_shape_job *job, uint32_t kind, uint32_t index, int64_t length)
{
    linnet_shape *shape = &job->parameters[index];
    if (shape->rank == 0) {
        *shape = (linnet_shape){.type = job->inputs[0].type, .rank = 1, .dims = {length}};
        return LINNET_OK;
    }
    char text[192];
    if (shape->rank != 1 || shape->dims[0] != length || shape->type != job->inputs[0].type)
        return linnet_layer_fail(job, kind, LINNET_SHAPE, "%s is %s %s, wants %s [%" PRId64 "]",
                                 linnet_layer_find(kind)->parameter_names[index], linnet_type_name(shape->type),
                                 linnet_shape_text(shape, text, sizeof text), linnet_type_name(job->inputs[0].type),
                                 length);
    return LINNET_OK;
}
