/* SPDX-License-Identifier: Apache-2.0 */
/* F(2 x 2, 3 x 3) on GPUs: conv2d_winograd.clh says how. */
#define M          2
#define VALUE      float
#define NAME(name) name##_f2
#include "winograd.clh"
#include "unary_op.clh"
#include "conv2d_winograd.clh"
