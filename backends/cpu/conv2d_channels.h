/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution in nchw16c as batch-reduce products (kernels.h, cpu_batch_reduce): a run of output pixels that lie one
 * after the other is a product of a's rows; the sum goes over the taps of the kernel and the blocks of 16 channels.
 * Forward, and backward with respect to the input, are the same job with other taps (conv2d_channels_job.c).
 */
#ifndef LINNET_CPU_CONV2D_CHANNELS_H
#define LINNET_CPU_CONV2D_CHANNELS_H

#include "conv2d.h"
#include "kernels/kernels.h"

enum { CPU_CHANNELS_MOST_KERNEL = 16, CPU_CHANNELS_MOST_TAPS = 256, CPU_CHANNELS_MOST_PHASES = 16 };

/* One weight [u, v]: output (i, j) reads input (i * sh + y, j * sw + x). weight: floats into a pair of packed blocks.
 */
typedef struct cpu_channels_tap {
    int64_t y, x, weight;
} cpu_channels_tap;

/*
 * Where the taps find their inputs. A plane is what one block of channels (16 lanes) or one channel (1 lane) has. Where
 * the only tap of a row lies inside the input at every output, planes are read in place; else the rows that a task
 * needs are copied into its scratch memory, with zeros for the padding: [plane][copy][phase of the row
 * stride][row][pitch][lanes] so that the inputs of a tap for an output row are one run. A copy is a phase of the column
 * stride, where taps of the same phase share it, shifted; or, where rows are too short to be runs of their own, one for
 * each x of a tap: then the output rows follow one another without a gap, and all of them are one run. A reader that
 * takes every second pixel of a run spares the phases of a column stride of 2.
 */
typedef struct cpu_channels_window {
    int64_t h, w, oh, ow, sh, sw, lanes;
    int64_t taps, low_y, span_y, low_x, span_x;
    int64_t copies, pitch; /* pixels from one output row to the next */
    int64_t step;          /* pixels from one output's inputs to the next one's */
    bool in_place, is_spread;
    cpu_channels_tap tap[CPU_CHANNELS_MOST_TAPS];
} cpu_channels_window;

/* How a window's reader goes through it: gains by output rows that follow one another; takes a step of 2; wants copies
   even where the planes could be read in place. */
enum { CPU_CHANNELS_JOINS = 1, CPU_CHANNELS_STEPS = 2, CPU_CHANNELS_COPIES = 4 };
/* Completes what follows taps. */
void cpu_channels_window_complete(cpu_channels_window *window, uint32_t reader);
/* Floats of scratch memory per plane, for `rows` output rows. */
int64_t cpu_channels_copy_floats(const cpu_channels_window *window, int64_t rows);
/* Where a tap finds the input of a task's first output: floats from the plane's scratch, or, in place, from the plane's
   pixel of the same place as that output. */
int64_t cpu_channels_tap_offset(const cpu_channels_window *window, const cpu_channels_tap *tap, int64_t rows);
/* Fills the scratch of one plane for output rows [row, row + rows), which may go beyond the last. */
void cpu_channels_copy(const cpu_channels_window *window, const float *plane, int64_t row, int64_t rows, float *out);

/* The forward direction; tap (u, v) is number u * kw + v, and its weights are weight_floats times that behind. */
void cpu_channels_forward_window(const cpu_conv2d_sizes *s, int64_t lanes, int64_t weight_floats, uint32_t reader,
                                 cpu_channels_window *out);

/* ---- conv2d_channels_job.c ---- */

/* Outputs (i, j) that see the same taps: all of them forward, one phase of the stride backward. */
typedef struct cpu_channels_phase {
    int64_t first_tap, taps;
    int64_t rows, columns;
    int64_t out; /* floats from the output to the phase's first element */
} cpu_channels_phase;

typedef struct cpu_channels_job {
    cpu_channels_window window; /* all phases' taps */
    int64_t phases;
    cpu_channels_phase phase[CPU_CHANNELS_MOST_PHASES];
    const float *in, *weight, *bias;
    float *out;
    int64_t items, groups, in_planes, out_blocks; /* of a group */
    int64_t last_lanes;                           /* channels of the last plane, 0 where it is full */
    int64_t in_item, out_item;                    /* floats between items */
    int64_t weight_in, weight_out, weight_group;  /* floats between planes, blocks and groups of packed weights */
    int64_t out_plane, out_row, out_column;       /* floats between blocks, rows and pixels of a phase */
    const float *add;                             /* lies as out does, may be out; or NULL */
    cpu_epilogue epilogue;
    /* How the sums are made: in blocks of 16 outputs, or (dot) one output at a time, 16 inputs in the lanes. */
    bool dot;
    /* The split. A row is one pixel where planes are read in place and the output has no gaps. */
    bool joined;    /* the output pixels of a row follow those of the row above, and so do their inputs */
    int64_t in_row; /* pixels of the input, or its copy, from one row to the next */
    int64_t row_pixels, rows, rows_per_task, row_chunks, blocks_per_task, block_chunks;
    /* Copies of the input: made by each task for itself, or, where several tasks would make the same, all before. */
    bool is_shared;
    int64_t copied_rows, copy; /* of a plane's copy, floats of it */
    float *copies;
    cpu_batch_term *terms; /* [phase][in_planes][taps] */
} cpu_channels_job;

void cpu_channels_forward_job(const cpu_conv2d_sizes *s, int64_t lanes, cpu_channels_job *out);
/* few: dx is NCHW, and weights are in conv2d_planes. */
void cpu_channels_backward_job(const cpu_conv2d_sizes *s, bool few, cpu_channels_job *out);
/* Bytes of workspace. */
uint64_t cpu_channels_job_workspace(cpu_channels_job *job);
void cpu_channels_job_run(cpu_channels_job *job, unsigned char *workspace, int64_t work);

/* Forward with its bias and epilogue; the bias is in the workspace before the job's, cpu_channels_bias_bytes. */
void cpu_channels_forward_run(const linnet_layer_desc *desc, const linnet_layer_args *args, const cpu_conv2d_data *d,
                              cpu_channels_job *job);
uint64_t cpu_channels_bias_bytes(const cpu_conv2d_sizes *s);
void cpu_channels_backward_run(const cpu_conv2d_data *d, bool few);

/* NULL, or why the sizes do not fit. */
const char *cpu_channels_refusal(const cpu_conv2d_sizes *s);

/* ---- The gradient of the weight ---- */
uint64_t cpu_channels_weight_workspace(const cpu_conv2d_sizes *s);
void cpu_channels_weight_gradient(const cpu_conv2d_data *d);
uint64_t cpu_planes_weight_workspace(const cpu_conv2d_sizes *s);
void cpu_planes_weight_gradient(const cpu_conv2d_data *d);

#endif
