/* SPDX-License-Identifier: Apache-2.0 */
#include "compare_svg.h"

#include "curve_panel.h"
#include "text.h"

#define TITLE_HEIGHT  44
#define LEGEND_HEIGHT 20
#define CHARACTER     7.2 /* about the width of one */

/* Colours that stay apart for every eye (Okabe and Ito 2008), the strongest first. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#000000", "#8c6d31"};
enum { COLOURS = sizeof colours / sizeof colours[0] };

typedef struct picture {
    const char *title;
    const compare_curve *curves;
    const history **histories;
    size_t count;
    double epochs;
    double top; /* of the panels */
} picture;

/* Names from left to right, in as many lines as they need; file NULL: only measures. Returns the line below. */
static double draw_legend(FILE *file, const picture *p)
{
    double x = CURVE_LEFT_LOSS, y = TITLE_HEIGHT + 14;
    for (size_t i = 0; i < p->count; i++) {
        double width = 40 + CHARACTER * (double)text_width(p->curves[i].name) + 18;
        if (x > CURVE_LEFT_LOSS && x + width > CURVE_WIDTH - 20) {
            x = CURVE_LEFT_LOSS;
            y += LEGEND_HEIGHT;
        }
        if (file) {
            const char *colour = colours[i % COLOURS];
            fprintf(file, "<line x1='%g' y1='%g' x2='%g' y2='%g' stroke='%s' stroke-width='2'/>", x, y, x + 24, y,
                    colour);
            fprintf(file, "<circle cx='%g' cy='%g' r='3.5' fill='%s'/><text x='%g' y='%g'>", x + 12, y, colour, x + 32,
                    y + 4);
            curve_text(file, p->curves[i].name);
            fputs("</text>\n", file);
        }
        x += width;
    }
    if (file)
        fprintf(file, "<text x='%d' y='%g' text-anchor='end' fill='#7b8794'>dots: test images; thin: training</text>\n",
                CURVE_LEFT_RIGHT + CURVE_PANEL_WIDTH, y + LEGEND_HEIGHT);
    return y + LEGEND_HEIGHT;
}

static void draw_panel(FILE *file, const picture *what, double left, bool accuracy)
{
    history_point smoothed[HISTORY_POINTS];
    curve_panel p = curve_panel_start(file, left, what->top, what->epochs, accuracy, what->histories, what->count);
    for (size_t i = 0; i < what->count; i++) {
        const history *h = what->histories[i];
        curve_smooth(h->points, h->point_count, smoothed);
        curve_panel_line(&p, smoothed, h->point_count, colours[i % COLOURS], 0.7);
    }
    for (size_t i = 0; i < what->count; i++) {
        const history *h = what->histories[i];
        curve_panel_line(&p, h->epochs, h->epoch_count, colours[i % COLOURS], 2);
        curve_panel_dots(&p, h->epochs, h->epoch_count, colours[i % COLOURS]);
    }
}

static void draw(FILE *file, const void *what)
{
    const picture *p = what;
    curve_begin(file, CURVE_WIDTH, p->top + CURVE_PANEL_HEIGHT + 58, p->title);
    draw_legend(file, p);
    draw_panel(file, p, CURVE_LEFT_LOSS, false);
    draw_panel(file, p, CURVE_LEFT_RIGHT, true);
    curve_end(file);
}

int compare_svg_write(const char *path, const char *title, const compare_curve *curves, size_t count, double epochs)
{
    const history *histories[TRAIN_MOST_NETWORKS];
    picture what = {.title = title, .curves = curves, .histories = histories, .epochs = epochs};
    for (; what.count < count && what.count < TRAIN_MOST_NETWORKS; what.count++)
        histories[what.count] = curves[what.count].h;
    what.top = draw_legend(NULL, &what) + 30;
    return curve_write(path, draw, &what);
}
