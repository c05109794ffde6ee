/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layer kinds as both sides of the plugin boundary see them: enums made from layers.def, and the attributes of each
 * kind. Attributes are complete (every default already resolved) and valid (the runtime checked them while the net was
 * built). Standalone: includes nothing of the runtime.
 */
#ifndef LINNET_LAYERS_H
#define LINNET_LAYERS_H

#include "tensor.h"

LINNET_BEGIN_DECLS

#define LINNET_MAX_INPUTS 32
#define LINNET_MAX_OUTPUTS 4
#define LINNET_MAX_PARAMETERS 4
#define LINNET_MAX_STATES 4
#define LINNET_MAX_SAVED 4
#define LINNET_MAX_EPILOGUE 4

typedef enum linnet_layer_kind {
#define LINNET_LAYER(number, NAME, name, ...) LINNET_LAYER_##NAME = number,
#include "layers.def"
} linnet_layer_kind;

typedef enum linnet_unary_op {
#define LINNET_UNARY_OP(number, NAME, name) LINNET_UNARY_##NAME = number,
#include "layers.def"
} linnet_unary_op;

typedef enum linnet_binary_op {
#define LINNET_BINARY_OP(number, NAME, name) LINNET_BINARY_##NAME = number,
#include "layers.def"
} linnet_binary_op;

/* Roles: LINNET_CONV2D_WEIGHT is the index of the weight among conv2d's parameters, LINNET_CONV2D_X of x among its
   inputs, and so on. */
#define LINNET_ROLES_ANY(NAME)
#define LINNET_ROLES_0(NAME)
#define LINNET_ROLES_1(NAME, A) enum { LINNET_##NAME##_##A };
#define LINNET_ROLES_2(NAME, A, B) enum { LINNET_##NAME##_##A, LINNET_##NAME##_##B };
#define LINNET_LAYER(number, NAME, name, inputs, outputs, parameters, states) inputs outputs parameters states
#include "layers.def"
#undef LINNET_ROLES_ANY
#undef LINNET_ROLES_0
#undef LINNET_ROLES_1
#undef LINNET_ROLES_2

/* conv2d: x [N,C,H,W], weight [O,C/groups,KH,KW], bias [O] or absent -> y [N,O,OH,OW], cross-correlation as in every
   framework: y[n,o,i,j] = bias[o] + sum x[n, c, i*sh - top + u*dh, j*sw - left + v*dw] * weight[o,c,u,v]. */
typedef struct linnet_conv2d_attributes {
    uint32_t struct_size;
    uint32_t groups;
    int64_t kernel[2];   /* height, width */
    int64_t stride[2];   /* down, right */
    int64_t dilation[2]; /* down, right */
    int64_t padding[4];  /* top, left, bottom, right; zeros */
} linnet_conv2d_attributes;

/* max_pool2d, avg_pool2d: x [N,C,H,W] -> y [N,C,OH,OW]. A maximum's gradient goes to the first maximum in row-major
   order; padding never wins. NaN wins over every number. */
typedef struct linnet_pool2d_attributes {
    uint32_t struct_size;
    uint32_t exclude_padding; /* avg_pool2d: divide by the elements inside x, not by the kernel's size */
    int64_t kernel[2];
    int64_t stride[2];
    int64_t padding[4]; /* top, left, bottom, right */
} linnet_pool2d_attributes;

/* unary: y = f(x), any shape; see layers.def. */
typedef struct linnet_unary_attributes {
    uint32_t struct_size;
    uint32_t op; /* linnet_unary_op */
    float alpha, beta;
} linnet_unary_attributes;

/* binary: y = f(a, b), three equal shapes; see layers.def. */
typedef struct linnet_binary_attributes {
    uint32_t struct_size;
    uint32_t op; /* linnet_binary_op */
} linnet_binary_attributes;

/* softmax, log_softmax (along axis), concat (along axis). */
typedef struct linnet_axis_attributes {
    uint32_t struct_size;
    uint32_t axis; /* 0 .. rank-1 */
} linnet_axis_attributes;

/* batch_norm over dimension 1 of x [N,C] or [N,C,...] (Ioffe and Szegedy 2015). Train: batch statistics, biased variance in
   y; running = (1 - momentum) running + momentum batch, with the unbiased variance, as PyTorch. Evaluate: running
   statistics. weight [C], bias [C], mean [C], variance [C]. */
