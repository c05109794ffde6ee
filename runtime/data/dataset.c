/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset.h"

#include <string.h>
#include <sys/stat.h>

linnet_dataset *linnet_dataset_begin(linnet_context *context, const char *name)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    linnet_dataset *dataset = linnet_allocate(1, sizeof *dataset);
    char *copy = linnet_duplicate(name);
    if (!dataset || !copy) {
        linnet_release(dataset);
        linnet_release(copy);
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "dataset '%s': out of memory", name);
        return NULL;
    }
    dataset->context = context;
    dataset->name = copy;
    return dataset;
}

linnet_dataset *linnet_dataset_begin_folder(linnet_context *context, const char *folder)
{
    const char *last = folder ? folder : "", *slash;
    while ((slash = strchr(last, '/')) && slash[1]) /* the name is what follows the last slash but one at the end */
        last = slash + 1;
    linnet_dataset *dataset = linnet_dataset_begin(context, last);
    if (dataset)
        dataset->name[strcspn(dataset->name, "/")] = '\0';
    return dataset;
}

linnet_status linnet_dataset_check_part(const linnet_dataset *dataset, const char *kind, const char *folder,
                                        linnet_part part)
{
    if (folder && (part == LINNET_PART_TRAIN || part == LINNET_PART_TEST))
        return LINNET_OK;
    return linnet_fail(dataset->context, LINNET_INVALID, "%s: no folder, or no such part (%d)", kind, (int)part);
}

bool linnet_is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

void linnet_dataset_free(linnet_dataset **dataset)
{
    if (!dataset || !*dataset)
        return;
    for (int32_t i = 0; (*dataset)->class_names && i < (*dataset)->class_count; i++)
        linnet_release((*dataset)->class_names[i]);
    linnet_release((*dataset)->class_names);
    linnet_release((*dataset)->labels);
    linnet_release((*dataset)->owned);
    linnet_release((*dataset)->name);
    linnet_release(*dataset);
    *dataset = NULL;
}

linnet_status linnet_dataset_set_classes(linnet_dataset *dataset, int32_t class_count, const char *const *names)
{
    dataset->class_count = class_count;
    dataset->class_names = linnet_allocate((size_t)class_count, sizeof *dataset->class_names);
    for (int32_t i = 0; dataset->class_names && i < class_count; i++) {
        if (names && !names[i])
            return linnet_fail(dataset->context, LINNET_INVALID, "dataset '%s': class %d has no name", dataset->name,
                               (int)i);
        dataset->class_names[i] = names ? linnet_duplicate(names[i]) : linnet_format("%d", (int)i);
        if (!dataset->class_names[i])
            return linnet_fail(dataset->context, LINNET_OUT_OF_MEMORY, "dataset '%s': out of memory", dataset->name);
    }
    if (!dataset->class_names)
        return linnet_fail(dataset->context, LINNET_OUT_OF_MEMORY, "dataset '%s': out of memory", dataset->name);
    return LINNET_OK;
}

const char *linnet_dataset_name(const linnet_dataset *dataset)
{
    return dataset ? dataset->name : "";
}

int64_t linnet_dataset_count(const linnet_dataset *dataset)
{
    return dataset ? dataset->count : 0;
}

int64_t linnet_dataset_channels(const linnet_dataset *dataset)
{
    return dataset ? dataset->channels : 0;
}

int64_t linnet_dataset_height(const linnet_dataset *dataset)
{
    return dataset ? dataset->height : 0;
}

int64_t linnet_dataset_width(const linnet_dataset *dataset)
{
    return dataset ? dataset->width : 0;
}

int32_t linnet_dataset_class_count(const linnet_dataset *dataset)
{
    return dataset ? dataset->class_count : 0;
}

const char *linnet_dataset_class_name(const linnet_dataset *dataset, int32_t class_index)
{
    if (!dataset || class_index < 0 || class_index >= dataset->class_count)
        return NULL;
    return dataset->class_names[class_index];
}

int32_t linnet_dataset_label(const linnet_dataset *dataset, int64_t index)
{
    if (!dataset || index < 0 || index >= dataset->count)
        return -1;
    return dataset->labels[index];
}

linnet_status linnet_dataset_image(const linnet_dataset *dataset, int64_t index, linnet_tensor *out_image)
{
    if (!dataset || !out_image)
        return linnet_fail(dataset ? dataset->context : NULL, LINNET_INVALID, "dataset image: no dataset or no output");
    if (index < 0 || index >= dataset->count)
        return linnet_fail(dataset->context, LINNET_INVALID, "dataset '%s': no image %lld, there are %lld",
                           dataset->name, (long long)index, (long long)dataset->count);
    int64_t elements = dataset->channels * dataset->height * dataset->width;
    size_t offset = (size_t)(index * elements) * linnet_type_size(dataset->type);
    *out_image = (linnet_tensor){.type = dataset->type,
                                 .rank = 3,
                                 .dims = {dataset->channels, dataset->height, dataset->width},
                                 .data = (char *)(uintptr_t)dataset->images + offset};
    return LINNET_OK;
}
