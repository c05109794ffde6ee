/* SPDX-License-Identifier: Apache-2.0 */
/* Recording what a session asks its devices for: begin, the calls, end. Nothing happens while profiling is off.
   Internal. */
#ifndef LINNET_GRAPH_PROFILE_H
#define LINNET_GRAPH_PROFILE_H

#include "linnet/profile.h"
#include "session.h"

void linnet_profile_begin(linnet_session *session, uint32_t place);
/* status: of the calls; returns it, or what went wrong in finding out when they ended. what and name live as long as
   the session. */
linnet_status linnet_profile_end(linnet_session *session, linnet_status status, const char *what, const char *name,
                                 uint64_t bytes);
/* What was recorded is gone: its queues are, too. */
void linnet_profile_forget(linnet_session *session);
/* For a new queue of the device. */
uint32_t linnet_profile_queue_flags(const linnet_session *session, const linnet_device *device);
void linnet_profile_free(linnet_session *session);

#endif
