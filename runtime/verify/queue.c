/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers, queues and events: "queue:memory" and "queue:events". */
#include "harness.h"

#include <stdio.h>
#include <string.h>

enum { BUFFERS = 2, BUFFER_BYTES = 9001, LARGE_BYTES = (3 << 20) + 5, OPERATIONS = 400, EVENTS = 8 };

/* Two device buffers and what must be in them. */
typedef struct mirror {
    linnet_check *check;
    const linnet_backend *backend;
    linnet_backend_device *handle;
    linnet_backend_queue *queue;
    linnet_backend_buffer *buffers[BUFFERS];
    uint8_t *wanted[BUFFERS], *scratch;
    size_t bytes;                    /* of each */
    uint64_t alignment, draws, live; /* live: objects before anything was made */
} mirror;

static bool ok(mirror *m, linnet_status status, const char *what)
{
    return linnet_check_status(m->check, m->check->device, status, what);
}

/* 0 .. below-1 */
static uint64_t draw(mirror *m, uint64_t below)
{
    return (uint64_t)(linnet_fill_uniform(m->check->seed, 77, m->draws++) * (float)below) % below;
}

/* An aligned offset, and a size that is small, odd, zero or the whole rest. */
static void draw_range(mirror *m, uint64_t *offset, uint64_t *bytes)
{
    *offset = draw(m, m->bytes / m->alignment + 1) * m->alignment;
    if (*offset >= m->bytes)
        *offset = 0;
    uint64_t room = m->bytes - *offset, choice = draw(m, 8);
    *bytes = choice == 0 ? 0 : choice == 1 ? room : choice < 5 ? 1 + draw(m, 70) : 1 + draw(m, room);
    *bytes = *bytes > room ? room : *bytes;
}

static bool check_read(mirror *m, uint64_t which, uint64_t offset, uint64_t bytes, const char *after)
{
    linnet_view view = {m->buffers[which], offset};
    memset(m->scratch, 0xEE, m->bytes + 1);
    m->check->result->runs++;
    if (!ok(m, m->backend->read(m->queue, view, m->scratch, bytes, NULL), "read"))
        return false;
    if (memcmp(m->scratch, m->wanted[which] + offset, (size_t)bytes) != 0)
        linnet_check_fail(m->check, "after %s: %llu bytes at %llu are not what was written", after,
                          (unsigned long long)bytes, (unsigned long long)offset);
    else if (m->scratch[bytes] != 0xEE)
        linnet_check_fail(m->check, "read wrote behind its %llu bytes", (unsigned long long)bytes);
    else
        return true;
    return false;
}

static bool do_upload(mirror *m, uint64_t which, uint64_t offset, uint64_t bytes)
{
    m->draws++; /* others than those before */
    for (uint64_t i = 0; i < bytes; i++)
        m->wanted[which][offset + i] = m->scratch[i] = (uint8_t)(m->draws * 31 + i * 7 + i / 251);
    bool done = ok(m, m->backend->upload(m->queue, (linnet_view){m->buffers[which], offset}, m->scratch, bytes, NULL),
                   "upload");
    memset(m->scratch, 0xEE, (size_t)bytes); /* without an event the source has been read */
    return done;
}

static bool do_copy(mirror *m, uint64_t from, uint64_t offset, uint64_t bytes)
{
    uint64_t to = draw(m, BUFFERS), target, ignored;
    draw_range(m, &target, &ignored);
    if (bytes > m->bytes - target)
        bytes = m->bytes - target;
    if (from == to && target < offset + bytes && offset < target + bytes)
        return true;
    memcpy(m->wanted[to] + target, m->wanted[from] + offset, (size_t)bytes);
    return ok(m,
              m->backend->copy(m->queue, (linnet_view){m->buffers[to], target}, (linnet_view){m->buffers[from], offset},
                               bytes),
              "copy");
}

static bool do_fill(mirror *m, uint64_t which, uint64_t offset, uint64_t bytes)
{
    uint32_t pattern = 0x01020304u * (uint32_t)(1 + draw(m, 50));
    bytes &= ~(uint64_t)3;
    for (uint64_t i = 0; i < bytes; i += 4)
        memcpy(m->wanted[which] + offset + i, &pattern, 4);
    return ok(m, m->backend->fill(m->queue, (linnet_view){m->buffers[which], offset}, pattern, bytes), "fill");
}

