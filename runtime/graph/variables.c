/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and running statistics of a session: start values, moves between places. */
#include "profile.h"

#include <math.h>
#include <string.h>

/* The net's parameters and states, in its order. */
static void list(linnet_session *session)
{
    const linnet_net *net = session->net;
    for (uint32_t v = 0; v < net->value_count; v++) {
        const linnet_net_value *value = &net->values[v];
        session->variable_of[v] = LINNET_NONE;
        if (value->kind != LINNET_VALUE_PARAMETER && value->kind != LINNET_VALUE_STATE)
            continue;
        session->variable_of[v] = (uint32_t)session->variable_count;
        session->variables[session->variable_count++] = (linnet_variable){
            .value = v,
            .is_state = value->kind == LINNET_VALUE_STATE,
            .gradient_is_zero = true,
            .bytes = (uint64_t)linnet_shape_product(&value->shape, 0, value->shape.rank) * sizeof(float),
            .version = 1};
    }
}

linnet_status linnet_variables_new(linnet_session *session)
{
    size_t values = session->net->value_count;
    session->variables = linnet_allocate(values, sizeof *session->variables);
    session->variable_capacity = values;
    session->variable_of = linnet_allocate(values, sizeof *session->variable_of);
    session->value_count = values;
    if (!session->variables || !session->variable_of)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a session");
    list(session);
    session->variable_total = session->variable_count;
    return linnet_place_allocate(session, &session->places[0]);
}

void linnet_variables_free(linnet_session *session)
{
    linnet_derived_free(session);
    linnet_host_forget(session, false);
    linnet_release(session->packed);
    linnet_release(session->folds);
    linnet_release(session->variables);
    linnet_release(session->variable_of);
}

linnet_variable *linnet_variable_find(const linnet_session *session, const char *name)
{
    for (size_t i = 0; name && i < session->variable_count; i++)
        if (strcmp(session->net->values[session->variables[i].value].name, name) == 0)
            return &session->variables[i];
    linnet_fail(session->context, LINNET_NOT_FOUND, "the net has no parameter '%s'", name ? name : "");
    return NULL;
}

linnet_view linnet_variable_view(const linnet_session *session, const linnet_variable *variable)
{
    if (variable->own)
        return (linnet_view){variable->own, 0};
    return linnet_place_variable(session, &session->places[variable->place], (size_t)(variable - session->variables));
}

/* Copies bytes from a view on one place to one on another; from and to memory that is not there, nothing. */
static linnet_status move_bytes(const linnet_session *session, const linnet_place *from, linnet_view source,
                                const linnet_place *to, linnet_view destination, void *through, uint64_t bytes)
{
    if (!source.buffer || !destination.buffer)
        return LINNET_OK;
    linnet_status status = linnet_device_check(session->context, from->device,
                                               from->device->backend->read(from->queue, source, through, bytes, NULL),
                                               "reading a parameter");
    if (status != LINNET_OK)
        return status;
    return linnet_device_check(session->context, to->device,
                               to->device->backend->upload(to->queue, destination, through, bytes, NULL),
                               "writing a parameter");
}

/* The variable itself, and for a parameter what was collected for it: its gradient, the optimiser's slots. */
static linnet_status move_all(const linnet_session *session, const linnet_variable *variable, const linnet_place *from,
                              const linnet_place *to, void *through)
{
    size_t number = (size_t)(variable - session->variables);
    uint64_t bytes = variable->bytes;
    linnet_status status = move_bytes(session, from, linnet_place_variable(session, from, number), to,
                                      linnet_place_variable(session, to, number), through, bytes);
    if (variable->is_state)
        return status;
    if (status == LINNET_OK && !variable->gradient_is_zero)
        status = move_bytes(session, from, linnet_place_view(from, from->gradients, number), to,
                            linnet_place_view(to, to->gradients, number), through, bytes);
    for (uint32_t i = 0; i < session->slot_count && status == LINNET_OK; i++)
        status = move_bytes(session, from, linnet_place_view(from, from->slots[i], number), to,
                            linnet_place_view(to, to->slots[i], number), through, bytes);
    return status;
}

linnet_status linnet_variable_move(linnet_session *session, linnet_variable *variable, uint32_t index)
{
    if (variable->place == index)
        return LINNET_OK;
    const linnet_place *from = &session->places[variable->place];
    linnet_place *to = &session->places[index];
    void *through = linnet_allocate(1, variable->bytes);
    if (!through)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to move a parameter");
    linnet_status status = linnet_place_allocate(session, to);
    if (status == LINNET_OK)
        status = move_all(session, variable, from, to, through);
    linnet_release(through);
    if (status != LINNET_OK)
        return status; /* it is still where it was */
    variable->place = index;
    session->settings_version++; /* plans know where their variables are */
    session->current = NULL;
    return LINNET_OK;
}

