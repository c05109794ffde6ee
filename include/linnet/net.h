/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A net: a graph of layers, described once and independent of any device. linnet_session (session.h) runs it.
 *
 * Values. Every layer call returns a linnet_value, the handle of the tensor it makes; parameters and inputs are values
 * too. Shapes are [N,C,H,W]; the batch N is free, and so is any dimension given as LINNET_FREE. Shapes are inferred and
 * checked as layers are added.
 *
 * Errors stick to the net: a call that fails makes every later call return the null value, and linnet_net_status says
 * what was first wrong and where ("conv2d 'c3': input has 6 channels, weight wants 16"). So build first, ask once.
 *
 * Options. linnet_conv2d(net, x, .out_channels = 6, .kernel = 5) is sugar over linnet_conv2d_with(net, x, &options);
 * zero always means the default, so that bindings can clear an options struct, set struct_size and go.
 *
 * Names. A layer's name (.name, else kind and number: "conv2d1") prefixes its parameters: "conv1.weight",
 * "conv1.bias", as torchvision's, so that published weights load.
 *
 * Threads: a net belongs to one thread at a time. Sessions take what they need when they compile; do not change a net
 * while another thread runs a session of it.
 */
#ifndef LINNET_NET_H
#define LINNET_NET_H

#include "context.h"
#include "layers.h"

LINNET_BEGIN_DECLS

#define LINNET_FREE (-1) /* a dimension known only when the net runs */

typedef struct linnet_net linnet_net;

/* A tensor of a net. The null value {0} is what failed calls return. */
typedef struct linnet_value {
    uint32_t id;
} linnet_value;

/* NULL: see linnet_context_message. */
LINNET_API linnet_net *linnet_net_new(linnet_context *context);
/* Frees the net; sessions made from it must be gone. Accepts NULL, clears the pointer. */
LINNET_API void linnet_net_free(linnet_net **net);
/* LINNET_OK, or the first error. */
LINNET_API linnet_status linnet_net_status(const linnet_net *net);
/* The sentence of the first error, "" while there is none. */
LINNET_API const char *linnet_net_message(const linnet_net *net);
/* The architecture's name, kept in weight files ("lenet5"); "" unless set. */
LINNET_API linnet_status linnet_net_set_name(linnet_net *net, const char *name);
LINNET_API const char *linnet_net_name(const linnet_net *net);
/* A note by its key, kept in weight files beside the name; a new text takes the place of an old one. "input" says how
   pictures are prepared (zoo.h). */
LINNET_API linnet_status linnet_net_set_note(linnet_net *net, const char *key, const char *text);
/* NULL when there is none. */
LINNET_API const char *linnet_net_note(const linnet_net *net, const char *key);

/* ---- Inputs, parameters, outputs ---- */

/* An f32 input [N, dims...]: linnet_input(net, "image", 1, 28, 28). */
#define linnet_input(net, name, ...)                                                                                   \
    linnet_input_with(net, name, LINNET_F32, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                 \
                      (const int64_t[]){__VA_ARGS__})
/* rank counts the dims behind the batch. */
LINNET_API linnet_value linnet_input_with(linnet_net *net, const char *name, linnet_type type, size_t rank,
                                          const int64_t *dims);
/* Class numbers, i32 [N]. */
LINNET_API linnet_value linnet_labels(linnet_net *net, const char *name);

/* How a parameter starts. Uniform as PyTorch's defaults: bound = sqrt(6 / ((1 + a^2) fan_in)), a = sqrt(5) for weights;
   1 / sqrt(fan_in) for biases. Drawn by Philox from (seed, number of the parameter, element). */
