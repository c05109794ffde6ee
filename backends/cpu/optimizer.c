/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"
#include "kernels/kernels.h"

#include <math.h>

enum { CHUNK = 1 << 15 };

typedef struct step {
    const linnet_optimizer_desc *desc;
    float *p, *m, *v;
    const float *g;
    float correction1, correction2;
} step;

static void step_chunk(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const step *s = context;
    const linnet_optimizer_desc *d = s->desc;
    int64_t first = task * CHUNK, count = cpu_min(CHUNK, (int64_t)d->count - first);
    if (d->kind == LINNET_OPTIMIZER_SGD)
        cpu_table.sgd(s->p + first, s->g + first, s->m ? s->m + first : NULL, count, d->learning_rate, d->weight_decay,
                      d->momentum, d->nesterov != 0);
    else
        cpu_table.adam(s->p + first, s->g + first, s->m + first, s->v + first, count, d->learning_rate, d->weight_decay,
                       d->beta1, d->beta2, d->epsilon, s->correction1, s->correction2);
}

linnet_status cpu_optimizer_step(linnet_backend_queue *queue, const linnet_optimizer_desc *desc, linnet_view parameters,
                                 linnet_view gradients, const linnet_view *slots)
{
    (void)queue;
    if (desc->struct_size < sizeof *desc || !parameters.buffer || !gradients.buffer)
        return cpu_fail(LINNET_INVALID, "cpu: incomplete optimiser step");
    bool is_adam = desc->kind == LINNET_OPTIMIZER_ADAM;
    if (!is_adam && desc->kind != LINNET_OPTIMIZER_SGD)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: no optimiser %u", desc->kind);
    bool wants_slot = is_adam || desc->momentum != 0;
    step s = {.desc = desc, .p = cpu_view(parameters), .g = cpu_view(gradients)};
    if (wants_slot && slots)
        s.m = cpu_view(slots[0]);
    if (is_adam && slots)
        s.v = cpu_view(slots[1]);
    if ((wants_slot && !s.m) || (is_adam && !s.v))
        return cpu_fail(LINNET_INVALID, "cpu: optimiser step without its slots");
    s.correction1 = (float)(1 - pow(desc->beta1, (double)desc->step));
    s.correction2 = (float)(1 - pow(desc->beta2, (double)desc->step));
    cpu_parallel(cpu_ceil((int64_t)desc->count, CHUNK), (int64_t)desc->count, step_chunk, &s);
    return LINNET_OK;
}
