/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a context. Internal to core and device. */
#ifndef LINNET_CORE_CONTEXT_H
#define LINNET_CORE_CONTEXT_H

#include "core.h"
#include "environment.h"

#include <pthread.h>

struct linnet_registry; /* device/registry.h */

struct linnet_context {
    pthread_mutex_t mutex; /* guards registry and log */
    linnet_settings settings;
    linnet_status settings_status; /* what was wrong with the environment */
    char settings_message[256];
    linnet_log_function log;
    void *log_user;
    struct linnet_registry *registry; /* made at first use */
    void (*registry_free)(struct linnet_registry *);
};

#endif
