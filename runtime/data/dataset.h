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
/* The same, named as folder's last component is ("" for NULL). */
linnet_dataset *linnet_dataset_begin_folder(linnet_context *context, const char *folder);
/* LINNET_INVALID for no folder or no such part; kind names what was to be opened. */
linnet_status linnet_dataset_check_part(const linnet_dataset *dataset, const char *kind, const char *folder,
                                        linnet_part part);
/* Sets class_count and copies names ("0", "1", ... for NULL). */
linnet_status linnet_dataset_set_classes(linnet_dataset *dataset, int32_t class_count, const char *const *names);
/* Whether path is a regular file. */
bool linnet_is_file(const char *path);

/* Whether files of this kind lie in folder, whichever part they are of. */
bool linnet_idx_found(const char *folder);
bool linnet_cifar_found(const char *folder);

#endif
