/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of a session, and their arenas. */
#include "profile.h"

#include <string.h>

linnet_status linnet_place_open(const linnet_session *session, linnet_device *device, linnet_place *out)
{
    memset(out, 0, sizeof *out);
    out->device = linnet_device_retain(device);
    return linnet_device_check(
        session->context, device,
        device->backend->queue_new(device->handle, linnet_profile_queue_flags(session, device), &out->queue),
        "making a queue");
}

uint32_t linnet_place_add(linnet_session *session, linnet_device *device)
{
    if (session->place_count == LINNET_MAX_PLACES) {
        linnet_fail(session->context, LINNET_LIMIT, "a session uses at most %d devices", LINNET_MAX_PLACES);
        return LINNET_NONE;
    }
    linnet_place *place = &session->places[session->place_count];
    linnet_status status = linnet_place_open(session, device, place);
    /* Variables exist on the first place only once they have been laid out. */
    if (status == LINNET_OK && session->place_count > 0)
        status = linnet_place_allocate(session, place);
    if (status != LINNET_OK) {
        linnet_place_free(session, place);
        return LINNET_NONE;
    }
    return session->place_count++;
}

void linnet_place_free(const linnet_session *session, linnet_place *place)
{
    (void)session;
    if (!place->device)
        return;
    const linnet_backend *backend = place->device->backend;
    backend->queue_free(place->queue);
    for (size_t i = 0; i < place->block_count; i++)
        backend->buffer_free(place->blocks[i]);
    linnet_layout_free(place);
    linnet_release(place->blocks);
    linnet_release(place->block_bytes);
    linnet_device_close(&place->device);
    memset(place, 0, sizeof *place);
}

static linnet_status grow_block(linnet_session *session, linnet_place *place, size_t block, uint64_t bytes)
{
    const linnet_device *device = place->device;
    const linnet_backend *backend = device->backend;
    linnet_status status = LINNET_OK;
    if (place->blocks[block]) /* may be in use still */
        status = linnet_device_check(session->context, device, backend->finish(place->queue), "waiting for the device");
    if (status != LINNET_OK)
        return status;
    backend->buffer_free(place->blocks[block]);
    place->blocks[block] = NULL;
    place->block_bytes[block] = 0;
    session->arena_generation++;
    status =
        linnet_device_check(session->context, device, backend->buffer_new(device->handle, bytes, &place->blocks[block]),
                            "allocating a buffer");
    if (status == LINNET_OK)
        place->block_bytes[block] = bytes;
    return status;
}

linnet_status linnet_arena_ensure(linnet_session *session, uint32_t index, const uint64_t *block_bytes,
                                  size_t block_count)
{
    linnet_place *place = &session->places[index];
    if (!linnet_grow(&place->blocks, &place->block_capacity, block_count, sizeof *place->blocks) ||
        !linnet_grow(&place->block_bytes, &place->block_bytes_capacity, block_count, sizeof *place->block_bytes))
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for the arena");
    place->block_count = block_count > place->block_count ? block_count : place->block_count;
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < block_count && status == LINNET_OK; i++)
        if (place->block_bytes[i] < block_bytes[i])
            status = grow_block(session, place, i, block_bytes[i]);
    return status;
}

void linnet_arena_free(linnet_session *session)
{
    for (uint32_t p = 0; p < session->place_count; p++) {
        linnet_place *place = &session->places[p];
        const linnet_backend *backend = place->device->backend;
        backend->finish(place->queue); /* they may be in use still */
        for (size_t i = 0; i < place->block_count; i++) {
            backend->buffer_free(place->blocks[i]);
            place->blocks[i] = NULL;
            place->block_bytes[i] = 0;
        }
    }
    session->current = NULL;
    session->arena_generation++;
}
