/* SPDX-License-Identifier: Apache-2.0 */
/* A layer's weights in the order of pictures. */
#include "../core/core.h"
#include "../graph/session.h"
#include "linnet/filter_tiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 16, MOST_COLUMNS = 16 };

/* Weights [places][filters][channels][height][width], seen from a layer; places only for local_conv2d. */
typedef struct filter_weights {
    const char *name;                         /* of the parameter */
    int64_t rows, columns;                    /* of places; 1 x 1 where filters are shared */
    int64_t filters, channels, height, width; /* height x width of one filter */
    bool matrix;                              /* no picture was flattened: all rows are one picture */
} filter_weights;

static bool has_filters(const linnet_node *node)
{
    linnet_layer_kind kind = node->layer->kind;
    return kind == LINNET_LAYER_CONV2D || kind == LINNET_LAYER_LOCAL_CONV2D || kind == LINNET_LAYER_LINEAR;
}

/* The node that makes the named layer, or the first one with filters; NULL with a message. */
static const linnet_node *find_node(linnet_net *net, const char *layer)
{
    linnet_value value;
    if (layer && linnet_net_layer(net, layer, &value) != LINNET_OK)
        return NULL;
    const linnet_node *named = layer ? &net->nodes[net->values[value.id - 1].producer] : NULL;
    for (size_t i = 0; i < net->node_count; i++)
        if (has_filters(&net->nodes[i]) && (!layer || named == &net->nodes[i]))
            return &net->nodes[i];
    if (layer)
        linnet_fail(net->context, LINNET_INVALID,
                    "layer '%s' has no filters: only conv2d, local_conv2d and linear can be shown", layer);
    else
        linnet_fail(net->context, LINNET_INVALID, "the net '%s' has no layer with filters", net->name ? net->name : "");
    return NULL;
}

/* ---- What the weights are of ---- */

/* The shape of the picture that a linear layer's input was flattened from: the last four-dimensional value before it.
 */
static const linnet_shape *flattened_shape(const linnet_net *net, const linnet_node *node)
{
    const linnet_net_value *value = &net->values[node->inputs[0]];
    while (value->shape.rank != 4) {
        const linnet_node *before = value->producer == LINNET_NO_NODE ? NULL : &net->nodes[value->producer];
        if (!before || before->input_count != 1 || before->layer->kind != LINNET_LAYER_RESHAPE)
            return NULL;
        value = &net->values[before->inputs[0]];
    }
    return &value->shape;
}

static filter_weights see_linear(const linnet_net *net, const linnet_node *node, const linnet_net_value *weight)
{
    const linnet_shape *input = &net->values[node->inputs[0]].shape, *flat = flattened_shape(net, node);
    const int64_t *dims = weight->shape.dims;
    if (input->rank == 4) /* it flattens by itself */
        flat = input;
    if (flat && flat->dims[1] > 0 && flat->dims[2] > 0 && flat->dims[3] > 0 &&
        flat->dims[1] * flat->dims[2] * flat->dims[3] == dims[1] && flat->dims[2] * flat->dims[3] > 1)
        return (filter_weights){weight->name, 1, 1, dims[0], flat->dims[1], flat->dims[2], flat->dims[3], false};
    return (filter_weights){weight->name, 1, 1, 1, 1, dims[0], dims[1], true};
}

static filter_weights see(const linnet_net *net, const linnet_node *node)
{
    const linnet_net_value *weight = &net->values[node->parameters[0]];
    const int64_t *d = weight->shape.dims;
    if (node->layer->kind == LINNET_LAYER_CONV2D)
        return (filter_weights){weight->name, 1, 1, d[0], d[1], d[2], d[3], false};
    if (node->layer->kind == LINNET_LAYER_LOCAL_CONV2D)
        return (filter_weights){weight->name, d[0], d[1], d[2], d[3], d[4], d[5], false};
    return see_linear(net, node, weight);
}

/* ---- Pictures ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Shape and number of the pictures that the weights make. */
static void plan(const filter_weights *w, int64_t limit, linnet_filters *out)
{
    bool whole = w->channels == 1 || w->channels == 3; /* a picture holds all channels */
    out->channels = whole ? w->channels : 1;
    out->height = w->rows * w->height;
    out->width = w->columns * w->width;
    out->cell_height = w->height;
    out->cell_width = w->width;
    out->total = w->filters * (whole ? 1 : w->channels);
    out->columns = whole ? 0 : least(w->channels, limit ? limit : MOST_COLUMNS);
    if (whole)
        out->count = least(w->filters, limit ? limit : LINNET_FILTERS_LIMIT);
    else
        out->count = out->columns * least(w->filters, limit ? (limit + out->columns - 1) / out->columns : MOST_ROWS);
}

