/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a device compute convolutional networks right? Every layer, forwards and backwards, by every implementation
 * that the device's backend offers, compared with the reference backend. `linnet selftest` and the tests stand on this.
 *
 * A case is one line of text:
 *
 *   conv2d:n2c3h7w5_oc4k3s2p1        2 images, 3x7x5; 4 output channels, kernel 3x3, stride 2, padding 1
 *   conv2d:n1c4h9w9_oc8k1x3d2g2nb+relu
 *   unary:leaky_relu_n2c3h4w5_a0.1   binary:add_n2c3   concat:n2c1h3w4_c5_c2   reshape:n2c3h4w5_t2x60
 *   gram:n2c3h4w5_a0.5   total_variation:n2c3h5w4_b2eps0.01   pad2d:n1c2h4w5_pt1pl2pb0pr3_m2
 *
 *   case     = kind ":" [ operator "_" ] items *( "+" operator [ "_" items ] )
 *   items    = *( item | "_" )                     "_" only separates
 *   item     = key [ number *( "x" number ) ]      key: lower case letters; number: digits, maybe with "-" or "."
 *
 *   n c l h w i     the input's shape, in the order written, any of them; concat: a letter written again is a further
 *                   input that differs there (and the axis)
 *   oc, o           output channels (conv2d, local_conv2d), features (linear)
 *   k s d           kernel, stride, dilation: one number or down x right. A pool's stride defaults to its kernel
 *   p, pt pl pb pr  padding on every side, or one side; dropout: p is the probability in percent
 *   g, nb           groups; no bias
 *   xp              avg_pool2d: exclude the padding from the divisor
 *   a b             alpha and beta of an operator (defaults 0.1 and 6 where it has them); a: gram's scale (default 1),
 *                   alpha_norm's alpha (6); b: total_variation's beta (2)
 *   axis, t         axis (softmax, log_softmax, concat; default 1); target shape (reshape)
 *   eps mom         batch_norm (defaults 1e-5 and 0.1); eps: total_variation (0)
 *   m v             pad2d: number of the mode (default 0, a constant) and the constant (0)
 *   eval            evaluate behaviour instead of train
 *   x               multiplies the inputs of the random fill
 *   nan             some inputs are NaN
 *   bad             cross_entropy: some labels are outside the classes
 *   +relu, ...      an epilogue, fused by the implementations that take it; +add: adds a further input
 *
 * Two kinds are no layers: optimizer:sgd|adam_i1000_... (lr wd m nesterov steps) and queue:memory|events.
 */
#ifndef LINNET_VERIFY_H
#define LINNET_VERIFY_H

#include "device.h"

LINNET_BEGIN_DECLS

typedef enum linnet_verify_level {
    LINNET_VERIFY_QUICK = 0,   /* a few small cases of each kind: for simulators and for users in a hurry */
    LINNET_VERIFY_STANDARD = 1 /* the whole table */
} linnet_verify_level;

typedef enum linnet_verify_outcome {
    LINNET_VERIFY_PASSED = 1,
    LINNET_VERIFY_FAILED = 2,
    LINNET_VERIFY_SKIPPED = 3 /* the device does not have it, or there is no memory for it: report says what */
} linnet_verify_outcome;

/* Zero means the default. */
typedef struct linnet_verify_options {
    size_t size;           /* sizeof(linnet_verify_options) */
    uint64_t seed;         /* of the random fill; default 1 */
    double seconds;        /* bench: how long each implementation is timed; default 0.05 */
    const char *candidate; /* only the forward implementation of this name, and what goes back from it; NULL: all. Where
                              there is none to be timed: LINNET_INVALID, and a sentence with the names that there are */
    const char *backward;  /* of that, only the implementation of this name; "": none, forward alone; NULL: all */
    int planned; /* linnet_verify_time: 1: in each direction only what a plan takes, by the device's estimates of time
                  */
} linnet_verify_options;

typedef struct linnet_verify_result {
    size_t size; /* set by the caller: sizeof(linnet_verify_result) */
    linnet_verify_outcome outcome;
    uint32_t runs;     /* how often the device ran something that was then compared */
    uint32_t failures; /* how many comparisons failed */
    double worst; /* largest difference, in parts of what was allowed there (1: just so), where not all bits have to
                     be the same; 0: there was none */
    char worst_at[128]; /* "forward winograd_f4, random fill: output 0" */
    char report[4096];  /* lines for people: what differed where, and how to see it again */
    int no_memory;      /* skipped: there is no memory for its tensors, which says nothing of how the device computes */
} linnet_verify_result;

/* Runs one case on device and compares with reference (a device of the reference backend; the same one: then gradients
   are also checked numerically). LINNET_OK whenever there is an outcome, also a failed one; LINNET_INVALID when the
   text is no case. */
LINNET_API linnet_status linnet_verify_case(linnet_device *device, linnet_device *reference, const char *text,
                                            const linnet_verify_options *options, linnet_verify_result *result);

/* Times every implementation of one case: one line each in report, "forward im2col_gemm 0.123 ms 45.6 GFLOP/s". */
LINNET_API linnet_status linnet_verify_bench(linnet_device *device, const char *text,
                                             const linnet_verify_options *options, linnet_verify_result *result);

/* How one implementation did. */
typedef struct linnet_verify_timing {
    size_t size;            /* set: sizeof(linnet_verify_timing) */
    uint32_t direction;     /* linnet_direction */
    uint32_t gradients;     /* backward: 1 of the inputs, 2 of the parameters, 3 both at once */
    const char *candidate;  /* static */
    const char *format;     /* that its first input is wanted in: "nchw"; static */
    int first;              /* 1: the first that accepts dense tensors (backward: those of the first forward) */
    double median, fastest; /* seconds of one run, tensors in the formats that it wants */
    double conversion;    /* seconds that it takes to bring inputs (backward: the output's gradient, and what it reads)
                             there from dense NCHW and its results back */
    double multiply_adds; /* of the layer's direct form, counted for each gradient */
    double bytes;         /* of all tensors that it has in hand, as dense ones, each once */
    uint64_t workspace_bytes;
} linnet_verify_timing;

/* The same as numbers: every implementation's timing, in order of preference, backwards behind the forward that it
   belongs to. *out_count: how many there were; those behind capacity are left out. */
LINNET_API linnet_status linnet_verify_time(linnet_device *device, const char *text,
                                            const linnet_verify_options *options, linnet_verify_timing *out_timings,
                                            size_t capacity, size_t *out_count);

/* The built-in table: how many cases a level has, and their texts (NULL behind the last), in the order of layers.def.
 */
LINNET_API size_t linnet_verify_case_count(linnet_verify_level level);
LINNET_API const char *linnet_verify_case_at(linnet_verify_level level, size_t index);

LINNET_END_DECLS
#endif
