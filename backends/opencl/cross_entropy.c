/* SPDX-License-Identifier: Apache-2.0 */
/* cross_entropy of logits and integer labels: the loss in two stages, or in one where it is soon done, the gradient
   from the logits again. */
#include "plan.h"
#include "sizes.h"

/* Parts of the loss: on processors runs of rows, on GPUs single rows while there are not too many. */
enum { ROWS_A_PART = 16, MOST_PARTS = 1024, MOST_ROWS = 8192 };
/* Scores that a processor's unit goes through in less time than a second launch takes. */
enum { FEW_SCORES = 2048 };

/* Rows that are added up one after the other. */
static int64_t rows_a_part(const linnet_backend_device *device, int64_t rows, int64_t classes)
{
    if (device->prefers_vectors && rows > 1 && rows * classes <= FEW_SCORES)
        return rows;
    int64_t most = device->prefers_vectors ? MOST_PARTS : MOST_ROWS, least = device->prefers_vectors ? ROWS_A_PART : 1;
    int64_t run = ceil_div(rows, most);
    return larger(run, least);
}

static linnet_status cross_entropy_candidate(linnet_backend_device *device, const linnet_layer_desc *desc,
                                             uint32_t index, linnet_candidate *out)
{
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    const int64_t *logits = desc->inputs[LINNET_CROSS_ENTROPY_LOGITS].dims;
    int64_t rows = logits[0], run = rows_a_part(device, rows, logits[1]);
    if (desc->direction == LINNET_FORWARD)
        out->workspace_bytes = (uint64_t)ceil_div(rows, run) * sizeof(float);
    else
        out->reads_inputs = 1u << LINNET_CROSS_ENTROPY_LOGITS | 1u << LINNET_CROSS_ENTROPY_LABELS;
    return status;
}

static linnet_status cross_entropy_run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                               const linnet_layer_args *args)
{
    bool once = plan->kernel_count == 1;
    linnet_view loss = args->outputs[LINNET_CROSS_ENTROPY_LOSS];
    linnet_status status = linnet_cl_launch(&plan->kernels[0], queue, args->inputs[LINNET_CROSS_ENTROPY_LOGITS],
                                            args->inputs[LINNET_CROSS_ENTROPY_LABELS], once ? loss : args->workspace);
    return status || once ? status : linnet_cl_reduce(&plan->kernels[1], queue, args->workspace, loss, 0);
}

static linnet_status cross_entropy_run_backward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                                const linnet_layer_args *args)
{
    linnet_cl_run_int(&plan->kernels[0], 0, linnet_cl_bit(args->accumulate_inputs, LINNET_CROSS_ENTROPY_LOGITS));
    return linnet_cl_launch(
        &plan->kernels[0], queue, args->inputs[LINNET_CROSS_ENTROPY_LOGITS], args->inputs[LINNET_CROSS_ENTROPY_LABELS],
        args->output_gradients[LINNET_CROSS_ENTROPY_LOSS], args->input_gradients[LINNET_CROSS_ENTROPY_LOGITS]);
}

static void cross_entropy_forward(linnet_backend_plan *plan, int64_t rows, int64_t classes)
{
    int64_t run = rows_a_part(plan->device, rows, classes), parts = ceil_div(rows, run);
    float scale = 1.0f / (float)rows;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CROSS_ENTROPY, "cross_entropy_forward", 3);
    linnet_cl_int(kernel, rows);
    linnet_cl_int(kernel, classes);
    linnet_cl_int(kernel, run);
    linnet_cl_int(kernel, parts);
    linnet_cl_float(kernel, parts == 1 ? scale : 1.0f);
    linnet_cl_lines(kernel, parts, classes, 1, 1);
    if (parts > 1)
        linnet_cl_reduce_kernel(plan, 1, parts, scale);
}

static void cross_entropy_backward(linnet_backend_plan *plan, int64_t rows, int64_t classes)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CROSS_ENTROPY, "cross_entropy_backward", 4);
    linnet_cl_int(kernel, rows);
    linnet_cl_int(kernel, classes);
    linnet_cl_lines(kernel, rows, classes, 1, 16);
}

static linnet_status cross_entropy_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                        const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    const linnet_tensor_desc *logits = &desc->inputs[LINNET_CROSS_ENTROPY_LOGITS];
    linnet_backend_plan *plan;
    linnet_status status = linnet_cl_plan_new(device, sizeof(*plan),
                                              forward ? cross_entropy_run_forward : cross_entropy_run_backward, &plan);
    if (status)
        return status;
    if (forward)
        cross_entropy_forward(plan, logits->dims[0], logits->dims[1]);
    else
        cross_entropy_backward(plan, logits->dims[0], logits->dims[1]);
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(cross_entropy, cross_entropy_candidate, cross_entropy_plan);
