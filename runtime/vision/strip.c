/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a picture through a network, as one figure: the picture, a few maps of every layer, the classes. */
#include "drawing.h"
#include "linnet/sheet.h"
#include "options.h"
#include "probe.h"
#include "score_bars.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MAPS 3
#define MOST_MAPS    16
#define MANY_LAYERS  24  /* a net with more is shown in stages, without what only goes into a relu or a concat */
#define TILE         96  /* letters of 12 pixels: "16x14x14" */
#define LARGE_TILE   144 /* "squeeze_relu" */
#define MOST_WIDTH   1960
#define LARGE_WIDTH  1480
#define GAP          4
#define LETTER       12 /* pixels */
#define AROUND       14 /* what the sheet puts around a tile */
#define TOP          5

typedef struct strip {
    linnet_context *context;
    linnet_session *session;
    const linnet_model *model;
    const linnet_tensor *picture;
    linnet_strip_options o;
    linnet_sheet *sheet;
    linnet_value *layers;
    linnet_node_info *nodes;
    linnet_maps *maps;
    size_t count; /* of layers */
    int32_t tile, most_width;
    bool thinned;
} strip;

/* Layers that make something to look at: no losses, nothing that only rearranges. */
static bool is_shown(const strip *s, const linnet_node_info *info)
{
    int64_t dims[LINNET_MAX_RANK];
    uint32_t rank = linnet_value_shape(s->model->net, info->output, dims);
    static const char *const hidden[] = {"reshape", "dropout", "cross_entropy", "mse"};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (strcmp(info->kind, hidden[i]) == 0)
            return false;
    return rank == 4 || rank == 2;
}

/* Whether all that becomes of a value is its relu, or a part of a concat. */
static bool is_passed_on(const linnet_net *net, linnet_value value)
{
    size_t readers = 0, passed = 0;
    for (size_t i = 0; i < linnet_net_node_count(net); i++) {
        linnet_node_info info;
        if (linnet_net_node(net, i, &info) != LINNET_OK)
            continue;
        for (uint32_t k = 0; k < info.input_count; k++)
            if (info.inputs[k].id == value.id) {
                readers++;
                passed += strcmp(info.kind, "relu") == 0 || strcmp(info.kind, "concat") == 0;
            }
    }
    return readers == 1 && passed == 1;
}

/* Relus and concats show what goes into them, too. */
static void thin_out(strip *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (!is_passed_on(s->model->net, s->layers[i])) {
            s->nodes[kept] = s->nodes[i];
            s->layers[kept++] = s->layers[i];
        }
    s->count = kept;
}

static linnet_status collect(strip *s)
{
    size_t nodes = linnet_net_node_count(s->model->net);
    s->layers = linnet_allocate(nodes, sizeof *s->layers);
    s->nodes = linnet_allocate(nodes, sizeof *s->nodes);
    s->maps = linnet_allocate(nodes, sizeof *s->maps);
    if (!s->layers || !s->nodes || !s->maps)
        return linnet_fail(s->context, LINNET_OUT_OF_MEMORY, "no memory for %zu layers", nodes);
    for (size_t i = 0; i < nodes; i++) {
        linnet_node_info info;
        if (linnet_net_node(s->model->net, i, &info) != LINNET_OK || !is_shown(s, &info))
            continue;
        s->nodes[s->count] = info;
        s->layers[s->count++] = info.output;
    }
    s->thinned = s->count > MANY_LAYERS;
    if (s->thinned)
        thin_out(s);
    return linnet_activations_read(s->session, s->model, s->picture, s->layers, s->count, s->maps);
}

/* "64x112x112" or "10" */
static int shape_text(const linnet_maps *m, char *out, size_t size)
{
    return m->height * m->width > 1 ? snprintf(out, size, "%lldx%lldx%lld", (long long)m->channels,
                                               (long long)m->height, (long long)m->width)
                                    : snprintf(out, size, "%lld", (long long)m->channels);
}

