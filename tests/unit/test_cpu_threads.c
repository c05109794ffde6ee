/* SPDX-License-Identifier: Apache-2.0 */
/* The cpu backend's thread pool: every task once, whoever posts, sleeps, forks or opens and closes meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cpu_threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_TASKS = 3000, MUCH_WORK = 1 << 20, HOSTS = 4 };

typedef struct job {
    atomic_uchar runs[MOST_TASKS];
    atomic_uint workers; /* bit i: worker i took part */
} job;

static void count_task(const void *context, int64_t task, uint32_t worker)
{
    job *j = (job *)(uintptr_t)context;
    atomic_fetch_add(&j->runs[task], 1);
    atomic_fetch_or(&j->workers, 1u << worker);
}

/* Runs a job of so many tasks; false when one of them was not run exactly once. */
static bool runs_each_once(job *j, int64_t tasks, int64_t work)
{
    memset(j, 0, sizeof *j);
    cpu_parallel(tasks, work, count_task, j);
    for (int64_t task = 0; task < MOST_TASKS; task++)
        if (atomic_load(&j->runs[task]) != (task < tasks))
            return false;
    return true;
}

static void every_task_is_run_once(void **state)
{
    (void)state;
    static job j;
    static const int64_t tasks[] = {0, 1, 2, 3, 7, 8, 64, 1000, MOST_TASKS};
    for (uint32_t threads = 1; threads <= 5; threads++) {
        open_pool(threads);
        assert_int_equal(cpu_worker_count(), threads);
        for (int round = 0; round < 200; round++)
            for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
                assert_true(runs_each_once(&j, tasks[i], round % 2 ? MUCH_WORK : MUCH_WORK >> 6));
                assert_true(atomic_load(&j.workers) < 1u << threads);
            }
        cpu_threads_release();
    }
}

static void rest(long microseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

/* Processor seconds of the whole process. */
static double spent(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void idle_threads_sleep(void **state)
{
    (void)state;
    static job j;
    open_pool(4);
    for (int round = 0; round < 20; round++) {
        assert_true(runs_each_once(&j, 100, MUCH_WORK));
        rest(round * 20);
    }
    double before = spent();
    rest(200000);
    assert_true(spent() - before < 0.1);
    assert_true(runs_each_once(&j, 100, MUCH_WORK));
    cpu_threads_release();
}

static void *host_main(void *argument)
{
    job *j = argument;
    bool right = true;
    for (int round = 0; round < 300; round++)
        right = right && runs_each_once(j, 1 + round % 50, MUCH_WORK);
    return right ? argument : NULL;
}

/* Several sessions in several threads of the host. */
static void hosts_may_post_at_once(void **state)
{
    (void)state;
    static job jobs[HOSTS];
    pthread_t hosts[HOSTS];
    open_pool(3);
    for (int i = 0; i < HOSTS; i++)
        assert_int_equal(pthread_create(&hosts[i], NULL, host_main, &jobs[i]), 0);
    for (int i = 0; i < HOSTS; i++) {
        void *result;
        assert_int_equal(pthread_join(hosts[i], &result), 0);
        assert_non_null(result);
    }
    cpu_threads_release();
}

static void a_child_works_alone(void **state)
{
    (void)state;
    static job j;
    open_pool(3);
    assert_true(runs_each_once(&j, 100, MUCH_WORK));
    pid_t child = fork();
    if (child == 0) {
        bool right = runs_each_once(&j, 100, MUCH_WORK) && atomic_load(&j.workers) == 1;
        cpu_threads_release();
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(runs_each_once(&j, 100, MUCH_WORK));
    cpu_threads_release();
}

/* The number of threads is asked for when the first device opens, and again when all were closed. */
static void the_number_stays_while_devices_are_open(void **state)
{
    (void)state;
    open_pool(3);
    open_pool(5);
    assert_int_equal(cpu_worker_count(), 3);
    cpu_threads_release();
    assert_int_equal(cpu_worker_count(), 3);
    cpu_threads_release();
    assert_int_equal(cpu_worker_count(), 5);
    open_pool(4);
    assert_int_equal(cpu_worker_count(), 4);
    cpu_threads_release();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_is_run_once), cmocka_unit_test(idle_threads_sleep),
        cmocka_unit_test(hosts_may_post_at_once), cmocka_unit_test(the_number_stays_while_devices_are_open),
        cmocka_unit_test(a_child_works_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
