/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "features.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

typedef enum mode { LAYER, STRIP, FILTERS, EXCITING, MAXIMISE, SALIENCY, GRAD_CAM, FIELD } mode;

/* ---- What the parts share ---- */

linnet_value features_layer_or(const features *f, linnet_value instead)
{
    return f->layer.id ? f->layer : instead;
}

const char *features_layer_name(const features *f, linnet_value layer)
{
    return layer.id == f->e.model.logits.id && !f->layer.id ? "the scores" : linnet_value_name(f->e.model.net, layer);
}

/* ---- Which of them is asked for ---- */

static int choose_mode(const features_options *o, mode *out)
{
    const struct {
        bool given;
        mode mode;
    } asked[] = {
        {o->all != 0, STRIP},
        {o->filters != 0, FILTERS},
        {o->exciting != NULL, EXCITING},
        {o->maximise != NULL, MAXIMISE},
        {o->saliency != 0, SALIENCY},
        {o->grad_cam != 0, GRAD_CAM},
        {o->receptive_field != 0, FIELD},
    };
    int count = 0;
    *out = o->layer ? LAYER : STRIP;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        if (asked[i].given) {
            *out = asked[i].mode;
            count++;
        }
    if (count > 1)
        return cli_usage(&cmd_features, "one of --all, --filters, --exciting, --maximise, --saliency, --grad-cam and "
                                        "--receptive-field at a time");
    return EXIT_GO_ON;
}

static bool wants_picture(mode m)
{
    return m != FILTERS && m != EXCITING && m != MAXIMISE;
}

static int check_arguments(features_options *o, mode m, int count, char **arguments)
{
    if (count < 1)
        return cli_usage(&cmd_features, "which network?");
    o->model = arguments[0];
    o->image = count > 1 ? arguments[1] : NULL;
    if (look_is_picture(o->model))
        return cli_fail(EXIT_BAD_INPUT, "%s is no network and no weight file; MODEL comes first", o->model);
    if (count > 2)
        return cli_usage(&cmd_features, "one picture at a time");
    if (wants_picture(m) && !o->image && o->index < 0)
        return cli_usage(&cmd_features, "which picture? Name a PNG or JPEG, or say --index");
    if (o->image && (o->index >= 0 || !wants_picture(m)))
        return cli_usage(&cmd_features, "'%s' is too much: no picture file is looked at here", o->image);
    if (!o->output && !cli_common_options.json)
        return cli_usage(&cmd_features, "where to? Say -o FILE.png, or --json for numbers alone");
    return output_check_picture(o->output);
}

/* ---- Opening everything ---- */

/* The data set where one is needed. */
static int open_data(features *f, mode m)
{
    const features_options *o = f->o;
    if (m != EXCITING && o->index < 0)
        return EXIT_GO_ON;
    return look_data(o->data, o->model, o->weights, o->size, m == EXCITING ? o->limit : 0, o->index, &f->data);
}

static int open_engine(features *f)
{
    linnet_model_options options = {.struct_size = sizeof options, .height = f->o->size, .width = f->o->size};
    if (f->data) {
        options.channels = linnet_dataset_channels(f->data);
        options.height = linnet_dataset_height(f->data);
        options.width = linnet_dataset_width(f->data);
    }
    return engine_open_model(&f->e, f->o->model, f->o->weights, &options);
}

static int open_picture(features *f)
{
    if (f->o->index < 0)
        return photo_open(f->o->image, &f->e.model, PHOTO_FITTED, &f->picture);
    return photo_open_index(f->data, f->o->index, &f->picture);
}

static int find_class(features *f)
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    f->class_index = LINNET_CLASS_BEST;
    if (!f->o->class_text)
        return EXIT_GO_ON;
    linnet_value_shape(f->e.model.net, f->e.model.logits, dims);
    f->class_index = labels_find(&f->names, f->o->class_text, (int32_t)dims[1]);
    if (f->class_index >= 0)
        return EXIT_GO_ON;
    return cli_fail(EXIT_USAGE, "there is no class '%s': they are numbered 0 to %lld%s", f->o->class_text,
                    (long long)dims[1] - 1, f->names.names ? ", or have names" : "");
}

static int check_scores(const features *f, mode m)
{
    bool needs = m == SALIENCY || m == GRAD_CAM || ((m == EXCITING || m == MAXIMISE) && !f->o->layer);
    if (!needs || f->e.model.logits.id)
        return EXIT_GO_ON;
    return cli_fail(EXIT_USAGE, "the network '%s' has no class scores%s", linnet_net_name(f->e.model.net),
                    m == EXCITING || m == MAXIMISE ? "; name a layer with --layer" : "");
}

static int open_all(features *f, mode m)
{
    int code = labels_open(f->o->labels, &f->names);
    if (code == EXIT_GO_ON)
        code = open_data(f, m);
    if (code == EXIT_GO_ON)
        code = open_engine(f);
    if (code == EXIT_GO_ON && f->o->labels)
        code = look_labels(&f->e.model, f->o->labels, &f->names);
    if (code == EXIT_GO_ON)
        code = labels_of_net(f->e.model.net, &f->names);
    if (code == EXIT_GO_ON && f->data)
        code = labels_of_data(f->data, &f->names);
    if (code == EXIT_GO_ON && f->o->layer)
        code = look_layer(&f->e.model, f->o->layer, &f->layer);
    if (code == EXIT_GO_ON)
        code = check_scores(f, m);
    if (code == EXIT_GO_ON)
        code = find_class(f);
    if (code == EXIT_GO_ON && wants_picture(m))
        code = open_picture(f);
    return code;
}

