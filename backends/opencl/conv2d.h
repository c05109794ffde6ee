/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d: what its candidates share. Each candidate has a file; conv2d.c lists them and picks by shape and device. */
#ifndef LINNET_OPENCL_CONV2D_H
#define LINNET_OPENCL_CONV2D_H

#include "gemm.h"

typedef struct linnet_cl_conv2d {
    int64_t images, channels, height, width, outputs, out_height, out_width;
    int64_t groups, group_inputs, group_outputs;
    int64_t kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, top, left;
    int64_t weights;                          /* elements of weight */
    int64_t x_stride, y_stride, added_stride; /* between items; 0: dense */
    bool has_bias;
    linnet_epilogue epilogue; /* the first operator, behind a residual that comes before it; op 0: none */
    /* The same, where it is a residual first (adds) and then at most a relu or clip: low..high. Else clamps is false.
     */
    bool clamps, adds;
    float low, high;
    bool forward, want_data, want_weight, want_bias;
    int64_t in_lanes; /* of the blocks that inputs are copied in: 16, or 1 (conv2d_planes.c) */
    int64_t winograd; /* outputs of a tile along an axis; 0: another algorithm */
} linnet_cl_conv2d;

linnet_cl_conv2d linnet_cl_conv2d_of(const linnet_layer_desc *desc);
/* The same convolution's forward direction. */
linnet_cl_conv2d linnet_cl_conv2d_forward(const linnet_cl_conv2d *shape);
/* Constants height, width, out_height, out_width; turned: the outputs' first, for who reads those. */
void linnet_cl_conv2d_sizes(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape, bool turned);
/* Constants kernel, stride, dilation (height first, then width), top, left. */
void linnet_cl_conv2d_window(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape);
/* Sizes, then group_inputs, group_outputs, groups, then the window. */
void linnet_cl_conv2d_constants(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape);
/* Constants low, high, adds of epilogues that clamp; of a gradient those that do nothing. */
void linnet_cl_conv2d_clamp(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape);

