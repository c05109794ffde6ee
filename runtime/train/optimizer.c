/* SPDX-License-Identifier: Apache-2.0 */
#include "optimizer.h"

#include "../graph/profile.h"
#include "../verify/trust.h"

#include <string.h>

static bool is_updated(const linnet_session *session, const linnet_variable *variable, uint32_t place)
{
    return !variable->is_state && variable->place == place && !session->net->values[variable->value].frozen;
}

/* Can the place update what is there? Place 0 is asked in any case: it is the device that was chosen for training. */
static linnet_status check_place(const linnet_session *session, uint32_t place, uint32_t kind)
{
    bool needed = place == 0;
    for (size_t i = 0; i < session->variable_count && !needed; i++)
        needed = is_updated(session, &session->variables[i], place);
    linnet_device *device = session->places[place].device;
    if (needed && !device->backend->optimizer_step)
        return linnet_fail(session->context, LINNET_UNSUPPORTED,
                           "%s evaluates but does not train: its backend has no optimizer_step", device->label);
    for (size_t i = 0; kind && i < session->variable_count; i++)
        if (is_updated(session, &session->variables[i], place))
            return linnet_trust_optimizer(device, kind)
                       ? LINNET_OK
                       : linnet_fail(session->context, LINNET_UNSUPPORTED,
                                     "%s: steps of the optimiser are not right, and '%s' is there", device->label,
                                     session->net->values[session->variables[i].value].name);
    return LINNET_OK;
}

/* kind: of the optimiser whose steps are to be right where they are taken; 0: that is not asked. */
static linnet_status check_places(const linnet_session *session, uint32_t kind)
{
    linnet_status status = LINNET_OK;
    for (uint32_t p = 0; p < session->place_count && status == LINNET_OK; p++)
        status = check_place(session, p, kind);
    return status;
}

/* Once, where the driver compiled the steps. Plans go by what is found: layers whose parameters it would update run
   elsewhere where it is wrong (place.c). */
static void check_steps(linnet_session *session, uint32_t kind)
{
    double start = linnet_now();
    for (uint32_t p = 0; p < session->place_count; p++)
        linnet_trust_optimizer(session->places[p].device, kind);
    session->check_seconds += linnet_now() - start;
    session->settings_version += session->settings.optimizer != kind;
    session->settings.optimizer = kind;
}

static linnet_optimizer *optimizer_new(linnet_session *session, const linnet_optimizer_desc *desc, uint32_t slot_count)
{
    if (check_places(session, 0) != LINNET_OK)
        return NULL;
    check_steps(session, desc->kind);
    linnet_optimizer *optimizer = linnet_allocate(1, sizeof *optimizer);
    if (!optimizer) {
        linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for an optimiser");
        return NULL;
    }
    optimizer->session = session;
    optimizer->desc = *desc;
    optimizer->slot_count = slot_count;
    if (linnet_optimizer_reset(optimizer) != LINNET_OK) {
        linnet_optimizer_free(&optimizer);
        return NULL;
    }
    session->settings.behaviour = LINNET_TRAIN;
    session->settings.gradients = true;
    return optimizer;
}

linnet_status linnet_optimizer_reset(linnet_optimizer *optimizer)
{
    linnet_session *session = optimizer->session;
    linnet_status status = linnet_gradients_allocate(session, optimizer->slot_count);
    for (uint32_t p = 0; p < session->place_count; p++)
        for (uint32_t i = 0; i < optimizer->slot_count && status == LINNET_OK; i++) {
            const linnet_place *place = &session->places[p];
            status = linnet_layout_clear(session, place, &place->parameter_layout, place->slots[i]);
        }
    optimizer->desc.step = 0;
    return status;
}

/* A caller's options as a full struct of ours; false with the error said. */
static bool take_options(linnet_session *session, const void *given, void *out, size_t size)
{
    uint32_t given_size = 0;
    memset(out, 0, size);
    if (linnet_session_check(session) != LINNET_OK)
        return false;
    if (!given)
        return true;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > 4096) {
        linnet_fail(session->context, LINNET_INVALID, "optimiser: options.struct_size is %u", given_size);
        return false;
    }
    memcpy(out, given, given_size < size ? given_size : size);
    return true;
}

static float or_default(float value, float otherwise)
{
    return value != 0.0f ? value : otherwise;
}

linnet_optimizer *linnet_sgd_new_with(linnet_session *session, const linnet_sgd_options *options)
{
    linnet_sgd_options o;
    if (!take_options(session, options, &o, sizeof o))
        return NULL;
    if (o.nesterov && o.momentum == 0.0f) {
        linnet_fail(session->context, LINNET_INVALID, "Nesterov needs a momentum");
        return NULL;
    }
    linnet_optimizer_desc desc = {.struct_size = sizeof desc,
                                  .kind = LINNET_OPTIMIZER_SGD,
                                  .learning_rate = or_default(o.learning_rate, 1e-3f),
                                  .weight_decay = o.weight_decay,
                                  .momentum = o.momentum,
                                  .nesterov = o.nesterov != 0};
    return optimizer_new(session, &desc, o.momentum != 0.0f);
}

