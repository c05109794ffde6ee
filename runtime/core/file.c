/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads until size bytes or the end; -1 with errno. */
static ssize_t read_fully(int file, char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(file, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static linnet_status read_open(linnet_context *context, int file, const char *path, size_t max_bytes, void **out_data,
                               size_t *out_size)
{
    struct stat info;
    if (fstat(file, &info))
        return linnet_fail(context, LINNET_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return linnet_fail(context, LINNET_IO, "%s: not a regular file", path);
    if ((uint64_t)info.st_size > max_bytes)
        return linnet_fail(context, LINNET_LIMIT, "%s: %lld bytes, at most %zu are read", path, (long long)info.st_size,
                           max_bytes);
    char *data = linnet_allocate((size_t)info.st_size + 1, 1);
    if (!data)
        return linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: no memory for %lld bytes", path,
                           (long long)info.st_size);
    ssize_t got = read_fully(file, data, (size_t)info.st_size);
    if (got < 0) {
        int error = errno;
        linnet_release(data);
        return linnet_fail(context, LINNET_IO, "%s: %s", path, strerror(error));
    }
    *out_data = data;
    *out_size = (size_t)got;
    return LINNET_OK;
}

linnet_status linnet_file_read(linnet_context *context, const char *path, size_t max_bytes, void **out_data,
                               size_t *out_size)
{
    *out_data = NULL;
    *out_size = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return linnet_fail(context, LINNET_IO, "%s: %s", path, strerror(errno));
    linnet_status status = read_open(context, file, path, max_bytes, out_data, out_size);
    close(file);
    return status;
}

static bool write_fully(int file, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(file, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

/* To be released; NULL: no memory. */
static char *folder_of(const char *path)
{
    char *folder = linnet_duplicate(strrchr(path, '/') ? path : ".");
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        slash[slash == folder] = '\0';
    return folder;
}

/* Makes the rename itself durable. */
static bool sync_folder(const char *folder)
{
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool done = fsync(file) == 0 || errno == EINVAL; /* some file systems cannot sync a folder */
    close(file);
    return done;
}

/* The pieces, and a sync; false with errno. */
static bool write_pieces(int file, const void *const *pieces, const size_t *sizes, size_t piece_count)
{
    bool done = true;
    for (size_t i = 0; done && i < piece_count; i++)
        done = write_fully(file, pieces[i], sizes[i]);
    return done && fsync(file) == 0;
}

/* A file that gets its name when it is whole, so that nothing is left where the process is killed in between. False
   also where the file system has no such files, or /proc is not there. */
static bool write_unnamed(const char *folder, const char *temporary, const void *const *pieces, const size_t *sizes,
                          size_t piece_count)
{
    char link[32];
    int file = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (file < 0)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    bool done = write_pieces(file, pieces, sizes, piece_count) &&
                linkat(AT_FDCWD, link, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == 0;
    return close(file) == 0 && done;
}

/* False with errno. */
static bool write_named(const char *temporary, const void *const *pieces, const size_t *sizes, size_t piece_count)
{
    int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        return false;
    bool done = write_pieces(file, pieces, sizes, piece_count);
    int error = errno;
    if (close(file) && done)
        return false;
    errno = error;
    return done;
}

linnet_status linnet_file_write(linnet_context *context, const char *path, const void *const *pieces,
                                const size_t *sizes, size_t piece_count)
{
    static _Atomic unsigned serial; /* two threads writing one path each get a temporary of their own */
    char *temporary = linnet_format("%s.%ld-%u.tmp", path, (long)getpid(), serial++);
    char *folder = folder_of(path);
    if (!temporary || !folder) {
        linnet_release(temporary);
        linnet_release(folder);
        return linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: no memory to write it", path);
    }
    unlink(temporary); /* left by a process of the same number that was killed */
    bool done = write_unnamed(folder, temporary, pieces, sizes, piece_count) ||
                write_named(temporary, pieces, sizes, piece_count);
    int error = errno;
    if (done && rename(temporary, path)) {
        done = false;
        error = errno;
    }
    if (!done)
        unlink(temporary);
    if (done && !sync_folder(folder)) {
        done = false;
        error = errno;
    }
    linnet_release(temporary);
    linnet_release(folder);
    return done ? LINNET_OK : linnet_fail(context, LINNET_IO, "%s: cannot be written: %s", path, strerror(error));
}
