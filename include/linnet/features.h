/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feature maps: what the layers of a network make of a picture, drawn; and the pictures that a unit likes best.
 *
 *     linnet_maps maps;
 *     linnet_activations_read(session, &model, &picture, &layer, 1, &maps);
 *     linnet_image *tiles = linnet_maps_draw(NULL, &maps, .title = "conv1");
 *     linnet_image_write(NULL, tiles, "conv1.png");
 *     linnet_image_free(&tiles);
 *     linnet_maps_free(&maps);
 *
 * Pictures are f32 tensors [C,H,W] as linnet_image_to_planes makes them: RGB or grey, 0 to 1, of the size that the
 * network's input has. The model's preprocess is applied here. Everything runs on the session's device, in evaluate
 * behaviour, and only as far up the network as is needed.
 *
 * The session is left as it was found: behaviour, gradients, kept values, losses. Only what its last forward made can
 * no longer be read. model is the one whose net the session runs.
 *
 * Errors: a status, or NULL, and linnet_context_message. Threads: as the session, one at a time.
 */
#ifndef LINNET_FEATURES_H
#define LINNET_FEATURES_H

#include "data.h"
#include "image.h"
#include "session.h"
#include "train.h"
#include "zoo.h"

LINNET_BEGIN_DECLS

/* ---- Maps ---- */

/* One number a channel and position. A layer without positions (linear) has height and width 1. */
typedef struct linnet_maps {
    int64_t channels, height, width;
    float *data; /* [C,H,W]; belongs to the maps */
} linnet_maps;

/* Frees the data and clears the struct; accepts NULL and maps that were never filled. */
LINNET_API void linnet_maps_free(linnet_maps *maps);

/* The activations of count layers for one picture. Their maps are the caller's to free; after a failure none is
   filled. LINNET_SHAPE: the picture has not the input's size, or a layer makes no f32 maps ([N,C,H,W] or [N,C]). */
LINNET_API linnet_status linnet_activations_read(linnet_session *session, const linnet_model *model,
                                                 const linnet_tensor *picture, const linnet_value *layers, size_t count,
                                                 linnet_maps *out_maps);

/* ---- Pictures of them ---- */

typedef struct linnet_maps_options {
    uint32_t struct_size;
    uint32_t limit;     /* at most so many maps are drawn; default 256 */
    uint32_t columns;   /* tiles a row; default: as many as make the picture about as high as wide */
    uint32_t strongest; /* 1: those that vary most over the picture, the strongest first; default: in order */
    const char *title;  /* above the tiles; NULL: none */
} linnet_maps_options;

/* Every map a tile (those wider than 128 pixels made smaller), captioned with its channel, all on the layer's own scale
   with a colour bar below (99.9 % of the activations are within it): from 0 in the sequential colours where no
   activation is negative, else symmetric about 0 in the diverging ones. A layer without positions is one tile whose
   cells are the units, row by row. */
#define linnet_maps_draw(context, maps, ...)                                                                           \
    linnet_maps_draw_with(context, maps,                                                                               \
                          &(linnet_maps_options){.struct_size = sizeof(linnet_maps_options), __VA_ARGS__})
LINNET_API linnet_image *linnet_maps_draw_with(linnet_context *context, const linnet_maps *maps,
                                               const linnet_maps_options *options);

typedef struct linnet_strip_options {
    uint32_t struct_size;
    uint32_t maps;                  /* of each layer, those that vary most over the picture; default 3 */
    uint32_t columns;               /* layers beside each other; default: so many that all lines are about as long */
    int32_t class_count;            /* names in class_names */
    const char *const *class_names; /* NULL: classes are numbers */
    const char *title;
} linnet_strip_options;

/* The way of a picture through the network: the picture, then each layer with its name and shape and a few of its maps
   on the layer's own scale, then the five most probable classes. Layers that only rearrange (reshape, dropout) are left
   out, and in nets of more than 24 layers those of which nothing but a relu is made. */
#define linnet_strip_draw(session, model, picture, ...)                                                                \
    linnet_strip_draw_with(session, model, picture,                                                                    \
                           &(linnet_strip_options){.struct_size = sizeof(linnet_strip_options), __VA_ARGS__})
LINNET_API linnet_image *linnet_strip_draw_with(linnet_session *session, const linnet_model *model,
                                                const linnet_tensor *picture, const linnet_strip_options *options);

/* ---- The images of a data set that excite a unit most ---- */

typedef struct linnet_excitation {
    int64_t index;       /* of the image in the data set */
    int64_t unit;        /* channel of the layer */
    int64_t row, column; /* of the map, where the channel is strongest */
    float value;         /* the activation there */
} linnet_excitation;

typedef struct linnet_exciting_options {
    uint32_t struct_size;
    uint32_t batch;                    /* images at once; default 32 */
    int64_t limit;                     /* only the first so many images; default: all */
    linnet_progress_function progress; /* NULL: none */
    void *user;
} linnet_exciting_options;

/* For each of unit_count channels the count images whose largest activation is highest, the highest first: out_list has
   room for unit_count * count, unit after unit; where the data set has fewer images, index is -1. Of equal ones the
   first comes first. One pass over the data set for all units. LINNET_INVALID: a unit that the layer does not have. */
#define linnet_exciting_find(session, model, layer, units, unit_count, dataset, count, out_list, ...)                  \
    linnet_exciting_find_with(session, model, layer, units, unit_count, dataset, count,                                \
                              &(linnet_exciting_options){.struct_size = sizeof(linnet_exciting_options), __VA_ARGS__}, \
                              out_list)
LINNET_API linnet_status linnet_exciting_find_with(linnet_session *session, const linnet_model *model,
                                                   linnet_value layer, const int64_t *units, size_t unit_count,
                                                   const linnet_dataset *dataset, size_t count,
                                                   const linnet_exciting_options *options, linnet_excitation *out_list);

LINNET_END_DECLS
#endif
