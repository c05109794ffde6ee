/* SPDX-License-Identifier: Apache-2.0 */
/* binary: y = a + b, a - b, a b, and the gradients of both operands. */
#include "nchw16c.h"

typedef struct binary_plan {
    linnet_backend_plan base;
    uint32_t op, want_inputs;
    linnet_cl_kernel *gradients[2]; /* by operand, NULL where not wanted */
} binary_plan;

static linnet_status binary_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                      linnet_candidate *out)
{
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    const linnet_binary_attributes *attributes = desc->attributes;
    if (status)
        return status;
    if (!linnet_cl_follow_nchw16n(device, desc, out))
        linnet_cl_follow_nchw16c(device, desc, out);
    if (attributes->op < LINNET_BINARY_ADD || attributes->op > LINNET_BINARY_MUL)
        out->refusal = "unknown operator";
    out->in_place = 3;
    if (desc->direction == LINNET_FORWARD)
        return LINNET_OK;
    /* The gradient of a is written last, so it may lie on dy; that of b only when a's is not wanted. */
    out->in_place = linnet_cl_wants_input(desc, LINNET_BINARY_A) ? 1u << LINNET_BINARY_A : 1u << LINNET_BINARY_B;
    if (attributes->op == LINNET_BINARY_MUL)
        out->reads_inputs = (linnet_cl_wants_input(desc, LINNET_BINARY_A) ? 1u << LINNET_BINARY_B : 0u) |
                            (linnet_cl_wants_input(desc, LINNET_BINARY_B) ? 1u << LINNET_BINARY_A : 0u);
    return LINNET_OK;
}

static linnet_status binary_run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                        const linnet_layer_args *args)
{
    return linnet_cl_launch(&plan->kernels[0], queue, args->inputs[LINNET_BINARY_A], args->inputs[LINNET_BINARY_B],
                            args->outputs[LINNET_BINARY_Y]);
}

static linnet_status binary_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                         const linnet_layer_args *args)
{
    binary_plan *plan = (binary_plan *)base;
    for (uint32_t i = LINNET_BINARY_B + 1; i-- > 0;) {
        if (!plan->gradients[i])
            continue;
        linnet_view other = plan->op == LINNET_BINARY_MUL ? args->inputs[1 - i] : linnet_cl_no_view;
        linnet_cl_run_int(plan->gradients[i], 0, linnet_cl_bit(args->accumulate_inputs, i));
        linnet_status status = linnet_cl_launch(plan->gradients[i], queue, args->output_gradients[LINNET_BINARY_Y],
                                                other, args->input_gradients[i]);
        if (status)
            return status;
    }
    return LINNET_OK;
}

static void binary_kernel(linnet_cl_kernel *kernel, int64_t count, uint32_t op)
{
    linnet_cl_int(kernel, count);
    linnet_cl_int(kernel, op);
    linnet_cl_elements(kernel, count, 1);
}

static linnet_status binary_plan_new(linnet_backend_device *device, const linnet_layer_desc *desc,
                                     const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(binary_plan), forward ? binary_run_forward : binary_run_backward, &base);
    if (status)
        return status;
    binary_plan *plan = (binary_plan *)base;
    plan->op = ((const linnet_binary_attributes *)desc->attributes)->op;
    int64_t count = linnet_cl_storage(&desc->outputs[LINNET_BINARY_Y]);
    if (forward)
        binary_kernel(linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_BINARY, "binary_forward", 3), count, plan->op);
    for (uint32_t i = 0; i < 2 && !forward; i++) {
        if (!linnet_cl_wants_input(desc, i))
            continue;
        plan->gradients[i] = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_BINARY, "binary_backward", 3);
        binary_kernel(plan->gradients[i], count, plan->op);
        linnet_cl_int(plan->gradients[i], i == LINNET_BINARY_B && plan->op == LINNET_BINARY_SUB);
    }
    return linnet_cl_plan_done(base, out);
}

LINNET_CL_OPS(binary, binary_candidate, binary_plan_new);
