/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "filter.h"
#include "json_lines.h"
#include "output.h"
#include "planes.h"
#include "text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum demo {
    DEMO_NONE = -1,
    DEMO_CONVOLUTION,
    DEMO_POOLING,
    DEMO_TEMPLATE,
    DEMO_ACTIVATIONS,
    DEMO_KERNELS
} demo;
typedef enum alpha { ALPHA_KEEP, ALPHA_WHITE } alpha;

typedef struct filter_settings {
    const char *image, *kernel, *output, *rectangle;
    int demo, border, alpha, flip, absolute, centred, signed_view;
    int64_t by, size;
    double sigma, gain;
} filter_settings;

static const char *const demo_names[] = {"convolution", "pooling", "template", "activations", "kernels", NULL};
static const char *const border_names[] = {"zero", "replicate", "reflect", NULL}; /* as linnet_border */
static const char *const alpha_names[] = {"keep", "white", NULL};

typedef struct filtering {
    linnet_device *device;
    linnet_image *image;
    linnet_kernel *kernel[2]; /* the second for the length of Sobel's gradient */
    int32_t channels;         /* that are filtered: 1 or 3 */
    size_t pixels, count;     /* of a plane, of all */
    float *planes, *result;
    double low, high, mean; /* of the result */
    double clamped;         /* share of it that the picture cannot show */
    double reach;           /* --signed, --centred: where colours end */
} filtering;

/* ---- The kernel ---- */

static bool is_kernel_name(const char *text)
{
    const char *name;
    for (size_t i = 0; (name = linnet_kernel_name(i, NULL)); i++)
        if (strcmp(name, text) == 0)
            return true;
    return false;
}

static int open_named(const filter_settings *s, const char *name, linnet_kernel **out)
{
    *out = linnet_kernel_named(NULL, name, .by = (int32_t)s->by, .size = (int32_t)s->size, .sigma = (float)s->sigma);
    if (*out)
        return EXIT_GO_ON;
    int code = cli_check_last();
    return code == EXIT_FAILED ? EXIT_USAGE : code;
}

