/* SPDX-License-Identifier: Apache-2.0 */
/* The insides of `linnet invert`. */
#ifndef LINNET_TOOLS_INVERT_H
#define LINNET_TOOLS_INVERT_H

#include "descent.h"

typedef struct invert_settings {
    const char *model, *image, *weights, *layers, *output;
    int64_t size;
    double alpha, beta, alpha_weight, tv_weight; /* 0: default */
    int none;                                    /* without regularisers */
    descent_settings descent;
} invert_settings;

/* Inverts one layer after another and writes the figure. Returns an exit code. */
int invert_layers(const invert_settings *settings);

#endif
