/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution in nchw16c as batch-reduce products (kernels.h, cpu_batch_reduce): a run of output pixels that lie one
 * after the other is a product of a's rows; the sum goes over the taps of the kernel and the blocks of 16 channels.
 * Forward, and backward with respect to the input phase by phase of the stride, are the same job with other taps.
 */
#ifndef LINNET_CPU_CONV2D_CHANNELS_H
#define LINNET_CPU_CONV2D_CHANNELS_H

#include "conv2d.h"
#include "kernels/kernels.h"

enum { CPU_CHANNELS_MOST_TAPS = 256, CPU_CHANNELS_MOST_COLUMNS = 64 };

/* One weight [u, v]: output (i, j) reads input (i * sh + y, j * sw + x). weight: floats into a packed block pair. */
typedef struct cpu_channels_tap {
    int64_t y, x, weight;
} cpu_channels_tap;

/*
 * Where the taps find their inputs. Where a tap at every output of a row is one run of pixels inside the input, the
 * input is read in place; else the rows that a task needs are spread into its scratch memory:
 *     [channel block][x of a tap][phase of the row stride][row][ow][16]
 * with zeros for the padding, so that every tap's inputs for all outputs of the task are one run.
 */
typedef struct cpu_channels_window {
    int64_t h, w, oh, ow, sh, sw;
    int64_t taps, low_y, span_y;
    int64_t xs, x[CPU_CHANNELS_MOST_COLUMNS]; /* the different x of the taps */
    bool in_place;
    cpu_channels_tap tap[CPU_CHANNELS_MOST_TAPS];
} cpu_channels_window;

/* Completes low_y, span_y, x and in_place from the rest. */
void cpu_channels_window_complete(cpu_channels_window *window);
/* Floats of scratch memory per channel block, for `rows` output rows. */
int64_t cpu_channels_spread_floats(const cpu_channels_window *window, int64_t rows);
/* Where a tap finds the input of the task's first output: floats from the block's scratch, or from the block's plane at
   the task's first output where the window is in place. */
int64_t cpu_channels_tap_offset(const cpu_channels_window *window, const cpu_channels_tap *tap, int64_t rows);
/* Fills the scratch of one channel block for output rows [row, row + rows). in: the block's plane. */
void cpu_channels_spread(const cpu_channels_window *window, const float *in, int64_t row, int64_t rows, float *out);

/* Tap (u, v) of the forward direction, number u * kw + v. */
void cpu_channels_forward_window(const cpu_conv2d_sizes *s, cpu_channels_window *out);
/* The taps of the input gradient's phase (i0, j0): pixels (i0 + sh i, j0 + sw j). */
void cpu_channels_backward_window(const cpu_conv2d_sizes *s, int64_t i0, int64_t j0, cpu_channels_window *out);

/* NULL, or why nchw16c does not fit these sizes. */
const char *cpu_channels_refusal(const cpu_conv2d_sizes *s);

/* ---- The gradient of the weight (conv2d_channels_weight.c) ---- */
uint64_t cpu_channels_weight_workspace(const cpu_conv2d_sizes *s);
void cpu_channels_weight_gradient(const cpu_conv2d_data *d);

#endif
