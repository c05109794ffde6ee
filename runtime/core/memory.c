/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

static _Atomic int64_t allocations_left = -1;

void linnet_memory_fail_after(int64_t allocations)
{
    atomic_store(&allocations_left, allocations);
}

/* Counts down to the failure that a test asked for. */
static bool may_allocate(void)
{
    int64_t left = atomic_load_explicit(&allocations_left, memory_order_relaxed);
    while (left > 0 && !atomic_compare_exchange_weak(&allocations_left, &left, left - 1))
        ;
    return left != 0;
}

void *linnet_allocate(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - ALIGNMENT || !may_allocate())
        return NULL;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory = aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

bool linnet_grow(void *array, size_t *capacity, size_t needed, size_t size)
{
    void **slot = array;
    if (needed <= *capacity)
        return true;
    size_t wanted = *capacity < 8 ? 8 : *capacity * 2;
    if (wanted < needed)
        wanted = needed;
    void *grown = linnet_allocate(wanted, size);
    if (!grown)
        return false;
    if (*slot)
        memcpy(grown, *slot, *capacity * size);
    linnet_release(*slot);
    *slot = grown;
    *capacity = wanted;
    return true;
}

void linnet_release(void *memory)
{
    free(memory);
}

char *linnet_duplicate(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = linnet_allocate(size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

char *linnet_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : linnet_allocate((size_t)length + 1, 1);
    if (text) {
        va_start(arguments, format);
        vsnprintf(text, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}
