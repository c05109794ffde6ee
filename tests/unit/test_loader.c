/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins with one thing wrong each: a reason that names file and cause, the others go on working, nothing crashes. */
#include "plugins.h"

#include "linnet/linnet.h"

#include <elf.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

/* The stub is refused with this status and this reason; by name, the message has path and reason; the good one beside
   it still opens. */
static void check_refused(const char *file, const char *path, linnet_status status, const char *reason)
{
    char both[1024];
    snprintf(both, sizeof both, "%s:%s/good", path, STUBS_DIR);
    linnet_context *context = context_with_path(both);
    linnet_backend_report report = report_of(context, file);
    assert_contains(report.reason, reason);
    assert_string_equal(linnet_status_name(report.status), linnet_status_name(status));
    assert_int_equal(report.device_count, 0);
    assert_not_opened(context, report.name, LINNET_NO_DEVICE, reason);
    assert_contains(linnet_context_message(context), report.path);
    assert_opened(context, "good", "Stub device 0");
    linnet_context_free(&context);
}

static void check_stub_refused(const char *stub, linnet_status status, const char *reason)
{
    char path[512], file[128];
    snprintf(path, sizeof path, "%s/%s", STUBS_DIR, stub);
    snprintf(file, sizeof file, "linnet-%s-abi", stub);
    check_refused(file, path, status, reason);
}

static void good_plugin_opens(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("good");
    linnet_backend_report report = report_of(context, "linnet-good-abi");
    assert_string_equal(report.name, "good");
    assert_string_equal(report.description, "a stub");
    assert_string_equal(report.reason, "");
    assert_int_equal(report.status, LINNET_OK);
    assert_int_equal(report.device_count, 1);
    linnet_device *device = linnet_device_open(context, "good");
    assert_non_null(device);
    assert_string_equal(linnet_device_backend_name(device), "good");
    assert_contains(linnet_device_label(device), "Stub device 0");
    linnet_device_close(&device);
    linnet_context_free(&context);
}

static void wrong_major_is_refused_before_its_constructor(void **state)
{
    (void)state;
    unsetenv("LINNET_STUB_CONSTRUCTED");
    check_stub_refused("abi9", LINNET_UNSUPPORTED, "ABI 9");
    assert_null(getenv("LINNET_STUB_CONSTRUCTED"));
}

static void lying_major_is_refused(void **state)
{
    (void)state;
    check_stub_refused("lying_major", LINNET_UNSUPPORTED, "ABI 9");
}

static void short_struct_is_refused(void **state)
{
    (void)state;
    check_stub_refused("short_struct", LINNET_UNSUPPORTED, "bytes");
}

static void newer_minor_works(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("newer_minor");
    assert_opened(context, "newer_minor", "Stub device 0");
    linnet_context_free(&context);
}

static void missing_symbol_is_refused(void **state)
{
    (void)state;
    check_stub_refused("no_query", LINNET_BAD_FILE, "linnet_backend_query");
}

static void unresolved_symbol_is_refused(void **state)
{
    (void)state;
    check_stub_refused("unresolved", LINNET_BAD_FILE, "linnet_stub_symbol_that_nobody_has");
}

static void no_version_in_common_is_refused(void **state)
{
    (void)state;
    check_stub_refused("query_null", LINNET_UNSUPPORTED, "version");
}

static void missing_slot_is_refused_by_its_name(void **state)
{
    (void)state;
    check_stub_refused("missing_slot", LINNET_UNSUPPORTED, "buffer_new");
}

static void wrong_name_is_refused(void **state)
{
    (void)state;
    check_stub_refused("wrong_name", LINNET_UNSUPPORTED, "somebody_else");
}

static void failing_probe_is_passed_over(void **state)
{
    (void)state;
    check_stub_refused("failing_probe", LINNET_DEVICE_ERROR, "the stub's driver does not answer");
}

/* Somebody set a variable of this backend to nonsense: no other backend is taken instead. */
static void probe_that_refuses_the_environment_is_an_error(void **state)
{
    (void)state;
    linnet_context *context = context_with_path(STUBS_DIR "/refusing_probe:" STUBS_DIR "/good");
    assert_not_opened(context, "refusing_probe", LINNET_INVALID, "LINNET_STUB_OPTION");
    assert_not_opened(context, NULL, LINNET_INVALID, "LINNET_STUB_OPTION");
    assert_opened(context, "good", "Stub device 0"); /* asked for by name, it has nothing to do with the other */
    linnet_context_free(&context);
}

