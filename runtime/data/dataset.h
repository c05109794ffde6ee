/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a dataset, for the constructors and the loader. Internal. */
#ifndef LINNET_DATASET_H
#define LINNET_DATASET_H

#include "core/core.h"
#include "linnet/data.h"

struct linnet_dataset {
    linnet_context *context;
    char *name;
    int64_t count, channels, height, width;
    linnet_type type;   /* of the images: u8 or f32 */
    const void *images; /* dense [N,C,H,W] */
    void *owned;        /* images, where they belong to the dataset, else NULL */
    int32_t *labels;    /* [N], each 0 .. class_count-1 */
    int32_t class_count;
    char **class_names; /* class_count of them */
};

enum { LINNET_MAX_CLASSES = 1 << 20 };

/* An empty dataset with its name copied; NULL with a message when the context refuses or memory ends. */
linnet_dataset *linnet_dataset_begin(linnet_context *context, const char *name);
/* Sets class_count and copies names ("0", "1", ... for NULL). */
linnet_status linnet_dataset_set_classes(linnet_dataset *dataset, int32_t class_count, const char *const *names);

#endif
