/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of control groups, read from files made up here; affinity. */
#include "files.h"

#include "core/environment.h"
#include "core/processors.h"

#include <sched.h>

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static uint32_t limit_in(const char *folder, const char *membership)
{
    char path[2048];
    write_text(folder, "membership", membership);
    snprintf(path, sizeof path, "%s/membership", folder);
    return linnet_cgroup_limit(path, folder);
}

static void version_2_takes_the_least_on_the_way(void **state)
{
    const char *folder = *state;
    assert_int_equal(limit_in(folder, "0::/a/b\n"), 0);
    write_text(folder, "a/b/cpu.max", "max 100000\n");
    assert_int_equal(limit_in(folder, "0::/a/b\n"), 0);
    write_text(folder, "a/b/cpu.max", "250000 100000\n");
    assert_int_equal(limit_in(folder, "0::/a/b\n"), 3);
    write_text(folder, "a/cpu.max", "200000 100000\n");
    assert_int_equal(limit_in(folder, "0::/a/b\n"), 2);
    assert_int_equal(limit_in(folder, "0::/a/c\n"), 2);
    write_text(folder, "cpu.max", "1000 100000\n");
    assert_int_equal(limit_in(folder, "0::/a/b\n"), 1);
    assert_int_equal(limit_in(folder, "0::/\n"), 1);
}

static void version_1_has_a_folder_for_each_controller(void **state)
{
    const char *folder = *state;
    const char *lines = "9:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n";
    assert_int_equal(limit_in(folder, lines), 0);
    write_text(folder, "cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    write_text(folder, "cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(limit_in(folder, lines), 0);
    write_text(folder, "cpu,cpuacct/cpu.cfs_quota_us", "350000\n");
    assert_int_equal(limit_in(folder, lines), 4);
    write_text(folder, "cpu,cpuacct/docker/x/cpu.cfs_quota_us", "50000\n");
    write_text(folder, "cpu,cpuacct/docker/x/cpu.cfs_period_us", "50000\n");
    assert_int_equal(limit_in(folder, lines), 1);
    assert_int_equal(limit_in(folder, "4:cpuset,cpuacct:/docker/x\n"), 0);
}

static void nonsense_is_no_limit(void **state)
{
    const char *folder = *state;
    assert_int_equal(linnet_cgroup_limit("/nonexistent", folder), 0);
    static const char *const lines[] = {"", "\n", "0\n", "0:\n", "0::\n", "0::a/b\n", "0::/../a\n", ":::::\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(limit_in(folder, lines[i]), 0);
    static const char *const limits[] = {"", "max", "0 0\n", "-5 100\n", "100\n", "x y\n", "99999999999999999999 1\n"};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        write_text(folder, "a/cpu.max", limits[i]);
        assert_int_equal(limit_in(folder, "0::/a\n"), 0);
    }
}

static void affinity_counts(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    unsetenv("LINNET_NUM_THREADS");
    assert_true(linnet_thread_count() <= (uint32_t)CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(linnet_thread_count(), 1);
    setenv("LINNET_NUM_THREADS", "7", 1);
    assert_int_equal(linnet_thread_count(), 7);
    unsetenv("LINNET_NUM_THREADS");
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(version_2_takes_the_least_on_the_way, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(version_1_has_a_folder_for_each_controller, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(nonsense_is_no_limit, folder_make, folder_remove),
        cmocka_unit_test(affinity_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