typedef enum linnet_initial {
    LINNET_INITIAL_KAIMING_UNIFORM =
        0, /* U(-bound, bound), bound = 1 / sqrt(fan_in), which is Kaiming's with a = sqrt(5) */
    LINNET_INITIAL_ZERO = 1,
    LINNET_INITIAL_ONE = 2,
    LINNET_INITIAL_VALUES = 3,     /* as options.values says, whatever the seed: filters made by hand */
    LINNET_INITIAL_HE_UNIFORM = 4, /* U(-bound, bound), bound = sqrt(6 / fan_in): keeps the variance through many layers
                                      with a relu behind each (He, Zhang, Ren and Sun 2015) */
    LINNET_INITIAL_HE_NORMAL = 5,  /* N(0, 2 / fan_out): the same for the gradient; as torchvision starts deep networks.
                                      fan_out is the product of all dims but the second */
    LINNET_INITIAL_SMALL_NORMAL = 6 /* N(0, 0.01^2) */
} linnet_initial;

typedef struct linnet_parameter_options {
    uint32_t struct_size;
    linnet_initial initial;
    int64_t fan_in;      /* 0: the product of all dims but the first */
    const float *values; /* LINNET_INITIAL_VALUES: as many as dims say; copied */
} linnet_parameter_options;

/* A parameter of its own, to be handed to one layer or several (.weight, .bias): gradients of all uses add up. */
LINNET_API linnet_value linnet_parameter_with(linnet_net *net, const char *name, size_t rank, const int64_t *dims,
                                              const linnet_parameter_options *options);
/* A parameter by its full name ("conv1.weight"); null value when there is none (no error on the net). */
LINNET_API linnet_value linnet_net_parameter(const linnet_net *net, const char *name);
/* A frozen parameter gets no gradient and no optimiser step. */
LINNET_API void linnet_net_freeze(linnet_net *net, linnet_value parameter, int frozen);

/* Names a value as an output of the net: it can be read after every run. Values that no layer uses are outputs anyway.
 */
LINNET_API void linnet_output(linnet_net *net, linnet_value value, const char *name);
/* Names a layer, and what it makes, after the fact: "relu1_1" instead of "relu1". Returns the value. A layer's
   parameters keep their names. */
LINNET_API linnet_value linnet_name(linnet_net *net, linnet_value value, const char *name);
/* Any value by its name (inputs, outputs, layers by their name); null value when there is none. */
LINNET_API linnet_value linnet_net_find(const linnet_net *net, const char *name);
/* What the layer called name makes (or the output of that name); LINNET_NOT_FOUND with a message that lists all layers.
   No error on the net. */
LINNET_API linnet_status linnet_net_layer(const linnet_net *net, const char *name, linnet_value *out_value);

/* ---- Layers. What they compute stands in layers.h. ---- */

typedef struct linnet_conv2d_options {
    uint32_t struct_size;
    int no_bias;
    const char *name;
    int64_t out_channels;                                             /* needed, unless weight is given */
    int64_t kernel, kernel_h, kernel_w;                               /* square, or each by itself */
    int64_t stride, stride_h, stride_w;                               /* default 1 */
    int64_t dilation, dilation_h, dilation_w;                         /* default 1 */
    int64_t padding;                                                  /* default 0; all four sides */
    int64_t padding_top, padding_left, padding_bottom, padding_right; /* where not 0, instead of padding */
    int64_t groups;                                                   /* default 1 */
    linnet_value weight, bias;                                        /* shared parameters; default: the layer's own */
    linnet_initial initial; /* of an own weight; from LINNET_INITIAL_HE_UNIFORM on, an own bias starts at 0 */
} linnet_conv2d_options;
#define linnet_conv2d(net, x, ...)                                                                                     \
    linnet_conv2d_with(net, x, &(linnet_conv2d_options){.struct_size = sizeof(linnet_conv2d_options), __VA_ARGS__})
LINNET_API linnet_value linnet_conv2d_with(linnet_net *net, linnet_value x, const linnet_conv2d_options *options);

