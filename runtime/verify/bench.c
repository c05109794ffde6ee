/* SPDX-License-Identifier: Apache-2.0 */
/* Times every implementation of a case. Nothing is compared: the conformance run does that. */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TIMINGS = 64 };
static const uint32_t ANY = UINT32_MAX;

typedef struct bench {
    linnet_check *check;
    linnet_arena arena;
    const linnet_case *problem;
    linnet_values operands, result;
    double seconds;
    bool planned;
    uint32_t format; /* that tensors are offered in */
    linnet_verify_timing *timings;
    size_t capacity, count;
} bench;

/* Of a list of dense tensors, those that mask has. */
static double list_bytes(const linnet_tensor_desc *descs, uint32_t count, uint32_t mask)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        if (mask >> i & 1)
            sum += (double)linnet_desc_count(&descs[i]) * (double)linnet_type_size((linnet_type)descs[i].type);
    return sum;
}

/* Everything that a run has in hand. */
static double trial_bytes(const linnet_trial *t)
{
    const linnet_layer_desc *d = &t->desc;
    const linnet_candidate *c = &t->candidate;
    if (d->direction == LINNET_FORWARD)
        return list_bytes(t->inputs, d->input_count, ~0u) + list_bytes(t->outputs, d->output_count, ~0u) +
               list_bytes(t->parameters, d->parameter_count, ~0u);
    return list_bytes(t->inputs, d->input_count, c->reads_inputs) +
           list_bytes(t->outputs, d->output_count, c->reads_outputs) +
           list_bytes(t->parameters, d->parameter_count, c->reads_parameters) +
           list_bytes(t->outputs, d->output_count, ~0u) + list_bytes(t->inputs, d->input_count, d->want_inputs) +
           list_bytes(t->parameters, d->parameter_count, d->want_parameters);
}

static const char *format_name(const linnet_device *device, uint32_t format)
{
    const char *name = NULL;
    if (format < LINNET_FORMAT_PRIVATE)
        return format == LINNET_FORMAT_NCHW ? "nchw" : "nhwc";
    if (device->backend->format_name)
        name = device->backend->format_name(format);
    return name ? name : "private";
}

static void note_time(bench *b, const linnet_trial *t, double multiply_adds, bool first)
{
    const linnet_layer_desc *d = &t->desc;
    if (b->count < b->capacity) {
        const linnet_tensor_desc *format_of = d->direction == LINNET_FORWARD ? &t->inputs[0] : &t->outputs[0];
        b->timings[b->count] = (linnet_verify_timing){
            .size = sizeof(linnet_verify_timing),
            .direction = d->direction,
            .gradients = (d->want_inputs ? 1u : 0u) | (d->want_parameters ? 2u : 0u),
            .candidate = t->candidate.name,
            .format = format_name(b->check->device, format_of->format),
            .first = first,
            .median = t->median,
            .fastest = t->fastest,
            .conversion = t->conversion,
            .multiply_adds = multiply_adds,
            .bytes = trial_bytes(t),
            .workspace_bytes = t->candidate.workspace_bytes,
        };
    }
    b->count++;
}

/* The candidate that a plan takes: the one of the least cost where all that accept know theirs, else the first. */
static uint32_t preferred(linnet_trial *t)
{
    uint32_t first = ANY, least = ANY;
    float cost = INFINITY;
    bool all_known = true;
    for (uint32_t i = 0; linnet_trial_candidate(t, i) == LINNET_OK; i++)
        if (!t->candidate.refusal) {
            first = first == ANY ? i : first;
            all_known = all_known && t->candidate.cost > 0;
            least = t->candidate.cost < cost ? i : least;
            cost = t->candidate.cost < cost ? t->candidate.cost : cost;
        }
    return all_known ? least : first;
}

static void begin_backward(bench *b, const linnet_trial *forward, uint32_t inputs, uint32_t parameters,
                           linnet_trial *out)
{
    linnet_trial_begin(out, &b->arena, b->problem, LINNET_BACKWARD);
    out->desc.differentiate = 1;
    out->desc.forward = forward->candidate.name;
    out->desc.want_inputs = inputs;
    out->desc.want_parameters = parameters;
    out->seconds = b->seconds;
    for (uint32_t j = 0; j < out->desc.input_count; j++)
        out->inputs[j].format = forward->inputs[j].format;
    for (uint32_t j = 0; j < out->desc.output_count; j++)
        out->outputs[j].format = forward->outputs[j].format;
}

static void bench_backward(bench *b, const linnet_trial *forward, uint32_t inputs, uint32_t parameters, bool first)
{
    uint32_t only = ANY;
    if (b->planned && (inputs || parameters)) {
        linnet_trial t;
        begin_backward(b, forward, inputs, parameters, &t);
        only = preferred(&t);
        linnet_trial_end(&t);
    }
    for (uint32_t i = 0; inputs || parameters; i++) {
        linnet_trial t;
        begin_backward(b, forward, inputs, parameters, &t);
        linnet_status status = linnet_trial_candidate(&t, i);
        if (!status && (only == ANY || i == only) && !t.candidate.refusal && linnet_trial_plan(&t) &&
            linnet_trial_backward(&t, &b->operands, 0, 0, -1, &b->result)) {
            note_time(b, &t, (double)b->problem->multiply_adds * ((inputs != 0) + (parameters != 0)), first);
            first = false;
        }
        linnet_trial_end(&t);
        if (status)
            return;
    }
}

