/* SPDX-License-Identifier: Apache-2.0 */
/* Optimiser steps over parallel arrays; formulas in backend.h. */
#include "simd.h"

/* m: momentum, NULL without. */
static void sgd(float *p, const float *g, float *m, int64_t count, float rate, float decay, float momentum,
                bool nesterov)
{
    vec r = vec_set(-rate), d = vec_set(decay), mu = vec_set(momentum);
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec value = vec_load_upto(p + i, n), gradient = vec_fma(d, value, vec_load_upto(g + i, n));
        if (m) {
            vec velocity = vec_fma(mu, vec_load_upto(m + i, n), gradient);
            vec_store_upto(m + i, velocity, n);
            gradient = nesterov ? vec_fma(mu, velocity, gradient) : velocity;
        }
        vec_store_upto(p + i, vec_fma(r, gradient, value), n);
    }
}

/* correction1 = 1 - beta1^step, correction2 = 1 - beta2^step. */
static void adam(float *p, const float *g, float *m, float *v, int64_t count, float rate, float decay, float beta1,
                 float beta2, float epsilon, float correction1, float correction2)
{
    vec d = vec_set(decay), b1 = vec_set(beta1), c1 = vec_set(1.0f - beta1), b2 = vec_set(beta2),
        c2 = vec_set(1.0f - beta2);
    vec r = vec_set(rate / correction1), inverse = vec_set(1.0f / correction2), e = vec_set(epsilon);
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec value = vec_load_upto(p + i, n), gradient = vec_fma(d, value, vec_load_upto(g + i, n));
        vec first = vec_fma(b1, vec_load_upto(m + i, n), c1 * gradient);
        vec second = vec_fma(b2, vec_load_upto(v + i, n), c2 * gradient * gradient);
        vec_store_upto(m + i, first, n);
        vec_store_upto(v + i, second, n);
        vec_store_upto(p + i, value - r * first / (vec_sqrt(second * inverse) + e), n);
    }
}

void KERNEL(cpu_optimizer_init)(cpu_table_type *table)
{
    table->sgd = sgd;
    table->adam = adam;
}
