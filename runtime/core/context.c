/* SPDX-License-Identifier: Apache-2.0 */
#include "context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The calling thread's last failure, and on which context. The message has room for a list of all the weights that do
   not fit a deep net. */
static _Thread_local struct {
    const linnet_context *context;
    linnet_status status;
    char message[16384];
} last;

static linnet_context *default_context;
/* Stands in when there is no memory for the default context. */
static linnet_context refusing = {.settings = {.verbose = -1}};
static pthread_once_t default_once = PTHREAD_ONCE_INIT;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static volatile int forked; /* set in a fork's child when a context existed before */

static void mark_forked(void)
{
    forked = 1;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, mark_forked);
}

linnet_context *linnet_context_new(void)
{
    pthread_once(&fork_once, watch_forks);
    linnet_context *context = linnet_allocate(1, sizeof *context);
    if (!context)
        return NULL;
    if (pthread_mutex_init(&context->mutex, NULL)) {
        linnet_release(context);
        return NULL;
    }
    context->settings_status =
        linnet_settings_read(&context->settings, context->settings_message, sizeof context->settings_message);
    return context;
}

void linnet_context_free(linnet_context **context)
{
    if (!context || !*context || *context == default_context)
        return;
    linnet_context *c = *context;
    *context = NULL;
    if (c->registry)
        c->registry_free(c->registry);
    linnet_settings_clear(&c->settings);
    pthread_mutex_destroy(&c->mutex);
    linnet_release(c);
}

static void make_default(void)
{
    default_context = linnet_context_new();
    if (!default_context) {
        pthread_mutex_init(&refusing.mutex, NULL);
        refusing.settings_status = LINNET_OUT_OF_MEMORY;
        snprintf(refusing.settings_message, sizeof refusing.settings_message, "no memory for the default context");
        default_context = &refusing;
    }
}

linnet_context *linnet_context_or_default(linnet_context *context)
{
    if (context)
        return context;
    pthread_once(&default_once, make_default);
    return default_context;
}

linnet_status linnet_context_check(linnet_context *context)
{
    if (forked)
        return linnet_fail(context, LINNET_FORKED, "Linnet was in use before fork(); a child must exec or start anew");
    if (context->settings_status != LINNET_OK)
        return linnet_fail(context, context->settings_status, "%s", context->settings_message);
    return LINNET_OK;
}

linnet_status linnet_fail(linnet_context *context, linnet_status status, const char *format, ...)
{
    char message[sizeof last.message]; /* the arguments may point into last.message */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof message)
        memcpy(message + sizeof message - 4, "...", 4);
    memcpy(last.message, message, sizeof message);
    last.context = linnet_context_or_default(context);
    last.status = status;
    return status;
}

const char *linnet_context_message(const linnet_context *context)
{
    return last.context == linnet_context_or_default((linnet_context *)context) ? last.message : "";
}

linnet_status linnet_context_last_status(const linnet_context *context)
{
    return last.context == linnet_context_or_default((linnet_context *)context) ? last.status : LINNET_OK;
}

void linnet_context_clear(const linnet_context *context)
{
    if (last.context == linnet_context_or_default((linnet_context *)context))
        last.context = NULL;
}

void linnet_context_set_log(linnet_context *context, linnet_log_function function, void *user)
{
    context = linnet_context_or_default(context);
    pthread_mutex_lock(&context->mutex);
    context->log = function;
    context->log_user = user;
    pthread_mutex_unlock(&context->mutex);
}

void linnet_log(linnet_context *context, linnet_log_level level, const char *format, ...)
{
    context = linnet_context_or_default(context);
    pthread_mutex_lock(&context->mutex);
    linnet_log_function function = context->log;
    void *user = context->log_user;
    pthread_mutex_unlock(&context->mutex);
    int verbose = context->settings.verbose;
    /* A handler gets warnings and errors, and what LINNET_VERBOSE asks for on top. */
    int limit = function && verbose < LINNET_LOG_WARNING ? LINNET_LOG_WARNING : verbose;
    if ((int)level > limit)
        return;
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (function)
        function(user, level, message);
    else
        fprintf(stderr, "linnet: %s\n", message);
}

const char *linnet_version(void)
{
    return LINNET_VERSION_STRING;
}
