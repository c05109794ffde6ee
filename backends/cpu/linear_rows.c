/* SPDX-License-Identifier: Apache-2.0 */
/* linear for few items: y[n][o] is the product of two rows as they lie, and the weights are read once, at the speed of
   the memory that they come from. */
#include "kernels/kernels.h"
#include "linear.h"

enum { FEW_ITEMS = 8, TASK_FLOATS = 1 << 14, ITEMS = 4 };

/* ---- The layer ---- */

int cpu_linear_describe_rows(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_linear_describe(desc, out, LINNET_FORMAT_NCHW);
    return desc->inputs[0].dims[0] < FEW_ITEMS ? CPU_PREFER : CPU_AVOID;
}

typedef struct job {
    cpu_linear_sizes s;
    const float *x, *weight, *bias;
    float *y;
    cpu_epilogue epilogue;
    int64_t outputs; /* of a task */
} job;

/* Outputs [first, last) of up to ITEMS items from n0 on. */
static void items_rows(const job *j, int64_t n0, int64_t first, int64_t last)
{
    int64_t items = cpu_min(ITEMS, j->s.n - n0), rows = cpu_table.vector / (items > 2 ? 4 : items);
    cpu_gemv g = {.x = j->x + n0 * j->s.x_stride,
                  .x_n = j->s.x_stride,
                  .weight_r = j->s.i,
                  .y_n = j->s.y_stride,
                  .depth = j->s.i,
                  .items = (int32_t)items,
                  .low = j->epilogue.low,
                  .high = j->epilogue.high};
    for (int64_t o = first; o < last; o += rows) {
        g.rows = (int32_t)cpu_min(rows, last - o);
        g.weights = j->weight + o * j->s.i;
        g.bias = j->bias ? j->bias + o : NULL;
        g.y = j->y + n0 * j->s.y_stride + o;
        cpu_table.gemv(&g);
    }
}

static void outputs_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t begin = task * j->outputs, end = cpu_min(j->s.o, begin + j->outputs);
    /* A few rows for all items, so that weights come from memory once. */
    for (int64_t first = begin; first < end; first += cpu_table.vector)
        for (int64_t n = 0; n < j->s.n; n += ITEMS)
            items_rows(j, n, first, cpu_min(end, first + cpu_table.vector));
    for (int64_t n = 0; n < j->s.n && j->epilogue.count > 0; n++)
        cpu_epilogue_apply(&j->epilogue, j->y + n * j->s.y_stride + begin, end - begin);
}

void cpu_linear_forward_rows(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = {.s = cpu_linear_sizes_of(desc),
             .x = cpu_view(args->inputs[0]),
             .weight = cpu_view(args->parameters[LINNET_LINEAR_WEIGHT]),
             .bias = desc->parameter_count > 1 ? cpu_view(args->parameters[LINNET_LINEAR_BIAS]) : NULL,
             .y = cpu_view(args->outputs[0]),
             .epilogue = cpu_epilogue_of(desc, args)};
    j.outputs = cpu_ceil(TASK_FLOATS, j.s.i * cpu_table.vector) * cpu_table.vector;
    cpu_parallel(cpu_ceil(j.s.o, j.outputs), j.s.o * j.s.i * cpu_ceil(j.s.n, ITEMS) / 4, outputs_task, &j);
}
