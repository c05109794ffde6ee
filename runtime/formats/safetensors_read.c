/* SPDX-License-Identifier: Apache-2.0 */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, NAME_SHOWN = 80, ALIGNMENT = 64 };

#define MAX_FILE_BYTES ((size_t)1 << 40)

typedef struct tensor_entry {
    char *name;
    linnet_tensor tensor;
    uint64_t begin, end; /* bytes in the data */
} tensor_entry;

typedef struct text_note {
    char *key, *value;
} text_note;

struct linnet_safetensors {
    size_t count;
    tensor_entry *entries;        /* by place */
    const tensor_entry **by_name; /* sorted */
    size_t note_count;
    text_note *notes;
    void *memory; /* what the tensors point into */
};

/* A file being read. */
typedef struct file_reader {
    linnet_context *context;
    const char *name;
    const uint8_t *data; /* behind the header */
    uint64_t data_bytes;
    linnet_safetensors *file;
} file_reader;

#define bad(reader, ...) linnet_fail((reader)->context, LINNET_BAD_FILE, __VA_ARGS__)

static linnet_status no_memory(const file_reader *reader)
{
    return linnet_fail(reader->context, LINNET_OUT_OF_MEMORY, "%s: out of memory", reader->name);
}

static linnet_status read_metadata(file_reader *reader, json_t *object)
{
    linnet_safetensors *file = reader->file;
    if (!json_is_object(object))
        return bad(reader, "%s: %s is no object", reader->name, LINNET_SAFETENSORS_METADATA);
    file->notes = linnet_allocate(json_object_size(object), sizeof *file->notes);
    if (!file->notes)
        return no_memory(reader);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            return bad(reader, "%s: metadata '%.*s' is no text", reader->name, NAME_SHOWN, key);
        text_note *note = &file->notes[file->note_count++];
        note->key = linnet_duplicate(key);
        note->value = linnet_duplicate(json_string_value(value));
        if (!note->key || !note->value)
            return no_memory(reader);
    }
    return LINNET_OK;
}

static linnet_status read_shape(file_reader *reader, const char *name, json_t *shape, linnet_tensor *tensor)
{
    if (!json_is_array(shape))
        return bad(reader, "%s: tensor '%.*s' has no shape", reader->name, NAME_SHOWN, name);
    if (json_array_size(shape) > LINNET_MAX_RANK)
        return linnet_fail(reader->context, LINNET_LIMIT, "%s: tensor '%.*s' has %zu dimensions, at most %d are read",
                           reader->name, NAME_SHOWN, name, json_array_size(shape), LINNET_MAX_RANK);
    tensor->rank = (uint32_t)json_array_size(shape);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return bad(reader, "%s: tensor '%.*s': dimension %u is no size", reader->name, NAME_SHOWN, name,
                       (unsigned)i);
        tensor->dims[i] = json_integer_value(dim);
    }
    return LINNET_OK;
}

static linnet_status read_place(file_reader *reader, const char *name, json_t *offsets, tensor_entry *entry)
{
    json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return bad(reader, "%s: tensor '%.*s' has no data_offsets", reader->name, NAME_SHOWN, name);
    int64_t first = json_integer_value(begin), last = json_integer_value(end);
    if (first < 0 || last < first || (uint64_t)last > reader->data_bytes)
        return bad(reader, "%s: tensor '%.*s' lies at %lld to %lld, the file has %llu bytes of data", reader->name,
                   NAME_SHOWN, name, (long long)first, (long long)last, (unsigned long long)reader->data_bytes);
    if (linnet_tensor_bytes(&entry->tensor) != last - first)
        return bad(reader, "%s: tensor '%.*s' has %lld bytes of data, its shape another number", reader->name,
                   NAME_SHOWN, name, (long long)(last - first));
    entry->begin = (uint64_t)first;
    entry->end = (uint64_t)last;
    return LINNET_OK;
}

static linnet_status read_entry(file_reader *reader, const char *name, json_t *object)
{
    tensor_entry *entry = &reader->file->entries[reader->file->count++];
    const char *type = json_string_value(json_object_get(object, "dtype"));
    entry->name = linnet_duplicate(name);
    if (!entry->name)
        return no_memory(reader);
    if (!type)
        return bad(reader, "%s: tensor '%.*s' has no dtype", reader->name, NAME_SHOWN, name);
    linnet_status status = linnet_safetensors_type(type, &entry->tensor.type);
    if (status != LINNET_OK)
        return linnet_fail(reader->context, status, "%s: tensor '%.*s' is of type %.*s, which %s", reader->name,
                           NAME_SHOWN, name, 16, type,
                           status == LINNET_BAD_FILE ? "does not exist" : "is not supported");
    status = read_shape(reader, name, json_object_get(object, "shape"), &entry->tensor);
    return status == LINNET_OK ? read_place(reader, name, json_object_get(object, "data_offsets"), entry) : status;
}

