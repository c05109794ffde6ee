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

#include <limits.h>

/* LINNET_OK: the plugin may be probed in this process. Else out_reason says which driver does what. The plugin is
   loaded; under the registry's lock. */
linnet_status linnet_prober_ask(linnet_context *context, const linnet_plugin *plugin, char *out_reason, size_t size);

/* ---- helper.c: running linnet-probe ---- */

typedef struct linnet_helper_end {
    bool ran;       /* false: it is not here, or could not be started */
    bool good;      /* it came to its end */
    bool device;    /* and could open a device */
    char text[160]; /* did not run: why; else what it did instead: "crashes (Segmentation fault)" */
} linnet_helper_end;

/* Where it is looked for: beside each folder of plugins, as it lies in an installation and in a build; then where it
   was to be installed. False behind the last. */
bool linnet_helper_place(const linnet_registry *registry, size_t index, char out[PATH_MAX]);

/* Has the helper probe a plugin, with a variable set unless it is "". */
void linnet_helper_run(const linnet_registry *registry, const linnet_plugin *plugin, const char *variable,
                       const char *value, double seconds, linnet_helper_end *out);

#endif
