/* SPDX-License-Identifier: Apache-2.0 */
/* The layer calls of net.h: options with zeros meaning defaults become complete attributes. */
#include "net.h"

#include <string.h>

bool linnet_net_take_options(linnet_net *net, const char *kind, const void *given, void *out, size_t size)
{
    uint32_t given_size = 0;
    memset(out, 0, size);
    if (linnet_net_check(net) != LINNET_OK)
        return false;
    if (!given)
        return true;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > 4096) {
        linnet_net_fail(net, LINNET_INVALID, "%s: options.struct_size is %u, wants sizeof the options", kind,
                        given_size);
        return false;
    }
    memcpy(out, given, given_size < size ? given_size : size);
    return true;
}

/* Whether a layer's own weight can start so. */
static bool is_initial(linnet_initial initial)
{
    return initial <= LINNET_INITIAL_SMALL_NORMAL && initial != LINNET_INITIAL_ONE && initial != LINNET_INITIAL_VALUES;
}

/* The first that is not zero. */
static int64_t first_of(int64_t a, int64_t b, int64_t otherwise)
{
    return a ? a : b ? b : otherwise;
}

static linnet_value with_bias(linnet_net *net, linnet_node_request *request, linnet_value weight, linnet_value bias,
                              int no_bias)
{
    request->parameter_count = no_bias ? 1 : 2;
    request->parameters[0] = weight;
    request->parameters[1] = no_bias ? (linnet_value){0} : bias;
    if (no_bias && bias.id)
        return linnet_net_fail(net, LINNET_INVALID, "%s: a bias is given together with no_bias",
                               request->name ? request->name : "a layer");
    return linnet_net_add_node(net, request);
}

/* Where the kernel's size is not given it is the weight's, whose last two dims are a kernel's. */
static void take_kernel(linnet_net *net, linnet_value given, uint32_t rank, int64_t kernel[2])
{
    const linnet_net_value *weight = given.id ? linnet_net_value_get(net, given) : NULL;
    for (uint32_t i = 0; weight && weight->shape.rank == rank && i < 2; i++)
        kernel[i] = first_of(kernel[i], weight->shape.dims[rank - 2 + i], 0);
}

linnet_value linnet_conv2d_with(linnet_net *net, linnet_value x, const linnet_conv2d_options *options)
{
    linnet_conv2d_options o;
    if (!linnet_net_take_options(net, "conv2d", options, &o, sizeof o))
        return (linnet_value){0};
    linnet_conv2d_attributes attributes = {
        .struct_size = sizeof attributes,
        .groups = (uint32_t)first_of(o.groups, 0, 1),
        .kernel = {first_of(o.kernel_h, o.kernel, 0), first_of(o.kernel_w, o.kernel, 0)},
        .stride = {first_of(o.stride_h, o.stride, 1), first_of(o.stride_w, o.stride, 1)},
        .dilation = {first_of(o.dilation_h, o.dilation, 1), first_of(o.dilation_w, o.dilation, 1)},
        .padding = {first_of(o.padding_top, o.padding, 0), first_of(o.padding_left, o.padding, 0),
                    first_of(o.padding_bottom, o.padding, 0), first_of(o.padding_right, o.padding, 0)},
    };
    if (o.groups < 0 || o.groups > UINT32_MAX)
        return linnet_net_fail(net, LINNET_INVALID, "conv2d: groups is %lld", (long long)o.groups);
    if (!is_initial(o.initial))
        return linnet_net_fail(net, LINNET_INVALID, "conv2d: initial is %d", (int)o.initial);
    take_kernel(net, o.weight, 4, attributes.kernel);
    linnet_node_request request = {.kind = LINNET_LAYER_CONV2D,
                                   .initial = o.initial,
                                   .name = o.name,
                                   .attributes = &attributes,
                                   .input_count = 1,
                                   .inputs = &x,
                                   .features = o.out_channels};
    return with_bias(net, &request, o.weight, o.bias, o.no_bias);
}

