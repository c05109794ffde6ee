/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds that have no algorithm here yet: the runtime runs them elsewhere. */
#include "cpu.h"

const cpu_layer cpu_local_conv2d = {NULL, 0};
const cpu_layer cpu_gram = {NULL, 0};
const cpu_layer cpu_total_variation = {NULL, 0};
const cpu_layer cpu_alpha_norm = {NULL, 0};
const cpu_layer cpu_pad2d = {NULL, 0};
