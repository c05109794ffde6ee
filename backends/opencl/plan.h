/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans and their kernels. A plan owns its cl_kernel objects, since setting arguments is not thread-safe per kernel.
 *
 * Every kernel of ours takes its arguments in this order: the views, each as (global pointer, ulong offset in
 * elements); the constants of the plan (shapes), set once; the scalars of a run. Building is sticky: the first failure
 * stays in plan->status, later calls do nothing, linnet_cl_plan_done reports it.
 */
#ifndef LINNET_OPENCL_PLAN_H
#define LINNET_OPENCL_PLAN_H

#include "opencl.h"

#define LINNET_CL_MAX_KERNELS  12
#define LINNET_CL_MOST_MEMBERS 32
/* Kernels index with int, also the work-items that a last group has too many. */
#define LINNET_CL_MOST_ELEMENTS (INT32_MAX - 65536)

typedef struct linnet_cl_kernel {
    const linnet_backend_device *device;
    cl_kernel kernel;
    const char *name;
    cl_uint view_count;
    cl_uint constant_count;
    bool is_struct; /* constants become members, so many by now */
    cl_uint member_count;
    cl_uint members[LINNET_CL_MOST_MEMBERS];
    cl_uint dimensions;
    size_t global[3], local[3];
    cl_int error; /* of a run's scalars, reported by the launch */
    linnet_status *status;
} linnet_cl_kernel;

struct linnet_backend_plan {
    linnet_backend_device *device;
    linnet_status (*run)(linnet_backend_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args);
    linnet_status status; /* of building */
    uint32_t kernel_count;
    linnet_cl_kernel kernels[LINNET_CL_MAX_KERNELS];
};

/* A zeroed plan of `bytes`, whose first member is a linnet_backend_plan. */
linnet_status linnet_cl_plan_new(linnet_backend_device *device, size_t bytes,
                                 linnet_status (*run)(linnet_backend_plan *, linnet_backend_queue *,
                                                      const linnet_layer_args *),
                                 linnet_backend_plan **out);
/* Hands the plan out, or frees it and returns what went wrong. */
linnet_status linnet_cl_plan_done(linnet_backend_plan *plan, linnet_backend_plan **out);
void linnet_cl_plan_free(linnet_backend_plan *plan);
linnet_status linnet_cl_plan_run(linnet_backend_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args);

/* Never NULL; owned by the plan. view_count: how many views lead its arguments. */
linnet_cl_kernel *linnet_cl_kernel_new(linnet_backend_plan *plan, linnet_cl_program_id program, const char *name,
                                       cl_uint view_count);
/* The same for a kernel outside of a plan (optimisers); release with linnet_cl_release_kernel. status is sticky. */
void linnet_cl_kernel_init(linnet_backend_device *device, linnet_cl_kernel *kernel, linnet_status *status,
                           linnet_cl_program_id program, const char *name, cl_uint view_count);
/* The next constants. linnet_cl_int refuses what does not fit in 32 bits. */
void linnet_cl_int(linnet_cl_kernel *kernel, int64_t value);
void linnet_cl_int_list(linnet_cl_kernel *kernel, const int64_t *values, size_t count);
/* linnet_cl_ints(kernel, array): all of an array of int64_t. */
#define linnet_cl_ints(kernel, array) linnet_cl_int_list(kernel, array, sizeof(array) / sizeof((array)[0]))
void linnet_cl_float(linnet_cl_kernel *kernel, float value);
/* The constants between these two are the members of one, a struct: a driver may take as long for an argument as for
   its part of a small launch. Once for a kernel. */
void linnet_cl_struct(linnet_cl_kernel *kernel);
void linnet_cl_struct_end(linnet_cl_kernel *kernel);
/* Local memory of a group, as a constant. */
void linnet_cl_local(linnet_cl_kernel *kernel, uint64_t bytes);
/* Work-items in x, y, z. x is rounded up to whole groups of about group_x (0: the device's usual) items, so the kernel
   checks x; y and z have groups of one. GPUs are given more than 65535 of these in pieces, with an offset: the kernel
   asks for global ids, not for the numbers of groups or global sizes. */
void linnet_cl_range(linnet_cl_kernel *kernel, int64_t x, int64_t y, int64_t z, size_t group_x);
/* The range of a kernel that visits count elements of each of y items (elements.clh): eight a work-item, or on
   processors one. */
void linnet_cl_elements(linnet_cl_kernel *kernel, int64_t count, int64_t y);
/* groups_x groups along x of exactly group_x items, group_x lowered to a power of two that the kernel and device allow.
 */
void linnet_cl_range_groups(linnet_cl_kernel *kernel, int64_t groups_x, int64_t y, int64_t z, size_t group_x);
/* The same for a kernel whose source requires that size of group; what a driver says of the kernel's own limit is then
   not asked for (rusticl: 32, whatever it runs). */
void linnet_cl_range_required(linnet_cl_kernel *kernel, int64_t groups_x, int64_t y, int64_t z, size_t group_x);

