/* SPDX-License-Identifier: Apache-2.0 */
/* The table of layer kinds, made of the rows of layers.def. */
#include "layer.h"

static const linnet_layer *const layers[] = {
#define LINNET_LAYER(number, NAME, kind_name, ...) [number] = &linnet_##kind_name##_layer,
#include "linnet/layers.def"
};

const linnet_layer *linnet_layer_find(uint32_t kind)
{
    return kind < sizeof layers / sizeof layers[0] ? layers[kind] : NULL;
}
