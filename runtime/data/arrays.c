/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset made of arrays in memory. */
#include "dataset.h"

#include <stddef.h>

static int64_t label_at(const linnet_tensor *labels, int64_t index)
{
    switch (labels->type) {
    case LINNET_U8:
        return ((const uint8_t *)labels->data)[index];
    case LINNET_I32:
        return ((const int32_t *)labels->data)[index];
    default:
        return ((const int64_t *)labels->data)[index];
    }
}

static linnet_status take_images(linnet_dataset *dataset, const linnet_tensor *images)
{
    if (images->type != LINNET_U8 && images->type != LINNET_F32)
        return linnet_fail(dataset->context, LINNET_INVALID, "dataset '%s': images are %s, wanted u8 or f32",
                           dataset->name, linnet_type_name(images->type));
    if ((images->rank != 3 && images->rank != 4) || !images->data || linnet_tensor_bytes(images) <= 0)
        return linnet_fail(dataset->context, LINNET_SHAPE,
                           "dataset '%s': images must be a filled array [N,C,H,W] or [N,H,W]", dataset->name);
    const int64_t *dims = images->dims;
    dataset->count = dims[0];
    dataset->channels = images->rank == 4 ? dims[1] : 1;
    dataset->height = dims[images->rank - 2];
    dataset->width = dims[images->rank - 1];
    dataset->type = images->type;
    dataset->images = images->data;
    return LINNET_OK;
}

/* Copies the labels as i32; class_count 0 becomes one more than the largest. */
static linnet_status take_labels(linnet_dataset *dataset, const linnet_tensor *labels, int32_t *class_count)
{
    if (labels->type != LINNET_U8 && labels->type != LINNET_I32 && labels->type != LINNET_I64)
        return linnet_fail(dataset->context, LINNET_INVALID, "dataset '%s': labels are %s, wanted i32, i64 or u8",
                           dataset->name, linnet_type_name(labels->type));
    if (labels->rank != 1 || !labels->data || labels->dims[0] != dataset->count)
        return linnet_fail(dataset->context, LINNET_SHAPE,
                           "dataset '%s': labels must be an array [N] with one label for each of the %lld images",
                           dataset->name, (long long)dataset->count);
    dataset->labels = linnet_allocate((size_t)dataset->count, sizeof *dataset->labels);
    if (!dataset->labels)
        return linnet_fail(dataset->context, LINNET_OUT_OF_MEMORY, "dataset '%s': out of memory", dataset->name);
    int64_t limit = *class_count > 0 ? *class_count : LINNET_MAX_CLASSES, largest = 0;
    for (int64_t i = 0; i < dataset->count; i++) {
        int64_t label = label_at(labels, i);
        if (label < 0 || label >= limit)
            return linnet_fail(dataset->context, LINNET_INVALID,
                               "dataset '%s': label %lld of image %lld is not in 0..%lld", dataset->name,
                               (long long)label, (long long)i, (long long)limit - 1);
        largest = label > largest ? label : largest;
        dataset->labels[i] = (int32_t)label;
    }
    if (*class_count == 0)
        *class_count = (int32_t)largest + 1;
    return LINNET_OK;
}

linnet_dataset *linnet_dataset_from_arrays_with(linnet_context *context, const linnet_tensor *images,
                                                const linnet_tensor *labels, const linnet_dataset_options *options)
{
    linnet_dataset_options defaults = {.struct_size = sizeof defaults};
    options = options ? options : &defaults;
    linnet_dataset *dataset = linnet_dataset_begin(context, options->name ? options->name : "arrays");
    if (!dataset)
        return NULL;
    int32_t class_count = options->class_count;
    linnet_status status = LINNET_OK;
    if (!images || !labels || (options->struct_size && options->struct_size < sizeof *options))
        status = linnet_fail(dataset->context, LINNET_INVALID,
                             "dataset '%s': images, labels or the options' size missing", dataset->name);
    else if (class_count < 0 || class_count > LINNET_MAX_CLASSES || (options->class_names && !class_count))
        status = linnet_fail(dataset->context, LINNET_INVALID, "dataset '%s': class_count %d is not in 1..%d",
                             dataset->name, (int)class_count, (int)LINNET_MAX_CLASSES);
    if (status == LINNET_OK)
        status = take_images(dataset, images);
    if (status == LINNET_OK)
        status = take_labels(dataset, labels, &class_count);
    if (status == LINNET_OK)
        status = linnet_dataset_set_classes(dataset, class_count, options->class_names);
    if (status != LINNET_OK)
        linnet_dataset_free(&dataset);
    return dataset;
}
