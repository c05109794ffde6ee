/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0, or the errno with which a file in the folder cannot be made. */
static int folder_error(const char *folder)
{
    struct stat info;
    if (stat(folder, &info) != 0)
        return errno;
    if (!S_ISDIR(info.st_mode))
        return ENOTDIR;
    return access(folder, W_OK | X_OK) == 0 ? 0 : errno;
}

int output_check(const char *path)
{
    struct stat info;
    if (!path)
        return EXIT_GO_ON;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a path");
    int error = folder_error(folder);
    free(folder);
    if (!error && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        error = EISDIR;
    return error ? cli_fail(EXIT_FAILED, "%s: cannot be written: %s", path, strerror(error)) : EXIT_GO_ON;
}

int output_check_picture(const char *path)
{
    linnet_status status = path ? linnet_image_check_path(NULL, path) : LINNET_OK;
    int code = cli_check(status);
    if (status == LINNET_INVALID)
        return EXIT_USAGE;
    return code == EXIT_GO_ON ? output_check(path) : code;
}

char *output_path(const char *folder, const char *name)
{
    size_t length = strlen(folder), size = length + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
    return path;
}
