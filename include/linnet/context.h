/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context holds the registry of backends, the log and the last error. Every constructor takes one; NULL means the
 * default context, which is made at first use and lives as long as the process.
 *
 * Threads: a context may be used from several threads at once. The last message is kept per thread.
 * Environment: read when the context is made (docs/environment.md); a value that makes no sense fails every later
 * constructor with LINNET_INVALID and a sentence naming the variable.
 */
#ifndef LINNET_CONTEXT_H
#define LINNET_CONTEXT_H

#include "status.h"

LINNET_BEGIN_DECLS

typedef struct linnet_context linnet_context;

typedef enum linnet_log_level {
    LINNET_LOG_ERROR = 0,
    LINNET_LOG_WARNING = 1, /* something is not as asked for, and the work goes on (a fallback, a cache refused) */
    LINNET_LOG_INFO = 2,    /* what was chosen and why */
    LINNET_LOG_DEBUG = 3
} linnet_log_level;

typedef void (*linnet_log_function)(void *user, linnet_log_level level, const char *message);

/* A new context; NULL when out of memory. Reads the environment. */
LINNET_API linnet_context *linnet_context_new(void);
/* Frees a context that nothing made from it uses any more. Accepts NULL, clears the pointer. */
LINNET_API void linnet_context_free(linnet_context **context);

/* The sentence of the calling thread's last failed call on this context, "" when there was none.
   Valid until the thread's next failing call. */
LINNET_API const char *linnet_context_message(const linnet_context *context);
/* The status that came with it; LINNET_OK when there was none. For constructors, which return NULL. */
LINNET_API linnet_status linnet_context_last_status(const linnet_context *context);
/* Forgets the calling thread's last message and status. */
LINNET_API void linnet_context_clear(const linnet_context *context);

/* Where log lines go. Without a handler they are dropped, unless LINNET_VERBOSE is set: then they go to stderr. */
LINNET_API void linnet_context_set_log(linnet_context *context, linnet_log_function function, void *user);

/* Release of the library, "0.1.0". */
LINNET_API const char *linnet_version(void);

LINNET_END_DECLS
#endif
