/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linnet-probe BACKEND: asks a backend for its devices and opens the best one, and writes a line to descriptor 3 when
 * that is over: "device", or "none" where none could be opened. The library runs it before it loads a driver into the
 * user's program: a driver that crashes, hangs or exits does so here. LINNET_PROBE=inline is set by whoever runs it.
 */
#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const struct rlimit no_core = {0, 0};
    const char *inlined = getenv("LINNET_PROBE");
    if (argc != 2 || !inlined || strcmp(inlined, "inline") != 0) {
        fprintf(stderr, "linnet-probe is for the library's own use: 'linnet doctor' says what is here\n");
        return 2;
    }
    setrlimit(RLIMIT_CORE, &no_core);
    linnet_device *device = linnet_device_open(NULL, argv[1]);
    const char *line = device ? "device\n" : "none\n";
    linnet_device_close(&device);
    if (write(3, line, strlen(line)) != (ssize_t)strlen(line))
        return EXIT_FAILURE;
    _exit(EXIT_SUCCESS); /* without the drivers' own endings */
}
