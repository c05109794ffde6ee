/* SPDX-License-Identifier: Apache-2.0 */
/* Context, messages, log, memory, files, forks. */
#include "plugins.h"

#include "core/core.h"
#include "linnet/tensor.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Status and types ---- */

static void every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int i = LINNET_OK; i <= LINNET_INTERNAL; i++) {
        assert_true(strlen(linnet_status_text((linnet_status)i)) > 3);
        assert_string_not_equal(linnet_status_name((linnet_status)i), "LINNET_?");
    }
    assert_string_equal(linnet_status_name(LINNET_SHAPE), "LINNET_SHAPE");
    assert_string_equal(linnet_status_text((linnet_status)999), "unknown status");
}

static void tensor_sizes_do_not_overflow(void **state)
{
    (void)state;
    linnet_tensor tensor = {.type = LINNET_F32, .rank = 4, .dims = {2, 3, 5, 7}};
    assert_int_equal(linnet_tensor_count(&tensor), 210);
    assert_int_equal(linnet_tensor_bytes(&tensor), 840);
    tensor.dims[0] = INT64_MAX / 100;
    assert_int_equal(linnet_tensor_count(&tensor), -1);
    tensor.dims[0] = INT64_MAX / 105; /* the count fits, the bytes do not */
    assert_int_equal(linnet_tensor_count(&tensor), INT64_MAX / 105 * 105);
    assert_int_equal(linnet_tensor_bytes(&tensor), -1);
    tensor.dims[0] = -1;
    assert_int_equal(linnet_tensor_bytes(&tensor), -1);
    tensor.rank = LINNET_MAX_RANK + 1;
    assert_int_equal(linnet_tensor_count(&tensor), -1);
    assert_int_equal(linnet_type_size((linnet_type)77), 0);
}

/* ---- Messages ---- */

static void *message_of_another_thread(void *context)
{
    return linnet_duplicate(linnet_context_message(context));
}

