/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Built programs on disk, under the host's cache folder: opencl-<key>.bin, where the key is a hash of source, options,
 * platform, device, driver and release. The file is
 *
 *   8 bytes "LNTCLP01", key (32), SHA-256 of the binary (32), length of the binary (8, little-endian), the binary
 *
 * and nothing of it reaches a driver before every byte was checked: drivers crash on damaged binaries. Any doubt, and
 * the file is deleted and the program built anew. Written to a temporary and renamed, so a reader sees all of it or
 * nothing. Once there is more than LINNET_CACHE_MIB of them, those that were not used for longest go.
 */
#include "opencl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC_BYTES = 8, HASH_BYTES = 32, HEADER_BYTES = MAGIC_BYTES + 2 * HASH_BYTES + 8, PATH_BYTES = 4096 };
#define LARGEST_BINARY ((uint64_t)256 << 20)

static const uint8_t magic[MAGIC_BYTES] = "LNTCLP01";

static void hash_text(linnet_cl_sha256 *hash, const char *text)
{
    linnet_cl_sha256_add(hash, text, strlen(text) + 1); /* with its NUL, so that neighbours cannot run together */
}

void linnet_cl_cache_key_make(const linnet_backend_device *device, const char *const *sources, cl_uint count,
                              const char *options, linnet_cl_cache_key *out)
{
    linnet_cl_sha256 hash;
    char text[1024] = "";
    linnet_cl_sha256_start(&hash);
    hash_text(&hash, LINNET_CL_RELEASE);
    for (cl_uint i = 0; i < count; i++)
        hash_text(&hash, sources[i]);
    hash_text(&hash, options);
    hash_text(&hash, device->info.platform);
    hash_text(&hash, device->info.vendor);
    hash_text(&hash, device->info.name);
    hash_text(&hash, device->info.version);
    if (clGetDeviceInfo(device->id, CL_DEVICE_VERSION, sizeof(text), text, NULL) == CL_SUCCESS)
        hash_text(&hash, text);
    linnet_cl_sha256_end(&hash, out->bytes);
}

/* False when nothing is to be cached. */
static bool cache_path(const linnet_cl_cache_key *key, char out[PATH_BYTES])
{
    const char *folder = linnet_cl_host->cache_directory();
    if (!folder)
        return false;
    char name[2 * HASH_BYTES + 1];
    for (int i = 0; i < HASH_BYTES; i++)
        snprintf(name + 2 * i, 3, "%02x", key->bytes[i]);
    int wrote = snprintf(out, PATH_BYTES, "%s/opencl-%s.bin", folder, name);
    return wrote > 0 && wrote < PATH_BYTES;
}

static bool read_all(int file, void *out, size_t bytes)
{
    unsigned char *to = out;
    while (bytes > 0) {
        ssize_t got = read(file, to, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        bytes -= (size_t)got;
    }
    return true;
}

static bool write_all(int file, const void *data, size_t bytes)
{
    const unsigned char *from = data;
    while (bytes > 0) {
        ssize_t wrote = write(file, from, bytes);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        from += wrote;
        bytes -= (size_t)wrote;
    }
    return true;
}

static void content_hash(const void *binary, size_t bytes, uint8_t out[HASH_BYTES])
{
    linnet_cl_sha256 hash;
    linnet_cl_sha256_start(&hash);
    linnet_cl_sha256_add(&hash, binary, bytes);
    linnet_cl_sha256_end(&hash, out);
}

static void header_make(const linnet_cl_cache_key *key, const void *binary, size_t bytes, uint8_t out[HEADER_BYTES])
{
    memcpy(out, magic, MAGIC_BYTES);
    memcpy(out + MAGIC_BYTES, key->bytes, HASH_BYTES);
    content_hash(binary, bytes, out + MAGIC_BYTES + HASH_BYTES);
    for (int i = 0; i < 8; i++)
        out[MAGIC_BYTES + 2 * HASH_BYTES + i] = (uint8_t)((uint64_t)bytes >> 8 * i);
}

/* The whole file, checked; NULL when any byte of it is not what was written. */
static void *read_checked(int file, const linnet_cl_cache_key *key, size_t *out_bytes)
{
    struct stat about;
    uint8_t header[HEADER_BYTES], expected[HEADER_BYTES];
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size <= HEADER_BYTES ||
        (uint64_t)about.st_size - HEADER_BYTES > LARGEST_BINARY || !read_all(file, header, sizeof(header)))
        return NULL;
    size_t bytes = (size_t)about.st_size - HEADER_BYTES;
    void *binary = linnet_cl_host->allocate(bytes);
    if (!binary)
        return NULL;
    bool good = read_all(file, binary, bytes);
    if (good) {
        header_make(key, binary, bytes, expected);
        good = memcmp(header, expected, HEADER_BYTES) == 0;
    }
    if (!good) {
        linnet_cl_host->release(binary);
        return NULL;
    }
    *out_bytes = bytes;
    return binary;
}

