/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers crash, hang and exit while they are loaded. So a program of our own, linnet-probe, loads a plugin's drivers
 * first and asks for their devices; only when it came back does this process do the same. Its verdict is kept in the
 * cache directory under what can be read of the drivers without loading them, so that it runs once for each state of a
 * machine. LINNET_PROBE=inline does without. Internal.
 */
#ifndef LINNET_DEVICE_PROBER_H
#define LINNET_DEVICE_PROBER_H

#include "registry.h"

/* LINNET_OK: the plugin may be probed in this process. Else out_reason says which driver does what. The plugin is
   loaded; under the registry's lock. */
linnet_status linnet_prober_ask(linnet_context *context, const linnet_plugin *plugin, char *out_reason, size_t size);

/* ---- helper.c: running linnet-probe ---- */

typedef struct linnet_helper_end {
    bool ran;       /* false: it is not here, or could not be started */
    bool good;      /* it came to its end */
    char text[160]; /* else what it did: "crashes (Segmentation fault)" */
} linnet_helper_end;

/* Has the helper probe a plugin, with a variable set unless it is "". */
void linnet_helper_run(const linnet_plugin *plugin, const char *variable, const char *value, double seconds,
                       linnet_helper_end *out);

#endif
