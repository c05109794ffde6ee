/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which implementation every step gets, and with it the formats of all values. Each candidate, asked with each format
 * that its inputs may come in, is an option; the sum of the options' costs and of the conversions between them is to be
 * small. On a chain dynamic programming finds the least one. A value with several readers shares its cost among them
 * on the way forth; on the way back it takes what suits those that have chosen, and sweeps over the steps, each with
 * its neighbours as they are, improve what sharing got wrong.
 *
 * Costs are microseconds, as the plugin estimates them. Where it does not, the first candidate that accepts is an
 * option and the others are not. Measured ones take their place where all that is compared was measured; else they only
 * decide between options in the same formats (rivals.c).
 */
#include "session.h"

#include <string.h>

enum { FORMATS_AT_MOST = 6, SWEEPS = 4 };

typedef struct option {
    const char *name;
    uint32_t input_formats[LINNET_MAX_INPUTS], output_format;
    double cost; /* its own, forward and backward, with the conversions in between */
    double time; /* the same without these, as measured; 0: its rivals were not all measured */
    double conversions;
    double best; /* with everything before it */
} option;

typedef struct unit {
    uint32_t node, output, input_count;
    uint32_t inputs[LINNET_MAX_INPUTS]; /* values */
    option *options;
    uint32_t option_count, chosen;
    size_t option_capacity;
} unit;

typedef struct search {
    linnet_compiler *c;
    unit *units;
    uint32_t unit_count;
    uint32_t *maker;   /* per value: the unit that makes it, LINNET_NONE for a feed */
    uint32_t *readers; /* per value: how many units read it */
} search;

/* ---- Options ---- */

static double value_bytes(const search *s, uint32_t value)
{
    const linnet_shape *shape = &s->c->shapes[value];
    return (double)linnet_shape_product(shape, 0, shape->rank) * (double)linnet_type_size(shape->type);
}

/* Of a value, to another format; a value with a gradient has that converted back. */
static double conversion(const search *s, uint32_t value, uint32_t from, uint32_t to)
{
    if (from == to)
        return 0;
    bool gradient = s->c->requires_gradient[value] && s->c->reaches_loss[value];
    return (gradient ? 2 : 1) * linnet_conversion_cost(value_bytes(s, value));
}

static bool same_option(const option *a, const option *b, uint32_t inputs)
{
    return strcmp(a->name, b->name) == 0 && a->output_format == b->output_format &&
           memcmp(a->input_formats, b->input_formats, inputs * sizeof *a->input_formats) == 0;
}

static bool add_option(search *s, unit *u, const option *new)
{
    for (uint32_t i = 0; i < u->option_count; i++)
        if (same_option(&u->options[i], new, u->input_count)) {
            /* A candidate may think less of itself where its formats are not there yet; conversions count here. */
            u->options[i].cost = new->cost < u->options[i].cost ? new->cost : u->options[i].cost;
            return true;
        }
    if (!linnet_grow(&u->options, &u->option_capacity, u->option_count + 1, sizeof *u->options)) {
        linnet_fail(s->c->context, LINNET_OUT_OF_MEMORY, "no memory to compile a plan");
        return false;
    }
    u->options[u->option_count++] = *new;
    return true;
}

/* A step's share of its option's time. */
static void add_time(const search *s, const linnet_plan_step *step, option *o)
{
    bool settled = o->time > 0 && linnet_rivals_are_settled(s->c, step);
    o->time = settled ? o->time + (step->time > 0 ? step->time : step->candidate.cost) : 0;
}