static void complain(const char *path, const char *what, int error)
{
    char message[PATH_BYTES + 128];
    snprintf(message, sizeof(message), "%s: cannot be %s: %s", path, what, strerror(error));
    linnet_cl_host->cache_failed(message);
}

void *linnet_cl_cache_load(const linnet_cl_cache_key *key, size_t *out_bytes)
{
    char path[PATH_BYTES];
    *out_bytes = 0;
    if (!cache_path(key, path))
        return NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0)
        return NULL;
    void *binary = read_checked(file, key, out_bytes);
    if (binary)
        futimens(file, NULL); /* used now; where that may not be said it only goes the sooner */
    close(file);
    if (!binary) {
        linnet_cl_log(1, "%s is ignored: it is damaged (the program is built anew)", path);
        linnet_cl_cache_discard(key);
    }
    return binary;
}

void linnet_cl_cache_discard(const linnet_cl_cache_key *key)
{
    char path[PATH_BYTES];
    if (cache_path(key, path) && unlink(path) != 0 && errno != ENOENT)
        complain(path, "deleted", errno);
}

static bool write_file(int file, const linnet_cl_cache_key *key, const void *binary, size_t bytes)
{
    uint8_t header[HEADER_BYTES];
    header_make(key, binary, bytes, header);
    return write_all(file, header, sizeof(header)) && write_all(file, binary, bytes);
}

void linnet_cl_cache_store(const linnet_cl_cache_key *key, const void *binary, size_t bytes)
{
    uint64_t limit;
    char path[PATH_BYTES], temporary[PATH_BYTES + 16];
    if (bytes == 0 || bytes > LARGEST_BINARY || !cache_path(key, path))
        return;
    if (linnet_cl_cache_option(&limit) == LINNET_OK && limit == 0) {
        linnet_cl_cache_trim(); /* what was kept before */
        return;
    }
    snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    int file = mkstemp(temporary);
    bool good = file >= 0 && write_file(file, key, binary, bytes);
    int error = errno;
    if (file >= 0 && close(file) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && rename(temporary, path) != 0) {
        good = false;
        error = errno;
    }
    if (good) {
        linnet_cl_cache_trim();
        return;
    }
    if (file >= 0)
        unlink(temporary);
    complain(path, "written", error);
}

size_t linnet_cl_cache_describe(char *out_text, size_t size)
{
    const char *folder = linnet_cl_host->cache_directory();
    unsigned long long entries = 0, bytes = 0;
    DIR *list = folder ? opendir(folder) : NULL;
    struct stat about;
    for (struct dirent *entry = list ? readdir(list) : NULL; entry; entry = readdir(list)) {
        if (strncmp(entry->d_name, "opencl-", 7) != 0 ||
            fstatat(dirfd(list), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        entries++;
        bytes += (unsigned long long)about.st_size;
    }
    if (list)
        closedir(list);
    int wrote = folder ? snprintf(out_text, size, "program cache: %s, %llu program%s, %llu bytes\n", folder, entries,
                                  entries == 1 ? "" : "s", bytes)
                       : snprintf(out_text, size, "program cache: none (no cache folder)\n");
    return wrote < 0 ? 0 : (size_t)wrote < size ? (size_t)wrote : size - 1;
}
