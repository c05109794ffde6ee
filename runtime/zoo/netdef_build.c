/* SPDX-License-Identifier: Apache-2.0 */
/* From statements to layers: one row per kind of layer, and what each makes of its numbers and options. */
#include "../graph/net.h"
#include "netdef.h"

#include <stdio.h>
#include <string.h>

/* ---- One function a layer: adds it, called name ---- */

static linnet_value conv(linnet_net *net, linnet_value x, const netdef_layer *l, const char *name)
{
    const int64_t(*o)[2] = l->options;
    return linnet_conv2d(net, x, .name = name, .out_channels = (int64_t)l->numbers[0], .no_bias = l->no_bias,
                         .kernel_h = o[NETDEF_K][0], .kernel_w = o[NETDEF_K][1], .stride_h = o[NETDEF_S][0],
                         .stride_w = o[NETDEF_S][1], .dilation_h = o[NETDEF_D][0], .dilation_w = o[NETDEF_D][1],
                         .padding_top = o[NETDEF_P][0], .padding_left = o[NETDEF_P][1],
                         .padding_bottom = o[NETDEF_P][0], .padding_right = o[NETDEF_P][1], .groups = o[NETDEF_G][0],
                         .initial = LINNET_INITIAL_HE_UNIFORM);
}

static linnet_value local(linnet_net *net, linnet_value x, const netdef_layer *l, const char *name)
{
    const int64_t(*o)[2] = l->options;
    return linnet_local_conv2d(net, x, .name = name, .out_channels = (int64_t)l->numbers[0], .no_bias = l->no_bias,
                               .kernel_h = o[NETDEF_K][0], .kernel_w = o[NETDEF_K][1], .stride_h = o[NETDEF_S][0],
                               .stride_w = o[NETDEF_S][1], .padding_top = o[NETDEF_P][0],
                               .padding_left = o[NETDEF_P][1], .padding_bottom = o[NETDEF_P][0],
                               .padding_right = o[NETDEF_P][1]);
}

static linnet_value linear(linnet_net *net, linnet_value x, const netdef_layer *l, const char *name)
{
    return linnet_linear(net, x, .name = name, .out_features = (int64_t)l->numbers[0], .no_bias = l->no_bias);
}

static linnet_pool2d_options pool_options(const netdef_layer *l, const char *name)
{
    const int64_t(*o)[2] = l->options;
    linnet_pool2d_options options = {.struct_size = sizeof options, .name = name};
    options.kernel_h = l->number_count ? (int64_t)l->numbers[0] : o[NETDEF_K][0];
    options.kernel_w = l->number_count ? (int64_t)l->numbers[0] : o[NETDEF_K][1];
    options.stride_h = o[NETDEF_S][0];
    options.stride_w = o[NETDEF_S][1];
    options.padding_top = options.padding_bottom = o[NETDEF_P][0];
    options.padding_left = options.padding_right = o[NETDEF_P][1];
    return options;
}

static linnet_value maxpool(linnet_net *net, linnet_value x, const netdef_layer *l, const char *name)
{
    linnet_pool2d_options options = pool_options(l, name);
    return linnet_max_pool2d_with(net, x, &options);
}

static linnet_value avgpool(linnet_net *net, linnet_value x, const netdef_layer *l, const char *name)
{
    linnet_pool2d_options options = pool_options(l, name);
    return linnet_avg_pool2d_with(net, x, &options);
}

static linnet_value batch_norm(linnet_net *net, linnet_value x, const netdef_layer *l, const char *name)
{
    (void)l;
    return linnet_batch_norm(net, x, .name = name);
}

static linnet_value pad(linnet_net *net, linnet_value x, const netdef_layer *l, const char *name)
{
    int64_t sides[4];
    for (int i = 0; i < 4; i++)
        sides[i] = (int64_t)l->numbers[l->number_count > 1 ? i : 0];
    return linnet_pad2d(net, x, .name = name, .mode = l->border, .padding_top = sides[0], .padding_left = sides[1],
                        .padding_bottom = sides[2], .padding_right = sides[3]);
}

/* Number i, or what it is when left out. */
static float number(const netdef_layer *l, uint32_t i, float otherwise)
{
    return i < l->number_count ? (float)l->numbers[i] : otherwise;
}

#define NAMED(function, call)                                                                                          \
    static linnet_value function(linnet_net *net, linnet_value x, const netdef_layer *l, const char *name)             \
    {                                                                                                                  \
        (void)l;                                                                                                       \
        return linnet_name(net, call, name);                                                                           \
    }

NAMED(global_pool, linnet_global_avg_pool(net, x))
NAMED(relu, linnet_relu(net, x))
NAMED(leaky, linnet_leaky_relu(net, x, number(l, 0, 0.01f)))
NAMED(relu6, linnet_relu6(net, x))
NAMED(clip, linnet_clip(net, x, number(l, 0, 0), number(l, 1, 0)))
NAMED(hyperbolic, linnet_tanh(net, x))
NAMED(sigmoid, linnet_sigmoid(net, x))
NAMED(scale, linnet_scale(net, x, number(l, 0, 1), number(l, 1, 0)))
NAMED(dropout, linnet_dropout(net, x, number(l, 0, 0.5f)))
NAMED(flatten, linnet_flatten(net, x))
NAMED(softmax, linnet_softmax(net, x, 1))

