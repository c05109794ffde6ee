/* SPDX-License-Identifier: Apache-2.0 */
/* Optimiser steps: one launch over a range. A queue keeps its kernels, since a step has no plan. */
#include "plan.h"

#include <math.h>

struct linnet_cl_optimizers {
    linnet_cl_kernel sgd, adam;
    linnet_status status;
};

void linnet_cl_optimizers_free(linnet_backend_queue *queue)
{
    if (!queue->optimizers)
        return;
    linnet_cl_release_kernel(queue->optimizers->sgd.kernel);
    linnet_cl_release_kernel(queue->optimizers->adam.kernel);
    linnet_cl_host->release(queue->optimizers);
    queue->optimizers = NULL;
}

/* The queue's kernel of this kind, made at the first step. */
static linnet_status optimizer_kernel(linnet_backend_queue *queue, uint32_t kind, linnet_cl_kernel **out)
{
    if (!queue->optimizers) {
        queue->optimizers = linnet_cl_host->allocate(sizeof(*queue->optimizers));
        if (!queue->optimizers)
            return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory making an OpenCL optimiser");
        *queue->optimizers = (linnet_cl_optimizers){0};
    }
    bool sgd = kind == LINNET_OPTIMIZER_SGD;
    linnet_cl_optimizers *own = queue->optimizers;
    linnet_cl_kernel *kernel = sgd ? &own->sgd : &own->adam;
    own->status = LINNET_OK;
    linnet_cl_build_for(queue->device, LINNET_PLAIN_OPTIMIZER);
    if (!kernel->kernel)
        linnet_cl_kernel_init(queue->device, kernel, &own->status, sgd ? LINNET_CL_PROGRAM_SGD : LINNET_CL_PROGRAM_ADAM,
                              sgd ? "sgd_step" : "adam_step", sgd ? 3 : 4);
    linnet_cl_build_for(queue->device, LINNET_CL_USUALLY);
    *out = kernel;
    return own->status;
}

static linnet_status sgd_step(linnet_cl_kernel *kernel, linnet_backend_queue *queue, const linnet_optimizer_desc *desc,
                              linnet_view parameters, linnet_view gradients, const linnet_view *slots)
{
    linnet_cl_run_float(kernel, 1, desc->learning_rate);
    linnet_cl_run_float(kernel, 2, desc->weight_decay);
    linnet_cl_run_float(kernel, 3, desc->momentum);
    linnet_cl_run_int(kernel, 4, desc->nesterov != 0);
    return linnet_cl_launch(kernel, queue, parameters, gradients,
                            desc->momentum != 0.0f ? slots[0] : linnet_cl_no_view);
}

static linnet_status adam_step(linnet_cl_kernel *kernel, linnet_backend_queue *queue, const linnet_optimizer_desc *desc,
                               linnet_view parameters, linnet_view gradients, const linnet_view *slots)
{
    double step = (double)desc->step;
    const float scalars[] = {desc->learning_rate,
                             desc->weight_decay,
                             desc->beta1,
                             desc->beta2,
                             desc->epsilon,
                             (float)(1.0 - pow((double)desc->beta1, step)),
                             (float)sqrt(1.0 - pow((double)desc->beta2, step))};
    for (cl_uint i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++)
        linnet_cl_run_float(kernel, 1 + i, scalars[i]);
    return linnet_cl_launch(kernel, queue, parameters, gradients, slots[0], slots[1]);
}

linnet_status linnet_cl_optimizer_step(linnet_backend_queue *queue, const linnet_optimizer_desc *desc,
                                       linnet_view parameters, linnet_view gradients, const linnet_view *slots)
{
    linnet_status status = linnet_cl_fork_check();
    if (status)
        return status;
    if (desc->kind != LINNET_OPTIMIZER_SGD && desc->kind != LINNET_OPTIMIZER_ADAM)
        return linnet_cl_fail(LINNET_UNSUPPORTED, "the opencl backend has no optimiser number %u", desc->kind);
    if (desc->count > LINNET_CL_MOST_ELEMENTS)
        return linnet_cl_fail(LINNET_LIMIT, "an optimiser step over %llu elements: at most %d",
                              (unsigned long long)desc->count, LINNET_CL_MOST_ELEMENTS);
    linnet_cl_kernel *kernel = NULL;
    status = optimizer_kernel(queue, desc->kind, &kernel);
    if (status || desc->count == 0)
        return status;
    linnet_cl_run_int(kernel, 0, (cl_int)desc->count);
    linnet_cl_range(kernel, (int64_t)desc->count, 1, 1, 0);
    if (queue->optimizers->status)
        return queue->optimizers->status;
    return (desc->kind == LINNET_OPTIMIZER_SGD ? sgd_step : adam_step)(kernel, queue, desc, parameters, gradients,
                                                                       slots);
}
