/* SPDX-License-Identifier: Apache-2.0 */
/* One OpenCL driver, loaded and asked for its devices by a process of its own, which it may take down. */
#include "doctor.h"

#include "text.h"

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_PLATFORMS = 16, USUAL_SECONDS = 30 };

/* As CL/cl.h has them. */
typedef int32_t get_platforms(uint32_t entries, void **platforms, uint32_t *count);
typedef int32_t get_devices(void *platform, uint64_t type, uint32_t entries, void **devices, uint32_t *count);
#define ALL_TYPES UINT64_C(0xffffffff)

/* -1: there is no ICD loader to ask. */
static int count_devices(const char *icd_file)
{
    void *platforms[MOST_PLATFORMS];
    uint32_t platform_count = 0, sum = 0;
    setenv("OCL_ICD_VENDORS", icd_file, 1);
    void *loader = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    get_platforms *platforms_of = loader ? (get_platforms *)dlsym(loader, "clGetPlatformIDs") : NULL;
    get_devices *devices_of = loader ? (get_devices *)dlsym(loader, "clGetDeviceIDs") : NULL;
    if (!platforms_of || !devices_of)
        return -1;
    if (platforms_of(MOST_PLATFORMS, platforms, &platform_count) != 0)
        return 0;
    for (uint32_t i = 0; i < platform_count && i < MOST_PLATFORMS; i++) {
        uint32_t count = 0;
        if (devices_of(platforms[i], ALL_TYPES, 0, NULL, &count) == 0)
            sum += count;
    }
    return (int)sum;
}

/* As long as LINNET_PROBE says. */
static unsigned patience(void)
{
    const char *text = getenv("LINNET_PROBE");
    int seconds = text ? atoi(text) : 0;
    return seconds > 0 && seconds <= 3600 ? (unsigned)seconds : USUAL_SECONDS;
}

/* The child: why the library does not load, or "" and how many devices there are, each with its NUL. */
static void ask(const char *icd_file, const char *library, int report)
{
    const struct rlimit no_core = {0, 0};
    char devices[16];
    setpgid(0, 0);
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGALRM, SIG_DFL);
    alarm(patience());
    const char *error = dlopen(library, RTLD_LAZY | RTLD_LOCAL) ? "" : dlerror();
    bool wrote = write(report, error, strlen(error) + 1) > 0;
    if (wrote && !*error) {
        int length = snprintf(devices, sizeof devices, "%d", count_devices(icd_file));
        wrote = write(report, devices, (size_t)length + 1) > 0;
    }
    _exit(!wrote);
}

/* Is that all that a child writes? */
static bool is_whole(const char *said, size_t bytes)
{
    const char *end = memchr(said, '\0', bytes);
    return end && (*said || memchr(end + 1, '\0', (size_t)(said + bytes - end - 1)));
}

/* What the child wrote, until that is all, it has ended, or it takes too long (late): a process that a driver has
   started may keep the pipe open. Returns how much. */
static size_t read_answer(int report, char *out, size_t size, bool *out_late)
{
    struct pollfd waits = {.fd = report, .events = POLLIN};
    double deadline = text_now() + patience() + 1;
    size_t used = 0;
    memset(out, 0, size);
    *out_late = false;
    while (used < size - 1 && !is_whole(out, used)) {
        double left = deadline - text_now();
        *out_late = left <= 0 || poll(&waits, 1, (int)(left * 1000) + 1) == 0;
        ssize_t got = *out_late ? 0 : read(report, out + used, size - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    return used;
}

void doctor_ask_driver(const char *icd_file, const char *library, doctor_driver *out)
{
    int ends[2], status = 0;
    char said[600];
    bool late = false;
    out->devices = -1;
    snprintf(out->error, sizeof out->error, "it cannot be tried");
    if (pipe(ends))
        return;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        ask(icd_file, library, ends[1]);
    close(ends[1]);
    if (child > 0)
        setpgid(child, child);
    size_t bytes = child > 0 ? read_answer(ends[0], said, sizeof said, &late) : 0;
    close(ends[0]);
    if (child > 0 && (late || is_whole(said, bytes)))
        kill(-child, SIGKILL); /* and what its driver has started */
    if (child < 0 || waitpid(child, &status, 0) != child)
        return;
    size_t first = bytes ? strlen(said) + 1 : 0;
    late = late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
    if (!bytes)
        snprintf(out->error, sizeof out->error, late ? "loading it does not end" : "loading it takes down who does so");
    else if (*said)
        snprintf(out->error, sizeof out->error, "%.500s", said);
    else if (first < bytes) {
        *out->error = '\0';
        out->devices = atoi(said + first);
    } else
        snprintf(out->error, sizeof out->error,
                 late ? "it does not answer when it is asked for devices" : "it takes down what asks it for devices");
}
