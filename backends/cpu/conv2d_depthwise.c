/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise convolution (as many groups as channels, one output each) in nchw16c. A task is some rows of one block of
 * 16 channels of one item; kernels/depthwise.c does them. The weight's gradient is summed over chunks of rows: a task
 * owns one block of channels and one of a few splits of its chunks, whose sums are added up in their order, so that the
 * result is the same for any number of threads.
 */
#include "conv2d.h"
#include "kernels/kernels.h"

#include <math.h>

enum {
    WANTED_TASKS = 16,
    LEAST_ROWS = 4,
    TASK_FLOATS = 1 << 14, /* of x and dy, for less a split of a sum costs more than it brings */
    MOST_PIXELS = 4096     /* of a chunk: no long sums in single precision */
};

static int64_t blocks_of(const cpu_conv2d_sizes *s)
{
    return cpu_ceil(s->c, CPU_LANES);
}

/* For cpu_parallel: small kernels move more than they compute. */
static int64_t work_of(const cpu_conv2d_sizes *s)
{
    return cpu_max(cpu_conv2d_work(s), s->n * s->c * (s->h * s->w + s->oh * s->ow));
}

/* ---- The format: [C/16][kh][kw][16], zeros in the spare lanes ---- */

static bool can_pack(const linnet_tensor_desc *desc)
{
    return desc->type == LINNET_F32 && desc->rank == 4 && desc->dims[1] == 1 && desc->outer_stride == 0;
}

static linnet_status packed_bytes(const linnet_tensor_desc *desc, uint64_t *out_bytes)
{
    if (!can_pack(desc))
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: only dense weights [C,1,kh,kw] are packed");
    uint64_t channels = (uint64_t)cpu_ceil(desc->dims[0], CPU_LANES) * CPU_LANES;
    if (__builtin_mul_overflow(channels * sizeof(float), (uint64_t)cpu_dims(desc, 2, 4), out_bytes))
        return cpu_fail(LINNET_LIMIT, "cpu: packed weights are too large");
    return LINNET_OK;
}

static linnet_status convert(const linnet_tensor_desc *destination_desc, linnet_view destination,
                             const linnet_tensor_desc *source_desc, linnet_view source)
{
    const float *from = cpu_view(source);
    float *to = cpu_view(destination);
    int64_t channels = source_desc->dims[0], area = cpu_dims(source_desc, 2, 4);
    bool packs = source_desc->format == LINNET_FORMAT_NCHW;
    if (!can_pack(source_desc) || destination_desc->outer_stride != 0)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: only dense weights [C,1,kh,kw] are packed");
    if (!packs && destination_desc->format != LINNET_FORMAT_NCHW)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: converts only between NCHW and a format of its own");
    for (int64_t c = 0; c < channels; c += CPU_LANES) {
        int32_t rows = (int32_t)cpu_min(CPU_LANES, channels - c);
        if (packs)
            cpu_table.lanes_from_rows(from + c * area, area, rows, area, to + c * area, CPU_LANES, CPU_LANES);
        else
            cpu_table.rows_from_lanes(from + c * area, area, to + c * area, area, rows, false);
    }
    return LINNET_OK;
}

const cpu_packing cpu_depthwise_packing = {CPU_FORMAT_DEPTHWISE, "depthwise", packed_bytes, convert};

/* ---- Geometry of the two directions, along one axis ---- */

static cpu_depthwise_axis forward_axis(int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride,
                                       int64_t dilation, int64_t before)
{
    cpu_depthwise_axis axis = {
        .outputs = outputs, .step = stride, .offset = -before, .pitch = dilation, .taps = kernel, .weight_step = 1};
    int64_t reach = (kernel - 1) * dilation + 1;
    axis.inside_first = cpu_ceil(before, stride);
    axis.inside_last = inputs + before >= reach ? (inputs + before - reach) / stride + 1 : 0;
    return axis;
}

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    return b == 0 ? a : greatest_divisor(b, a % b);
}

/* The gradient of the inputs phase, phase + stride, ...: those weights u reach them whose phase + before - u dilation
   is a multiple of the stride, every period-th. The last one, which comes from the first output, is the first tap. */