/* The filter of one place into its cell of a picture's plane. */
static void cell_copy(const float *from, const filter_weights *w, int64_t row, int64_t column, int64_t stride,
                      float *plane)
{
    float *to = plane + row * w->height * stride + column * w->width;
    for (int64_t y = 0; y < w->height; y++)
        memcpy(to + y * stride, from + y * w->width, (size_t)w->width * sizeof *to);
}

static void picture_fill(const float *weights, const filter_weights *w, const linnet_filters *f, int64_t index,
                         float *out)
{
    int64_t filter = f->columns ? index / f->columns : index, first = f->columns ? index % f->columns : 0;
    for (int64_t place = 0; place < w->rows * w->columns; place++)
        for (int64_t c = 0; c < f->channels; c++) {
            int64_t plane = (place * w->filters + filter) * w->channels + first + c;
            cell_copy(weights + plane * w->height * w->width, w, place / w->columns, place % w->columns, f->width,
                      out + c * f->height * f->width);
        }
}

static linnet_status fill(linnet_session *session, const filter_weights *w, linnet_filters *f)
{
    linnet_context *context = session->net->context;
    int64_t picture = f->channels * f->height * f->width;
    if (f->height > LINNET_IMAGE_MAX_SIDE || f->width > LINNET_IMAGE_MAX_SIDE || picture > LINNET_IMAGE_MAX_PIXELS)
        return linnet_fail(context, LINNET_LIMIT, "layer '%s': a picture of its weights would have %lld x %lld pixels",
                           f->layer, (long long)f->width, (long long)f->height);
    size_t count = (size_t)(w->rows * w->columns * w->filters * w->channels * w->height * w->width);
    float *weights = linnet_allocate(count, sizeof *weights);
    f->values = linnet_allocate((size_t)f->count * (size_t)picture, sizeof *f->values);
    linnet_status status = LINNET_OK;
    if (!weights || !f->values)
        status = linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for the filters of '%s'", f->layer);
    if (status == LINNET_OK)
        status = linnet_session_get(session, w->name, weights, count * sizeof *weights);
    for (int64_t i = 0; status == LINNET_OK && i < f->count; i++)
        picture_fill(weights, w, f, i, f->values + i * picture);
    linnet_release(weights);
    return status;
}

linnet_status linnet_filters_read(linnet_session *session, const char *layer, int64_t limit,
                                  linnet_filters *out_filters)
{
    if (!session || !out_filters || limit < 0)
        return linnet_fail(session ? session->net->context : NULL, LINNET_INVALID,
                           "filters are read from a session, at most a number of them that is not negative");
    *out_filters = (linnet_filters){0};
    linnet_net *net = session->net;
    const linnet_node *node = find_node(net, layer);
    if (!node)
        return linnet_context_last_status(net->context);
    filter_weights weights = see(net, node);
    plan(&weights, limit, out_filters);
    out_filters->layer = linnet_duplicate(node->name);
    linnet_status status = out_filters->layer
                               ? fill(session, &weights, out_filters)
                               : linnet_fail(net->context, LINNET_OUT_OF_MEMORY, "no memory for filters");
    if (status != LINNET_OK)
        linnet_filters_free(out_filters);
    return status;
}

void linnet_filters_free(linnet_filters *filters)
{
    if (!filters)
        return;
    linnet_release(filters->layer);
    linnet_release(filters->values);
    *filters = (linnet_filters){0};
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

float linnet_filters_range(const linnet_filters *filters)
{
    size_t count = filters && filters->values
                       ? (size_t)(filters->count * filters->channels * filters->height * filters->width)
                       : 0;
    float *magnitudes = linnet_allocate(count, sizeof *magnitudes), range = 0;
    for (size_t i = 0; magnitudes && i < count; i++)
        magnitudes[i] = isnan(filters->values[i]) ? 0 : fabsf(filters->values[i]);
    if (magnitudes && count) {
        qsort(magnitudes, count, sizeof *magnitudes, compare);
        range = magnitudes[count - 1 - count / 200];
    }
    linnet_release(magnitudes);
    return range;
}
