/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear by our own GEMM, which takes bias and epilogue along and any size, or by CLBlast, which may pay when all sides
 * are large. On GPUs the tiled products go in parts along their depth where they are few (gemm_parts.c).
 */
#include "linear.h"

#include <string.h>

typedef struct linear_plan {
    linnet_backend_plan base;
    bool clblast, tiled, has_bias;
    uint32_t want_inputs, want_parameters;
    linnet_cl_gemm products[3];    /* forward; backward: data, weight */
    linnet_cl_gemm_parts parts[3]; /* the same, when they are ours */
    linnet_cl_kernel *bias;        /* forward: behind CLBlast; backward: its gradient. NULL where not needed */
    bool bias_with_weight;         /* backward: the weights' product makes the gradient of the bias, too */
} linear_plan;

enum { FORWARD = 0, DATA = 1, WEIGHT = 2 };

enum { FEW_ROWS = 32 };

enum { TILED, SMALL, CLBLAST, WAYS };

static const char *const way_names[WAYS] = {"tiled", "small", "clblast"};

/* By the multiply-adds of the forward product (parameters.def): a small one is too few tiles for a GPU, a large one may
   pay for CLBlast's start-up; not with few rows, where it copies the weights first and leaves its tiles half empty. */
static const int *linear_preferences(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    static const int small[WAYS] = {SMALL, TILED, CLBLAST};
    static const int medium[WAYS] = {TILED, SMALL, CLBLAST}, large[WAYS] = {CLBLAST, TILED, SMALL};
    int64_t rows = desc->outputs[0].dims[0];
    double work = (double)rows * (double)linnet_desc_count(&desc->parameters[LINNET_LINEAR_WEIGHT]);
    const double *parameters = device->parameters.values;
    if (work < parameters[LINNET_CL_SMALL_PRODUCT])
        return small;
    return work < parameters[LINNET_CL_LARGE_PRODUCT] || rows <= FEW_ROWS ? medium : large;
}

/* The three products, and which of them are wanted. */
static void linear_products(const linnet_layer_desc *desc, linnet_cl_gemm products[3], bool wanted[3])
{
    int64_t n = desc->outputs[0].dims[0], o = desc->parameters[LINNET_LINEAR_WEIGHT].dims[0],
            i = desc->parameters[LINNET_LINEAR_WEIGHT].dims[1];
    bool forward = desc->direction == LINNET_FORWARD;
    wanted[FORWARD] = forward;
    wanted[DATA] = !forward && linnet_cl_wants_input(desc, LINNET_LINEAR_X);
    wanted[WEIGHT] = !forward && linnet_cl_wants_parameter(desc, LINNET_LINEAR_WEIGHT);
    products[FORWARD] = linnet_cl_linear_forward(n, i, o);
    products[DATA] = linnet_cl_linear_backward_data(n, i, o);
    products[WEIGHT] = linnet_cl_linear_backward_weight(n, i, o);
    products[FORWARD].has_bias = desc->parameter_count > LINNET_LINEAR_BIAS;
    products[WEIGHT].row_sums = linnet_cl_wants_parameter(desc, LINNET_LINEAR_BIAS);
    if (desc->epilogue_count)
        products[FORWARD].epilogue = desc->epilogue[0];
}

/* They are computed one after the other. */
static uint64_t linear_workspace(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    linnet_cl_gemm products[3];
    bool wanted[3];
    uint64_t most = 0;
    linear_products(desc, products, wanted);
    for (int which = 0; which < 3; which++) {
        uint64_t bytes = wanted[which] ? linnet_cl_gemm_parts_bytes(device, &products[which]) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static linnet_status linear_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                      linnet_candidate *out)
{
    if (index >= WAYS)
        return LINNET_END;
    int way = linear_preferences(device, desc)[index];
    out->name = way_names[way];
    out->numerics = LINNET_NUMERICS_DIRECT;
    out->refusal = linnet_cl_refusal(desc);
    if (!out->refusal && desc->epilogue_count > 1)
        out->refusal = "takes one epilogue";
    if (!out->refusal && way == SMALL && device->prefers_vectors)
        out->refusal = "for GPUs";
    if (way == TILED)
        out->workspace_bytes = linear_workspace(device, desc);
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_parameters = linnet_cl_wants_input(desc, LINNET_LINEAR_X) ? 1u << LINNET_LINEAR_WEIGHT : 0u;
        out->reads_inputs = linnet_cl_wants_parameter(desc, LINNET_LINEAR_WEIGHT) ? 1u << LINNET_LINEAR_X : 0u;
    }
    return LINNET_OK;
}

static linnet_status linear_product(linear_plan *plan, int which, linnet_backend_queue *queue, linnet_view a,
                                    linnet_view b, linnet_view bias, linnet_view c, cl_int accumulate,
                                    linnet_view workspace)
{
    static const linnet_cl_batches one = {1, 0, 0, 0};
    if (plan->clblast)
        return linnet_cl_clblast(queue, &plan->products[which], &one, a, b, c, accumulate != 0);
    return linnet_cl_gemm_parts_run(&plan->parts[which], queue, a, b, bias, c, accumulate, workspace);
}

