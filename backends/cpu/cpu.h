/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the cpu plugin share.
 *
 * Every layer is a list of algorithms (cpu_algorithm): describe says whether and how one runs a desc, run does it. The
 * work is synchronous: a queue is a formality, buffers are host memory. Inner loops are in kernels/, compiled once per
 * instruction set and reached through cpu_table (kernels/kernels.h).
 *
 * Storage formats of f32 tensors:
 *   NCHW      dense, or with an outer stride where an algorithm takes it
 *   nchw16n   [ceil(N/16)][rest...][16], the batch innermost: a vector holds one element of 16 items. It is the dense
 *             storage of a tensor [ceil(N/16), rest..., 16], so that most kernels need not know. The last block's
 *             spare lanes are computed like the others as if their items were zeros; in gradients they are zero, and
 *             nothing that sums over the batch looks at them.
 *   nchw16c   [N][ceil(C/16)][rest...][16], the channels innermost: a vector holds 16 channels of one element. The last
 *             block's spare lanes are zero, always, in activations and in gradients: whoever writes a tensor keeps it
 * so (an operator whose value at 0 is not 0 clears them), and whoever reads one need not care. Formats of parameters
 * belong to one algorithm each (cpu_packing).
 */
#ifndef LINNET_CPU_H
#define LINNET_CPU_H

#include "linnet/backend.h"

#include <stdbool.h>

enum {
    CPU_LANES = 16,
    CPU_FORMAT_NCHW16N = LINNET_FORMAT_PRIVATE,
    CPU_FORMAT_NCHW16C = LINNET_FORMAT_PRIVATE + 2,
    CPU_FORMAT_PACKED = LINNET_FORMAT_PRIVATE + 16, /* from here on: parameters only */
    CPU_ALIGNMENT = 64
};

extern const linnet_host *cpu_host;

/* Records the sentence and returns status. */
linnet_status cpu_fail(linnet_status status, const char *format, ...) LINNET_PRINTF(2, 3);
/* Counted in live_objects. Zeroed; NULL with the error recorded. */
void *cpu_object_new(size_t bytes);
void cpu_object_free(void *object);
uint64_t cpu_object_count(void);

/* ---- threads.c ---- */

/* Runs function for every task in [0, tasks), on up to cpu_worker_count() threads, and waits. Which thread runs a task
   is open; what a task does must depend on its number alone, worker only picks scratch memory. work: of all tasks, in
   elements moved or in 16 multiply-adds; little of it is not worth waking anybody. */
typedef void cpu_task(const void *context, int64_t task, uint32_t worker);
void cpu_parallel(int64_t tasks, int64_t work, cpu_task *function, const void *context);
uint32_t cpu_worker_count(void);
/* Jobs that are worth a wake, of tasks that look at the clock for so long. */
void cpu_idle_jobs(linnet_backend_device *device, uint32_t jobs, uint32_t tasks, uint32_t task_nanoseconds);
void cpu_threads_retain(void);  /* a device was opened */
void cpu_threads_release(void); /* the last one joins the threads */

/* ---- Buffers ---- */

struct linnet_backend_buffer {
    unsigned char *data;
    uint64_t bytes;
};

/* Where a view lies; NULL for an absent one. */
static inline void *cpu_view(linnet_view view)
{
    return view.buffer ? view.buffer->data + view.offset : NULL;
}

/* The same for one of an array that may be missing as a whole. */
static inline void *cpu_view_at(const linnet_view *views, uint32_t index)
{
    return views ? cpu_view(views[index]) : NULL;
}

/* ---- Layers ---- */

typedef struct cpu_algorithm {
    const char *name;
    uint32_t direction; /* linnet_direction */
    bool epilogue;      /* takes linnet_layer_desc.epilogue */
    /* Fills in out or its refusal; the candidate with the highest preference comes first, then the order of the list.
     */
    int (*describe)(const linnet_layer_desc *desc, linnet_candidate *out);
    void (*run)(const linnet_layer_desc *desc, const linnet_layer_args *args);
} cpu_algorithm;

/* Preferences. */
enum { CPU_AVOID = -1, CPU_NEUTRAL = 0, CPU_PREFER = 1 };

typedef struct cpu_layer {
    const cpu_algorithm *algorithms;
    uint32_t count;
} cpu_layer;

