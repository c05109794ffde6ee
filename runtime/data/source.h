/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a file, plain or gzip, one after the other: what IDX and CIFAR files are read through. Internal. */
#ifndef LINNET_DATA_SOURCE_H
#define LINNET_DATA_SOURCE_H

#include "core/core.h"

#include <zlib.h>

typedef struct linnet_source {
    linnet_context *context;
    const char *path;    /* what messages call it; stays the caller's */
    const uint8_t *next; /* in the file */
    size_t left;         /* of the file's bytes */
    bool zipped;         /* the file starts as gzip does, whatever its name */
    z_stream stream;
    void *file; /* all of it */
} linnet_source;

/* Reads the file. To be closed after a failure, too. LINNET_LIMIT: larger than LINNET_DATASET_MAX_BYTES. */
linnet_status linnet_source_open(linnet_context *context, const char *path, linnet_source *out_source);
void linnet_source_close(linnet_source *source);
/* Up to size bytes; *out_got is less only at the end of the data. */
linnet_status linnet_source_some(linnet_source *source, void *out, size_t size, size_t *out_got);
/* Exactly size bytes; LINNET_BAD_FILE when there are fewer. */
linnet_status linnet_source_read(linnet_source *source, void *out, size_t size);
/* Nothing may follow; for gzip this also checks the sum at the end. */
linnet_status linnet_source_end(linnet_source *source);

#endif
