/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of small kernels that most plans need. Drivers for which a program costs something by itself, and a kernel
 * nothing until it runs, get them as one, in the first one's place. Their sources stand behind one another: each name
 * and macro is there once, or the same, and what they include has guards.
 */
#include "opencl.h"

static const linnet_cl_program_id together[] = {
    LINNET_CL_PROGRAM_NCHW16C,       LINNET_CL_PROGRAM_UNARY,        LINNET_CL_PROGRAM_BINARY,
    LINNET_CL_PROGRAM_RESHAPE,       LINNET_CL_PROGRAM_GEMM_PANEL,   LINNET_CL_PROGRAM_POOL2D_NCHW16C,
    LINNET_CL_PROGRAM_CROSS_ENTROPY, LINNET_CL_PROGRAM_REDUCE,       LINNET_CL_PROGRAM_SGD,
    LINNET_CL_PROGRAM_ADAM,          LINNET_CL_PROGRAM_CONV2D_BATCH, LINNET_CL_PROGRAM_CONV2D_BATCH_WEIGHT,
};
enum { COUNT = sizeof(together) / sizeof(together[0]) };
_Static_assert((int)COUNT <= (int)LINNET_CL_MOST_TOGETHER, "room for their sources");

bool linnet_cl_program_is_many(const linnet_backend_device *device, linnet_cl_program_id place)
{
    return place == together[0] && (device->quirks & LINNET_CL_QUIRK_LATE_KERNELS);
}

linnet_cl_program_id linnet_cl_program_place(const linnet_backend_device *device, linnet_cl_program_id id)
{
    for (int i = 0; i < COUNT && (device->quirks & LINNET_CL_QUIRK_LATE_KERNELS); i++)
        if (together[i] == id)
            return together[0];
    return id;
}

cl_uint linnet_cl_program_sources(const linnet_backend_device *device, linnet_cl_program_id place,
                                  const char *out_sources[LINNET_CL_MOST_TOGETHER])
{
    if (!linnet_cl_program_is_many(device, place)) {
        out_sources[0] = linnet_cl_sources[place];
        return 1;
    }
    for (int i = 0; i < COUNT; i++)
        out_sources[i] = linnet_cl_sources[together[i]];
    return COUNT;
}
