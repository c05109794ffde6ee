/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling a plan: the passes in order, then the plugins' own plans. */
#include "../device/registry.h"
#include "../verify/trust.h"
#include "session.h"

#include <string.h>

static void compiler_clear(linnet_compiler *c)
{
    linnet_release(c->shapes);
    linnet_release(c->active);
    linnet_release(c->available);
    linnet_release(c->requires_gradient);
    linnet_release(c->reaches_loss);
    linnet_release(c->needed);
    linnet_release(c->node_place);
    linnet_release(c->fused_into);
    linnet_release(c->fusions);
    linnet_release(c->slices);
    linnet_release(c->is_sliced);
    for (size_t i = 0; c->choices && i < c->net->node_count; i++)
        linnet_release(c->choices[i]);
    linnet_release(c->choices);
    linnet_release(c->fold);
    linnet_release(c->forward_step);
    linnet_release(c->gradient);
    linnet_release(c->gradient_shared);
    linnet_release(c->refusal);
    linnet_release(c->problems);
}

static uint32_t *allocate_none(size_t count)
{
    uint32_t *array = linnet_allocate(count, sizeof *array);
    if (array)
        memset(array, 0xff, count * sizeof *array);
    return array;
}

static linnet_status compiler_init(linnet_compiler *c, linnet_session *session, linnet_plan *plan)
{
    size_t values = session->net->value_count, nodes = session->net->node_count;
    *c = (linnet_compiler){.session = session, .context = session->context, .net = session->net, .plan = plan};
    c->shapes = linnet_allocate(values, sizeof *c->shapes);
    c->active = linnet_allocate(nodes, sizeof *c->active);
    c->available = linnet_allocate(values, sizeof *c->available);
    c->requires_gradient = linnet_allocate(values, sizeof *c->requires_gradient);
    c->reaches_loss = linnet_allocate(values, sizeof *c->reaches_loss);
    c->needed = linnet_allocate(values, sizeof *c->needed);
    c->node_place = allocate_none(nodes);
    c->fused_into = allocate_none(nodes);
    c->fusions = linnet_allocate(nodes, sizeof *c->fusions);
    c->slices = linnet_allocate(values, sizeof *c->slices);
    c->is_sliced = linnet_allocate(nodes, sizeof *c->is_sliced);
    c->choices = linnet_allocate(nodes, sizeof *c->choices);
    c->fold = allocate_none(nodes);
    c->forward_step = allocate_none(nodes);
    c->gradient = allocate_none(values);
    c->gradient_shared = linnet_allocate(values, sizeof *c->gradient_shared);
    if (c->shapes && c->active && c->available && c->requires_gradient && c->reaches_loss && c->needed &&
        c->node_place && c->fused_into && c->fusions && c->slices && c->is_sliced && c->choices && c->fold &&
        c->forward_step && c->gradient && c->gradient_shared)
        return LINNET_OK;
    return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to compile a plan");
}

/* The place's layers as a plugin wants them, before any is planned. Best effort. */
static void prepare_place(const linnet_compiler *c, uint32_t place)
{
    const linnet_device *device = c->session->places[place].device;
    size_t count = 0;
    if (!device->backend->prepare)
        return;
    const linnet_layer_desc **descs = linnet_allocate(c->plan->step_count, sizeof *descs);
    const char **candidates = linnet_allocate(c->plan->step_count, sizeof *candidates);
    for (size_t i = 0; descs && candidates && i < c->plan->step_count; i++) {
        linnet_plan_step *step = &c->plan->steps[i];
        if (step->type != LINNET_STEP_LAYER || step->place != place)
            continue;
        linnet_step_bind_desc(step); /* the array of steps moved while it grew */
        descs[count] = &step->desc;
        candidates[count++] = step->candidate.name;
    }
    if (count)
        device->backend->prepare(device->handle, descs, candidates, count);
    linnet_host_error_clear();
    linnet_release(descs);
    linnet_release(candidates);
}

static void prepare_steps(const linnet_compiler *c)
{
    for (uint32_t p = 0; p < c->session->place_count; p++)
        prepare_place(c, p);
}

/* Whether all that was chosen computes right, where that has to be found out: what does not is refused from now on.
   Aliases are looked at by themselves, when it is known which of them have work to do. */
static bool check_steps(const linnet_compiler *c, bool aliases)
{
    bool right = true;
    double start = linnet_now();
    for (size_t i = 0; i < c->plan->step_count; i++) {
        linnet_plan_step *step = &c->plan->steps[i];
        linnet_step_bind_desc(step);
        if (step->type == LINNET_STEP_LAYER && (step->candidate.alias != 0) == aliases &&
            !linnet_trust_check(c->session->places[step->place].device, &step->desc, step->candidate.name,
                                step->saved_count > 0))
            right = false;
    }
    c->session->check_seconds += linnet_now() - start;
    return right;
}

static linnet_status build_steps(linnet_compiler *c)
{
    for (size_t i = 0; i < c->plan->step_count; i++) {
        linnet_plan_step *step = &c->plan->steps[i];
        const linnet_device *device = c->session->places[step->place].device;
        linnet_step_bind_desc(step); /* the array of steps moved while it grew */
        if (step->type != LINNET_STEP_LAYER)
            continue;
        linnet_status status = linnet_device_check(
            c->context, device, step->ops->plan(device->handle, &step->desc, step->candidate.name, &step->plan),
            linnet_layer_find(step->desc.kind)->name);
        if (status != LINNET_OK)
            return status;
    }
    return LINNET_OK;
}

