/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of files share: a folder of their own, bytes written and read, a sum over bytes. */
#ifndef LINNET_TEST_FILES_H
#define LINNET_TEST_FILES_H

#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A new folder; folder_remove takes it away with the files in it. */
static inline int folder_make(void **state)
{
    const char *where = getenv("TMPDIR");
    char *folder = malloc(1024);
    if (!folder)
        return -1;
    snprintf(folder, 1024, "%s/linnet-test-XXXXXX", where ? where : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    *state = folder;
    return 0;
}

static inline int folder_remove(void **state)
{
    char command[1200];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    int code = system(command);
    free(*state);
    return code;
}

/* folder/name; the text is valid until the fourth next call. */
static inline const char *path_in(const char *folder, const char *name)
{
    static char paths[4][1200];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void file_put(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline size_t file_get(const char *path, void *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t got = fread(out, 1, size, file);
    fclose(file);
    return got;
}

/* The last call failed so, and its sentence contains text. */
static inline void assert_failed_with(linnet_status status, const char *text)
{
    assert_string_equal(linnet_status_name(linnet_context_last_status(NULL)), linnet_status_name(status));
    if (!strstr(linnet_context_message(NULL), text))
        fail_msg("'%s' does not contain '%s'", linnet_context_message(NULL), text);
}

/* FNV-1a. */
static inline uint64_t sum_of(const void *bytes, size_t size)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return sum;
}

#endif
