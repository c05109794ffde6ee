/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors: named tensors and text notes in one file (https://huggingface.co/docs/safetensors). Eight bytes with the
 * length of a JSON header, the header (name -> type, shape, place), the data.
 *
 *     linnet_safetensors *file = linnet_safetensors_read(NULL, "lenet5.safetensors");
 *     linnet_tensor weight;
 *     if (file && linnet_safetensors_find(file, "conv1.weight", &weight) == LINNET_OK)
 *         ...
 *     linnet_safetensors_free(&file);
 *
 * Reading trusts nothing: the header is at most LINNET_SAFETENSORS_MAX_HEADER bytes, every tensor lies inside the file,
 * no two overlap and no byte belongs to none. Whatever does not hold is LINNET_BAD_FILE with a sentence naming the
 * file. Threads: a file that was read may be used from several threads at once.
 */
#ifndef LINNET_SAFETENSORS_H
#define LINNET_SAFETENSORS_H

#include "context.h"
#include "tensor.h"

LINNET_BEGIN_DECLS

#define LINNET_SAFETENSORS_MAX_HEADER (16u << 20)

typedef struct linnet_safetensors linnet_safetensors;

/* Reads the whole file. Types that Linnet does not know (i8, u32, ...) are LINNET_UNSUPPORTED. */
LINNET_API linnet_safetensors *linnet_safetensors_read(linnet_context *context, const char *path);
/* The same from size bytes in memory, which are copied; name is what messages call it. */
LINNET_API linnet_safetensors *linnet_safetensors_parse(linnet_context *context, const void *bytes, size_t size,
                                                        const char *name);
/* Accepts NULL, clears the pointer. Tensors and strings that came from the file end with it. */
LINNET_API void linnet_safetensors_free(linnet_safetensors **file);

/* How many tensors. */
LINNET_API size_t linnet_safetensors_count(const linnet_safetensors *file);
/* Tensor index, in the order of their data: its name, and where out_tensor is not NULL a view of it. NULL: no such
 * index. */
LINNET_API const char *linnet_safetensors_at(const linnet_safetensors *file, size_t index, linnet_tensor *out_tensor);
/* A view of the tensor called name; LINNET_NOT_FOUND (without a message) when there is none. */
LINNET_API linnet_status linnet_safetensors_find(const linnet_safetensors *file, const char *name,
                                                 linnet_tensor *out_tensor);

/* The note called key; NULL when there is none. */
LINNET_API const char *linnet_safetensors_metadata(const linnet_safetensors *file, const char *key);
/* How many notes, and the key of note index; NULL: no such index. */
LINNET_API size_t linnet_safetensors_metadata_count(const linnet_safetensors *file);
LINNET_API const char *linnet_safetensors_metadata_key(const linnet_safetensors *file, size_t index);

typedef struct linnet_named_tensor {
    const char *name;
    linnet_tensor tensor;
} linnet_named_tensor;

typedef struct linnet_metadata {
    const char *key;
    const char *value;
} linnet_metadata;

/* Writes tensors (names unique and UTF-8, data in host memory) and notes, atomically: path holds the old bytes or the
   new ones. The same arguments give the same bytes. */
LINNET_API linnet_status linnet_safetensors_write(linnet_context *context, const char *path,
                                                  const linnet_named_tensor *tensors, size_t tensor_count,
                                                  const linnet_metadata *metadata, size_t metadata_count);

LINNET_END_DECLS
#endif
