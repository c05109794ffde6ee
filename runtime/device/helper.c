/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts linnet-probe and waits for it, with a time limit. It writes a line to descriptor 3 when it has come to its
 * end; how the process ends says the rest. The user's program may collect children that are not its own: then only that
 * line is known.
 */
#include "prober.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { REPORT = 3 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* From a folder, which is resolved, by a way of "../" first. */
static bool follow(const char *folder, const char *way, char out[PATH_MAX])
{
    size_t length = strlen(folder);
    for (; strncmp(way, "../", 3) == 0; way += 3)
        while (length && folder[--length] != '/')
            ;
    int wrote = snprintf(out, PATH_MAX, "%.*s/%s/linnet-probe", (int)length, folder, way);
    return wrote > 0 && wrote < PATH_MAX;
}

bool linnet_helper_place(const linnet_registry *registry, size_t index, char out[PATH_MAX])
{
    static const char *const ways[] = {LINNET_PLUGIN_TO_HELPER, "../../libexec/linnet"};
    size_t count = sizeof ways / sizeof ways[0], folder = index / count;
    if (folder < registry->folder_count)
        return follow(registry->folders[folder], ways[index % count], out);
    snprintf(out, PATH_MAX, "%s", LINNET_HELPER_DIR "/linnet-probe");
    return index == count * folder;
}

static bool find_helper(const linnet_registry *registry, char out[PATH_MAX])
{
    for (size_t i = 0; linnet_helper_place(registry, i, out); i++)
        if (access(out, X_OK) == 0)
            return true;
    return false;
}

/* The environment with the variables of the helper in front; NULL: no memory. *own are to be released, too. */
static char **helper_environment(const linnet_plugin *plugin, const char *variable, const char *value, char *own[3])
{
    size_t count = 0, kept = 3;
    while (environ && environ[count])
        count++;
    char **list = linnet_allocate(count + 4, sizeof *list);
    own[0] = linnet_duplicate("LINNET_PROBE=inline");
    own[1] = linnet_format("LINNET_PLUGIN_PATH=%.*s", (int)(strrchr(plugin->path, '/') - plugin->path), plugin->path);
    own[2] = *variable ? linnet_format("%s=%s", variable, value) : linnet_duplicate(own[0]);
    if (!list || !own[0] || !own[1] || !own[2]) {
        linnet_release(list);
        return NULL;
    }
    memcpy(list, own, 3 * sizeof *own);
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;
        for (int k = 0; k < 3; k++)
            replaced = replaced || strncmp(environ[i], own[k], strcspn(own[k], "=") + 1) == 0;
        if (!replaced)
            list[kept++] = environ[i];
    }
    return list;
}

/* In a process group of its own, so that all of it can be ended; silent; no signal blocked. */
static bool start(const char *path, const char *name, char **environment, int report, pid_t *out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    char *arguments[] = {(char *)path, (char *)name, NULL};
    sigemptyset(&none);
    if (posix_spawn_file_actions_init(&files))
        return false;
    if (posix_spawnattr_init(&attributes)) {
        posix_spawn_file_actions_destroy(&files);
        return false;
    }
    bool good = !posix_spawn_file_actions_adddup2(&files, report, REPORT) &&
                !posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) &&
                !posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0) &&
                !posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) &&
                !posix_spawnattr_setsigmask(&attributes, &none) && !posix_spawnattr_setpgroup(&attributes, 0) &&
                !posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP) &&
                !posix_spawn(out, path, &files, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return good;
}

/* The line, or the end of all who could write it, or the time is over. True: the line came. */
static bool wait_for_line(int file, double until, char text[16], bool *out_late)
{
    memset(text, 0, 16);
    *out_late = false;
    for (;;) {
        double left = until - now();
        struct pollfd wanted = {.fd = file, .events = POLLIN};
        int ready = left > 0 ? poll(&wanted, 1, (int)(1e3 * left) + 1) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            *out_late = true;
            return false;
        }
        ssize_t got = read(file, text, 15);
        if (got < 0 && errno == EINTR)
            continue;
        return got > 0;
    }
}

static void collect(pid_t process, linnet_helper_end *out)
{
    int status = 0;
    pid_t got;
    do
        got = waitpid(process, &status, 0);
    while (got < 0 && errno == EINTR);
    if (out->good || *out->text)
        return;
    if (got != process)
        snprintf(out->text, sizeof out->text, "ends the process that asks it");
    else if (WIFSIGNALED(status))
        snprintf(out->text, sizeof out->text, "crashes (%s)", strsignal(WTERMSIG(status)));
    else
        snprintf(out->text, sizeof out->text, "ends the process that asks it (exit code %d)", WEXITSTATUS(status));
}

static void run(const linnet_plugin *plugin, const char *path, char **environment, double seconds,
                linnet_helper_end *out)
{
    int ends[2];
    pid_t process;
    bool late;
    char line[16];
    if (pipe2(ends, O_CLOEXEC))
        return;
    out->ran = start(path, plugin->name, environment, ends[1], &process);
    close(ends[1]);
    if (out->ran) {
        out->good = wait_for_line(ends[0], now() + seconds, line, &late);
        out->device = out->good && strcmp(line, "device\n") == 0;
        if (late) {
            snprintf(out->text, sizeof out->text, "hangs (no answer in %g seconds)", seconds);
            kill(-process, SIGKILL);
        }
        collect(process, out);
    }
    close(ends[0]);
}

void linnet_helper_run(const linnet_registry *registry, const linnet_plugin *plugin, const char *variable,
                       const char *value, double seconds, linnet_helper_end *out)
{
    char path[PATH_MAX], *own[3] = {NULL, NULL, NULL};
    *out = (linnet_helper_end){.ran = false};
    if (!find_helper(registry, path)) {
        snprintf(out->text, sizeof out->text, "there is no linnet-probe here");
        return;
    }
    char **environment = helper_environment(plugin, variable, value, own);
    if (environment)
        run(plugin, path, environment, seconds, out);
    if (!out->ran)
        snprintf(out->text, sizeof out->text, "linnet-probe cannot be started");
    for (int i = 0; i < 3; i++)
        linnet_release(own[i]);
    linnet_release(environment);
}
