/* SPDX-License-Identifier: Apache-2.0 */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8 };

/* The order in the file: wide types first, so that every tensor is aligned; then as given. */
typedef struct tensor_place {
    const linnet_named_tensor *tensor;
    size_t width; /* bytes of an element */
    size_t bytes;
} tensor_place;

static int compare(const void *a, const void *b)
{
    const tensor_place *x = a, *y = b;
    if (x->width != y->width)
        return x->width > y->width ? -1 : 1;
    return (x->tensor > y->tensor) - (x->tensor < y->tensor);
}

static linnet_status places_make(linnet_context *context, const linnet_named_tensor *tensors, size_t count,
                                 tensor_place *places)
{
    for (size_t i = 0; i < count; i++) {
        const linnet_tensor *tensor = &tensors[i].tensor;
        int64_t bytes = linnet_tensor_bytes(tensor);
        if (!tensors[i].name || !strcmp(tensors[i].name, LINNET_SAFETENSORS_METADATA))
            return linnet_fail(context, LINNET_INVALID, "safetensors: tensor %zu has no name, or a reserved one", i);
        if (bytes < 0 || (bytes > 0 && !tensor->data) || !linnet_safetensors_type_name(tensor->type))
            return linnet_fail(context, LINNET_INVALID,
                               "safetensors: tensor '%s' has no data, or a type or shape that is none",
                               tensors[i].name);
        places[i] = (tensor_place){&tensors[i], linnet_type_size(tensor->type), (size_t)bytes};
    }
    qsort(places, count, sizeof *places, compare);
    return LINNET_OK;
}

static json_t *entry_make(const tensor_place *place, uint64_t begin)
{
    const linnet_tensor *tensor = &place->tensor->tensor;
    json_t *shape = json_array();
    for (uint32_t i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer(tensor->dims[i]));
    if (json_array_size(shape) != tensor->rank) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", linnet_safetensors_type_name(tensor->type), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + place->bytes));
}

static linnet_status metadata_add(linnet_context *context, json_t *header, const linnet_metadata *metadata,
                                  size_t count)
{
    json_t *object = json_object();
    if (json_object_set_new(header, LINNET_SAFETENSORS_METADATA, object))
        return linnet_fail(context, LINNET_OUT_OF_MEMORY, "safetensors: out of memory");
    for (size_t i = 0; i < count; i++)
        if (!metadata[i].key || !metadata[i].value || json_object_get(object, metadata[i].key) ||
            json_object_set_new(object, metadata[i].key, json_string(metadata[i].value)))
            return linnet_fail(context, LINNET_INVALID,
                               "safetensors: metadata '%s' is missing, given twice or no UTF-8",
                               metadata[i].key ? metadata[i].key : "");
    return LINNET_OK;
}

static linnet_status header_make(linnet_context *context, json_t *header, const tensor_place *places, size_t count)
{
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = places[i].tensor->name;
        if (json_object_get(header, name))
            return linnet_fail(context, LINNET_INVALID, "safetensors: two tensors are called '%s'", name);
        json_t *entry = entry_make(&places[i], at);
        if (!entry)
            return linnet_fail(context, LINNET_OUT_OF_MEMORY, "safetensors: out of memory");
        if (json_object_set_new(header, name, entry))
            return linnet_fail(context, LINNET_INVALID, "safetensors: the name '%s' is no UTF-8", name);
        at += places[i].bytes;
    }
    return LINNET_OK;
}

/* Length, header, blanks up to a multiple of 8, data. */
static linnet_status file_write(linnet_context *context, const char *path, const char *header,
                                const tensor_place *places, size_t count)
{
    size_t length = strlen(header), padded = (length + 7) / 8 * 8;
    uint8_t prefix[LENGTH_BYTES];
    for (int i = 0; i < LENGTH_BYTES; i++)
        prefix[i] = (uint8_t)((uint64_t)padded >> 8 * i);
    if (padded > LINNET_SAFETENSORS_MAX_HEADER)
        return linnet_fail(context, LINNET_LIMIT, "%s: a header of %zu bytes, at most %u are read", path, padded,
                           LINNET_SAFETENSORS_MAX_HEADER);
    const void **pieces = linnet_allocate(count + 3, sizeof *pieces);
    size_t *sizes = linnet_allocate(count + 3, sizeof *sizes);
    linnet_status status = LINNET_OUT_OF_MEMORY;
    if (pieces && sizes) {
        pieces[0] = prefix;
        sizes[0] = sizeof prefix;
        pieces[1] = header;
        sizes[1] = length;
        pieces[2] = "       ";
        sizes[2] = padded - length;
        for (size_t i = 0; i < count; i++) {
            pieces[3 + i] = places[i].bytes ? places[i].tensor->tensor.data : "";
            sizes[3 + i] = places[i].bytes;
        }
        status = linnet_file_write(context, path, pieces, sizes, count + 3);
    } else {
        linnet_fail(context, status, "%s: out of memory", path);
    }
    linnet_release(pieces);
    linnet_release(sizes);
    return status;
}

linnet_status linnet_safetensors_write(linnet_context *context, const char *path, const linnet_named_tensor *tensors,
                                       size_t tensor_count, const linnet_metadata *metadata, size_t metadata_count)
{
    context = linnet_context_or_default(context);
    linnet_status status = linnet_context_check(context);
    if (status != LINNET_OK)
        return status;
    if (!path || (!tensors && tensor_count) || (!metadata && metadata_count))
        return linnet_fail(context, LINNET_INVALID, "safetensors: no path, tensors or metadata");
    tensor_place *places = linnet_allocate(tensor_count, sizeof *places);
    json_t *header = json_object();
    char *text = NULL;
    if (!places || !header)
        status = linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: out of memory", path);
    if (status == LINNET_OK)
        status = places_make(context, tensors, tensor_count, places);
    if (status == LINNET_OK && metadata_count)
        status = metadata_add(context, header, metadata, metadata_count);
    if (status == LINNET_OK)
        status = header_make(context, header, places, tensor_count);
    if (status == LINNET_OK && !(text = json_dumps(header, JSON_COMPACT)))
        status = linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: out of memory", path);
    if (status == LINNET_OK)
        status = file_write(context, path, text, places, tensor_count);
    free(text);
    json_decref(header);
    linnet_release(places);
    return status;
}
