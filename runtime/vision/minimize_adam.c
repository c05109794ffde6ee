/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (Kingma and Ba 2015), algorithm 1, with their beta1, beta2 and epsilon. */
#include "minimize.h"

#include <math.h>
#include <string.h>

#define BETA1   0.9
#define BETA2   0.999
#define EPSILON 1e-8

static void step(linnet_minimization *m, float *first, float *second)
{
    double t = (double)(m->options.done + m->result.iterations + 1);
    double rate = (double)m->options.rate / (1 - pow(BETA1, t)), correction = 1 / (1 - pow(BETA2, t));
    for (size_t i = 0; i < m->count; i++) {
        double g = (double)m->gradient[i];
        first[i] = (float)(BETA1 * (double)first[i] + (1 - BETA1) * g);
        second[i] = (float)(BETA2 * (double)second[i] + (1 - BETA2) * g * g);
        m->x[i] -= (float)(rate * (double)first[i] / (sqrt((double)second[i] * correction) + EPSILON));
    }
}

/* Each iteration is a step and then the value where it led, so that what is reported is what x has. */
static linnet_status iterate(linnet_minimization *m, float *moments)
{
    double value;
    linnet_minimization_clamp(m);
    linnet_status status = linnet_minimization_evaluate(m, m->x, &value);
    while (status == LINNET_OK && m->result.iterations < m->options.iterations) {
        step(m, moments, moments + m->count);
        linnet_minimization_clamp(m);
        status = linnet_minimization_evaluate(m, m->x, &value);
        if (status == LINNET_OK)
            status = linnet_minimization_report(m, value);
    }
    return status;
}

linnet_status linnet_minimize_adam(linnet_minimization *m)
{
    size_t numbers;
    if (__builtin_mul_overflow(m->count, 2, &numbers))
        return linnet_fail(m->context, LINNET_LIMIT, "linnet_minimize: %zu numbers are too many", m->count);
    float *own = m->options.moments ? NULL : linnet_allocate(numbers, sizeof *own);
    float *moments = m->options.moments ? m->options.moments : own;
    if (!moments)
        return linnet_fail(m->context, LINNET_OUT_OF_MEMORY, "no memory for %zu moments", numbers);
    if (!own && !m->options.done)
        memset(moments, 0, numbers * sizeof *moments);
    linnet_status status = iterate(m, moments);
    linnet_release(own);
    return status;
}
