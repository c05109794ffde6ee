/* SPDX-License-Identifier: Apache-2.0 */
/* log_softmax along an axis (softmax.c). */
#include "softmax.h"

static linnet_status log_softmax_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                      const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    return linnet_cl_softmax_plan(device, desc, LINNET_CL_PROGRAM_LOG_SOFTMAX,
                                  desc->direction == LINNET_FORWARD ? "log_softmax_forward" : "log_softmax_backward",
                                  out);
}

LINNET_CL_OPS(log_softmax, linnet_cl_softmax_candidate, log_softmax_plan);