static int unknown_kernel(const char *text)
{
    char names[512] = "";
    const char *name;
    for (size_t i = 0; (name = linnet_kernel_name(i, NULL)); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s, ", name);
    return cli_fail(EXIT_USAGE, "no kernel '%s'; there are: %ssobel", text, names);
}

/* A name, the numbers themselves, or a file with them. */
static int open_kernel(const filter_settings *s, filtering *f)
{
    const char *text = s->kernel;
    bool numbers = strpbrk(text, "; ,") || isdigit((unsigned char)text[strspn(text, "+-.")]);
    if (strcmp(text, "sobel") == 0) {
        int code = open_named(s, "sobel-x", &f->kernel[0]);
        return code == EXIT_GO_ON ? open_named(s, "sobel-y", &f->kernel[1]) : code;
    }
    if (is_kernel_name(text))
        return open_named(s, text, &f->kernel[0]);
    if (access(text, F_OK) == 0 || (!numbers && strpbrk(text, "./"))) {
        f->kernel[0] = linnet_kernel_read(NULL, text);
        return f->kernel[0] ? EXIT_GO_ON : cli_check_last_input();
    }
    if (!numbers)
        return unknown_kernel(text);
    f->kernel[0] = linnet_kernel_parse(NULL, text, "--kernel");
    return f->kernel[0] ? EXIT_GO_ON : cli_check_last() == EXIT_NO_MEMORY ? EXIT_NO_MEMORY : EXIT_USAGE;
}

/* ---- The picture ---- */

/* alpha kept: colours as they are stored, whatever their alpha. */
static void read_planes(const linnet_image *image, int32_t channels, float *out)
{
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (int32_t c = 0; c < channels; c++)
        for (size_t i = 0; i < pixels; i++) {
            size_t at = i * (size_t)image->channels + (size_t)c;
            out[(size_t)c * pixels + i] =
                image->pixels16 ? (float)image->pixels16[at] / 65535.0f : (float)image->pixels[at] / 255.0f;
        }
}

static int open_image(const filter_settings *s, filtering *f)
{
    f->image = linnet_image_read_deep(NULL, s->image);
    if (!f->image)
        return cli_check_last_input();
    f->channels = f->image->channels < 3 ? 1 : 3;
    if (s->alpha == ALPHA_WHITE && f->image->channels != f->channels) {
        linnet_image *flat = linnet_image_convert(NULL, f->image, f->channels);
        if (!flat)
            return cli_check_last();
        linnet_image_free(&f->image);
        f->image = flat;
    }
    f->pixels = (size_t)f->image->width * (size_t)f->image->height;
    f->count = f->pixels * (size_t)f->channels;
    f->planes = malloc(f->count * sizeof *f->planes);
    f->result = malloc(f->count * sizeof *f->result);
    if (!f->planes || !f->result)
        return cli_fail(EXIT_NO_MEMORY, "no memory for %s", s->image);
    read_planes(f->image, f->channels, f->planes);
    return EXIT_GO_ON;
}

/* ---- Filtering ---- */

static linnet_status filter_once(const filter_settings *s, const filtering *f, int kernel, float *out)
{
    linnet_tensor picture = {
        .type = LINNET_F32, .rank = 3, .dims = {f->channels, f->image->height, f->image->width}, .data = f->planes};
    return linnet_filter_apply(f->device, &picture, f->kernel[kernel], out, .border = (linnet_border)s->border,
                               .flip = s->flip);
}

static int apply(const filter_settings *s, filtering *f)
{
    float *second = f->kernel[1] ? malloc(f->count * sizeof *second) : NULL;
    if (f->kernel[1] && !second)
        return cli_fail(EXIT_NO_MEMORY, "no memory for %s", s->image);
    linnet_status status = filter_once(s, f, 0, f->result);
    if (status == LINNET_OK && second) {
        status = filter_once(s, f, 1, second);
        linnet_filter_magnitude(f->result, second, f->count, f->result);
    }
    free(second);
    return status == LINNET_SHAPE ? cli_check_input(status) : cli_check(status);
}

static void measure(const filter_settings *s, filtering *f)
{
    f->low = f->high = (double)f->result[0] * s->gain;
    for (size_t i = 0; i < f->count; i++) {
        f->result[i] *= (float)s->gain;
        double value = (double)f->result[i], shown = s->absolute ? fabs(value) : value;
        f->low = fmin(f->low, value);
        f->high = fmax(f->high, value);
        f->mean += value / (double)f->count;
        f->clamped += (shown < -1e-6 || shown > 1 + 1e-6) / (double)f->count;
    }
    if (s->signed_view || s->centred)
        f->clamped = 0;
}

/* ---- The result as a picture ---- */

/* What is shown in full colour: all but the few largest values, which would leave the rest pale. */
static int find_reach(filtering *f)
{
    float usual, largest = 0;
    int code = planes_usual(f->result, f->count, &usual);
    for (size_t i = 0; i < f->count && usual <= 0; i++)
        largest = fmaxf(largest, fabsf(f->result[i]));
    f->reach = usual > 0 ? (double)usual : largest > 0 ? (double)largest : 1;
    return code;
}

/* The mean of the channels, through the diverging map. */
static linnet_image *show_signed(const filtering *f)
{
    float reach = (float)f->reach, *mean = calloc(f->pixels, sizeof *mean);
    for (size_t i = 0; mean && i < f->count; i++)
        mean[i % f->pixels] += f->result[i] / (float)f->channels;
    linnet_image *image = mean ? linnet_image_from_map(NULL, mean, f->image->height, f->image->width, -reach, reach,
                                                       LINNET_COLOUR_DIVERGING)
                               : NULL;
    free(mean);
    return image;
}

/* Values 0 to 1 as they are, alpha beside them; as deep as the picture was. */
static linnet_image *show_values(const filtering *f)
{
    const linnet_image *like = f->image;
    bool deep = like->pixels16 != NULL;
    linnet_image *colours = (deep ? linnet_image_from_planes_deep
                                  : linnet_image_from_planes)(NULL, f->result, f->channels, like->height, like->width);
    if (!colours || like->channels == f->channels)
        return colours;
    size_t all = (size_t)like->channels, some = (size_t)f->channels;
    linnet_image *image =
        (deep ? linnet_image_new_deep : linnet_image_new)(NULL, like->width, like->height, like->channels);
    for (size_t i = 0; image && i < f->pixels * all; i++) {
        bool kept = i % all == some;
        size_t from = i / all * some + i % all;
        if (deep)
            image->pixels16[i] = kept ? like->pixels16[i] : colours->pixels16[from];
        else
            image->pixels[i] = kept ? like->pixels[i] : colours->pixels[from];
    }
    linnet_image_free(&colours);
    return image;
}

static int write_picture(const filter_settings *s, filtering *f)
{
    int code = s->centred || s->signed_view ? find_reach(f) : EXIT_GO_ON;
    if (code != EXIT_GO_ON)
        return code;
    float half = (float)(0.5 / f->reach);
    for (size_t i = 0; i < f->count; i++) {
        if (s->absolute)
            f->result[i] = fabsf(f->result[i]);
        if (s->centred)
            f->result[i] = 0.5f + half * f->result[i];
    }
    linnet_image *image = s->signed_view ? show_signed(f) : show_values(f);
    if (!image)
        return cli_check_last();
    linnet_status status = linnet_image_write(NULL, image, s->output);
    linnet_image_free(&image);
    return cli_check(status);
}

/* ---- What was done ---- */

static void print(const filter_settings *s, const filtering *f)
{
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "kernel", s->kernel);
        json_count(line, "kernel_height", f->kernel[0]->height);
        json_count(line, "kernel_width", f->kernel[0]->width);
        json_text(line, "border", border_names[s->border]);
        json_text(line, "backend", linnet_device_backend_name(f->device));
        json_count(line, "width", f->image->width);
        json_count(line, "height", f->image->height);
        json_count(line, "channels", f->channels);
        json_count(line, "bits", f->image->pixels16 ? 16 : 8);
        json_number(line, "low", f->low);
        json_number(line, "high", f->high);
        json_number(line, "mean", f->mean);
        json_number(line, "clamped", f->clamped);
        json_line(line);
    } else if (!cli_common_options.quiet) {
        printf("%s, %d x %d, on %s (%d x %d, %s%s) with %s\n", s->kernel, f->kernel[0]->height, f->kernel[0]->width,
               s->image, f->image->width, f->image->height, f->channels == 1 ? "grey" : "RGB",
               f->image->pixels16 ? ", 16 bits" : "", linnet_device_label(f->device));
        printf("results from %.3f to %.3f (black is 0, white 1)", f->low, f->high);
        if (f->clamped > 0)
            printf("; %.1f %% of them clamped (--gain, --absolute, --centred, --signed show more)", 100 * f->clamped);
        if (s->signed_view || s->centred)
            printf("; full colour at +-%.3f", f->reach);
        printf("\n");
    }
}

