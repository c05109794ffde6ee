/* SPDX-License-Identifier: Apache-2.0 */
#include "linnet/train.h"

#include <math.h>

static double step_rate(const linnet_schedule *s, uint64_t step)
{
    double factor = s->factor != 0.0f ? s->factor : 0.1;
    return s->period ? s->rate * pow(factor, (double)(step / s->period)) : s->rate;
}

static double cosine_rate(const linnet_schedule *s, uint64_t step)
{
    if (!s->total)
        return s->rate;
    double progress = step >= s->total ? 1.0 : (double)step / (double)s->total;
    return s->final_rate + 0.5 * ((double)s->rate - s->final_rate) * (1.0 + cos(3.14159265358979323846 * progress));
}

float linnet_schedule_rate(const linnet_schedule *schedule, uint64_t step)
{
    double rate = schedule->rate;
    if (schedule->kind == LINNET_SCHEDULE_STEP)
        rate = step_rate(schedule, step);
    else if (schedule->kind == LINNET_SCHEDULE_COSINE)
        rate = cosine_rate(schedule, step);
    if (step < schedule->warm_up)
        rate *= (double)(step + 1) / (double)schedule->warm_up;
    return (float)rate;
}
