/* SPDX-License-Identifier: Apache-2.0 */
#include "adversarial.h"
#include "commands.h"
#include "options.h"
#include "output.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_STEPS 10000

const char *const method_names[] = {"fgsm", "pgd", NULL};
static const double usual_epsilons[] = {0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3};

/* Texts of options that are numbers of a kind of their own. */
typedef struct texts {
    const char *epsilon, *epsilons, *step_size;
} texts;

double adversarial_number(const char *text)
{
    char *end;
    bool number = isdigit((unsigned char)*text) || *text == '.';
    double value = number ? strtod(text, &end) : (double)NAN, below = 1;
    if (number && *end == '/' && isdigit((unsigned char)end[1]))
        below = strtod(end + 1, &end);
    return number && !*end && below > 0 && isfinite(value) ? value / below : (double)NAN;
}

const char *adversarial_epsilon_text(double epsilon, char out[32])
{
    double levels = round(255 * epsilon);
    snprintf(out, 32, "%.4g", epsilon);
    if (fabs(strtod(out, NULL) - epsilon) > 1e-9 && fabs(levels / 255 - epsilon) < 1e-7)
        snprintf(out, 32, "%.0f/255", levels);
    return out;
}

/* low: what the number has to be above. */
static int read_number(const char *option, const char *text, double *out)
{
    *out = adversarial_number(text);
    if (*out > 0 && *out <= 1)
        return EXIT_GO_ON;
    return cli_usage(&cmd_adversarial,
                     "--%s='%s' makes no sense: a number above 0 and at most 1 is wanted, like 0.1 or 4/255", option,
                     text);
}

/* "0,0.05,8/255", rising. */
static int read_epsilons(const char *list, adversarial_options *o)
{
    char item[64];
    for (const char *at = list; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        snprintf(item, sizeof item, "%.*s", (int)(length < sizeof item ? length : sizeof item - 1), at);
        double value = adversarial_number(item), before = o->epsilon_count ? o->epsilons[o->epsilon_count - 1] : -1;
        if (!(value >= 0) || value > 1 || value <= before || o->epsilon_count == MOST_EPSILONS)
            return cli_usage(&cmd_adversarial,
                             "--epsilons='%s' makes no sense at '%s': at most %d rising numbers from 0 to 1 are wanted",
                             list, item, MOST_EPSILONS);
        o->epsilons[o->epsilon_count++] = value;
        at += length;
    }
    return EXIT_GO_ON;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

/* What belongs to a single picture. */
static int check_image(const adversarial_options *o, const texts *t)
{
    if (o->image && (o->data || o->index >= 0))
        return cli_usage(&cmd_adversarial, "IMAGE and --data exclude each other");
    if (!t->epsilon)
        return cli_usage(&cmd_adversarial, "how large a change? Say --epsilon");
    if (t->epsilons)
        return cli_usage(&cmd_adversarial, "--epsilons is for a whole data set; one picture takes --epsilon");
    if (o->output && !ends_with(o->output, ".png"))
        return cli_usage(&cmd_adversarial, "%s: the picture has to be a PNG, which keeps every bit of it", o->output);
    return EXIT_GO_ON;
}

static int check_data(const adversarial_options *o, const texts *t)
{
    if (t->epsilon && t->epsilons)
        return cli_usage(&cmd_adversarial, "--epsilon and --epsilons exclude each other");
    if (o->target)
        return cli_usage(&cmd_adversarial, "--target is for one picture");
    if (o->output && !ends_with(o->output, ".svg"))
        return cli_usage(&cmd_adversarial, "%s: the curve is an SVG picture, .svg", o->output);
    return EXIT_GO_ON;
}

/* Options that would do nothing. */
static int check_idle(const adversarial_options *o, bool single, const cli_option *options, size_t count)
{
    static const char *const of_pgd[] = {"steps", "step-size", "seed"}, *const of_data[] = {"limit", "batch"};
    bool pgd = o->method == METHOD_PGD || (o->method < 0 && !single);
    for (size_t i = 0; !pgd && i < sizeof of_pgd / sizeof of_pgd[0]; i++)
        if (cli_given(options, count, of_pgd[i]))
            return cli_usage(&cmd_adversarial, "--%s is for --method pgd; fgsm is one step", of_pgd[i]);
    for (size_t i = 0; single && i < sizeof of_data / sizeof of_data[0]; i++)
        if (cli_given(options, count, of_data[i]))
            return cli_usage(&cmd_adversarial, "--%s is for a whole data set", of_data[i]);
    if (o->as_is && !o->image)
        return cli_usage(&cmd_adversarial, "--as-is is for a picture from a file");
    if (o->labels && !single)
        return cli_usage(&cmd_adversarial, "--labels is for one picture");
    return EXIT_GO_ON;
}

static int take_numbers(adversarial_options *o, const texts *t)
{
    int code = EXIT_GO_ON;
    if (t->epsilon)
        code = read_number("epsilon", t->epsilon, &o->epsilon);
    if (code == EXIT_GO_ON && t->step_size)
        code = read_number("step-size", t->step_size, &o->step_size);
    if (code == EXIT_GO_ON && t->epsilons)
        code = read_epsilons(t->epsilons, o);
    if (code == EXIT_GO_ON && !o->epsilon_count) {
        o->epsilon_count = t->epsilon ? 2 : sizeof usual_epsilons / sizeof usual_epsilons[0];
        if (t->epsilon)
            o->epsilons[1] = o->epsilon;
        else
            memcpy(o->epsilons, usual_epsilons, sizeof usual_epsilons);
    }
    return code;
}

static int start(adversarial_options *o, const texts *t, const cli_option *options, size_t count, int argc,
                 char **argv, int first)
{
    if (first >= argc)
        return cli_usage(&cmd_adversarial, "which network?");
    if (argc - first > 2)
        return cli_usage(&cmd_adversarial, "one picture at a time");
    o->model = argv[first];
    o->image = argc - first == 2 ? argv[first + 1] : NULL;
    bool single = o->image || o->index >= 0;
    if (!single && !o->data)
        return cli_usage(&cmd_adversarial, "which picture? Name a PNG or JPEG file, or say --index or --data");
    int code = single ? check_image(o, t) : check_data(o, t);
    if (code == EXIT_GO_ON)
        code = check_idle(o, single, options, count);
    if (code == EXIT_GO_ON)
        code = take_numbers(o, t);
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON)
        code = output_check(o->output);
    if (code == EXIT_GO_ON)
        code = output_check_picture(o->sheet);
    if (code == EXIT_GO_ON)
        code = single ? adversarial_image(o) : adversarial_data(o);
    return code;
}

