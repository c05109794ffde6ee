/* SPDX-License-Identifier: Apache-2.0 */
/* What softmax and log_softmax share: all but their kernels. */
#ifndef LINNET_OPENCL_SOFTMAX_H
#define LINNET_OPENCL_SOFTMAX_H

#include "plan.h"

linnet_status linnet_cl_softmax_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                          linnet_candidate *out);
/* kernel: of the desc's direction. */
linnet_status linnet_cl_softmax_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                     linnet_cl_program_id program, const char *kernel, linnet_backend_plan **out);

#endif
