/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a session goes: a record of all that its devices are asked to do, with the times that the devices
 * themselves say (events of an OpenCL queue), or the host's clock around calls that have done their work when they
 * return.
 *
 *     linnet_session_set_profile(session, 1);
 *     ... forward, backward, step ...
 *     linnet_session_take_profile(session, each, context);     each(context, &span) for every piece of work
 *
 * Nothing waits for the device before linnet_session_take_profile does. Every time is in seconds on the host's
 * CLOCK_MONOTONIC; a device's own clock is brought to it as well as can be known, to about the time of one call.
 */
#ifndef LINNET_PROFILE_H
#define LINNET_PROFILE_H

#include "session.h"

LINNET_BEGIN_DECLS

/* A kernel, a transfer. */
typedef struct linnet_span_command {
    const char *name; /* static */
    double start, end;
} linnet_span_command;

/* A piece of work. Valid during the call that it is given to; texts live as long as the session. */
typedef struct linnet_span {
    uint32_t struct_size;
    uint32_t device;   /* 0: the session's own; others: where layers run that it lacks */
    const char *label; /* of the device */
    linnet_step_info
        step; /* what is done. Work that is no step of a plan: layer "upload" or "copy" (inputs), "pack" (parameters
                 into other formats, folded batch norms), "clear", "optimizer" or "read", node: of what */
    int64_t index;               /* of the plan's step: linnet_session_step; -1: none */
    double host_start, host_end; /* the call that asked for it */
    double start, end;           /* on the device, from the first command to the last; host_start: there was none */
    double seconds;              /* that it worked in between */
    const linnet_span_command *commands; /* in their order; none where the device has no clock */
    size_t command_count;
} linnet_span;

/* Whether work is recorded from now on (default: no). Waits for the device and forgets what was recorded. */
LINNET_API linnet_status linnet_session_set_profile(linnet_session *session, int on);
/* Waits for the device, gives everything recorded since the last time to each (NULL: to nobody), in the order in which
   it was asked for, and forgets it. Of more than a million pieces the earliest are gone. */
LINNET_API linnet_status linnet_session_take_profile(linnet_session *session,
                                                     void (*each)(void *context, const linnet_span *span),
                                                     void *context);

LINNET_END_DECLS

#endif
