/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `linnet summary`. */
#ifndef LINNET_TOOLS_SUMMARY_H
#define LINNET_TOOLS_SUMMARY_H

#include "cli.h"

/* Every convolution beside a layer that connects all with all, and one with local fields but no shared weights. */
int summary_sharing(const linnet_net *net);

#endif
