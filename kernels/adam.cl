/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step of Adam (Kingma and Ba 2015) over count elements, formulas in backend.h. correction1 = 1 - beta1^step and
 * root_correction2 = sqrt(1 - beta2^step) come from the host in double precision. One work-item an element.
 */

__kernel void adam_step(__global float *parameters, ulong parameters_at, __global const float *gradients,
                        ulong gradients_at, __global float *slot0, ulong slot0_at, __global float *slot1,
                        ulong slot1_at, int count, float learning_rate, float weight_decay, float beta1, float beta2,
                        float epsilon, float correction1, float root_correction2)
{
    int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float p = parameters[parameters_at + i], g = gradients[gradients_at + i] + weight_decay * p;
    float mean = beta1 * slot0[slot0_at + i] + (1.0f - beta1) * g;
    float square = beta2 * slot1[slot1_at + i] + (1.0f - beta2) * g * g;
    slot0[slot0_at + i] = mean;
    slot1[slot1_at + i] = square;
    parameters[parameters_at + i] =
        p - learning_rate * (mean / correction1) / (sqrt(square) / root_correction2 + epsilon);
}
