/* SPDX-License-Identifier: Apache-2.0 */
/* Small random nets from a seed: every layer, branches, shared and frozen parameters, several inputs and losses. */
#ifndef LINNET_TEST_RANDOM_NET_H
#define LINNET_TEST_RANDOM_NET_H

#include "sessions.h"

enum { MAX_NET_VALUES = 256, MAX_NET_LOSSES = 4, MAX_POOL = 40 };

typedef struct random_net {
    uint64_t seed, drawn;
    int smooth; /* only layers without kinks, and no dropout: for numeric gradients */
    linnet_net *net;
    linnet_value pool[MAX_POOL]; /* what layers may read */
    int pool_count;
    linnet_value losses[MAX_NET_LOSSES];
    int loss_count;
    linnet_value total; /* sum of the losses; null: none */
    linnet_value shared[8];
    int shared_count;
    int target_count;
} random_net;

static inline int draw(random_net *r, int below)
{
    return (int)(linnet_philox_uniform(r->seed, 1, 0, r->drawn++) * (float)below);
}

static inline uint32_t shape_in(const random_net *r, linnet_value value, int64_t dims[LINNET_MAX_RANK])
{
    return linnet_value_shape(r->net, value, dims);
}

static inline linnet_value random_conv(random_net *r, linnet_value x, const int64_t *dims)
{
    int64_t channels[] = {1, 2, 3, 4, 8, 16, 17, 32};
    linnet_conv2d_options o = {.struct_size = sizeof o, .no_bias = draw(r, 3) == 0};
    o.out_channels = channels[draw(r, 8)];
    o.kernel_h = 1 + draw(r, dims[2] < 3 ? (int)dims[2] : 3);
    o.kernel_w = 1 + draw(r, dims[3] < 3 ? (int)dims[3] : 3);
    o.stride = 1 + draw(r, 4) / 3;
    o.padding_top = draw(r, 3);
    o.padding_left = draw(r, 2);
    o.padding_bottom = draw(r, 2);
    o.padding_right = draw(r, 3);
    if (draw(r, 4) == 0 && dims[1] <= 64) { /* keeps the shape, so that it can be added to what it came from */
        o.kernel_h = o.kernel_w = 3;
        o.stride = o.padding_top = o.padding_left = o.padding_bottom = o.padding_right = 1;
        o.out_channels = dims[1];
    } else if (draw(r, 4) == 0 && dims[2] >= 5 && dims[3] >= 5)
        o.dilation = 2;
    if (draw(r, 4) == 0 && dims[1] % 2 == 0 && o.out_channels % 2 == 0)
        o.groups = 2;
    else if (draw(r, 6) == 0) /* depthwise */
        o.groups = o.out_channels = dims[1];
    for (int i = 0; i < r->shared_count; i++) { /* a weight made earlier that fits: use it again */
        int64_t weight[LINNET_MAX_RANK];
        if (shape_in(r, r->shared[i], weight) == 4 && weight[1] == dims[1] && dims[2] >= 3 && dims[3] >= 3 &&
            draw(r, 2)) {
            o.weight = r->shared[i];
            o.out_channels = o.kernel_h = o.kernel_w = o.groups = o.dilation = 0;
            break;
        }
    }
    if (!o.weight.id && !o.groups && r->shared_count < 8 && draw(r, 3) == 0) {
        char name[32];
        snprintf(name, sizeof name, "shared%d", r->shared_count);
        int64_t shape[] = {o.out_channels, dims[1], o.kernel_h, o.kernel_w};
        o.weight = r->shared[r->shared_count++] = linnet_parameter_with(r->net, name, 4, shape, NULL);
    }
    return linnet_conv2d_with(r->net, x, &o);
}

static inline linnet_value random_local_conv(random_net *r, linnet_value x, const int64_t *dims)
{
    linnet_local_conv2d_options o = {.struct_size = sizeof o, .no_bias = draw(r, 3) == 0};
    o.out_channels = 1 + draw(r, 5);
    o.kernel_h = 1 + draw(r, dims[2] < 3 ? (int)dims[2] : 3);
    o.kernel_w = 1 + draw(r, dims[3] < 3 ? (int)dims[3] : 3);
    o.stride_h = 1 + draw(r, 3) / 2;
    o.stride_w = 1 + draw(r, 3) / 2;
    o.padding_top = draw(r, 2);
    o.padding_right = draw(r, 3);
    return linnet_local_conv2d_with(r->net, x, &o);
}

