/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution in NCHW without lowering, for few channels and few images: vectors run along the rows of the picture
 * (kernels/rows.c). A task is a band of output rows of one item. It first copies the input rows that the band needs
 * into scratch memory, with their padding, so that the inner loop has no borders:
 *
 *     [c][rows][sw][phase]      columns of a stride sw apart lie side by side, so that vectors are whole
 *
 * Without padding and stride the rows follow one another as in the input: what a vector reads behind a row is not used.
 * Then a tap (c, u, v) is a constant offset in it. Weights are packed once, as [block of 6 outputs][tap][6].
 */
#include "conv2d.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum {
    FORMAT_ROWS = LINNET_FORMAT_PRIVATE + 65,
    SCRATCH = 16 << 10,       /* floats of a band that are wanted at most */
    MOST_SCRATCH = 256 << 10, /* floats of a band of one row */
    TASK_WORK = 1 << 14,
    WANTED_TASKS = 8
};

/* ---- The packed weights ---- */

static int64_t output_blocks(int64_t outputs)
{
    return cpu_ceil(outputs, CPU_TILE_ROWS);
}

static linnet_status packed_bytes(const linnet_tensor_desc *desc, uint64_t *out_bytes)
{
    if (desc->type != LINNET_F32 || desc->rank != 4)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: only the weights of a convolution are packed for its rows");
    uint64_t outputs = (uint64_t)output_blocks(desc->dims[0]) * CPU_TILE_ROWS;
    if (__builtin_mul_overflow(outputs * sizeof(float), (uint64_t)cpu_dims(desc, 1, 4), out_bytes))
        return cpu_fail(LINNET_LIMIT, "cpu: packed weights are too large");
    return LINNET_OK;
}

static linnet_status packed_convert(const linnet_tensor_desc *destination_desc, linnet_view destination,
                                    const linnet_tensor_desc *source_desc, linnet_view source)
{
    bool packs = destination_desc->format == FORMAT_ROWS;
    const linnet_tensor_desc *dense = packs ? source_desc : destination_desc;
    uint64_t bytes;
    if (!linnet_desc_is_dense(dense))
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: packs weights from dense NCHW and back");
    linnet_status status = packed_bytes(dense, &bytes);
    if (status != LINNET_OK)
        return status;
    int64_t outputs = dense->dims[0], taps = cpu_dims(dense, 1, 4);
    float *weight = packs ? NULL : cpu_view(destination), *packed = packs ? cpu_view(destination) : NULL;
    const float *from = cpu_view(source);
    for (int64_t o = 0; o < output_blocks(outputs) * CPU_TILE_ROWS; o++)
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t at = (o / CPU_TILE_ROWS * taps + tap) * CPU_TILE_ROWS + o % CPU_TILE_ROWS;
            if (packs)
                packed[at] = o < outputs ? from[o * taps + tap] : 0;
            else if (o < outputs)
                weight[o * taps + tap] = from[at];
        }
    return LINNET_OK;
}

const cpu_packing cpu_conv2d_rows_packing = {FORMAT_ROWS, "rows", packed_bytes, packed_convert};

/* ---- Bands ---- */

typedef struct job {
    const cpu_conv2d_data *d;
    bool is_joined;             /* rows follow one another as in the input */
    int64_t phase, pitch;       /* floats of a column phase and of a row in the scratch */
    int64_t rows, bands;        /* output rows of a band; bands of an item */
    int64_t in_rows, scratch;   /* input rows of a whole band; floats of a thread's scratch */
    int64_t taps, spans_of_row; /* vectors across an output row */
    int32_t *tap_offsets;       /* in the workspace */
    cpu_rows_span *spans;       /* of a whole band */
    float *scratches;
} job;

static int64_t rows_read(const cpu_conv2d_sizes *s, int64_t rows)
{
    return (rows - 1) * s->sh + (s->kh - 1) * s->dh + 1;
}

/* Stride 1 along the rows, and nothing but input is read. */
static bool is_inside(const cpu_conv2d_sizes *s)
{
    return s->sw == 1 && s->left == 0 && s->top == 0 && s->ow + (s->kw - 1) * s->dw <= s->w &&
           rows_read(s, s->oh) <= s->h;
}

static job job_of(const cpu_conv2d_sizes *s)
{
    job j = {.spans_of_row = cpu_ceil(s->ow, cpu_table.vector), .taps = s->c * s->kh * s->kw};
    j.phase = j.spans_of_row * cpu_table.vector + (s->kw - 1) * s->dw / s->sw;
    j.is_joined = is_inside(s);
    j.pitch = j.is_joined ? s->w : j.phase * s->sw;
    int64_t fitting = (SCRATCH / (s->c * j.pitch) - rows_read(s, 1)) / s->sh + 1;
    int64_t wanted = cpu_min(WANTED_TASKS, cpu_conv2d_work(s) / TASK_WORK);
    j.rows = cpu_min(cpu_max(1, fitting), cpu_ceil(s->oh, cpu_max(1, wanted / s->n)));
    j.bands = cpu_ceil(s->oh, j.rows);
    j.rows = cpu_ceil(s->oh, j.bands);
    j.in_rows = rows_read(s, j.rows);
    j.scratch = cpu_ceil(s->c * j.in_rows * j.pitch + (j.is_joined ? j.phase : 0), CPU_LANES) * CPU_LANES;
    return j;
}

/* Input row `row`, which may lie outside, into its place in the scratch. */
static void copy_row(const job *j, const float *plane, int64_t row, float *out)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    if (row < 0 || row >= s->h) {
        memset(out, 0, (size_t)j->pitch * sizeof *out);
        return;
    }
    const float *in = plane + row * s->w;
    if (s->sw == 1) {
        cpu_table.pad_row(in, s->w, s->left, out, j->pitch);
        return;
    }
    for (int64_t p = 0; p < s->sw; p++)
        for (int64_t q = 0; q < j->phase; q++) {
            int64_t column = q * s->sw + p - s->left;
            *out++ = column >= 0 && column < s->w ? in[column] : 0;
        }
}

