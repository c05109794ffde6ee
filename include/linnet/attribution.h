/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What in a picture a network looks at, and what it would like to see: saliency, Grad-CAM, effective receptive fields,
 * activation maximisation. All of them are gradients in evaluate behaviour; pictures, sessions, errors and threads are
 * as in features.h.
 */
#ifndef LINNET_ATTRIBUTION_H
#define LINNET_ATTRIBUTION_H

#include "features.h"

LINNET_BEGIN_DECLS

/* ---- Which pixels a class depends on ---- */

/* A map over the picture and the class that it explains. */
typedef struct linnet_attribution {
    linnet_maps map;     /* one channel; free with linnet_maps_free */
    int64_t class_index; /* the class asked for, or the one with the highest score */
    float score;         /* its score (logit) */
    float probability;   /* softmax */
} linnet_attribution;

#define LINNET_CLASS_BEST (-1) /* the class with the highest score */

/* |d score / d pixel|, the largest over the colour channels: [1,H,W] of the picture's size (Simonyan, Vedaldi and
   Zisserman 2014, "Deep inside convolutional networks"). The score is the class's logit, not its probability. */
LINNET_API linnet_status linnet_saliency_map(linnet_session *session, const linnet_model *model,
                                             const linnet_tensor *picture, int64_t class_index,
                                             linnet_attribution *out_attribution);

/* max(0, sum over channels k of w_k A_k) with A the layer's maps and w_k the mean over positions of d score / d A_k:
   [1,h,w] of the layer's size (Selvaraju et al. 2017, "Grad-CAM"). layer null: the last one that has maps of more than
   one pixel. */
LINNET_API linnet_status linnet_grad_cam_map(linnet_session *session, const linnet_model *model,
                                             const linnet_tensor *picture, linnet_value layer, int64_t class_index,
                                             linnet_attribution *out_attribution);

/* The last layer of the net whose maps have more than one pixel; null value when there is none. */
LINNET_API linnet_value linnet_last_maps(const linnet_model *model);

/* The map in the sequential colours over the picture turned grey: the higher the value, the less of the grey shows
   through. The map is enlarged to the picture (bilinear), scaled to its own largest value. NULL: see the message. */
LINNET_API linnet_image *linnet_overlay_draw(linnet_context *context, const linnet_tensor *picture,
                                             const linnet_maps *map);

/* ---- Effective receptive field ---- */

typedef struct linnet_effective_options {
    uint32_t struct_size;
    uint32_t channels; /* averaged over, those that respond most there; default 16 */
    uint32_t chosen;   /* 1: x and y say which unit; default: the one in the middle of the map */
    uint32_t reserved;
    int64_t x, y; /* column and row of the map */
} linnet_effective_options;

typedef struct linnet_effective {
    linnet_maps map; /* [1,H,W] of the picture's size; free with linnet_maps_free */
    int64_t x, y;    /* the unit: column and row of the layer's map */
} linnet_effective;

/* |d unit / d pixel|, summed over the colour channels and averaged over channels of the layer, of the unit at one
   position (Luo, Li, Urtasun and Zemel 2016, "Understanding the effective receptive field"). Units that are off (relu)
   add nothing. Copies of the picture that differ in nothing are run at once, a channel each. */
#define linnet_effective_field(session, model, picture, layer, out_effective, ...)                                               \
    linnet_effective_field_with(                                                                                       \
        session, model, picture, layer,                                                                                \
        &(linnet_effective_options){.struct_size = sizeof(linnet_effective_options), __VA_ARGS__}, out_effective)
LINNET_API linnet_status linnet_effective_field_with(linnet_session *session, const linnet_model *model,
                                                     const linnet_tensor *picture, linnet_value layer,
                                                     const linnet_effective_options *options,
                                                     linnet_effective *out_effective);

/* The radius in pixels around (x, y) within which the given share (0 to 1) of the map's sum lies; 0 for a map that is
   zero everywhere. Pixel centres have whole numbers. */
LINNET_API double linnet_maps_radius(const linnet_maps *map, double x, double y, double share);

/* ---- Activation maximisation ---- */

typedef struct linnet_maximise_options {
    uint32_t struct_size;
    uint32_t steps;        /* default 256 */
    uint64_t seed;         /* of the noise and the jitter */
    int64_t height, width; /* of the picture, where the net's input leaves them free; default 128 */
    float rate;            /* how far a step goes: the mean change of a pixel; default 0.03 */
    float decay;           /* towards grey, a step; default 0.01; negative: none */
    float blur; /* deviation of the blur in pixels at the start, shrinking to a third; default 1.5; negative: none */
    int32_t jitter; /* pixels that the picture is moved by at random before each step; default: a 16th of its
                       width; negative: none */
    linnet_progress_function progress; /* steps done, steps; NULL: none */
    void *user;
} linnet_maximise_options;

/* A picture that excites a unit as much as possible: gradient ascent from grey noise on the mean of the channel's map
   (for scores: on the class's logit), with jitter and blur (Erhan et al. 2009; Simonyan et al. 2014; Yosinski et al.
   2015). For the output of a relu, what goes into the relu is raised, so that a unit which is off has a gradient.
   out_picture: [C,H,W] f32 0 to 1, height and width those of the net's input; out_value: the activation that the
   picture reaches, may be NULL. The same seed gives the same picture on the same device. */
#define linnet_unit_maximise(session, model, layer, unit, out_picture, out_value, ...)                                 \
    linnet_unit_maximise_with(session, model, layer, unit,                                                             \
                              &(linnet_maximise_options){.struct_size = sizeof(linnet_maximise_options), __VA_ARGS__}, \
                              out_picture, out_value)
LINNET_API linnet_status linnet_unit_maximise_with(linnet_session *session, const linnet_model *model,
                                                   linnet_value layer, int64_t unit,
                                                   const linnet_maximise_options *options, linnet_maps *out_picture,
                                                   float *out_value);

LINNET_END_DECLS
#endif