static cpu_depthwise_axis backward_axis(int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride,
                                        int64_t dilation, int64_t before, int64_t phase)
{
    int64_t period = stride / greatest_divisor(stride, dilation), first = 0;
    cpu_depthwise_axis axis = {.outputs = inputs > phase ? cpu_ceil(inputs - phase, stride) : 0,
                               .step = 1,
                               .pitch = dilation * period / stride};
    axis.inside_last = axis.outputs;
    while (first < period && (phase + before - first * dilation) % stride != 0)
        first++;
    if (first >= cpu_min(period, kernel))
        return axis;
    axis.taps = (kernel - 1 - first) / period + 1;
    axis.weight = first + (axis.taps - 1) * period;
    axis.weight_step = -period;
    axis.offset = (phase + before - axis.weight * dilation) / stride;
    axis.inside_first = cpu_max(0, -axis.offset);
    /* Padding wider than the kernel: there are outputs from beyond the last input. */
    axis.inside_last = cpu_min(axis.outputs, outputs - axis.offset - (axis.taps - 1) * axis.pitch);
    return axis;
}

static void forward_geometry(const cpu_conv2d_sizes *s, cpu_depthwise *out)
{
    *out = (cpu_depthwise){.in_rows = s->h,
                           .in_columns = s->w,
                           .out_columns = s->ow,
                           .weight_row = s->kw,
                           .row_phases = 1,
                           .column_phases = 1};
    out->rows[0] = forward_axis(s->h, s->oh, s->kh, s->sh, s->dh, s->top);
    out->columns[0] = forward_axis(s->w, s->ow, s->kw, s->sw, s->dw, s->left);
}

static void backward_geometry(const cpu_conv2d_sizes *s, cpu_depthwise *out)
{
    *out = (cpu_depthwise){.in_rows = s->oh,
                           .in_columns = s->ow,
                           .out_columns = s->w,
                           .weight_row = s->kw,
                           .row_phases = s->sh,
                           .column_phases = s->sw};
    for (int64_t phase = 0; phase < s->sh; phase++)
        out->rows[phase] = backward_axis(s->h, s->oh, s->kh, s->sh, s->dh, s->top, phase);
    for (int64_t phase = 0; phase < s->sw; phase++)
        out->columns[phase] = backward_axis(s->w, s->ow, s->kw, s->sw, s->dw, s->left, phase);
}

/* ---- Forward, and backward with respect to the input ---- */

typedef struct rows_job {
    cpu_depthwise geometry;
    int64_t channels, blocks, area;
    int64_t rows, rows_per_task, chunks;            /* of the output */
    int64_t in_item, out_item, in_plane, out_plane; /* floats */
    const float *in, *weights, *bias;
    float *out;
    cpu_epilogue epilogue;
} rows_job;

/* Splits planes only as far as that gives enough tasks, into pairs of rows. */
static void split_rows(rows_job *j, int64_t items)
{
    int64_t chunks = cpu_ceil(WANTED_TASKS, items * j->blocks);
    j->rows_per_task = cpu_max(LEAST_ROWS, cpu_ceil(cpu_ceil(j->rows, chunks), 2) * 2);
    j->chunks = cpu_ceil(j->rows, j->rows_per_task);
}

/* The bias of a block with zeros behind it; NULL where there is none. */
static const float *block_bias(const rows_job *j, int64_t block, float padded[CPU_LANES])
{
    int64_t first = block * CPU_LANES, count = cpu_min(CPU_LANES, j->channels - first);
    if (!j->bias || count == CPU_LANES)
        return j->bias ? j->bias + first : NULL;
    for (int64_t lane = 0; lane < CPU_LANES; lane++)
        padded[lane] = lane < count ? j->bias[first + lane] : 0;
    return padded;
}

static void rows_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const rows_job *j = context;
    int64_t first = task % j->chunks * j->rows_per_task, last = cpu_min(j->rows, first + j->rows_per_task);
    int64_t block = task / j->chunks % j->blocks, item = task / (j->chunks * j->blocks);
    float padded[CPU_LANES], *out = j->out + item * j->out_item + block * j->out_plane;
    int64_t row = j->geometry.out_columns * CPU_LANES;
    cpu_table.depthwise(&j->geometry, j->in + item * j->in_item + block * j->in_plane,
                        j->weights + block * j->area * CPU_LANES, block_bias(j, block, padded), out, first, last);
    if (j->epilogue.count > 0)
        cpu_epilogue_apply(&j->epilogue, out + first * row, (last - first) * row);
}