static int filter_image(const filter_settings *s, filtering *f)
{
    int code = open_kernel(s, f);
    if (code == EXIT_GO_ON)
        code = open_image(s, f);
    if (code == EXIT_GO_ON)
        code = apply(s, f);
    if (code != EXIT_GO_ON)
        return code;
    measure(s, f);
    code = write_picture(s, f);
    if (code == EXIT_GO_ON)
        print(s, f);
    return code;
}

static int run_demo(const filter_settings *s, linnet_device *device)
{
    if (s->demo == DEMO_CONVOLUTION)
        return filter_demo_convolution(device, s->output);
    if (s->demo == DEMO_POOLING)
        return filter_demo_pooling(device, s->output);
    if (s->demo == DEMO_ACTIVATIONS)
        return filter_demo_activations(device, s->output);
    if (s->demo == DEMO_KERNELS)
        return filter_demo_kernels(device, s->image, s->border, s->output);
    return filter_demo_template(device, s->image, s->rectangle, s->output);
}

/* ---- What is asked for ---- */

/* Which options a demonstration looks at; without one, all but --template. */
static bool is_for(const filter_settings *s, const char *option)
{
    if (strcmp(option, "output") == 0)
        return true;
    if (s->demo == DEMO_NONE || strcmp(option, "demo") == 0)
        return strcmp(option, "template") != 0;
    return (s->demo == DEMO_TEMPLATE && strcmp(option, "template") == 0) ||
           (s->demo == DEMO_KERNELS && strcmp(option, "border") == 0);
}