/* One way to do it. workspace_bytes and plan get a shape whose direction and wishes are set. */
typedef struct linnet_cl_conv2d_way {
    const char *name;
    float products_a_microsecond; /* of one compute unit, about */
    int64_t winograd;             /* as the shape's */
    double (*microseconds)(const linnet_backend_device *device, const linnet_cl_conv2d *shape); /* instead, if any */
    bool blocked;    /* outputs in nchw16c, weights in its formats, and epilogues that clamp */
    bool planes;     /* inputs in NCHW nevertheless */
    bool adds;       /* in NCHW: takes a residual before its operator */
    bool batch;      /* inputs and outputs in nchw16n, weights in NCHW, and epilogues that clamp */
    bool depthwise;  /* its weights are packed like those of planes */
    bool strides[2]; /* takes them, forward and backward */
    const char *(*refusal)(const linnet_backend_device *device, const linnet_cl_conv2d *shape); /* NULL: accepts */
    uint64_t (*workspace_bytes)(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
    linnet_status (*plan)(linnet_backend_device *device, const linnet_cl_conv2d *shape, linnet_backend_plan **out);
} linnet_cl_conv2d_way;

extern const linnet_cl_conv2d_way linnet_cl_conv2d_channels;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_channels_winograd_f2;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_channels_winograd_f4;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_planes;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_batch;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_depthwise;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_panel;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_implicit;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_direct;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_im2col_gemm;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_im2col_clblast;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_winograd_f2;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_winograd_f4;

/* Floats from an item to the next, of ways that are blocked: of x in blocks of in_lanes channels, of y and of what is
   added in nchw16c. */
int64_t linnet_cl_conv2d_x_item(const linnet_cl_conv2d *shape);
int64_t linnet_cl_conv2d_y_item(const linnet_cl_conv2d *shape);
int64_t linnet_cl_conv2d_added_item(const linnet_cl_conv2d *shape);

/* conv2d_winograd.c: is it probably faster on a GPU than an implicit product? */
bool linnet_cl_conv2d_winograd_pays(const linnet_cl_conv2d *shape);
/* conv2d_im2col.c: the same of im2col_gemm, for the input's gradient. */
bool linnet_cl_conv2d_im2col_pays(const linnet_backend_device *device, const linnet_cl_conv2d *shape);

/* ---- nchw16c: what conv2d_channels.c and conv2d_channels_weight.c share ---- */

/* Floats of a plane's copies (channels_window.clh) for `rows` output rows; spread: rows are joined. */
int64_t linnet_cl_channels_copy_floats(const linnet_cl_conv2d *shape, bool spread, int64_t rows);
bool linnet_cl_channels_spread(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
/* Floats of local memory that a task may take. */
int64_t linnet_cl_channels_limit(const linnet_backend_device *device);

/* What tasks of processors that note a window's taps (channels_window.clh) have to refuse; NULL: nothing. */
const char *linnet_cl_window_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
/* What all that is in nchw16c has to refuse; NULL: nothing. */
const char *linnet_cl_channels_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
/* Does the forward direction, or that with respect to the input, fit? */
bool linnet_cl_channels_fits(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
/* The kernel of the forward direction, or of that with respect to the input. */
linnet_cl_kernel *linnet_cl_channels_kernel(linnet_backend_plan *plan, const linnet_cl_conv2d *shape);
/* conv2d_channels_1x1.c: the same for one tap, stride 1 and no padding. */
bool linnet_cl_channels_is_1x1(const linnet_cl_conv2d *shape);
linnet_cl_kernel *linnet_cl_channels_1x1_kernel(linnet_backend_plan *plan, const linnet_cl_conv2d *shape);
/* The gradients of weight and bias where they are sums of one part, which need no workspace. Views: x, dy, dweight,
   dbias; scalars of a run: accumulate, and for the bias 0 not at all, 1 =, 2 +=. */
bool linnet_cl_channels_is_1x1_weight(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
linnet_cl_kernel *linnet_cl_channels_1x1_weight_kernel(linnet_backend_plan *plan, const linnet_cl_conv2d *shape);
linnet_status linnet_cl_channels_run_forward(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape,
                                             linnet_backend_queue *queue, const linnet_layer_args *args);
linnet_cl_channels linnet_cl_channels_bias_shape(const linnet_backend_device *device, const linnet_cl_conv2d *shape);

typedef struct linnet_cl_channels_weight {
    linnet_cl_kernel *whole;        /* makes them alone, or */
    linnet_cl_kernel *sums, *store; /* these two do */
    bool with_bias;                 /* they make the gradient of the bias, too; store has a view for it, */
    bool wants_bias;                /* which is not absent then */
    linnet_cl_channel_sum bias;     /* else */
    uint64_t bias_parts_at;         /* bytes into the workspace */
} linnet_cl_channels_weight;

bool linnet_cl_channels_weight_fits(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
uint64_t linnet_cl_channels_weight_workspace(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
/* Nothing of what is not wanted. */
void linnet_cl_channels_weight_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *shape,
                                       linnet_cl_channels_weight *out);
linnet_status linnet_cl_channels_weight_run(linnet_cl_channels_weight *weight, linnet_backend_queue *queue,
                                            const linnet_layer_args *args);

/* conv2d_planes_data.c: the gradient of few input channels, in NCHW. */
bool linnet_cl_planes_data_fits(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
/* Columns that its vectors compute for one of the input. */
double linnet_cl_planes_data_columns(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
/* Views: dy, the packed weight, dx; accumulate is the scalar of a run. */
linnet_cl_kernel *linnet_cl_planes_data_kernel(linnet_backend_plan *plan, const linnet_cl_conv2d *shape);

/* conv2d_channels_winograd_weight.c: the gradient of the weight, and the bias' with it. */
typedef struct linnet_cl_winograd_weight {
    linnet_cl_kernel *tiles, *sums, *store; /* the first two run once a chunk of tiles */
    linnet_cl_kernel *whole;                /* instead of sums and store, where there is one chunk */
    int64_t chunk, tile_count;
    uint64_t w_at, sums_at; /* bytes into the workspace */
    bool wants_bias;
} linnet_cl_winograd_weight;

/* Of the workspace. */
int64_t linnet_cl_winograd_weight_floats(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
/* As if the device had one unit. */
double linnet_cl_winograd_weight_microseconds(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
void linnet_cl_winograd_weight_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *shape,
                                       linnet_cl_winograd_weight *out);
linnet_status linnet_cl_winograd_weight_run(linnet_cl_winograd_weight *weight, linnet_backend_queue *queue,
                                            const linnet_layer_args *args);

/* ---- conv2d_nchw.c: plans of ways in NCHW whose gradient of the weight is a sum of parts ---- */

/* The workspace holds the parts of the weight's gradient [parts,weights], then those of the bias'. */
typedef struct linnet_cl_conv2d_nchw {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    linnet_cl_kernel *forward; /* views: x, weight, bias, y */
    linnet_cl_kernel *data;    /* views: dy, weight, dx; accumulate is the scalar of a run */
    linnet_cl_kernel *weight;  /* views: x, dy, the parts */
    linnet_cl_kernel *reduce;
    linnet_cl_channel_sum bias;
    uint64_t bias_parts_at; /* bytes into the workspace */
} linnet_cl_conv2d_nchw;

uint64_t linnet_cl_conv2d_nchw_workspace(const linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                         int64_t parts);
/* A plan of the kernels that forward or backward sets. */
linnet_status linnet_cl_conv2d_nchw_plan(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                         void (*forward)(linnet_cl_conv2d_nchw *),
                                         void (*backward)(linnet_cl_conv2d_nchw *), linnet_backend_plan **out);
/* Constants of a forward kernel: has_bias, op, alpha, beta. */
void linnet_cl_conv2d_nchw_epilogue(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape);
/* The kernels that add up the parts, of what is wanted. */
void linnet_cl_conv2d_nchw_sums(linnet_cl_conv2d_nchw *plan, int64_t parts);

#endif
