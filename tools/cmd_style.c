/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "options.h"
#include "style.h"

#include <string.h>

#define NOISE_STYLE_WEIGHT 100

typedef struct style_arguments {
    style_settings settings;
    style_outputs outputs;
    const char *resume;
    bool iterations_given, every_given;
    int start, content_only, style_only;
} style_arguments;

static const char *const starts[] = {"content", "noise", NULL};

static int parse(style_arguments *a, int argc, char **argv, int *out_first)
{
    style_settings *s = &a->settings;
    cli_option options[] = {
        {.name = "output",
         .letter = 'o',
         .kind = CLI_TEXT,
         .target = &a->outputs.picture,
         .argument = "FILE",
         .help = "the picture, .png or .jpg (default: style.png)"},
        {.name = "model",
         .letter = 'm',
         .kind = CLI_TEXT,
         .target = &s->model,
         .argument = "NET",
         .help =
             "the network that looks: textures (default, needs no file), vgg19, squeezenet1_1, ... or a weight file"},
        {.name = "weights",
         .letter = 'w',
         .kind = CLI_TEXT,
         .target = &s->weights,
         .argument = "FILE",
         .help = "its weights, safetensors under torchvision's names"},
        option_pixels("size", 's', &s->size, "longer side of the picture (default: 256)"),
        option_pixels("style-size", 0, &s->style_size,
                      "longer side that the style is looked at with (default: --size): strokes grow with it"),
        {.name = "layers",
         .letter = 'l',
         .kind = CLI_TEXT,
         .target = &s->layers,
         .argument = "LIST",
         .help = "style layers, each perhaps with a weight: relu1_1:1,relu2_1:0.5"},
        {.name = "content-layers",
         .kind = CLI_TEXT,
         .target = &s->content_layers,
         .argument = "LIST",
         .help = "content layers"},
        {.name = "content-weight",
         .kind = CLI_REAL,
         .target = &s->content_weight,
         .argument = "A",
         .low = 1e-12,
         .high = 1e12,
         .help = "default: 1"},
        {.name = "style-weight",
         .kind = CLI_REAL,
         .target = &s->style_weight,
         .argument = "B",
         .low = 1e-12,
         .high = 1e12,
         .help = "default: 1000, of textures 300; from noise 100"},
        option_total_variation(&s->tv_weight, "weight of the total variation: smoother with more (default: 0)"),
        {.name = "absolute",
         .kind = CLI_FLAG,
         .target = &s->absolute,
         .help = "weights multiply the paper's losses as they are, not relative to the content's and the style's size"},
        {.name = "average-pooling",
         .kind = CLI_FLAG,
         .target = &s->average_pooling,
         .help = "vgg19 with means instead of maxima"},
        option_iterations(&s->iterations, "default: 100"),
        option_optimizer(&s->method),
        option_rate(&s->rate),
        {.name = "start",
         .kind = CLI_CHOICE,
         .target = &a->start,
         .argument = "WHAT",
         .choices = starts,
         .help = "content (default) or noise"},
        {.name = "noise",
         .kind = CLI_REAL,
         .target = &s->noise,
         .argument = "SHARE",
         .low = 0,
         .high = 1,
         .help = "share of white noise in the start, 0 to 1, the rest is content"},
        option_seed(&s->seed, "of the noise (default: 1)"),
        {.name = "every",
         .letter = 'e',
         .kind = CLI_INTEGER,
         .target = &s->every,
         .argument = "N",
         .low = 1,
         .high = 1000000,
         .help = "write the picture every N iterations, too: style-0010.png, ... beside style.png"},
        {.name = "content-only",
         .kind = CLI_FLAG,
         .target = &a->content_only,
         .help = "reconstruct the content from each layer by itself, in a row"},
        {.name = "style-only",
         .kind = CLI_FLAG,
         .target = &a->style_only,
         .help = "reconstruct the style from more and more layers, in a row"},
        {.name = "state",
         .kind = CLI_TEXT,
         .target = &a->outputs.state,
         .argument = "FILE",
         .help = "keep what --resume needs in FILE at the end, too (interrupted runs keep it in any case)"},
        {.name = "resume",
         .kind = CLI_TEXT,
         .target = &a->resume,
         .argument = "FILE",
         .help = "go on where a run was interrupted; says everything but -o; --iterations and --every may change"},
    };
    size_t count = sizeof options / sizeof options[0];
    int code = cli_parse(&cmd_style, options, count, argc, argv, out_first);
    a->iterations_given = cli_given(options, count, "iterations");
    a->every_given = cli_given(options, count, "every");
    if (code == EXIT_GO_ON && !cli_given(options, count, "noise"))
        s->noise = a->start;
    /* In noise, the content has to be found first. */
    if (code == EXIT_GO_ON && s->style_weight == 0 && !s->absolute && s->noise == 1)
        s->style_weight = NOISE_STYLE_WEIGHT;
    if (code == EXIT_GO_ON && a->resume)
        for (size_t i = 0; i < count && code == EXIT_GO_ON; i++)
            if (options[i].given && options[i].target != (void *)&a->outputs.picture &&
                options[i].target != (void *)&s->iterations && options[i].target != (void *)&s->every &&
                options[i].target != (void *)&a->outputs.state && options[i].target != (void *)&a->resume)
                code = cli_usage(&cmd_style, "--%s cannot be changed by --resume", options[i].name);
    return code;
}