static linnet_status read_header(file_reader *reader, json_t *header)
{
    if (!json_is_object(header))
        return bad(reader, "%s: its header is no JSON object", reader->name);
    linnet_safetensors *file = reader->file;
    file->entries = linnet_allocate(json_object_size(header), sizeof *file->entries);
    if (!file->entries)
        return no_memory(reader);
    const char *name;
    json_t *value;
    linnet_status status = LINNET_OK;
    json_object_foreach(header, name, value)
    {
        if (!strcmp(name, LINNET_SAFETENSORS_METADATA))
            status = read_metadata(reader, value);
        else
            status = read_entry(reader, name, value);
        if (status != LINNET_OK)
            return status;
    }
    return LINNET_OK;
}

static int compare_places(const void *a, const void *b)
{
    const tensor_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const tensor_entry *const *)a)->name, (*(const tensor_entry *const *)b)->name);
}

/* Every byte of the data belongs to exactly one tensor. */
static linnet_status check_places(file_reader *reader)
{
    linnet_safetensors *file = reader->file;
    uint64_t at = 0;
    qsort(file->entries, file->count, sizeof *file->entries, compare_places);
    for (size_t i = 0; i < file->count; at = file->entries[i++].end)
        if (file->entries[i].begin != at)
            return bad(reader, "%s: tensor '%.*s' begins at %llu, the one before it ends at %llu", reader->name,
                       NAME_SHOWN, file->entries[i].name, (unsigned long long)file->entries[i].begin,
                       (unsigned long long)at);
    if (at != reader->data_bytes)
        return bad(reader, "%s: %llu bytes of data, its tensors have %llu", reader->name,
                   (unsigned long long)reader->data_bytes, (unsigned long long)at);
    file->by_name = linnet_allocate(file->count, sizeof *file->by_name);
    if (!file->by_name)
        return no_memory(reader);
    for (size_t i = 0; i < file->count; i++)
        file->by_name[i] = &file->entries[i];
    qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
    return LINNET_OK;
}