/* Adds what one backward of the option takes, its conversions included. */
static void add_backward_part(search *s, const linnet_plan_step *forward, uint32_t inputs, uint32_t parameters,
                              option *o)
{
    linnet_plan_step step;
    uint32_t n = forward->node;
    if (!inputs && !parameters)
        return;
    linnet_step_draft(s->c, forward->place, n, &step);
    linnet_emit_describe_node(s->c, n, LINNET_BACKWARD, &step);
    step.desc.forward = forward->candidate.name;
    step.desc.want_inputs = inputs;
    step.desc.want_parameters = parameters;
    for (uint32_t i = 0; i < step.desc.input_count; i++)
        step.inputs[i].format = forward->candidate.input_formats[i];
    step.outputs[0].format = forward->candidate.output_formats[0];
    if (linnet_emit_choose(s->c, &step, NULL) == LINNET_OK) {
        double conversions =
            linnet_emit_conversion_cost(&step, forward->candidate.input_formats, forward->candidate.output_formats);
        o->cost += step.candidate.cost + conversions;
        o->conversions += conversions;
        add_time(s, &step, o);
    }
    linnet_release(step.refusals);
}

static void add_backward(search *s, const linnet_plan_step *forward, option *o)
{
    const linnet_node *node = &s->c->net->nodes[forward->node];
    uint32_t inputs, parameters;
    if (!linnet_node_differentiates(s->c, forward->node))
        return;
    linnet_node_wants(s->c, node, &inputs, &parameters);
    bool split = node->layer->split_backward;
    add_backward_part(s, forward, inputs, split ? 0 : parameters, o);
    if (split)
        add_backward_part(s, forward, 0, parameters, o);
}

/* Options of a unit whose inputs come in this format, as far as they can. */
static bool ask(search *s, unit *u, uint32_t format)
{
    linnet_plan_step step;
    linnet_step_draft(s->c, s->c->node_place[u->node], u->node, &step);
    linnet_emit_describe_unit(s->c, u->node, true, &step);
    for (uint32_t i = 0; i < u->input_count; i++)
        if (linnet_emit_can_hold(s->c, step.place, &step.inputs[i], format))
            step.inputs[i].format = format;
    bool good = true;
    linnet_plan_step trial = step;
    for (uint32_t index = 0; good && linnet_emit_next(s->c, &trial, &index) == LINNET_OK;) {
        option o = {.name = trial.candidate.name,
                    .output_format = trial.candidate.output_formats[0],
                    .cost = trial.candidate.cost,
                    .time = linnet_rivals_are_settled(s->c, &trial) ? trial.time : 0};
        memcpy(o.input_formats, trial.candidate.input_formats, sizeof o.input_formats);
        add_backward(s, &trial, &o);
        good = add_option(s, u, &o);
        if (trial.candidate.cost <= 0)
            break; /* unknown: the first one */
    }
    linnet_release(trial.refusals);
    return good;
}

/* The formats that a unit's inputs can come in. */
static uint32_t list_formats(const search *s, const unit *u, uint32_t out[FORMATS_AT_MOST])
{
    uint32_t count = 1;
    out[0] = LINNET_FORMAT_NCHW;
    for (uint32_t i = 0; i < u->input_count; i++) {
        const unit *maker = s->maker[u->inputs[i]] == LINNET_NONE ? NULL : &s->units[s->maker[u->inputs[i]]];
        for (uint32_t o = 0; maker && o < maker->option_count; o++) {
            uint32_t format = maker->options[o].output_format, f = 0;
            while (f < count && out[f] != format)
                f++;
            if (f == count && count < FORMATS_AT_MOST)
                out[count++] = format;
        }
    }
    return count;
}

static bool fill_unit(search *s, uint32_t n)
{
    unit *u = &s->units[s->unit_count++];
    uint32_t formats[FORMATS_AT_MOST];
    bool good = true;
    *u = (unit){.node = n, .output = linnet_fusion_output(s->c, n)};
    u->input_count = linnet_unit_inputs(s->c, n, u->inputs);
    for (uint32_t f = 0, count = list_formats(s, u, formats); f < count && good; f++)
        good = ask(s, u, formats[f]);
    for (uint32_t i = 0; i < u->input_count; i++)
        s->readers[u->inputs[i]]++;
    s->maker[u->output] = s->unit_count - 1;
    return good;
}

/* ---- The search ---- */

