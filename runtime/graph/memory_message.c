/* SPDX-License-Identifier: Apache-2.0 */
/* What is said where a plan does not fit: first the device that was chosen, then what needs how many bytes. */
#include "../core/text.h"
#include "session.h"

/* "cpu: AMD EPYC: ", or where the layers in question are elsewhere "opencl: X: on cpu: AMD EPYC, which runs 3 layers in
   its stead, ". */
static void begin(const linnet_session *session, uint32_t place, linnet_text *text)
{
    uint32_t count = 0;
    linnet_text_append(text, "%s: ", session->places[0].device->label);
    if (place == 0)
        return;
    for (size_t n = 0; n < session->node_count; n++)
        count += session->node_place[n] == place;
    linnet_text_append(text, "on %s, which runs %u layer%s in its stead, ", session->places[place].device->label, count,
                       count == 1 ? "" : "s");
}

static bool lies_in(const linnet_plan *plan, uint32_t tensor, uint32_t storage)
{
    return tensor != LINNET_NONE && plan->tensors[tensor].home == LINNET_HOME_ARENA &&
           linnet_plan_storage_root(plan, plan->tensors[tensor].storage) == storage;
}

static bool is_among(const linnet_plan *plan, const uint32_t *tensors, uint32_t count, uint32_t storage)
{
    for (uint32_t i = 0; i < count; i++)
        if (lies_in(plan, tensors[i], storage))
            return true;
    return false;
}

/* What the storage is to a layer's step; NULL: nothing. */
static const char *role_of(const linnet_plan *plan, const linnet_plan_step *step, uint32_t storage)
{
    const linnet_step_operands *o = &step->operands;
    return lies_in(plan, o->workspace, storage)                               ? "the workspace of"
           : is_among(plan, o->outputs, LINNET_MAX_OUTPUTS, storage)          ? "the output of"
           : is_among(plan, o->saved, LINNET_MAX_SAVED, storage)              ? "what is kept for the gradients of"
           : is_among(plan, o->inputs, LINNET_MAX_INPUTS, storage)            ? "the input of"
           : is_among(plan, o->output_gradients, LINNET_MAX_OUTPUTS, storage) ? "the output's gradient of"
           : is_among(plan, o->input_gradients, LINNET_MAX_INPUTS, storage)   ? "the input's gradient of"
                                                                              : NULL;
}

static void name_storage(const linnet_session *session, const linnet_plan *plan, uint32_t storage, linnet_text *text)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const linnet_plan_step *step = &plan->steps[i];
        const char *role =
            step->type == LINNET_STEP_LAYER && step->node != LINNET_NO_NODE ? role_of(plan, step, storage) : NULL;
        if (role) {
            linnet_text_append(text, "%s '%s'", role, session->net->nodes[step->node].name);
            return;
        }
    }
    linnet_text_append(text, "a tensor");
}

/* The most bytes that live at once on a place, as if they could lie without gaps. */
static uint64_t least_bytes(const linnet_plan *plan, uint32_t place)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        uint64_t sum = 0;
        for (uint32_t s = 0; s < plan->storage_count; s++) {
            const linnet_plan_storage *storage = &plan->storages[s];
            bool lives = storage->merged == s && storage->first != LINNET_NONE && storage->first <= i &&
                         i <= storage->last && storage->place == place;
            sum += lives ? storage->bytes : 0;
        }
        most = sum > most ? sum : most;
    }
    return most;
}

static linnet_status fail(const linnet_session *session, linnet_text *text)
{
    linnet_status status = linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "%s",
                                       text->data ? text->data : "no memory for what is too large");
    linnet_release(text->data);
    return status;
}

linnet_status linnet_memory_fail_buffer(const linnet_session *session, const linnet_plan *plan, uint32_t storage)
{
    uint32_t place = plan->storages[storage].place;
    linnet_text text = {0};
    begin(session, place, &text);
    name_storage(session, plan, storage, &text);
    linnet_text_append(&text,
                       " needs %llu bytes, the device's largest buffer has %llu; activations and workspaces need at "
                       "least %llu bytes in all",
                       (unsigned long long)plan->storages[storage].bytes,
                       (unsigned long long)linnet_device_largest_buffer(session->places[place].device),
                       (unsigned long long)least_bytes(plan, place));
    return fail(session, &text);
}

linnet_status linnet_memory_fail_total(const linnet_session *session, uint32_t place, uint64_t parameters,
                                       uint64_t arena)
{
    linnet_text text = {0};
    begin(session, place, &text);
    linnet_text_append(&text,
                       "%llu bytes are needed (%llu of parameters, %llu of activations and workspaces), the device "
                       "has %llu",
                       (unsigned long long)(parameters + arena), (unsigned long long)parameters,
                       (unsigned long long)arena, (unsigned long long)session->places[place].device->info.memory_bytes);
    return fail(session, &text);
}