linnet_status linnet_gradients_settle(linnet_session *session)
{
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < session->variable_count && status == LINNET_OK; i++) {
        linnet_variable *variable = &session->variables[i];
        const linnet_place *place = &session->places[variable->place];
        if (variable->is_state || !variable->gradient_is_zero)
            continue;
        linnet_profile_begin(session, variable->place);
        linnet_view view = linnet_place_view(place, place->gradients, i);
        status = linnet_device_check(session->context, place->device,
                                     place->device->backend->fill(place->queue, view, 0, variable->bytes),
                                     "clearing a gradient");
        status =
            linnet_profile_end(session, status, "clear", session->net->values[variable->value].name, variable->bytes);
    }
    return status;
}

/* ---- Start values ---- */

/* A domain of its own in Philox's step, so that initialisation and dropout never draw the same numbers. */
#define INITIAL_STEP UINT64_C(0xF000000000000000)

#define PIECE ((uint64_t)1 << 16) /* values that are drawn at once; even blocks of Philox, pairs of normal numbers */

/* linnet_philox_uniform of elements from first on, a multiple of four; a block of four at a time. */
static void draw_unit(uint32_t number, uint64_t seed, uint64_t first, float *out, uint64_t count)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (uint64_t i = 0; i < count; i += 4) {
        uint64_t block = (first + i) >> 2;
        const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32) ^ number, (uint32_t)INITIAL_STEP,
                                     (uint32_t)(INITIAL_STEP >> 32)};
        uint32_t words[4];
        linnet_philox(counter, key, words);
        for (uint64_t k = 0; k < 4 && i + k < count; k++)
            out[i + k] = (float)(words[k] >> 8) * 0x1p-24f;
    }
}

/* Normal numbers in pairs from two uniform ones (Box and Muller 1958). */
static void make_normal(float deviation, float *out, uint64_t count)
{
    for (uint64_t i = 0; i < count; i += 2) {
        float v = i + 1 < count ? out[i + 1] : 0;
        float radius = deviation * sqrtf(-2.0f * logf(1.0f - out[i])), angle = 6.2831853f * v;
        out[i] = radius * cosf(angle);
        if (i + 1 < count)
            out[i + 1] = radius * sinf(angle);
    }
}

/* count start values from element first on. */
static void draw(const linnet_net_value *value, uint32_t number, uint64_t seed, uint64_t first, float *out,
                 uint64_t count)
{
    float fan_in = value->fan_in > 0 ? (float)value->fan_in : INFINITY, bound = 1.0f / sqrtf(fan_in);
    switch ((linnet_initial)value->initial) {
    case LINNET_INITIAL_VALUES:
        memcpy(out, value->values + first, count * sizeof *out);
        return;
    case LINNET_INITIAL_ZERO:
    case LINNET_INITIAL_ONE:
        for (uint64_t i = 0; i < count; i++)
            out[i] = value->initial == LINNET_INITIAL_ONE ? 1.0f : 0.0f;
        return;
    case LINNET_INITIAL_HE_NORMAL:
    case LINNET_INITIAL_SMALL_NORMAL:
        draw_unit(number, seed, first, out, count);
        make_normal(value->initial == LINNET_INITIAL_SMALL_NORMAL ? 0.01f : sqrtf(2.0f / (float)value->fan_out), out,
                    count);
        return;
    case LINNET_INITIAL_HE_UNIFORM:
        bound = sqrtf(6.0f / fan_in);
        break;
    case LINNET_INITIAL_KAIMING_UNIFORM:
        break;
    }
    draw_unit(number, seed, first, out, count);
    for (uint64_t i = 0; i < count; i++)
        out[i] = (2.0f * out[i] - 1.0f) * bound;
}

/* A piece at a time through memory of PIECE floats. */
static linnet_status start_through(const linnet_session *session, const linnet_place *place, uint32_t number,
                                   float *memory)
{
    const linnet_variable *variable = &session->variables[number];
    linnet_view view = linnet_place_variable(session, place, number);
    linnet_status status = LINNET_OK;
    uint64_t all = variable->bytes / sizeof *memory;
    for (uint64_t first = 0; first < all && status == LINNET_OK; first += PIECE) {
        uint64_t count = all - first < PIECE ? all - first : PIECE;
        draw(&session->net->values[variable->value], number, session->start_seed, first, memory, count);
        status = linnet_device_check(
            session->context, place->device,
            place->device->backend->upload(place->queue, view, memory, count * sizeof *memory, NULL),
            "writing a parameter");
        view.offset += count * sizeof *memory;
    }
    return status;
}

linnet_status linnet_variable_start(const linnet_session *session, const linnet_place *place, uint32_t number)
{
    float *memory = linnet_allocate(PIECE, sizeof *memory);
    if (!memory)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to start a parameter");
    linnet_status status = start_through(session, place, number, memory);
    linnet_release(memory);
    return status;
}

linnet_status linnet_session_initialize(linnet_session *session, uint64_t seed)
{
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    float *memory = linnet_allocate(PIECE, sizeof *memory);
    if (!memory)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to start a parameter");
    session->seed = session->start_seed = seed;
    session->step = 0;
    for (uint32_t i = 0; i < session->variable_count && status == LINNET_OK; i++) {
        status = start_through(session, &session->places[session->variables[i].place], i, memory);
        session->variables[i].version++;
    }
    linnet_host_forget(session, status == LINNET_OK);
    linnet_release(memory);
    return status;
}
