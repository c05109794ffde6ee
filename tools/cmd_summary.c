/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "json_lines.h"
#include "model.h"
#include "options.h"
#include "summary.h"
#include "text.h"

#include <string.h>

/* Sums over the nodes; activations in elements of one image. */
typedef struct totals {
    uint64_t parameters, multiply_adds, activations;
    bool free; /* some sizes are not known: then there is more of the last two */
} totals;

static const char *shape_text(const linnet_net *net, linnet_value value, char *out, size_t size)
{
    int64_t dims[LINNET_MAX_RANK];
    uint32_t rank = linnet_value_shape(net, value, dims);
    size_t used = (size_t)snprintf(out, size, "[");
    for (uint32_t i = 0; i < rank && used < size; i++)
        used += (size_t)(dims[i] < 0 ? snprintf(out + used, size - used, "%s", i ? ", ?" : "N")
                                     : snprintf(out + used, size - used, "%s%lld", i ? ", " : "", (long long)dims[i]));
    if (used < size)
        snprintf(out + used, size - used, "]");
    return out;
}

/* Elements of one image's worth of a value; 0 when they are not known. */
static uint64_t elements(const linnet_net *net, linnet_value value)
{
    int64_t dims[LINNET_MAX_RANK];
    uint32_t rank = linnet_value_shape(net, value, dims);
    uint64_t count = 1;
    for (uint32_t i = 0; i < rank; i++)
        count *= dims[i] > 0 ? (uint64_t)dims[i] : i == 0;
    return count;
}

/* The receptive field of what a node makes, as columns: "14" or "3x5"; blank where it has none or one for all. */
typedef struct field_texts {
    char size[TEXT_SIZE], stride[TEXT_SIZE], offset[TEXT_SIZE];
} field_texts;

static void pair(char out[TEXT_SIZE], double down, double right)
{
    if (down == right)
        snprintf(out, TEXT_SIZE, "%g", down);
    else
        snprintf(out, TEXT_SIZE, "%gx%g", down, right);
}

static field_texts field_columns(const linnet_field *f)
{
    field_texts t = {"", "", ""};
    if (!f)
        return t;
    if (f->size[0] == LINNET_FREE || f->size[1] == LINNET_FREE) {
        snprintf(t.size, sizeof t.size, "all");
        return t;
    }
    pair(t.size, (double)f->size[0], (double)f->size[1]);
    if (f->stride[0] || f->stride[1])
        pair(t.stride, (double)f->stride[0], (double)f->stride[1]);
    pair(t.offset, f->offset[0], f->offset[1]);
    return t;
}

static void json_pair(json_t *line, const char *key, json_t *down, json_t *right)
{
    json_t *list = json_array();
    json_array_append_new(list, down);
    json_array_append_new(list, right);
    json_object_set_new(line, key, list);
}

/* [down, right]; null for everything in a picture of free size. */
static void json_field(json_t *line, const linnet_field *f)
{
    bool all[2] = {f->size[0] == LINNET_FREE, f->size[1] == LINNET_FREE};
    json_pair(line, "field_size", all[0] ? json_null() : json_integer(f->size[0]),
              all[1] ? json_null() : json_integer(f->size[1]));
    json_pair(line, "field_stride", json_integer(f->stride[0]), json_integer(f->stride[1]));
    json_pair(line, "field_offset", all[0] ? json_null() : json_real(f->offset[0]),
              all[1] ? json_null() : json_real(f->offset[1]));
}

/* NULL for losses, which see everything, and for what sees no picture. */
static const linnet_field *field_of(const linnet_net *net, const linnet_node_info *info, linnet_field *out)
{
    int64_t dims[LINNET_MAX_RANK];
    bool has_one = linnet_value_shape(net, info->output, dims) >= 2;
    return has_one && linnet_receptive_field(net, info->output, out) == LINNET_OK ? out : NULL;
}

static void print_node_json(const linnet_node_info *info, const char *shape, const linnet_field *field)
{
    json_t *line = json_object();
    json_text(line, "layer", info->name);
    json_text(line, "kind", info->kind);
    json_text(line, "output", shape);
    json_count(line, "parameters", (long long)info->parameters);
    json_count(line, "multiply_adds", (long long)info->multiply_adds);
    if (field)
        json_field(line, field);
    json_line(line);
}

static void add_row(table *t, const linnet_node_info *info, const char *shape, const linnet_field *field)
{
    field_texts f = field_columns(field);
    char parameters[TEXT_SIZE] = "", work[TEXT_SIZE] = "";
    if (info->parameters)
        text_count(parameters, info->parameters);
    if (info->multiply_adds)
        text_count(work, info->multiply_adds);
    table_row(t, (const char *[]){info->name, info->kind, shape, f.size, f.stride, f.offset, parameters, work});
}