void cpu_conv2d_forward_depthwise(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    const cpu_conv2d_sizes *s = &d.s;
    rows_job j = {.channels = s->c,
                  .blocks = blocks_of(s),
                  .area = s->kh * s->kw,
                  .rows = s->oh,
                  .in_item = s->x_stride,
                  .out_item = s->y_stride,
                  .in_plane = s->h * s->w * CPU_LANES,
                  .out_plane = s->oh * s->ow * CPU_LANES,
                  .in = d.x,
                  .weights = d.weight,
                  .bias = d.bias,
                  .out = d.y,
                  .epilogue = d.epilogue};
    forward_geometry(s, &j.geometry);
    j.geometry.low = d.epilogue.low;
    j.geometry.high = d.epilogue.high;
    j.geometry.clamps = d.epilogue.low > -INFINITY || d.epilogue.high < INFINITY;
    split_rows(&j, s->n);
    cpu_parallel(s->n * j.blocks * j.chunks, work_of(s), rows_task, &j);
    bool keeps_zero = d.epilogue.low <= 0 && d.epilogue.high >= 0 && d.epilogue.count == 0;
    if (!keeps_zero)
        cpu_clear_spare_lanes(&desc->outputs[0], d.y);
}

static void input_gradient(const cpu_conv2d_data *d)
{
    const cpu_conv2d_sizes *s = &d->s;
    rows_job j = {.channels = s->c,
                  .blocks = blocks_of(s),
                  .area = s->kh * s->kw,
                  .rows = s->h,
                  .in_item = s->y_stride,
                  .out_item = s->x_stride,
                  .in_plane = s->oh * s->ow * CPU_LANES,
                  .out_plane = s->h * s->w * CPU_LANES,
                  .in = d->dy,
                  .weights = d->weight,
                  .out = d->dx};
    backward_geometry(s, &j.geometry);
    j.geometry.accumulate = d->accumulate_x;
    split_rows(&j, s->n);
    cpu_parallel(s->n * j.blocks * j.chunks, work_of(s), rows_task, &j);
}

/* ---- Backward with respect to the parameters ---- */

typedef struct weight_job {
    const cpu_conv2d_data *d;
    int64_t blocks, area, sums;                 /* sums: floats of a block's sums, [area + 1][16] */
    int64_t rows_per_chunk, row_chunks, chunks; /* chunks of all items */
    int64_t chunks_per_split, splits;
    float *partials, *scratches; /* [splits][blocks][sums], [workers][sums] */
} weight_job;

static void weight_job_of(const cpu_conv2d_data *d, weight_job *out)
{
    const cpu_conv2d_sizes *s = &d->s;
    weight_job j = {.d = d, .blocks = blocks_of(s), .area = s->kh * s->kw};
    j.sums = (j.area + 1) * CPU_LANES;
    int64_t tasks = cpu_max(1, cpu_min(WANTED_TASKS, work_of(s) / TASK_FLOATS));
    int64_t wanted = cpu_ceil(tasks, s->n * j.blocks);
    j.rows_per_chunk = cpu_max(1, cpu_min(cpu_max(LEAST_ROWS, cpu_ceil(s->oh, wanted)), MOST_PIXELS / s->ow));
    j.row_chunks = cpu_ceil(s->oh, j.rows_per_chunk);
    j.chunks = s->n * j.row_chunks;
    j.chunks_per_split = cpu_ceil(j.chunks, cpu_ceil(tasks, j.blocks));
    j.splits = cpu_ceil(j.chunks, j.chunks_per_split);
    *out = j;
}

static uint64_t weight_workspace(const cpu_conv2d_sizes *s)
{
    cpu_conv2d_data d = {.s = *s};
    weight_job j;
    weight_job_of(&d, &j);
    return (uint64_t)(j.sums * (j.splits * j.blocks + cpu_worker_count())) * sizeof(float);
}