/* Options that would do nothing. */
static int check_options(const filter_settings *s, const cli_option *options, size_t count)
{
    static const struct {
        const char *option, *kernels[5]; /* that it is for */
    } rules[] = {
        {"by", {"shift-left", "shift-right", "shift-up", "shift-down"}},
        {"size", {"box", "gaussian"}},
        {"sigma", {"gaussian"}},
    };
    for (size_t i = 0; i < count; i++)
        if (options[i].given && options[i].name && !is_for(s, options[i].name))
            return s->demo == DEMO_NONE ? cli_usage(&cmd_filter, "--%s is for --demo template", options[i].name)
                                        : cli_usage(&cmd_filter, "--%s does nothing with --demo=%s", options[i].name,
                                                    demo_names[s->demo]);
    for (size_t i = 0; s->kernel && i < sizeof rules / sizeof rules[0]; i++) {
        bool fits = !cli_given(options, count, rules[i].option);
        for (const char *const *k = rules[i].kernels; !fits && *k; k++)
            fits = strcmp(s->kernel, *k) == 0;
        if (!fits)
            return cli_usage(&cmd_filter, "--%s does nothing with --kernel='%s'", rules[i].option, s->kernel);
    }
    return EXIT_GO_ON;
}

static int check_usage(const filter_settings *s, int images)
{
    if (s->demo == DEMO_CONVOLUTION || s->demo == DEMO_POOLING || s->demo == DEMO_ACTIVATIONS)
        return images ? cli_usage(&cmd_filter, "--demo=%s brings its own picture", demo_names[s->demo]) : EXIT_GO_ON;
    if (images > 1)
        return cli_usage(&cmd_filter, "one picture at a time");
    if (s->demo == DEMO_TEMPLATE)
        return EXIT_GO_ON;
    if (!images)
        return cli_usage(&cmd_filter, "which picture?");
    if (s->demo == DEMO_KERNELS)
        return EXIT_GO_ON;
    if (!s->kernel)
        return cli_usage(&cmd_filter, "which kernel? Say --kernel");
    if (!s->output)
        return cli_usage(&cmd_filter, "where shall the picture go? Say -o");
    if (s->absolute + s->centred + s->signed_view > 1)
        return cli_usage(&cmd_filter, "--absolute, --centred and --signed exclude each other");
    return EXIT_GO_ON;
}

static int filter_main(const filter_settings *s, int images)
{
    filtering f = {.reach = 1};
    int code = check_usage(s, images);
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON)
        code = output_check_picture(s->output);
    if (code == EXIT_GO_ON) {
        f.device = linnet_device_open(NULL, cli_common_options.backend);
        code = !f.device ? cli_check_last() : s->demo == DEMO_NONE ? filter_image(s, &f) : run_demo(s, f.device);
    }
    linnet_kernel_free(&f.kernel[0]);
    linnet_kernel_free(&f.kernel[1]);
    linnet_image_free(&f.image);
    linnet_device_close(&f.device);
    free(f.planes);
    free(f.result);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