static linnet_status walk(const linnet_net *net, table *t, totals *sum)
{
    for (size_t i = 0; i < linnet_net_node_count(net); i++) {
        linnet_node_info info;
        char shape[128];
        linnet_status status = linnet_net_node(net, i, &info);
        if (status != LINNET_OK)
            return status;
        shape_text(net, info.output, shape, sizeof shape);
        sum->parameters += info.parameters;
        sum->multiply_adds += info.multiply_adds;
        sum->activations += elements(net, info.output);
        sum->free = sum->free || !elements(net, info.output);
        linnet_field field;
        const linnet_field *seen = field_of(net, &info, &field);
        if (cli_common_options.json)
            print_node_json(&info, shape, seen);
        else
            add_row(t, &info, shape, seen);
    }
    return LINNET_OK;
}

static void print_totals(const linnet_net *net, const totals *sum, int64_t batch)
{
    char a[TEXT_SIZE], b[TEXT_SIZE], c[TEXT_SIZE];
    uint64_t weights = 4 * sum->parameters, activations = 4 * sum->activations * (uint64_t)batch;
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "name", linnet_net_name(net));
        json_count(line, "parameters", (long long)sum->parameters);
        json_count(line, "multiply_adds", (long long)sum->multiply_adds);
        json_count(line, "batch", (long long)batch);
        json_count(line, "parameter_bytes", (long long)weights);
        json_count(line, "activation_bytes", (long long)activations);
        json_line(line);
        return;
    }
    printf("\nFIELD: pixels that a unit sees; STRIDE: from one unit to the next; OFFSET: centre of the first one's "
           "field\n");
    printf("%s: %s parameters (%s), %s multiply-adds an image\n",
           linnet_netdef_is_text(linnet_net_name(net)) ? "this net" : linnet_net_name(net),
           text_count(a, sum->parameters), text_bytes(b, weights), text_count(c, sum->multiply_adds));
    if (sum->free) {
        printf("Work and memory depend on the size of the pictures, which is free\n");
        return;
    }
    printf("Every layer's output kept, batch %lld: %s; the plan shares memory and needs less (linnet plan)\n",
           (long long)batch, text_bytes(a, activations));
}

static int summarize(const char *what, int64_t batch, bool sharing)
{
    linnet_model model = {.net = NULL};
    int code = model_open_any(what, &model);
    if (code != EXIT_GO_ON)
        return code;
    if (sharing) {
        code = summary_sharing(model.net);
        linnet_model_free(&model);
        return code == EXIT_GO_ON ? EXIT_DONE : code;
    }
    totals sum = {0};
    table t;
    table_start(&t, (const char *[]){"LAYER", "KIND", "OUTPUT", ">FIELD", ">STRIDE", ">OFFSET", ">PARAMETERS",
                                     ">MULTIPLY-ADDS", NULL});
    code = cli_check(walk(model.net, &t, &sum));
    if (code == EXIT_GO_ON) {
        if (!cli_common_options.json)
            table_print(&t, 0);
        print_totals(model.net, &sum, batch);
    }
    linnet_model_free(&model);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

static int run(int argc, char **argv)
{
    int first, sharing = 0;
    int64_t batch = 1;
    cli_option options[] = {
        {.name = "sharing",
         .kind = CLI_FLAG,
         .target = &sharing,
         .help = "what each convolution saves: fully connected, local, shared"},
        option_batch(&batch, "images at once, for the memory (default: 1)"),
    };
    int code = cli_parse(&cmd_summary, options, 2, argc, argv, &first);
    if (code == EXIT_GO_ON && argc - first != 1)
        code = cli_usage(&cmd_summary, first < argc ? "one network at a time" : "which network?");
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    return code == EXIT_GO_ON ? summarize(argv[first], batch, sharing) : code;
}

const cli_command cmd_summary = {
    "summary", "NET|WEIGHTS", "show a network's layers, shapes, parameters, work and receptive fields",
    "NET is lenet5, lenet5_local, mlp, vgg_cifar, squeezenet1_1, mobilenet_v2, resnet18, resnet50, vgg16, vgg19 or\n"
    "textures; or a net in a line, such as \"conv 8 k3; relu; maxpool 2; linear 10\"; or a file with one layer a line.\n"
    "WEIGHTS is a weight file of one.\n"
    "\n"
    "A net in a line: layers between ';' or ends of lines, # for comments, 'name: ' in front of a layer names it.\n"
    "  input CxHxW                               the picture (default: the data's, or 1x28x28); ? is a free size\n"
    "  conv CHANNELS k3 [s1] [p0] [d1] [g1] [nb] kernel, stride, padding, dilation, groups, no bias; k3x5: down, right\n"
    "  local CHANNELS k3 [s1] [p0] [nb]          without shared weights\n"
    "  linear FEATURES [nb]   maxpool SIZE [s2] [p0]   avgpool SIZE [s2] [p0]   globalpool   flatten   softmax\n"
    "  relu   leaky [0.01]   relu6   clip LOW HIGH   tanh   sigmoid   scale FACTOR [OFFSET]   bn   dropout [0.5]\n"
    "  pad AROUND [reflect|replicate]            or pad TOP LEFT BOTTOM RIGHT\n"
    "  residual CHANNELS [s1]   fire SQUEEZE EXPAND    ResNet's basic block, SqueezeNet's module",
    run};