#define LINNET_LAYER(number, NAME, name, ...) extern const cpu_layer cpu_##name;
#include "linnet/layers.def"
#define CPU_LAYER(name, algorithm_list)                                                                                \
    const cpu_layer cpu_##name = {algorithm_list, sizeof(algorithm_list) / sizeof(algorithm_list[0])}

/* cost.c: what a candidate costs that does not set cost in describe, microseconds. */
float cpu_cost(const linnet_layer_desc *desc, int preference);

extern const linnet_layer_ops cpu_layer_ops;
/* NULL for a kind that is none. */
const cpu_layer *cpu_layer_find(uint32_t kind);

/* ---- Formats (format.c) ---- */

static inline bool cpu_is_nchw16n(const linnet_tensor_desc *desc)
{
    return desc->format == CPU_FORMAT_NCHW16N;
}

static inline bool cpu_is_nchw16c(const linnet_tensor_desc *desc)
{
    return desc->format == CPU_FORMAT_NCHW16C;
}

/* A format of parameters, as one algorithm wants to read them. bytes refuses descs that it cannot hold; convert packs
   from NCHW and, where nothing is lost, back. */
typedef struct cpu_packing {
    uint32_t format;
    const char *name;
    linnet_status (*bytes)(const linnet_tensor_desc *desc, uint64_t *out_bytes);
    linnet_status (*convert)(const linnet_tensor_desc *destination_desc, linnet_view destination,
                             const linnet_tensor_desc *source_desc, linnet_view source);
} cpu_packing;

extern const cpu_packing cpu_depthwise_packing; /* conv2d_depthwise.c */
extern const cpu_packing cpu_conv2d_forward_packing, cpu_conv2d_backward_packing,
    cpu_conv2d_planes_packing;                    /* conv2d_channels_packing.c */
extern const cpu_packing cpu_conv2d_rows_packing; /* conv2d_rows.c */
extern const cpu_packing cpu_winograd_f2_packing, cpu_winograd_f4_packing,
    cpu_winograd_f6_packing; /* conv2d_winograd_packing.c */

/* Product of dims [first, last). */
int64_t cpu_dims(const linnet_tensor_desc *desc, uint32_t first, uint32_t last);
/* Can the tensor be stored as nchw16n and nchw16c? */
bool cpu_can_block(const linnet_tensor_desc *desc);
/* The tensor as stored: items of item elements, stride apart. In nchw16n items are blocks of 16 and lanes is 16; in
   nchw16c an item has the spare lanes too. */
typedef struct cpu_extent {
    int64_t items, item, stride;
    int64_t lanes; /* innermost batch lanes: 1 or 16 */
    int64_t tail;  /* lanes of the last item that hold data: 1..lanes */
} cpu_extent;
cpu_extent cpu_extent_of(const linnet_tensor_desc *desc);
/* A tensor in nchw16c: blocks of 16 channels in an item, elements (of 16 lanes) of a plane, floats of an item and from
   one to the next. */
typedef struct cpu_channel_extent {
    int64_t blocks, plane, item, stride;
    int64_t tail; /* lanes of the last block that hold data: 1..16 */
} cpu_channel_extent;
cpu_channel_extent cpu_channel_extent_of(const linnet_tensor_desc *desc);
/* Of an item, as stored: planes of the dims behind the channels, one after the other, lanes (1 or 16) per element. */
static inline int64_t cpu_planes_per_item(const linnet_tensor_desc *desc)
{
    return cpu_is_nchw16c(desc) ? (desc->dims[1] + CPU_LANES - 1) / CPU_LANES : desc->dims[1];
}

static inline int64_t cpu_plane_lanes(const linnet_tensor_desc *desc)
{
    return cpu_is_nchw16c(desc) || cpu_is_nchw16n(desc) ? CPU_LANES : 1;
}

linnet_status cpu_format_bytes(linnet_backend_device *device, const linnet_tensor_desc *desc, uint64_t *out_bytes);
linnet_status cpu_convert(linnet_backend_queue *queue, const linnet_tensor_desc *destination_desc,
                          linnet_view destination, const linnet_tensor_desc *source_desc, linnet_view source);
const char *cpu_format_name(uint32_t format);
/* Channels from a whole block on: in nchw16c of every item, in nchw16n of one block of items. */
linnet_status cpu_format_slice(linnet_backend_device *device, const linnet_tensor_desc *whole,
                               const linnet_tensor_desc *part, uint32_t axis, int64_t start, uint64_t *out_offset,
                               int64_t *out_stride);
uint32_t cpu_format_is_exact(uint32_t format);