static void copy_joined(const job *j, const float *x, int64_t first_row, float *scratch)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    size_t floats = (size_t)(cpu_min(j->in_rows, s->h - first_row) * s->w);
    for (int64_t c = 0; c < s->c; c++)
        memcpy(scratch + c * j->in_rows * s->w, x + (c * s->h + first_row) * s->w, floats * sizeof *x);
    memset(scratch + s->c * j->in_rows * s->w, 0, (size_t)j->phase * sizeof *scratch); /* read behind the last row */
}

static void copy_band(const job *j, const float *x, int64_t first_row, float *scratch)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    if (j->is_joined) {
        copy_joined(j, x, first_row, scratch);
        return;
    }
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t i = 0; i < j->in_rows; i++)
            copy_row(j, x + c * s->h * s->w, first_row + i, scratch + (c * j->in_rows + i) * j->pitch);
}

static void band_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    const cpu_conv2d_data *d = j->d;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t item = task / j->bands, first = task % j->bands * j->rows, rows = cpu_min(j->rows, s->oh - first);
    float *scratch = j->scratches + worker * j->scratch, *y = d->y + item * s->y_stride + first * s->ow;
    copy_band(j, d->x + item * s->x_stride, first * s->sh - s->top, scratch);
    cpu_rows p = {.in = scratch,
                  .taps = j->tap_offsets,
                  .tap_count = j->taps,
                  .out_k = s->oh * s->ow,
                  .low = d->epilogue.low,
                  .high = d->epilogue.high};
    int64_t spans = rows * j->spans_of_row, tiles = cpu_ceil(spans, cpu_table.tile_vectors);
    for (int64_t tile = 0; tile < tiles; tile++) {
        int64_t span = spans * tile / tiles;
        p.spans = j->spans + span;
        p.columns = (int32_t)(spans * (tile + 1) / tiles - span);
        for (int64_t o = 0; o < s->o; o += CPU_TILE_ROWS) {
            p.rows = (int32_t)cpu_min(CPU_TILE_ROWS, s->o - o);
            p.weights = d->weight + o * j->taps;
            p.bias = d->bias ? d->bias + o : NULL;
            p.out = y + o * p.out_k;
            p.add = d->epilogue.residual ? d->epilogue.residual + (p.out - d->y) : NULL;
            cpu_table.rows(&p);
        }
    }
    for (int64_t o = 0; o < s->o && d->epilogue.count > 0; o++)
        cpu_epilogue_apply(&d->epilogue, y + o * p.out_k, rows * s->ow);
}

static void fill_lists(job *j)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int32_t *tap = j->tap_offsets;
    for (int64_t v = 0; v < s->kw; v++)
        tap[v] = (int32_t)(v * s->dw % s->sw * j->phase + v * s->dw / s->sw);
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t u = 0; u < s->kh; u++, tap += s->kw)
            for (int64_t v = 0, row = (c * j->in_rows + u * s->dh) * j->pitch; v < s->kw; v++)
                tap[v] = j->tap_offsets[v] + (int32_t)row;
    cpu_rows_span *span = j->spans;
    for (int64_t i = 0; i < j->rows; i++)
        for (int64_t column = 0; column < s->ow; column += cpu_table.vector)
            *span++ = (cpu_rows_span){.in = i * s->sh * j->pitch + column,
                                      .out = i * s->ow + column,
                                      .count = cpu_min(cpu_table.vector, s->ow - column)};
}

/* ---- The algorithm ---- */

/* Bytes of the lists in the workspace, in whole cache lines. */
static int64_t span_bytes(const job *j)
{
    return cpu_ceil(j->rows * j->spans_of_row * (int64_t)sizeof(cpu_rows_span), CPU_ALIGNMENT) * CPU_ALIGNMENT;
}

static int64_t tap_bytes(const job *j)
{
    return cpu_ceil(j->taps * (int64_t)sizeof(int32_t), CPU_ALIGNMENT) * CPU_ALIGNMENT;
}

int cpu_conv2d_describe_rows(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    cpu_conv2d_describe(desc, out, LINNET_FORMAT_NCHW);
    out->parameter_formats[LINNET_CONV2D_WEIGHT] = FORMAT_ROWS;
    if (s.groups > 1) {
        out->refusal = "needs one group";
        return CPU_AVOID;
    }
    job j = job_of(&s);
    if (j.scratch > MOST_SCRATCH) {
        out->refusal = "needs rows that fit into the cache";
        return CPU_AVOID;
    }
    out->workspace_bytes =
        (uint64_t)(span_bytes(&j) + tap_bytes(&j)) + (uint64_t)j.scratch * cpu_worker_count() * sizeof(float);
    /* Measured: ahead of im2col wherever most lanes are used. */
    return s.ow * 100 >= 60 * j.spans_of_row * cpu_table.vector ? CPU_PREFER : CPU_AVOID;
}

void cpu_conv2d_forward_rows(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    d.epilogue = cpu_epilogue_with_residual(desc, args);
    job j = job_of(&d.s);
    j.d = &d;
    j.spans = (cpu_rows_span *)(void *)d.workspace;
    j.tap_offsets = (int32_t *)(void *)(d.workspace + span_bytes(&j));
    j.scratches = (float *)(void *)(d.workspace + span_bytes(&j) + tap_bytes(&j));
    fill_lists(&j);
    cpu_parallel(d.s.n * j.bands, cpu_conv2d_work(&d.s), band_task, &j);
}
