/* SPDX-License-Identifier: Apache-2.0 */
/* What the networks of the zoo look like to zoo.c: one function each, from images to logits. Internal. */
#ifndef LINNET_ZOO_ZOO_H
#define LINNET_ZOO_ZOO_H

#include "linnet/zoo.h"

/* Adds the network behind image [N,C,H,W]; returns the logits [N,classes]. Errors stick to the net. options are
   complete: no member is zero. */
linnet_value linnet_zoo_lenet5(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_mlp(linnet_net *net, linnet_value image, const linnet_model_options *options);

#endif
