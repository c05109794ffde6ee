/* SPDX-License-Identifier: Apache-2.0 */
/* Optimiser steps against the formulas of backend.h, also for the reference:
   "sgd_i1000_lr0.1_m0.9_wd0.01_nesterov_steps3", "adam_i1000_lr0.01". */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct descent {
    linnet_optimizer_desc desc;
    linnet_tensor_desc tensor;
    uint32_t steps, slots;
} descent;

static bool take_item(descent *d, const linnet_case_item *item)
{
    struct {
        const char *key;
        float *number;
    } numbers[] = {{"lr", &d->desc.learning_rate},
                   {"wd", &d->desc.weight_decay},
                   {"m", &d->desc.momentum},
                   {"eps", &d->desc.epsilon}};
    if (strcmp(item->key, "nesterov") == 0)
        return (d->desc.nesterov = 1);
    if (item->count != 1)
        return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(item->key, numbers[i].key) == 0) {
            *numbers[i].number = (float)item->values[0];
            return true;
        }
    if (strcmp(item->key, "steps") == 0)
        return (d->steps = (uint32_t)item->values[0]) > 0;
    if (strcmp(item->key, "i") == 0)
        return item->values[0] >= 1 && item->values[0] <= 1 << 26 && (d->desc.count = (uint64_t)item->values[0]);
    return false;
}

static bool parse(const char *text, descent *d)
{
    static const char *const names[] = {NULL, "sgd", "adam"};
    *d = (descent){.steps = 3,
                   .desc = {.struct_size = sizeof d->desc,
                            .learning_rate = 0.1f,
                            .beta1 = 0.9f,
                            .beta2 = 0.999f,
                            .epsilon = 1e-8f,
                            .count = 100}};
    d->desc.kind = linnet_case_operator_read(&text, names, 3);
    while (d->desc.kind && *text) {
        linnet_case_item item;
        if (*text == '_')
            text++;
        else if (!linnet_case_item_read(&text, &item) || !take_item(d, &item))
            return false;
    }
    d->slots = d->desc.kind == LINNET_OPTIMIZER_ADAM ? 2 : d->desc.momentum != 0;
    d->tensor =
        (linnet_tensor_desc){.type = LINNET_F32, .rank = 1, .dims = {(int64_t)d->desc.count, 1, 1, 1, 1, 1, 1, 1}};
    return d->desc.kind != 0;
}

/* values: parameters, slot 0, slot 1, gradients; three of them change. */
static bool one_step(linnet_arena *arena, const descent *d, uint64_t step, float *const values[4])
{
    linnet_optimizer_desc desc = d->desc;
    linnet_view slots[2] = {{0}, {0}};
    int32_t places[4] = {-1, -1, -1, -1};
    linnet_arena_reset(arena);
    for (uint32_t i = 0; i < 4; i++)
        if (i == 0 || i == 3 || i <= d->slots) {
            places[i] = linnet_arena_tensor(arena, &d->tensor, values[i]);
            if (i < 3)
                linnet_arena_writes(arena, places[i]);
        }
    if (!linnet_arena_upload(arena))
        return false;
    for (uint32_t i = 0; i < d->slots; i++)
        slots[i] = linnet_arena_view(arena, places[1 + i]);
    desc.step = step;
    arena->check->result->runs++;
    linnet_status status = arena->device->backend->optimizer_step(
        arena->queue, &desc, linnet_arena_view(arena, places[0]), linnet_arena_view(arena, places[3]), slots);
    if (!linnet_check_status(arena->check, arena->device, status, "optimizer_step") || !linnet_arena_download(arena))
        return false;
    for (uint32_t i = 0; i < 3; i++)
        linnet_arena_values(arena, places[i], values[i]);
    return true;
}

static void start(const descent *d, float *const values[4], uint64_t seed)
{
    for (uint64_t i = 0; i < d->desc.count; i++) {
        values[0][i] = 2 * linnet_fill_uniform(seed, 1, i) - 1;
        values[1][i] = values[2][i] = 0;
    }
}

static void draw_gradients(const descent *d, float *gradients, uint32_t step, uint64_t seed)
{
    for (uint64_t i = 0; i < d->desc.count; i++)
        gradients[i] = 2 * linnet_fill_uniform(seed, 1 + step, i) - 1;
}

