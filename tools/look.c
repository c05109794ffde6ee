/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int look_data(const char *data, const char *model, const char *weights, int64_t size, int64_t limit, int64_t index,
              linnet_dataset **out_data)
{
    data_size own;
    int code = data_size_of(model, weights, &own);
    if (code != EXIT_GO_ON)
        return code;
    if (size)
        own.height = own.width = (int32_t)size;
    if (!data_folder(data) && index >= 0 && index < DIGITS_TEST_COUNT) /* drawing all of them takes a while */
        limit = index + 1;
    return data_open_sized(data, LINNET_PART_TEST, limit, &own, out_data);
}

/* ---- Figures ---- */

int32_t look_scale(const linnet_image *image, int32_t side)
{
    int32_t longer = image->width > image->height ? image->width : image->height;
    return side > longer ? side / longer : 1;
}

linnet_image *look_image(const photo *p, int32_t side)
{
    linnet_image *large = linnet_image_enlarge(NULL, p->image, look_scale(p->image, side));
    linnet_image *coloured = large ? linnet_image_convert(NULL, large, 3) : NULL;
    linnet_image_free(&large);
    return coloured;
}

int look_write(linnet_image **image, const char *path)
{
    int code = EXIT_GO_ON;
    if (!*image)
        return cli_check_last();
    if (path)
        code = cli_check(linnet_image_write(NULL, *image, path));
    linnet_image_free(image);
    return code;
}

int look_add(linnet_sheet *sheet, linnet_image **image, int32_t side, const char *caption)
{
    if (!*image)
        return cli_check_last();
    int code = cli_check(linnet_sheet_add(sheet, *image, look_scale(*image, side), caption));
    linnet_image_free(image);
    return code;
}

/* ---- Layers ---- */

int look_layer(const linnet_model *model, const char *name, linnet_value *out)
{
    linnet_status status = linnet_net_layer(model->net, name, out);
    int64_t dims[LINNET_MAX_RANK];
    int code = cli_check(status);
    if (status == LINNET_NOT_FOUND)
        return EXIT_USAGE;
    uint32_t rank = code == EXIT_GO_ON ? linnet_value_shape(model->net, *out, dims) : 0;
    if (code == EXIT_GO_ON && rank != 2 && rank != 4)
        return cli_fail(EXIT_USAGE, "layer '%s' makes neither maps nor a list of numbers: there is nothing to look at",
                        name);
    return code;
}

bool look_is_picture(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

int look_labels(const linnet_model *model, const char *path, const labels *names)
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    if (!model->logits.id || linnet_value_shape(model->net, model->logits, dims) < 2 || names->count >= dims[1])
        return EXIT_GO_ON;
    return cli_fail(EXIT_BAD_INPUT, "%s has names for %d classes, the network '%s' has %lld", path, names->count,
                    linnet_net_name(model->net), (long long)dims[1]);
}

/* What only rearranges, or is a loss, shows nothing. */
static bool is_shown(const linnet_net *net, const linnet_node_info *info)
{
    int64_t dims[LINNET_MAX_RANK];
    uint32_t rank = linnet_value_shape(net, info->output, dims);
    return (rank == 4 || rank == 2) && strcmp(info->kind, "reshape") != 0 && strcmp(info->kind, "dropout") != 0;
}

int look_layers(const linnet_model *model, linnet_value **out_layers, const char ***out_names, size_t *out_count)
{
    size_t nodes = linnet_net_node_count(model->net);
    *out_count = 0;
    *out_layers = calloc(nodes ? nodes : 1, sizeof **out_layers);
    *out_names = calloc(nodes ? nodes : 1, sizeof **out_names);
    if (!*out_layers || !*out_names)
        return cli_fail(EXIT_NO_MEMORY, "no memory for %zu layers", nodes);
    for (size_t i = 0; i < nodes; i++) {
        linnet_node_info info;
        if (linnet_net_node(model->net, i, &info) != LINNET_OK || !is_shown(model->net, &info))
            continue;
        (*out_names)[*out_count] = info.name;
        (*out_layers)[(*out_count)++] = info.output;
    }
    return EXIT_GO_ON;
}

bool look_only_for_relu(const linnet_net *net, linnet_value value)
{
    size_t readers = 0, relus = 0;
    linnet_node_info info;
    for (size_t i = 0; linnet_net_node(net, i, &info) == LINNET_OK; i++)
        for (uint32_t k = 0; k < info.input_count; k++)
            if (info.inputs[k].id == value.id) {
                readers++;
                relus += strcmp(info.kind, "relu") == 0;
            }
    return readers == 1 && relus == 1;
}

/* ---- Lists of numbers ---- */

/* One "7" or "7-9" from *at on; moves on to what is behind it. */
static bool read_range(const char **at, long long *from, long long *to)
{
    char *end;
    errno = 0;
    *from = *to = strtoll(*at, &end, 10);
    bool good = end != *at && !errno && *from >= 0 && **at != '+';
    if (good && *end == '-') {
        *at = end + 1;
        *to = strtoll(*at, &end, 10);
        good = end != *at && !errno && *to >= *from;
    }
    *at = end;
    return good && (!*end || *end == ',');
}

int look_numbers(const cli_command *command, const char *what, const char *text, size_t most, int64_t **out_list,
                 size_t *out_count)
{
    *out_count = 0;
    *out_list = calloc(most, sizeof **out_list);
    if (!*out_list)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a list");
    for (const char *at = text;;) {
        long long from, to;
        if (!read_range(&at, &from, &to))
            return cli_usage(command, "%s='%s' makes no sense: 0,5,7 or 10-19 is wanted", what, text);
        if (to - from >= (long long)(most - *out_count))
            return cli_usage(command, "%s='%s': at most %zu at once", what, text, most);
        for (long long i = from; i <= to; i++)
            (*out_list)[(*out_count)++] = i;
        if (!*at)
            return EXIT_GO_ON;
        at++;
    }
}
