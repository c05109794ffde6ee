/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receptive field of every value from the picture on. Along one axis, unit i of a value sees the pixels
 * first + i stride to last + i stride; all units together see low to high, which padding does not widen. Pixel numbers
 * are doubles: whole up to 2^53, infinite where a size is free.
 */
#include "linnet/receptive_field.h"

#include "../graph/net.h"

#include <math.h>

#define MOST_PIXELS 9007199254740992.0 /* 2^53 */

typedef struct axis_field {
    double first, last, stride;
    double low, high;
} axis_field;

typedef struct value_field {
    bool known; /* depends on the picture */
    axis_field axis[2];
} value_field;

/* What the walk looks at. */
typedef struct walk {
    const linnet_net *net;
    value_field *fields; /* per value */
} walk;

typedef struct window {
    int64_t kernel, stride, dilation, before;
} window;

/* count windows; LINNET_FREE_DIM: any number of them. */
static axis_field slide(axis_field f, const window *w, int64_t count)
{
    double reach = (double)(w->kernel - 1) * (double)w->dilation, before = (double)w->before;
    axis_field out = {.first = f.first - before * f.stride,
                      .last = f.last + (reach - before) * f.stride,
                      .stride = f.stride * (double)w->stride};
    double steps = out.stride == 0 ? 0 : count == LINNET_FREE_DIM ? (double)INFINITY : (double)(count - 1) * out.stride;
    out.low = fmax(f.low, out.first);
    out.high = fmin(f.high, out.last + steps);
    return out;
}

/* One field for all units. */
static axis_field whole(axis_field f)
{
    return (axis_field){f.low, f.high, 0, f.low, f.high};
}

/* How a layer looks at one axis of its inputs. */
typedef enum look { LOOK_PLACE, LOOK_WINDOW, LOOK_ALL } look;

static look look_of_reshape(const linnet_shape *in, const linnet_shape *out)
{
    bool same = in->rank == 4 && out->rank == 4 && in->dims[2] == out->dims[2] && in->dims[3] == out->dims[3];
    return same ? LOOK_PLACE : LOOK_ALL;
}

static look look_at(const linnet_net *net, const linnet_node *node, int axis, window *out)
{
    const linnet_shape *in = &net->values[node->inputs[0]].shape;
    const void *a = node->attributes;
    const linnet_conv2d_attributes *conv = a;
    const linnet_local_conv2d_attributes *local = a;
    const linnet_pool2d_attributes *pool = a;
    const linnet_pad2d_attributes *pad = a;
    const linnet_axis_attributes *along = a;
    switch (node->layer->kind) {
    case LINNET_LAYER_CONV2D:
        *out = (window){conv->kernel[axis], conv->stride[axis], conv->dilation[axis], conv->padding[axis]};
        return LOOK_WINDOW;
    case LINNET_LAYER_LOCAL_CONV2D:
        *out = (window){local->kernel[axis], local->stride[axis], 1, local->padding[axis]};
        return LOOK_WINDOW;
    case LINNET_LAYER_MAX_POOL2D:
    case LINNET_LAYER_AVG_POOL2D:
        *out = (window){pool->kernel[axis], pool->stride[axis], 1, pool->padding[axis]};
        return LOOK_WINDOW;
    case LINNET_LAYER_PAD2D:
        *out = (window){1, 1, 1, pad->padding[axis]};
        return LOOK_WINDOW;
    case LINNET_LAYER_UNARY:
    case LINNET_LAYER_BINARY:
    case LINNET_LAYER_BATCH_NORM:
    case LINNET_LAYER_DROPOUT:
        return LOOK_PLACE;
    case LINNET_LAYER_SOFTMAX:
    case LINNET_LAYER_LOG_SOFTMAX:
    case LINNET_LAYER_CONCAT: /* axis 1: side by side; 2 and 3: units of one come behind those of the other */
        return along->axis == (uint32_t)axis + 2 ? LOOK_ALL : LOOK_PLACE;
    case LINNET_LAYER_RESHAPE:
        return look_of_reshape(in, &net->values[node->output].shape);
    default:
        return LOOK_ALL;
    }
}

