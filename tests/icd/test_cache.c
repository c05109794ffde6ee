/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of built programs by itself: every byte of an entry damaged, every length, foreign entries, too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "opencl.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BINARY = 300, FILE_BYTES = 8 + 32 + 32 + 8 + BINARY };

static char folder[256];
static const char *mib;

/* ---- The host, and what else the cache's files need ---- */

static void *host_allocate(size_t bytes)
{
    return calloc(1, bytes);
}

static const char *host_option(const char *name)
{
    return strcmp(name, "LINNET_CACHE_MIB") == 0 ? mib : NULL;
}

static const char *host_cache_directory(void)
{
    return *folder ? folder : NULL;
}

static char complaint[1024]; /* the last one */

static void host_cache_failed(const char *message)
{
    snprintf(complaint, sizeof complaint, "%s", message);
}

static const linnet_host host = {.struct_size = sizeof(host),
                                 .allocate = host_allocate,
                                 .release = free,
                                 .option = host_option,
                                 .cache_directory = host_cache_directory,
                                 .cache_failed = host_cache_failed};
const linnet_host *linnet_cl_host = &host;

void linnet_cl_log(int level, const char *format, ...)
{
    (void)level;
    (void)format;
}

linnet_status linnet_cl_fail(linnet_status status, const char *format, ...)
{
    (void)format;
    return status;
}

/* ---- Helpers ---- */

static linnet_cl_cache_key key_of(uint8_t number)
{
    linnet_cl_cache_key key;
    memset(key.bytes, number, sizeof(key.bytes));
    return key;
}

static void path_of(uint8_t number, char out[512])
{
    int at = snprintf(out, 512, "%s/opencl-", folder);
    for (int i = 0; i < 32; i++)
        at += snprintf(out + at, 512 - (size_t)at, "%02x", number);
    snprintf(out + at, 512 - (size_t)at, ".bin");
}

static void fill(uint8_t binary[BINARY])
{
    for (int i = 0; i < BINARY; i++)
        binary[i] = (uint8_t)(i * 37 + 11);
}

static void read_file(uint8_t number, uint8_t out[FILE_BYTES])
{
    char path[512];
    path_of(number, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(out, 1, FILE_BYTES, file), FILE_BYTES);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
}

static void write_file(uint8_t number, const uint8_t *data, size_t bytes)
{
    char path[512];
    path_of(number, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
}

static int is_there(uint8_t number)
{
    char path[512];
    path_of(number, path);
    return access(path, F_OK) == 0;
}

/* Number's entry loads as what was stored, or not at all. */
static int loads(uint8_t number)
{
    size_t bytes = 0;
    uint8_t wanted[BINARY];
    linnet_cl_cache_key key = key_of(number);
    void *binary = linnet_cl_cache_load(&key, &bytes);
    fill(wanted);
    int good = binary != NULL;
    if (good) {
        assert_int_equal(bytes, BINARY);
        assert_memory_equal(binary, wanted, BINARY);
    }
    free(binary);
    return good;
}

static void store(uint8_t number)
{
    uint8_t binary[BINARY];
    linnet_cl_cache_key key = key_of(number);
    fill(binary);
    linnet_cl_cache_store(&key, binary, BINARY);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/cache.XXXXXX", TEST_FOLDER);
    mib = NULL;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char path[1024];
    DIR *list = opendir(folder);
    for (struct dirent *entry = list ? readdir(list) : NULL; entry; entry = readdir(list)) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (list)
        closedir(list);
    return rmdir(folder);
}

/* ---- Tests ---- */

static void what_was_stored_comes_back(void **state)
{
    (void)state;
    assert_false(loads(1));
    store(1);
    assert_true(loads(1));
    assert_false(loads(2));
}

static void every_damaged_bit_is_seen_and_the_entry_deleted(void **state)
{
    (void)state;
    uint8_t good[FILE_BYTES], bad[FILE_BYTES];
    store(1);
    read_file(1, good);
    for (size_t at = 0; at < FILE_BYTES; at++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bad, good, sizeof bad);
            bad[at] ^= (uint8_t)(1 << bit);
            write_file(1, bad, sizeof bad);
            assert_false(loads(1));
            assert_false(is_there(1));
        }
    write_file(1, good, sizeof good);
    assert_true(loads(1));
}

static void every_other_length_is_seen(void **state)
{
    (void)state;
    uint8_t longer[2 * FILE_BYTES] = {0};
    store(1);
    read_file(1, longer);
    for (size_t bytes = 0; bytes < 2 * FILE_BYTES; bytes++)
        if (bytes != FILE_BYTES) {
            write_file(1, longer, bytes);
            assert_false(loads(1));
            assert_false(is_there(1));
        }
}