/* Formats in which a tensor has more than MOST_ROOM times its size are not for it. */
enum { FORMATS_AT_MOST = 16, MOST_ROOM = 4 };

static bool has_format(const bench *b, const linnet_tensor_desc *desc)
{
    const linnet_device *device = b->arena.device;
    linnet_tensor_desc other = *desc;
    uint64_t bytes;
    other.format = b->format;
    return desc->type == LINNET_F32 && device->backend->format_bytes &&
           device->backend->format_bytes(device->handle, &other, &bytes) == LINNET_OK &&
           bytes / sizeof(float) <= MOST_ROOM * (uint64_t)linnet_desc_count(desc);
}

static void offer_format(const bench *b, linnet_tensor_desc *descs, uint32_t count)
{
    for (uint32_t i = 0; i < count && b->format != LINNET_FORMAT_NCHW; i++)
        if (has_format(b, &descs[i]))
            descs[i].format = b->format;
}

/* Does the candidate do the same when it is offered dense tensors? Then it has been timed. */
static bool is_timed(bench *b, const linnet_trial *offered)
{
    linnet_trial t;
    bool same = false;
    linnet_trial_begin(&t, &b->arena, b->problem, LINNET_FORWARD);
    t.desc.differentiate = 1;
    for (uint32_t i = 0; b->format != LINNET_FORMAT_NCHW && linnet_trial_candidate(&t, i) == LINNET_OK; i++)
        if (strcmp(t.candidate.name, offered->candidate.name) == 0)
            same = memcmp(t.candidate.input_formats, offered->candidate.input_formats,
                          sizeof t.candidate.input_formats) == 0;
    linnet_trial_end(&t);
    return same;
}

static void begin_forward(bench *b, linnet_trial *out)
{
    linnet_trial_begin(out, &b->arena, b->problem, LINNET_FORWARD);
    out->desc.differentiate = 1;
    out->seconds = b->seconds;
    offer_format(b, out->inputs, out->desc.input_count);
    offer_format(b, out->outputs, out->desc.output_count);
}

static void bench_forward(bench *b)
{
    const linnet_case *c = b->problem;
    uint32_t inputs = c->layer->differentiable_inputs & (uint32_t)((UINT64_C(1) << c->input_count) - 1);
    uint32_t parameters = (1u << c->parameter_count) - 1;
    uint32_t only = ANY;
    bool first = true;
    if (b->planned) {
        linnet_trial t;
        begin_forward(b, &t);
        only = preferred(&t);
        linnet_trial_end(&t);
    }
    for (uint32_t i = 0;; i++) {
        linnet_trial t;
        begin_forward(b, &t);
        linnet_status status = linnet_trial_candidate(&t, i);
        bool chosen = !b->check->only || (!status && strcmp(b->check->only, t.candidate.name) == 0);
        chosen = chosen && (only == ANY || i == only) && (status || !is_timed(b, &t));
        if (!status && chosen && !t.candidate.refusal && linnet_trial_plan(&t) &&
            linnet_values_saved(b->check, &b->result, &t.candidate) &&
            linnet_trial_forward(&t, &b->operands, -1, &b->result)) {
            note_time(b, &t, (double)c->multiply_adds, first);
            memcpy(b->operands.outputs, b->result.outputs, sizeof b->operands.outputs);
            memcpy(b->operands.saved, b->result.saved, sizeof b->operands.saved);
            memcpy(b->operands.saved_bytes, b->result.saved_bytes, sizeof b->operands.saved_bytes);
            b->operands.saved_count = b->result.saved_count;
            bench_backward(b, &t, inputs, c->layer->split_backward ? 0 : parameters, first);
            if (c->layer->split_backward)
                bench_backward(b, &t, 0, parameters, first);
            first = false;
        }
        linnet_trial_end(&t);
        if (status)
            return;
    }
}

/* Nothing was timed because of what was asked for: there is no implementation of that name, or it refuses. */
static linnet_status refuse_candidate(bench *b)
{
    char names[512] = "";
    size_t used = 0;
    const linnet_check *check = b->check;
    linnet_status status = LINNET_OK;
    linnet_trial t;
    linnet_trial_begin(&t, &b->arena, b->problem, LINNET_FORWARD);
    t.desc.differentiate = 1;
    for (uint32_t i = 0; !status && linnet_trial_candidate(&t, i) == LINNET_OK && used < sizeof names; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", t.candidate.name);
        if (t.candidate.refusal && strcmp(t.candidate.name, check->only) == 0)
            status = linnet_fail(check->context, LINNET_INVALID, "%s: %s on %s refuses: %s", check->text, check->only,
                                 check->device->label, t.candidate.refusal);
    }
    linnet_trial_end(&t);
    return status ? status
                  : linnet_fail(check->context, LINNET_INVALID,
                                "%s: %s has no implementation '%s' of %s; these are there: %s", check->text,
                                check->device->label, check->only, b->problem->layer->name, names);
}

