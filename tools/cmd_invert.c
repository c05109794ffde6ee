/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "invert.h"
#include "options.h"

static int parse(invert_settings *s, int argc, char **argv, int *out_first)
{
    cli_option options[] = {
        {.name = "layer",
         .letter = 'l',
         .kind = CLI_TEXT,
         .target = &s->layers,
         .argument = "LIST",
         .help = "layers, separated by commas (default: up to eight stages from the picture to the scores)"},
        {.name = "output",
         .letter = 'o',
         .kind = CLI_TEXT,
         .target = &s->output,
         .argument = "FILE",
         .help = "the figure, .png or .jpg (default: invert.png)"},
        option_weights(&s->weights),
        option_pixels("size", 's', &s->size, "longer side of the picture (default: the network's own size)"),
        option_iterations(&s->descent.iterations, "for each layer (default: 200)"),
        {.name = "alpha",
         .kind = CLI_REAL,
         .target = &s->alpha,
         .argument = "A",
         .low = 1,
         .high = 100,
         .help = "exponent of the alpha-norm (default: 6)"},
        {.name = "alpha-weight",
         .kind = CLI_REAL,
         .target = &s->alpha_weight,
         .argument = "W",
         .low = 0,
         .high = 1e12,
         .help = "weight of the alpha-norm, which keeps numbers in their range (default: 0.001)"},
        {.name = "beta",
         .kind = CLI_REAL,
         .target = &s->beta,
         .argument = "B",
         .low = 0.1,
         .high = 10,
         .help = "exponent of the total variation (default: 2)"},
        option_total_variation(&s->tv_weight, "weight of the total variation: smoother with more (default: 1)"),
        {.name = "no-regularizers", .kind = CLI_FLAG, .target = &s->none, .help = "match the features, nothing else"},
        option_optimizer(&s->descent.method),
        option_rate(&s->descent.rate),
        option_seed(&s->descent.seed, "of the noise it starts from (default: 1)"),
    };
    return cli_parse(&cmd_invert, options, sizeof options / sizeof options[0], argc, argv, out_first);
}

static int run(int argc, char **argv)
{
    int first;
    invert_settings s = {.output = "invert.png", .descent = {.iterations = 200, .seed = 1}};
    int code = parse(&s, argc, argv, &first);
    if (code == EXIT_GO_ON && argc - first != 2)
        code = cli_usage(&cmd_invert, argc - first > 2    ? "one network and one picture at a time"
                                      : argc - first == 1 ? "which picture?"
                                                          : "which network, and which picture?");
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON)
        code = option_optimizer_check(s.descent.method);
    if (code != EXIT_GO_ON)
        return code;
    s.model = argv[first];
    s.image = argv[first + 1];
    return invert_layers(&s);
}

const cli_command cmd_invert = {"invert", "MODEL IMAGE", "show what each layer knows of a picture, by inverting it",
                                "After Mahendran and Vedaldi, 'Understanding Deep Image Representations by Inverting "
                                "Them' (CVPR 2015): from noise, a\n"
                                "picture is sought that has the same activations in one layer as IMAGE. The figure "
                                "shows IMAGE and one such picture\n"
                                "for each layer; the distance is that of the activations, squared, 1 being that of "
                                "none at all. Shallow layers give\n"
                                "nearly the picture back, deep ones what they care about. Beside it goes the course of "
                                "the losses: invert-loss.svg\n"
                                "beside invert.png.\n\n" OPTION_MODEL_HELP,
                                run};
