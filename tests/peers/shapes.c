/* SPDX-License-Identifier: Apache-2.0 */
/* The table of shapes, and what is asked of each. */
#include "peers.h"

#include <string.h>

static const peer_shape shapes[] = {
#define PEER_SHAPE(network, layer, text) {network, layer, text},
#include "shapes.def"
};

size_t peer_shape_count(void)
{
    return sizeof shapes / sizeof *shapes;
}

const peer_shape *peer_shape_at(size_t index)
{
    return &shapes[index];
}

static bool is_unit_3x3(const linnet_conv2d_attributes *a)
{
    return a->kernel[0] == 3 && a->kernel[1] == 3 && a->stride[0] == 1 && a->stride[1] == 1 && a->groups == 1;
}

double peer_bar(const char *network, const linnet_case *layer, peer_direction direction, int threads)
{
    if (layer->layer->kind != LINNET_LAYER_CONV2D)
        return strcmp(network, "gemm") == 0 ? 1 : 0;
    const linnet_conv2d_attributes *a = &layer->attributes.conv2d;
    bool every = strcmp(network, "resnet50") == 0 || strcmp(network, "mobilenet_v2") == 0;
    if (direction == PEER_FORWARD && is_unit_3x3(a))
        return layer->outputs[0].dims[2] >= 14 ? 1.5 : 1.1;
    if (direction == PEER_DATA && layer->inputs[0].dims[1] == 1 && a->kernel[0] == 5)
        return 3;
    if (direction == PEER_DATA && a->kernel[0] == 7 && a->stride[0] == 2)
        return 1.6;
    if (a->groups > 1 && threads >= 2)
        return 1.5;
    return every ? 0.95 : 0;
}