/* Outputs and saved tensors of the operands are borrowed from the result. */
static void run_bench(bench *b)
{
    linnet_values own;
    if (!linnet_values_new(b->problem, &b->operands) || !linnet_values_new(b->problem, &b->result)) {
        linnet_check_status(b->check, b->check->device, LINNET_OUT_OF_MEMORY, "values");
        linnet_values_free(&b->operands);
        return;
    }
    own = b->operands;
    linnet_values_fill(&b->operands, b->problem, LINNET_FILL_RANDOM, b->check->seed);
    bench_forward(b);
    const linnet_backend *backend = b->check->device->backend;
    for (uint32_t i = 0; i < FORMATS_AT_MOST && backend->format_name && !b->planned; i++) {
        b->format = LINNET_FORMAT_PRIVATE + i;
        if (backend->format_name(b->format) && has_format(b, &b->problem->inputs[0]))
            bench_forward(b);
    }
    linnet_values_free(&own);
    linnet_values_free(&b->result);
}

static linnet_status time_case(linnet_check *check, bench *b)
{
    linnet_case *problem = linnet_allocate(1, sizeof *problem);
    if (!problem)
        return linnet_fail(check->context, LINNET_OUT_OF_MEMORY, "case '%s': out of memory", check->text);
    linnet_status status = linnet_case_parse(check->context, check->text, problem);
    b->problem = problem;
    if (!status && linnet_arena_open(&b->arena, check, check->device)) {
        snprintf(check->where, sizeof check->where, "bench");
        run_bench(b);
        if (check->only && !b->count && !check->result->failures)
            status = refuse_candidate(b);
        linnet_arena_close(&b->arena);
    }
    linnet_release(problem);
    return status;
}

static double seconds_of(const linnet_verify_options *options)
{
    return options && options->size >= sizeof *options && options->seconds > 0 ? options->seconds : 0.05;
}

static void note_timing(linnet_check *check, const linnet_verify_timing *t)
{
    static const char *const gradients[] = {"", " inputs", " params", " inputs params"};
    char what[32], name[64], rate[32];
    snprintf(what, sizeof what, "%s%s", t->direction == LINNET_FORWARD ? "forward" : "backward",
             gradients[t->gradients & 3]);
    if (t->multiply_adds > 0)
        snprintf(rate, sizeof rate, " %8.1f GFLOP/s", 2e-9 * t->multiply_adds / t->fastest);
    else
        snprintf(rate, sizeof rate, " %8.1f GB/s", 1e-9 * t->bytes / t->fastest);
    snprintf(name, sizeof name, "%s (%s)", t->candidate, t->format);
    linnet_check_note(check, "%-20s %-28s %10.4f ms%s", what, name, 1e3 * t->fastest, rate);
}

linnet_status linnet_verify_bench(linnet_device *device, const char *text, const linnet_verify_options *options,
                                  linnet_verify_result *result)
{
    linnet_check check;
    linnet_verify_timing timings[MOST_TIMINGS];
    if (!linnet_check_begin(&check, device, device, text, options, result))
        return linnet_fail(device ? device->context : NULL, LINNET_INVALID,
                           "linnet_verify_bench: device, text and result (with its size) must be given");
    bench b = {.check = &check, .seconds = seconds_of(options), .timings = timings, .capacity = MOST_TIMINGS};
    linnet_status status = time_case(&check, &b);
    for (size_t i = 0; i < b.count && i < MOST_TIMINGS; i++)
        note_timing(&check, &timings[i]);
    result->outcome = result->failures ? LINNET_VERIFY_FAILED
                      : result->runs   ? LINNET_VERIFY_PASSED
                                       : LINNET_VERIFY_SKIPPED;
    return status;
}

linnet_status linnet_verify_time(linnet_device *device, const char *text, const linnet_verify_options *options,
                                 linnet_verify_timing *out_timings, size_t capacity, size_t *out_count)
{
    linnet_check check;
    linnet_verify_result result = {.size = sizeof result};
    if (!out_count || (capacity && !out_timings) || !linnet_check_begin(&check, device, device, text, options, &result))
        return linnet_fail(device ? device->context : NULL, LINNET_INVALID,
                           "linnet_verify_time: device, text and places for timings and their count must be given");
    bench b = {.check = &check,
               .seconds = seconds_of(options),
               .timings = out_timings,
               .capacity = capacity,
               .planned = options && options->size >= sizeof *options && options->planned};
    linnet_status status = time_case(&check, &b);
    *out_count = b.count;
    if (!status && result.failures)
        return linnet_fail(device->context, LINNET_DEVICE_ERROR, "%s: %s", text, result.report);
    return status;
}
