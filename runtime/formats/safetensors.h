/* SPDX-License-Identifier: Apache-2.0 */
/* What reading and writing share. Internal. */
#ifndef LINNET_FORMATS_SAFETENSORS_H
#define LINNET_FORMATS_SAFETENSORS_H

#include "core/core.h"
#include "linnet/safetensors.h"

#define LINNET_SAFETENSORS_METADATA "__metadata__"

/* "F32", ...; NULL for a type that the format lacks. */
const char *linnet_safetensors_type_name(linnet_type type);
/* LINNET_OK and the type; LINNET_UNSUPPORTED: the format has it, Linnet does not; LINNET_BAD_FILE: nobody does. */
linnet_status linnet_safetensors_type(const char *name, linnet_type *out_type);

#endif