/* The least cost of having input i of u in the format, as far as that is u's share. */
static double input_cost(const search *s, const unit *u, uint32_t i, uint32_t format)
{
    uint32_t value = u->inputs[i];
    if (s->maker[value] == LINNET_NONE)
        return conversion(s, value, LINNET_FORMAT_NCHW, format);
    const unit *maker = &s->units[s->maker[value]];
    double least = 0;
    for (uint32_t o = 0; o < maker->option_count; o++) {
        double cost =
            maker->options[o].best / s->readers[value] + conversion(s, value, maker->options[o].output_format, format);
        least = o == 0 || cost < least ? cost : least;
    }
    return least;
}

static void go_forth(search *s)
{
    for (uint32_t i = 0; i < s->unit_count; i++) {
        unit *u = &s->units[i];
        for (uint32_t o = 0; o < u->option_count; o++) {
            u->options[o].best = u->options[o].cost;
            for (uint32_t k = 0; k < u->input_count; k++)
                u->options[o].best += input_cost(s, u, k, u->options[o].input_formats[k]);
        }
    }
}

/* The conversions of what unit u makes in this format, for the readers (units behind it) as they have chosen. */
static double reader_cost(const search *s, uint32_t index, uint32_t format)
{
    const unit *u = &s->units[index];
    uint32_t seen[FORMATS_AT_MOST], count = 0;
    double cost = 0;
    if (linnet_value_is_tapped(s->c, u->output)) {
        cost += conversion(s, u->output, format, LINNET_FORMAT_NCHW);
        seen[count++] = LINNET_FORMAT_NCHW;
    }
    for (uint32_t r = index + 1; r < s->unit_count; r++)
        for (uint32_t k = 0; k < s->units[r].input_count; k++) {
            if (s->units[r].inputs[k] != u->output || s->units[r].option_count == 0)
                continue;
            uint32_t wanted = s->units[r].options[s->units[r].chosen].input_formats[k], f = 0;
            while (f < count && seen[f] != wanted)
                f++;
            if (f < count)
                continue;
            cost += conversion(s, u->output, format, wanted);
            if (count < FORMATS_AT_MOST)
                seen[count++] = wanted;
        }
    return cost;
}

static void go_back(search *s)
{
    for (uint32_t i = s->unit_count; i-- > 0;) {
        unit *u = &s->units[i];
        double least = 0;
        for (uint32_t o = 0; o < u->option_count; o++) {
            double cost = u->options[o].best + reader_cost(s, i, u->options[o].output_format);
            if (o == 0 || cost < least) {
                least = cost;
                u->chosen = o;
            }
        }
    }
}

/* Does a reader of the value other than u want it in this format, so that the conversion is there anyway? */
static bool is_converted_anyway(const search *s, const unit *u, uint32_t value, uint32_t format)
{
    for (uint32_t r = s->maker[value] + 1; r < s->unit_count; r++)
        for (uint32_t k = 0; k < s->units[r].input_count && &s->units[r] != u && s->units[r].option_count; k++)
            if (s->units[r].inputs[k] == value && s->units[r].options[s->units[r].chosen].input_formats[k] == format)
                return true;
    return false;
}

/* What option o costs with all other units as they are. */
static double settled_cost(const search *s, uint32_t index, const option *o)
{
    const unit *u = &s->units[index];
    double cost = o->cost + reader_cost(s, index, o->output_format);
    for (uint32_t k = 0; k < u->input_count; k++) {
        uint32_t value = u->inputs[k];
        const unit *maker = s->maker[value] == LINNET_NONE ? NULL : &s->units[s->maker[value]];
        uint32_t from = maker && maker->option_count ? maker->options[maker->chosen].output_format : LINNET_FORMAT_NCHW;
        if (from != o->input_formats[k] && !(maker && is_converted_anyway(s, u, value, o->input_formats[k])))
            cost += conversion(s, value, from, o->input_formats[k]);
    }
    return cost;
}

