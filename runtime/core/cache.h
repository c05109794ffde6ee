/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of caches: everything works without it, but is measured, compared and built anew each time. Internal. */
#ifndef LINNET_CORE_CACHE_H
#define LINNET_CORE_CACHE_H

#include "core.h"

/* LINNET_CACHE_DIR, else $XDG_CACHE_HOME/linnet, else ~/.cache/linnet; nothing is made. NULL: nowhere; else release it.
 */
char *linnet_cache_path(void);
/* The same, made with mode 0700 when absent. NULL: there is none, or it cannot be made, which is warned of. The string
   lives as long as the process. */
const char *linnet_cache_directory(linnet_context *context);
/* Writes a file of that folder; warns where it cannot be written. */
void linnet_cache_write(linnet_context *context, const char *path, const char *text);
/* Warns, once a process, that something is not kept: message says which file or folder, and why. */
void linnet_cache_failed(linnet_context *context, const char *message);

#endif
