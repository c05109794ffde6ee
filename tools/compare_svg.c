/* SPDX-License-Identifier: Apache-2.0 */
#include "compare_svg.h"

#include "curve_panel.h"
#include "svg.h"

#define TITLE_HEIGHT  44
#define LEGEND_HEIGHT 20

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
        double width = svg_legend_width(p->curves[i].name);
        if (x > CURVE_LEFT_LOSS && x + width > CURVE_WIDTH - 20) {
            x = CURVE_LEFT_LOSS;
            y += LEGEND_HEIGHT;
        }
        if (file)
            svg_legend(file, x, y, svg_colour(i), p->curves[i].name);
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
        curve_panel_line(&p, smoothed, h->point_count, svg_colour(i), 0.7);
    }
    for (size_t i = 0; i < what->count; i++) {
        const history *h = what->histories[i];
        curve_panel_line(&p, h->epochs, h->epoch_count, svg_colour(i), 2);
        curve_panel_dots(&p, h->epochs, h->epoch_count, svg_colour(i));
    }
}

static void draw(FILE *file, const void *what)
{
    const picture *p = what;
    svg_begin(file, CURVE_WIDTH, p->top + CURVE_PANEL_HEIGHT + 58, p->title);
    draw_legend(file, p);
    draw_panel(file, p, CURVE_LEFT_LOSS, false);
    draw_panel(file, p, CURVE_LEFT_RIGHT, true);
    svg_end(file);
}

int compare_svg_write(const char *path, const char *title, const compare_curve *curves, size_t count, double epochs)
{
    const history *histories[TRAIN_MOST_NETWORKS];
    picture what = {.title = title, .curves = curves, .histories = histories, .epochs = epochs};
    for (; what.count < count && what.count < TRAIN_MOST_NETWORKS; what.count++)
        histories[what.count] = curves[what.count].h;
    what.top = draw_legend(NULL, &what) + 30;
    return svg_write(path, draw, &what);
}
