/* SPDX-License-Identifier: Apache-2.0 */
/* The notes of weight files: what they are for, and what is needed to build that again. */
#include "../core/text.h"
#include "weights.h"

#include <string.h>

void linnet_metadata_list_add(linnet_metadata_list *list, const char *key, const char *value)
{
    if (list->failed) /* the last item may be half made */
        return;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].key, key) == 0)
            return; /* a note of the user's never takes the place of what linnet_save writes */
    if (!linnet_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        list->failed = true;
        return;
    }
    linnet_metadata *item = &list->items[list->count++];
    *item = (linnet_metadata){linnet_duplicate(key), linnet_duplicate(value)};
    list->failed = !item->key || !item->value;
}

/* "linnet.input.image": "3x32x32" */
static void add_dims(linnet_metadata_list *list, const char *prefix, const linnet_net_value *value)
{
    linnet_text dims = {0};
    for (uint32_t i = 1; i < value->shape.rank; i++) {
        const char *separator = i > 1 ? "x" : "";
        if (value->shape.dims[i] == LINNET_FREE)
            linnet_text_append(&dims, "%s?", separator);
        else
            linnet_text_append(&dims, "%s%lld", separator, (long long)value->shape.dims[i]);
    }
    char *key = linnet_format("%s%s", prefix, value->name);
    if (key && dims.data)
        linnet_metadata_list_add(list, key, dims.data);
    else
        list->failed = true;
    linnet_release(key);
    linnet_release(dims.data);
}

void linnet_metadata_list_net(linnet_metadata_list *list, const linnet_net *net)
{
    linnet_metadata_list_add(list, LINNET_METADATA_ARCHITECTURE, linnet_net_name(net));
    for (size_t i = 0; i < net->value_count; i++) {
        const linnet_net_value *value = &net->values[i];
        bool has_dims = value->shape.type == LINNET_F32 && value->shape.rank > 1;
        if (has_dims && value->kind == LINNET_VALUE_INPUT)
            add_dims(list, LINNET_METADATA_INPUT, value);
        else if (has_dims && value->kind == LINNET_VALUE_NODE && value->is_output)
            add_dims(list, LINNET_METADATA_OUTPUT, value);
    }
    for (size_t i = 0; i < net->note_count; i++)
        linnet_metadata_list_add(list, net->notes[i].key, net->notes[i].text);
}

void linnet_metadata_list_clear(linnet_metadata_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        linnet_release((void *)list->items[i].key);
        linnet_release((void *)list->items[i].value);
    }
    linnet_release(list->items);
    *list = (linnet_metadata_list){0};
}

char *linnet_weights_name(const linnet_safetensors *file)
{
    const char *own = linnet_safetensors_metadata(file, LINNET_METADATA_ARCHITECTURE);
    if (own)
        return linnet_duplicate(own);
    const char *foreign = linnet_safetensors_metadata(file, "architecture");
    return foreign ? linnet_format("%.*s", (int)strcspn(foreign, ", \t\n"), foreign) : linnet_duplicate("");
}