static linnet_status allocate_staging(linnet_compiler *c)
{
    linnet_plan *plan = c->plan;
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].type == LINNET_STEP_TRANSFER) {
            uint64_t bytes = plan->tensors[plan->steps[i].source].bytes;
            plan->staging_bytes = bytes > plan->staging_bytes ? bytes : plan->staging_bytes;
        }
    plan->staging = plan->staging_bytes ? linnet_allocate(1, plan->staging_bytes) : NULL;
    if (plan->staging_bytes && !plan->staging)
        return linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for transfers between devices");
    return LINNET_OK;
}

/* Steps that run before their data is there would be silent nonsense, so each pass stops at the first error.
   LINNET_END: something chosen turned out to compute wrong, another plan is due. */
static linnet_status run_passes(linnet_compiler *c, const linnet_shape *feed_shapes)
{
    linnet_status status = linnet_compile_lower(c, feed_shapes);
    if (status == LINNET_OK)
        status = linnet_compile_place(c);
    if (status == LINNET_OK)
        status = linnet_compile_fold(c);
    if (status == LINNET_OK)
        linnet_compile_fuse(c);
    if (status == LINNET_OK)
        status = linnet_compile_formats(c);
    if (status == LINNET_OK)
        linnet_compile_slices(c);
    if (status == LINNET_OK)
        status = linnet_compile_forward(c);
    if (status == LINNET_OK)
        status = linnet_compile_backward(c);
    if (status == LINNET_OK)
        prepare_steps(c);
    if (status == LINNET_OK && !check_steps(c, false))
        status = LINNET_END;
    if (status == LINNET_OK)
        status = linnet_compile_memory(c);
    if (status == LINNET_OK && !check_steps(c, true))
        status = LINNET_END;
    if (status == LINNET_OK)
        status = allocate_staging(c);
    if (status == LINNET_OK)
        status = build_steps(c);
    return status;
}

static linnet_plan *plan_new(const linnet_session *session, const uint32_t *feed_values,
                             const linnet_shape *feed_shapes, uint32_t feed_count)
{
    linnet_plan *plan = linnet_allocate(1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->net_version = session->net->version;
    plan->settings_version = session->settings_version;
    plan->behaviour = session->settings.behaviour;
    plan->gradients = session->settings.gradients;
    plan->feed_count = feed_count;
    plan->feed_values = linnet_allocate(feed_count, sizeof *feed_values);
    plan->feed_shapes = linnet_allocate(feed_count, sizeof *feed_shapes);
    if (!plan->feed_values || !plan->feed_shapes) {
        linnet_release(plan->feed_values);
        linnet_release(plan->feed_shapes);
        linnet_release(plan);
        return NULL;
    }
    memcpy(plan->feed_values, feed_values, feed_count * sizeof *feed_values);
    memcpy(plan->feed_shapes, feed_shapes, feed_count * sizeof *feed_shapes);
    return plan;
}

static linnet_status compile(linnet_session *session, const uint32_t *feed_values, const linnet_shape *feed_shapes,
                             uint32_t feed_count, linnet_plan **out)
{
    linnet_compiler compiler;
    linnet_plan *plan = plan_new(session, feed_values, feed_shapes, feed_count);
    if (!plan)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a plan");
    linnet_status status = compiler_init(&compiler, session, plan);
    if (status == LINNET_OK)
        status = run_passes(&compiler, feed_shapes);
    compiler_clear(&compiler);
    if (status == LINNET_OK)
        *out = plan;
    else
        linnet_plan_free(session, plan);
    return status;
}

linnet_status linnet_plan_compile(linnet_session *session, const uint32_t *feed_values, const linnet_shape *feed_shapes,
                                  uint32_t feed_count, linnet_plan **out)
{
    linnet_status status;
    double start = linnet_now(), checked = session->check_seconds;
    do /* each time with one implementation less */
        status = compile(session, feed_values, feed_shapes, feed_count, out);
    while (status == LINNET_END);
    session->compile_seconds += linnet_now() - start - (session->check_seconds - checked);
    return status;
}

void linnet_plan_free(linnet_session *session, linnet_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < session->place_count; i++) /* nothing of the plan may still be running */
        session->places[i].device->backend->finish(session->places[i].queue);
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].plan)
            plan->steps[i].ops->plan_free(plan->steps[i].plan);
        linnet_release(plan->steps[i].refusals);
    }
    for (size_t i = 0; plan->block_bytes && i < plan->place_count; i++)
        linnet_release(plan->block_bytes[i]);
    linnet_release(plan->block_bytes);
    linnet_release(plan->block_counts);
    linnet_release(plan->feed_values);
    linnet_release(plan->feed_shapes);
    linnet_release(plan->tensors);
    linnet_release(plan->storages);
    linnet_release(plan->steps);
    linnet_release(plan->instances);
    linnet_release(plan->gradient_instances);
    linnet_release(plan->packed);
    linnet_release(plan->folds);
    linnet_release(plan->losses);
    linnet_release(plan->segment_starts);
    linnet_release(plan->staging);
    linnet_release(plan);
}
