/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gram by our own GEMM or by CLBlast, or in nchw16c (gram_nchw16c.c). Forward adds up over all pixels, so depth goes in
 * parts, whose products [parts,N,C,C] in the workspace are then added up and scaled. Backward is one product with the
 * symmetric part of dy, [N,C,C] in the workspace.
 */
#include "gram.h"
#include "gemm.h"
#include "nchw16c.h"
#include "sizes.h"

#include <string.h>

typedef struct gram_shape {
    int64_t images, channels, pixels;
    int64_t run, parts; /* forward: pixels of a part */
} gram_shape;

typedef struct gram_plan {
    linnet_backend_plan base;
    gram_shape shape;
    linnet_cl_gemm product;
    linnet_cl_kernel *gemm;  /* ours; NULL with CLBlast */
    linnet_cl_kernel *other; /* forward: adds the parts up; backward: makes the symmetric matrix */
} gram_plan;

enum {
    LEAST_RUN_PROCESSOR = 512,
    MOST_RUN_PROCESSOR = 4096,
    LEAST_RUN_GPU = 128,
    MOST_RUN_GPU = 16384,
    GROUPS_A_UNIT = 6,   /* that keep a compute unit of a GPU busy */
    GROUP_TILE = 64,     /* channels by channels of a group */
    PANEL_FLOATS = 65536 /* of C runs, that a processor's second-level cache holds */
};
#define PARTS_FLOATS ((int64_t)16 << 20) /* that the parts may take, unless one takes more */

/* On processors a part of x that stays in the cache while all pairs of channels are multiplied; on GPUs enough groups.
 */
static int64_t gram_run(const linnet_backend_device *device, const gram_shape *shape)
{
    int64_t square = shape->images * shape->channels * shape->channels;
    int64_t most_parts = between(PARTS_FLOATS / square, 1, shape->pixels), run;
    if (device->prefers_vectors) {
        run = between(PANEL_FLOATS / shape->channels, LEAST_RUN_PROCESSOR, MOST_RUN_PROCESSOR);
    } else {
        int64_t side = ceil_div(shape->channels, GROUP_TILE);
        int64_t groups = GROUPS_A_UNIT * (int64_t)device->info.compute_units;
        int64_t parts = between(groups / (shape->images * side * side), 1, shape->pixels);
        run = between(ceil_div(shape->pixels, parts), LEAST_RUN_GPU, MOST_RUN_GPU);
    }
    int64_t least = ceil_div(shape->pixels, most_parts);
    return round_up(larger(run, least), 16);
}

static gram_shape gram_shape_of(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    const int64_t *x = desc->inputs[LINNET_GRAM_X].dims;
    gram_shape shape = {.images = x[0], .channels = x[1], .pixels = x[2] * x[3]};
    shape.run = gram_run(device, &shape);
    shape.parts = ceil_div(shape.pixels, shape.run);
    return shape;
}

enum { TILED, CLBLAST, CHANNELS, WAYS };

static const char *const way_names[WAYS] = {"tiled", "clblast", "channels"};

/* CLBlast may pay for its start-up where the product is large (parameters.def). */
static int gram_way(const linnet_backend_device *device, const gram_shape *shape, uint32_t index)
{
    double channels = (double)shape->channels, work = channels * channels * (double)shape->pixels;
    bool clblast_first = (double)shape->images * work >= device->parameters.values[LINNET_CL_LARGE_PRODUCT];
    return clblast_first && index <= CLBLAST ? CLBLAST - (int)index : (int)index;
}

/* Microseconds of a processor: CLBlast comes last. */
static float gram_cost(const linnet_backend_device *device, const linnet_layer_desc *desc, const gram_shape *shape,
                       int way)
{
    static const double products[] = {[TILED] = 38e3, [CLBLAST] = 8e3}; /* of a unit in a microsecond, with AVX-512 */
    double channels = (double)shape->channels, pixels = (double)(shape->images * shape->pixels);
    double speed = device->parameters.values[LINNET_CL_SPEED] * device->info.compute_units;
    return (float)(channels * channels * pixels / (products[way] * speed)) + linnet_cl_memory_cost(device, desc);
}

static void channels_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (!out->refusal)
        out->refusal = linnet_cl_gram_nchw16c_refusal(device, desc);
    if (out->refusal)
        return;
    out->input_formats[LINNET_GRAM_X] = LINNET_CL_NCHW16C;
    out->workspace_bytes = linnet_cl_gram_nchw16c_workspace(device, desc);
    out->cost = linnet_cl_gram_nchw16c_cost(device, desc);
}

static linnet_status gram_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                    linnet_candidate *out)
{
    if (index >= WAYS)
        return LINNET_END;
    linnet_status status = linnet_cl_only_candidate(desc, 0, "", out);
    gram_shape shape = gram_shape_of(device, desc);
    int way = gram_way(device, &shape, index);
    int64_t parts = desc->direction == LINNET_FORWARD ? shape.parts : 1;
    out->name = way_names[way];
    if (desc->direction == LINNET_BACKWARD)
        out->reads_inputs = 1u << LINNET_GRAM_X;
    if (way == CHANNELS) {
        channels_candidate(device, desc, out);
        return status;
    }
    if (device->prefers_vectors)
        out->cost = gram_cost(device, desc, &shape, way);
    out->workspace_bytes = (uint64_t)(parts * shape.images * shape.channels * shape.channels) * sizeof(float);
    return status;
}

