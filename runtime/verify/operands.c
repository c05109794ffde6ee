/* SPDX-License-Identifier: Apache-2.0 */
/* Host values of a case: allocation and deterministic fills (Philox on seed, stream, element). */
#include "harness.h"

#include <math.h>
#include <string.h>

float linnet_fill_uniform(uint64_t seed, uint32_t stream, uint64_t index)
{
    return linnet_philox_uniform(seed, stream, 0x66696c6c, index);
}

static bool allocate_all(float **arrays, const linnet_tensor_desc *descs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        arrays[i] = linnet_allocate((size_t)linnet_desc_count(&descs[i]), sizeof(float));
        if (!arrays[i])
            return false;
    }
    return true;
}

bool linnet_values_new(const linnet_case *c, linnet_values *out)
{
    *out = (linnet_values){0};
    bool done = allocate_all(out->inputs, c->inputs, c->input_count) &&
                allocate_all(out->outputs, c->outputs, c->output_count) &&
                allocate_all(out->parameters, c->parameters, c->parameter_count) &&
                allocate_all(out->states, c->states, c->state_count) &&
                allocate_all(out->output_gradients, c->outputs, c->output_count) &&
                allocate_all(out->input_gradients, c->inputs, c->input_count) &&
                allocate_all(out->parameter_gradients, c->parameters, c->parameter_count);
    if (!done)
        linnet_values_free(out);
    return done;
}

static void release_all(float **arrays, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        linnet_release(arrays[i]);
}

static void release_saved(linnet_values *values)
{
    for (uint32_t i = 0; i < LINNET_MAX_SAVED; i++) {
        linnet_release(values->saved[i]);
        values->saved[i] = NULL;
    }
    values->saved_count = 0;
}

void linnet_values_free(linnet_values *values)
{
    release_all(values->inputs, LINNET_MAX_INPUTS);
    release_all(values->outputs, LINNET_MAX_OUTPUTS);
    release_all(values->parameters, LINNET_MAX_PARAMETERS);
    release_all(values->states, LINNET_MAX_STATES);
    release_all(values->output_gradients, LINNET_MAX_OUTPUTS);
    release_all(values->input_gradients, LINNET_MAX_INPUTS);
    release_all(values->parameter_gradients, LINNET_MAX_PARAMETERS);
    release_saved(values);
    *values = (linnet_values){0};
}

bool linnet_values_saved(linnet_check *check, linnet_values *values, const linnet_candidate *forward)
{
    release_saved(values);
    for (uint32_t i = 0; i < forward->saved_count; i++) {
        values->saved_bytes[i] = forward->saved_bytes[i];
        values->saved[i] = linnet_allocate(forward->saved_bytes[i] ? (size_t)forward->saved_bytes[i] : 1, 1);
        if (!values->saved[i])
            return linnet_check_memory(check, check->device, LINNET_OUT_OF_MEMORY, "saved tensors");
        values->saved_count++;
    }
    return true;
}

/* Integers in -reach .. reach, or floats in -reach .. reach. */
static void fill_plain(float *out, int64_t count, linnet_fill fill, uint64_t seed, uint32_t stream, float reach)
{
    for (int64_t i = 0; i < count; i++) {
        float u = linnet_fill_uniform(seed, stream, (uint64_t)i);
        out[i] = fill == LINNET_FILL_INTEGER ? floorf(u * (2 * reach + 1)) - reach : (2 * u - 1) * reach;
    }
}

/* A shuffled ladder over -2 .. 2 whose rungs avoid 0. */
static void fill_spaced(float *out, int64_t count, uint64_t seed, uint32_t stream)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = ((float)i + 0.25f) * (4.0f / (float)count) - 2.0f;
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)(linnet_fill_uniform(seed, stream, (uint64_t)i) * (float)(i + 1));
        float other = out[j > i ? i : j];
        out[j > i ? i : j] = out[i];
        out[i] = other;
    }
}

/* Away from zero, so that a loss's only gradient is not lost in rounding. */
static void fill_away(float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] += values[i] < 0 ? -0.5f : 0.5f;
}

static void fill_labels(int32_t *out, const linnet_case *c, uint64_t seed)
{
    int64_t classes = c->inputs[0].dims[c->inputs[0].rank - 1];
    for (int64_t i = 0; i < c->inputs[1].dims[0]; i++) {
        int32_t label = (int32_t)(linnet_fill_uniform(seed, 99, (uint64_t)i) * (float)classes);
        out[i] = label >= classes ? (int32_t)classes - 1 : label;
        if (c->bad_labels && i % 3 == 1)
            out[i] = i % 2 ? -1 : (int32_t)classes;
    }
}

static void fill_input(float *out, uint32_t index, const linnet_case *c, linnet_fill fill, uint64_t seed)
{
    int64_t count = linnet_desc_count(&c->inputs[index]);
    if (fill == LINNET_FILL_SPACED)
        fill_spaced(out, count, seed, 100 + index);
    else
        fill_plain(out, count, fill, seed, 100 + index, fill == LINNET_FILL_INTEGER ? 4 : 2 * c->amplitude);
    for (int64_t i = 2; c->with_nan && i < count; i += 7)
        out[i] = NAN;
}

void linnet_values_fill(linnet_values *v, const linnet_case *c, linnet_fill fill, uint64_t seed)
{
    bool integer = fill == LINNET_FILL_INTEGER;
    for (uint32_t i = 0; i < c->input_count; i++)
        if (c->inputs[i].type == LINNET_I32)
            fill_labels((int32_t *)(void *)v->inputs[i], c, seed);
        else
            fill_input(v->inputs[i], i, c, fill, seed);
    for (uint32_t i = 0; i < c->parameter_count; i++)
        fill_plain(v->parameters[i], linnet_desc_count(&c->parameters[i]), fill, seed, 200 + i, integer ? 3 : 1);
    for (uint32_t i = 0; i < c->state_count; i++) {
        int64_t count = linnet_desc_count(&c->states[i]);
        fill_plain(v->states[i], count, fill, seed, 300 + i, 1);
        if (c->layer->kind == LINNET_LAYER_BATCH_NORM && i == LINNET_BATCH_NORM_VARIANCE)
            for (int64_t j = 0; j < count; j++)
                v->states[i][j] = fabsf(v->states[i][j]) + 0.5f;
    }
    for (uint32_t i = 0; i < c->output_count; i++)
        fill_plain(v->output_gradients[i], linnet_desc_count(&c->outputs[i]), fill, seed, 400 + i, integer ? 3 : 1);
    for (uint32_t i = 0; i < c->output_count; i++)
        if (fill == LINNET_FILL_SPACED || c->layer->is_loss)
            fill_away(v->output_gradients[i], linnet_desc_count(&c->outputs[i]));
    for (uint32_t i = 0; i < c->input_count; i++)
        fill_plain(v->input_gradients[i], linnet_desc_count(&c->inputs[i]), fill, seed, 500 + i, integer ? 9 : 1);
    for (uint32_t i = 0; i < c->parameter_count; i++)
        fill_plain(v->parameter_gradients[i], linnet_desc_count(&c->parameters[i]), fill, seed, 600 + i,
                   integer ? 9 : 1);
}
