/* SPDX-License-Identifier: Apache-2.0 */
/* What LINNET_OPENCL_VARIANT forces: variants.def. */
#ifndef LINNET_OPENCL_VARIANTS_H
#define LINNET_OPENCL_VARIANTS_H

#include "opencl.h"

typedef enum linnet_cl_variant {
#define LINNET_CL_VARIANT(ID, name, layer, set, kernel) LINNET_CL_VARIANT_##ID,
#include "variants.def"
    LINNET_CL_VARIANT_COUNT
} linnet_cl_variant;

/* Bit i: number i is forced on this device. */
bool linnet_cl_forces(const linnet_backend_device *device, linnet_cl_variant variant);

#endif
