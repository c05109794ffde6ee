/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution on any device: which shapes it is for, and the sizes of a direction. */
#include "conv2d_winograd.h"

enum {
    LEAST_CHANNELS = 16,
    MOST_PADDING = 2, /* with more there are outputs that see padding only: they are 0, exactly */
    /* Of a sum of the weight's gradient. The transforms mix what an element of it adds up with its neighbours: few
       terms drown in their roundings. */
    LEAST_TERMS = 32
};

const char *linnet_cl_winograd_refusal(const linnet_cl_conv2d *s)
{
    if (s->kernel_height != 3 || s->kernel_width != 3 || s->stride_y * s->stride_x != 1 ||
        s->dilation_y * s->dilation_x != 1 || s->groups != 1)
        return "needs a 3x3 kernel, stride, dilation and groups of 1";
    if (s->want_bias && !s->want_weight)
        return "computes no gradient of the bias alone";
    int64_t bottom = s->out_height + 2 - s->height - s->top, right = s->out_width + 2 - s->width - s->left;
    if (s->top > MOST_PADDING || s->left > MOST_PADDING || bottom > MOST_PADDING || right > MOST_PADDING)
        return "needs padding of at most 2";
    if (s->channels < LEAST_CHANNELS || s->outputs < LEAST_CHANNELS)
        return "needs 16 channels";
    if (s->want_weight && s->images * s->out_height * s->out_width < LEAST_TERMS)
        return "needs more outputs for the gradient of the weight";
    return NULL;
}

linnet_cl_winograd_sizes linnet_cl_winograd_sizes_of(const linnet_cl_conv2d *s)
{
    if (s->forward)
        return (linnet_cl_winograd_sizes){s->channels,   s->outputs,   s->height, s->width,
                                          s->out_height, s->out_width, s->top,    s->left};
    return (linnet_cl_winograd_sizes){s->outputs, s->channels, s->out_height, s->out_width,
                                      s->height,  s->width,    2 - s->top,    2 - s->left};
}