/* A long random program, watched all the way. */
static void check_memory(mirror *m)
{
    static const char *const names[] = {"upload", "copy", "fill", "nothing"};
    bool fine = do_upload(m, 0, 0, m->bytes) && do_upload(m, 1, 0, m->bytes);
    for (uint32_t i = 0; i < OPERATIONS && fine; i++) {
        uint64_t what = draw(m, 4), which = draw(m, BUFFERS), offset, bytes;
        draw_range(m, &offset, &bytes);
        if (what == 0)
            fine = do_upload(m, which, offset, bytes);
        else if (what == 1)
            fine = do_copy(m, which, offset, bytes);
        else if (what == 2)
            fine = do_fill(m, which, offset, bytes);
        else
            fine = check_read(m, which, offset, bytes, names[what]);
        if (fine && i % 10 == 9)
            fine = check_read(m, 0, 0, m->bytes, names[what]) && check_read(m, 1, 0, m->bytes, names[what]);
    }
}

static void check_host_pointer(mirror *m)
{
    if (!(m->check->device->info.capabilities & LINNET_CAPABILITY_HOST_VISIBLE))
        return;
    if (!m->backend->host_pointer) {
        linnet_check_fail(m->check, "claims host-visible memory but has no host_pointer");
        return;
    }
    if (!ok(m, m->backend->finish(m->queue), "finish"))
        return;
    const uint8_t *memory = m->backend->host_pointer(m->buffers[0]);
    if (!memory || memcmp(memory, m->wanted[0], m->bytes) != 0)
        linnet_check_fail(m->check, "host_pointer does not show what read shows");
}

static void check_too_large(mirror *m)
{
    linnet_backend_buffer *buffer = NULL;
    if (m->backend->buffer_new(m->handle, UINT64_C(1) << 60, &buffer) == LINNET_OK) {
        linnet_check_fail(m->check, "made a buffer of 2^60 bytes");
        m->backend->buffer_free(buffer);
    }
    m->backend->buffer_free(NULL);
    m->backend->queue_free(NULL);
}

static void free_event(mirror *m, linnet_backend_event *event)
{
    if (m->backend->event_free)
        m->backend->event_free(event);
}

/* Uploads and reads that return early, and what their events promise. */
static void check_transfers_with_events(mirror *m)
{
    linnet_backend_event *uploaded = NULL, *read = NULL;
    linnet_view view = {m->buffers[0], m->alignment};
    uint64_t bytes = 1000;
    memset(m->wanted[0] + m->alignment, 0x5A, (size_t)bytes);
    memset(m->scratch, 0, m->bytes);
    m->check->result->runs++;
    bool fine = ok(m, m->backend->upload(m->queue, view, m->wanted[0] + m->alignment, bytes, &uploaded), "upload") &&
                ok(m, m->backend->read(m->queue, view, m->scratch, bytes, &read), "read") &&
                (!m->backend->flush || ok(m, m->backend->flush(m->queue), "flush")) &&
                ok(m, m->backend->event_wait(read), "event_wait");
    if (fine && memcmp(m->scratch, m->wanted[0] + m->alignment, (size_t)bytes) != 0)
        linnet_check_fail(m->check, "a read's event was waited for, but the data is not there");
    if (fine && uploaded)
        ok(m, m->backend->event_wait(uploaded), "event_wait of an older event");
    free_event(m, uploaded);
    free_event(m, read);
    free_event(m, NULL);
}