static void no_device_is_a_normal_answer(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("no_device");
    linnet_backend_report report = report_of(context, "linnet-no_device-abi");
    assert_int_equal(report.status, LINNET_OK);
    assert_int_equal(report.device_count, 0);
    assert_not_opened(context, "no_device", LINNET_NO_DEVICE, "no_device");
    linnet_context_free(&context);
}

static void failing_open_says_what_the_plugin_said(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("failing_open");
    assert_not_opened(context, "failing_open", LINNET_DEVICE_ERROR, "the stub's device is busy");
    assert_contains(linnet_context_message(context), "failing_open");
    linnet_context_free(&context);
}

static void failing_allocation_is_out_of_memory(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("failing_allocation");
    linnet_device *device = linnet_device_open(context, "failing_allocation");
    assert_non_null(device);
    linnet_net *net = linnet_net_new(context);
    linnet_linear(net, linnet_input(net, "x", 4), .out_features = 3);
    linnet_session *session = linnet_session_new(net, device);
    assert_null(session);
    assert_int_equal(linnet_context_last_status(context), LINNET_OUT_OF_MEMORY);
    assert_contains(linnet_context_message(context), "the stub has no memory left");
    linnet_net_free(&net);
    linnet_device_close(&device);
    linnet_context_free(&context);
}

/* Texts without an end and an alignment that is no power of two: an error, and no byte behind the struct is read. */
static void nonsense_device_info_is_refused(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("bad_info");
    report_of(context, "linnet-bad_info-abi");
    assert_not_opened(context, "bad_info", LINNET_DEVICE_ERROR, "alignment");
    assert_not_opened(context, "bad_info:nothing like it", LINNET_NO_DEVICE, "bad_info");
    linnet_context_free(&context);
}

/* ---- Files made here from the good one ---- */

static void *read_good(size_t *out_size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/good/linnet-good-abi%d.so", STUBS_DIR, LINNET_ABI_MAJOR);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    struct stat info;
    assert_int_equal(fstat(fileno(file), &info), 0);
    *out_size = (size_t)info.st_size;
    void *bytes = malloc(*out_size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *out_size, file), *out_size);
    fclose(file);
    return bytes;
}

/* Writes STUBS_DIR/<name>/linnet-<name>-abi<major>.so and checks that it is refused. */
static void check_made_refused(const char *name, const void *bytes, size_t size, const char *reason)
{
    char folder[256], path[512], part[128];
    snprintf(folder, sizeof folder, "%s/%s", STUBS_DIR, name);
    snprintf(path, sizeof path, "%s/linnet-%s-abi%d.so", folder, name, LINNET_ABI_MAJOR);
    snprintf(part, sizeof part, "linnet-%s-abi", name);
    mkdir(folder, 0755);
    remove(path); /* never written over: an earlier test may have it mapped */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    check_refused(part, folder, LINNET_BAD_FILE, reason);
}

static void truncated_files_are_refused(void **state)
{
    (void)state;
    size_t size;
    char *bytes = read_good(&size);
    /* The loadable segments end before the section headers; a cut behind them takes nothing that is needed. */
    const ElfW(Ehdr) *header = (const void *)bytes;
    const ElfW(Phdr) *segments = (const void *)(bytes + header->e_phoff);
    size_t needed = 0;
    for (int i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset + segments[i].p_filesz > needed)
            needed = segments[i].p_offset + segments[i].p_filesz;
    const size_t cuts[] = {needed - 1, needed / 2, 4096, header->e_phoff + 3};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        check_made_refused("truncated", bytes, cuts[i], "truncated");
    check_made_refused("truncated", bytes, 10, "not a shared object");
    check_made_refused("truncated", bytes, 0, "not a shared object");
    free(bytes);
}

static void wrong_architecture_is_refused(void **state)
{
    (void)state;
    size_t size;
    char *bytes = read_good(&size);
    ElfW(Ehdr) *header = (void *)bytes;
    header->e_machine = header->e_machine == EM_S390 ? EM_X86_64 : EM_S390;
    check_made_refused("wrong_architecture", bytes, size, "architecture");
    free(bytes);
}

static void other_word_size_is_refused(void **state)
{
    (void)state;
    size_t size;
    char *bytes = read_good(&size);
    bytes[EI_CLASS] = bytes[EI_CLASS] == ELFCLASS64 ? ELFCLASS32 : ELFCLASS64;
    check_made_refused("wrong_architecture", bytes, size, "architecture");
    free(bytes);
}

static void garbage_is_refused(void **state)
{
    (void)state;
    char bytes[5000];
    uint32_t word = 12345;
    for (size_t i = 0; i < sizeof bytes; i++) {
        word = word * 1664525u + 1013904223u;
        bytes[i] = (char)(word >> 24);
    }
    check_made_refused("garbage", bytes, sizeof bytes, "not a shared object");
    check_made_refused("garbage", "#!/bin/sh\nexit 1\n", 17, "not a shared object");
}