static bool descend(linnet_arena *arena, const descent *d, float *const values[4])
{
    start(d, values, arena->check->seed);
    for (uint32_t step = 1; step <= d->steps; step++) {
        draw_gradients(d, values[3], step, arena->check->seed);
        if (!one_step(arena, d, step, values))
            return false;
    }
    return true;
}

/* One element's step by the formulas of backend.h. */
static void update(const linnet_optimizer_desc *o, double step, double g, float *p, float *slot0, float *slot1)
{
    g += (double)o->weight_decay * *p;
    if (o->kind == LINNET_OPTIMIZER_SGD) {
        double velocity = (double)o->momentum * *slot0 + g;
        *slot0 = o->momentum != 0 ? (float)velocity : 0;
        g = o->momentum == 0 ? g : o->nesterov ? g + (double)o->momentum * velocity : velocity;
        *p = (float)(*p - (double)o->learning_rate * g);
        return;
    }
    double mean = (double)o->beta1 * *slot0 + (1 - (double)o->beta1) * g;
    double square = (double)o->beta2 * *slot1 + (1 - (double)o->beta2) * g * g;
    double correction1 = 1 - pow((double)o->beta1, step), correction2 = 1 - pow((double)o->beta2, step);
    *slot0 = (float)mean;
    *slot1 = (float)square;
    *p = (float)(*p -
                 (double)o->learning_rate * (mean / correction1) / (sqrt(square / correction2) + (double)o->epsilon));
}

static void descend_by_formula(const descent *d, float *const values[4], uint64_t seed)
{
    start(d, values, seed);
    for (uint32_t step = 1; step <= d->steps; step++) {
        draw_gradients(d, values[3], step, seed);
        for (uint64_t i = 0; i < d->desc.count; i++)
            update(&d->desc, step, (double)values[3][i], &values[0][i], &values[1][i], &values[2][i]);
    }
}

/* A step rounds a dozen times relative to the parameter, the slots and the update (Adam's is up to ten learning rates).
 */
static void compare(linnet_check *check, const descent *d, float *const got[4], float *const wanted[4], float *scale)
{
    static const char *const names[] = {"parameter", "slot 0", "slot 1"};
    for (uint32_t k = 0; k <= d->slots; k++) {
        for (uint64_t i = 0; i < d->desc.count; i++)
            scale[i] = fabsf(wanted[k][i]) + (k == 0 ? 10 * d->desc.learning_rate : 1);
        linnet_compare(check, names[k], k, &d->tensor, got[k], wanted[k], scale, NULL, 12 * d->steps * 0x1p-24);
    }
}

linnet_status linnet_check_optimizer(linnet_check *check, const char *text)
{
    descent d;
    float *got[4] = {0}, *wanted[4] = {0}, *scale;
    linnet_arena arena = {0};
    bool room = true;
    if (!parse(text, &d))
        return linnet_fail(check->context, LINNET_INVALID,
                           "case '%s': it is not understood; written as in optimizer:adam_i1000_lr0.01", check->text);
    if (!check->device->backend->optimizer_step) {
        linnet_check_note(check, "the device has no optimisers");
        return LINNET_UNSUPPORTED;
    }
    snprintf(check->where, sizeof check->where, "%u steps", d.steps);
    for (uint32_t i = 0; i < 4; i++) {
        got[i] = linnet_allocate((size_t)d.desc.count, sizeof(float));
        wanted[i] = linnet_allocate((size_t)d.desc.count, sizeof(float));
        room = room && got[i] && wanted[i];
    }
    scale = linnet_allocate((size_t)d.desc.count, sizeof(float));
    if (!room || !scale)
        linnet_check_memory(check, check->device, LINNET_OUT_OF_MEMORY, "values");
    else if (linnet_arena_open(&arena, check, check->device) && descend(&arena, &d, got)) {
        descend_by_formula(&d, wanted, check->seed);
        compare(check, &d, got, wanted, scale);
    }
    for (uint32_t i = 0; i < 4; i++) {
        linnet_release(got[i]);
        linnet_release(wanted[i]);
    }
    linnet_release(scale);
    if (arena.device)
        linnet_arena_close(&arena);
    return LINNET_OK;
}