/* Sums of one chunk of a block. */
static void chunk_sums(const weight_job *j, int64_t block, int64_t chunk, float *sums)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t item = chunk / j->row_chunks, first = chunk % j->row_chunks * j->rows_per_chunk;
    cpu_depthwise_gradient g = {.dy = j->d->dy + item * s->y_stride + block * s->oh * s->ow * CPU_LANES,
                                .sums = sums,
                                .h = s->h,
                                .w = s->w,
                                .ow = s->ow,
                                .kh = s->kh,
                                .kw = s->kw,
                                .sh = s->sh,
                                .sw = s->sw,
                                .dh = s->dh,
                                .dw = s->dw,
                                .top = s->top,
                                .left = s->left,
                                .first_row = first,
                                .last_row = cpu_min(s->oh, first + j->rows_per_chunk)};
    if (j->d->dweight) {
        g.x = j->d->x + item * s->x_stride + block * s->h * s->w * CPU_LANES;
    } else {
        g.kh = g.kw = 0;
        g.sums += j->area * CPU_LANES;
    }
    cpu_table.depthwise_gradient(&g);
}

/* The sums of all splits of a block, to [channels][area] and the bias. */
static void store_block(const void *context, int64_t block, uint32_t worker)
{
    const weight_job *j = context;
    const cpu_conv2d_data *d = j->d;
    int64_t channel = block * CPU_LANES, channels = cpu_min(CPU_LANES, d->s.c - channel);
    float *sums = j->partials + block * j->sums, *lines = j->scratches + worker * j->sums;
    for (int64_t split = 1; split < j->splits; split++)
        cpu_table.scale(1, sums + split * j->blocks * j->sums, sums, j->sums, true);
    if (d->dbias)
        cpu_table.scale(1, sums + j->area * CPU_LANES, d->dbias + channel, channels, d->accumulate_bias);
    if (!d->dweight)
        return;
    float *dweight = d->dweight + channel * j->area;
    cpu_table.rows_from_lanes(sums, j->area, d->accumulate_weight ? lines : dweight, j->area, (int32_t)channels,
                              false);
    if (d->accumulate_weight)
        cpu_table.scale(1, lines, dweight, channels * j->area, true);
}

static void weight_task(const void *context, int64_t task, uint32_t worker)
{
    const weight_job *j = context;
    int64_t block = task % j->blocks, split = task / j->blocks, first = split * j->chunks_per_split;
    int64_t last = cpu_min(j->chunks, first + j->chunks_per_split);
    float *sums = j->partials + task * j->sums, *scratch = j->scratches + worker * j->sums;
    chunk_sums(j, block, first, sums);
    for (int64_t chunk = first + 1; chunk < last; chunk++) {
        chunk_sums(j, block, chunk, scratch);
        cpu_table.scale(1, scratch, sums, j->sums, true);
    }
    if (j->splits == 1)
        store_block(j, block, worker);
}

static void weight_gradient(const cpu_conv2d_data *d)
{
    weight_job j;
    weight_job_of(d, &j);
    j.partials = (float *)(void *)d->workspace;
    j.scratches = j.partials + j.splits * j.blocks * j.sums;
    cpu_parallel(j.blocks * j.splits, work_of(&d->s), weight_task, &j);
    if (j.splits > 1)
        cpu_parallel(j.blocks, j.blocks * j.splits * j.sums, store_block, &j);
}

void cpu_conv2d_backward_depthwise(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    if (d.dx)
        input_gradient(&d);
    if (d.dweight || d.dbias)
        weight_gradient(&d);
}

/* ---- What it asks for ---- */

int cpu_conv2d_describe_depthwise(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    cpu_conv2d_describe(desc, out, CPU_FORMAT_NCHW16C);
    out->parameter_formats[LINNET_CONV2D_WEIGHT] = CPU_FORMAT_DEPTHWISE;
    if (s.groups != s.c || s.o != s.c)
        out->refusal = "needs one output for each channel";
    else if (s.sh > CPU_DEPTHWISE_PHASES || s.sw > CPU_DEPTHWISE_PHASES)
        out->refusal = "needs strides of at most 8";
    if (out->refusal)
        return CPU_AVOID;
    if (desc->direction == LINNET_BACKWARD && desc->want_parameters)
        out->workspace_bytes = weight_workspace(&s);
    return cpu_fills_lanes(s.c, 50) ? cpu_conv2d_preference(desc, out->name) : CPU_AVOID;
}
