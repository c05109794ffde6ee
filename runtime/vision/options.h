/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of this room share. Internal. */
#ifndef LINNET_VISION_OPTIONS_H
#define LINNET_VISION_OPTIONS_H

#include "core/core.h"

/* Copies the caller's options struct, given (NULL: all zero), into out of size bytes, as far as the caller knew it;
   what names the function in the sentence. */
linnet_status linnet_vision_options(linnet_context *context, const char *what, const void *given, void *out,
                                    size_t size);

#endif