linnet_value linnet_local_conv2d_with(linnet_net *net, linnet_value x, const linnet_local_conv2d_options *options)
{
    linnet_local_conv2d_options o;
    if (!linnet_net_take_options(net, "local_conv2d", options, &o, sizeof o))
        return (linnet_value){0};
    linnet_local_conv2d_attributes attributes = {
        .struct_size = sizeof attributes,
        .kernel = {first_of(o.kernel_h, o.kernel, 0), first_of(o.kernel_w, o.kernel, 0)},
        .stride = {first_of(o.stride_h, o.stride, 1), first_of(o.stride_w, o.stride, 1)},
        .padding = {first_of(o.padding_top, o.padding, 0), first_of(o.padding_left, o.padding, 0),
                    first_of(o.padding_bottom, o.padding, 0), first_of(o.padding_right, o.padding, 0)},
    };
    take_kernel(net, o.weight, 6, attributes.kernel);
    linnet_node_request request = {.kind = LINNET_LAYER_LOCAL_CONV2D,
                                   .name = o.name,
                                   .attributes = &attributes,
                                   .input_count = 1,
                                   .inputs = &x,
                                   .features = o.out_channels};
    return with_bias(net, &request, o.weight, o.bias, o.no_bias);
}

linnet_value linnet_linear_with(linnet_net *net, linnet_value x, const linnet_linear_options *options)
{
    linnet_linear_options o;
    if (!linnet_net_take_options(net, "linear", options, &o, sizeof o))
        return (linnet_value){0};
    if (!is_initial(o.initial))
        return linnet_net_fail(net, LINNET_INVALID, "linear: initial is %d", (int)o.initial);
    linnet_node_request request = {.kind = LINNET_LAYER_LINEAR,
                                   .initial = o.initial,
                                   .name = o.name,
                                   .input_count = 1,
                                   .inputs = &x,
                                   .features = o.out_features};
    return with_bias(net, &request, o.weight, o.bias, o.no_bias);
}

static linnet_value pool2d(linnet_net *net, linnet_value x, linnet_layer_kind kind,
                           const linnet_pool2d_options *options)
{
    linnet_pool2d_options o;
    if (!linnet_net_take_options(net, "pool2d", options, &o, sizeof o))
        return (linnet_value){0};
    int64_t kernel[2] = {first_of(o.kernel_h, o.kernel, 0), first_of(o.kernel_w, o.kernel, 0)};
    linnet_pool2d_attributes attributes = {
        .struct_size = sizeof attributes,
        .exclude_padding = o.exclude_padding != 0,
        .kernel = {kernel[0], kernel[1]},
        .stride = {first_of(o.stride_h, o.stride, kernel[0]), first_of(o.stride_w, o.stride, kernel[1])},
        .padding = {first_of(o.padding_top, o.padding, 0), first_of(o.padding_left, o.padding, 0),
                    first_of(o.padding_bottom, o.padding, 0), first_of(o.padding_right, o.padding, 0)},
    };
    return linnet_net_add_node(
        net, &(linnet_node_request){
                 .kind = kind, .name = o.name, .attributes = &attributes, .input_count = 1, .inputs = &x});
}

linnet_value linnet_max_pool2d_with(linnet_net *net, linnet_value x, const linnet_pool2d_options *options)
{
    return pool2d(net, x, LINNET_LAYER_MAX_POOL2D, options);
}

linnet_value linnet_avg_pool2d_with(linnet_net *net, linnet_value x, const linnet_pool2d_options *options)
{
    return pool2d(net, x, LINNET_LAYER_AVG_POOL2D, options);
}

linnet_value linnet_pad2d_with(linnet_net *net, linnet_value x, const linnet_pad2d_options *options)
{
    linnet_pad2d_options o;
    if (!linnet_net_take_options(net, "pad2d", options, &o, sizeof o))
        return (linnet_value){0};
    linnet_pad2d_attributes attributes = {
        .struct_size = sizeof attributes,
        .mode = o.mode,
        .padding = {first_of(o.padding_top, o.padding, 0), first_of(o.padding_left, o.padding, 0),
                    first_of(o.padding_bottom, o.padding, 0), first_of(o.padding_right, o.padding, 0)},
        .value = o.value,
    };
    return linnet_net_add_node(
        net,
        &(linnet_node_request){
            .kind = LINNET_LAYER_PAD2D, .name = o.name, .attributes = &attributes, .input_count = 1, .inputs = &x});
}

