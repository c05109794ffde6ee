/* SPDX-License-Identifier: Apache-2.0 */
#include "curve_svg.h"

#include "curve_panel.h"
#include "svg.h"

#define TOP          72
#define BATCH_COLOUR "#d9dfe6"
#define TRAIN_COLOUR "#7b8794"
#define TEST_COLOUR  "#1f6feb"

typedef struct picture {
    const char *title;
    const history *h;
    double epochs;
} picture;

static void draw_panel(FILE *file, const picture *what, double left, bool accuracy)
{
    const history *h = what->h;
    history_point smoothed[HISTORY_POINTS];
    curve_panel p = curve_panel_start(file, left, TOP, what->epochs, accuracy, &h, 1);
    curve_smooth(h->points, h->point_count, smoothed);
    curve_panel_line(&p, h->points, h->point_count, BATCH_COLOUR, 1);
    curve_panel_line(&p, smoothed, h->point_count, TRAIN_COLOUR, 1.5);
    curve_panel_line(&p, h->epochs, h->epoch_count, TEST_COLOUR, 2);
    curve_panel_dots(&p, h->epochs, h->epoch_count, TEST_COLOUR);
}

static void draw_legend(FILE *file)
{
    int y = 30, x = CURVE_WIDTH - 240;
    fprintf(file, "<line x1='%d' y1='%d' x2='%d' y2='%d' stroke='" TRAIN_COLOUR "' stroke-width='2'/>", x, y, x + 24,
            y);
    fprintf(file, "<text x='%d' y='%d'>training</text>", x + 32, y + 4);
    fprintf(file, "<line x1='%d' y1='%d' x2='%d' y2='%d' stroke='" TEST_COLOUR "' stroke-width='2'/>", x + 104, y,
            x + 128, y);
    fprintf(file, "<circle cx='%d' cy='%d' r='3.5' fill='" TEST_COLOUR "'/>", x + 116, y);
    fprintf(file, "<text x='%d' y='%d'>test images</text>\n", x + 136, y + 4);
}

static void draw(FILE *file, const void *what)
{
    const picture *p = what;
    svg_begin(file, CURVE_WIDTH, CURVE_HEIGHT, p->title);
    draw_legend(file);
    draw_panel(file, p, CURVE_LEFT_LOSS, false);
    draw_panel(file, p, CURVE_LEFT_RIGHT, true);
    svg_end(file);
}

int curve_svg_write(const char *path, const char *title, const history *h, double epochs)
{
    const picture what = {title, h, epochs};
    return svg_write(path, draw, &what);
}
