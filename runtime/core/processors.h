/* SPDX-License-Identifier: Apache-2.0 */
/* How many processors this process may use. Internal. */
#ifndef LINNET_CORE_PROCESSORS_H
#define LINNET_CORE_PROCESSORS_H

#include "core.h"

/* The smaller of the affinity mask and the limits of the process' control groups; at least 1. */
uint32_t linnet_processor_count(void);

/* The processors that control groups grant, rounded up: the least quota / period on the way from the process' group to
   the root; 0: no limit. membership is a file as /proc/self/cgroup. root is where version 2 is mounted, and the folder
   of version 1's controllers. */
uint32_t linnet_cgroup_limit(const char *membership, const char *root);

#endif