typedef struct linnet_local_conv2d_options {
    uint32_t struct_size;
    int no_bias;
    const char *name;
    int64_t out_channels;                                             /* needed, unless weight is given */
    int64_t kernel, kernel_h, kernel_w;                               /* square, or each by itself */
    int64_t stride, stride_h, stride_w;                               /* default 1 */
    int64_t padding;                                                  /* default 0; all four sides */
    int64_t padding_top, padding_left, padding_bottom, padding_right; /* where not 0, instead of padding */
    linnet_value weight, bias;                                        /* shared parameters; default: the layer's own */
} linnet_local_conv2d_options;
/* A convolution with a filter of its own at every place: x's height and width must be known. */
#define linnet_local_conv2d(net, x, ...)                                                                               \
    linnet_local_conv2d_with(                                                                                          \
        net, x, &(linnet_local_conv2d_options){.struct_size = sizeof(linnet_local_conv2d_options), __VA_ARGS__})
LINNET_API linnet_value linnet_local_conv2d_with(linnet_net *net, linnet_value x,
                                                 const linnet_local_conv2d_options *options);

typedef struct linnet_linear_options {
    uint32_t struct_size;
    int no_bias;
    const char *name;
    int64_t out_features; /* needed, unless weight is given */
    linnet_value weight, bias;
    linnet_initial initial; /* as of conv2d */
} linnet_linear_options;
/* x [N,...] -> [N,out_features]; what lies behind N is flattened. */
#define linnet_linear(net, x, ...)                                                                                     \
    linnet_linear_with(net, x, &(linnet_linear_options){.struct_size = sizeof(linnet_linear_options), __VA_ARGS__})
LINNET_API linnet_value linnet_linear_with(linnet_net *net, linnet_value x, const linnet_linear_options *options);

typedef struct linnet_pool2d_options {
    uint32_t struct_size;
    int exclude_padding; /* average only: divide by the elements inside x */
    const char *name;
    int64_t kernel, kernel_h, kernel_w;
    int64_t stride, stride_h, stride_w; /* default: the kernel */
    int64_t padding, padding_top, padding_left, padding_bottom, padding_right;
} linnet_pool2d_options;
#define linnet_max_pool2d(net, x, ...)                                                                                 \
    linnet_max_pool2d_with(net, x, &(linnet_pool2d_options){.struct_size = sizeof(linnet_pool2d_options), __VA_ARGS__})
#define linnet_avg_pool2d(net, x, ...)                                                                                 \
    linnet_avg_pool2d_with(net, x, &(linnet_pool2d_options){.struct_size = sizeof(linnet_pool2d_options), __VA_ARGS__})
LINNET_API linnet_value linnet_max_pool2d_with(linnet_net *net, linnet_value x, const linnet_pool2d_options *options);
LINNET_API linnet_value linnet_avg_pool2d_with(linnet_net *net, linnet_value x, const linnet_pool2d_options *options);
LINNET_API linnet_value linnet_global_avg_pool(linnet_net *net, linnet_value x);

typedef struct linnet_pad2d_options {
    uint32_t struct_size;
    uint32_t mode; /* linnet_pad_mode; default LINNET_PAD_CONSTANT */
    const char *name;
    int64_t padding;                                                  /* default 0; all four sides */
    int64_t padding_top, padding_left, padding_bottom, padding_right; /* where not 0, instead of padding */
    float value;                                                      /* default 0 */
} linnet_pad2d_options;
#define linnet_pad2d(net, x, ...)                                                                                      \
    linnet_pad2d_with(net, x, &(linnet_pad2d_options){.struct_size = sizeof(linnet_pad2d_options), __VA_ARGS__})
LINNET_API linnet_value linnet_pad2d_with(linnet_net *net, linnet_value x, const linnet_pad2d_options *options);

typedef struct linnet_batch_norm_options {
    uint32_t struct_size;
    uint32_t reserved;
    const char *name;
    float epsilon;  /* default 1e-5 */
    float momentum; /* default 0.1 */
    linnet_value weight, bias;
} linnet_batch_norm_options;
#define linnet_batch_norm(net, x, ...)                                                                                 \
    linnet_batch_norm_with(                                                                                            \
        net, x, &(linnet_batch_norm_options){.struct_size = sizeof(linnet_batch_norm_options), __VA_ARGS__})
