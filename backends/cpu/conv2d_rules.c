/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a convolution prefers which algorithm in nchw16c, by shape: measured with tests/peers on two cores with AVX-512.
 * `linnet tune` measures on the machine at hand instead. Against them, nchw16n prefers itself by 1 where the batch
 * fills its lanes, and im2col by 0.
 */
#include "conv2d.h"

#include <string.h>

enum { ANY = 0, FORWARD = 1, INPUT = 2, WEIGHT = 4, ALL = FORWARD | INPUT | WEIGHT };

typedef struct rule {
    const char *algorithm;
    uint32_t directions;       /* every one that is asked for is among these */
    int64_t kernel;            /* square, with stride and dilation 1 */
    int64_t channels, outputs; /* of a group, at least */
    int64_t plane;             /* rows and columns of the output, at least */
    int preference;
} rule;

/* clang-format off */
static const rule rules[] = {
    /* algorithm  directions  kernel  channels  outputs  plane  preference */
    {"depthwise", ALL,        ANY,    1,        1,       ANY,   3},
    {"channels",  ALL,        ANY,    16,       16,      ANY,   3},
    {"planes",    ALL,        ANY,    ANY,      32,      ANY,   2},
};
/* clang-format on */

static uint32_t directions_of(const linnet_layer_desc *desc)
{
    if (desc->direction == LINNET_FORWARD)
        return FORWARD;
    return (desc->want_inputs ? INPUT : 0) | (desc->want_parameters ? WEIGHT : 0);
}

static bool has_kernel(const cpu_conv2d_sizes *s, int64_t size)
{
    return s->kh == size && s->kw == size && s->sh == 1 && s->sw == 1 && s->dh == 1 && s->dw == 1;
}

int cpu_conv2d_preference(const linnet_layer_desc *desc, const char *algorithm)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const rule *r = &rules[i];
        if (strcmp(r->algorithm, algorithm) == 0 && (directions_of(desc) & ~r->directions) == 0 &&
            (r->kernel == ANY || has_kernel(&s, r->kernel)) && s.group_c >= r->channels && s.group_o >= r->outputs &&
            s.oh >= r->plane && s.ow >= r->plane)
            return r->preference;
    }
    return CPU_AVOID;
}