static inline linnet_value random_pad(random_net *r, linnet_value x, const int64_t *dims)
{
    linnet_pad2d_options o = {.struct_size = sizeof o, .mode = (uint32_t)draw(r, 3), .value = 0.5f};
    int64_t most_h = o.mode == LINNET_PAD_REFLECT ? dims[2] : 3, most_w = o.mode == LINNET_PAD_REFLECT ? dims[3] : 3;
    o.padding_top = draw(r, most_h < 3 ? (int)most_h : 3);
    o.padding_left = draw(r, most_w < 3 ? (int)most_w : 3);
    o.padding_bottom = draw(r, most_h < 2 ? (int)most_h : 2);
    o.padding_right = draw(r, most_w < 2 ? (int)most_w : 2);
    return linnet_pad2d_with(r->net, x, &o);
}

/* What needs pictures. Of many channels (concat adds them up) gram and local_conv2d would make very many numbers. */
static inline linnet_value random_picture(random_net *r, linnet_value x, const int64_t *dims)
{
    switch (dims[1] <= 32 ? draw(r, 4) : 3) {
    case 0: /* small: squares hardly differ between images, and what batch norm leaves of them is mostly rounding */
        return linnet_gram(r->net, x, 0.125f / (float)(dims[2] * dims[3]));
    case 1:
        return random_local_conv(r, x, dims);
    default:
        return random_pad(r, x, dims);
    }
}

static inline linnet_value random_pool(random_net *r, linnet_value x, const int64_t *dims)
{
    linnet_pool2d_options o = {.struct_size = sizeof o};
    o.kernel_h = 1 + draw(r, dims[2] < 3 ? (int)dims[2] : 3);
    o.kernel_w = 1 + draw(r, dims[3] < 3 ? (int)dims[3] : 3);
    o.stride_h = 1 + draw(r, 2);
    o.stride_w = 1 + draw(r, 2);
    o.padding_top = draw(r, (int)o.kernel_h);
    o.padding_right = draw(r, (int)o.kernel_w);
    o.exclude_padding = draw(r, 2);
    return r->smooth || draw(r, 2) ? linnet_avg_pool2d_with(r->net, x, &o) : linnet_max_pool2d_with(r->net, x, &o);
}

static inline linnet_value random_unary(random_net *r, linnet_value x)
{
    switch (r->smooth ? 3 + draw(r, 3) : draw(r, 8)) {
    case 0:
        return linnet_leaky_relu(r->net, x, 0.1f);
    case 1:
        return linnet_clip(r->net, x, -0.5f, 0.5f);
    case 3:
        return linnet_tanh(r->net, x);
    case 4:
        return linnet_sigmoid(r->net, x);
    case 5:
        return linnet_scale(r->net, x, -1.5f, 0.25f);
    default:
        return linnet_relu(r->net, x);
    }
}

/* Another value of the same shape, perhaps the same one; null: none. */
static inline linnet_value find_alike(random_net *r, linnet_value x)
{
    int64_t dims[LINNET_MAX_RANK], other[LINNET_MAX_RANK];
    uint32_t rank = shape_in(r, x, dims);
    int start = draw(r, r->pool_count);
    for (int i = 0; i < r->pool_count; i++) {
        linnet_value y = r->pool[(start + i) % r->pool_count];
        if (shape_in(r, y, other) == rank && memcmp(dims, other, rank * sizeof *dims) == 0)
            return y;
    }
    return x;
}

static inline linnet_value random_binary(random_net *r, linnet_value x)
{
    linnet_value y = find_alike(r, x);
    if (draw(r, 2)) {
        linnet_value swap = x;
        x = y;
        y = swap;
    }
    switch (draw(r, 4)) {
    case 0:
        return linnet_sub(r->net, x, y);
    case 1:
        return linnet_mul(r->net, x, y);
    default:
        return linnet_add(r->net, x, y);
    }
}

/* Values that agree with x in all dims but 1, along that axis. */
static inline linnet_value random_concat(random_net *r, linnet_value x)
{
    linnet_value parts[4] = {x};
    size_t count = 1;
    int64_t dims[LINNET_MAX_RANK], other[LINNET_MAX_RANK];
    uint32_t rank = shape_in(r, x, dims);
    for (int i = 0; i < 12 && count < 4; i++) {
        linnet_value y = r->pool[draw(r, r->pool_count)];
        int fits = shape_in(r, y, other) == rank;
        for (uint32_t d = 2; d < rank; d++)
            fits = fits && dims[d] == other[d];
        if (fits)
            parts[count++] = y;
    }
    return linnet_concat(r->net, parts, count, 1);
}

static inline linnet_value random_reshape(random_net *r, linnet_value x, const int64_t *dims, uint32_t rank)
{
    if (rank == 4 && draw(r, 2))
        return linnet_reshape(r->net, x, 3, (const int64_t[]){dims[2], dims[1], LINNET_FREE});
    if (rank == 2)
        return linnet_reshape(r->net, x, 3, (const int64_t[]){dims[1], 1, 1});
    return linnet_flatten(r->net, x);
}

