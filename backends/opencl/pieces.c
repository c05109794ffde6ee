/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large uploads with no work before them, to devices with memory of their own: through a little pinned memory, in
 * pieces that stay in the processor's cache, each copied while the one before it is sent:
 *
 *     host     memcpy 0, memcpy 1, memcpy 2, ...
 *     queue              [write 0] [write 1] ...
 */
#include "opencl.h"

#include <string.h>

enum { PIECES = 4, PIECE_BYTES = 1 << 20, LEAST_BYTES = 2 << 20 };

struct linnet_cl_pieces {
    void *memory;          /* pinned, of PIECES */
    cl_event sent[PIECES]; /* NULL: the piece is free */
};

/* NULL: there is no memory for it. */
static linnet_cl_pieces *pieces_of(linnet_backend_queue *queue)
{
    if (queue->pieces || queue->has_no_pieces)
        return queue->pieces;
    linnet_cl_pieces *pieces = linnet_cl_host->allocate(sizeof(*pieces));
    if (!pieces)
        return NULL;
    memset(pieces, 0, sizeof(*pieces));
    if (linnet_cl_pinned_new(queue->device, (uint64_t)PIECES * PIECE_BYTES, &pieces->memory) != LINNET_OK) {
        linnet_cl_host->set_error(""); /* the upload goes another way */
        linnet_cl_host->release(pieces);
        queue->has_no_pieces = true;
        return NULL;
    }
    queue->pieces = pieces;
    return pieces;
}

static linnet_status send(linnet_backend_queue *queue, linnet_view destination, const void *source, size_t bytes,
                          int number)
{
    char *place = (char *)queue->pieces->memory + (size_t)number * PIECE_BYTES;
    cl_event *sent = &queue->pieces->sent[number];
    if (*sent) {
        cl_int error = clWaitForEvents(1, sent);
        if (error != CL_SUCCESS)
            return linnet_cl_check(queue->device, "clWaitForEvents", error);
        linnet_cl_release_event(*sent);
        *sent = NULL;
    }
    memcpy(place, source, bytes);
    cl_int error = clEnqueueWriteBuffer(queue->queue, destination.buffer->memory, CL_FALSE, (size_t)destination.offset,
                                        bytes, place, 0, NULL, sent);
    if (error != CL_SUCCESS)
        return linnet_cl_check(queue->device, "clEnqueueWriteBuffer", error);
    linnet_cl_count_made();
    linnet_cl_command_share(queue, "upload", *sent);
    return linnet_cl_check(queue->device, "clFlush", clFlush(queue->queue));
}

linnet_status linnet_cl_pieces_upload(linnet_backend_queue *queue, linnet_view destination, const void *source,
                                      uint64_t bytes, bool *out_done)
{
    *out_done = false;
    if (bytes < LEAST_BYTES || queue->device->transfers != LINNET_CL_TRANSFERS_APART || !pieces_of(queue))
        return LINNET_OK;
    linnet_status status = LINNET_OK;
    int number = 0;
    for (uint64_t at = 0; at < bytes && !status; at += PIECE_BYTES, number = (number + 1) % PIECES) {
        uint64_t rest = bytes - at;
        linnet_view there = {destination.buffer, destination.offset + at};
        status =
            send(queue, there, (const char *)source + at, (size_t)(rest < PIECE_BYTES ? rest : PIECE_BYTES), number);
    }
    *out_done = !status;
    return status;
}

void linnet_cl_pieces_free(linnet_backend_queue *queue, bool is_done)
{
    linnet_cl_pieces *pieces = queue->pieces;
    if (!pieces)
        return;
    bool may_wait = !is_done && linnet_cl_fork_check() == LINNET_OK; /* nobody answers a fork's child */
    for (int i = 0; i < PIECES; i++) {
        if (pieces->sent[i] && may_wait && clWaitForEvents(1, &pieces->sent[i]) != CL_SUCCESS)
            linnet_cl_log(1, "opencl: '%s' does not say whether it has read an upload", queue->device->info.name);
        linnet_cl_release_event(pieces->sent[i]);
    }
    linnet_cl_pinned_free(queue->device, pieces->memory);
    linnet_cl_host->release(pieces);
    queue->pieces = NULL;
}