typedef struct linnet_batch_norm_attributes {
    uint32_t struct_size;
    float epsilon;
    float momentum;
} linnet_batch_norm_attributes;

/* dropout. Train: y = x / (1 - p) where kept, else 0; element i (dense row-major index) is kept when
   linnet_philox_uniform(seed, node, step, i) >= p. Evaluate: y = x. */
typedef struct linnet_dropout_attributes {
    uint32_t struct_size;
    float probability; /* 0 <= p < 1 */
} linnet_dropout_attributes;

/* local_conv2d: a convolution whose filters are not shared: x [N,C,H,W], weight [OH,OW,O,C,KH,KW], bias [O,OH,OW] or
   absent -> y [N,O,OH,OW], y[n,o,i,j] = bias[o,i,j] + sum x[n, c, i*sh - top + u, j*sw - left + v] *
   weight[i,j,o,c,u,v]. H and W are known while the net is built: the weight's shape depends on them. */
typedef struct linnet_local_conv2d_attributes {
    uint32_t struct_size;
    uint32_t reserved;
    int64_t kernel[2];  /* height, width */
    int64_t stride[2];  /* down, right */
    int64_t padding[4]; /* top, left, bottom, right; zeros */
} linnet_local_conv2d_attributes;

/* gram: the correlations of the channels (Gatys, Ecker and Bethge 2016), x [N,C,H,W] -> y [N,C,C],
   y[n,i,j] = scale * sum over pixels x[n,i,.] x[n,j,.]. Both halves of y are read backwards:
   dx[n,i,.] = scale * sum over j of (dy[n,i,j] + dy[n,j,i]) x[n,j,.]. */
typedef struct linnet_gram_attributes {
    uint32_t struct_size;
    float scale;
} linnet_gram_attributes;

/* total_variation: x [N,C,H,W] -> loss [] = sum over n, c, i, j of (right^2 + down^2 + epsilon)^(beta/2) -
   epsilon^(beta/2) with right = x[i,j+1] - x[i,j] and down = x[i+1,j] - x[i,j]; a difference that would leave the
   picture is 0 (Mahendran and Vedaldi 2015). Where right, down and epsilon are 0 the gradient is 0. */
typedef struct linnet_total_variation_attributes {
    uint32_t struct_size;
    float beta;    /* more than 0; 2: squares, 1: the length of the image's gradient */
    float epsilon; /* 0 or more; rounds off the kink of beta < 2 */
} linnet_total_variation_attributes;

/* alpha_norm: x of any shape -> loss [] = sum |x|^alpha, the alpha-norm to the power of alpha; its gradient
   alpha |x|^(alpha-1) sign(x) is 0 where x is 0. */
typedef struct linnet_alpha_norm_attributes {
    uint32_t struct_size;
    float alpha; /* 1 or more */
} linnet_alpha_norm_attributes;

typedef enum linnet_pad_mode {
    LINNET_PAD_CONSTANT = 0,  /* value value value a b c */
    LINNET_PAD_REPLICATE = 1, /* a a a a b c */
    LINNET_PAD_REFLECT = 2    /* d c b a b c: the edge is not repeated; needs every padding below the size */
} linnet_pad_mode;

/* pad2d: x [N,C,H,W] -> y [N,C,top+H+bottom,left+W+right]. Every element of dy goes to the element of x that it came
   from. */
typedef struct linnet_pad2d_attributes {
    uint32_t struct_size;
    uint32_t mode;      /* linnet_pad_mode */
    int64_t padding[4]; /* top, left, bottom, right */
    float value;        /* LINNET_PAD_CONSTANT */
    uint32_t reserved;
} linnet_pad2d_attributes;

/* Without attributes (NULL):
   linear           x [N,...] with I elements behind N, weight [O,I], bias [O] or absent -> y [N,O] = x weight^T + bias
   global_avg_pool  x [N,C,H,W] -> y [N,C,1,1]
   reshape          x -> y, same elements in row-major order
   cross_entropy    logits [N,C], labels i32 [N] in 0..C-1 -> loss [] = -1/N sum log softmax(logits)[n, label n];
                    a label outside 0..C-1 takes no part in the sum and gets no gradient (N stays)
   mse              x, target of equal shape -> loss [] = mean (x - target)^2 */

LINNET_END_DECLS
#endif