/* Tiles are as large as their captions need. */
static void choose_tile(strip *s)
{
    char text[64];
    bool large = s->thinned;
    for (size_t i = 0; i < s->count; i++)
        large = large || shape_text(&s->maps[i], text, sizeof text) * LETTER > TILE;
    s->tile = large ? LARGE_TILE : TILE;
    s->most_width = large ? LARGE_WIDTH : MOST_WIDTH;
}

/* Takes over the image. */
static linnet_status add(const strip *s, linnet_image *image, const char *caption)
{
    return linnet_sheet_take(s->context, s->sheet, image, 1, caption);
}

static int32_t stack_height(const strip *s)
{
    return (int32_t)s->o.maps * (s->tile + GAP) - GAP;
}

/* A layer without positions: all its units in the place of the maps. */
static linnet_image *draw_units(const strip *s, const linnet_maps *maps, const linnet_maps_scale *scale)
{
    int64_t columns = (int64_t)ceil(sqrt((double)maps->channels / s->o.maps));
    columns = columns < s->tile ? columns : s->tile;
    int32_t cell = s->tile / (int32_t)columns;
    return linnet_units_tile(s->context, maps, scale, columns, cell);
}

/* The maps that vary most, one below the other. */
static linnet_image *draw_stack(const strip *s, const linnet_maps *maps)
{
    linnet_maps_scale scale = linnet_maps_scale_of(maps);
    if (maps->height * maps->width == 1)
        return draw_units(s, maps, &scale);
    int64_t *order = linnet_maps_order(s->context, maps);
    linnet_image *image = order ? linnet_image_new(s->context, s->tile, stack_height(s), 3) : NULL;
    if (image)
        linnet_image_fill(image, 0, 0, image->width, image->height, 0xFFFFFF);
    for (int64_t i = 0; image && i < s->o.maps && i < maps->channels; i++) {
        linnet_image *tile = linnet_map_tile(s->context, maps, order[i], &scale, s->tile);
        if (tile)
            linnet_image_blit(image, (s->tile - tile->width) / 2,
                              (int32_t)i * (s->tile + GAP) + (s->tile - tile->height) / 2, tile);
        else
            linnet_image_free(&image);
        linnet_image_free(&tile);
    }
    linnet_release(order);
    return image;
}

/* The picture, as high as the stacks where it is not smaller by itself. */
static linnet_image *draw_picture(const strip *s)
{
    linnet_image *image = linnet_image_from_tensor(s->context, s->picture);
    int32_t most = stack_height(s), longer = !image ? 0 : image->height > image->width ? image->height : image->width;
    if (!image || longer == most)
        return image;
    double ratio = (double)most / longer;
    linnet_image *sized = longer < most
                              ? linnet_image_enlarge(s->context, image, most / longer)
                              : linnet_image_resize(s->context, image, (int32_t)fmax(1, image->width * ratio),
                                                    (int32_t)fmax(1, image->height * ratio), LINNET_RESIZE_AREA);
    linnet_image_free(&image);
    return sized;
}

/* The name in two lines, behind a '.' or '_', where it is wider than a tile. */
static void break_name(const strip *s, const char *name, char *out, size_t size)
{
    size_t room = (size_t)s->tile / LETTER, at = strlen(name) > room ? room : 0;
    while (at > 0 && name[at - 1] != '.' && name[at - 1] != '_')
        at--;
    snprintf(out, size, "%.*s%s%s", (int)at, name, at ? "\n" : "", name + at);
}

/* Takes over the drawn picture. */
static linnet_status add_layers(const strip *s, linnet_image *picture)
{
    char caption[200], name[120], shape[64];
    snprintf(caption, sizeof caption, "picture\n%lldx%lldx%lld", (long long)s->picture->dims[0],
             (long long)s->picture->dims[1], (long long)s->picture->dims[2]);
    linnet_status status = add(s, picture, caption);
    for (size_t i = 0; i < s->count && status == LINNET_OK; i++) {
        const linnet_maps *m = &s->maps[i];
        break_name(s, s->nodes[i].name, name, sizeof name);
        shape_text(m, shape, sizeof shape);
        snprintf(caption, sizeof caption, "%s\n%s", name, shape);
        status = add(s, draw_stack(s, m), caption);
    }
    return status;
}