static inline linnet_value random_layer(random_net *r, linnet_value x)
{
    int64_t dims[LINNET_MAX_RANK];
    uint32_t rank = shape_in(r, x, dims);
    if (rank == 4 && draw(r, 3) == 0)
        return random_conv(r, x, dims);
    switch (draw(r, 13)) {
    case 0:
    case 1:
        return rank == 4 ? random_pool(r, x, dims) : random_unary(r, x);
    case 2: /* a channel may be constant: a small epsilon would make a difference in the last bit a large one */
        return linnet_batch_norm(r->net, x, .momentum = 0.3f, .epsilon = 1e-2f);
    case 3:
        return r->smooth ? random_unary(r, x) : linnet_dropout(r->net, x, 0.5f);
    case 4:
    case 5:
        return random_binary(r, x);
    case 6:
        return random_concat(r, x);
    case 7:
        return random_reshape(r, x, dims, rank);
    case 8:
        return linnet_linear(r->net, x, .out_features = 1 + draw(r, 20), .no_bias = draw(r, 3) == 0);
    case 9:
        return draw(r, 2) ? linnet_softmax(r->net, x, draw(r, (int)rank)) : linnet_log_softmax(r->net, x, -1);
    case 10:
        return rank == 4 && draw(r, 2) ? linnet_global_avg_pool(r->net, x) : random_unary(r, x);
    case 11:
        return rank == 4 ? random_picture(r, x, dims) : random_unary(r, x);
    default:
        return random_unary(r, x);
    }
}

/* A scalar from x: against a target or labels, or a regulariser. */
static inline void random_loss(random_net *r, linnet_value x)
{
    char name[32];
    int64_t dims[LINNET_MAX_RANK];
    uint32_t rank = shape_in(r, x, dims);
    linnet_value loss;
    snprintf(name, sizeof name, "target%d", r->target_count++);
    if (draw(r, 6) == 0) { /* squares of what some nets grow to would not be finite */
        x = linnet_softmax(r->net, x, 1);
        if (rank != 4 || draw(r, 2))
            loss = linnet_alpha_norm(r->net, x, draw(r, 2) ? 2 : 2.5f);
        else
            loss = draw(r, 2) ? linnet_total_variation(r->net, x, 2, 0) : linnet_total_variation(r->net, x, 1, 0.1f);
    } else if (draw(r, 2)) {
        linnet_value logits = linnet_linear(r->net, x, .out_features = 4);
        loss = linnet_cross_entropy(r->net, logits, linnet_labels(r->net, name));
    } else {
        loss = linnet_mse(r->net, x, linnet_input_with(r->net, name, LINNET_F32, rank - 1, dims + 1));
    }
    r->losses[r->loss_count++] = loss;
}

static inline void random_ends(random_net *r)
{
    random_loss(r, r->pool[r->pool_count - 1]);
    for (int extra = draw(r, 3); extra > 0; extra--)
        random_loss(r, r->pool[draw(r, r->pool_count)]);
    if (r->loss_count > 1 && draw(r, 3) == 0) {
        r->total = r->losses[0];
        for (int i = 1; i < r->loss_count; i++)
            r->total = linnet_add(r->net, r->total, linnet_scale(r->net, r->losses[i], 0.5f * (float)i, 0));
    }
    if (draw(r, 3) == 0) { /* some parameter stands still */
        char name[32];
        snprintf(name, sizeof name, "conv2d%d.weight", 1 + draw(r, 2));
        linnet_value parameter = linnet_net_parameter(r->net, name);
        if (parameter.id)
            linnet_net_freeze(r->net, parameter, 1);
    }
}

static inline random_net random_net_new(uint64_t seed, int smooth)
{
    random_net r = {.seed = seed, .smooth = smooth, .net = linnet_net_new(NULL)};
    int64_t channels[] = {1, 2, 3, 16, 20};
    int64_t c = channels[draw(&r, 5)], h = 3 + draw(&r, 6), w = 3 + draw(&r, 6);
    r.pool[r.pool_count++] = linnet_input(r.net, "in0", c, h, w);
    if (draw(&r, 3) == 0)
        r.pool[r.pool_count++] = linnet_input(r.net, "in1", c, h, w);
    int layers = 2 + draw(&r, 14);
    for (int i = 0; i < layers; i++) {
        int recent = draw(&r, 3) ? 1 : r.pool_count; /* mostly a chain */
        linnet_value x = r.pool[r.pool_count - 1 - draw(&r, recent)];
        r.pool[r.pool_count] = random_layer(&r, x);
        r.pool_count++;
    }
    random_ends(&r);
    if (linnet_net_status(r.net) != LINNET_OK)
        fail_msg("net %llu: %s", (unsigned long long)seed, linnet_net_message(r.net));
    return r;
}

#endif
