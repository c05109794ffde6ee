/* SPDX-License-Identifier: Apache-2.0 */
/* Whether all that a session has on a device, and what a plan would add, fits in the device's memory. */
#include "session.h"

typedef struct total {
    uint64_t parameters; /* with what is made of them, and learned with them */
    uint64_t arena;
} total;

/* Parameters, states, and gradients and slots as far as the session is to have them. */
static uint64_t variable_bytes(const linnet_session *session, const linnet_place *place)
{
    uint64_t kinds = 1 + session->has_gradients + session->slot_count;
    return kinds * place->parameter_layout.total + place->state_layout.total;
}

static bool reads_packed(const linnet_plan *plan, size_t packed)
{
    for (size_t i = 0; i < plan->packed_count; i++)
        if (plan->packed[i] == packed)
            return true;
    return false;
}

static bool reads_folded(const linnet_session *session, const linnet_plan *plan, size_t variable)
{
    for (size_t i = 0; i < plan->tensor_count; i++)
        if (linnet_tensor_is_folded(session, &plan->tensors[i]) && plan->tensors[i].variable == variable)
            return true;
    return false;
}

/* Packed copies and folded weights: those that the plan is to have, with others those there are, too. */
static uint64_t derived_bytes(const linnet_session *session, const linnet_plan *plan, uint32_t place, bool others)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < session->packed_count; i++) {
        const linnet_packed *packed = &session->packed[i];
        sum += packed->place == place && ((others && packed->buffer) || reads_packed(plan, i)) ? packed->bytes : 0;
    }
    for (size_t i = session->variable_count; i < session->variable_total; i++) {
        const linnet_variable *folded = &session->variables[i];
        sum +=
            folded->place == place && ((others && folded->own) || reads_folded(session, plan, i)) ? folded->bytes : 0;
    }
    return sum;
}

/* Blocks are shared with the session's other plans. */
static uint64_t arena_bytes(const linnet_session *session, const linnet_plan *plan, uint32_t index, bool others)
{
    const linnet_place *place = &session->places[index];
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->block_counts[index] || i < place->block_count; i++) {
        uint64_t planned = i < plan->block_counts[index] ? plan->block_bytes[index][i] : 0;
        uint64_t there = others && i < place->block_count ? place->block_bytes[i] : 0;
        sum += planned > there ? planned : there;
    }
    return sum;
}

static bool fits(const linnet_device *device, uint64_t bytes)
{
    return !device->info.memory_bytes || bytes <= device->info.memory_bytes;
}

linnet_status linnet_memory_check_variables(const linnet_session *session, const linnet_place *place)
{
    const linnet_device *device = place->device;
    uint64_t bytes = variable_bytes(session, place);
    if (fits(device, bytes))
        return LINNET_OK;
    return linnet_fail(session->context, LINNET_OUT_OF_MEMORY,
                       "%s: %llu bytes are needed for parameters%s alone, the device has %llu", device->label,
                       (unsigned long long)bytes, session->has_gradients ? " and what they learn by" : "",
                       (unsigned long long)device->info.memory_bytes);
}

linnet_status linnet_memory_check(const linnet_session *session, const linnet_plan *plan, uint32_t index, bool others)
{
    const linnet_place *place = &session->places[index];
    total t = {.parameters = variable_bytes(session, place) + derived_bytes(session, plan, index, others),
               .arena = arena_bytes(session, plan, index, others)};
    return fits(place->device, t.parameters + t.arena)
               ? LINNET_OK
               : linnet_memory_fail_total(session, index, t.parameters, t.arena);
}
