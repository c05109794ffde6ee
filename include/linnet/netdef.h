/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A net in a line, for trying things out without compiling anything:
 *
 *     conv 32 k3 p1; relu; conv 32 k3 p1; relu; maxpool 2; linear 10
 *
 * or in a file, a layer a line. linnet_model_new takes such a text where it takes a network's name.
 *
 *   net       statement, statement, ...    separated by ';' or the end of a line; # starts a comment
 *   statement input CxHxW                  first, optional: the picture; ? for a free height or width
 *             [name:] layer number... option...
 *   option    a letter and a number, or two with an x between them: down and right (k3, k3x5)
 *
 *   conv CHANNELS k3 [s1] [p0] [d1] [g1] [nb]   convolution: kernel, stride, padding, dilation, groups, no bias
 *   local CHANNELS k3 [s1] [p0] [nb]            the same with a filter of its own at every place
 *   linear FEATURES [nb]                        fully connected; flattens what it reads
 *   maxpool KERNEL [s] [p0], avgpool the same   stride: the kernel unless given
 *   globalpool                                  the mean of each map
 *   relu, leaky [SLOPE 0.01], relu6, clip LOW HIGH, tanh, sigmoid, scale FACTOR [OFFSET]
 *   bn                                          batch norm
 *   pad AROUND, pad TOP LEFT BOTTOM RIGHT       [reflect] or [replicate]; else zeros
 *   dropout [PROBABILITY 0.5], flatten, softmax
 *   residual CHANNELS [s1]                      conv 3x3, bn, relu, conv 3x3, bn, added to what came in (through a
 *                                               1x1 convolution and bn where the shape changes), relu: He, Zhang, Ren
 *                                               and Sun (2015)
 *   fire SQUEEZE EXPAND                         SqueezeNet's module; makes 2 EXPAND maps
 *
 * Layers without a name are called as they are written, and counted: conv1, relu1, conv2. Parameters are called after
 * their layer ("conv1.weight", "residual1.conv2.weight").
 *
 * Errors say where, and show it:
 *
 *     1:9: 'k' wants a number
 *       conv 32 k p1
 *               ^
 */
#ifndef LINNET_NETDEF_H
#define LINNET_NETDEF_H

#include "net.h"

LINNET_BEGIN_DECLS

#define LINNET_NETDEF_MAX_LENGTH 16384 /* characters */
#define LINNET_NETDEF_MAX_LAYERS 500   /* statements */

/* Adds the layers of text behind x and returns what the last one makes. Errors stick to the net, as every layer's. A
   statement "input" is only looked at by linnet_model_new. */
LINNET_API linnet_value linnet_netdef(linnet_net *net, linnet_value x, const char *text);
/* Whether text is meant as a net rather than as a name: it has a blank, a ';' or the end of a line in it. */
LINNET_API int linnet_netdef_is_text(const char *text);
/* The same net in one line, without comments and defaults: what linnet_model_new keeps as the net's name. Release with
   linnet_text_free (session.h). */
LINNET_API linnet_status linnet_netdef_canonical(linnet_context *context, const char *text, char **out_text);

LINNET_END_DECLS
#endif
