/* SPDX-License-Identifier: Apache-2.0 */
/* The arena of a trial: one buffer, guard bands round every tensor, a host image from before and one from after. */
#include "harness.h"

#include <string.h>

/* Quiet NaNs with payloads of their own: what leaks from a guard or an unwritten output into a result is seen. */
static const uint32_t guard_word = 0x7FC0DEADu, poison_word = 0xFFD0CDCDu;
enum { GUARD_BYTES = 128 };

static void fill_words(uint8_t *out, uint64_t bytes, uint32_t word)
{
    for (uint64_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(word >> (8 * (i & 3)));
}

static uint64_t alignment_of(const linnet_arena *arena)
{
    return arena->device->info.alignment_bytes < 4 ? 4 : arena->device->info.alignment_bytes;
}

static bool fail(linnet_arena *arena, linnet_status status, const char *what)
{
    arena->failed = arena->failed || !linnet_check_status(arena->check, arena->device, status, what);
    return !arena->failed;
}

/* The same of memory for tensors. */
static bool lacks(linnet_arena *arena, linnet_status status, const char *what)
{
    arena->failed = arena->failed || !linnet_check_memory(arena->check, arena->device, status, what);
    return arena->failed;
}

bool linnet_arena_open(linnet_arena *arena, linnet_check *check, linnet_device *device)
{
    *arena = (linnet_arena){.check = check, .device = device};
    return fail(arena, device->backend->queue_new(device->handle, LINNET_QUEUE_APART, &arena->queue), "queue_new");
}

static void free_buffers(linnet_arena *arena)
{
    for (size_t i = 0; i < arena->slot_count; i++)
        if (arena->separate)
            arena->device->backend->buffer_free(arena->slots[i].buffer);
}

/* An image from before, one from after, and the buffer, which may be the machine's memory as well. */
enum { COPIES = 3 };

/* Does the check's share of the machine's memory suffice for so many bytes used? Then they are taken from it. */
static bool take_memory(linnet_arena *arena, uint64_t used)
{
    uint64_t more = used > arena->most ? COPIES * (used - arena->most) : 0;
    if (more > arena->check->memory_left)
        return false;
    arena->check->memory_left -= more;
    arena->most = used > arena->most ? used : arena->most;
    return true;
}

void linnet_arena_close(linnet_arena *arena)
{
    arena->check->memory_left += COPIES * arena->most;
    free_buffers(arena);
    arena->device->backend->buffer_free(arena->buffer);
    arena->device->backend->queue_free(arena->queue);
    linnet_release(arena->before);
    linnet_release(arena->after);
    linnet_release(arena->slots);
    *arena = (linnet_arena){0};
}

void linnet_arena_reset(linnet_arena *arena)
{
    free_buffers(arena);
    arena->slot_count = 0;
    arena->used = 0;
    arena->converted = arena->failed = false;
}

/* Room for bytes behind a guard band, at an odd multiple of the alignment. */
static int32_t add_slot(linnet_arena *arena, uint64_t bytes, const linnet_tensor_desc *desc)
{
    uint64_t alignment = alignment_of(arena), unit = (arena->used + GUARD_BYTES + alignment - 1) / alignment;
    uint64_t offset = (unit | 1) * alignment;
    if (arena->failed || bytes > (uint64_t)1 << 33)
        return lacks(arena, LINNET_LIMIT, "tensor too large to verify") ? -1 : 0;
    size_t images[] = {arena->before_bytes, arena->after_bytes};
    uint64_t end = (offset + bytes + GUARD_BYTES + 3) & ~(uint64_t)3;
    bool room = take_memory(arena, end) &&
                linnet_grow(&arena->slots, &arena->slot_capacity, arena->slot_count + 1, sizeof *arena->slots) &&
                linnet_grow(&arena->before, &images[0], end, 1) && linnet_grow(&arena->after, &images[1], end, 1);
    arena->before_bytes = images[0];
    arena->after_bytes = images[1];
    if (lacks(arena, room ? LINNET_OK : LINNET_OUT_OF_MEMORY, "host memory"))
        return -1;
    fill_words(arena->before + arena->used, end - arena->used, guard_word);
    fill_words(arena->before + offset, bytes, poison_word);
    arena->slots[arena->slot_count] = (linnet_slot){
        .offset = offset, .bytes = bytes, .staging = -1, .exact = -1, .desc = desc ? *desc : (linnet_tensor_desc){0}};
    arena->used = end;
    return (int32_t)arena->slot_count++;
}

/* Rows of a (perhaps strided) NCHW tensor. */
static uint64_t row_bytes(const linnet_tensor_desc *desc)
{
    return desc->outer_stride ? (uint64_t)(linnet_desc_count(desc) / desc->dims[0]) * 4
                              : (uint64_t)linnet_desc_count(desc) * 4;
}

static uint64_t row_count(const linnet_tensor_desc *desc)
{
    return desc->outer_stride ? (uint64_t)desc->dims[0] : 1;
}

static void copy_rows(uint8_t *to, uint64_t to_stride, const uint8_t *from, uint64_t from_stride,
                      const linnet_tensor_desc *desc)
{
    uint64_t bytes = row_bytes(desc);
    for (uint64_t i = 0; i < row_count(desc); i++)
        memcpy(to + i * to_stride, from + i * from_stride, (size_t)bytes);
}

/* NCHW, dense or strided. */
static int32_t add_plain(linnet_arena *arena, const linnet_tensor_desc *desc, const void *values)
{
    uint64_t rows = row_count(desc), bytes = row_bytes(desc), stride = (uint64_t)desc->outer_stride * 4;
    int32_t slot = add_slot(arena, (rows - 1) * stride + bytes, desc);
    if (slot < 0)
        return -1;
    uint8_t *place = arena->before + arena->slots[slot].offset;
    if (desc->outer_stride)
        fill_words(place, arena->slots[slot].bytes, guard_word);
    if (values)
        copy_rows(place, stride, values, bytes, desc);
    for (uint64_t i = 0; !values && i < rows; i++)
        fill_words(place + i * stride, bytes, poison_word);
    arena->slots[slot].written = !values;
    arena->slots[slot].filled = values;
    return slot;
}

int32_t linnet_arena_tensor(linnet_arena *arena, const linnet_tensor_desc *desc, const void *values)
{
    const linnet_backend *backend = arena->device->backend;
    if (arena->failed)
        return -1;
    if (desc->format == LINNET_FORMAT_NCHW)
        return add_plain(arena, desc, values);
    uint64_t bytes = (uint64_t)linnet_desc_count(desc) * 4;
    if (desc->format >= LINNET_FORMAT_PRIVATE &&
        !fail(arena,
              backend->format_bytes ? backend->format_bytes(arena->device->handle, desc, &bytes) : LINNET_INTERNAL,
              "format_bytes of a format that a candidate wants"))
        return -1;
    linnet_tensor_desc dense = *desc;
    dense.format = LINNET_FORMAT_NCHW;
    int32_t staging = add_plain(arena, &dense, values), slot = add_slot(arena, bytes, desc);
    if (slot < 0)
        return -1;
    arena->slots[slot].staging = staging;
    arena->slots[slot].written = !values;
    arena->slots[slot].filled = values;
    arena->converted = arena->converted || values;
    if (desc->format >= LINNET_FORMAT_PRIVATE && LINNET_HAS(backend, linnet_backend, format_is_exact) &&
        backend->format_is_exact && backend->format_is_exact(desc->format)) {
        int32_t exact = add_slot(arena, bytes, desc);
        if (exact < 0)
            return -1;
        arena->slots[exact].written = true;
        arena->slots[slot].exact = exact;
    }
    return slot;
}

int32_t linnet_arena_bytes(linnet_arena *arena, uint64_t bytes, const void *contents)
{
    int32_t slot = arena->failed ? -1 : add_slot(arena, bytes, NULL);
    if (slot < 0)
        return -1;
    if (contents)
        memcpy(arena->before + arena->slots[slot].offset, contents, (size_t)bytes);
    arena->slots[slot].written = !contents;
    return slot;
}

linnet_view linnet_arena_view(const linnet_arena *arena, int32_t slot)
{
    if (slot < 0 || (size_t)slot >= arena->slot_count)
        return (linnet_view){0};
    return (linnet_view){arena->slots[slot].buffer, arena->separate ? 0 : arena->slots[slot].offset};
}

void linnet_arena_writes(linnet_arena *arena, int32_t slot)
{
    if (slot < 0)
        return;
    arena->slots[slot].written = true;
    if (arena->slots[slot].staging >= 0)
        arena->slots[arena->slots[slot].staging].written = true;
}

/* Where so little is asked for that there has to be room, what fails is the driver. */
static bool lacks_buffer(linnet_arena *arena, uint64_t bytes, linnet_backend_buffer **out)
{
    enum { SURELY_PART = 64 };
    const linnet_device *device = arena->device;
    linnet_status status = device->backend->buffer_new(device->handle, bytes, out);
    if (bytes < device->info.memory_bytes / SURELY_PART)
        return !fail(arena, status, "buffer_new");
    return lacks(arena, status, "buffer_new");
}

static bool make_buffers(linnet_arena *arena)
{
    const linnet_backend *backend = arena->device->backend;
    if (!arena->separate && arena->buffer_bytes < arena->used) {
        backend->buffer_free(arena->buffer);
        arena->buffer = NULL;
        arena->buffer_bytes = 0;
        if (lacks_buffer(arena, arena->used, &arena->buffer))
            return false;
        arena->buffer_bytes = arena->used;
    }
    for (size_t i = 0; i < arena->slot_count; i++) {
        linnet_slot *slot = &arena->slots[i];
        slot->buffer = arena->buffer;
        if (arena->separate) {
            slot->buffer = NULL;
            if (lacks_buffer(arena, slot->bytes, &slot->buffer))
                return false;
        }
    }
    return true;
}

/* Everything to or from an image. */
static bool transfer(linnet_arena *arena, uint8_t *image, bool up)
{
    const linnet_backend *backend = arena->device->backend;
    if (!arena->separate) {
        linnet_view all = {arena->buffer, 0};
        return fail(arena,
                    up ? backend->upload(arena->queue, all, image, arena->used, NULL)
                       : backend->read(arena->queue, all, image, arena->used, NULL),
                    up ? "upload" : "read");
    }
    if (!up && image != arena->before)
        memcpy(image, arena->before, (size_t)arena->used);
    for (size_t i = 0; i < arena->slot_count && !arena->failed; i++) {
        linnet_view view = {arena->slots[i].buffer, 0};
        uint8_t *place = image + arena->slots[i].offset;
        fail(arena,
             up ? backend->upload(arena->queue, view, place, arena->slots[i].bytes, NULL)
                : backend->read(arena->queue, view, place, arena->slots[i].bytes, NULL),
             up ? "upload" : "read");
    }
    return !arena->failed;
}

/* After the run: the values of exact formats once more into their format. */
static bool convert_again(linnet_arena *arena)
{
    const linnet_backend *backend = arena->device->backend;
    for (size_t i = 0; i < arena->slot_count && !arena->failed; i++) {
        const linnet_slot *slot = &arena->slots[i];
        if (slot->exact >= 0 && slot->written)
            fail(arena,
                 backend->convert(arena->queue, &slot->desc, linnet_arena_view(arena, slot->exact),
                                  &arena->slots[slot->staging].desc, linnet_arena_view(arena, slot->staging)),
                 "convert");
    }
    return !arena->failed;
}

/* Between staging and private slots. in: those with contents, before the run; else those written, after it. */
static bool convert_all(linnet_arena *arena, bool in)
{
    const linnet_backend *backend = arena->device->backend;
    for (size_t i = 0; i < arena->slot_count && !arena->failed; i++) {
        linnet_slot *slot = &arena->slots[i];
        if (slot->staging < 0 || !(in ? slot->filled : slot->written))
            continue;
        int32_t private_slot = (int32_t)i, to = in ? private_slot : slot->staging,
                from = in ? slot->staging : private_slot;
        if (!backend->convert)
            return fail(arena, LINNET_INTERNAL, "a candidate wants another format, but the backend has no convert");
        fail(arena,
             backend->convert(arena->queue, &arena->slots[to].desc, linnet_arena_view(arena, to),
                              &arena->slots[from].desc, linnet_arena_view(arena, from)),
             "convert");
    }
    return !arena->failed;
}

bool linnet_arena_upload(linnet_arena *arena)
{
    if (arena->failed || !make_buffers(arena) || !transfer(arena, arena->before, true))
        return false;
    if (!arena->converted)
        return true;
    return convert_all(arena, true) && transfer(arena, arena->before, false);
}

/* Which slot an offset of the images lies in or near. */
static int32_t slot_at(const linnet_arena *arena, uint64_t offset)
{
    int32_t found = -1;
    for (size_t i = 0; i < arena->slot_count; i++)
        if (arena->slots[i].offset <= offset)
            found = (int32_t)i;
    return found;
}

static void report_change(linnet_arena *arena, uint64_t offset)
{
    int32_t index = slot_at(arena, offset);
    const linnet_slot *slot = index < 0 ? NULL : &arena->slots[index];
    if (!slot)
        linnet_check_fail(arena->check, "the guard band in front of the first tensor was overwritten");
    else if (offset >= slot->offset + slot->bytes)
        linnet_check_fail(arena->check, "wrote %llu bytes behind the end of tensor %d (%llu bytes)",
                          (unsigned long long)(offset - slot->offset - slot->bytes), index,
                          (unsigned long long)slot->bytes);
    else
        linnet_check_fail(arena->check, "changed tensor %d at byte %llu of %llu, which is not its to write", index,
                          (unsigned long long)(offset - slot->offset), (unsigned long long)slot->bytes);
}

/* Lets the before image agree wherever writing was allowed; what still differs was not. */
static bool check_unchanged(linnet_arena *arena)
{
    for (size_t i = 0; i < arena->slot_count; i++) {
        const linnet_slot *slot = &arena->slots[i];
        uint8_t *before = arena->before + slot->offset;
        const uint8_t *after = arena->after + slot->offset;
        if (!slot->written)
            continue;
        if (slot->desc.type && slot->desc.outer_stride)
            copy_rows(before, (uint64_t)slot->desc.outer_stride * 4, after, (uint64_t)slot->desc.outer_stride * 4,
                      &slot->desc);
        else
            memcpy(before, after, (size_t)slot->bytes);
    }
    if (memcmp(arena->before, arena->after, (size_t)arena->used) == 0)
        return true;
    uint64_t offset = 0;
    while (arena->before[offset] == arena->after[offset])
        offset++;
    report_change(arena, offset);
    return false;
}

/* The first byte of the first word that differs, zeros of either sign apart; bytes where there is none. */
static uint64_t first_difference(const uint8_t *a, const uint8_t *b, uint64_t bytes)
{
    for (uint64_t at = 0; at + 4 <= bytes; at += 4) {
        uint32_t x, y;
        memcpy(&x, a + at, 4);
        memcpy(&y, b + at, 4);
        if (x != y && ((x | y) & 0x7FFFFFFFu) != 0)
            return at;
    }
    return bytes;
}

/* Do tensors of exact formats hold what convert makes of their values, and nothing else? */
static bool check_exact(const linnet_arena *arena)
{
    for (size_t i = 0; i < arena->slot_count; i++) {
        const linnet_slot *slot = &arena->slots[i];
        if (slot->exact < 0 || !slot->written)
            continue;
        uint64_t at =
            first_difference(arena->after + slot->offset, arena->after + arena->slots[slot->exact].offset, slot->bytes);
        if (at < slot->bytes) {
            linnet_check_fail(arena->check, "left something at byte %llu of tensor %d where its format has nothing",
                              (unsigned long long)at, (int)i);
            return false;
        }
    }
    return true;
}

bool linnet_arena_download(linnet_arena *arena)
{
    if (arena->failed || !convert_all(arena, false) || !convert_again(arena) ||
        !fail(arena, arena->device->backend->finish(arena->queue), "finish") || !transfer(arena, arena->after, false))
        return false;
    return check_unchanged(arena) && check_exact(arena);
}

void linnet_arena_values(const linnet_arena *arena, int32_t index, void *out)
{
    if (index < 0)
        return;
    const linnet_slot *slot = &arena->slots[index];
    if (slot->staging >= 0)
        slot = &arena->slots[slot->staging];
    const uint8_t *place = arena->after + slot->offset;
    if (slot->desc.type)
        copy_rows(out, row_bytes(&slot->desc), place, (uint64_t)slot->desc.outer_stride * 4, &slot->desc);
    else
        memcpy(out, place, (size_t)slot->bytes);
}