/* Large uploads, and memory that transfers go from and to without a copy: with work before them, and without. */
static void check_pinned(mirror *m)
{
    void *memory = NULL;
    if (m->backend->pinned_new(m->handle, m->bytes, &memory) == LINNET_UNSUPPORTED)
        return;
    if (!ok(m, memory ? LINNET_OK : LINNET_OUT_OF_MEMORY, "pinned_new"))
        return;
    bool fine = do_upload(m, 1, 0, m->bytes) && do_upload(m, 0, 0, m->bytes) &&
                check_read(m, 1, 0, m->bytes, "a large upload") && check_read(m, 0, 0, m->bytes, "a large upload");
    for (uint32_t i = 0; i < EVENTS && fine; i++) {
        linnet_backend_event *uploaded = NULL;
        linnet_view view = {m->buffers[0], i * m->alignment};
        uint64_t bytes = (m->bytes - view.offset) >> i / 2 * 4; /* each size with work and without */
        m->check->result->runs++;
        fine = i % 2 ? do_fill(m, 0, 0, m->bytes) : ok(m, m->backend->finish(m->queue), "finish");
        memset(m->wanted[0] + view.offset, (int)i + 1, (size_t)bytes);
        memset(memory, (int)i + 1, (size_t)bytes);
        fine = fine && ok(m, m->backend->upload(m->queue, view, memory, bytes, &uploaded), "upload") &&
               (!uploaded || ok(m, m->backend->event_wait(uploaded), "event_wait"));
        free_event(m, uploaded);
        memset(memory, 0xEE, m->bytes);
        fine = fine && check_read(m, 0, 0, m->bytes, "an upload from pinned memory") &&
               ok(m, m->backend->read(m->queue, view, memory, bytes, NULL), "read");
        if (fine && memcmp(memory, m->wanted[0] + view.offset, (size_t)bytes) != 0)
            linnet_check_fail(m->check, "a read to pinned memory does not show what was written");
    }
    ok(m, m->backend->finish(m->queue), "finish");
    m->backend->pinned_free(m->handle, memory);
    m->backend->pinned_free(m->handle, NULL);
}

static void check_times(mirror *m)
{
    linnet_backend_event *events[EVENTS] = {NULL};
    uint64_t before = 0, time = 0;
    bool timed = m->backend->event_time && (m->check->device->info.capabilities & LINNET_CAPABILITY_TIMESTAMPS);
    bool fine = true;
    for (uint32_t i = 0; i < EVENTS && fine; i++) {
        m->check->result->runs++;
        fine = do_fill(m, 0, 0, m->bytes) && ok(m, m->backend->mark(m->queue, &events[i]), "mark");
    }
    for (uint32_t i = 0; i < EVENTS && fine; i++) {
        fine = ok(m, m->backend->event_wait(events[i]), "event_wait") &&
               (!timed || ok(m, m->backend->event_time(events[i], &time), "event_time"));
        if (fine && timed && time < before)
            linnet_check_fail(m->check, "event %u is earlier than the one before it", i);
        before = time;
    }
    for (uint32_t i = 0; i < EVENTS; i++)
        free_event(m, events[i]);
}

static void check_command(mirror *m, uint64_t index, uint64_t *before)
{
    linnet_command c = {.struct_size = sizeof c};
    m->check->result->runs++;
    if (!ok(m, m->backend->command(m->queue, index, &c), "command"))
        return;
    if (!c.name || !*c.name || c.queued > c.start || c.start > c.end)
        linnet_check_fail(m->check, "command %llu has no name, or its times are not in their order",
                          (unsigned long long)index);
    else if (c.end < *before)
        linnet_check_fail(m->check, "command %llu ends before the one ahead of it", (unsigned long long)index);
    *before = c.end;
}

/* What a queue with timestamps says that it ran. */
static void check_commands(mirror *m)
{
    linnet_command none = {.struct_size = sizeof none};
    uint64_t before = 0;
    if (!m->backend->command_count || !(m->check->device->info.capabilities & LINNET_CAPABILITY_TIMESTAMPS))
        return;
    m->backend->forget_commands(m->queue);
    bool fine = do_upload(m, 0, 0, m->bytes) && do_fill(m, 1, 0, m->bytes) && do_fill(m, 0, 0, m->bytes) &&
                check_read(m, 0, 0, m->bytes, "a fill") && ok(m, m->backend->finish(m->queue), "finish");
    uint64_t count = m->backend->command_count(m->queue);
    if (fine && count < 4)
        linnet_check_fail(m->check, "an upload, two fills and a read are %llu commands", (unsigned long long)count);
    for (uint64_t i = 0; fine && i < count; i++)
        check_command(m, i, &before);
    if (fine && m->backend->command(m->queue, count, &none) != LINNET_END)
        linnet_check_fail(m->check, "there is a command behind the last");
    m->backend->forget_commands(m->queue);
    if (m->backend->command_count(m->queue) != 0)
        linnet_check_fail(m->check, "commands are there that were to be forgotten");
}

