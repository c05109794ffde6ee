/* SPDX-License-Identifier: Apache-2.0 */
/* The environment variables, read once per context and checked. docs/environment.md is the table for people. Internal.
 */
#ifndef LINNET_CORE_ENVIRONMENT_H
#define LINNET_CORE_ENVIRONMENT_H

#include "core.h"

typedef enum linnet_fallback { LINNET_FALLBACK_ALLOW, LINNET_FALLBACK_WARN, LINNET_FALLBACK_ERROR } linnet_fallback;

typedef struct linnet_settings {
    char *backend;     /* LINNET_BACKEND, NULL: the best device */
    char *plugin_path; /* LINNET_PLUGIN_PATH, colon-separated, NULL: none */
    linnet_fallback fallback;
    bool direct; /* LINNET_NUMERICS=direct */
    int verbose; /* LINNET_VERBOSE: -1 unset, else 0..3 */
    bool check;  /* LINNET_CHECK: implementations are compared with the reference at first use, where drivers compile */
    int probe_seconds; /* LINNET_PROBE: how long drivers may take to say which devices they have; 0: inline */
} linnet_settings;

/* Reads and checks; LINNET_INVALID with a sentence naming the variable in message. */
linnet_status linnet_settings_read(linnet_settings *out, char *message, size_t size);
void linnet_settings_clear(linnet_settings *settings);

/* LINNET_NUM_THREADS, else linnet_processor_count. */
uint32_t linnet_thread_count(void);

#endif
