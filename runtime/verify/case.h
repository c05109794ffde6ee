/* SPDX-License-Identifier: Apache-2.0 */
/* A case of the conformance table, parsed: a layer with its attributes and complete shapes. Grammar: linnet/verify.h.
 */
#ifndef LINNET_CASE_H
#define LINNET_CASE_H

#include "../layers/layer.h"
#include "linnet/backend.h"

/* One "key number x number ..." of a case's text. */
typedef struct linnet_case_item {
    char key[12];
    uint32_t count;
    double values[LINNET_MAX_RANK];
} linnet_case_item;

typedef struct linnet_case {
    const char *text;
    const linnet_layer *layer;
    union {
        linnet_conv2d_attributes conv2d;
        linnet_pool2d_attributes pool2d;
        linnet_unary_attributes unary;
        linnet_binary_attributes binary;
        linnet_axis_attributes axis;
        linnet_batch_norm_attributes batch_norm;
        linnet_dropout_attributes dropout;
        linnet_local_conv2d_attributes local_conv2d;
        linnet_gram_attributes gram;
        linnet_total_variation_attributes total_variation;
        linnet_alpha_norm_attributes alpha_norm;
        linnet_pad2d_attributes pad2d;
    } attributes;
    const void *attributes_pointer; /* into attributes, or NULL: as a desc wants it. A case is not copied. */
    linnet_behaviour behaviour;
    uint32_t input_count, output_count, parameter_count, state_count, epilogue_count;
    uint32_t layer_inputs; /* the layer's own; the others are what the epilogue adds */
    /* Dense NCHW. */
    linnet_tensor_desc inputs[LINNET_MAX_INPUTS];
    linnet_tensor_desc outputs[LINNET_MAX_OUTPUTS];
    linnet_tensor_desc parameters[LINNET_MAX_PARAMETERS];
    linnet_tensor_desc states[LINNET_MAX_STATES];
    linnet_epilogue epilogue[LINNET_MAX_EPILOGUE];
    float amplitude; /* random inputs lie within +-2 amplitude */
    bool with_nan;   /* some inputs are NaN */
    bool bad_labels; /* some labels are no classes */
    uint64_t multiply_adds;
} linnet_case;

/* LINNET_INVALID, or what infer says, with a sentence. text must outlive the case. */
linnet_status linnet_case_parse(linnet_context *context, const char *text, linnet_case *out);

/* Reads one item, moving *text behind it; false when there is no item or a bad one. */
bool linnet_case_item_read(const char **text, linnet_case_item *out);

/* Reads "name" of an operator table at *text: the longest that fits, followed by the end, '_' or '+'. 0: none. */
uint32_t linnet_case_operator_read(const char **text, const char *const *names, uint32_t count);

/* A desc of the case, formats NCHW and dense. Backward: nothing wanted yet. */
linnet_layer_desc linnet_case_desc(const linnet_case *problem, linnet_direction direction);

#endif