/* The parts of image n that are whole, then the rest: CLBlast's batches have one size. */
static linnet_status forward_clblast(gram_plan *plan, linnet_backend_queue *queue, linnet_view x, linnet_view parts,
                                     int64_t n)
{
    const gram_shape *shape = &plan->shape;
    int64_t square = shape->channels * shape->channels, whole = shape->pixels / shape->run;
    linnet_cl_gemm product = plan->product;
    linnet_cl_batches batches = {whole, shape->run, shape->run, shape->images * square};
    linnet_view image = linnet_cl_view_at(x, (uint64_t)(n * shape->channels * shape->pixels) * sizeof(float));
    linnet_view out = linnet_cl_view_at(parts, (uint64_t)(n * square) * sizeof(float));
    linnet_status status = LINNET_OK;
    product.depth = shape->run;
    if (whole > 0)
        status = linnet_cl_clblast(queue, &product, &batches, image, image, out, false);
    if (status || whole == shape->parts)
        return status;
    batches.count = 1;
    product.depth = shape->pixels - whole * shape->run;
    image = linnet_cl_view_at(image, (uint64_t)(whole * shape->run) * sizeof(float));
    out = linnet_cl_view_at(out, (uint64_t)(whole * shape->images * square) * sizeof(float));
    return linnet_cl_clblast(queue, &product, &batches, image, image, out, false);
}

static linnet_status gram_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                      const linnet_layer_args *args)
{
    gram_plan *plan = (gram_plan *)base;
    linnet_view x = args->inputs[LINNET_GRAM_X];
    linnet_status status = LINNET_OK;
    if (plan->gemm)
        status = linnet_cl_gemm_run(plan->gemm, queue, x, x, linnet_cl_no_view, args->workspace, 0);
    for (int64_t n = 0; !plan->gemm && n < plan->shape.images && !status; n++)
        status = forward_clblast(plan, queue, x, args->workspace, n);
    return status ? status : linnet_cl_reduce(plan->other, queue, args->workspace, args->outputs[LINNET_GRAM_Y], 0);
}

static linnet_status gram_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                       const linnet_layer_args *args)
{
    gram_plan *plan = (gram_plan *)base;
    const linnet_cl_gemm *product = &plan->product;
    linnet_view x = args->inputs[LINNET_GRAM_X], dx = args->input_gradients[LINNET_GRAM_X];
    cl_int accumulate = linnet_cl_bit(args->accumulate_inputs, LINNET_GRAM_X);
    linnet_status status = linnet_cl_launch(plan->other, queue, args->output_gradients[LINNET_GRAM_Y], args->workspace);
    if (status)
        return status;
    if (plan->gemm)
        return linnet_cl_gemm_run(plan->gemm, queue, args->workspace, x, linnet_cl_no_view, dx, accumulate);
    linnet_cl_batches batches = {product->batches, product->a_batch, product->b_batch, product->c_batch};
    return linnet_cl_clblast(queue, product, &batches, args->workspace, x, dx, accumulate != 0);
}

/* y = x x^T in parts */
static linnet_cl_gemm forward_product(const gram_shape *shape)
{
    int64_t c = shape->channels, pixels = shape->pixels;
    return (linnet_cl_gemm){.m = c,
                            .n = c,
                            .depth = pixels,
                            .a_row = pixels,
                            .a_col = 1,
                            .b_row = 1,
                            .b_col = pixels,
                            .c_row = c,
                            .batches = shape->images,
                            .a_batch = c * pixels,
                            .b_batch = c * pixels,
                            .c_batch = c * c,
                            .run = shape->run};
}

/* dx = s x */
static linnet_cl_gemm backward_product(const gram_shape *shape)
{
    int64_t c = shape->channels, pixels = shape->pixels;
    return (linnet_cl_gemm){.m = c,
                            .n = pixels,
                            .depth = c,
                            .a_row = c,
                            .a_col = 1,
                            .b_row = pixels,
                            .b_col = 1,
                            .c_row = pixels,
                            .batches = shape->images,
                            .a_batch = c * c,
                            .b_batch = c * pixels,
                            .c_batch = c * pixels};
}

/* s of dy */
static linnet_cl_kernel *symmetric_kernel(linnet_backend_plan *plan, const gram_shape *shape, float scale)
{
    int64_t c = shape->channels, count = shape->images * c * c;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GRAM, "gram_symmetric", 2);
    linnet_cl_int(kernel, c);
    linnet_cl_int(kernel, count);
    linnet_cl_float(kernel, scale);
    linnet_cl_range(kernel, count, 1, 1, 0);
    return kernel;
}

static linnet_status gram_plan_new(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                                   linnet_backend_plan **out)
{
    const linnet_gram_attributes *attributes = desc->attributes;
    bool forward = desc->direction == LINNET_FORWARD;
    if (strcmp(candidate, way_names[CHANNELS]) == 0)
        return linnet_cl_gram_nchw16c_plan(device, desc, out);
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(gram_plan), forward ? gram_run_forward : gram_run_backward, &base);
    if (status)
        return status;
    gram_plan *plan = (gram_plan *)base;
    plan->shape = gram_shape_of(device, desc);
    plan->product = forward ? forward_product(&plan->shape) : backward_product(&plan->shape);
    if (strcmp(candidate, way_names[CLBLAST]) == 0)
        base->status = linnet_cl_clblast_check(device);
    else
        plan->gemm = linnet_cl_gemm_kernel(base, &plan->product, true);
    if (forward)
        plan->other = linnet_cl_reduce_kernel(base, plan->shape.images * plan->product.c_batch, plan->shape.parts,
                                              attributes->scale);
    else
        plan->other = symmetric_kernel(base, &plan->shape, attributes->scale);
    return linnet_cl_plan_done(base, out);
}

LINNET_CL_OPS(gram, gram_candidate, gram_plan_new);
