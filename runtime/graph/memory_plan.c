/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where every tensor of the arena lies. First lifetimes, from the steps; then outputs are laid over inputs that nobody
 * reads any more, where the plugin allows it; then offsets: largest first, each at the lowest place that is free during
 * its life (greedy by size, Pisarchyk and Lee 2020). Blocks are no larger than the device's largest buffer.
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>

typedef void (*visit_function)(linnet_plan *plan, uint32_t tensor, uint32_t step);

/* Calls visit for every tensor that a step touches. */
static void visit_operands(linnet_plan *plan, uint32_t index, visit_function visit)
{
    const linnet_plan_step *step = &plan->steps[index];
    const uint32_t *all = (const uint32_t *)&step->operands;
    for (size_t i = 0; step->type == LINNET_STEP_LAYER && i < sizeof step->operands / sizeof *all; i++)
        visit(plan, all[i], index);
    visit(plan, step->source, index);
    visit(plan, step->destination, index);
}

uint32_t linnet_plan_storage_root(const linnet_plan *plan, uint32_t storage)
{
    while (plan->storages[storage].merged != storage)
        storage = plan->storages[storage].merged;
    return storage;
}

static linnet_plan_storage *storage_of(linnet_plan *plan, uint32_t tensor)
{
    if (tensor == LINNET_NONE || plan->tensors[tensor].home != LINNET_HOME_ARENA)
        return NULL;
    return &plan->storages[linnet_plan_storage_root(plan, plan->tensors[tensor].storage)];
}

static void extend_life(linnet_plan *plan, uint32_t tensor, uint32_t step)
{
    linnet_plan_storage *storage = storage_of(plan, tensor);
    if (!storage)
        return;
    if (storage->first == LINNET_NONE || step < storage->first)
        storage->first = step;
    if (step > storage->last)
        storage->last = step;
}

static void find_lifetimes(linnet_plan *plan)
{
    uint32_t end = (uint32_t)plan->step_count, backward = plan->loss_count ? plan->segment_starts[1] : end;
    for (uint32_t i = 0; i < end; i++)
        visit_operands(plan, i, extend_life);
    for (size_t s = 0; s < plan->storage_count; s++) {
        linnet_plan_storage *storage = &plan->storages[s];
        /* Several losses may be differentiated in any order: what forward made for one stays for all. */
        bool shared = plan->loss_count > 1 && storage->first < backward && storage->last >= backward;
        if (storage->first != LINNET_NONE && (storage->to_end || shared))
            storage->last = end;
        if (storage->whole_plan)
            storage->first = 0;
    }
}

/* Does the step touch this storage by any operand but the two given? */
static bool touches_otherwise(linnet_plan *plan, uint32_t index, const linnet_plan_storage *storage, uint32_t a,
                              uint32_t b)
{
    const uint32_t *all = (const uint32_t *)&plan->steps[index].operands;
    for (size_t i = 0; i < sizeof plan->steps[index].operands / sizeof *all; i++)
        if (all[i] != a && all[i] != b && storage_of(plan, all[i]) == storage)
            return true;
    return false;
}

/* Lays tensor `over` onto the storage of tensor `under`, when the step may do so. */
static bool lay_over(linnet_plan *plan, uint32_t index, uint32_t under, uint32_t over, bool last_reader)
{
    linnet_plan_storage *below = storage_of(plan, under), *above = storage_of(plan, over);
    if (!below || !above || plan->tensors[under].is_part || plan->tensors[over].is_part || below == above ||
        below->place != above->place || below->bytes != above->bytes)
        return false;
    if (above->first != index || (last_reader && (below->last != index || below->to_end)))
        return false;
    if (touches_otherwise(plan, index, below, under, over))
        return false;
    above->merged = (uint32_t)(below - plan->storages);
    below->last = above->last > below->last ? above->last : below->last;
    below->to_end = below->to_end || above->to_end;
    below->whole_plan = below->whole_plan || above->whole_plan;
    below->first = below->whole_plan ? 0 : below->first;
    return true;
}

/* Is this input added to the output as well? Laid over it, the layer would overwrite what is yet to be added. */
static bool is_residual(const linnet_plan_step *step, uint32_t input)
{
    uint32_t own = step->desc.input_count - linnet_epilogue_inputs(&step->desc);
    for (uint32_t i = own; i < step->desc.input_count; i++)
        if (i != input && step->operands.inputs[i] == step->operands.inputs[input])
            return true;
    return false;
}

