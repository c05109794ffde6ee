/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of pictures as a dataset: every picture in one size. */
#include "dataset.h"
#include "folder_scan.h"

#include <string.h>

static linnet_status check_options(const linnet_dataset *dataset, const linnet_folder_options *options)
{
    if (options->struct_size && options->struct_size < sizeof *options)
        return linnet_fail(dataset->context, LINNET_INVALID, "picture folder: struct_size is %u",
                           (unsigned)options->struct_size);
    if (options->channels != 0 && options->channels != 1 && options->channels != 3)
        return linnet_fail(dataset->context, LINNET_INVALID, "picture folder: %d channels, 1 and 3 can be had",
                           (int)options->channels);
    int32_t height = options->height, width = options->width;
    if (height < 0 || width < 0 || (height == 0) != (width == 0) || height > LINNET_IMAGE_MAX_SIDE ||
        width > LINNET_IMAGE_MAX_SIDE)
        return linnet_fail(dataset->context, LINNET_INVALID, "picture folder: no size of %dx%d", (int)width,
                           (int)height);
    if (options->limit < 0)
        return linnet_fail(dataset->context, LINNET_INVALID, "picture folder: limit is %lld",
                           (long long)options->limit);
    return LINNET_OK;
}

/* ---- Size ---- */

/* What the options leave open is as in this picture. */
static linnet_status size_like(linnet_dataset *dataset, const char *path)
{
    linnet_image *image = linnet_image_read(dataset->context, path);
    if (!image)
        return linnet_context_last_status(dataset->context);
    int64_t height = image->height, width = image->width, longer = height > width ? height : width;
    if (!dataset->channels)
        dataset->channels = image->channels < 3 ? 1 : 3;
    linnet_image_free(&image);
    if (dataset->height)
        return LINNET_OK;
    if (longer > LINNET_FOLDER_MAX_SIDE) {
        height = (height * LINNET_FOLDER_MAX_SIDE + longer / 2) / longer;
        width = (width * LINNET_FOLDER_MAX_SIDE + longer / 2) / longer;
    }
    dataset->height = height > 0 ? height : 1;
    dataset->width = width > 0 ? width : 1;
    return LINNET_OK;
}

/* The size is that of the first training picture whichever part is read; without a training part, of the first one. */
static linnet_status choose_size(linnet_dataset *dataset, const linnet_folder_list *list, linnet_part part,
                                 const linnet_folder_options *options)
{
    dataset->channels = options->channels;
    dataset->height = options->height;
    dataset->width = options->width;
    if (options->channels && options->height)
        return LINNET_OK;
    if (part == LINNET_PART_TRAIN)
        return size_like(dataset, list->pictures[0].path);
    linnet_folder_list train;
    linnet_status status = linnet_folder_scan(dataset->context, list->folder, LINNET_PART_TRAIN, &train);
    if (status == LINNET_OK || status == LINNET_NOT_FOUND)
        status = size_like(dataset, (train.count ? &train : list)->pictures[0].path);
    linnet_folder_list_free(&train);
    return status;
}

/* ---- Pixels ---- */

/* [C,H,W] from a picture of that size with as many channels. */
static void planes_put(const linnet_image *image, int64_t channels, uint8_t *out)
{
    size_t plane = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < plane; i++)
        for (int64_t c = 0; c < channels; c++)
            out[(size_t)c * plane + i] = image->pixels[i * (size_t)channels + (size_t)c];
}

static linnet_status read_picture(const linnet_dataset *dataset, const char *path, uint8_t *out)
{
    linnet_context *context = dataset->context;
    linnet_image *image = linnet_image_read(context, path), *flat = NULL, *sized = NULL;
    if (image)
        flat = linnet_image_convert(context, image, (int32_t)dataset->channels);
    linnet_image_free(&image);
    if (flat)
        sized = linnet_image_cover(context, flat, (int32_t)dataset->width, (int32_t)dataset->height,
                                   LINNET_RESIZE_BILINEAR);
    linnet_image_free(&flat);
    if (!sized)
        return linnet_context_last_status(context);
    planes_put(sized, dataset->channels, out);
    linnet_image_free(&sized);
    return LINNET_OK;
}

static linnet_status read_pictures(linnet_dataset *dataset, const linnet_folder_list *list)
{
    int64_t bytes = dataset->channels * dataset->height * dataset->width; /* at most 3 * 2^28 */
    if (dataset->count > LINNET_DATASET_MAX_BYTES / bytes)
        return linnet_fail(dataset->context, LINNET_LIMIT,
                           "%s: %lld pictures of %lldx%lld are more than %lld bytes; take a smaller size or fewer",
                           list->folder, (long long)dataset->count, (long long)dataset->width,
                           (long long)dataset->height, (long long)LINNET_DATASET_MAX_BYTES);
    uint8_t *images = linnet_allocate((size_t)dataset->count, (size_t)bytes);
    dataset->images = dataset->owned = images;
    dataset->labels = linnet_allocate((size_t)dataset->count, sizeof *dataset->labels);
    if (!images || !dataset->labels)
        return linnet_fail(dataset->context, LINNET_OUT_OF_MEMORY, "%s: no memory for %lld pictures", list->folder,
                           (long long)dataset->count);
    linnet_status status = LINNET_OK;
    for (int64_t i = 0; i < dataset->count && status == LINNET_OK; i++) {
        dataset->labels[i] = list->pictures[i].class_index;
        status = read_picture(dataset, list->pictures[i].path, images + i * bytes);
    }
    return status;
}

/* ---- Opening ---- */

/* A folder may be called anything; a class name goes to terminals and into pictures. */
static linnet_status set_classes(linnet_dataset *dataset, const linnet_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        for (char *c = names->items[i]; *c; c++)
            if ((uint8_t)*c < ' ' || *c == 0x7f)
                *c = '?';
    return linnet_dataset_set_classes(dataset, (int32_t)names->count, (const char *const *)names->items);
}

static linnet_status open_part(linnet_dataset *dataset, const char *folder, linnet_part part,
                               const linnet_folder_options *options)
{
    linnet_folder_list list;
    linnet_status status = linnet_folder_scan(dataset->context, folder, part, &list);
    if (status == LINNET_OK)
        status = choose_size(dataset, &list, part, options);
    dataset->type = LINNET_U8;
    dataset->count = options->limit && options->limit < (int64_t)list.count ? options->limit : (int64_t)list.count;
    if (status == LINNET_OK)
        status = read_pictures(dataset, &list);
    if (status == LINNET_OK)
        status = set_classes(dataset, &list.classes);
    linnet_folder_list_free(&list);
    return status;
}

linnet_dataset *linnet_dataset_open_folder_with(linnet_context *context, const char *folder, linnet_part part,
                                                const linnet_folder_options *options)
{
    linnet_folder_options defaults = {.struct_size = sizeof defaults};
    options = options ? options : &defaults;
    linnet_dataset *dataset = linnet_dataset_begin_folder(context, folder);
    if (!dataset)
        return NULL;
    linnet_status status = linnet_dataset_check_part(dataset, "picture folder", folder, part);
    if (status == LINNET_OK)
        status = check_options(dataset, options);
    if (status == LINNET_OK)
        status = open_part(dataset, folder, part, options);
    if (status != LINNET_OK)
        linnet_dataset_free(&dataset);
    return dataset;
}
