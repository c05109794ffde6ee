/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenCL for tests: a libOpenCL.so.1 that hands every call to the real one, unless it is told to fail it, and counts
 * the objects that its caller holds. A program loads it by its full path before a plugin asks for libOpenCL.so.1, and
 * finds the struct below as the symbol linnet_icd. One thread changes it while no call is under way.
 */
#ifndef LINNET_TESTS_ICD_H
#define LINNET_TESTS_ICD_H

#include <stdbool.h>
#include <stdint.h>

typedef enum icd_limits {
    ICD_LIMITS_REAL,
    ICD_LIMITS_ZERO, /* every number that a device says of itself is 0 */
    ICD_LIMITS_ONE,
    ICD_LIMITS_LARGE, /* all bits */
    ICD_LIMITS_COUNT
} icd_limits;

typedef struct icd_control {
    /* Told. */
    int64_t fail_at;       /* this call, counted from 0, fails; negative: none */
    bool and_after;        /* so does every later one: a device that is gone */
    bool lose;             /* instead, the context is gone from that call on, until another one is made: lost */
    uint64_t largest;      /* CL_DEVICE_MAX_MEM_ALLOC_SIZE, whatever it is; 0: what it is */
    uint64_t memory;       /* CL_DEVICE_GLOBAL_MEM_SIZE, in the same way */
    uint64_t most_bytes;   /* buffers of more fail, however large a device says they may be; 0: none does */
    const char *fail_name; /* every call of this function fails; NULL: none */
    int32_t code;          /* with this error */
    icd_limits limits;
    bool no_devices, no_platforms; /* as on a machine without */
    bool empty_logs;               /* build logs have no text, not even its end */
    bool no_binaries;              /* built programs have binaries of no bytes */
    uint32_t subgroups;            /* devices have sub-groups of so many work-items, emulated; 0: what they have;
                                      UINT32_MAX: they say so, and have none */
    bool shuffles;                 /* and shuffles in them */
    const char *miscompiled;       /* the kernel of this name does nothing unless built plainly (-cl-opt-disable); */
    bool plainly;                  /* even then */
    bool unlimited;                /* options that only NVIDIA's compiler knows are refused where it is played, too */
    /* Counted. */
    int64_t calls, failed;
    bool lost;
    int64_t waits;           /* calls that wait for a device: clFinish, clWaitForEvents, blocking transfers */
    int64_t maps, unmaps;    /* calls of clEnqueueMapBuffer, clEnqueueUnmapMemObject */
    int64_t live;            /* objects made or retained and not released */
    const char *failed_name; /* the last call that was failed; static */
} icd_control;

#endif
