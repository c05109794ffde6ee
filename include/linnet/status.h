/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status codes. Every function that can fail returns a linnet_status or NULL; the sentence that says what went
 * wrong, with the values and names involved, is linnet_context_message(). Numbers are part of the ABI and never reused.
 */
#ifndef LINNET_STATUS_H
#define LINNET_STATUS_H

#include "export.h"

LINNET_BEGIN_DECLS

/* X(NAME, number, what it means) */
#define LINNET_STATUS_TABLE(X)                                                                                         \
    X(OK, 0, "done")                                                                                                   \
    X(INVALID, 1, "invalid argument")                                                                                  \
    X(OUT_OF_MEMORY, 2, "out of memory")                                                                               \
    X(IO, 3, "a file could not be opened, read or written")                                                            \
    X(BAD_FILE, 4, "a file is damaged or not of the expected kind")                                                    \
    X(NO_DEVICE, 5, "no usable device")                                                                                \
    X(UNSUPPORTED, 6, "not supported by this build or device")                                                         \
    X(NOT_FOUND, 7, "not found")                                                                                       \
    X(SHAPE, 8, "shapes do not fit together")                                                                          \
    X(DEVICE_ERROR, 9, "the device or its driver reported an error")                                                   \
    X(DEVICE_LOST, 10, "the device is lost")                                                                           \
    X(FORKED, 11, "used in the child of a fork")                                                                       \
    X(BUILD_FAILED, 12, "a device program could not be built")                                                         \
    X(INTERRUPTED, 13, "interrupted")                                                                                  \
    X(LIMIT, 14, "over a documented limit")                                                                            \
    X(END, 15, "no more items")                                                                                        \
    X(INTERNAL, 16, "internal error, please report it")

typedef enum linnet_status {
#define LINNET_STATUS_ENUM(name, number, text) LINNET_##name = number,
    LINNET_STATUS_TABLE(LINNET_STATUS_ENUM)
#undef LINNET_STATUS_ENUM
} linnet_status;

/* The fixed text of a status, never NULL: "shapes do not fit together". */
LINNET_API const char *linnet_status_text(linnet_status status);

/* The name of a status as written in code: "LINNET_SHAPE". */
LINNET_API const char *linnet_status_name(linnet_status status);

LINNET_END_DECLS
#endif
