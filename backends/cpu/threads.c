/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pool of threads per process, started by the first work that is worth it and joined when the last device closes.
 *
 * A job is posted by one atomic word: its number, the first and the end of the tasks that nobody has taken. Whoever
 * changes it owns a task, so that a thread that comes late finds nothing and touches nothing. The caller works too, and
 * takes tasks from the front where the threads take them from the back: from one layer to the next, a core tends to
 * meet the data that it has in its cache. When the pool is busy with another queue's job, or in the child of a fork,
 * where the threads are gone, the caller does all tasks itself: results do not depend on it.
 */
#include "cpu.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { MAX_WORKERS = 256, SPINS = 1000, LEAST_WORK = 1 << 14, TASK_BITS = 24, MAX_TASKS = (1 << TASK_BITS) - 1 };

static struct {
    pthread_mutex_t lock; /* starting, stopping, sleeping */
    pthread_cond_t wake;
    pthread_t threads[MAX_WORKERS];
    uint32_t started; /* threads that run */
    uint32_t users;   /* open devices */
    bool watches_forks;

    atomic_bool ready, stop, forked;
    atomic_flag busy;
    atomic_uint sleepers;
    _Atomic uint64_t ticket;
    _Atomic int64_t finished;
    /* Of the current job: written while no task is left, read by owners of a task. */
    cpu_task *function;
    const void *context;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .busy = ATOMIC_FLAG_INIT};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint32_t first_of(uint64_t ticket)
{
    return (uint32_t)(ticket >> TASK_BITS) & MAX_TASKS;
}

static uint32_t end_of(uint64_t ticket)
{
    return (uint32_t)ticket & MAX_TASKS;
}

static bool has_tasks(uint64_t ticket)
{
    return first_of(ticket) < end_of(ticket);
}

/* Does tasks of the current job as long as there are any. */
static void do_tasks(uint32_t worker)
{
    uint64_t ticket = atomic_load(&pool.ticket);
    while (has_tasks(ticket)) {
        bool from_front = worker == 0;
        uint64_t next = from_front ? ticket + (1u << TASK_BITS) : ticket - 1;
        if (!atomic_compare_exchange_weak(&pool.ticket, &ticket, next))
            continue;
        pool.function(pool.context, from_front ? first_of(ticket) : end_of(ticket) - 1, worker);
        atomic_fetch_add(&pool.finished, 1);
        ticket = atomic_load(&pool.ticket);
    }
}

static bool is_idle(void)
{
    return !has_tasks(atomic_load(&pool.ticket)) && !atomic_load(&pool.stop);
}

static void *thread_main(void *argument)
{
    uint32_t worker = (uint32_t)(uintptr_t)argument;
    for (;;) {
        for (int spin = 0; spin < SPINS && is_idle(); spin++)
            relax();
        if (is_idle()) {
            pthread_mutex_lock(&pool.lock);
            atomic_fetch_add(&pool.sleepers, 1);
            while (is_idle())
                pthread_cond_wait(&pool.wake, &pool.lock);
            atomic_fetch_sub(&pool.sleepers, 1);
            pthread_mutex_unlock(&pool.lock);
        }
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
    pthread_mutex_lock(&pool.lock);
    if (!atomic_load(&pool.ready)) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        uint32_t wanted = cpu_worker_count();
        for (uint32_t i = 1; i < wanted; i++)
            if (pthread_create(&pool.threads[pool.started], NULL, thread_main, (void *)(uintptr_t)i) == 0)
                pool.started++;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (!pool.watches_forks)
            pool.watches_forks = pthread_atfork(NULL, NULL, after_fork_in_child) == 0;
        atomic_store(&pool.ready, true);
    }
    pthread_mutex_unlock(&pool.lock);
}

void cpu_threads_retain(void)
{
    if (atomic_load(&pool.forked))
        return;
    pthread_mutex_lock(&pool.lock);
    pool.users++;
    pthread_mutex_unlock(&pool.lock);
}

void cpu_threads_release(void)
{
    if (atomic_load(&pool.forked))
        return;
    pthread_mutex_lock(&pool.lock);
    bool last = --pool.users == 0 && atomic_load(&pool.ready);
    if (last) {
        atomic_store(&pool.stop, true);
        pthread_cond_broadcast(&pool.wake);
    }
    pthread_mutex_unlock(&pool.lock);
    if (!last)
        return;
    for (uint32_t i = 0; i < pool.started; i++)
        pthread_join(pool.threads[i], NULL);
    pool.started = 0;
    atomic_store(&pool.stop, false);
    atomic_store(&pool.ready, false);
}

uint32_t cpu_worker_count(void)
{
    uint32_t count = cpu_host->thread_count();
    return count < 1 ? 1 : count > MAX_WORKERS ? MAX_WORKERS : count;
}

static void post(int64_t tasks, cpu_task *function, const void *context)
{
    uint64_t number = (atomic_load(&pool.ticket) >> 2 * TASK_BITS) + 1;
    pool.function = function;
    pool.context = context;
    atomic_store(&pool.finished, 0);
    atomic_store(&pool.ticket, number << 2 * TASK_BITS | (uint64_t)tasks);
    if (atomic_load(&pool.sleepers) > 0) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
}

void cpu_parallel(int64_t tasks, int64_t work, cpu_task *function, const void *context)
{
    bool alone =
        tasks < 2 || work < LEAST_WORK || tasks > MAX_TASKS || cpu_worker_count() < 2 || atomic_load(&pool.forked);
    if (alone || atomic_flag_test_and_set(&pool.busy)) {
        for (int64_t task = 0; task < tasks; task++)
            function(context, task, 0);
        return;
    }
    if (!atomic_load(&pool.ready))
        start();
    post(tasks, function, context);
    do_tasks(0);
    for (int spin = 0; atomic_load(&pool.finished) < tasks; spin++) {
        if (spin < SPINS)
            relax();
        else
            sched_yield();
    }
    atomic_flag_clear(&pool.busy);
}