/* A folder of the right name, a dangling link. */
static void things_that_are_no_files_are_refused(void **state)
{
    (void)state;
    char folder[256], path[512];
    snprintf(folder, sizeof folder, "%s/not_files", STUBS_DIR);
    mkdir(folder, 0755);
    snprintf(path, sizeof path, "%s/linnet-folder-abi%d.so", folder, LINNET_ABI_MAJOR);
    mkdir(path, 0755);
    check_refused("linnet-folder-abi", folder, LINNET_BAD_FILE, "");
    snprintf(path, sizeof path, "%s/linnet-dangling-abi%d.so", folder, LINNET_ABI_MAJOR);
    assert_true(symlink("nowhere", path) == 0 || access(path, F_OK) != 0);
    check_refused("linnet-dangling-abi", folder, LINNET_BAD_FILE, "");
}

/* ---- Several folders ---- */

static void first_folder_wins(void **state)
{
    (void)state;
    size_t size;
    char *bytes = read_good(&size), folder[256], path[512], both[1024];
    snprintf(folder, sizeof folder, "%s/duplicate", STUBS_DIR);
    snprintf(path, sizeof path, "%s/linnet-good-abi%d.so", folder, LINNET_ABI_MAJOR);
    mkdir(folder, 0755);
    remove(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(bytes);
    snprintf(both, sizeof both, "%s/good:%s", STUBS_DIR, folder);
    linnet_context *context = context_with_path(both);
    assert_int_equal(report_of(context, "/good/linnet-good-abi").status, LINNET_OK);
    linnet_backend_report hidden = report_of(context, "/duplicate/linnet-good-abi");
    assert_int_equal(hidden.status, LINNET_UNSUPPORTED);
    assert_contains(hidden.reason, "/good/linnet-good-abi");
    assert_opened(context, "good", "Stub device 0");
    linnet_context_free(&context);
}

static void other_files_are_ignored(void **state)
{
    (void)state;
    char folder[256], path[512];
    static const char *const names[] = {"README",
                                        "libgood.so",
                                        "linnet-.so",
                                        "linnet-good.so",
                                        "linnet-good-abi.so",
                                        "linnet-good-abiX.so",
                                        "linnet-good-abi0.so.bak"};
    snprintf(folder, sizeof folder, "%s/others", STUBS_DIR);
    mkdir(folder, 0755);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fclose(file);
    }
    linnet_context *context = context_with_path(folder);
    linnet_backend_report report;
    for (uint32_t i = 0; linnet_backend_report_at(context, i, &report) == LINNET_OK; i++)
        assert_null(strstr(report.path, "/others/"));
    linnet_context_free(&context);
}

static void missing_and_relative_folders_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(chdir(STUBS_DIR), 0);
    linnet_context *context = context_with_path("/nonexistent/folder:good::./good:" STUBS_DIR "/no_device");
    linnet_backend_report report;
    for (uint32_t i = 0; linnet_backend_report_at(context, i, &report) == LINNET_OK; i++)
        assert_string_not_equal(report.name, "good");
    report_of(context, "linnet-no_device-abi");
    assert_non_null(linnet_plugin_folder(context, 0));
    linnet_context_free(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_plugin_opens),
        cmocka_unit_test(wrong_major_is_refused_before_its_constructor),
        cmocka_unit_test(lying_major_is_refused),
        cmocka_unit_test(short_struct_is_refused),
        cmocka_unit_test(newer_minor_works),
        cmocka_unit_test(missing_symbol_is_refused),
        cmocka_unit_test(unresolved_symbol_is_refused),
        cmocka_unit_test(no_version_in_common_is_refused),
        cmocka_unit_test(missing_slot_is_refused_by_its_name),
        cmocka_unit_test(wrong_name_is_refused),
        cmocka_unit_test(failing_probe_is_passed_over),
        cmocka_unit_test(probe_that_refuses_the_environment_is_an_error),
        cmocka_unit_test(no_device_is_a_normal_answer),
        cmocka_unit_test(failing_open_says_what_the_plugin_said),
        cmocka_unit_test(failing_allocation_is_out_of_memory),
        cmocka_unit_test(nonsense_device_info_is_refused),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(wrong_architecture_is_refused),
        cmocka_unit_test(other_word_size_is_refused),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(things_that_are_no_files_are_refused),
        cmocka_unit_test(first_folder_wins),
        cmocka_unit_test(other_files_are_ignored),
        cmocka_unit_test(missing_and_relative_folders_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
