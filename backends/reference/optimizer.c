/* SPDX-License-Identifier: Apache-2.0 */
/* SGD (momentum as in Sutskever et al. 2013, PyTorch's form) and Adam (Kingma and Ba 2015). */
#include "reference.h"

#include <math.h>

static void sgd(const linnet_optimizer_desc *desc, float *parameters, const float *gradients, float *slot0)
{
    for (uint64_t i = 0; i < desc->count; i++) {
        double g = gradients[i] + (double)desc->weight_decay * parameters[i];
        if (desc->momentum != 0) {
            double velocity = (double)desc->momentum * slot0[i] + g;
            slot0[i] = (float)velocity;
            g = desc->nesterov ? g + desc->momentum * velocity : velocity;
        }
        parameters[i] = (float)(parameters[i] - desc->learning_rate * g);
    }
}

static void adam(const linnet_optimizer_desc *desc, float *parameters, const float *gradients, float *slot0,
                 float *slot1)
{
    double correction1 = 1 - pow(desc->beta1, (double)desc->step),
           correction2 = 1 - pow(desc->beta2, (double)desc->step);
    for (uint64_t i = 0; i < desc->count; i++) {
        double g = gradients[i] + (double)desc->weight_decay * parameters[i];
        double mean = (double)desc->beta1 * slot0[i] + (1 - (double)desc->beta1) * g;
        double square = (double)desc->beta2 * slot1[i] + (1 - (double)desc->beta2) * g * g;
        slot0[i] = (float)mean;
        slot1[i] = (float)square;
        parameters[i] = (float)(parameters[i] - desc->learning_rate * (mean / correction1) /
                                                    (sqrt(square / correction2) + desc->epsilon));
    }
}

linnet_status reference_optimizer_step(linnet_backend_queue *queue, const linnet_optimizer_desc *desc,
                                       linnet_view parameters, linnet_view gradients, const linnet_view *slots)
{
    (void)queue;
    float *p = reference_memory(parameters), *g = reference_memory(gradients);
    switch (desc->kind) {
    case LINNET_OPTIMIZER_SGD:
        sgd(desc, p, g, desc->momentum != 0 ? reference_memory(slots[0]) : NULL);
        return LINNET_OK;
    case LINNET_OPTIMIZER_ADAM:
        adam(desc, p, g, reference_memory(slots[0]), reference_memory(slots[1]));
        return LINNET_OK;
    default:
        return reference_fail(LINNET_UNSUPPORTED, "reference: this optimiser is unknown");
    }
}
