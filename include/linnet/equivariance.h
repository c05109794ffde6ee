/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shift of the picture does to a network. Equivariance: the feature maps move with the picture, f(T x) = T f(x).
 * Invariance: the numbers stay as they are, f(T x) = f(x). A convolution of stride 1 is equivariant away from borders;
 * strides and pooling are so only for shifts by whole strides; pooling makes numbers change less; global pooling makes
 * what comes behind it nearly invariant.
 *
 *     linnet_shift_report report;
 *     linnet_shift_measure(session, &model, &picture, layers, count, &report, .steps = 8);
 *     for (int64_t d = 0; d <= report.steps; d++)
 *         printf("%lld %g\n", d, report.layers[0].error[d]);
 *     linnet_shift_report_free(&report);
 *
 * Pictures, sessions, errors and threads are as in features.h.
 */
#ifndef LINNET_EQUIVARIANCE_H
#define LINNET_EQUIVARIANCE_H

#include "features.h"

LINNET_BEGIN_DECLS

/* Which units of a layer are compared, the same ones for every shift. */
typedef enum linnet_shift_region {
    LINNET_SHIFT_INTERIOR = 1, /* those whose receptive fields lie inside both pictures: no unit sees a border */
    LINNET_SHIFT_OVERLAP = 2,  /* no unit sees no border: all that have a partner in the maps of the unmoved picture */
    LINNET_SHIFT_VECTOR = 3,   /* the layer has no positions: all its numbers, as they are (invariance) */
    LINNET_SHIFT_NONE = 4      /* the shift moves everything out of the layer's maps: errors are NaN */
} linnet_shift_region;

/* error[d] = |f(T_d x) - T_d f(x)| / |T_d f(x)|, Euclidean norms over all channels and the units of the region; 0 where
   both are zero. T_d moves the maps by d / stride units; where that is no whole number, T_d f(x) is interpolated
   (bilinear) between the units of f(x), which is what a smooth map would be in between. */
typedef struct linnet_shift_layer {
    linnet_value value;
    linnet_shift_region region;
    double stride[2]; /* pixels from one unit to the next, down and right; 0 for a vector */
    int64_t units[2]; /* size of the region, down and right */
    double *error;    /* [steps + 1] */
} linnet_shift_layer;

typedef struct linnet_shift_report {
    int64_t steps; /* shifts are 0, 1, ..., steps */
    size_t layer_count;
    linnet_shift_layer *layers;
    /* NULL for a network without scores: */
    int64_t top_class;   /* of the unmoved picture */
    double *probability; /* [steps + 1], of top_class */
    double *cosine;      /* [steps + 1], of the angle between the scores and those of the unmoved picture */
    int64_t *best;       /* [steps + 1], the class with the highest score */
} linnet_shift_report;

typedef struct linnet_shift_options {
    uint32_t struct_size;
    uint32_t black;      /* 1: black comes in at the border; default: the border's pixels go on */
    int64_t steps;       /* default 8 */
    int64_t down, right; /* pixels that one step moves the picture by; default: one to the right; negative: up, left */
} linnet_shift_options;

/* Free the report with linnet_shift_report_free. LINNET_INVALID: nothing of the picture is left after the last step. */
#define linnet_shift_measure(session, model, picture, layers, count, out_report, ...)                                  \
    linnet_shift_measure_with(session, model, picture, layers, count,                                                  \
                              &(linnet_shift_options){.struct_size = sizeof(linnet_shift_options), __VA_ARGS__},       \
                              out_report)
LINNET_API linnet_status linnet_shift_measure_with(linnet_session *session, const linnet_model *model,
                                                   const linnet_tensor *picture, const linnet_value *layers,
                                                   size_t count, const linnet_shift_options *options,
                                                   linnet_shift_report *out_report);
/* Accepts NULL and cleared reports. */
LINNET_API void linnet_shift_report_free(linnet_shift_report *report);

/* out[y][x] = picture[y - down][x - right]; what comes in at the border is black or the border's pixel. Planes [C,H,W],
   not in place. */
LINNET_API void linnet_picture_shift(const linnet_tensor *picture, int64_t down, int64_t right, int black,
                                     float *out_picture);

/* Maps moved by any number of units: out[y][x] = maps[y - down][x - right], bilinear between units; where that lies
   outside, 0. Free out with linnet_maps_free. */
LINNET_API linnet_status linnet_maps_shift(linnet_context *context, const linnet_maps *maps, double down, double right,
                                           linnet_maps *out_maps);

LINNET_END_DECLS
#endif
