/* SPDX-License-Identifier: Apache-2.0 */
/* What every room of the runtime stands on: errors, log, memory, files. Internal. */
#ifndef LINNET_CORE_H
#define LINNET_CORE_H

#include "linnet/context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* context, or the default one for NULL; never NULL (out of memory gives a static context that refuses everything). */
linnet_context *linnet_context_or_default(linnet_context *context);

/* Keeps the sentence as the calling thread's message and returns status: return linnet_fail(context, LINNET_SHAPE,
 * "...") */
linnet_status linnet_fail(linnet_context *context, linnet_status status, const char *format, ...) LINNET_PRINTF(3, 4);

/* LINNET_OK, or what was wrong with the environment when the context was made, or LINNET_FORKED in a fork's child.
   Every constructor asks first. */
linnet_status linnet_context_check(linnet_context *context);

void linnet_log(linnet_context *context, linnet_log_level level, const char *format, ...) LINNET_PRINTF(3, 4);

/* ---- memory.c: zeroed, 64-byte aligned; NULL on overflow or when there is none left. Releases accept NULL. ---- */
void *linnet_allocate(size_t count, size_t size);
/* Grows *array to hold needed elements of size bytes (doubling); new elements are zero. */
bool linnet_grow(void *array, size_t *capacity, size_t needed, size_t size);
void linnet_release(void *memory);
char *linnet_duplicate(const char *text); /* release with linnet_release */
char *linnet_format(const char *format, ...) LINNET_PRINTF(1, 2);
/* For tests: the allocation after this many more fails, and every later one; negative: none does. */
void linnet_memory_fail_after(int64_t allocations);

/* Seconds on CLOCK_MONOTONIC. */
double linnet_now(void);

/* ---- file.c ---- */
/* Reads a whole file of at most max_bytes (LINNET_LIMIT above); release *out_data. LINNET_IO names the path. */
linnet_status linnet_file_read(linnet_context *context, const char *path, size_t max_bytes, void **out_data,
                               size_t *out_size);
/* Writes to a file without a name (where there are none, a temporary beside path), fsync, rename, fsync of the directory:
 * afterwards path holds the old or the new bytes, never a mixture, and where the process was killed no half of them. */
linnet_status linnet_file_write(linnet_context *context, const char *path, const void *const *pieces,
                                const size_t *sizes, size_t piece_count);

/* ---- environment.c: the variables of docs/environment.md, trusted reading (secure_getenv) ---- */
const char *linnet_environment(const char *name);

#endif
