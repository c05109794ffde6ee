/* SPDX-License-Identifier: Apache-2.0 */
/* From a picture to a net's input, and gradients back. */
#include "linnet/zoo.h"

/* input[c] = picture[source] * factor + offset */
typedef struct channel_map {
    int64_t source;
    float factor, offset;
} channel_map;

static channel_map map_of(const linnet_preprocess *p, int64_t channels, int64_t c)
{
    if (!p)
        return (channel_map){c, 1, 0};
    float scale = p->scale != 0 ? p->scale : 1, deviation = p->deviation[c] != 0 ? p->deviation[c] : 1;
    return (channel_map){p->bgr && channels == 3 ? 2 - c : c, scale / deviation, -p->mean[c] / deviation};
}

void linnet_preprocess_apply(const linnet_preprocess *preprocess, const float *picture, int64_t channels,
                             int64_t pixels, float *out_input)
{
    for (int64_t c = 0; c < channels && c < 4; c++) {
        channel_map m = map_of(preprocess, channels, c);
        for (int64_t i = 0; i < pixels; i++)
            out_input[c * pixels + i] = picture[m.source * pixels + i] * m.factor + m.offset;
    }
}

void linnet_preprocess_invert(const linnet_preprocess *preprocess, const float *input, int64_t channels, int64_t pixels,
                              float *out_picture)
{
    for (int64_t c = 0; c < channels && c < 4; c++) {
        channel_map m = map_of(preprocess, channels, c);
        for (int64_t i = 0; i < pixels; i++)
            out_picture[m.source * pixels + i] = (input[c * pixels + i] - m.offset) / m.factor;
    }
}

void linnet_preprocess_gradient(const linnet_preprocess *preprocess, const float *input_gradient, int64_t channels,
                                int64_t pixels, float *out_gradient)
{
    for (int64_t c = 0; c < channels && c < 4; c++) {
        channel_map m = map_of(preprocess, channels, c);
        for (int64_t i = 0; i < pixels; i++)
            out_gradient[m.source * pixels + i] = input_gradient[c * pixels + i] * m.factor;
    }
}
