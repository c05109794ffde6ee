/* SPDX-License-Identifier: Apache-2.0 */
/* linnet equivariance: curves, and maps that moved. */
#include "equivariance.h"
#include "line_svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CURVES   8
#define NAME_SIZE     80
#define MOST_LAYERS   5 /* in the picture of maps */
#define TILE          168
#define LABEL_LETTERS 12 /* in a line */

/* ---- Curves ---- */

typedef struct curve_set {
    line_curve curves[2 * MOST_CURVES];
    char names[2 * MOST_CURVES][NAME_SIZE];
    size_t count;
} curve_set;

static void add_curve(curve_set *set, const char *network, const char *what, const double *x, const double *y,
                      size_t count)
{
    char *name = set->names[set->count];
    if (network)
        snprintf(name, NAME_SIZE, "%s: %s", network, what);
    else
        snprintf(name, NAME_SIZE, "%s", what);
    set->curves[set->count++] = (line_curve){.name = name, .count = count, .x = x, .y = y};
}

/* Of many layers as many as can be told apart, evenly, the last one among them, none that a relu
   follows; where networks are compared, only those with maps. */
static void add_layers(curve_set *set, const shift_subject *subject, size_t most, bool name_network, const double *x,
                       size_t shifts)
{
    size_t *chosen = calloc(subject->layer_count, sizeof *chosen), count = 0;
    for (size_t i = 0; chosen && i < subject->layer_count; i++)
        if ((!name_network || subject->seen[i].region != LINNET_SHIFT_VECTOR) &&
            (subject->layer_count <= most || !look_only_for_relu(subject->e.model.net, subject->layers[i])))
            chosen[count++] = i;
    size_t shown = count < most ? count : most;
    for (size_t i = 0; i < shown; i++) {
        size_t layer = chosen[(i + 1) * count / shown - 1];
        add_curve(set, name_network ? subject->title : NULL, subject->names[layer], x, subject->error[layer], shifts);
    }
    free(chosen);
}

static void add_scores(curve_set *set, const shift_subject *subject, bool name_network, const double *x, size_t shifts)
{
    const char *network = name_network ? subject->title : NULL;
    if (!subject->e.model.logits.id)
        return;
    if (subject->pictures > 1)
        add_curve(set, network, "class stays", x, subject->same, shifts);
    else
        add_curve(set, network, "probability of the top class", x, subject->probability, shifts);
    add_curve(set, network, "cosine of the scores", x, subject->cosine, shifts);
}

int shift_draw_curves(const shift_subject *subjects, size_t count, const shift_settings *s)
{
    size_t shifts = (size_t)s->steps + 1;
    double *x = calloc(shifts, sizeof *x);
    curve_set *layers = calloc(1, sizeof *layers), *scores = calloc(1, sizeof *scores);
    char title[200], x_name[80];
    int code = x && layers && scores ? EXIT_GO_ON : cli_fail(EXIT_NO_MEMORY, "no memory for curves");
    if (code == EXIT_GO_ON) {
        for (size_t d = 0; d < shifts; d++)
            x[d] = shift_pixels(s, (int64_t)d);
        for (size_t i = 0; i < count; i++) {
            add_layers(layers, &subjects[i], MOST_CURVES / count, count > 1, x, shifts);
            add_scores(scores, &subjects[i], count > 1, x, shifts);
        }
        snprintf(title, sizeof title, "Shifts of the picture: %s%s%s", subjects[0].title, count > 1 ? " and " : "",
                 count > 1 ? subjects[1].title : "");
        snprintf(x_name, sizeof x_name, "shift %s in pixels", shift_directions[s->direction]);
        const line_diagram diagrams[2] = {
            {.title = title,
             .x_name = x_name,
             .y_name = "Equivariance: |f(T x) - T f(x)| / |T f(x)| of the layers",
             .percent = true,
             .curves = layers->curves,
             .count = layers->count},
            {.title = title,
             .x_name = x_name,
             .y_name = "Invariance: the scores, compared with those of the unmoved picture",
             .percent = true,
             .curves = scores->curves,
             .count = scores->count},
        };
        size_t first = layers->count ? 0 : 1, behind = scores->count ? 2 : 1;
        code = first < behind ? line_svg_write_all(s->output, diagrams + first, behind - first)
                              : cli_fail(EXIT_USAGE, "these networks have neither maps nor class scores to compare");
    }
    free(x);
    free(layers);
    free(scores);
    return code;
}