/* ---- The table ---- */

#define MANY ((double)(1 << 24)) /* channels and features; tensors have limits of their own */

/* Keyword, what its numbers are, how many, real ones, lowest, highest, options, those that must be there. */
static const netdef_kind kinds[] = {
    {"conv", "how many channels it makes", 1, 1, false, 1, MANY, "kspdgn", "k", conv},
    {"local", "how many channels it makes", 1, 1, false, 1, MANY, "kspn", "k", local},
    {"linear", "how many features it makes", 1, 1, false, 1, MANY, "n", "", linear},
    {"maxpool", "the kernel's size", 1, 1, false, 1, 4096, "ksp", "1", maxpool},
    {"avgpool", "the kernel's size", 1, 1, false, 1, 4096, "ksp", "1", avgpool},
    {"globalpool", "", 0, 0, false, 0, 0, "", "", global_pool},
    {"relu", "", 0, 0, false, 0, 0, "", "", relu},
    {"leaky", "the slope below zero", 0, 1, true, 1e-6, 1, "", "", leaky},
    {"relu6", "", 0, 0, false, 0, 0, "", "", relu6},
    {"clip", "the lowest and the highest value", 2, 2, true, -1e6, 1e6, "", "", clip},
    {"tanh", "", 0, 0, false, 0, 0, "", "", hyperbolic},
    {"sigmoid", "", 0, 0, false, 0, 0, "", "", sigmoid},
    {"scale", "a factor, and perhaps an offset", 1, 2, true, -1e6, 1e6, "", "", scale},
    {"bn", "", 0, 0, false, 0, 0, "", "", batch_norm},
    {"dropout", "a probability", 0, 1, true, 0, 0.999, "", "", dropout},
    {"flatten", "", 0, 0, false, 0, 0, "", "", flatten},
    {"softmax", "", 0, 0, false, 0, 0, "", "", softmax},
    {"pad", "one number for all sides, or top, left, bottom and right", 1, 4, false, 0, 4096, "r", "", pad},
    {"residual", "how many channels it makes", 1, 1, false, 1, MANY, "s", "", netdef_residual},
    {"fire", "how many channels it squeezes to, how many it expands to", 2, 2, false, 1, MANY, "", "", netdef_fire},
};

#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

const netdef_kind *netdef_kind_at(size_t index)
{
    return index < KIND_COUNT ? &kinds[index] : NULL;
}

const netdef_kind *netdef_kind_find(const char *word)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kinds[i].keyword, word) == 0)
            return &kinds[i];
    return NULL;
}

/* ---- The walk ---- */

static bool is_given(const netdef *d, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->layers[i].name, name) == 0)
            return true;
    return false;
}

/* The layer's own name, or its keyword and the first number from counts on that nobody has or will have. */
static const char *settle_name(const netdef *d, const linnet_net *net, const netdef_layer *layer,
                               uint32_t counts[KIND_COUNT], char out[NETDEF_NAME])
{
    if (*layer->name)
        return layer->name;
    do
        snprintf(out, NETDEF_NAME, "%s%u", layer->kind->keyword, ++counts[layer->kind - kinds]);
    while (is_given(d, out) || linnet_net_find(net, out).id);
    return out;
}

linnet_value netdef_net_fail(const netdef *d, linnet_net *net, linnet_status status, size_t at, const char *sentence)
{
    netdef_fail(d, status, at, "%s", sentence);
    char *located = linnet_duplicate(linnet_context_message(d->context));
    if (!located)
        return (linnet_value){0}; /* the sentence without its place */
    if (net->status == LINNET_OK) {
        linnet_net_fail(net, status, "%s", located);
        linnet_release(located);
    } else {
        linnet_release(net->message);
        net->message = located;
    }
    return (linnet_value){0};
}

linnet_value netdef_build(const netdef *d, linnet_net *net, linnet_value x, linnet_value *out_scores)
{
    uint32_t counts[KIND_COUNT] = {0};
    char name[NETDEF_NAME];
    *out_scores = x;
    for (size_t i = 0; i < d->count; i++) {
        const netdef_layer *layer = &d->layers[i];
        bool last_softmax = i + 1 == d->count && layer->kind->build == softmax;
        if (linnet_net_check(net) != LINNET_OK)
            return (linnet_value){0};
        x = layer->kind->build(net, x, layer, settle_name(d, net, layer, counts, name));
        if (linnet_net_status(net) != LINNET_OK) {
            char sentence[600];
            snprintf(sentence, sizeof sentence, "%s", linnet_net_message(net));
            return netdef_net_fail(d, net, linnet_net_status(net), layer->at, sentence);
        }
        if (!last_softmax)
            *out_scores = x;
    }
    return x;
}