static int show(features *f, mode m)
{
    static int (*const parts[])(features *) = {features_layer,    features_strip,    features_filters,
                                               features_exciting, features_maximise, features_saliency,
                                               features_grad_cam, features_field};
    interrupt_watch();
    return parts[m](f);
}

/* ---- The command line ---- */

enum { OPTIONS = 22 };

static void list_options(features_options *o, cli_option out[OPTIONS])
{
    const cli_option table[OPTIONS] = {
        {"layer", 'l', CLI_TEXT, &o->layer, "LAYER", "the maps of this layer; with the others: at this layer", 0, 0,
         NULL, false},
        {"all", 'a', CLI_FLAG, &o->all, NULL,
         "every layer, from the picture to the scores (default without --layer); in stages where there are many", 0, 0,
         NULL, false},
        {"filters", 0, CLI_FLAG, &o->filters, NULL,
         "what the first layer looks for, or --layer's: its weights as tiles", 0, 0, NULL, false},
        {"saliency", 0, CLI_FLAG, &o->saliency, NULL, "how much the score depends on each pixel", 0, 0, NULL, false},
        {"grad-cam", 0, CLI_FLAG, &o->grad_cam, NULL, "where the layer (default: the last with maps) sees the class", 0,
         0, NULL, false},
        {"class", 'c', CLI_TEXT, &o->class_text, "CLASS", "for these two: a number or a name (default: the best one)",
         0, 0, NULL, false},
        {"receptive-field", 0, CLI_FLAG, &o->receptive_field, NULL, "the pixels that a unit of the layer depends on", 0,
         0, NULL, false},
        {"unit", 'u', CLI_TEXT, &o->unit, "X,Y", "for this: which unit (default: the middle one)", 0, 0, NULL, false},
        {"exciting", 0, CLI_TEXT, &o->exciting, "UNITS",
         "the images that excite channels of the layer (default: classes) most: 0,3,7-9", 0, 0, NULL, false},
        {"data", 'd', CLI_TEXT, &o->data, "DIR", "images for this: a folder, or digits (default: synthetic digits)", 0,
         0, NULL, false},
        {"limit", 0, CLI_INTEGER, &o->limit, "N", "only the first N of them", 1, 1e9, NULL, false},
        {"count", 'n', CLI_INTEGER, &o->count, "N", "so many images a unit (default: 10)", 1, 100, NULL, false},
        {"maximise", 0, CLI_TEXT, &o->maximise, "UNITS",
         "pictures that raise channels of the layer (default: classes) most", 0, 0, NULL, false},
        {"steps", 0, CLI_INTEGER, &o->steps, "N", "steps for this (default: 256)", 1, 100000, NULL, false},
        {"seed", 's', CLI_INTEGER, &o->seed, "N", "of the noise that it begins with (default: 1)", 0, 1e15, NULL,
         false},
        {"blur", 0, CLI_REAL, &o->blur, "PIXELS", "that each step ends with, less and less (default: 1.5)", 0.1, 10,
         NULL, false},
        {"index", 'i', CLI_INTEGER, &o->index, "N", "instead of IMAGE: that test image of the data", 0, 1e9, NULL,
         false},
        {"maps", 0, CLI_INTEGER, &o->maps, "N", "at most N maps a layer, those that vary most over the picture", 1,
         4096, NULL, false},
        {"size", 0, CLI_INTEGER, &o->size, "N", "height and width of the picture, where the network takes any", 8, 4096,
         NULL, false},
        option_weights(&o->weights),
        option_labels(0, &o->labels),
        {"output", 'o', CLI_TEXT, &o->output, "FILE", "the picture, PNG or JPEG", 0, 0, NULL, false},
    };
    memcpy(out, table, sizeof table);
}

static int run(int argc, char **argv)
{
    int first;
    mode m = STRIP;
    features_options o = {.index = -1, .count = 10, .steps = 256, .seed = 1};
    features f = {.o = &o};
    cli_option options[OPTIONS];
    list_options(&o, options);
    int code = cli_parse(&cmd_features, options, OPTIONS, argc, argv, &first);
    if (code == EXIT_GO_ON)
        code = choose_mode(&o, &m);
    if (code == EXIT_GO_ON)
        code = check_arguments(&o, m, argc - first, argv + first);
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON)
        code = open_all(&f, m);
    if (code == EXIT_GO_ON)
        code = show(&f, m);
    photo_free(&f.picture);
    engine_close(&f.e);
    linnet_dataset_free(&f.data);
    labels_free(&f.names);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

const cli_command cmd_features = {
    "features", "MODEL [IMAGE]", "show what the layers of a network see in a picture",
    OPTION_MODEL_HELP
    "\n"
    "IMAGE is a PNG or JPEG; it is cut to the shape that the network takes and resized, and framed as digits are "
    "where\n"
    "the network reads those.\n"
    "--all shows more than 24 layers in stages: layers that only go into a relu or a concat are left out there (the\n"
    "table, --layer and --json have them).\n"
    "Maps are drawn on the scale of their layer: from black (0) to yellow, or blue (negative) to red.\n"
    "\n"
    "  linnet features squeezenet1_1 -w model.safetensors kitten.png --all -o strip.png\n"
    "  linnet features squeezenet1_1 -w model.safetensors kitten.png --grad-cam --class tabby --labels synset.txt -o "
    "c.png\n"
    "  linnet features out/lenet5.safetensors --exciting 0-9 -o digits.png\n",
    run};
