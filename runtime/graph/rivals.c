/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By which costs candidates are compared, where `linnet tune` measured some of them. A measured cost is never compared
 * with an estimated one, which may be off by any factor:
 *
 *   - Where all that a plan chooses between was measured, formats and implementations are chosen by the times.
 *   - Else formats are chosen by the estimates, as if nothing had been measured. In these formats, of rivals that were
 *     all measured, the fastest is taken: all else stays as it is then, and the plan becomes no slower.
 *
 * Rivals are candidates for the same problem, which is all of a desc but its formats. A candidate without rivals need
 * not be measured.
 */
#include "../device/tuner.h"
#include "session.h"

#define UNKNOWN_COST 1e-6f /* so that every candidate is asked for, where the plugin does not estimate */

linnet_costs linnet_rivals_costs(const linnet_compiler *c)
{
    for (uint32_t i = 0; i < c->session->place_count; i++)
        if (linnet_choices_are_there(c->session, i))
            return LINNET_COSTS_MEASURED;
    return c->session->recorder ? LINNET_COSTS_MIXED : LINNET_COSTS_ESTIMATED;
}

static linnet_problem *find(const linnet_compiler *c, uint32_t place, uint64_t number)
{
    for (size_t i = c->problem_count; i-- > 0;)
        if (c->problems[i].number == number && c->problems[i].place == place)
            return &c->problems[i];
    return NULL;
}

/* NULL: no memory. */
static const linnet_problem *note(linnet_compiler *c, const linnet_plan_step *step, uint64_t number, uint64_t key)
{
    linnet_problem *p = find(c, step->place, number);
    if (!p && linnet_grow(&c->problems, &c->problem_capacity, c->problem_count + 1, sizeof *c->problems)) {
        p = &c->problems[c->problem_count++];
        *p = (linnet_problem){.number = number, .key = key, .place = step->place};
    }
    if (p) {
        p->has_rivals = p->has_rivals || p->key != key;
        p->is_open = p->is_open || step->time <= 0;
    }
    return p;
}

static bool is_settled(const linnet_problem *p)
{
    return p && !(p->has_rivals && p->is_open);
}

void linnet_rivals_meet(linnet_compiler *c, linnet_plan_step *step)
{
    linnet_candidate *candidate = &step->candidate;
    step->time = 0;
    if (c->costs == LINNET_COSTS_ESTIMATED)
        return;
    if (candidate->cost <= 0 && (c->session->recorder || c->costs == LINNET_COSTS_MEASURED))
        candidate->cost = UNKNOWN_COST;
    if (candidate->alias)
        return; /* has nothing to do that could be measured */
    uint64_t number = linnet_tuned_problem(&step->desc), key = linnet_tuned_key(number, &step->desc, candidate);
    step->time = linnet_choices_cost(c->session, step->place, key);
    const linnet_problem *p = note(c, step, number, key);
    bool counts = c->costs == LINNET_COSTS_MEASURED && step->time > 0 && is_settled(p);
    if (counts || step->time >= LINNET_TUNED_WRONG)
        candidate->cost = (float)step->time;
    if (c->session->recorder)
        linnet_tune_record(c->session->recorder, step, number, key);
}

bool linnet_rivals_are_settled(const linnet_compiler *c, const linnet_plan_step *step)
{
    return c->costs != LINNET_COSTS_ESTIMATED && is_settled(find(c, step->place, linnet_tuned_problem(&step->desc)));
}

bool linnet_rivals_are_all_settled(const linnet_compiler *c)
{
    for (size_t i = 0; i < c->problem_count; i++)
        if (!is_settled(&c->problems[i]))
            return false;
    return true;
}
