/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a variant of a case: strides, formats; and how reports call it. */
#include "layer_check.h"

#include <stdio.h>

enum { STRIDE_GAP = 7 };

static bool has_format(linnet_variant v)
{
    return v == LINNET_VARIANT_FORMAT || v == LINNET_VARIANT_FORMAT_EXACT_BUFFERS;
}

static const char *variant_text(const linnet_layer_check *l, linnet_variant v)
{
    static const char *const texts[] = {"",
                                        ", without gradients",
                                        ", a buffer per tensor",
                                        ", strided inputs",
                                        ", strided outputs",
                                        ", strided inputs and outputs"};
    return has_format(v) ? l->format_name : texts[v];
}

void linnet_variant_say(linnet_layer_check *l, const char *direction, const char *candidate, linnet_variant v,
                        const char *more)
{
    snprintf(l->check->where, sizeof l->check->where, "%s %s, %s fill%s%s%s%s", direction, candidate,
             l->fill == LINNET_FILL_INTEGER ? "integer" : "random", has_format(v) ? ", format " : "",
             variant_text(l, v), v == LINNET_VARIANT_FORMAT_EXACT_BUFFERS ? ", a buffer per tensor" : "", more);
}

static void stride_all(linnet_tensor_desc *descs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (descs[i].rank >= 2 && descs[i].format == LINNET_FORMAT_NCHW)
            descs[i].outer_stride = linnet_desc_count(&descs[i]) / descs[i].dims[0] + STRIDE_GAP;
}

bool linnet_variant_can_format(const linnet_layer_check *l, const linnet_tensor_desc *desc, uint32_t format)
{
    const linnet_backend *backend = l->arena.device->backend;
    linnet_tensor_desc other = *desc;
    uint64_t bytes;
    other.format = format;
    if (desc->type != LINNET_F32 || desc->outer_stride || format == LINNET_FORMAT_NHWC)
        return desc->type == LINNET_F32 && !desc->outer_stride && desc->rank == 4;
    return backend->format_bytes && backend->format_bytes(l->arena.device->handle, &other, &bytes) == LINNET_OK;
}

static void format_all(const linnet_layer_check *l, linnet_tensor_desc *descs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (linnet_variant_can_format(l, &descs[i], l->format))
            descs[i].format = l->format;
}

void linnet_variant_apply(const linnet_layer_check *l, linnet_trial *t, linnet_variant v)
{
    if (v == LINNET_VARIANT_STRIDED_INPUTS || v == LINNET_VARIANT_STRIDED)
        stride_all(t->inputs, t->desc.input_count);
    if (v == LINNET_VARIANT_STRIDED_OUTPUTS || v == LINNET_VARIANT_STRIDED)
        stride_all(t->outputs, t->desc.output_count);
    if (has_format(v)) {
        format_all(l, t->inputs, t->desc.input_count);
        format_all(l, t->outputs, t->desc.output_count);
    }
}

bool linnet_variant_is_kept(const linnet_layer_check *l, const linnet_trial *t, linnet_variant v)
{
    bool used = false, changed = false;
    for (uint32_t i = 0; i < t->desc.input_count; i++) {
        used |= t->candidate.input_formats[i] == l->format;
        changed |= t->inputs[i].outer_stride && t->candidate.input_formats[i] != LINNET_FORMAT_NCHW;
    }
    for (uint32_t i = 0; i < t->desc.output_count; i++) {
        used |= t->candidate.output_formats[i] == l->format;
        changed |= t->outputs[i].outer_stride && t->candidate.output_formats[i] != LINNET_FORMAT_NCHW;
    }
    return has_format(v) ? used : !changed;
}