LINNET_API linnet_value linnet_batch_norm_with(linnet_net *net, linnet_value x,
                                               const linnet_batch_norm_options *options);

LINNET_API linnet_value linnet_relu(linnet_net *net, linnet_value x);
LINNET_API linnet_value linnet_leaky_relu(linnet_net *net, linnet_value x, float slope); /* slope > 0 */
LINNET_API linnet_value linnet_clip(linnet_net *net, linnet_value x, float low, float high);
LINNET_API linnet_value linnet_relu6(linnet_net *net, linnet_value x);
LINNET_API linnet_value linnet_tanh(linnet_net *net, linnet_value x);
LINNET_API linnet_value linnet_sigmoid(linnet_net *net, linnet_value x);
LINNET_API linnet_value linnet_scale(linnet_net *net, linnet_value x, float factor,
                                     float offset); /* factor x + offset */

LINNET_API linnet_value linnet_add(linnet_net *net, linnet_value a, linnet_value b);
LINNET_API linnet_value linnet_sub(linnet_net *net, linnet_value a, linnet_value b);
LINNET_API linnet_value linnet_mul(linnet_net *net, linnet_value a, linnet_value b);

LINNET_API linnet_value linnet_softmax(linnet_net *net, linnet_value x, int axis); /* axis < 0 counts from the end */
LINNET_API linnet_value linnet_log_softmax(linnet_net *net, linnet_value x, int axis);
LINNET_API linnet_value linnet_flatten(linnet_net *net, linnet_value x); /* [N,...] -> [N,the rest] */
/* dims behind the batch; one of them may be LINNET_FREE: what is left. */
LINNET_API linnet_value linnet_reshape(linnet_net *net, linnet_value x, size_t rank, const int64_t *dims);
LINNET_API linnet_value linnet_concat(linnet_net *net, const linnet_value *values, size_t count, int axis);
LINNET_API linnet_value linnet_dropout(linnet_net *net, linnet_value x, float probability);
/* [N,C,H,W] -> [N,C,C], scale times the products of the channels; scale 0: 1. */
LINNET_API linnet_value linnet_gram(linnet_net *net, linnet_value x, float scale);

/* ---- Losses: scalars, labels and targets are inputs ---- */
LINNET_API linnet_value linnet_cross_entropy(linnet_net *net, linnet_value logits, linnet_value labels);
LINNET_API linnet_value linnet_mse(linnet_net *net, linnet_value x, linnet_value target);
/* Regularisers of pictures. beta 0: 2; alpha 0: 6, as Mahendran and Vedaldi (2015). */
LINNET_API linnet_value linnet_total_variation(linnet_net *net, linnet_value x, float beta, float epsilon);
LINNET_API linnet_value linnet_alpha_norm(linnet_net *net, linnet_value x, float alpha);

/* ---- What a net is made of, for summaries and tools ---- */

typedef struct linnet_node_info {
    const char *name, *kind; /* kind: "conv2d"; of the families the operator: "relu", "add" */
    uint32_t input_count;
    linnet_value inputs[LINNET_MAX_INPUTS];
    linnet_value output;
    uint64_t parameters;    /* elements of the parameters first used here */
    uint64_t multiply_adds; /* of one forward pass of one item; 0 when dimensions are free */
} linnet_node_info;

LINNET_API size_t linnet_net_node_count(const linnet_net *net);
LINNET_API linnet_status linnet_net_node(const linnet_net *net, size_t index, linnet_node_info *out_info);
/* Writes up to LINNET_MAX_RANK dims (LINNET_FREE where free) and returns the rank. */
LINNET_API uint32_t linnet_value_shape(const linnet_net *net, linnet_value value, int64_t *out_dims);
/* The value's name, "" for one without. */
LINNET_API const char *linnet_value_name(const linnet_net *net, linnet_value value);
LINNET_API uint64_t linnet_net_parameter_count(const linnet_net *net); /* elements in all parameters */

LINNET_END_DECLS
#endif
