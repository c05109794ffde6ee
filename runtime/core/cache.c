/* SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"

#include "environment.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

char *linnet_cache_path(void)
{
    const char *base;
    if ((base = linnet_environment("LINNET_CACHE_DIR")))
        return linnet_duplicate(base);
    if ((base = linnet_environment("XDG_CACHE_HOME")) && *base == '/')
        return linnet_format("%s/linnet", base);
    if ((base = linnet_environment("HOME")) && *base == '/')
        return linnet_format("%s/.cache/linnet", base);
    return NULL;
}

void linnet_cache_failed(linnet_context *context, const char *message)
{
    static atomic_bool said;
    if (!atomic_exchange(&said, true))
        linnet_log(context, LINNET_LOG_WARNING,
                   "not kept for the next time: %s (LINNET_CACHE_DIR names another folder)", message);
}

/* mkdir -p with mode 0700 for what is made; 0, or an errno: of the first folder that could not be made. */
static int make_folders(char *path)
{
    struct stat info;
    int error = 0;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) && errno != EEXIST && !error)
            error = errno;
        *slash = '/';
    }
    if (mkdir(path, 0700) && errno != EEXIST && !error)
        error = errno;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return 0;
    return error ? error : ENOTDIR;
}

const char *linnet_cache_directory(linnet_context *context)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static char *known; /* kept for the life of the process; a changed environment makes a new one */
    char *path = linnet_cache_path();
    if (!path)
        return NULL;
    pthread_mutex_lock(&mutex);
    bool made = known && strcmp(known, path) == 0;
    int error = made ? 0 : make_folders(path);
    if (!made && !error) {
        known = path; /* the one before may still be in use somewhere */
        path = NULL;
    }
    const char *result = error ? NULL : known;
    pthread_mutex_unlock(&mutex);
    if (error) {
        char message[512];
        snprintf(message, sizeof message, "%s: cannot be made: %s", path, strerror(error));
        linnet_cache_failed(context, message);
    }
    linnet_release(path);
    return result;
}

void linnet_cache_write(linnet_context *context, const char *path, const char *text)
{
    if (linnet_file_write(context, path, (const void *const[]){text}, (const size_t[]){strlen(text)}, 1) != LINNET_OK)
        linnet_cache_failed(context, linnet_context_message(context));
}
