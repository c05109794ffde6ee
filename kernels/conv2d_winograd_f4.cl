/* SPDX-License-Identifier: Apache-2.0 */
/* F(4 x 4, 3 x 3) on GPUs: conv2d_winograd.clh says how. */
#define M          4
#define VALUE      float
#define NAME(name) name##_f4
#include "winograd.clh"
#include "unary_op.clh"
#include "conv2d_winograd.clh"
