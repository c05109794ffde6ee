/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linnet summary --sharing: from the multilayer perceptron to the convolution, in numbers. Between the same maps: every
 * unit connected with everything; with its local field only; with its local field through filters that all places
 * share. Numbers are doubles: connecting large maps with each other goes beyond 2^64.
 */
#include "summary.h"

#include "json_lines.h"
#include "text.h"

#include <string.h>

typedef struct cost {
    double parameters, multiply_adds;
} cost;

/* One layer, three ways. */
typedef struct sharing {
    cost connected, local, shared;
} sharing;

/* Elements of one image's worth; 0 where a dimension is free. */
static double elements(const linnet_net *net, linnet_value value, int64_t dims[LINNET_MAX_RANK])
{
    double count = 1;
    uint32_t rank = linnet_value_shape(net, value, dims);
    for (uint32_t i = 1; i < rank; i++)
        count *= dims[i] > 0 ? (double)dims[i] : 0;
    return count;
}

/* false: no convolution, or one of free size. */
static bool measure(const linnet_net *net, const linnet_node_info *info, sharing *out)
{
    int64_t in_dims[LINNET_MAX_RANK], out_dims[LINNET_MAX_RANK];
    bool is_local = strcmp(info->kind, "local_conv2d") == 0;
    if (!is_local && strcmp(info->kind, "conv2d") != 0)
        return false;
    double in = elements(net, info->inputs[0], in_dims), units = elements(net, info->output, out_dims);
    if (in == 0 || units == 0)
        return false;
    double channels = (double)out_dims[1], work = (double)info->multiply_adds, filter = work / units;
    double weights = is_local ? work : channels * filter;
    bool bias = (double)info->parameters > weights;
    out->connected = (cost){in * units + (bias ? units : 0), in * units};
    out->local = (cost){work + (bias ? units : 0), work};
    out->shared = (cost){channels * filter + (bias ? channels : 0), work};
    return true;
}

static const char *shape_text(const linnet_net *net, linnet_value value, char out[TEXT_SIZE])
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    linnet_value_shape(net, value, dims);
    snprintf(out, TEXT_SIZE, "%lldx%lldx%lld", (long long)dims[1], (long long)dims[2], (long long)dims[3]);
    return out;
}

/* A whole number while it is one exactly. */
static void json_exact(json_t *line, const char *key, double value)
{
    if (value < 9e15)
        json_count(line, key, (long long)value);
    else
        json_number(line, key, value);
}

static void print_json(const char *layer, const char *from, const char *to, const sharing *s)
{
    const struct {
        const char *parameters, *work;
        const cost *value;
    } ways[] = {{"connected_parameters", "connected_multiply_adds", &s->connected},
                {"local_parameters", "local_multiply_adds", &s->local},
                {"shared_parameters", "shared_multiply_adds", &s->shared}};
    json_t *line = json_object();
    json_text(line, "layer", layer);
    json_text(line, "input", from);
    json_text(line, "output", to);
    for (size_t i = 0; i < 3; i++) {
        json_exact(line, ways[i].parameters, ways[i].value->parameters);
        json_exact(line, ways[i].work, ways[i].value->multiply_adds);
    }
    json_line(line);
}

static void add_row(table *t, const char *layer, const char *from, const char *to, const sharing *s)
{
    char c[6][TEXT_SIZE];
    table_row(t, (const char *[]){layer, from, to, text_short(c[0], s->connected.parameters),
                                  text_short(c[1], s->local.parameters), text_short(c[2], s->shared.parameters),
                                  text_short(c[3], s->connected.multiply_adds),
                                  text_short(c[4], s->local.multiply_adds), text_short(c[5], s->shared.multiply_adds)});
}

static void add(cost *sum, const cost *one)
{
    sum->parameters += one->parameters;
    sum->multiply_adds += one->multiply_adds;
}

int summary_sharing(const linnet_net *net)
{
    table t;
    sharing sum = {.connected = {0, 0}};
    size_t count = 0;
    table_start(&t, (const char *[]){"LAYER", "INPUT", "OUTPUT", ">PARAMETERS CONNECTED", ">LOCAL", ">SHARED",
                                     ">MULTIPLY-ADDS CONNECTED", ">LOCAL", ">SHARED", NULL});
    for (size_t i = 0; i < linnet_net_node_count(net); i++) {
        linnet_node_info info;
        sharing s;
        char from[TEXT_SIZE], to[TEXT_SIZE];
        int code = cli_check(linnet_net_node(net, i, &info));
        if (code != EXIT_GO_ON)
            return code;
        if (!measure(net, &info, &s))
            continue;
        shape_text(net, info.inputs[0], from);
        shape_text(net, info.output, to);
        if (cli_common_options.json)
            print_json(info.name, from, to, &s);
        else
            add_row(&t, info.name, from, to, &s);
        add(&sum.connected, &s.connected);
        add(&sum.local, &s.local);
        add(&sum.shared, &s.shared);
        count++;
    }
    if (!count)
        return cli_fail(EXIT_USAGE, "there is no convolution of known size in this network");
    if (cli_common_options.json) {
        print_json("total", "", "", &sum);
        return EXIT_GO_ON;
    }
    table_rule(&t);
    add_row(&t, "total", "", "", &sum);
    table_print(&t, 0);
    printf("\nThe same maps, connected three ways. CONNECTED: every unit with everything; LOCAL: every unit with its\n"
           "own field, by weights of its own; SHARED: the convolution, the same weights everywhere.\n");
    return EXIT_GO_ON;
}
