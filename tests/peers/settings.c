/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

#define CHILD "LINNET_PEERS_CHILD" /* set in the process that measures */

static const char usage[] =
    "Usage: paired [OPTION]...\n"
    "Times convolutions by Linnet, oneDNN and OpenBLAS, alternating, and prints ratios.\n\n"
    "  --threads LIST     1, 2, ...; default 1,2\n"
    "  --shape TEXT       only shapes whose \"network layer case\" has it, not behind a letter: lenet5, k3p1, h7w7\n"
    "  --case STRING      this case instead: conv2d:n1c64h56w56_oc64k3p1\n"
    "  --direction LIST   forward,data,weights\n"
    "  --engines LIST     linnet,linnet-nchw,onednn,onednn-nchw,onednn-plain,onednn-winograd,openblas\n"
    "  --candidate NAME   Linnet's implementation, where it accepts\n"
    "  --format NAME      the backend's format in which activations arrive (default: what the candidate asks for)\n"
    "  --train            forward as in a training step\n"
    "  --backend SEL      default cpu\n"
    "  --time SECONDS     for each engine, shape and direction; default 0.15\n"
    "  --json             one JSON object a line\n";

/* Is name one of the comma-separated list? NULL is everything. */
static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (; list && *list; list += strcspn(list, ","), list += *list == ',')
        if (strcspn(list, ",") == length && strncmp(list, name, length) == 0)
            return true;
    return !list;
}

bool settings_has_engine(const settings *o, const char *name)
{
    return is_listed(o->engine_list, name);
}

bool settings_has_direction(const settings *o, const char *name)
{
    return is_listed(o->direction_list, name);
}

bool settings_selects(const settings *o, const peer_shape *shape)
{
    char all[192];
    snprintf(all, sizeof all, " %s %s %s", shape->network, shape->layer, shape->text);
    for (const char *at = o->shape ? strstr(all, o->shape) : all; at; at = strstr(at + 1, o->shape))
        if (!o->shape || !isalpha((unsigned char)at[-1]))
            return true;
    return false;
}

/* This program again for one number of threads. OpenMP's and OpenBLAS's idle threads are told to sleep soon, so that
   they do not take a core from the engine whose turn is next; OpenBLAS knows the core by its name. */
static int spawn(char **argv, const char *threads)
{
    pid_t pid;
    int status = 0;
    setenv(CHILD, threads, 1);
    setenv("LINNET_NUM_THREADS", threads, 1);
    setenv("OMP_NUM_THREADS", threads, 1);
    setenv("OPENBLAS_NUM_THREADS", threads, 1);
    setenv("OPENBLAS_THREAD_TIMEOUT", "20", 1);
    setenv("OPENBLAS_CORETYPE", "SKYLAKEX", 0);
    setenv("GOMP_SPINCOUNT", "30000", 0);
    setenv("OMP_PROC_BIND", strcmp(threads, "1") == 0 ? "false" : "true", 1);
    int error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);
    while (!error && waitpid(pid, &status, 0) < 0)
        error = errno == EINTR ? 0 : errno;
    if (error || !WIFEXITED(status)) {
        fprintf(stderr, "paired: %s\n", error ? strerror(error) : "the measuring process died");
        return 1;
    }
    return WEXITSTATUS(status);
}

static int spawn_all(char **argv, const char *list)
{
    int result = 0;
    char threads[8];
    for (; *list && !result; list += strcspn(list, ","), list += *list == ',') {
        snprintf(threads, sizeof threads, "%.*s", (int)strcspn(list, ","), list);
        result = atoi(threads) < 1 ? 2 : spawn(argv, threads);
    }
    if (result == 2)
        fputs(usage, stderr);
    return result;
}

int settings_read(int argc, char **argv, settings *out)
{
    enum { THREADS = 1, SHAPE, CASE, DIRECTION, ENGINE_LIST, CANDIDATE, FORMAT, TRAIN, BACKEND, TIME, JSON, HELP };
    static const struct option table[] = {{"threads", 1, NULL, THREADS},
                                          {"shape", 1, NULL, SHAPE},
                                          {"case", 1, NULL, CASE},
                                          {"direction", 1, NULL, DIRECTION},
                                          {"engines", 1, NULL, ENGINE_LIST},
                                          {"candidate", 1, NULL, CANDIDATE},
                                          {"format", 1, NULL, FORMAT},
                                          {"train", 0, NULL, TRAIN},
                                          {"backend", 1, NULL, BACKEND},
                                          {"time", 1, NULL, TIME},
                                          {"json", 0, NULL, JSON},
                                          {"help", 0, NULL, HELP},
                                          {NULL, 0, NULL, 0}};
    const char *threads = "1,2", *child = getenv(CHILD);
    *out = (settings){.backend = "cpu", .seconds = 0.15, .pause = 0.004};
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;)
        switch (option) {
        case THREADS:
            threads = optarg;
            break;
        case SHAPE:
            out->shape = optarg;
            break;
        case CASE:
            out->text = optarg;
            break;
        case DIRECTION:
            out->direction_list = optarg;
            break;
        case ENGINE_LIST:
            out->engine_list = optarg;
            break;
        case CANDIDATE:
            out->peers.candidate = optarg;
            break;
        case FORMAT:
            out->peers.format = optarg;
            break;
        case TRAIN:
            out->peers.train = true;
            break;
        case BACKEND:
            out->backend = optarg;
            break;
        case TIME:
            out->seconds = atof(optarg);
            break;
        case JSON:
            out->json = true;
            break;
        case HELP:
            return fputs(usage, stdout), 0;
        default:
            return fputs(usage, stderr), 2;
        }
    if (optind < argc)
        return fputs(usage, stderr), 2;
    out->threads = child ? atoi(child) : 0;
    return child ? -1 : spawn_all(argv, threads);
}