/* ---- Maps ---- */

#define MOST_BLOCKS 2

typedef struct figure {
    const shift_subject *subject;
    const shift_settings *s;
    const photo *picture;
    linnet_sheet *sheet;
    int64_t steps[MOST_BLOCKS]; /* the shifts that are shown */
    photo moved[MOST_BLOCKS];
    size_t blocks;
    int32_t width, height; /* of every tile */
} figure;

typedef struct compared {
    linnet_maps still, moved, expected; /* of the picture, of the moved picture, the first one moved afterwards */
    linnet_maps inside;                 /* 0 where nothing was moved to */
} compared;

static void free_compared(compared *c)
{
    linnet_maps_free(&c->still);
    linnet_maps_free(&c->moved);
    linnet_maps_free(&c->expected);
    linnet_maps_free(&c->inside);
}

/* The channel that varies most. */
static int64_t liveliest(const linnet_maps *m)
{
    int64_t best = 0, positions = m->height * m->width;
    double most = -1;
    for (int64_t c = 0; c < m->channels; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < positions; i++) {
            double value = (double)m->data[c * positions + i];
            sum += value;
            squares += value * value;
        }
        double variance = squares - sum * sum / (double)positions;
        if (variance > most) {
            most = variance;
            best = c;
        }
    }
    return best;
}

/* Enlarged or made smaller to width x height, so that the tiles of all layers stand in columns. */
static linnet_image *fit(linnet_image *image, int32_t width, int32_t height)
{
    if (!image)
        return NULL;
    int32_t times = (width + image->width - 1) / image->width;
    linnet_image *large = linnet_image_enlarge(NULL, image, times);
    linnet_image *fitted = large ? linnet_image_resize(NULL, large, width, height, LINNET_RESIZE_AREA) : NULL;
    linnet_image_free(&large);
    linnet_image_free(&image);
    return fitted;
}

static int add_map(const figure *g, const float *map, const linnet_maps *shape, const float range[2],
                   const char *caption)
{
    linnet_image *image =
        fit(linnet_image_from_map(NULL, map, (int32_t)shape->height, (int32_t)shape->width, range[0], range[1],
                                  range[0] < 0 ? LINNET_COLOUR_DIVERGING : LINNET_COLOUR_SEQUENTIAL),
            g->width, g->height);
    return look_add(g->sheet, &image, 0, caption);
}

/* The maps of one shift beside those of the unmoved picture. */
static int add_block(const figure *g, size_t layer, size_t block, int64_t channel, const float range[2],
                     const compared *c)
{
    char caption[48];
    int64_t positions = c->still.height * c->still.width, step = g->steps[block];
    const float *moved = c->moved.data + channel * positions, *expected = c->expected.data + channel * positions;
    const float both[2] = {-range[1], range[1]};
    float *difference = calloc((size_t)positions, sizeof *difference);
    if (!difference)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a map");
    for (int64_t i = 0; i < positions; i++)
        difference[i] = c->inside.data[i] > 0 ? moved[i] - expected[i] : 0;
    snprintf(caption, sizeof caption, "f(T x), %g px", shift_pixels(g->s, step));
    int code = add_map(g, moved, &c->still, range, caption);
    if (code == EXIT_GO_ON)
        code = add_map(g, expected, &c->still, range, "T f(x)");
    snprintf(caption, sizeof caption, "difference\n%.1f %% inside", 100 * g->subject->error[layer][step]);
    if (code == EXIT_GO_ON)
        code = add_map(g, difference, &c->still, both, caption);
    free(difference);
    return code;
}

