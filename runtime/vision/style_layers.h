/* SPDX-License-Identifier: Apache-2.0 */
/* Which layers style and content are read from unless somebody says. Internal. */
#ifndef LINNET_VISION_STYLE_LAYERS_H
#define LINNET_VISION_STYLE_LAYERS_H

#include "linnet/style.h"

/* Writes those that net has, without weights, and returns how many; 0 for a network that is not known. */
size_t linnet_style_default_layers(const linnet_net *net, bool style, linnet_weighted_layer out[LINNET_MAX_FEEDS]);
/* Of the whole style, where losses are relative: what made pictures that had both. */
double linnet_style_default_weight(const linnet_net *net);

#endif
