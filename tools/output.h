/* SPDX-License-Identifier: Apache-2.0 */
/* Files that a command will write: what is wrong with their paths is said before a long computation, not after it. */
#ifndef LINNET_TOOLS_OUTPUT_H
#define LINNET_TOOLS_OUTPUT_H

#include "cli.h"

/* EXIT_GO_ON, or EXIT_FAILED where nothing can be written at path: no such folder, no permission. NULL: EXIT_GO_ON. */
int output_check(const char *path);
/* The same for a picture; EXIT_USAGE for a path whose end names no format. */
int output_check_picture(const char *path);

/* "folder/name", free it; a folder that ends in '/' gets no second one. NULL: no memory. */
char *output_path(const char *folder, const char *name);

#endif