/* Zeros the last block's spare lanes, where a kernel left something in them. Nothing to do for a dense tensor. */
void cpu_clear_spare_lanes(const linnet_tensor_desc *desc, float *data);

/* Do n items use at least this share of the lanes of their blocks? */
static inline bool cpu_fills_lanes(int64_t n, int64_t percent)
{
    return n * 100 >= percent * ((n + CPU_LANES - 1) / CPU_LANES * CPU_LANES);
}

/* For describe: asks for one format for every input and output of rank 2 and above (dense: every one). */
void cpu_want(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format);
/* Does any input or output have an outer stride? */
bool cpu_has_stride(const linnet_layer_desc *desc);
/* For describe, where the layer has one algorithm for several formats, NCHW among them: the format of the first tensor
   that is in one of those that it takes, else NCHW. Refuses outer strides of blocked tensors, and all of them without
   CPU_TAKES_STRIDES. */
enum { CPU_TAKES_STRIDES = 1, CPU_TAKES_NCHW16N = 2, CPU_TAKES_NCHW16C = 4 };
void cpu_want_same(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t takes);
/* As cpu_want_same for nchw16n without strides, for layers along an axis: NCHW when the axis is the batch. */
void cpu_want_axis(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t axis);

/* ---- Element-wise work over up to four tensors of equal dims and format (spans.c) ---- */

typedef struct cpu_spans {
    int64_t items, item; /* of the storage */
    uint32_t count;
    int64_t strides[4];
    float *data[4];
} cpu_spans;

/* Adds a tensor; data is only written through when the caller does so. */
void cpu_spans_add(cpu_spans *spans, const linnet_tensor_desc *desc, const void *data);
/* How many tasks to run. */
int64_t cpu_spans_tasks(const cpu_spans *spans);
/* Where a task's elements begin in each tensor; returns how many there are. */
int64_t cpu_spans_task(const cpu_spans *spans, int64_t task, float *out[4]);

/* destination (+)= scale * source. */
void cpu_copy_scaled(const linnet_tensor_desc *destination_desc, float *destination,
                     const linnet_tensor_desc *source_desc, const float *source, float scale, bool accumulate);

/*
 * ---- Epilogues (epilogue.c) ----
 *
 * Every kernel clamps what it writes to low..high. What the epilogue wants besides (count > 0) is a pass over parts of
 * the result as they are finished: cpu_epilogue_apply. A kernel that adds a residual by itself asks for
 * cpu_epilogue_with_residual and writes
 *
 *     y[i] = min(max(sum + residual[i], low), high)        residual NULL: there is none
 *
 * where i is the element of the storage: the residual lies exactly as the output does. It may set in_place bit 1 (input
 * 1 is the residual: then both are one place) if it reads every element before it writes it; a kernel that passes over
 * the output several times may start from it (accumulate) instead.
 */
typedef struct cpu_epilogue {
    const float *residual; /* of cpu_epilogue_with_residual; else NULL */
    float low, high;
    uint32_t count;
    const linnet_epilogue *ops; /* for cpu_epilogue_apply */
    const float *y, *added;     /* where the output begins, and what ops add to it */
} cpu_epilogue;

/* A first relu or clip is in low and high, everything else in ops. */
cpu_epilogue cpu_epilogue_of(const linnet_layer_desc *desc, const linnet_layer_args *args);
/* A first add is in residual, a relu or clip behind it in low and high, everything else in ops. */
cpu_epilogue cpu_epilogue_with_residual(const linnet_layer_desc *desc, const linnet_layer_args *args);
/* count elements of the output's storage from y on, which have their sums and clamps. */
void cpu_epilogue_apply(const cpu_epilogue *epilogue, float *y, int64_t count);
/* Does a linnet_unary_op leave 0 what it is? Where not, spare lanes have to be cleared. */
bool cpu_keeps_zero(uint32_t op, float alpha, float beta);
/* For describe: NULL, or what is wrong with it (more than one residual, or one that lies otherwise than the output). */
const char *cpu_epilogue_refusal(const linnet_layer_desc *desc);

/* ---- optimizer.c ---- */
linnet_status cpu_optimizer_step(linnet_backend_queue *queue, const linnet_optimizer_desc *desc, linnet_view parameters,
                                 linnet_view gradients, const linnet_view *slots);

static inline int64_t cpu_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t cpu_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* a / b rounded up, for a >= 0, b > 0. */
static inline int64_t cpu_ceil(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

#endif