linnet_optimizer *linnet_adam_new_with(linnet_session *session, const linnet_adam_options *options)
{
    linnet_adam_options o;
    if (!take_options(session, options, &o, sizeof o))
        return NULL;
    linnet_optimizer_desc desc = {.struct_size = sizeof desc,
                                  .kind = LINNET_OPTIMIZER_ADAM,
                                  .learning_rate = or_default(o.learning_rate, 1e-3f),
                                  .weight_decay = o.weight_decay,
                                  .beta1 = or_default(o.beta1, 0.9f),
                                  .beta2 = or_default(o.beta2, 0.999f),
                                  .epsilon = or_default(o.epsilon, 1e-8f)};
    return optimizer_new(session, &desc, 2);
}

void linnet_optimizer_free(linnet_optimizer **optimizer)
{
    if (!optimizer)
        return;
    linnet_release(*optimizer);
    *optimizer = NULL;
}

linnet_status linnet_zero_grad(linnet_optimizer *optimizer)
{
    return optimizer ? linnet_session_zero_gradients(optimizer->session) : LINNET_INVALID;
}

/* Of a variable and those behind it, so many bytes in all. */
static linnet_status step_range(linnet_optimizer *optimizer, const linnet_place *place, size_t first, uint64_t bytes)
{
    linnet_session *session = optimizer->session;
    linnet_view slots[LINNET_MAX_SLOTS] = {{0}};
    for (uint32_t i = 0; i < optimizer->slot_count; i++)
        slots[i] = linnet_place_view(place, place->slots[i], first);
    optimizer->desc.count = bytes / sizeof(float);
    linnet_profile_begin(session, (uint32_t)(place - session->places));
    linnet_status status =
        linnet_device_check(session->context, place->device,
                            place->device->backend->optimizer_step(
                                place->queue, &optimizer->desc, linnet_place_view(place, place->parameters, first),
                                linnet_place_view(place, place->gradients, first), slots),
                            "optimiser step");
    return linnet_profile_end(session, status, "optimizer", "", bytes * (3 + 2 * optimizer->slot_count));
}

/* One launch per run of neighbouring parameters that are updated: all of a buffer at once unless some are frozen. The
   gaps between them hold zeros and stay zero. */
static linnet_status step_place(linnet_optimizer *optimizer, uint32_t index)
{
    linnet_session *session = optimizer->session;
    const linnet_place *place = &session->places[index];
    linnet_status status = LINNET_OK;
    size_t first = 0;
    uint64_t bytes = 0; /* of the run that begins with first; 0: there is none */
    for (size_t i = 0; i < session->variable_count && status == LINNET_OK; i++) {
        linnet_variable *variable = &session->variables[i];
        const linnet_spot *spot = &place->spots[i];
        bool updated = is_updated(session, variable, index);
        if (variable->is_state)
            continue; /* lies in other buffers */
        if (bytes && (!updated || spot->buffer != place->spots[first].buffer)) {
            status = step_range(optimizer, place, first, bytes);
            bytes = 0;
        }
        if (!updated)
            continue;
        first = bytes ? first : i;
        bytes = spot->offset + variable->bytes - place->spots[first].offset;
        variable->version++;
    }
    return status == LINNET_OK && bytes ? step_range(optimizer, place, first, bytes) : status;
}

linnet_status linnet_step(linnet_optimizer *optimizer)
{
    if (!optimizer)
        return LINNET_INVALID;
    linnet_session *session = optimizer->session;
    linnet_status status = linnet_context_check(session->context);
    if (status == LINNET_OK && session->round_status != LINNET_OK)
        return session->round_status; /* its sentence is still the thread's message */
    if (status == LINNET_OK)
        status = linnet_gradients_allocate(session, optimizer->slot_count); /* places may have been added */
    if (status == LINNET_OK)
        status = linnet_gradients_settle(session);
    if (status == LINNET_OK)
        status = check_places(session, optimizer->desc.kind);
    optimizer->desc.step += status == LINNET_OK;
    if (status == LINNET_OK)
        linnet_host_forget(session, false);
    for (uint32_t p = 0; p < session->place_count && status == LINNET_OK; p++)
        status = step_place(optimizer, p);
    if (status != LINNET_OK)
        session->arena_user = NULL;
    return status;
}

void linnet_optimizer_set_learning_rate(linnet_optimizer *optimizer, float learning_rate)
{
    optimizer->desc.learning_rate = learning_rate;
}

float linnet_optimizer_learning_rate(const linnet_optimizer *optimizer)
{
    return optimizer->desc.learning_rate;
}

uint64_t linnet_optimizer_steps(const linnet_optimizer *optimizer)
{
    return optimizer->desc.step;
}
