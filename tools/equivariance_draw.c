/* SPDX-License-Identifier: Apache-2.0 */
/* linnet equivariance: curves, and maps that moved. */
#include "equivariance.h"
#include "line_svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CURVES 8
#define NAME_SIZE   80
#define MOST_LAYERS 5 /* in the picture of maps */

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

static linnet_image *map_image(const float *map, const linnet_maps *shape, float low, float high)
{
    return linnet_image_from_map(NULL, map, (int32_t)shape->height, (int32_t)shape->width, low, high,
                                 low < 0 ? LINNET_COLOUR_DIVERGING : LINNET_COLOUR_SEQUENTIAL);
}

static int add_row(linnet_sheet *sheet, const char *name, double error, const compared *c)
{
    char caption[80];
    int64_t channel = liveliest(&c->still), positions = c->still.height * c->still.width;
    const float *still = c->still.data + channel * positions, *moved = c->moved.data + channel * positions;
    const float *expected = c->expected.data + channel * positions;
    float high = 0, low = 0;
    float *difference = calloc((size_t)positions, sizeof *difference);
    if (!difference)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a map");
    for (int64_t i = 0; i < positions; i++) {
        high = fmaxf(high, fabsf(still[i]));
        low = fminf(low, still[i]);
        difference[i] = c->inside.data[i] > 0 ? moved[i] - expected[i] : 0;
    }
    high = high > 0 ? high : 1;
    low = low < 0 ? -high : 0;
    linnet_image *tiles[4] = {map_image(still, &c->still, low, high), map_image(moved, &c->still, low, high),
                              map_image(expected, &c->still, low, high), map_image(difference, &c->still, -high, high)};
    int code = cli_check(linnet_sheet_row(sheet, name));
    snprintf(caption, sizeof caption, "difference\n(%.1f %% inside)", 100 * error);
    const char *const captions[4] = {"f(x)", "f(T x)", "T f(x)", caption};
    for (int i = 0; i < 4 && code == EXIT_GO_ON; i++)
        code = look_add(sheet, &tiles[i], 168, captions[i]);
    for (int i = 0; i < 4; i++)
        linnet_image_free(&tiles[i]);
    free(difference);
    return code;
}

/* The picture moved by the last step. */
static int move_picture(const shift_settings *s, const photo *picture, photo *out)
{
    int64_t down, right;
    shift_way(s, &down, &right);
    *out = (photo){.tensor = picture->tensor};
    out->tensor.data = malloc((size_t)linnet_tensor_bytes(&out->tensor));
    if (!out->tensor.data)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a picture");
    linnet_picture_shift(&picture->tensor, down * s->steps, right * s->steps, s->border == 1, out->tensor.data);
    out->image = planes_image(&out->tensor);
    return out->image ? EXIT_GO_ON : cli_check_last();
}

/* The maps of the unmoved picture, moved; where that comes from inside them. */
static int move_maps(const shift_settings *s, const double stride[2], compared *c)
{
    int64_t down, right;
    linnet_maps ones = {.channels = 1, .height = c->still.height, .width = c->still.width};
    shift_way(s, &down, &right);
    double y = (double)(down * s->steps) / stride[0], x = (double)(right * s->steps) / stride[1];
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

static int add_layer(linnet_sheet *sheet, const shift_subject *subject, const shift_settings *s, size_t layer,
                     const photo *picture, const photo *moved)
{
    compared c = {.still = {0}};
    int code = cli_check(linnet_activations_read(subject->e.session, &subject->e.model, &picture->tensor,
                                                 &subject->layers[layer], 1, &c.still));
    if (code == EXIT_GO_ON)
        code = cli_check(linnet_activations_read(subject->e.session, &subject->e.model, &moved->tensor,
                                                 &subject->layers[layer], 1, &c.moved));
    if (code == EXIT_GO_ON)
        code = move_maps(s, subject->seen[layer].stride, &c);
    if (code == EXIT_GO_ON)
        code = add_row(sheet, subject->names[layer], subject->error[layer][s->steps], &c);
    free_compared(&c);
    return code;
}

static int fill(linnet_sheet *sheet, const shift_subject *subject, const shift_settings *s, const photo *picture,
                const photo *moved)
{
    size_t maps = 0, shown = 0;
    linnet_image *first = look_image(picture, 168), *second = look_image(moved, 168);
    int code = cli_check(linnet_sheet_row(sheet, "picture"));
    if (code == EXIT_GO_ON)
        code = look_add(sheet, &first, 0, "as it is");
    if (code == EXIT_GO_ON)
        code = look_add(sheet, &second, 0, "moved");
    linnet_image_free(&first);
    linnet_image_free(&second);
    while (maps < subject->layer_count && subject->seen[maps].region != LINNET_SHIFT_VECTOR)
        maps++;
    shown = maps < MOST_LAYERS ? maps : MOST_LAYERS;
    for (size_t i = 0; i < shown && code == EXIT_GO_ON; i++)
        code = add_layer(sheet, subject, s, (i + 1) * maps / shown - 1, picture, moved);
    return code;
}

int shift_draw_maps(const shift_subject *subject, const shift_settings *s, const photo *picture)
{
    photo moved = {.image = NULL};
    char title[200];
    snprintf(title, sizeof title, "%s: the picture moved %s by %g pixels", subject->title,
             shift_directions[s->direction], shift_pixels(s, s->steps));
    linnet_sheet *sheet = linnet_sheet_new(NULL, title);
    int code = sheet ? move_picture(s, picture, &moved) : cli_check_last();
    if (code == EXIT_GO_ON)
        code = fill(sheet, subject, s, picture, &moved);
    if (code == EXIT_GO_ON) {
        linnet_image *figure = linnet_sheet_draw(sheet);
        code = look_write(&figure, s->picture);
    }
    photo_free(&moved);
    linnet_sheet_free(&sheet);
    return code;
}
