/* SPDX-License-Identifier: Apache-2.0 */
/* The mask is drawn again in backward: nothing is saved. Element numbers are those of the dense tensor in every format.
 */
#include "cpu.h"

enum { CHUNK = 1 << 12 };

typedef struct job {
    const linnet_layer_args *args;
    const float *x;
    float *y;
    int64_t count; /* of the dense tensor */
    int64_t item;  /* elements per image */
    int64_t plane; /* elements per channel */
    int64_t stride;
    uint32_t format;
    bool accumulate;
    float probability, factor;
} job;

static bool is_identity(const linnet_layer_desc *desc)
{
    const linnet_dropout_attributes *attributes = desc->attributes;
    return desc->behaviour == LINNET_EVALUATE || attributes->probability == 0;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N | CPU_TAKES_NCHW16C);
    out->in_place = 1;
    out->alias = is_identity(desc);
    return 0;
}

/* Factors of the four elements of a block of random words: 1 / (1 - p) or 0. */
static void draw(const job *j, uint64_t block, float factors[4])
{
    const linnet_layer_args *args = j->args;
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32) ^ args->node, (uint32_t)args->step,
                           (uint32_t)(args->step >> 32)};
    uint32_t key[2] = {(uint32_t)args->seed, (uint32_t)(args->seed >> 32)}, words[4];
    linnet_philox(counter, key, words);
    for (int i = 0; i < 4; i++)
        factors[i] = (float)(words[i] >> 8) * (1.0f / 16777216.0f) >= j->probability ? j->factor : 0.0f;
}

/* Where dense element i lies. */
static int64_t place_of(const job *j, int64_t i)
{
    if (j->format == LINNET_FORMAT_NCHW)
        return i;
    int64_t image = i / j->item, rest = i % j->item, channel = rest / j->plane;
    if (j->format == CPU_FORMAT_NCHW16N)
        return (image / CPU_LANES * j->item + rest) * CPU_LANES + image % CPU_LANES;
    return image * j->stride + (channel / CPU_LANES * j->plane + rest % j->plane) * CPU_LANES + channel % CPU_LANES;
}

static void task(const void *context, int64_t number, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t last = cpu_min(j->count, (number + 1) * CHUNK);
    for (int64_t i = number * CHUNK; i < last; i += 4) {
        float factors[4];
        draw(j, (uint64_t)i / 4, factors);
        for (int64_t k = i; k < cpu_min(i + 4, last); k++) {
            int64_t at = place_of(j, k);
            /* A dropped element is 0 whatever it was. */
            float y = factors[k - i] != 0 ? j->x[at] * factors[k - i] : 0.0f;
            j->y[at] = j->accumulate ? j->y[at] + y : y;
        }
    }
}

static void drop(const linnet_layer_desc *desc, const linnet_layer_args *args, const float *x, float *y,
                 bool accumulate)
{
    const linnet_dropout_attributes *attributes = desc->attributes;
    const linnet_tensor_desc *shape = &desc->inputs[0];
    if (is_identity(desc)) {
        cpu_copy_scaled(shape, y, shape, x, 1, accumulate);
        return;
    }
    job j = {.args = args,
             .x = x,
             .y = y,
             .count = linnet_desc_count(shape),
             .item = cpu_dims(shape, 1, shape->rank),
             .plane = cpu_dims(shape, 2, shape->rank),
             .stride = cpu_extent_of(shape).stride,
             .format = shape->format,
             .accumulate = accumulate,
             .probability = attributes->probability,
             .factor = 1.0f / (1.0f - attributes->probability)};
    cpu_parallel(cpu_ceil(j.count, CHUNK), j.count * 8, task, &j);
    cpu_clear_spare_lanes(shape, y);
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    drop(desc, args, cpu_view(args->inputs[0]), cpu_view(args->outputs[0]), false);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    float *dx = cpu_view_at(args->input_gradients, 0);
    if (dx)
        drop(desc, args, cpu_view(args->output_gradients[0]), dx, args->accumulate_inputs & 1);
}

static const cpu_algorithm algorithms[] = {
    {"philox", LINNET_FORWARD, false, describe, forward},
    {"philox", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(dropout, algorithms);
