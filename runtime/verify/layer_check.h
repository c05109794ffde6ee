/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of linnet_check_layer: every candidate of one case in every way that the contract allows the runtime to
 * use it. Internal to:
 *
 *   layer_check.c     the case under both fills, in all variants
 *   variants.c        what makes a variant
 *   layer_forward.c   forward candidates
 *   layer_backward.c  what goes back from each of them
 *   layer_formats.c   the same in each format, and conversions between formats
 */
#ifndef LINNET_LAYER_CHECK_H
#define LINNET_LAYER_CHECK_H

#include "harness.h"

typedef enum linnet_variant {
    LINNET_VARIANT_PLAIN,
    LINNET_VARIANT_NO_GRADIENTS,
    LINNET_VARIANT_EXACT_BUFFERS,
    LINNET_VARIANT_STRIDED_INPUTS,
    LINNET_VARIANT_STRIDED_OUTPUTS,
    LINNET_VARIANT_STRIDED,
    LINNET_VARIANT_FORMAT,
    LINNET_VARIANT_FORMAT_EXACT_BUFFERS
} linnet_variant;

enum { LINNET_CANDIDATES_AT_MOST = 64 };

typedef enum linnet_visit { LINNET_VISIT_END, LINNET_VISIT_REFUSED, LINNET_VISIT_RUN } linnet_visit;

/* One case under one fill. */
typedef struct linnet_layer_check {
    linnet_check *check;
    linnet_arena arena;
    const linnet_case *problem;
    linnet_fill fill;
    linnet_values operands, expected, scale, first, again, third;
    uint32_t format; /* of variants FORMAT and FORMAT_EXACT_BUFFERS */
    const char *format_name;
    uint32_t accepted; /* forward candidates of this variant that ran */
    bool is_dry;       /* with a focus: nothing is run */
    uint64_t would;    /* ... but here are the kernels that had been reached */
    linnet_repeats repeats;
} linnet_layer_check;

/* ---- variants.c ---- */
/* What the check is at, for reports: "forward direct, random fill, strided inputs", and more. */
void linnet_variant_say(linnet_layer_check *l, const char *direction, const char *candidate, linnet_variant v,
                        const char *more);
/* Makes the desc of a trial one of the variant. */
void linnet_variant_apply(const linnet_layer_check *l, linnet_trial *t, linnet_variant v);
/* Did the candidate take what makes the variant one? A strided tensor stays NCHW; a format is used by someone. */
bool linnet_variant_is_kept(const linnet_layer_check *l, const linnet_trial *t, linnet_variant v);
/* Can the device keep this tensor in a format? NHWC is for images, the plugin's own for what it has a size for. */
bool linnet_variant_can_format(const linnet_layer_check *l, const linnet_tensor_desc *desc, uint32_t format);

/* ---- layer_check.c ---- */
/* Is the candidate to be run? Notes what it reaches of the focus, or that it would. */
bool linnet_layer_is_in_focus(linnet_layer_check *l, linnet_trial *t);
/* Two tensors can share a place only when they are equally large: else the check has failed. */
bool linnet_layer_can_share(linnet_layer_check *l, uint32_t input);

/* ---- layer_forward.c ---- */
/* All forward candidates in a variant, with what goes back from them. */
void linnet_layer_visit_all(linnet_layer_check *l, linnet_variant v);

/* ---- layer_backward.c ---- */
/* All that goes back from a forward candidate, whose results are in first. */
void linnet_layer_check_backward(linnet_layer_check *l, const linnet_trial *forward, linnet_variant v);

/* ---- layer_formats.c ---- */
/* NHWC and each of the plugin's own formats that can hold the case's first input. */
void linnet_layer_visit_formats(linnet_layer_check *l);

#endif
