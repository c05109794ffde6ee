/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <string.h>

#define MOST_BYTES 4096 /* of any options struct, ever: more is no size */

linnet_status linnet_vision_options(linnet_context *context, const char *what, const void *given, void *out,
                                    size_t size)
{
    uint32_t given_size = 0;
    memset(out, 0, size);
    if (!given)
        return LINNET_OK;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > MOST_BYTES)
        return linnet_fail(context, LINNET_INVALID, "%s: options.struct_size is %u, wants sizeof the options", what,
                           given_size);
    memcpy(out, given, given_size < size ? given_size : size);
    return LINNET_OK;
}
