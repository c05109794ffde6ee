/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT and SIGTERM as a request: finish the step, keep what there is, leave. The second one kills. */
#ifndef LINNET_TOOLS_INTERRUPT_H
#define LINNET_TOOLS_INTERRUPT_H

void interrupt_watch(void);
int interrupt_seen(void);

#endif
