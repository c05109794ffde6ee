/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pool of threads per process, started by the first work that is worth it and joined when the last device closes.
 *
 * A job is posted by one atomic word, the ticket: its number, the first and the end of the tasks that nobody has taken.
 * Whoever changes it owns what it took away, so that a thread that comes late finds nothing and touches nothing. A
 * claim takes a share of what is left, so that a job of many tasks costs few claims and ends evenly. The caller works
 * too, and takes tasks from the front where the threads take them from the back: from one layer to the next, a core
 * tends to meet the data that it has in its cache. When the pool is busy with another queue's job, or in the child of a
 * fork, where the threads are gone, the caller does all tasks itself: results do not depend on it.
 *
 * A thread without work looks at the ticket for SPIN_NANOSECONDS, the pause between two large layers, and then sleeps.
 * Waking it costs the caller microseconds where a thread that looks costs a tenth of one: work that is not worth a wake
 * is only given to threads that are awake. The caller that waits for threads does the same, a little longer: the one
 * that it waits for may want its processor. Nobody yields: on a machine with other work, be it of the lowest priority,
 * that gives the processor away for milliseconds, where who is woken gets it back at once.
 */
#include "cpu.h"

#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <time.h>

enum {
    MAX_WORKERS = 256,
    TASK_BITS = 24,
    MAX_TASKS = (1 << TASK_BITS) - 1,
    LOOKS = 16, /* at the ticket between two looks at the clock */
    SPIN_NANOSECONDS = 50000,
    CALLER_SPIN_NANOSECONDS = 100000,
    /* Units of work (cpu_parallel): about one and about six microseconds. */
    LEAST_WORK = 1 << 12,
    LEAST_WORK_FOR_WAKE = 1 << 15,
    CACHE_LINE = 64
};

static struct {
    /* Of the current job: function and context are written while no task is left, read by owners of a task. */
    alignas(CACHE_LINE) _Atomic uint64_t ticket;
    cpu_task *function;
    const void *context;

    alignas(CACHE_LINE) _Atomic int64_t finished; /* tasks of this job that threads have done */

    alignas(CACHE_LINE) atomic_uint sleepers;
    atomic_bool caller_sleeps;
    atomic_flag busy;
    atomic_bool ready, stop, forked;
    atomic_uint workers; /* while a device is open: the caller and its threads */

    pthread_mutex_t lifetime; /* opening, closing, starting */
    pthread_mutex_t lock;     /* sleeping */
    pthread_cond_t wake, done;
    pthread_t threads[MAX_WORKERS];
    uint32_t started; /* threads that run */
    uint32_t users;   /* open devices */
    bool watches_forks;
} pool = {.busy = ATOMIC_FLAG_INIT,
          .lifetime = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- Taking tasks ---- */

static int64_t first_of(uint64_t ticket)
{
    return (int64_t)(ticket >> TASK_BITS & MAX_TASKS);
}

static int64_t end_of(uint64_t ticket)
{
    return (int64_t)(ticket & MAX_TASKS);
}

static bool has_tasks(uint64_t ticket)
{
    return first_of(ticket) < end_of(ticket);
}

/* Takes some of the tasks that are left; returns how many, 0 when there are none. */
static int64_t claim(bool from_front, int64_t workers, int64_t *out_first)
{
    uint64_t ticket = atomic_load_explicit(&pool.ticket, memory_order_acquire);
    while (has_tasks(ticket)) {
        int64_t count = cpu_max(1, (end_of(ticket) - first_of(ticket)) / (2 * workers));
        uint64_t next = from_front ? ticket + ((uint64_t)count << TASK_BITS) : ticket - (uint64_t)count;
        if (!atomic_compare_exchange_weak(&pool.ticket, &ticket, next))
            continue;
        *out_first = from_front ? first_of(ticket) : end_of(next);
        return count;
    }
    return 0;
}

/* Says that a thread has done so many. Either the caller that goes to sleep sees the new count, or it is seen sleeping.
 */
static void report(int64_t count)
{
    atomic_fetch_add(&pool.finished, count);
    if (!atomic_load(&pool.caller_sleeps))
        return;
    pthread_mutex_lock(&pool.lock);
    pthread_cond_signal(&pool.done);
    pthread_mutex_unlock(&pool.lock);
}

/* Does tasks of the current job as long as there are any; returns how many. */
static int64_t do_tasks(uint32_t worker)
{
    int64_t first, count, done = 0, workers = atomic_load_explicit(&pool.workers, memory_order_relaxed);
    while ((count = claim(worker == 0, workers, &first)) > 0) {
        cpu_task *function = pool.function;
        const void *context = pool.context;
        for (int64_t task = first; task < first + count; task++)
            function(context, task, worker);
        if (worker > 0)
            report(count);
        done += count;
    }
    return done;
}

/* ---- The threads ---- */

static bool is_idle(void)
{
    return !has_tasks(atomic_load(&pool.ticket)) && !atomic_load(&pool.stop);
}

/* Looks for work for a while; false when there was none. */
static bool look(void)
{
    int64_t end = nanoseconds() + SPIN_NANOSECONDS;
    do
        for (int i = 0; i < LOOKS; i++) {
            if (!is_idle())
                return true;
            relax();
        }
    while (nanoseconds() < end);
    return false;
}

static void sleep_until_woken(void)
{
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleepers, 1);
    while (is_idle())
        pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.lock);
}

