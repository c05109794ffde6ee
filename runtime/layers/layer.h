/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device-free half of a layer: validate, infer shapes, say what has a gradient, count. One file per layer kind,
 * one table; everything else about a layer is a backend's. Internal.
 */
#ifndef LINNET_LAYER_H
#define LINNET_LAYER_H

#include "../core/core.h"
#include "linnet/layers.h"

#define LINNET_FREE_DIM (-1) /* not known while the net is built: the batch, sometimes height and width */

typedef struct linnet_shape {
    linnet_type type;
    uint32_t rank;
    int64_t dims[LINNET_MAX_RANK]; /* LINNET_FREE_DIM where free */
} linnet_shape;

/* One node's shapes. The caller fills the upper part; infer checks it and fills the lower part. */
typedef struct linnet_shape_job {
    linnet_context *context;
    const char *node;       /* for messages: "conv2d 'c3'" is made of the layer's name and this */
    const void *attributes; /* as in layers.h; reshape: const linnet_shape *, the target, one dim may be -2 ("the
                               rest"), LINNET_FREE_DIM copies the input's dim at the same place */
    uint32_t input_count;
    linnet_shape inputs[LINNET_MAX_INPUTS];
    uint32_t parameter_count; /* how many are there: a missing bias is not counted */
    /* Shapes of parameters that exist already. Rank 0: not yet made, then infer fills in what it needs from features. */
    linnet_shape parameters[LINNET_MAX_PARAMETERS];
    int64_t features; /* conv2d: out_channels, linear: out_features; 0: take it from the weight */

    uint32_t output_count, state_count;
    linnet_shape outputs[LINNET_MAX_OUTPUTS];
    linnet_shape states[LINNET_MAX_STATES];
} linnet_shape_job;

typedef struct linnet_layer {
    linnet_layer_kind kind;
    const char *name;
    size_t attributes_size;         /* 0: none */
    uint32_t differentiable_inputs; /* bit i: a gradient flows to input i (not to labels) */
    bool split_backward;            /* one backward node for the inputs and one for the parameters */
    bool is_loss;                   /* output 0 is a scalar to minimise */
    uint32_t fan_in_from;           /* dims of parameter 0 that make its fan_in start here; 0: at 1 */
    const char *parameter_names[LINNET_MAX_PARAMETERS]; /* "weight", "bias" */
    const char *state_names[LINNET_MAX_STATES];         /* "running_mean", "running_var" */
    /* LINNET_SHAPE or LINNET_INVALID with a sentence such as "conv2d 'c3': input has 6 channels, weight wants 16". */
    linnet_status (*infer)(linnet_shape_job *job);
    /* Multiply-adds of one forward for these (complete) shapes; NULL: 0. */
    uint64_t (*multiply_adds)(const linnet_shape_job *job);
} linnet_layer;

/* NULL for a number that is no kind. */
const linnet_layer *linnet_layer_find(uint32_t kind);

/* Product of dims [first, last): -3 when it is over LINNET_MAX_ELEMENTS or a dim is no size, else LINNET_FREE_DIM when
   one of them is free. */
int64_t linnet_shape_product(const linnet_shape *shape, uint32_t first, uint32_t last);
/* "[N,6,28,28]"; a free outermost dimension prints as N, others as ?. Returns out. */
const char *linnet_shape_text(const linnet_shape *shape, char *out, size_t size);
bool linnet_shape_equal(const linnet_shape *a, const linnet_shape *b);
/* linnet_fail with "kind 'node': " in front. */
linnet_status linnet_layer_fail(const linnet_shape_job *job, uint32_t kind, linnet_status status, const char *format,
                                ...) LINNET_PRINTF(4, 5);
/* Output length of a sliding window, LINNET_FREE_DIM for a free input; below 1 when the window does not fit. */
int64_t linnet_window_length(int64_t input, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                             int64_t after);

/* ---- For the files of this folder ---- */

/* Elements of one tensor at most (dims are at least 1): counts, bytes and sums of many stay far from overflow. */
#define LINNET_MAX_ELEMENTS ((int64_t)1 << 40)
/* Kernel sizes, strides, dilations and paddings at most. */
#define LINNET_MAX_WINDOW ((int64_t)1 << 30)

/* Every infer starts with check_inputs (counts, dims, attributes are there) and ends with check_outputs (limits). */
linnet_status linnet_layer_check_inputs(const linnet_shape_job *job, uint32_t kind);
linnet_status linnet_layer_check_outputs(const linnet_shape_job *job, uint32_t kind);
/* Input index must be a floating-point tensor of this rank (0: any). */
linnet_status linnet_layer_check_float(const linnet_shape_job *job, uint32_t kind, uint32_t index, uint32_t rank);
/* Inputs 0 and 1 must have one type and agree in every dimension, free ones apart; output 0 becomes what is known. */
linnet_status linnet_layer_check_equal(linnet_shape_job *job, uint32_t kind);
/* Attributes of softmax, log_softmax, concat. */
linnet_status linnet_layer_check_axis(const linnet_shape_job *job, uint32_t kind);
/* A pair or quadruple of kernel sizes, strides, ... must lie in minimum .. LINNET_MAX_WINDOW. */
linnet_status linnet_layer_check_window(const linnet_shape_job *job, uint32_t kind, const char *what,
                                        const int64_t *values, uint32_t count, int64_t minimum);
/* Parameter index becomes [length] of input 0's type, or must have that shape already. */
linnet_status linnet_layer_vector(linnet_shape_job *job, uint32_t kind, uint32_t index, int64_t length);
/* Two dims that may turn out to be the same: equal, or one of them free. */
bool linnet_dim_agrees(int64_t a, int64_t b);
/* The whole of max_pool2d's and avg_pool2d's infer. */
linnet_status linnet_pool2d_infer(linnet_shape_job *job, uint32_t kind);
/* Product of two counts, UINT64_MAX on overflow. */
uint64_t linnet_count_multiply(uint64_t a, uint64_t b);

#define LINNET_LAYER(number, NAME, kind_name, ...) extern const linnet_layer linnet_##kind_name##_layer;
#include "linnet/layers.def"

#endif