static linnet_status linear_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                        const linnet_layer_args *args)
{
    linear_plan *plan = (linear_plan *)base;
    linnet_view bias = plan->has_bias ? args->parameters[LINNET_LINEAR_BIAS] : linnet_cl_no_view;
    linnet_view y = args->outputs[LINNET_LINEAR_Y];
    linnet_status status = linear_product(plan, FORWARD, queue, args->inputs[LINNET_LINEAR_X],
                                          args->parameters[LINNET_LINEAR_WEIGHT], bias, y, 0, args->workspace);
    if (status || !plan->bias)
        return status;
    return linnet_cl_launch(plan->bias, queue, bias, y);
}

static linnet_status linear_run_weight(linear_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_view dy = args->output_gradients[LINNET_LINEAR_Y], x = args->inputs[LINNET_LINEAR_X];
    linnet_view dw = args->parameter_gradients[LINNET_LINEAR_WEIGHT];
    cl_int accumulate = linnet_cl_bit(args->accumulate_parameters, LINNET_LINEAR_WEIGHT);
    if (plan->bias_with_weight)
        return linnet_cl_gemm_run_sums(plan->parts[WEIGHT].product, queue, dy, x, dw, accumulate,
                                       args->parameter_gradients[LINNET_LINEAR_BIAS],
                                       linnet_cl_bit(args->accumulate_parameters, LINNET_LINEAR_BIAS));
    return linear_product(plan, WEIGHT, queue, dy, x, linnet_cl_no_view, dw, accumulate, args->workspace);
}

static linnet_status linear_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                         const linnet_layer_args *args)
{
    linear_plan *plan = (linear_plan *)base;
    linnet_view dy = args->output_gradients[LINNET_LINEAR_Y];
    linnet_status status = LINNET_OK;
    if (plan->want_inputs & 1u << LINNET_LINEAR_X)
        status = linear_product(plan, DATA, queue, dy, args->parameters[LINNET_LINEAR_WEIGHT], linnet_cl_no_view,
                                args->input_gradients[LINNET_LINEAR_X],
                                linnet_cl_bit(args->accumulate_inputs, LINNET_LINEAR_X), args->workspace);
    if (plan->want_parameters & 1u << LINNET_LINEAR_WEIGHT && !status)
        status = linear_run_weight(plan, queue, args);
    if (plan->bias && !status)
        status = linnet_cl_reduce(plan->bias, queue, dy, args->parameter_gradients[LINNET_LINEAR_BIAS],
                                  linnet_cl_bit(args->accumulate_parameters, LINNET_LINEAR_BIAS));
    return status;
}

static void linear_bias_kernel(linear_plan *plan, const linnet_cl_gemm *product)
{
    plan->bias = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BIAS, "bias_apply_rows", 2);
    linnet_cl_int(plan->bias, product->n);
    linnet_cl_int(plan->bias, product->has_bias);
    linnet_cl_int(plan->bias, product->epilogue.op);
    linnet_cl_float(plan->bias, product->epilogue.alpha);
    linnet_cl_float(plan->bias, product->epilogue.beta);
    linnet_cl_range(plan->bias, product->n, product->m, 1, 64);
}

/* With the weights' product, or by itself: rows of dy are the parts of a sum over [O]. */
static void linear_bias_gradient(linear_plan *plan, int64_t n, int64_t o)
{
    const linnet_cl_kernel *weight = plan->parts[WEIGHT].product;
    plan->bias_with_weight =
        weight && !plan->parts[WEIGHT].sum && linnet_cl_gemm_has_sums(weight, &plan->products[WEIGHT]);
    if (!plan->bias_with_weight)
        plan->bias = linnet_cl_reduce_kernel(&plan->base, o, n, 1.0f);
}

static void linear_kernels(linear_plan *plan, const linnet_layer_desc *desc)
{
    int64_t n = desc->outputs[0].dims[0], o = desc->parameters[LINNET_LINEAR_WEIGHT].dims[0];
    bool wanted[3], forward = desc->direction == LINNET_FORWARD;
    linear_products(desc, plan->products, wanted);
    for (int which = 0; which < 3; which++)
        if (wanted[which] && plan->tiled)
            plan->parts[which] = linnet_cl_gemm_parts_kernels(&plan->base, &plan->products[which]);
        else if (wanted[which] && !plan->clblast)
            plan->parts[which].product = linnet_cl_gemm_kernel(&plan->base, &plan->products[which], false);
    if (forward && plan->clblast && (plan->has_bias || desc->epilogue_count))
        linear_bias_kernel(plan, &plan->products[FORWARD]);
    if (!forward && linnet_cl_wants_parameter(desc, LINNET_LINEAR_BIAS))
        linear_bias_gradient(plan, n, o);
}

static linnet_status linear_plan_new(linnet_backend_device *device, const linnet_layer_desc *desc,
                                     const char *candidate, linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(linear_plan),
                           desc->direction == LINNET_FORWARD ? linear_run_forward : linear_run_backward, &base);
    if (status)
        return status;
    linear_plan *plan = (linear_plan *)base;
    plan->clblast = strcmp(candidate, "clblast") == 0;
    if (plan->clblast)
        base->status = linnet_cl_clblast_check(device);
    plan->tiled = strcmp(candidate, "tiled") == 0;
    plan->has_bias = desc->parameter_count > LINNET_LINEAR_BIAS;
    plan->want_inputs = desc->want_inputs;
    plan->want_parameters = desc->want_parameters;
    linear_kernels(plan, desc);
    return linnet_cl_plan_done(base, out);
}

LINNET_CL_OPS(linear, linear_candidate, linear_plan_new);