/* Points the tensors into the file's bytes; where a type would lie askew, all of them into an aligned copy. */
static linnet_status place(file_reader *reader, void **bytes)
{
    linnet_safetensors *file = reader->file;
    bool aligned = true;
    size_t total = 0;
    for (size_t i = 0; i < file->count; i++) {
        tensor_entry *entry = &file->entries[i];
        entry->tensor.data = (void *)(uintptr_t)(reader->data + entry->begin);
        aligned = aligned && (uintptr_t)entry->tensor.data % linnet_type_size(entry->tensor.type) == 0;
        total +=
            (size_t)(entry->end - entry->begin) + ALIGNMENT; /* at most the file and 64 bytes for each header entry */
    }
    if (aligned) {
        file->memory = *bytes;
        *bytes = NULL;
        return LINNET_OK;
    }
    uint8_t *next = file->memory = linnet_allocate(total, 1);
    if (!next)
        return no_memory(reader);
    for (size_t i = 0; i < file->count; i++) {
        tensor_entry *entry = &file->entries[i];
        size_t size = (size_t)(entry->end - entry->begin);
        memcpy(next, entry->tensor.data, size);
        entry->tensor.data = next;
        next += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    return LINNET_OK;
}

static linnet_status parse_header(file_reader *reader, const uint8_t *header, size_t size)
{
    json_error_t error;
    json_t *json = json_loadb((const char *)header, size, JSON_REJECT_DUPLICATES, &error);
    if (!json && json_error_code(&error) == json_error_out_of_memory)
        return no_memory(reader);
    if (!json)
        return bad(reader, "%s: damaged header: %s", reader->name, error.text);
    linnet_status status = read_header(reader, json);
    json_decref(json);
    return status;
}

/* bytes of size come from linnet_allocate and belong to this function. */
static linnet_safetensors *take(linnet_context *context, void *bytes, size_t size, const char *name)
{
    file_reader reader = {.context = context, .name = name, .file = linnet_allocate(1, sizeof(linnet_safetensors))};
    linnet_status status = reader.file ? LINNET_OK : no_memory(&reader);
    uint64_t length = 0;
    for (int i = 0; size >= LENGTH_BYTES && i < LENGTH_BYTES; i++)
        length |= (uint64_t)((const uint8_t *)bytes)[i] << 8 * i;
    if (status == LINNET_OK && (size < LENGTH_BYTES || length > size - LENGTH_BYTES))
        status = bad(&reader, "%s: no safetensors file, or cut short", name);
    else if (status == LINNET_OK && length > LINNET_SAFETENSORS_MAX_HEADER)
        status = linnet_fail(context, LINNET_LIMIT, "%s: a header of %llu bytes, at most %u are read", name,
                             (unsigned long long)length, LINNET_SAFETENSORS_MAX_HEADER);
    if (status == LINNET_OK) {
        reader.data = (const uint8_t *)bytes + LENGTH_BYTES + length;
        reader.data_bytes = size - LENGTH_BYTES - length;
        status = parse_header(&reader, (const uint8_t *)bytes + LENGTH_BYTES, (size_t)length);
    }
    if (status == LINNET_OK)
        status = check_places(&reader);
    if (status == LINNET_OK)
        status = place(&reader, &bytes);
    linnet_release(bytes);
    if (status != LINNET_OK)
        linnet_safetensors_free(&reader.file);
    return reader.file;
}

linnet_safetensors *linnet_safetensors_read(linnet_context *context, const char *path)
{
    void *bytes = NULL;
    size_t size = 0;
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    if (!path) {
        linnet_fail(context, LINNET_INVALID, "safetensors: no path");
        return NULL;
    }
    if (linnet_file_read(context, path, MAX_FILE_BYTES, &bytes, &size) != LINNET_OK)
        return NULL;
    return take(context, bytes, size, path);
}

linnet_safetensors *linnet_safetensors_parse(linnet_context *context, const void *bytes, size_t size, const char *name)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    void *copy = linnet_allocate(size, 1);
    if (!copy || (!bytes && size)) {
        linnet_release(copy);
        linnet_fail(context, copy ? LINNET_INVALID : LINNET_OUT_OF_MEMORY,
                    "safetensors: no bytes, or no memory for them");
        return NULL;
    }
    if (size)
        memcpy(copy, bytes, size);
    return take(context, copy, size, name ? name : "safetensors");
}

void linnet_safetensors_free(linnet_safetensors **file)
{
    if (!file || !*file)
        return;
    for (size_t i = 0; i < (*file)->count; i++)
        linnet_release((*file)->entries[i].name);
    for (size_t i = 0; i < (*file)->note_count; i++) {
        linnet_release((*file)->notes[i].key);
        linnet_release((*file)->notes[i].value);
    }
    linnet_release((*file)->entries);
    linnet_release((*file)->by_name);
    linnet_release((*file)->notes);
    linnet_release((*file)->memory);
    linnet_release(*file);
    *file = NULL;
}

size_t linnet_safetensors_count(const linnet_safetensors *file)
{
    return file ? file->count : 0;
}

const char *linnet_safetensors_at(const linnet_safetensors *file, size_t index, linnet_tensor *out_tensor)
{
    if (!file || index >= file->count)
        return NULL;
    if (out_tensor)
        *out_tensor = file->entries[index].tensor;
    return file->entries[index].name;
}

linnet_status linnet_safetensors_find(const linnet_safetensors *file, const char *name, linnet_tensor *out_tensor)
{
    if (!file || !name || !out_tensor)
        return LINNET_INVALID;
    tensor_entry wanted = {.name = (char *)(uintptr_t)name};
    const tensor_entry *key = &wanted;
    const tensor_entry **found = bsearch(&key, file->by_name, file->count, sizeof *file->by_name, compare_names);
    if (!found)
        return LINNET_NOT_FOUND;
    *out_tensor = (*found)->tensor;
    return LINNET_OK;
}

const char *linnet_safetensors_metadata(const linnet_safetensors *file, const char *key)
{
    for (size_t i = 0; file && key && i < file->note_count; i++)
        if (!strcmp(file->notes[i].key, key))
            return file->notes[i].value;
    return NULL;
}

size_t linnet_safetensors_metadata_count(const linnet_safetensors *file)
{
    return file ? file->note_count : 0;
}

const char *linnet_safetensors_metadata_key(const linnet_safetensors *file, size_t index)
{
    return file && index < file->note_count ? file->notes[index].key : NULL;
}