/* Scalar number index of a run (behind the constants). */
void linnet_cl_run_int(linnet_cl_kernel *kernel, cl_uint index, cl_int value);
void linnet_cl_run_uint(linnet_cl_kernel *kernel, cl_uint index, cl_uint value);
void linnet_cl_run_ulong(linnet_cl_kernel *kernel, cl_uint index, cl_ulong value);
void linnet_cl_run_float(linnet_cl_kernel *kernel, cl_uint index, cl_float value);
linnet_status linnet_cl_launch_views(linnet_cl_kernel *kernel, linnet_backend_queue *queue, const linnet_view *views,
                                     cl_uint count);
/* linnet_cl_launch(kernel, queue, view...): sets the views, of 4-byte elements, and enqueues. */
#define linnet_cl_launch(kernel, queue, ...)                                                                           \
    linnet_cl_launch_views(kernel, queue, (const linnet_view[]){__VA_ARGS__},                                          \
                           (cl_uint)(sizeof((const linnet_view[]){__VA_ARGS__}) / sizeof(linnet_view)))

static const linnet_view linnet_cl_no_view = {NULL, 0};

/* The view `bytes` further on. */
static inline linnet_view linnet_cl_view_at(linnet_view view, uint64_t bytes)
{
    return (linnet_view){view.buffer, view.offset + bytes};
}

/* ---- What the layers share (layer.c) ---- */

/* Why a desc is not for this backend, or NULL: types other than f32 (labels: i32), private formats, strides, over 2^31
 * elements. */
const char *linnet_cl_refusal(const linnet_layer_desc *desc);
/* The same for a layer that takes strides; they do not survive a conversion, which linnet_cl_stride_refusal refuses. */
const char *linnet_cl_refusal_but_strides(const linnet_layer_desc *desc);
const char *linnet_cl_stride_refusal(const linnet_layer_desc *desc, const linnet_candidate *candidate);
bool linnet_cl_has_strides(const linnet_layer_desc *desc);
/* Fills name, numerics and refusal of candidate 0 of 1; LINNET_END for any other index. */
linnet_status linnet_cl_only_candidate(const linnet_layer_desc *desc, uint32_t index, const char *name,
                                       linnet_candidate *out);
bool linnet_cl_wants_input(const linnet_layer_desc *desc, uint32_t index);
bool linnet_cl_wants_parameter(const linnet_layer_desc *desc, uint32_t index);
/* Elements of dims[first, last). */
int64_t linnet_cl_extent(const linnet_tensor_desc *desc, uint32_t first, uint32_t last);
/* Bit index of mask, as a kernel's int. */
static inline cl_int linnet_cl_bit(uint32_t mask, uint32_t index)
{
    return (cl_int)(mask >> index & 1u);
}

/* ---- Pieces that several layers use ---- */

/* Constants lanes and step and the range of a kernel that reduces lines (group.clh), each of `length` elements that are
   inner apart; inner > 1: lines number l and l + 1 lie next to each other. On processors a work-item has a line by
   itself, `alone` of them a group (lines.c). */
void linnet_cl_lines(linnet_cl_kernel *kernel, int64_t lines, int64_t length, int64_t inner, size_t alone);

/* y = x (reshape.c), as a plan's next kernel; run with the forward's or the backward's function. Same views: nothing to
 * do. */
void linnet_cl_copy_kernel(linnet_backend_plan *plan, const linnet_layer_desc *desc, int64_t count);
linnet_status linnet_cl_copy_words(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view from,
                                   linnet_view to);
linnet_status linnet_cl_add_words(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view from,
                                  linnet_view to, cl_int accumulate);

/* Runs of losses of one input alone (alpha_norm, total_variation). Forward: kernel 0 makes the parts in the workspace,
   kernel 1, a reduce_kernel, adds them up. Backward: kernel 0 takes x, the loss' gradient and x's. */
linnet_status linnet_cl_run_loss(linnet_backend_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args);
linnet_status linnet_cl_run_loss_gradient(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                          const linnet_layer_args *args);

/* Constants H, W, OH, OW, kernel, stride, top, left and the range of a pooling kernel (max_pool2d.c): on processors one
   of the _planes kernels. */
void linnet_cl_pool2d_constants(linnet_cl_kernel *kernel, const linnet_layer_desc *desc);
/* Rows of y of a work-item, and the range, of a forward kernel in nchw16c. */
int64_t linnet_cl_pool2d_rows(linnet_cl_kernel *kernel, const linnet_layer_desc *desc);

/* out[count] (+)= scale * sum over parts of partial[parts][count] (channel_sum.c) */
linnet_cl_kernel *linnet_cl_reduce_kernel(linnet_backend_plan *plan, int64_t count, int64_t parts, float scale);
linnet_status linnet_cl_reduce(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view partial,
                               linnet_view out, cl_int accumulate);

/* How the N S elements of each channel of [N,C,S] are split into parts: a function of shape and device type. */
typedef struct linnet_cl_channels {
    int64_t channels, size, elements, parts, run;
} linnet_cl_channels;

