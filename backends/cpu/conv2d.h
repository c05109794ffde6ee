/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of conv2d share. */
#ifndef LINNET_CPU_CONV2D_H
#define LINNET_CPU_CONV2D_H

#include "cpu.h"

/* Packed weights (conv2d_channels_packing.c). */
enum {
    CPU_FORMAT_CONV2D_FORWARD = CPU_FORMAT_PACKED,
    CPU_FORMAT_CONV2D_BACKWARD,
    CPU_FORMAT_CONV2D_PLANES,
    /* conv2d_winograd_packing.c: and the two formats after it, by the size of the tiles */
    CPU_FORMAT_WINOGRAD = LINNET_FORMAT_PRIVATE + 32,
    CPU_FORMAT_DEPTHWISE = LINNET_FORMAT_PRIVATE + 48, /* conv2d_depthwise.c */
};

typedef struct cpu_conv2d_sizes {
    int64_t n, c, h, w, o, oh, ow;
    int64_t groups, group_c, group_o; /* channels of one group */
    int64_t kh, kw, sh, sw, dh, dw, top, left;
    int64_t x_stride, y_stride; /* between items (or blocks) of the storage, elements */
} cpu_conv2d_sizes;

cpu_conv2d_sizes cpu_conv2d_sizes_of(const linnet_layer_desc *desc);

/* Outputs [*first, *last) whose input, at * stride - before + offset, lies in [0, size); at most count outputs. */
static inline void cpu_conv2d_range(int64_t stride, int64_t before, int64_t offset, int64_t size, int64_t count,
                                    int64_t *first, int64_t *last)
{
    int64_t shift = before - offset; /* input = at * stride - shift */
    *first = shift > 0 ? cpu_ceil(shift, stride) : 0;
    *last = size + shift > 0 ? cpu_min(count, cpu_ceil(size + shift, stride)) : 0;
    if (*first > *last)
        *first = *last;
}

/* For cpu_parallel: one product per output and weight, 16 of them at once. */
static inline int64_t cpu_conv2d_work(const cpu_conv2d_sizes *s)
{
    return s->n * s->o * s->oh * s->ow * s->group_c * s->kh * s->kw / CPU_LANES;
}

/* Where the direction's tensors are. */
typedef struct cpu_conv2d_data {
    cpu_conv2d_sizes s;
    const float *x, *weight, *bias, *dy;
    float *y, *dx, *dweight, *dbias;
    bool accumulate_x, accumulate_weight, accumulate_bias;
    cpu_epilogue epilogue;
    unsigned char *workspace;
} cpu_conv2d_data;

cpu_conv2d_data cpu_conv2d_data_of(const linnet_layer_desc *desc, const linnet_layer_args *args);

/* Formats, what backward reads, and the refusal of outer strides in backward. */
void cpu_conv2d_describe(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format);

/* The size of Winograd's tiles (2, 4, 6) for a 3x3 convolution, 0 where another algorithm is faster (conv2d_rules.c).
 */
enum { CPU_CONV2D_FORWARD, CPU_CONV2D_INFERENCE, CPU_CONV2D_INPUT, CPU_CONV2D_WEIGHT };
int64_t cpu_conv2d_winograd_choice(const cpu_conv2d_sizes *s, uint32_t direction);
/* How much an algorithm in nchw16c is preferred for the desc (conv2d_rules.c). */
int cpu_conv2d_preference(const linnet_layer_desc *desc, const char *algorithm);

/* dbias (+)= sum of dy over batch and plane; NCHW. */
void cpu_conv2d_bias_gradient(const cpu_conv2d_data *data);

/* ---- Algorithms, in files of their own ---- */
int cpu_conv2d_describe_direct(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_conv2d_forward_direct(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_conv2d_backward_direct(const linnet_layer_desc *desc, const linnet_layer_args *args);

int cpu_conv2d_describe_rows(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_conv2d_forward_rows(const linnet_layer_desc *desc, const linnet_layer_args *args);

int cpu_conv2d_describe_im2col(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_conv2d_forward_im2col(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_conv2d_backward_im2col(const linnet_layer_desc *desc, const linnet_layer_args *args);
int cpu_conv2d_describe_blocked(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_conv2d_forward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_conv2d_backward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args);
/* conv2d_depthwise.c */
int cpu_conv2d_describe_depthwise(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_conv2d_forward_depthwise(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_conv2d_backward_depthwise(const linnet_layer_desc *desc, const linnet_layer_args *args);
/* conv2d_channels.c */
int cpu_conv2d_describe_channels(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_conv2d_forward_channels(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_conv2d_backward_channels(const linnet_layer_desc *desc, const linnet_layer_args *args);
/* conv2d_planes.c */
int cpu_conv2d_describe_planes(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_conv2d_forward_planes(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_conv2d_backward_planes(const linnet_layer_desc *desc, const linnet_layer_args *args);

/* Winograd, by the size of its tiles. */
#define CPU_CONV2D_WINOGRAD(m)                                                                                         \
    int cpu_conv2d_describe_winograd_f##m(const linnet_layer_desc *desc, linnet_candidate *out);                       \
    void cpu_conv2d_forward_winograd_f##m(const linnet_layer_desc *desc, const linnet_layer_args *args);               \
    void cpu_conv2d_backward_winograd_f##m(const linnet_layer_desc *desc, const linnet_layer_args *args);
CPU_CONV2D_WINOGRAD(2)
CPU_CONV2D_WINOGRAD(4)
CPU_CONV2D_WINOGRAD(6)
#undef CPU_CONV2D_WINOGRAD

#endif
