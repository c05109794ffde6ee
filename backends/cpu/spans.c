/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise work, split into chunks of equal length whatever the number of threads. */
#include "cpu.h"
#include "kernels/kernels.h"

#include <string.h>

enum { CHUNK = 1 << 15 };

void cpu_spans_add(cpu_spans *spans, const linnet_tensor_desc *desc, const void *data)
{
    cpu_extent extent = cpu_extent_of(desc);
    spans->items = extent.items;
    spans->item = extent.item;
    spans->strides[spans->count] = extent.stride;
    spans->data[spans->count++] = (float *)(uintptr_t)data;
}

/* Do the items of all tensors follow one another without gaps? */
static bool is_flat(const cpu_spans *spans)
{
    for (uint32_t i = 0; i < spans->count; i++)
        if (spans->strides[i] != spans->item)
            return false;
    return true;
}

int64_t cpu_spans_tasks(const cpu_spans *spans)
{
    return is_flat(spans) ? cpu_ceil(spans->items * spans->item, CHUNK) : spans->items * cpu_ceil(spans->item, CHUNK);
}

int64_t cpu_spans_task(const cpu_spans *spans, int64_t task, float *out[4])
{
    bool flat = is_flat(spans);
    int64_t length = flat ? spans->items * spans->item : spans->item, chunks = cpu_ceil(length, CHUNK);
    int64_t item = task / chunks, first = task % chunks * CHUNK;
    for (uint32_t i = 0; i < spans->count; i++)
        out[i] = spans->data[i] ? spans->data[i] + item * spans->strides[i] + first : NULL;
    return cpu_min(CHUNK, length - first);
}

typedef struct copying {
    cpu_spans spans;
    float scale;
    bool accumulate;
} copying;

static void copy_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const copying *c = context;
    float *at[4];
    int64_t count = cpu_spans_task(&c->spans, task, at);
    if (c->scale == 1.0f && !c->accumulate)
        memcpy(at[0], at[1], (size_t)count * sizeof(float));
    else
        cpu_table.scale(c->scale, at[1], at[0], count, c->accumulate);
}

void cpu_copy_scaled(const linnet_tensor_desc *destination_desc, float *destination,
                     const linnet_tensor_desc *source_desc, const float *source, float scale, bool accumulate)
{
    copying c = {.scale = scale, .accumulate = accumulate};
    if (source == destination && scale == 1.0f && !accumulate)
        return;
    cpu_spans_add(&c.spans, destination_desc, destination);
    cpu_spans_add(&c.spans, source_desc, source);
    cpu_parallel(cpu_spans_tasks(&c.spans), c.spans.items * c.spans.item, copy_task, &c);
}