/* The one or two pictures on the command line. */
static int take_pictures(style_arguments *a, int count, char **files)
{
    bool only = a->content_only || a->style_only, both = a->content_only == a->style_only;
    if (a->resume)
        return count ? cli_usage(&cmd_style, "--resume knows the pictures: '%s' is too much", files[0]) : EXIT_GO_ON;
    if (count > 2 || count < (only && !both ? 1 : 2))
        return cli_usage(&cmd_style,
                         count > 2    ? "a content and a style picture are wanted, '%s' is too much"
                         : count == 1 ? "which style picture?%.0s"
                                      : "which content and which style picture?%.0s",
                         count > 2 ? files[2] : "");
    if (a->content_only || both)
        a->settings.content = files[0];
    if (a->style_only || both)
        a->settings.style = files[count - 1];
    return EXIT_GO_ON;
}

static int resume(style_arguments *a)
{
    json_t *json;
    int64_t done;
    const style_settings typed = a->settings;
    int code = style_state_settings(a->resume, &a->settings, &done, &json);
    if (a->iterations_given)
        a->settings.iterations = typed.iterations;
    if (a->every_given)
        a->settings.every = typed.every;
    if (code == EXIT_GO_ON && done >= a->settings.iterations)
        code = cli_fail(EXIT_USAGE, "%s has %lld iterations behind it; say more with --iterations", a->resume,
                        (long long)done);
    if (code == EXIT_GO_ON)
        code = style_transfer(&a->settings, &a->outputs, a->resume);
    json_decref(json);
    return code;
}

static int run(int argc, char **argv)
{
    int first;
    style_arguments a = {.settings = {.size = 256, .seed = 1, .iterations = 100}, .outputs = {.picture = "style.png"}};
    int code = parse(&a, argc, argv, &first);
    if (code == EXIT_GO_ON)
        code = take_pictures(&a, argc - first, argv + first);
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON)
        code = option_optimizer_check(a.settings.method);
    if (code != EXIT_GO_ON)
        return code;
    if (a.resume)
        return resume(&a);
    if (a.content_only || a.style_only)
        return style_figure(&a.settings, &a.outputs, a.content_only, a.style_only);
    return style_transfer(&a.settings, &a.outputs, NULL);
}

const cli_command cmd_style = {
    "style", "CONTENT STYLE", "paint one picture in the style of another",
    "After Gatys, Ecker and Bethge, 'Image Style Transfer Using Convolutional Neural Networks' (CVPR 2016): the "
    "picture\n"
    "is changed until the feature maps of a network are those of CONTENT in one layer and correlate like those of "
    "STYLE\n"
    "in others. Beside the picture goes the course of the losses: style-loss.svg beside style.png.\n\n"
    "Losses are relative, unless --absolute: 1 where a layer had nothing at all. So the same weights serve every network and size.\n"
    "--content-only and --style-only make the rows of the paper's figure 1, and need only the one picture.\n\n"
    "An interrupted run (Ctrl-C) writes the picture as it is and style.state beside style.png, from which --resume\n"
    "goes on: adam with the same bits as if nothing had happened, lbfgs with a fresh history.",
    run};