static int run(int argc, char **argv)
{
    int first;
    texts t = {.epsilon = NULL};
    adversarial_options o = {.method = -1, .index = -1, .limit = 1000, .batch = 250, .seed = 1};
    cli_option options[] = {
        {.name = "epsilon",
         .letter = 'e',
         .kind = CLI_TEXT,
         .target = &t.epsilon,
         .argument = "E",
         .help = "largest change of any value, of 0 to 1: 0.1 or 4/255"},
        {.name = "method",
         .letter = 'm',
         .kind = CLI_CHOICE,
         .target = &o.method,
         .argument = "HOW",
         .choices = method_names,
         .help = "fgsm (one step, default) or pgd (many); --data: both"},
        {.name = "target",
         .letter = 't',
         .kind = CLI_TEXT,
         .target = &o.target,
         .argument = "CLASS",
         .help = "what shall be seen: a number or a name (default: anything else)"},
        {.name = "steps",
         .kind = CLI_INTEGER,
         .target = &o.steps,
         .argument = "N",
         .low = 1,
         .high = MOST_STEPS,
         .help = "pgd: steps (default: 40)"},
        {.name = "step-size",
         .kind = CLI_TEXT,
         .target = &t.step_size,
         .argument = "S",
         .help = "pgd: size of one (default: 2.5 epsilon / steps)"},
        {.name = "seed",
         .kind = CLI_INTEGER,
         .target = &o.seed,
         .argument = "N",
         .low = 0,
         .high = 9e15,
         .help = "pgd: of the random start (default: 1)"},
        option_weights(&o.weights),
        option_labels('l', &o.labels),
        {.name = "as-is", .kind = CLI_FLAG, .target = &o.as_is, .help = "take the picture in its own size"},
        {.name = "output",
         .letter = 'o',
         .kind = CLI_TEXT,
         .target = &o.output,
         .argument = "FILE",
         .help = "the adversarial picture, PNG; --data: the curve, SVG"},
        {.name = "sheet",
         .kind = CLI_TEXT,
         .target = &o.sheet,
         .argument = "FILE",
         .help = "original, change and result side by side"},
        {.name = "data",
         .letter = 'd',
         .kind = CLI_TEXT,
         .target = &o.data,
         .argument = "DIR",
         .help = "accuracy on the test images there, or of digits, our own"},
        {.name = "index",
         .letter = 'i',
         .kind = CLI_INTEGER,
         .target = &o.index,
         .argument = "N",
         .low = 0,
         .high = 1e9,
         .help = "that image of the data instead of IMAGE"},
        {.name = "limit",
         .kind = CLI_INTEGER,
         .target = &o.limit,
         .argument = "N",
         .low = 1,
         .high = 10000000,
         .help = "--data: images to use (default: 1000)"},
        option_batch(&o.batch, "--data: images at once (default: 250)"),
        {.name = "epsilons",
         .kind = CLI_TEXT,
         .target = &t.epsilons,
         .argument = "LIST",
         .help = "--data: rising, like 0,0.1,0.2 (default: 0,0.05,...,0.3)"},
    };
    int code = cli_parse(&cmd_adversarial, options, sizeof options / sizeof options[0], argc, argv, &first);
    if (code == EXIT_GO_ON)
        code = start(&o, &t, options, sizeof options / sizeof options[0], argc, argv, first);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

const cli_command cmd_adversarial = {
    "adversarial", "MODEL [IMAGE]", "change a picture so little that nobody sees it, until a network is fooled",
    OPTION_MODEL_HELP "\n"
    "IMAGE is brought into the network's size as 'linnet predict' does; the result is a picture of that size, whose\n"
    "8 bits a value lie within epsilon of the original's, and what is said of it is what the network sees in those\n"
    "8 bits. 'linnet predict --as-is' reads it back.\n\n"
    "fgsm  one step along the sign of the gradient (Goodfellow, Shlens and Szegedy 2015)\n"
    "pgd   many small ones, kept within epsilon, from a random start (Madry et al. 2018)",
    run};