static bool sweep(search *s)
{
    bool changed = false;
    for (uint32_t i = 0; i < s->unit_count; i++) {
        unit *u = &s->units[i];
        double least = u->option_count ? settled_cost(s, i, &u->options[u->chosen]) : 0;
        for (uint32_t o = 0; o < u->option_count; o++) {
            double cost = settled_cost(s, i, &u->options[o]);
            if (cost < least) {
                least = cost;
                u->chosen = o;
                changed = true;
            }
        }
    }
    return changed;
}

/* The same formats, and the same conversions inside. */
static bool has_formats_of(const option *a, const option *b, uint32_t inputs)
{
    return a->output_format == b->output_format && a->conversions == b->conversions &&
           memcmp(a->input_formats, b->input_formats, inputs * sizeof *a->input_formats) == 0;
}

/* Of the options in the formats of the one that the estimates chose, the one that was measured to be the fastest. */
static void take_fastest(unit *u)
{
    const option *first = &u->options[u->chosen];
    for (uint32_t o = 0; o < u->option_count; o++)
        if (has_formats_of(&u->options[o], first, u->input_count) && u->options[o].time <= 0)
            return;
    for (uint32_t o = 0; o < u->option_count; o++)
        if (has_formats_of(&u->options[o], first, u->input_count) && u->options[o].time < u->options[u->chosen].time)
            u->chosen = o;
}

static bool keep_choices(search *s)
{
    for (uint32_t i = 0; i < s->unit_count; i++) {
        const unit *u = &s->units[i];
        if (u->option_count == 0)
            continue; /* emitting it says why */
        linnet_choice *choice = linnet_allocate(1, sizeof *choice);
        if (!choice)
            return false;
        choice->name = u->options[u->chosen].name;
        choice->is_tuned = u->options[u->chosen].time > 0;
        memcpy(choice->input_formats, u->options[u->chosen].input_formats, sizeof choice->input_formats);
        s->c->choices[u->node] = choice;
    }
    return true;
}

static bool fill_units(search *s)
{
    const linnet_compiler *c = s->c;
    size_t values = c->net->value_count;
    bool good = s->units && s->maker && s->readers;
    for (uint32_t i = 0; i < s->unit_count; i++)
        linnet_release(s->units[i].options);
    s->unit_count = 0;
    if (good) {
        memset(s->maker, 0xff, values * sizeof *s->maker); /* LINNET_NONE */
        memset(s->readers, 0, values * sizeof *s->readers);
    }
    for (uint32_t n = 0; n < c->net->node_count && good; n++) {
        uint32_t head = linnet_fusion_head(c, n);
        good = head == LINNET_NO_NODE || fill_unit(s, head);
    }
    return good;
}

static void find_choices(search *s)
{
    go_forth(s);
    go_back(s);
    for (int i = 0; i < SWEEPS && sweep(s); i++)
        ;
    for (uint32_t i = 0; i < s->unit_count && s->c->costs == LINNET_COSTS_MIXED; i++)
        if (s->units[i].option_count > 0)
            take_fastest(&s->units[i]);
}

linnet_status linnet_compile_formats(linnet_compiler *c)
{
    search s = {.c = c};
    s.units = linnet_allocate(c->net->node_count, sizeof *s.units);
    s.maker = linnet_allocate(c->net->value_count, sizeof *s.maker);
    s.readers = linnet_allocate(c->net->value_count, sizeof *s.readers);
    c->costs = linnet_rivals_costs(c);
    bool good = fill_units(&s);
    if (good && c->costs == LINNET_COSTS_MEASURED && !linnet_rivals_are_all_settled(c)) {
        c->costs = LINNET_COSTS_MIXED; /* what is not settled is known now */
        good = fill_units(&s);
    }
    if (good) {
        find_choices(&s);
        good = keep_choices(&s);
    }
    for (uint32_t i = 0; i < s.unit_count; i++)
        linnet_release(s.units[i].options);
    linnet_release(s.units);
    linnet_release(s.maker);
    linnet_release(s.readers);
    c->formats_are_chosen = good;
    return good ? LINNET_OK : linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory to compile a plan");
}
