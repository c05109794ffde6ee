/* SPDX-License-Identifier: Apache-2.0 */
#include "faulty_backend.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* One faulty device at a time, one thread, each plan run before the next is made. */
static const linnet_backend *original;
static linnet_backend table;
static linnet_layer_ops ops;
static const linnet_layer_ops *original_ops;
static fault active;
static linnet_layer_desc planned;
static linnet_tensor_desc planned_inputs[LINNET_MAX_INPUTS], planned_outputs[LINNET_MAX_OUTPUTS];
static uint64_t runs, leaked;

static uint8_t *bytes_at(linnet_view view)
{
    return view.buffer ? (uint8_t *)original->host_pointer(view.buffer) + view.offset : NULL;
}

static float *floats_at(linnet_view view)
{
    return (float *)(void *)bytes_at(view);
}

/* One ulp away, also from a NaN or zero. */
static void nudge(float *value)
{
    *value = nextafterf(*value, INFINITY);
}

static linnet_status candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                               linnet_candidate *out)
{
    linnet_status status = original_ops->candidate(device, desc, index, out);
    if (status || out->refusal)
        return status;
    if (desc->kind == LINNET_LAYER_CONV2D && (active == FAULT_OUTPUT_SMALL || active == FAULT_NONDETERMINISTIC))
        out->numerics = LINNET_NUMERICS_WINOGRAD;
    if (active == FAULT_FALSE_IN_PLACE && desc->direction == LINNET_FORWARD)
        out->in_place = 1;
    if (active == FAULT_FALSE_ALIAS)
        out->in_place = out->alias = 1;
    if (active == FAULT_REFUSES_PARAMETERS && desc->want_parameters && !desc->want_inputs)
        out->refusal = "no";
    return status;
}

static void forget_strides(linnet_tensor_desc *out, const linnet_tensor_desc *descs, uint32_t count)
{
    memcpy(out, descs, count * sizeof *out);
    for (uint32_t i = 0; i < count && active == FAULT_IGNORES_STRIDE; i++)
        out[i].outer_stride = 0;
}

static linnet_status plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *name,
                          linnet_backend_plan **out)
{
    planned = *desc;
    forget_strides(planned_inputs, desc->inputs, desc->input_count);
    forget_strides(planned_outputs, desc->outputs, desc->output_count);
    planned.inputs = planned_inputs;
    planned.outputs = planned_outputs;
    return original_ops->plan(device, &planned, name, out);
}

static void scale_output(float *y)
{
    int64_t rows = planned.outputs[0].outer_stride ? planned.outputs[0].dims[0] : 1;
    int64_t row = linnet_desc_count(&planned.outputs[0]) / rows;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < row; j++)
            y[i * planned.outputs[0].outer_stride + j] *= 1.0625f;
}

static void after_forward(const linnet_layer_args *args, float last_before)
{
    float *y = floats_at(args->outputs[0]);
    int64_t count = linnet_desc_count(&planned.outputs[0]);
    if (active == FAULT_OUTPUT_ULP || (active == FAULT_NONDETERMINISTIC && runs % 2))
        nudge(&y[count / 2]);
    else if (active == FAULT_OUTPUT_SMALL)
        y[count / 2] += 1e-4f * (1 + fabsf(y[count / 2]));
    else if (active == FAULT_OUTPUT_UNWRITTEN)
        y[count - 1] = last_before;
    else if (active == FAULT_WRITES_BEHIND && args->outputs[0].offset) /* else there is no guard band */
        y[count] = 0;
    else if (active == FAULT_WRITES_BEFORE && args->outputs[0].offset)
        y[-1] = 0;
    else if (active == FAULT_SCALE)
        scale_output(y);
    else if (active == FAULT_CHANGES_INPUT)
        nudge(floats_at(args->inputs[0]));
    else if (active == FAULT_CHANGES_PARAMETER && planned.parameter_count)
        nudge(floats_at(args->parameters[0]));
}

static void after_backward(const linnet_layer_args *args)
{
    if (active == FAULT_INPUT_GRADIENT && planned.want_inputs)
        nudge(floats_at(args->input_gradients[0]));
    if (active == FAULT_PARAMETER_GRADIENT && planned.want_parameters >> (planned.parameter_count - 1) & 1)
        nudge(floats_at(args->parameter_gradients[planned.parameter_count - 1]));
    if (active == FAULT_UNWANTED_GRADIENT && planned.want_inputs && !planned.want_parameters)
        nudge(floats_at(args->output_gradients[0]));
}

static linnet_status run(linnet_backend_plan *p, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_layer_args changed = *args;
    linnet_view states[LINNET_MAX_STATES];
    float kept[2][64], last = 0;
    bool forward = planned.direction == LINNET_FORWARD;
    runs++;
    if (active == FAULT_FAILS)
        return LINNET_DEVICE_ERROR;
    if (active == FAULT_NO_ACCUMULATION)
        changed.accumulate_inputs = changed.accumulate_parameters = 0;
    if (active == FAULT_SEED)
        changed.seed++;
    for (uint32_t i = 0; active == FAULT_STATE && i < planned.state_count && i < 2; i++) {
        states[i] = args->states[i];
        memcpy(kept[i], floats_at(states[i]), (size_t)planned.states[i].dims[0] * sizeof(float));
    }
    if (forward)
        last = floats_at(args->outputs[0])[linnet_desc_count(&planned.outputs[0]) - 1];
    linnet_status status = original_ops->run(p, queue, &changed);
    if (forward)
        after_forward(args, last);
    else
        after_backward(args);
    for (uint32_t i = 0; active == FAULT_STATE && i < planned.state_count && i < 2; i++)
        memcpy(floats_at(states[i]), kept[i], (size_t)planned.states[i].dims[0] * sizeof(float));
    return status;
}

static const linnet_layer_ops *layer_ops(linnet_backend_device *device, uint32_t kind)
{
    original_ops = original->layer_ops(device, kind);
    ops = *original_ops;
    ops.candidate = candidate;
    ops.plan = plan;
    ops.run = run;
    return &ops;
}

static linnet_status optimizer_step(linnet_backend_queue *queue, const linnet_optimizer_desc *desc,
                                    linnet_view parameters, linnet_view gradients, const linnet_view *slots)
{
    linnet_optimizer_desc changed = *desc;
    if (active == FAULT_OPTIMIZER)
        changed.learning_rate *= 1.0001f;
    return original->optimizer_step(queue, &changed, parameters, gradients, slots);
}

static linnet_status fill(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes)
{
    return original->fill(queue, destination, pattern, active == FAULT_FILL && bytes >= 4 ? bytes - 4 : bytes);
}

static linnet_status copy(linnet_backend_queue *queue, linnet_view destination, linnet_view source, uint64_t bytes)
{
    return active == FAULT_COPY ? LINNET_OK : original->copy(queue, destination, source, bytes);
}

static uint64_t live_objects(void)
{
    return original->live_objects() + (active == FAULT_LEAK ? leaked++ : 0);
}

static linnet_status no_buffer(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out)
{
    (void)device, (void)bytes;
    *out = NULL;
    return LINNET_OUT_OF_MEMORY;
}

linnet_device faulty_device(const linnet_device *device, fault which)
{
    linnet_device result = *device;
    original = device->backend;
    table = *original;
    active = which;
    runs = leaked = 0;
    table.layer_ops = layer_ops;
    table.optimizer_step = optimizer_step;
    table.fill = fill;
    table.copy = copy;
    table.live_objects = live_objects;
    if (active == FAULT_NO_MEMORY)
        table.buffer_new = no_buffer;
    result.backend = &table;
    return result;
}
