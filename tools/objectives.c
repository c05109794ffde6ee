/* SPDX-License-Identifier: Apache-2.0 */
#include "objectives.h"

#include "model.h"
#include "net_argument.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int source_open(const char *model, const char *weights, linnet_feature_source *out_source)
{
    char *net = NULL;
    *out_source = (linnet_feature_source){.struct_size = sizeof *out_source};
    int code = model ? net_argument(model, &net) : EXIT_GO_ON;
    if (code == EXIT_GO_ON && model && weights)
        code = net_check_weights(model, net, weights);
    if (code != EXIT_GO_ON) {
        free(net);
        return code;
    }
    out_source->model = net;
    out_source->weights = weights || net ? weights : model;
    out_source->device = linnet_device_open(NULL, cli_common_options.backend);
    return out_source->device ? EXIT_GO_ON : cli_check_last();
}

void source_close(linnet_feature_source *source)
{
    linnet_device_close(&source->device);
    free((char *)(uintptr_t)source->model); /* net_argument's copy */
    source->model = NULL;
}

void source_warn(const linnet_feature_source *source)
{
    const char *net = source->model;
    if (net && !source->weights && model_is_name(net) && strcmp(net, "textures") != 0 && !cli_common_options.quiet)
        cli_fail(EXIT_GO_ON, "no --weights: %s starts with random weights", net);
}

int objective_check(const linnet_objective *objective)
{
    if (objective)
        return EXIT_GO_ON;
    switch (linnet_context_last_status(NULL)) {
    case LINNET_NOT_FOUND: /* a layer or a network */
    case LINNET_INVALID:   /* a layer where there is nothing, layers that have to be named */
        return cli_fail(EXIT_USAGE, "%s", linnet_context_message(NULL));
    case LINNET_IO:
    case LINNET_BAD_FILE:
    case LINNET_SHAPE: /* a picture too small for the network, a grey one for colours */
        return cli_check_last_input();
    default:
        return cli_check_last();
    }
}

uint64_t memory_peak(void)
{
    unsigned long long kibibytes = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %llu kB", &kibibytes) == 1)
            break;
    if (file)
        fclose(file);
    return 1024 * (uint64_t)kibibytes;
}

uint64_t objective_bytes(const linnet_objective *objective)
{
    linnet_session_stats s = {.struct_size = sizeof s};
    if (linnet_session_get_stats(linnet_objective_session(objective), &s) != LINNET_OK)
        return 0;
    return s.arena_bytes + s.parameter_bytes + s.packed_bytes + s.gradient_bytes;
}

uint32_t objective_fallbacks(const linnet_objective *objective)
{
    linnet_session_stats s = {.struct_size = sizeof s};
    return linnet_session_get_stats(linnet_objective_session(objective), &s) == LINNET_OK ? s.fallbacks : 0;
}

char *path_beside(const char *path, const char *suffix, const char *extension)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    size_t stem = dot && dot != name ? (size_t)(dot - path) : strlen(path);
    const char *end = extension ? extension : path + stem;
    size_t size = stem + strlen(suffix) + strlen(end) + 1;
    char *out = malloc(size);
    if (out)
        snprintf(out, size, "%.*s%s%s", (int)stem, path, suffix, end);
    return out;
}