static void check_events(mirror *m)
{
    if (!m->backend->mark || !m->backend->event_wait || !m->backend->event_free)
        return;
    if (do_upload(m, 0, 0, m->bytes)) {
        check_transfers_with_events(m);
        check_times(m);
        check_commands(m);
    }
}

static uint32_t timestamps_of(const linnet_check *check)
{
    return check->device->info.capabilities & LINNET_CAPABILITY_TIMESTAMPS ? LINNET_QUEUE_TIMESTAMPS : 0;
}

/* timestamps: LINNET_QUEUE_TIMESTAMPS or 0. */
static bool make(mirror *m, uint32_t timestamps)
{
    bool room = (m->scratch = linnet_allocate(m->bytes + 1, 1)) != NULL;
    for (uint32_t i = 0; i < BUFFERS && room; i++)
        room = (m->wanted[i] = linnet_allocate(m->bytes, 1)) != NULL;
    if (!ok(m, room ? LINNET_OK : LINNET_OUT_OF_MEMORY, "host memory") ||
        !ok(m, m->backend->queue_new(m->handle, LINNET_QUEUE_APART | timestamps, &m->queue), "queue_new"))
        return false;
    for (uint32_t i = 0; i < BUFFERS; i++)
        if (!ok(m, m->backend->buffer_new(m->handle, m->bytes, &m->buffers[i]), "buffer_new"))
            return false;
    return true;
}

static void unmake(mirror *m)
{
    for (uint32_t i = 0; i < BUFFERS; i++) {
        m->backend->buffer_free(m->buffers[i]);
        linnet_release(m->wanted[i]);
    }
    if (m->queue)
        m->backend->queue_free(m->queue);
    linnet_release(m->scratch);
    if (m->backend->live_objects && m->backend->live_objects() != m->live)
        linnet_check_fail(m->check, "%llu driver objects before, %llu after everything was freed",
                          (unsigned long long)m->live, (unsigned long long)m->backend->live_objects());
}

/* Without timestamps, too: then transfers may go beside the work before them. nothing: has nothing yet. */
static void check_large_transfers(const mirror *nothing)
{
    const linnet_backend *backend = nothing->backend;
    if (!backend->pinned_new || !backend->pinned_free || !backend->event_wait || !backend->event_free)
        return;
    const uint32_t timestamps[] = {timestamps_of(nothing->check), 0};
    for (uint32_t i = 0; i < 2; i++) {
        mirror m = *nothing;
        m.bytes = LARGE_BYTES;
        if (make(&m, timestamps[i]))
            check_pinned(&m);
        unmake(&m);
    }
}

linnet_status linnet_check_queue(linnet_check *check, const char *text)
{
    const linnet_device *device = check->device;
    mirror nothing = {.check = check,
                      .backend = device->backend,
                      .handle = device->handle,
                      .bytes = BUFFER_BYTES,
                      .alignment = device->info.alignment_bytes,
                      .live = device->backend->live_objects ? device->backend->live_objects() : 0};
    mirror m = nothing;
    bool memory = strcmp(text, "memory") == 0, events = strcmp(text, "events") == 0;
    if (!memory && !events)
        return linnet_fail(check->context, LINNET_INVALID, "case '%s': wants queue:memory or queue:events",
                           check->text);
    if (m.alignment * 2 > BUFFER_BYTES) {
        linnet_check_note(check, "the alignment is too large for this check");
        return LINNET_UNSUPPORTED;
    }
    snprintf(check->where, sizeof check->where, "%s", text);
    if (make(&m, timestamps_of(check))) {
        if (memory) {
            check_memory(&m);
            check_host_pointer(&m);
            check_too_large(&m);
        } else {
            check_events(&m);
        }
    }
    unmake(&m);
    if (events)
        check_large_transfers(&nothing);
    return LINNET_OK;
}
