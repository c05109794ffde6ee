/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a device and its like: parameters.def. */
#ifndef LINNET_OPENCL_PARAMETERS_H
#define LINNET_OPENCL_PARAMETERS_H

#include "linnet/backend.h"

#include <stddef.h>

typedef enum linnet_cl_parameter {
#define LINNET_CL_PARAMETER(ID, name, least, most) LINNET_CL_##ID,
#include "parameters.def"
    LINNET_CL_PARAMETER_COUNT
} linnet_cl_parameter;

typedef struct linnet_cl_parameters {
    double values[LINNET_CL_PARAMETER_COUNT];
    const char *from[LINNET_CL_PARAMETER_COUNT]; /* "device", "architecture", "vendor", "type", "default", "option" */
} linnet_cl_parameters;

/* Of whom. Architecture may be "". */
typedef struct linnet_cl_subject {
    const char *device, *architecture, *vendor, *type;
} linnet_cl_subject;

/* LINNET_INVALID where LINNET_OPENCL_PARAMETERS ("group=64,large_product=1e9") makes no sense. */
linnet_status linnet_cl_parameters_find(const linnet_cl_subject *subject, linnet_cl_parameters *out);
/* A line for each; what fits. */
void linnet_cl_parameters_describe(const linnet_cl_parameters *parameters, char *out_text, size_t size);

#endif