static void *thread_main(void *argument)
{
    uint32_t worker = (uint32_t)(uintptr_t)argument;
    for (;;) {
        if (!look())
            sleep_until_woken();
        if (atomic_load(&pool.stop))
            return NULL;
        do_tasks(worker);
    }
}

static void after_fork_in_child(void)
{
    atomic_store(&pool.forked, true);
}

/* Threads that cannot be started are done without. Signals are the host's: the threads block them all. */
static void start(void)
{
    pthread_mutex_lock(&pool.lifetime);
    if (!atomic_load(&pool.ready)) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        uint32_t wanted = atomic_load(&pool.workers);
        for (uint32_t i = 1; i < wanted; i++)
            if (pthread_create(&pool.threads[pool.started], NULL, thread_main, (void *)(uintptr_t)i) == 0)
                pool.started++;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (!pool.watches_forks)
            pool.watches_forks = pthread_atfork(NULL, NULL, after_fork_in_child) == 0;
        atomic_store(&pool.ready, true);
    }
    pthread_mutex_unlock(&pool.lifetime);
}

static uint32_t wanted_workers(void)
{
    uint32_t count = cpu_host->thread_count();
    return count < 1 ? 1 : count > MAX_WORKERS ? MAX_WORKERS : count;
}

void cpu_threads_retain(void)
{
    if (atomic_load(&pool.forked))
        return;
    pthread_mutex_lock(&pool.lifetime);
    if (pool.users++ == 0)
        atomic_store(&pool.workers, wanted_workers());
    pthread_mutex_unlock(&pool.lifetime);
}

static void stop(void)
{
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.stop, true);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    for (uint32_t i = 0; i < pool.started; i++)
        pthread_join(pool.threads[i], NULL);
    pool.started = 0;
    atomic_store(&pool.stop, false);
    atomic_store(&pool.ready, false);
}

void cpu_threads_release(void)
{
    if (atomic_load(&pool.forked))
        return;
    pthread_mutex_lock(&pool.lifetime);
    if (--pool.users == 0) {
        if (atomic_load(&pool.ready))
            stop();
        atomic_store(&pool.workers, 0);
    }
    pthread_mutex_unlock(&pool.lifetime);
}

uint32_t cpu_worker_count(void)
{
    uint32_t workers = atomic_load_explicit(&pool.workers, memory_order_relaxed);
    return workers > 0 ? workers : wanted_workers();
}

/* ---- Jobs ---- */

static void wake(void)
{
    pthread_mutex_lock(&pool.lock);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
}

static void post(int64_t tasks, cpu_task *function, const void *context)
{
    uint64_t number = (atomic_load_explicit(&pool.ticket, memory_order_relaxed) >> 2 * TASK_BITS) + 1;
    pool.function = function;
    pool.context = context;
    atomic_store_explicit(&pool.finished, 0, memory_order_relaxed);
    atomic_store(&pool.ticket, number << 2 * TASK_BITS | (uint64_t)tasks);
}

static bool is_finished(int64_t tasks)
{
    return atomic_load(&pool.finished) >= tasks;
}

static void sleep_until_finished(int64_t tasks)
{
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.caller_sleeps, true);
    while (!is_finished(tasks))
        pthread_cond_wait(&pool.done, &pool.lock);
    atomic_store(&pool.caller_sleeps, false);
    pthread_mutex_unlock(&pool.lock);
}

/* Until threads have done so many tasks. */
static void wait_for(int64_t tasks)
{
    int64_t end = 0;
    for (uint32_t spin = 1; !is_finished(tasks); spin++) {
        relax();
        if (spin % LOOKS != 0)
            continue;
        int64_t now = nanoseconds();
        end = end ? end : now + CALLER_SPIN_NANOSECONDS;
        if (now > end)
            sleep_until_finished(tasks);
    }
}

/* Is the job small enough to be done by the caller alone? */
static bool is_small(int64_t tasks, int64_t work)
{
    if (tasks < 2 || work < LEAST_WORK || tasks > MAX_TASKS || cpu_worker_count() < 2)
        return true;
    bool all_sleep = !atomic_load(&pool.ready) || atomic_load(&pool.sleepers) == pool.started;
    return all_sleep && work < LEAST_WORK_FOR_WAKE;
}

void cpu_parallel(int64_t tasks, int64_t work, cpu_task *function, const void *context)
{
    if (is_small(tasks, work) || atomic_load(&pool.forked) || atomic_flag_test_and_set(&pool.busy)) {
        for (int64_t task = 0; task < tasks; task++)
            function(context, task, 0);
        return;
    }
    if (!atomic_load(&pool.ready))
        start();
    post(tasks, function, context);
    if (work >= LEAST_WORK_FOR_WAKE && atomic_load(&pool.sleepers) > 0)
        wake();
    wait_for(tasks - do_tasks(0));
    atomic_flag_clear(&pool.busy);
}

static void let_pass(const void *context, int64_t task, uint32_t worker)
{
    (void)task;
    (void)worker;
    const uint32_t *duration = context;
    int64_t end = *duration > 0 ? nanoseconds() + *duration : 0;
    while (*duration > 0 && nanoseconds() < end)
        ;
}

void cpu_idle_jobs(linnet_backend_device *device, uint32_t jobs, uint32_t tasks, uint32_t task_nanoseconds)
{
    (void)device;
    for (uint32_t job = 0; job < jobs; job++)
        cpu_parallel(tasks, LEAST_WORK_FOR_WAKE, let_pass, &task_nanoseconds);
}
