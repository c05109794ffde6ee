/* SPDX-License-Identifier: Apache-2.0 */
/* One step of SGD over count elements (formulas in backend.h). One work-item an element. */

__kernel void sgd_step(__global float *parameters, ulong parameters_at, __global const float *gradients,
                       ulong gradients_at, __global float *slot0, ulong slot0_at, int count, float learning_rate,
                       float weight_decay, float momentum, int nesterov)
{
    int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float p = parameters[parameters_at + i], g = gradients[gradients_at + i] + weight_decay * p;
    if (momentum != 0.0f) {
        float velocity = momentum * slot0[slot0_at + i] + g;
        slot0[slot0_at + i] = velocity;
        g = nesterov ? g + momentum * velocity : velocity;
    }
    parameters[parameters_at + i] = p - learning_rate * g;
}
