/* SPDX-License-Identifier: Apache-2.0 */
/* A network that looks at pictures of one size and channel count. Internal. */
#ifndef LINNET_VISION_EXTRACTOR_H
#define LINNET_VISION_EXTRACTOR_H

#include "../core/core.h"
#include "linnet/objective.h"
#include "linnet/zoo.h"

typedef struct linnet_extractor {
    linnet_context *context;
    linnet_device *device;
    linnet_model model;
    const char *weights; /* the source's: read by start */
    linnet_session *session;
    int64_t channels, height, width;
    bool shallow; /* the net ends where the picture became too small for it */
    size_t count; /* numbers in a picture */
    float *input; /* the last picture as the network wants it */
} linnet_extractor;

/* What the caller said of the source, given (NULL: nothing), with a device in it: *out_opened is NULL or the default
   one, for the caller to close. what names the function in the sentence. */
linnet_status linnet_source_resolve(linnet_context *context, const char *what, const linnet_feature_source *given,
                                    linnet_feature_source *out_source, linnet_device **out_opened);

/* Builds the net, of vgg19 as much as the picture's size allows. picture: rank 3, its size is what counts. After that
   the caller may add nodes, then start. A failed open or start needs the close, too. */
linnet_status linnet_extractor_open(linnet_context *context, const linnet_feature_source *source,
                                    const linnet_tensor *picture, linnet_extractor *out);
/* A session that computes only what is asked for, evaluating, with weights. */
linnet_status linnet_extractor_start(linnet_extractor *extractor);
void linnet_extractor_close(linnet_extractor *extractor);

/* Adds the net's input, made from picture, as the batch's next feed. */
void linnet_extractor_feed(linnet_extractor *extractor, const float *picture, linnet_batch *batch);
/* Elements of a value of the net for one picture; 0 when that is not known. */
size_t linnet_extractor_elements(const linnet_extractor *extractor, linnet_value value, int64_t *out_dims,
                                 uint32_t *out_rank);

/* What a picture has in one layer. */
typedef struct linnet_target {
    const char *layer;
    bool gram;   /* the Gram matrix over the number of positions, not the maps */
    float *data; /* release with linnet_release */
    size_t count;
    int64_t dims[LINNET_MAX_RANK]; /* with the batch, 1 */
    uint32_t rank;
    double squares; /* sum of the squares of data */
} linnet_target;

/* A layer by its name; LINNET_NOT_FOUND lists those that there are, and says so where the picture is too small for the
   rest of the net. */
linnet_status linnet_extractor_layer(const linnet_extractor *extractor, const char *layer, linnet_value *out_value);
/* The maps of a layer, or with gram G / M: their Gram matrix over the number of positions. */
linnet_status linnet_extractor_tap(linnet_extractor *extractor, const char *layer, bool gram, linnet_value *out_value);
/* Runs picture through the network once and fills in the targets, whose layer and gram are set. */
linnet_status linnet_targets_read(linnet_context *context, const linnet_feature_source *source,
                                  const linnet_tensor *picture, linnet_target *targets, size_t count);
void linnet_targets_release(linnet_target *targets, size_t count);

#endif
