/* SPDX-License-Identifier: Apache-2.0 */
/* Forward keeps log softmax(logits), in the logits' format, for backward: one algorithm per format, with the same code.
 */
#include "cpu.h"
#include "kernels/kernels.h"

#include <string.h>

typedef struct job {
    int64_t images, classes;
    cpu_extent extent;
    const float *logits;
    const int32_t *labels;
    float *logs; /* log softmax */
    float *gradient;
    float scale; /* of the gradient: d loss / N */
    bool accumulate;
} job;

static job job_of(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    const linnet_tensor_desc *logits = &desc->inputs[LINNET_CROSS_ENTROPY_LOGITS];
    return (job){.images = logits->dims[0],
                 .classes = cpu_dims(logits, 1, logits->rank),
                 .extent = cpu_extent_of(logits),
                 .labels = cpu_view(args->inputs[LINNET_CROSS_ENTROPY_LABELS])};
}

static uint64_t storage_bytes(const linnet_layer_desc *desc, uint32_t format)
{
    linnet_tensor_desc logits = desc->inputs[LINNET_CROSS_ENTROPY_LOGITS];
    logits.format = format;
    cpu_extent extent = cpu_extent_of(&logits);
    return (uint64_t)(extent.items * extent.item) * sizeof(float);
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format)
{
    cpu_want(desc, out, format);
    if (cpu_has_stride(desc))
        out->refusal = "needs dense tensors";
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = 1u << LINNET_CROSS_ENTROPY_LABELS;
        out->reads_saved = 1;
        if (desc->forward && strcmp(desc->forward, out->name) != 0)
            out->refusal = "needs what its own forward saved";
    } else if (desc->differentiate) {
        out->saved_count = 1;
        out->saved_bytes[0] = storage_bytes(desc, format);
    } else {
        out->workspace_bytes = storage_bytes(desc, format);
    }
    return desc->inputs[LINNET_CROSS_ENTROPY_LOGITS].format == format;
}

static int describe_planar(const linnet_layer_desc *desc, linnet_candidate *out)
{
    return describe(desc, out, LINNET_FORMAT_NCHW);
}

static int describe_blocked(const linnet_layer_desc *desc, linnet_candidate *out)
{
    return describe(desc, out, CPU_FORMAT_NCHW16N);
}

static void log_softmax_item(const void *context, int64_t item, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t at = item * j->extent.item;
    cpu_table.softmax(j->logits + at, j->logs + at, j->classes, j->extent.lanes, true);
}

static bool has_label(const job *j, int64_t image)
{
    return j->labels[image] >= 0 && j->labels[image] < j->classes;
}

/* Where the image's element for its own label lies. */
static int64_t label_place(const job *j, int64_t image)
{
    int64_t lanes = j->extent.lanes;
    return image / lanes * j->extent.item + j->labels[image] * lanes + image % lanes;
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc, args);
    float *loss = cpu_view(args->outputs[0]);
    double sum = 0;
    j.logits = cpu_view(args->inputs[LINNET_CROSS_ENTROPY_LOGITS]);
    j.logs = desc->differentiate ? cpu_view_at(args->saved, 0) : cpu_view(args->workspace);
    cpu_parallel(j.extent.items, j.extent.items * j.extent.item, log_softmax_item, &j);
    for (int64_t image = 0; image < j.images; image++)
        if (has_label(&j, image))
            sum -= j.logs[label_place(&j, image)];
    *loss = (float)(sum / (double)j.images);
}

/* (softmax - one hot) d loss / N; nothing for images without a label and for spare lanes. */
static void gradient_item(const void *context, int64_t item, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float factors[CPU_LANES] = {0};
    int64_t lanes = j->extent.lanes, first = item * lanes, last = cpu_min(j->images, first + lanes);
    for (int64_t image = first; image < last; image++)
        factors[image - first] = has_label(j, image) ? j->scale : 0;
    for (int64_t i = lanes; i < CPU_LANES; i++)
        factors[i] = factors[0];
    cpu_table.exp_lanes(j->logs + item * j->extent.item, factors, j->gradient + item * j->extent.item, j->extent.item,
                        j->accumulate);
    for (int64_t image = first; image < last; image++)
        if (has_label(j, image))
            j->gradient[label_place(j, image)] -= j->scale;
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc, args);
    const float *dloss = cpu_view(args->output_gradients[0]);
    j.logs = cpu_view_at(args->saved, 0);
    j.gradient = cpu_view_at(args->input_gradients, LINNET_CROSS_ENTROPY_LOGITS);
    j.scale = *dloss / (float)j.images;
    j.accumulate = args->accumulate_inputs & 1;
    if (j.gradient)
        cpu_parallel(j.extent.items, j.extent.items * j.extent.item, gradient_item, &j);
}

static const cpu_algorithm algorithms[] = {
    {"nchw", LINNET_FORWARD, false, describe_planar, forward},
    {"nchw16n", LINNET_FORWARD, false, describe_blocked, forward},
    {"nchw", LINNET_BACKWARD, false, describe_planar, backward},
    {"nchw16n", LINNET_BACKWARD, false, describe_blocked, backward},
};
CPU_LAYER(cross_entropy, algorithms);
