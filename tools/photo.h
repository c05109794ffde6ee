/* SPDX-License-Identifier: Apache-2.0 */
/* A picture as a network takes it. */
#ifndef LINNET_TOOLS_PHOTO_H
#define LINNET_TOOLS_PHOTO_H

#include "planes.h"

typedef enum photo_way {
    /* A picture of the network's own size as it is. Another: for networks that take 28 x 28 in grey it is a digit,
       centred and scaled as MNIST's are; for all others the shorter side is scaled to 8/7 of the network's (256 for
       224) and the middle is cut out, as torchvision does. */
    PHOTO_FITTED,
    PHOTO_DIGIT, /* the same, but pictures of 28 x 28 are centred and scaled, too */
    PHOTO_AS_IS  /* at its own size, which the network has to take */
} photo_way;

typedef struct photo {
    linnet_image *image;  /* 8 bits, grey or RGB, in the network's size: what is shown to people */
    linnet_tensor tensor; /* the same as planes */
} photo;

/* Both return EXIT_GO_ON or the exit code to leave with. */
int photo_open(const char *path, const linnet_model *model, photo_way way, photo *out);
/* EXIT_USAGE where the dataset has no image number index. */
int photo_check_index(const linnet_dataset *data, int64_t index);
/* Image number index of a dataset, channels as they are (1 or 3). */
int photo_open_index(const linnet_dataset *data, int64_t index, photo *out);
void photo_free(photo *p);

/* The sizes of a network that shall take the picture as it is. */
int photo_size(const char *path, linnet_model_options *out_options);

#endif