/* Another key's entry, whole and well, under this key's name. */
static void a_foreign_entry_is_refused(void **state)
{
    (void)state;
    uint8_t data[FILE_BYTES];
    store(2);
    read_file(2, data);
    write_file(1, data, sizeof data);
    assert_false(loads(1));
    assert_false(is_there(1));
    assert_true(loads(2));
}

static void links_pipes_and_folders_are_no_entries(void **state)
{
    (void)state;
    char path[512], other[512];
    store(2);
    path_of(1, path);
    path_of(2, other);
    assert_int_equal(symlink(other, path), 0);
    assert_false(loads(1));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(loads(1));
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(loads(1));
    store(1); /* cannot take its place, and nothing is left behind */
    assert_non_null(strstr(complaint, ": cannot be written: Is a directory"));
    assert_int_equal(rmdir(path), 0);
    assert_true(loads(2));
}

static void what_was_not_used_for_longest_goes(void **state)
{
    (void)state;
    static uint8_t large[(1 << 20) - 200];
    char path[512];
    mib = "3";
    for (uint8_t number = 1; number <= 3; number++) {
        linnet_cl_cache_key key = key_of(number);
        struct timespec times[2] = {{.tv_sec = 1000 + number}, {.tv_sec = 1000 + number}};
        linnet_cl_cache_store(&key, large, sizeof large);
        path_of(number, path);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    size_t bytes;
    linnet_cl_cache_key first = key_of(1);
    free(linnet_cl_cache_load(&first, &bytes)); /* used now: 2 is the oldest */
    store(4);
    assert_true(is_there(1) && !is_there(2) && is_there(3) && is_there(4));
    mib = "0";
    store(5);
    for (uint8_t number = 1; number <= 5; number++)
        assert_false(is_there(number));
}

/* What cannot be kept is complained of. */
static void nothing_is_written_where_nothing_is_kept(void **state)
{
    (void)state;
    char kept[256];
    memcpy(kept, folder, sizeof kept);
    snprintf(folder, sizeof folder, "%s/none", TEST_FOLDER);
    mib = "0";
    complaint[0] = '\0';
    store(1);
    assert_string_equal(complaint, "");
    mib = NULL;
    store(1);
    assert_non_null(strstr(complaint, "/none/opencl-"));
    assert_non_null(strstr(complaint, ": cannot be written: No such file or directory"));
    memcpy(folder, kept, sizeof kept);
}

/* However many there are, those that were used last stay. */
static void many_entries_are_all_seen(void **state)
{
    (void)state;
    enum { MANY = 5000, OLD = 4000, BYTES = 2 << 10 };
    static const uint8_t data[BYTES];
    char path[512];
    for (int i = 0; i < MANY; i++) {
        struct timespec times[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
        snprintf(path, sizeof path, "%s/opencl-%064d.bin", folder, i);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, BYTES, file), BYTES);
        fclose(file);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    mib = "1";
    store(1);
    int left = 0;
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "%s/opencl-%064d.bin", folder, i);
        bool is_left = access(path, F_OK) == 0;
        assert_true(is_left || i < MANY - 511);
        assert_true(!is_left || i >= OLD);
        left += is_left;
    }
    assert_int_equal(left, (1 << 20) / BYTES - 1); /* and the one that was stored */
    assert_true(loads(1));
}

static void what_a_dead_writer_left_goes(void **state)
{
    (void)state;
    char path[512], young[600], old[600];
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    path_of(7, path);
    snprintf(young, sizeof young, "%s.abcdef", path);
    snprintf(old, sizeof old, "%s.ABCDEF", path);
    close(open(young, O_CREAT | O_WRONLY, 0600));
    close(open(old, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(utimensat(AT_FDCWD, old, times, 0), 0);
    store(1);
    assert_int_equal(access(young, F_OK), 0);
    assert_int_not_equal(access(old, F_OK), 0);
    assert_true(loads(1));
}

static void a_size_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    uint64_t bytes;
    const char *bad[] = {"", "x", "-1", "1x", "1048577", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mib = bad[i];
        assert_int_equal(linnet_cl_cache_option(&bytes), LINNET_INVALID);
    }
    mib = "1048576";
    assert_int_equal(linnet_cl_cache_option(&bytes), LINNET_OK);
    assert_true(bytes == (uint64_t)1 << 40);
}

static void without_a_folder_nothing_is_kept(void **state)
{
    (void)state;
    char kept[256];
    memcpy(kept, folder, sizeof kept);
    folder[0] = '\0';
    store(1);
    assert_false(loads(1));
    memcpy(folder, kept, sizeof kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_written_where_nothing_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_entries_are_all_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_stored_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_damaged_bit_is_seen_and_the_entry_deleted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_other_length_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_foreign_entry_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_pipes_and_folders_are_no_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_used_for_longest_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_dead_writer_left_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_size_that_makes_no_sense_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_folder_nothing_is_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
