/* SPDX-License-Identifier: Apache-2.0 */
/* gram in nchw16c (gram_nchw16c.c), one of the candidates of gram.c. */
#ifndef LINNET_OPENCL_GRAM_H
#define LINNET_OPENCL_GRAM_H

#include "plan.h"

/* NULL: it accepts x in nchw16c. */
const char *linnet_cl_gram_nchw16c_refusal(const linnet_backend_device *device, const linnet_layer_desc *desc);
uint64_t linnet_cl_gram_nchw16c_workspace(const linnet_backend_device *device, const linnet_layer_desc *desc);
/* Microseconds. */
float linnet_cl_gram_nchw16c_cost(const linnet_backend_device *device, const linnet_layer_desc *desc);
linnet_status linnet_cl_gram_nchw16c_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                          linnet_backend_plan **out);

#endif