static int run(int argc, char **argv)
{
    int first;
    filter_settings s = {.demo = DEMO_NONE, .gain = 1};
    cli_option options[] = {
        {.name = "kernel",
         .letter = 'k',
         .kind = CLI_TEXT,
         .target = &s.kernel,
         .argument = "KERNEL",
         .help = "a name, the numbers, or a file with them"},
        {.name = "output",
         .letter = 'o',
         .kind = CLI_TEXT,
         .target = &s.output,
         .argument = "FILE",
         .help = "where the picture goes, PNG or JPEG"},
        {.name = "border",
         .kind = CLI_CHOICE,
         .target = &s.border,
         .argument = "KIND",
         .choices = border_names,
         .help = "outside the picture: zero (default), replicate, reflect"},
        {.name = "flip",
         .kind = CLI_FLAG,
         .target = &s.flip,
         .help = "turn the kernel by half a turn: the convolution of the textbooks"},
        {.name = "by",
         .kind = CLI_INTEGER,
         .target = &s.by,
         .argument = "N",
         .low = 1,
         .high = 127,
         .help = "shift-*: pixels, 1 (default) to 127"},
        {.name = "size",
         .kind = CLI_INTEGER,
         .target = &s.size,
         .argument = "N",
         .low = 1,
         .high = 255,
         .help = "side of box (default: 3) and gaussian (default: 6 sigma + 1)"},
        {.name = "sigma",
         .kind = CLI_REAL,
         .target = &s.sigma,
         .argument = "S",
         .low = 0.01,
         .high = 255,
         .help = "gaussian: standard deviation in pixels (default: 1)"},
        {.name = "gain",
         .kind = CLI_REAL,
         .target = &s.gain,
         .argument = "G",
         .low = -1e6,
         .high = 1e6,
         .help = "multiply the results (default: 1)"},
        {.name = "absolute", .kind = CLI_FLAG, .target = &s.absolute, .help = "show results without their sign"},
        {.name = "centred",
         .kind = CLI_FLAG,
         .target = &s.centred,
         .help = "show 0 as grey, the largest as black or white"},
        {.name = "signed",
         .kind = CLI_FLAG,
         .target = &s.signed_view,
         .help = "show them in colours: blue below 0, red above"},
        {.name = "alpha",
         .kind = CLI_CHOICE,
         .target = &s.alpha,
         .argument = "HOW",
         .choices = alpha_names,
         .help = "keep it as it is (default), or lay the picture over white"},
        {.name = "demo",
         .kind = CLI_CHOICE,
         .target = &s.demo,
         .argument = "DEMO",
         .choices = demo_names,
         .help = "convolution, pooling, template, activations or kernels: see below"},
        {.name = "template",
         .kind = CLI_TEXT,
         .target = &s.rectangle,
         .argument = "X,Y,W,H",
         .help = "--demo template: the part looked for"},
    };
    int code = cli_parse(&cmd_filter, options, sizeof options / sizeof options[0], argc, argv, &first);
    if (code != EXIT_GO_ON)
        return code;
    code = check_options(&s, options, sizeof options / sizeof options[0]);
    if (code != EXIT_GO_ON)
        return code;
    s.image = first < argc ? argv[first] : NULL;
    if (s.demo == DEMO_KERNELS && !cli_given(options, sizeof options / sizeof options[0], "border"))
        s.border = LINNET_BORDER_REPLICATE; /* black around it would draw an edge that is not in the picture */
    return filter_main(&s, argc - first);
}

const cli_command cmd_filter = {
    "filter", "IMAGE", "filter a picture with a kernel, as a convolution layer does",
    "KERNEL is one of identity, shift-left, shift-right, shift-up, shift-down, box, gaussian, sharpen, laplacian,\n"
    "laplacian8, sobel-x, sobel-y, sobel (the length of both), emboss; or numbers, rows divided by semicolons:\n"
    "\"0 1 0; 1 -4 1; 0 1 0\"; or a file with them. It is applied as it is drawn (cross-correlation), centred on its\n"
    "pixel; where a side is even, the pixel before the middle counts as the centre. Each colour is filtered by "
    "itself;\n"
    "results are clamped to black and white unless --absolute, --centred or --signed says otherwise.\n"
    "A PNG of 16 bits a value gives one again (--signed and JPEG: 8 bits).\n\n"
    "--demo convolution   two 3x3 filters slide over a binary picture, every step printed and drawn\n"
    "--demo pooling       maximum and average pooling of a depth slice\n"
    "--demo template      convolution as template matching: a part of IMAGE (default: a page of digits) is looked for\n"
    "--demo activations   activation functions and their derivatives\n"
    "--demo kernels       IMAGE through the usual kernels, side by side (border: replicate by default)",
    run};