/* A node without options. */
static linnet_value plain(linnet_net *net, linnet_layer_kind kind, const char *kind_name, const void *attributes,
                          const linnet_value *inputs, uint32_t input_count)
{
    return linnet_net_add_node(net, &(linnet_node_request){.kind = kind,
                                                           .kind_name = kind_name,
                                                           .attributes = attributes,
                                                           .input_count = input_count,
                                                           .inputs = inputs});
}

linnet_value linnet_global_avg_pool(linnet_net *net, linnet_value x)
{
    return plain(net, LINNET_LAYER_GLOBAL_AVG_POOL, NULL, NULL, &x, 1);
}

linnet_value linnet_batch_norm_with(linnet_net *net, linnet_value x, const linnet_batch_norm_options *options)
{
    linnet_batch_norm_options o;
    if (!linnet_net_take_options(net, "batch_norm", options, &o, sizeof o))
        return (linnet_value){0};
    linnet_batch_norm_attributes attributes = {.struct_size = sizeof attributes,
                                               .epsilon = o.epsilon != 0 ? o.epsilon : 1e-5f,
                                               .momentum = o.momentum != 0 ? o.momentum : 0.1f};
    linnet_node_request request = {
        .kind = LINNET_LAYER_BATCH_NORM, .name = o.name, .attributes = &attributes, .input_count = 1, .inputs = &x};
    return with_bias(net, &request, o.weight, o.bias, 0);
}

static linnet_value unary(linnet_net *net, linnet_value x, linnet_unary_op op, const char *name, float alpha,
                          float beta)
{
    linnet_unary_attributes attributes = {.struct_size = sizeof attributes, .op = op, .alpha = alpha, .beta = beta};
    return plain(net, LINNET_LAYER_UNARY, name, &attributes, &x, 1);
}

linnet_value linnet_relu(linnet_net *net, linnet_value x)
{
    return unary(net, x, LINNET_UNARY_RELU, "relu", 0, 0);
}

linnet_value linnet_leaky_relu(linnet_net *net, linnet_value x, float slope)
{
    return unary(net, x, LINNET_UNARY_LEAKY_RELU, "leaky_relu", slope, 0);
}

linnet_value linnet_clip(linnet_net *net, linnet_value x, float low, float high)
{
    return unary(net, x, LINNET_UNARY_CLIP, "clip", low, high);
}

linnet_value linnet_relu6(linnet_net *net, linnet_value x)
{
    return unary(net, x, LINNET_UNARY_CLIP, "clip", 0, 6);
}

linnet_value linnet_tanh(linnet_net *net, linnet_value x)
{
    return unary(net, x, LINNET_UNARY_TANH, "tanh", 0, 0);
}

linnet_value linnet_sigmoid(linnet_net *net, linnet_value x)
{
    return unary(net, x, LINNET_UNARY_SIGMOID, "sigmoid", 0, 0);
}

linnet_value linnet_scale(linnet_net *net, linnet_value x, float factor, float offset)
{
    return unary(net, x, LINNET_UNARY_SCALE, "scale", factor, offset);
}

static linnet_value binary(linnet_net *net, linnet_value a, linnet_value b, linnet_binary_op op, const char *name)
{
    linnet_binary_attributes attributes = {.struct_size = sizeof attributes, .op = op};
    return plain(net, LINNET_LAYER_BINARY, name, &attributes, (const linnet_value[]){a, b}, 2);
}

linnet_value linnet_add(linnet_net *net, linnet_value a, linnet_value b)
{
    return binary(net, a, b, LINNET_BINARY_ADD, "add");
}

linnet_value linnet_sub(linnet_net *net, linnet_value a, linnet_value b)
{
    return binary(net, a, b, LINNET_BINARY_SUB, "sub");
}

linnet_value linnet_mul(linnet_net *net, linnet_value a, linnet_value b)
{
    return binary(net, a, b, LINNET_BINARY_MUL, "mul");
}