linnet_cl_channels linnet_cl_channels_of(const linnet_backend_device *device, int64_t images, int64_t channels,
                                         int64_t size);
/* Constants channels, size, elements, run and the range of a kernel that uses channel.clh. */
void linnet_cl_channels_walk(linnet_cl_kernel *kernel, linnet_cl_channels shape);

/* The same for x in nchw16c: parts are of blocks of 16 channels. */
linnet_cl_channels linnet_cl_blocks_of(const linnet_backend_device *device, int64_t images, int64_t channels,
                                       int64_t size);

/* partial[parts][C] = the sums of the parts of x, or of x in nchw16c; views: x, partial. */
linnet_cl_kernel *linnet_cl_channel_parts_kernel(linnet_backend_plan *plan, linnet_cl_channels shape);
linnet_cl_kernel *linnet_cl_block_parts_kernel(linnet_backend_plan *plan, linnet_cl_channels shape);

/* out[C] (+)= sum of x [N,C,S] over N and S; workspace: channels * parts floats. */
typedef struct linnet_cl_channel_sum {
    linnet_cl_kernel *parts, *reduce;
} linnet_cl_channel_sum;

void linnet_cl_channel_sum_kernels(linnet_backend_plan *plan, linnet_cl_channels shape, linnet_cl_channel_sum *out);
/* The same for x in nchw16c. */
void linnet_cl_block_sum_kernels(linnet_backend_plan *plan, linnet_cl_channels shape, linnet_cl_channel_sum *out);
linnet_status linnet_cl_channel_sum_run(linnet_cl_channel_sum *sum, linnet_backend_queue *queue, linnet_view x,
                                        linnet_view workspace, linnet_view out, cl_int accumulate);

#define LINNET_CL_LAYER(name) extern const linnet_layer_ops linnet_cl_##name##_ops;
LINNET_CL_LAYER(conv2d)
LINNET_CL_LAYER(linear)
LINNET_CL_LAYER(max_pool2d)
LINNET_CL_LAYER(avg_pool2d)
LINNET_CL_LAYER(global_avg_pool)
LINNET_CL_LAYER(unary)
LINNET_CL_LAYER(binary)
LINNET_CL_LAYER(softmax)
LINNET_CL_LAYER(log_softmax)
LINNET_CL_LAYER(batch_norm)
LINNET_CL_LAYER(reshape)
LINNET_CL_LAYER(concat)
LINNET_CL_LAYER(dropout)
LINNET_CL_LAYER(cross_entropy)
LINNET_CL_LAYER(mse)
LINNET_CL_LAYER(pad2d)
LINNET_CL_LAYER(gram)
LINNET_CL_LAYER(total_variation)
LINNET_CL_LAYER(alpha_norm)
LINNET_CL_LAYER(local_conv2d)
#undef LINNET_CL_LAYER

typedef linnet_status linnet_cl_candidate_function(linnet_backend_device *, const linnet_layer_desc *, uint32_t,
                                                   linnet_candidate *);
/* variants.c: refuses an accepting candidate where LINNET_OPENCL_VARIANT asks for another one that accepts, too. */
void linnet_cl_force_candidate(linnet_cl_candidate_function *function, linnet_backend_device *device,
                               const linnet_layer_desc *desc, linnet_candidate *candidate);
/* What every layer's candidate slot does: asks for NCHW throughout, calls the layer's own function, and on processors,
   whose formats the host chooses by cost, fills in a cost where that left none. */
linnet_status linnet_cl_candidate(linnet_cl_candidate_function *function, linnet_backend_device *device,
                                  const linnet_layer_desc *desc, uint32_t index, linnet_candidate *out);
/* About how long it takes to move the desc's tensors once, microseconds. */
float linnet_cl_memory_cost(const linnet_backend_device *device, const linnet_layer_desc *desc);

/* The ops of one layer file: its candidates and plans, and the run and free that (nearly) all share. */
#define LINNET_CL_OPS_FREED(name, candidate_function, plan_function, free_function)                                    \
    static linnet_status name##_ops_candidate(linnet_backend_device *device, const linnet_layer_desc *desc,            \
                                              uint32_t index, linnet_candidate *out)                                   \
    {                                                                                                                  \
        return linnet_cl_candidate(candidate_function, device, desc, index, out);                                      \
    }                                                                                                                  \
    const linnet_layer_ops linnet_cl_##name##_ops = {.struct_size = sizeof(linnet_layer_ops),                          \
                                                     .candidate = name##_ops_candidate,                                \
                                                     .plan = plan_function,                                            \
                                                     .plan_free = free_function,                                       \
                                                     .run = linnet_cl_plan_run}
#define LINNET_CL_OPS(name, candidate_function, plan_function)                                                         \
    LINNET_CL_OPS_FREED(name, candidate_function, plan_function, linnet_cl_plan_free)

linnet_status linnet_cl_optimizer_step(linnet_backend_queue *queue, const linnet_optimizer_desc *desc,
                                       linnet_view parameters, linnet_view gradients, const linnet_view *slots);

#endif
