/* SPDX-License-Identifier: Apache-2.0 */
#include "style.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void layer_list_free(layer_list *list)
{
    free(list->text);
    *list = (layer_list){.text = NULL};
}

/* One item, cut off from the rest of the list. */
static int parse_item(char *item, const char *option, linnet_weighted_layer *out)
{
    char *colon = strchr(item, ':'), *end = NULL;
    *out = (linnet_weighted_layer){.name = item};
    if (colon) {
        *colon = '\0';
        out->weight = strtod(colon + 1, &end);
        if (end == colon + 1 || *end || !(out->weight > 0) || !isfinite(out->weight))
            return cli_fail(EXIT_USAGE, "--%s: the weight of '%s' is '%s', a number above 0 is wanted", option, item,
                            colon + 1);
    }
    return *item ? EXIT_GO_ON : cli_fail(EXIT_USAGE, "--%s: a name is missing", option);
}

int layer_list_parse(const char *text, const char *option, layer_list *out)
{
    size_t most = sizeof out->layers / sizeof out->layers[0];
    *out = (layer_list){.text = NULL};
    if (!text)
        return EXIT_GO_ON;
    out->text = strdup(text);
    if (!out->text)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a list of layers");
    int code = EXIT_GO_ON;
    for (char *at = out->text; at && code == EXIT_GO_ON;) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        code = out->count == most ? cli_fail(EXIT_USAGE, "--%s: at most %zu layers", option, most)
                                  : parse_item(at, option, &out->layers[out->count++]);
        at = comma ? comma + 1 : NULL;
    }
    return code;
}

descent_settings style_descent(const style_settings *settings)
{
    return (descent_settings){
        .iterations = settings->iterations, .seed = settings->seed, .method = settings->method, .rate = settings->rate};
}