/* The picture moved by so many steps. */
static int move_picture(const shift_settings *s, const photo *picture, int64_t step, photo *out)
{
    int64_t down, right;
    shift_way(s, &down, &right);
    *out = (photo){.tensor = picture->tensor};
    out->tensor.data = malloc((size_t)linnet_tensor_bytes(&out->tensor));
    if (!out->tensor.data)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a picture");
    linnet_picture_shift(&picture->tensor, down * step, right * step, s->border == 1, out->tensor.data);
    out->image = planes_image(&out->tensor);
    return out->image ? EXIT_GO_ON : cli_check_last();
}

/* The maps of the unmoved picture, moved; where that comes from inside them. */
static int move_maps(const shift_settings *s, const double stride[2], int64_t step, compared *c)
{
    int64_t down, right;
    linnet_maps ones = {.channels = 1, .height = c->still.height, .width = c->still.width};
    shift_way(s, &down, &right);
    double y = (double)(down * step) / stride[0], x = (double)(right * step) / stride[1];
    ones.data = malloc((size_t)(ones.height * ones.width) * sizeof *ones.data);
    if (!ones.data)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a map");
    for (int64_t i = 0; i < ones.height * ones.width; i++)
        ones.data[i] = 1;
    int code = cli_check(linnet_maps_shift(NULL, &c->still, y, x, &c->expected));
    if (code == EXIT_GO_ON)
        code = cli_check(linnet_maps_shift(NULL, &ones, y, x, &c->inside));
    free(ones.data);
    return code;
}

static int read_maps(const figure *g, size_t layer, const photo *picture, linnet_maps *out)
{
    return cli_check(linnet_activations_read(g->subject->e.session, &g->subject->e.model, &picture->tensor,
                                             &g->subject->layers[layer], 1, out));
}

static int compare_block(const figure *g, size_t layer, size_t block, compared *c)
{
    int code = read_maps(g, layer, &g->moved[block], &c->moved);
    return code == EXIT_GO_ON ? move_maps(g->s, g->subject->seen[layer].stride, g->steps[block], c) : code;
}

/* A long name in two lines, behind its last dot. */
static void break_label(const char *name, char *out, size_t size)
{
    const char *dot = strlen(name) > LABEL_LETTERS ? strrchr(name, '.') : NULL;
    int front = dot ? (int)(dot + 1 - name) : 0;
    snprintf(out, size, "%.*s%s%s", front, name, front ? "\n" : "", name + front);
}

static int add_layer(const figure *g, size_t layer)
{
    linnet_maps still;
    char label[NAME_SIZE];
    float range[2] = {0, 0};
    int code = read_maps(g, layer, g->picture, &still);
    if (code != EXIT_GO_ON)
        return code;
    int64_t channel = liveliest(&still), positions = still.height * still.width;
    const float *map = still.data + channel * positions;
    for (int64_t i = 0; i < positions; i++) {
        range[0] = fminf(range[0], map[i]);
        range[1] = fmaxf(range[1], fabsf(map[i]));
    }
    range[1] = range[1] > 0 ? range[1] : 1;
    range[0] = range[0] < 0 ? -range[1] : 0;
    break_label(g->subject->names[layer], label, sizeof label);
    code = cli_check(linnet_sheet_row(g->sheet, label));
    if (code == EXIT_GO_ON)
        code = add_map(g, map, &still, range, "f(x)");
    for (size_t block = 0; block < g->blocks && code == EXIT_GO_ON; block++) {
        compared c = {.still = still};
        code = compare_block(g, layer, block, &c);
        if (code == EXIT_GO_ON)
            code = add_block(g, layer, block, channel, range, &c);
        c.still = (linnet_maps){.data = NULL}; /* the next block's, too */
        free_compared(&c);
    }
    linnet_maps_free(&still);
    return code;
}

