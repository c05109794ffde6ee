/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sub-groups of a device that has none, for kernels whose groups have one dimension: what OpenCL C's functions answer
 * is put in front of a program's source. Work-items wait for their whole group where their sub-group would do, so all
 * of it has to come along, and exchange values through a local array that is called scratch where they do.
 */
#ifndef LINNET_TESTS_SUBGROUPS_H
#define LINNET_TESTS_SUBGROUPS_H

#include <stdbool.h>
#include <stddef.h>

/* Source for sub-groups of so many work-items (a power of two), the last work-item being the first's number 0. */
void icd_subgroups_source(unsigned size, char *out_text, size_t bytes);
/* What the device says beside its own extensions: " cl_khr_subgroups", and with shuffles those. */
const char *icd_subgroups_extensions(bool shuffles);

#endif
