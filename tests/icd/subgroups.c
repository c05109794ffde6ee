/* SPDX-License-Identifier: Apache-2.0 */
#include "subgroups.h"

#include <stdio.h>

/* Numbered from the group's end, as a device may do: who takes a work-item's local id for its place in a sub-group is
   found out. */
static const char source[] =
    "#define test_place() ((uint)(get_local_size(0) - 1 - get_local_id(0)))\n"
    "#define get_max_sub_group_size() %uu\n"
    "#define get_sub_group_id() (test_place() / %uu)\n"
    "#define get_sub_group_local_id() (test_place() %% %uu)\n"
    "#define sub_group_barrier(flags) barrier(flags)\n"
    "float test_shuffle_xor(float value, uint mask, __local float *scratch)\n"
    "{\n"
    "    scratch[test_place()] = value;\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    value = scratch[test_place() ^ mask];\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    return value;\n"
    "}\n"
    "#define sub_group_shuffle_xor(value, mask) test_shuffle_xor(value, mask, scratch)\n"
    "#define intel_sub_group_shuffle_xor(value, mask) test_shuffle_xor(value, mask, scratch)\n";

void icd_subgroups_source(unsigned size, char *out_text, size_t bytes)
{
    snprintf(out_text, bytes, source, size, size, size);
}

const char *icd_subgroups_extensions(bool shuffles)
{
    return shuffles ? " cl_khr_subgroups cl_khr_subgroup_shuffle" : " cl_khr_subgroups";
}
