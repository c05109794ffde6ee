/* SPDX-License-Identifier: Apache-2.0 */
/* binary: y = f(a, b), element by element. */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_binary_attributes *attributes = desc->attributes;
    if (attributes->op < LINNET_BINARY_ADD || attributes->op > LINNET_BINARY_MUL)
        out->refusal = "unknown operator";
    if (desc->direction == LINNET_BACKWARD && attributes->op == LINNET_BINARY_MUL)
        out->reads_inputs = (desc->want_inputs & 1u << LINNET_BINARY_A ? 1u << LINNET_BINARY_B : 0) |
                            (desc->want_inputs & 1u << LINNET_BINARY_B ? 1u << LINNET_BINARY_A : 0);
    reference_in_place(desc, out);
}

static void forward(const reference_call *call)
{
    const linnet_binary_attributes *attributes = call->desc->attributes;
    reference_tensor a = reference_input(call, LINNET_BINARY_A), b = reference_input(call, LINNET_BINARY_B);
    reference_tensor y = reference_output(call, LINNET_BINARY_Y);
    for (int64_t n = 0; n < y.items; n++)
        for (int64_t i = 0; i < y.inner; i++) {
            double left = reference_item(&a, n)[i], right = reference_item(&b, n)[i];
            double value = attributes->op == LINNET_BINARY_ADD   ? left + right
                           : attributes->op == LINNET_BINARY_SUB ? left - right
                                                                 : left * right;
            reference_item(&y, n)[i] = (float)value;
        }
}

/* Either gradient may lie where dy lies, and both may be the same place (a + a, the second accumulating): dy is read
   first, then da is written, then db. */
static void backward(const reference_call *call)
{
    const linnet_binary_attributes *attributes = call->desc->attributes;
    reference_tensor a = reference_input(call, LINNET_BINARY_A), b = reference_input(call, LINNET_BINARY_B);
    reference_tensor dy = reference_output_gradient(call, LINNET_BINARY_Y);
    reference_tensor da = reference_input_gradient(call, LINNET_BINARY_A),
                     db = reference_input_gradient(call, LINNET_BINARY_B);
    bool multiply = attributes->op == LINNET_BINARY_MUL;
    double sign = attributes->op == LINNET_BINARY_SUB ? -1 : 1;
    for (int64_t n = 0; n < dy.items; n++)
        for (int64_t i = 0; i < dy.inner; i++) {
            double g = reference_item(&dy, n)[i];
            if (da.data)
                reference_put(&da, reference_item(&da, n) + i, multiply ? g * reference_item(&b, n)[i] : g);
            if (db.data)
                reference_put(&db, reference_item(&db, n) + i, multiply ? g * reference_item(&a, n)[i] : sign * g);
        }
}

const reference_layer reference_binary_layer = {
    .attributes_size = sizeof(linnet_binary_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