static void messages_belong_to_context_and_thread(void **state)
{
    (void)state;
    linnet_context *a = linnet_context_new(), *b = linnet_context_new();
    assert_string_equal(linnet_context_message(a), "");
    assert_int_equal(linnet_fail(a, LINNET_SHAPE, "%d channels", 6), LINNET_SHAPE);
    assert_string_equal(linnet_context_message(a), "6 channels");
    assert_int_equal(linnet_context_last_status(a), LINNET_SHAPE);
    assert_string_equal(linnet_context_message(b), "");
    pthread_t thread;
    void *seen;
    assert_int_equal(pthread_create(&thread, NULL, message_of_another_thread, a), 0);
    assert_int_equal(pthread_join(thread, &seen), 0);
    assert_string_equal(seen, "");
    linnet_release(seen);
    linnet_fail(a, LINNET_INVALID, "before: %s", linnet_context_message(a));
    assert_string_equal(linnet_context_message(a), "before: 6 channels");
    linnet_context_clear(a);
    assert_string_equal(linnet_context_message(a), "");
    assert_int_equal(linnet_context_last_status(a), LINNET_OK);
    linnet_context_free(&a);
    assert_null(a);
    linnet_context_free(&a);
    linnet_context_free(NULL);
    linnet_context_free(&b);
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    static char text[50000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    linnet_fail(NULL, LINNET_INVALID, "%s", text);
    size_t length = strlen(linnet_context_message(NULL));
    assert_true(length > 200 && length < sizeof text);
    linnet_context_clear(NULL);
}

static char logged[512];

static void keep_log(void *user, linnet_log_level level, const char *message)
{
    (void)level;
    ++*(int *)user;
    snprintf(logged, sizeof logged, "%s", message);
}

static void log_goes_to_the_handler(void **state)
{
    (void)state;
    int lines = 0;
    linnet_context *context = linnet_context_new();
    linnet_log(context, LINNET_LOG_WARNING, "nobody listens");
    linnet_context_set_log(context, keep_log, &lines);
    linnet_log(context, LINNET_LOG_WARNING, "attention: %d", 1);
    assert_int_equal(lines, 1);
    assert_string_equal(logged, "attention: 1");
    linnet_log(context, LINNET_LOG_DEBUG, "a detail"); /* LINNET_VERBOSE is unset */
    assert_int_equal(lines, 1);
    linnet_context_free(&context);
    setenv("LINNET_VERBOSE", "3", 1);
    context = linnet_context_new();
    linnet_context_set_log(context, keep_log, &lines);
    linnet_log(context, LINNET_LOG_DEBUG, "a detail");
    assert_int_equal(lines, 2);
    linnet_context_free(&context);
    unsetenv("LINNET_VERBOSE");
}

/* ---- fork() ---- */

static void child_of_a_fork_is_told_so(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("good");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        linnet_device *device = linnet_device_open(context, "good");
        _exit(!device && linnet_context_last_status(context) == LINNET_FORKED ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_opened(context, "good", "Stub device 0"); /* the parent goes on */
    linnet_context_free(&context);
}

/* ---- Memory ---- */

static void memory_is_aligned_and_zero(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < 300; bytes += 7) {
        unsigned char *memory = linnet_allocate(bytes, 1);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(memory[i], 0);
        linnet_release(memory);
    }
    linnet_release(NULL);
}

static void impossible_sizes_give_null(void **state)
{
    (void)state;
    assert_null(linnet_allocate(SIZE_MAX / 2, 3));
    assert_null(linnet_allocate(SIZE_MAX, 1));
    assert_null(linnet_allocate(SIZE_MAX - 64, 1));
    int *array = NULL;
    size_t capacity = 0;
    assert_false(linnet_grow(&array, &capacity, SIZE_MAX / 2, sizeof *array));
    assert_int_equal(capacity, 0);
}

static void arrays_grow_and_keep_what_they_hold(void **state)
{
    (void)state;
    int *array = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(linnet_grow(&array, &capacity, (size_t)i + 1, sizeof *array));
        assert_int_equal(array[i], 0);
        array[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    linnet_release(array);
}

/* Opening a device survives every single allocation failing, says so, and leaks nothing (AddressSanitizer looks). */
static void opening_survives_failing_allocations(void **state)
{
    (void)state;
    bool opened = false;
    for (int64_t n = 0; n < 200 && !opened; n++) {
        setenv("LINNET_PLUGIN_PATH", STUBS_DIR "/good", 1);
        linnet_memory_fail_after(n);
        linnet_context *context = linnet_context_new();
        linnet_device *device = context ? linnet_device_open(context, "good") : NULL;
        linnet_memory_fail_after(-1);
        if (context && !device)
            assert_string_not_equal(linnet_context_message(context), "");
        opened = device != NULL;
        linnet_device_close(&device);
        linnet_context_free(&context);
    }
    assert_true(opened);
}

/* ---- Files ---- */

#define FOLDER TEST_BINARY_DIR "/tests/unit/files"

static linnet_status write_text(linnet_context *context, const char *path, const char *text)
{
    const void *pieces[] = {text, "", text};
    const size_t sizes[] = {strlen(text), 0, strlen(text)};
    return linnet_file_write(context, path, pieces, sizes, 3);
}

static void files_are_written_whole_and_read_back(void **state)
{
    (void)state;
    mkdir(FOLDER, 0755);
    linnet_context *context = linnet_context_new();
    void *data;
    size_t size;
    assert_int_equal(write_text(context, FOLDER "/one", "old"), LINNET_OK);
    assert_int_equal(write_text(context, FOLDER "/one", "newer"), LINNET_OK);
    assert_int_equal(linnet_file_read(context, FOLDER "/one", 100, &data, &size), LINNET_OK);
    assert_int_equal(size, 10);
    assert_memory_equal(data, "newernewer", 10);
    linnet_release(data);
    assert_int_equal(linnet_file_read(context, FOLDER "/one", 9, &data, &size), LINNET_LIMIT);
    assert_contains(linnet_context_message(context), FOLDER "/one");
    assert_null(data);
    linnet_context_free(&context);
}

static void what_cannot_be_read_or_written_is_named(void **state)
{
    (void)state;
    mkdir(FOLDER, 0755);
    linnet_context *context = linnet_context_new();
    void *data;
    size_t size;
    assert_int_equal(linnet_file_read(context, FOLDER "/absent", 100, &data, &size), LINNET_IO);
    assert_contains(linnet_context_message(context), FOLDER "/absent");
    assert_int_equal(linnet_file_read(context, FOLDER, 100, &data, &size), LINNET_IO);
    assert_int_equal(linnet_file_read(context, "/dev/zero", 100, &data, &size), LINNET_IO);
    assert_int_equal(write_text(context, FOLDER "/no/such/folder", "x"), LINNET_IO);
    assert_contains(linnet_context_message(context), FOLDER "/no/such/folder");
    linnet_context_free(&context);
}

/* A write that fails at the end (the target is a folder) leaves no temporary behind. */
static void failed_writes_leave_nothing(void **state)
{
    (void)state;
    mkdir(FOLDER, 0755);
    mkdir(FOLDER "/target", 0755);
    mkdir(FOLDER "/target/full", 0755);
    assert_int_equal(write_text(NULL, FOLDER "/target", "x"), LINNET_IO);
    assert_int_equal(system("ls " FOLDER "/*.tmp >/dev/null 2>&1") != 0, 1);
    linnet_context_clear(NULL);
}

/* The limit on a file's size kills the process in the middle of the write. */
static void killed_writes_leave_nothing(void **state)
{
    static char bytes[100000];
    const void *pieces[] = {bytes};
    size_t sizes[] = {sizeof bytes};
    int result, unnamed;
    (void)state;
    mkdir(FOLDER, 0755);
    unnamed = open(FOLDER, O_TMPFILE | O_WRONLY, 0600);
    if (unnamed < 0)
        skip(); /* this file system has no files without a name: a temporary stays, and the next write goes on beside it
                 */
    close(unnamed);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){sizeof bytes / 2, sizeof bytes / 2});
        linnet_file_write(NULL, FOLDER "/killed", pieces, sizes, 1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGXFSZ);
    assert_int_equal(system("ls " FOLDER "/killed* >/dev/null 2>&1") != 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name_and_a_text),
        cmocka_unit_test(tensor_sizes_do_not_overflow),
        cmocka_unit_test(messages_belong_to_context_and_thread),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(log_goes_to_the_handler),
        cmocka_unit_test(child_of_a_fork_is_told_so),
        cmocka_unit_test(memory_is_aligned_and_zero),
        cmocka_unit_test(impossible_sizes_give_null),
        cmocka_unit_test(arrays_grow_and_keep_what_they_hold),
        cmocka_unit_test(opening_survives_failing_allocations),
        cmocka_unit_test(files_are_written_whole_and_read_back),
        cmocka_unit_test(what_cannot_be_read_or_written_is_named),
        cmocka_unit_test(failed_writes_leave_nothing),
        cmocka_unit_test(killed_writes_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