/* A layer along an axis of its inputs; a negative axis counts from the end. */
static linnet_value along(linnet_net *net, linnet_layer_kind kind, const linnet_value *inputs, uint32_t count, int axis)
{
    if (linnet_net_check(net) != LINNET_OK)
        return (linnet_value){0};
    const linnet_net_value *x = count ? linnet_net_value_get(net, inputs[0]) : NULL;
    int rank = x ? (int)x->shape.rank : 0, counted = axis < 0 ? axis + rank : axis;
    if (x && (counted < 0 || counted >= rank))
        return linnet_net_fail(net, LINNET_INVALID, "%s: axis %d of an input with %d dimensions",
                               linnet_layer_find(kind)->name, axis, rank);
    linnet_axis_attributes attributes = {.struct_size = sizeof attributes, .axis = (uint32_t)counted};
    return plain(net, kind, NULL, &attributes, inputs, count);
}

linnet_value linnet_softmax(linnet_net *net, linnet_value x, int axis)
{
    return along(net, LINNET_LAYER_SOFTMAX, &x, 1, axis);
}

linnet_value linnet_log_softmax(linnet_net *net, linnet_value x, int axis)
{
    return along(net, LINNET_LAYER_LOG_SOFTMAX, &x, 1, axis);
}

linnet_value linnet_concat(linnet_net *net, const linnet_value *values, size_t count, int axis)
{
    return along(net, LINNET_LAYER_CONCAT, values, count > LINNET_MAX_INPUTS ? LINNET_MAX_INPUTS + 1 : (uint32_t)count,
                 axis);
}

linnet_value linnet_reshape(linnet_net *net, linnet_value x, size_t rank, const int64_t *dims)
{
    if (linnet_net_check(net) != LINNET_OK)
        return (linnet_value){0};
    if (rank > LINNET_MAX_RANK - 1)
        return linnet_net_fail(net, LINNET_LIMIT, "reshape: more than %d dimensions", LINNET_MAX_RANK - 1);
    linnet_shape target = {.rank = (uint32_t)rank + 1, .dims = {LINNET_FREE_DIM}};
    for (size_t i = 0; i < rank; i++)
        target.dims[i + 1] = dims[i] == LINNET_FREE ? -2 : dims[i];
    return plain(net, LINNET_LAYER_RESHAPE, NULL, &target, &x, 1);
}

linnet_value linnet_flatten(linnet_net *net, linnet_value x)
{
    linnet_shape target = {.rank = 2, .dims = {LINNET_FREE_DIM, -2}};
    return plain(net, LINNET_LAYER_RESHAPE, "flatten", &target, &x, 1);
}

linnet_value linnet_dropout(linnet_net *net, linnet_value x, float probability)
{
    linnet_dropout_attributes attributes = {.struct_size = sizeof attributes, .probability = probability};
    return plain(net, LINNET_LAYER_DROPOUT, NULL, &attributes, &x, 1);
}

linnet_value linnet_cross_entropy(linnet_net *net, linnet_value logits, linnet_value labels)
{
    return plain(net, LINNET_LAYER_CROSS_ENTROPY, NULL, NULL, (const linnet_value[]){logits, labels}, 2);
}

linnet_value linnet_mse(linnet_net *net, linnet_value x, linnet_value target)
{
    return plain(net, LINNET_LAYER_MSE, NULL, NULL, (const linnet_value[]){x, target}, 2);
}

linnet_value linnet_gram(linnet_net *net, linnet_value x, float scale)
{
    linnet_gram_attributes attributes = {.struct_size = sizeof attributes, .scale = scale != 0 ? scale : 1};
    return plain(net, LINNET_LAYER_GRAM, NULL, &attributes, &x, 1);
}

linnet_value linnet_total_variation(linnet_net *net, linnet_value x, float beta, float epsilon)
{
    linnet_total_variation_attributes attributes = {
        .struct_size = sizeof attributes, .beta = beta != 0 ? beta : 2, .epsilon = epsilon};
    return plain(net, LINNET_LAYER_TOTAL_VARIATION, NULL, &attributes, &x, 1);
}

linnet_value linnet_alpha_norm(linnet_net *net, linnet_value x, float alpha)
{
    linnet_alpha_norm_attributes attributes = {.struct_size = sizeof attributes, .alpha = alpha != 0 ? alpha : 6};
    return plain(net, LINNET_LAYER_ALPHA_NORM, NULL, &attributes, &x, 1);
}
