/* SPDX-License-Identifier: Apache-2.0 */
/* Variants in a format, and conversions: there and back, also by way of another format. */
#include "layer_check.h"

#include <stdio.h>

enum { FORMATS_AT_MOST = 16 };

/* There and back, from a place full of poison: the same bits. */
static void check_convert(linnet_layer_check *l, const linnet_tensor_desc *dense)
{
    const linnet_backend *backend = l->arena.device->backend;
    linnet_tensor_desc other = *dense;
    uint64_t bytes = 0;
    other.format = l->format;
    linnet_arena_reset(&l->arena);
    snprintf(l->check->where, sizeof l->check->where, "convert to %s and back", l->format_name);
    if (!linnet_check_status(l->check, l->arena.device, backend->format_bytes(l->arena.device->handle, &other, &bytes),
                             "format_bytes"))
        return;
    int32_t from = linnet_arena_tensor(&l->arena, dense, l->operands.inputs[0]);
    int32_t there = linnet_arena_bytes(&l->arena, bytes, NULL), back = linnet_arena_tensor(&l->arena, dense, NULL);
    if (!linnet_arena_upload(&l->arena))
        return;
    l->check->result->runs++;
    linnet_status status = backend->convert(l->arena.queue, &other, linnet_arena_view(&l->arena, there), dense,
                                            linnet_arena_view(&l->arena, from));
    if (!status)
        status = backend->convert(l->arena.queue, dense, linnet_arena_view(&l->arena, back), &other,
                                  linnet_arena_view(&l->arena, there));
    if (!linnet_check_status(l->check, l->arena.device, status, "convert") || !linnet_arena_download(&l->arena))
        return;
    linnet_arena_values(&l->arena, back, l->again.inputs[0]);
    linnet_compare_bits(l->check, "input", 0, dense, l->again.inputs[0], l->operands.inputs[0]);
}

/* The same by way of another format of the plugin's own, where it converts between the two. */
static void check_convert_between(linnet_layer_check *l, const linnet_tensor_desc *dense, uint32_t second)
{
    const linnet_backend *backend = l->arena.device->backend;
    linnet_tensor_desc descs[] = {*dense, *dense, *dense, *dense};
    uint64_t bytes[2] = {0, 0};
    int32_t at[4];
    descs[1].format = l->format;
    descs[2].format = second;
    linnet_arena_reset(&l->arena);
    snprintf(l->check->where, sizeof l->check->where, "convert to %s, to %s and back", l->format_name,
             backend->format_name(second));
    for (int i = 0; i < 2; i++)
        if (backend->format_bytes(l->arena.device->handle, &descs[1 + i], &bytes[i]))
            return;
    at[0] = linnet_arena_tensor(&l->arena, dense, l->operands.inputs[0]);
    at[1] = linnet_arena_bytes(&l->arena, bytes[0], NULL);
    at[2] = linnet_arena_bytes(&l->arena, bytes[1], NULL);
    at[3] = linnet_arena_tensor(&l->arena, dense, NULL);
    if (!linnet_arena_upload(&l->arena))
        return;
    linnet_status status = LINNET_OK;
    for (int i = 0; i < 3 && !status; i++) {
        status = backend->convert(l->arena.queue, &descs[i + 1], linnet_arena_view(&l->arena, at[i + 1]), &descs[i],
                                  linnet_arena_view(&l->arena, at[i]));
        if (i == 1 && status == LINNET_UNSUPPORTED)
            return;
    }
    l->check->result->runs++;
    if (!linnet_check_status(l->check, l->arena.device, status, "convert") || !linnet_arena_download(&l->arena))
        return;
    linnet_arena_values(&l->arena, at[3], l->again.inputs[0]);
    linnet_compare_bits(l->check, "input", 0, dense, l->again.inputs[0], l->operands.inputs[0]);
}

void linnet_layer_visit_formats(linnet_layer_check *l)
{
    const linnet_backend *backend = l->arena.device->backend;
    for (uint32_t i = 0; i < FORMATS_AT_MOST && backend->convert; i++) {
        l->format = i == 0 ? LINNET_FORMAT_NHWC : LINNET_FORMAT_PRIVATE + i - 1;
        l->format_name = i == 0 ? "nhwc" : backend->format_name ? backend->format_name(l->format) : NULL;
        if (!l->format_name || !linnet_variant_can_format(l, &l->problem->inputs[0], l->format))
            continue;
        if (l->check->focus) {
            linnet_layer_visit_all(l, LINNET_VARIANT_FORMAT);
            continue;
        }
        if (i > 0)
            check_convert(l, &l->problem->inputs[0]);
        for (uint32_t j = 1; j < FORMATS_AT_MOST && i > 0; j++) {
            uint32_t second = LINNET_FORMAT_PRIVATE + j - 1;
            if (j != i && backend->format_name && backend->format_name(second) &&
                linnet_variant_can_format(l, &l->problem->inputs[0], second))
                check_convert_between(l, &l->problem->inputs[0], second);
        }
        linnet_layer_visit_all(l, LINNET_VARIANT_FORMAT);
        linnet_layer_visit_all(l, LINNET_VARIANT_FORMAT_EXACT_BUFFERS);
    }
}
