/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenCL driver that takes the process down that loads it. HOW: crash, hang or leave, when it is asked for its
 * platforms; crash_at_once, while it is loaded.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define crash         1
#define hang          2
#define leave         3
#define crash_at_once 4

static void take_down(void)
{
    if (HOW == hang)
        for (;;)
            pause();
    if (HOW == leave)
        _exit(3);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

__attribute__((visibility("default"))) int clIcdGetPlatformIDsKHR(unsigned entries, void **platforms, unsigned *count);
__attribute__((visibility("default"))) void *clGetExtensionFunctionAddress(const char *name);

int clIcdGetPlatformIDsKHR(unsigned entries, void **platforms, unsigned *count)
{
    (void)entries;
    (void)platforms;
    take_down();
    *count = 0;
    return -1001;
}

void *clGetExtensionFunctionAddress(const char *name)
{
    (void)name;
    return (void *)clIcdGetPlatformIDsKHR;
}

#if HOW == crash_at_once
static void __attribute__((constructor)) load(void)
{
    take_down();
}
#endif