static const linnet_maps *find_scores(const strip *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->model->logits.id == s->layers[i].id && s->maps[i].height * s->maps[i].width == 1)
            return &s->maps[i];
    return NULL;
}

static linnet_status add_scores(const strip *s)
{
    linnet_prediction best[TOP];
    const linnet_maps *scores = find_scores(s);
    linnet_maps own = {.data = NULL};
    linnet_status status = LINNET_OK;
    if (!s->model->logits.id)
        return LINNET_OK;
    if (!scores) { /* what makes them only rearranges */
        status = linnet_activations_read(s->session, s->model, s->picture, &s->model->logits, 1, &own);
        scores = &own;
    }
    size_t count = status == LINNET_OK ? linnet_best_classes(scores, TOP, best) : 0;
    if (status == LINNET_OK)
        status = add(s, linnet_score_bars(s->context, best, count, s->o.class_names, s->o.class_count), "scores");
    linnet_maps_free(&own);
    return status;
}

/* ---- Lines ---- */

/* How many lines a sheet of that width has: the picture, the layers, the scores. */
static size_t lines_of(const strip *s, int32_t picture, int32_t width)
{
    size_t lines = 1;
    int32_t x = picture + AROUND;
    for (size_t i = 0; i < s->count + (s->model->logits.id != 0); i++) {
        int32_t item = (i < s->count ? s->tile : LINNET_SCORE_BARS_WIDTH) + AROUND;
        if (x + item > width) {
            lines++;
            x = 0;
        }
        x += item;
    }
    return lines;
}

/* The least width that needs no more lines: they are filled evenly. */
static int32_t even_width(const strip *s, int32_t picture)
{
    int32_t column = s->tile + AROUND, width = s->most_width;
    if (s->o.columns)
        return (int32_t)fmin((double)s->o.columns * column, LINNET_IMAGE_MAX_SIDE - AROUND);
    width = width > picture + AROUND ? width : picture + AROUND;
    size_t least = lines_of(s, picture, width);
    while (width - column > picture && lines_of(s, picture, width - column / 2) == least)
        width -= column / 2;
    return width;
}

static linnet_status fill(strip *s)
{
    linnet_status status = collect(s);
    choose_tile(s);
    linnet_image *picture = status == LINNET_OK ? draw_picture(s) : NULL;
    if (picture)
        status = linnet_sheet_set_width(s->sheet, even_width(s, picture->width) + 2 * AROUND);
    if (status == LINNET_OK)
        status = add_layers(s, picture);
    else
        linnet_image_free(&picture);
    return status == LINNET_OK ? add_scores(s) : status;
}

linnet_image *linnet_strip_draw_with(linnet_session *session, const linnet_model *model, const linnet_tensor *picture,
                                     const linnet_strip_options *options)
{
    if (linnet_session_check(session) != LINNET_OK)
        return NULL;
    strip s = {.context = session->context, .session = session, .model = model, .picture = picture};
    if (!model || model->net != session->net) {
        linnet_fail(s.context, LINNET_INVALID, "the session does not run this model's net");
        return NULL;
    }
    if (linnet_vision_options(s.context, "drawing a strip", options, &s.o, sizeof s.o) != LINNET_OK)
        return NULL;
    s.o.maps = s.o.maps == 0 ? DEFAULT_MAPS : s.o.maps < MOST_MAPS ? s.o.maps : MOST_MAPS;
    s.sheet = linnet_sheet_new(s.context, s.o.title);
    linnet_image *image = s.sheet && fill(&s) == LINNET_OK ? linnet_sheet_draw(s.sheet) : NULL;
    for (size_t i = 0; i < s.count; i++)
        linnet_maps_free(&s.maps[i]);
    linnet_sheet_free(&s.sheet);
    linnet_release(s.layers);
    linnet_release(s.nodes);
    linnet_release(s.maps);
    return image;
}