/* White, where the row of pictures has nothing to show. */
static int add_blank(const figure *g)
{
    linnet_image *image = linnet_image_new(NULL, g->width, g->height, 3);
    if (image)
        linnet_image_fill(image, 0, 0, image->width, image->height, 0xFFFFFF);
    return look_add(g->sheet, &image, 0, NULL);
}

static int add_pictures(figure *g)
{
    char caption[64];
    linnet_image *first = look_image(g->picture, TILE);
    if (!first)
        return cli_check_last();
    double ratio = (double)TILE / fmax(first->width, first->height);
    g->width = (int32_t)fmax(1, lround(first->width * ratio));
    g->height = (int32_t)fmax(1, lround(first->height * ratio));
    first = fit(first, g->width, g->height);
    int code = cli_check(linnet_sheet_row(g->sheet, "picture"));
    if (code == EXIT_GO_ON)
        code = look_add(g->sheet, &first, 0, "x");
    linnet_image_free(&first);
    for (size_t block = 0; block < g->blocks && code == EXIT_GO_ON; block++) {
        linnet_image *moved = fit(look_image(&g->moved[block], TILE), g->width, g->height);
        double pixels = shift_pixels(g->s, g->steps[block]);
        snprintf(caption, sizeof caption, "T x, %g px", pixels);
        code = look_add(g->sheet, &moved, 0, caption);
        for (int i = 0; i < 2 && code == EXIT_GO_ON; i++)
            code = add_blank(g);
    }
    return code;
}

/* A shift that is no multiple of the largest stride, where maps may fail to move along, and one that is: of each kind
   the first. Where there are not both, the largest, too. */
static void choose_steps(figure *g, size_t maps)
{
    int64_t odd = 0, even = 0;
    double stride = 1;
    for (size_t i = 0; i < maps; i++)
        stride = fmax(stride, fmax(g->subject->seen[i].stride[0], g->subject->seen[i].stride[1]));
    for (int64_t step = 1; step <= g->s->steps; step++) {
        bool whole = fmod(shift_pixels(g->s, step), stride) == 0;
        if (whole && !even)
            even = step;
        if (!whole && !odd)
            odd = step;
    }
    if (odd)
        g->steps[g->blocks++] = odd;
    if (even || g->s->steps > odd)
        g->steps[g->blocks++] = odd && even ? even : g->s->steps;
}

static int fill(figure *g)
{
    size_t maps = 0;
    int code = EXIT_GO_ON;
    while (maps < g->subject->layer_count && g->subject->seen[maps].region != LINNET_SHIFT_VECTOR)
        maps++;
    choose_steps(g, maps);
    for (size_t block = 0; block < g->blocks && code == EXIT_GO_ON; block++)
        code = move_picture(g->s, g->picture, g->steps[block], &g->moved[block]);
    if (code == EXIT_GO_ON)
        code = add_pictures(g);
    size_t shown = maps < MOST_LAYERS ? maps : MOST_LAYERS;
    for (size_t i = 0; i < shown && code == EXIT_GO_ON; i++)
        code = add_layer(g, (i + 1) * maps / shown - 1);
    return code;
}

int shift_draw_maps(const shift_subject *subject, const shift_settings *s, const photo *picture)
{
    char title[200];
    figure g = {.subject = subject, .s = s, .picture = picture};
    snprintf(title, sizeof title, "%s: the picture moved %s (T), maps of layers (f)", subject->title,
             shift_directions[s->direction]);
    g.sheet = linnet_sheet_new(NULL, title);
    int code = g.sheet ? fill(&g) : cli_check_last();
    if (code == EXIT_GO_ON) {
        linnet_image *drawn = linnet_sheet_draw(g.sheet);
        code = look_write(&drawn, s->picture);
    }
    for (size_t block = 0; block < g.blocks; block++)
        photo_free(&g.moved[block]);
    linnet_sheet_free(&g.sheet);
    return code;
}
