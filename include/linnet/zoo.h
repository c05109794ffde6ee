/* SPDX-License-Identifier: Apache-2.0 */
/* Networks by name, written with the module API: runtime/zoo/. */
#ifndef LINNET_ZOO_H
#define LINNET_ZOO_H

#include "net.h"

LINNET_BEGIN_DECLS

/* A classifier: its input, its labels, its scores and its loss. */
typedef struct linnet_model {
    linnet_net *net;
    linnet_value image;  /* input "image" [N,C,H,W] */
    linnet_value label;  /* input "label" [N] */
    linnet_value logits; /* output "logits" [N,classes] */
    linnet_value loss;   /* cross-entropy */
} linnet_model;

typedef struct linnet_model_options {
    uint32_t struct_size;
    int32_t classes;                 /* default 10 */
    int64_t channels, height, width; /* default: the network's own (lenet5, mlp: 1, 28, 28) */
} linnet_model_options;

/* "lenet5", "mlp". options may be NULL. LINNET_NOT_FOUND names those that there are. */
LINNET_API linnet_status linnet_model_new(linnet_context *context, const char *name,
                                          const linnet_model_options *options, linnet_model *out_model);
/* Frees the net and clears the struct. */
LINNET_API void linnet_model_free(linnet_model *model);
/* Name and one-line description of network number index; NULL behind the last. */
LINNET_API const char *linnet_model_name(size_t index, const char **out_description);

LINNET_END_DECLS
#endif
