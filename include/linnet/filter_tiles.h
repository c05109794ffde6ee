/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learned filters as pictures: what a layer looks for, read from its weights.
 *
 *     linnet_filters filters;
 *     if (linnet_filters_read(session, NULL, 0, &filters) == LINNET_OK) {      the first layer that learns
 *         linnet_image *tiles = linnet_filters_draw(NULL, &filters, .title = "conv1");
 *         linnet_image_write(NULL, tiles, "conv1.png");
 *         linnet_image_free(&tiles);
 *     }
 *     linnet_filters_free(&filters);
 *
 * What a picture is of
 *  - conv2d [O,C,KH,KW]: with one or three input channels a filter, grey or RGB. With another number each picture is
 *    one filter's weights for one input channel; a row of the figure is a filter.
 *  - local_conv2d [OH,OW,O,C,KH,KW]: an output channel, all its filters at their places.
 *  - linear [O,I]: a row of weights in the shape of the picture that was flattened, so that for a network's first layer
 *    each is a template to be laid over the input. Where nothing was flattened the whole matrix is one picture.
 *
 * Errors: a status, or NULL, and linnet_context_message. Threads: as the session, one at a time.
 */
#ifndef LINNET_FILTER_TILES_H
#define LINNET_FILTER_TILES_H

#include "image.h"
#include "session.h"

LINNET_BEGIN_DECLS

typedef struct linnet_filters {
    char *layer;                     /* its name */
    int64_t count, total;            /* pictures here, and of the whole layer */
    int64_t channels, height, width; /* of a picture; channels is 1 or 3 */
    int64_t cell_height, cell_width; /* of one filter in it: as above, but for local_conv2d KH and KW */
    int64_t columns;                 /* pictures that belong in a row; 0: rows mean nothing */
    float *values;                   /* [count, channels, height, width], weights as they are */
} linnet_filters;

#define LINNET_FILTERS_LIMIT 64

/* The filters of a layer as they are now; waits for the device. layer NULL: the first one that has any. At most limit
   pictures (0: LINNET_FILTERS_LIMIT; of conv2d and linear with more input channels 16 rows of 16). LINNET_NOT_FOUND: no
   such layer, the message lists those that there are. LINNET_INVALID: a layer without such weights; LINNET_LIMIT:
   pictures that are too large. out_filters is empty after a failure. */
LINNET_API linnet_status linnet_filters_read(linnet_session *session, const char *layer, int64_t limit,
                                             linnet_filters *out_filters);
/* Frees what it holds and clears the struct; accepts NULL and an empty one. */
LINNET_API void linnet_filters_free(linnet_filters *filters);
/* The magnitude that 99.5 % of its weights do not exceed, so that a few large ones do not make all others pale; 0 when
   there is no memory to sort them. */
LINNET_API float linnet_filters_range(const linnet_filters *filters);

typedef struct linnet_filters_options {
    uint32_t struct_size;
    uint32_t columns;  /* pictures a row; default: as the filters say, else about square */
    uint32_t scale;    /* pixels that a weight is enlarged to; default: as many as make a tile about 84 wide, 42 where
                          it is one input channel of many, 336 where it holds many filters */
    uint32_t bare;     /* 1: the tiles alone, without title, numbers and colour bar */
    float range;       /* weights from -range to range fill the colours; default: linnet_filters_range */
    const char *title; /* above the tiles; NULL: none */
} linnet_filters_options;

/* Weights in one channel in the diverging colours (0 is neutral) with a colour bar below; in three as RGB, where grey
   is 0 and black and white are -range and range. All tiles have the same range. options may be NULL. */
#define linnet_filters_draw(context, filters, ...)                                                                     \
    linnet_filters_draw_with(context, filters,                                                                         \
                             &(linnet_filters_options){.struct_size = sizeof(linnet_filters_options), __VA_ARGS__})
LINNET_API linnet_image *linnet_filters_draw_with(linnet_context *context, const linnet_filters *filters,
                                                  const linnet_filters_options *options);

LINNET_END_DECLS
#endif