static void merge_step(linnet_plan *plan, uint32_t index)
{
    linnet_plan_step *step = &plan->steps[index];
    const linnet_step_operands *o = &step->operands;
    linnet_step_bind_desc(step);
    for (uint32_t i = 0; step->type == LINNET_STEP_LAYER && i < step->desc.input_count; i++) {
        bool forward = step->desc.direction == LINNET_FORWARD, merged;
        if (!(step->candidate.in_place >> i & 1) || (forward && is_residual(step, i)))
            continue;
        if (forward) /* a forward alias is only ever read: it may share with later readers */
            merged = lay_over(plan, index, o->inputs[i], o->outputs[0], !step->candidate.alias);
        else
            merged = !(step->accumulate_inputs >> i & 1) &&
                     lay_over(plan, index, o->output_gradients[0], o->input_gradients[i], true);
        if (merged) {
            if (step->candidate.alias)
                step->type = LINNET_STEP_NOTHING;
            return;
        }
    }
}

/* ---- Offsets ---- */

static int larger_first(const void *a, const void *b, void *user)
{
    const linnet_plan *plan = user;
    const linnet_plan_storage *x = &plan->storages[*(const uint32_t *)a], *y = &plan->storages[*(const uint32_t *)b];
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static bool overlap(const linnet_plan_storage *a, const linnet_plan_storage *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset in a block that is free during the storage's life; placed: those with offsets already. */
static uint64_t lowest_free(const linnet_plan *plan, const uint32_t *placed, size_t count,
                            const linnet_plan_storage *storage, uint32_t block, const linnet_device *device)
{
    uint64_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < count; i++) {
            const linnet_plan_storage *other = &plan->storages[placed[i]];
            if (other->block == block && other->place == storage->place && overlap(other, storage) &&
                offset < other->offset + other->bytes && other->offset < offset + storage->bytes) {
                offset = linnet_device_align(device, other->offset + other->bytes);
                moved = true;
            }
        }
    }
    return offset;
}

static linnet_status place_storage(linnet_compiler *c, const uint32_t *placed, size_t count,
                                   linnet_plan_storage *storage)
{
    linnet_plan *plan = c->plan;
    const linnet_device *device = c->session->places[storage->place].device;
    uint64_t limit = linnet_device_largest_buffer(device);
    size_t *block_count = &plan->block_counts[storage->place];
    if (storage->bytes > limit)
        return linnet_memory_fail_buffer(c->session, plan, (uint32_t)(storage - plan->storages));
    for (uint32_t block = 0;; block++) {
        if (block == *block_count) {
            size_t capacity = *block_count;
            if (!linnet_grow(&plan->block_bytes[storage->place], &capacity, *block_count + 1, sizeof(uint64_t)))
                return linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for a plan");
            plan->block_bytes[storage->place][(*block_count)++] = 0;
        }
        uint64_t offset = lowest_free(plan, placed, count, storage, block, device);
        if (offset > limit || storage->bytes > limit - offset)
            continue;
        storage->block = block;
        storage->offset = offset;
        uint64_t *bytes = &plan->block_bytes[storage->place][block];
        *bytes = offset + storage->bytes > *bytes ? offset + storage->bytes : *bytes;
        return LINNET_OK;
    }
}

static linnet_status place_all(linnet_compiler *c)
{
    linnet_plan *plan = c->plan;
    size_t count = 0;
    uint32_t *order = linnet_allocate(plan->storage_count, sizeof *order);
    if (!order)
        return linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for a plan");
    for (uint32_t s = 0; s < plan->storage_count; s++)
        if (plan->storages[s].merged == s && plan->storages[s].first != LINNET_NONE)
            order[count++] = s;
    qsort_r(order, count, sizeof *order, larger_first, plan);
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < count && status == LINNET_OK; i++)
        status = place_storage(c, order, i, &plan->storages[order[i]]);
    linnet_release(order);
    return status;
}

static void find_largest_workspace(linnet_plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const linnet_plan_step *step = &plan->steps[i];
        if (step->type == LINNET_STEP_LAYER && step->candidate.workspace_bytes > plan->largest_workspace)
            plan->largest_workspace = step->candidate.workspace_bytes;
    }
}

linnet_status linnet_compile_memory(linnet_compiler *c)
{
    linnet_plan *plan = c->plan;
    plan->place_count = c->session->place_count;
    plan->block_bytes = linnet_allocate(plan->place_count, sizeof *plan->block_bytes);
    plan->block_counts = linnet_allocate(plan->place_count, sizeof *plan->block_counts);
    if (!plan->block_bytes || !plan->block_counts)
        return linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for a plan");
    find_lifetimes(plan);
    for (uint32_t i = 0; i < plan->step_count; i++)
        merge_step(plan, i);
    find_largest_workspace(plan);
    c->session->largest_workspace = plan->largest_workspace;
    linnet_status status = place_all(c);
    for (uint32_t p = 0; p < plan->place_count && status == LINNET_OK; p++)
        status = linnet_memory_check(c->session, plan, p, false);
    return status;
}