/* Two paths meet. Units that do not keep step see all that any of them sees. */
static axis_field join(axis_field a, axis_field b)
{
    if (a.stride != b.stride) {
        a = whole(a);
        b = whole(b);
    }
    return (axis_field){fmin(a.first, b.first), fmax(a.last, b.last), a.stride, fmin(a.low, b.low),
                        fmax(a.high, b.high)};
}

static axis_field field_of_axis(const walk *w, const linnet_node *node, int axis)
{
    const linnet_shape *out = &w->net->values[node->output].shape;
    axis_field sum = {0};
    bool any = false;
    window s = {1, 1, 1, 0};
    look l = look_at(w->net, node, axis, &s);
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (!w->fields[node->inputs[i]].known)
            continue;
        axis_field f = w->fields[node->inputs[i]].axis[axis];
        if (l == LOOK_WINDOW)
            f = slide(f, &s, out->dims[2 + axis]);
        else if (l == LOOK_ALL)
            f = whole(f);
        sum = any ? join(sum, f) : f;
        any = true;
    }
    return sum;
}

static void walk_nodes(walk *w, uint32_t last_node)
{
    for (uint32_t n = 0; n <= last_node; n++) {
        const linnet_node *node = &w->net->nodes[n];
        value_field *out = &w->fields[node->output];
        for (uint32_t i = 0; i < node->input_count; i++)
            out->known = out->known || w->fields[node->inputs[i]].known;
        for (int axis = 0; out->known && axis < 2; axis++)
            out->axis[axis] = field_of_axis(w, node, axis);
    }
}

static linnet_status give(const linnet_net *net, const value_field *field, linnet_field *out)
{
    *out = (linnet_field){{0}, {0}, {0}};
    for (int axis = 0; axis < 2; axis++) {
        axis_field f = field->axis[axis];
        double size = f.last - f.first + 1;
        if (isinf(size)) {
            out->size[axis] = LINNET_FREE;
            continue;
        }
        if (!(fmax(fabs(f.first), fabs(f.last)) < MOST_PIXELS && size < MOST_PIXELS && f.stride < MOST_PIXELS))
            return linnet_fail(net->context, LINNET_LIMIT, "a receptive field of over 2^53 pixels");
        out->size[axis] = (int64_t)fmax(size, 0);
        out->stride[axis] = (int64_t)f.stride;
        out->offset[axis] = (f.first + f.last) / 2;
    }
    return LINNET_OK;
}

static value_field picture_field(const linnet_shape *picture)
{
    value_field field = {.known = true};
    for (int axis = 0; axis < 2; axis++) {
        int64_t size = picture->dims[2 + axis];
        double high = size == LINNET_FREE_DIM ? (double)INFINITY : (double)(size - 1);
        field.axis[axis] = (axis_field){0, 0, 1, 0, high};
    }
    return field;
}

linnet_status linnet_receptive_field(const linnet_net *net, linnet_value value, linnet_field *out_field)
{
    linnet_status status = linnet_net_check(net);
    if (status != LINNET_OK)
        return status;
    if (value.id < 1 || value.id > net->value_count || !out_field)
        return linnet_fail(net->context, LINNET_INVALID, "a receptive field needs a value of this net and a place");
    uint32_t target = value.id - 1, producer = net->values[target].producer;
    status = LINNET_NOT_FOUND;
    for (uint32_t v = 0; v < net->value_count && status == LINNET_NOT_FOUND; v++) {
        if (net->values[v].kind != LINNET_VALUE_INPUT || net->values[v].shape.rank != 4)
            continue;
        walk w = {net, linnet_allocate(net->value_count, sizeof *w.fields)};
        if (!w.fields)
            return linnet_fail(net->context, LINNET_OUT_OF_MEMORY, "no memory for a receptive field");
        w.fields[v] = picture_field(&net->values[v].shape);
        if (producer != LINNET_NO_NODE)
            walk_nodes(&w, producer);
        if (w.fields[target].known)
            status = give(net, &w.fields[target], out_field);
        linnet_release(w.fields);
    }
    return status == LINNET_NOT_FOUND
               ? linnet_fail(net->context, status, "'%s' depends on no picture", net->values[target].name)
               : status;
}
