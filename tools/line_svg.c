/* SPDX-License-Identifier: Apache-2.0 */
#include "line_svg.h"

#include "svg.h"

#include <math.h>

enum { LEFT = 80, WIDTH = 640, TITLE = 48, HEIGHT = 300, ABOVE = 16, BELOW = 60, LINE = 18, MOST_DOTS = 60 };

typedef struct axes {
    double x_low, x_high, y_low, y_high;
    int top; /* pixel of y_high */
} axes;

typedef struct drawing {
    const line_diagram *diagrams;
    size_t count;
} drawing;

static axes find_axes(const line_diagram *d)
{
    axes a = {INFINITY, -INFINITY, d->low, d->high, 0};
    bool open = d->low == d->high;
    if (open) {
        a.y_low = INFINITY;
        a.y_high = -INFINITY;
    }
    for (size_t c = 0; c < d->count; c++)
        for (size_t i = 0; i < d->curves[c].count; i++) {
            a.x_low = fmin(a.x_low, d->curves[c].x[i]);
            a.x_high = fmax(a.x_high, d->curves[c].x[i]);
            if (open && isfinite(d->curves[c].y[i])) {
                a.y_low = fmin(a.y_low, d->curves[c].y[i]);
                a.y_high = fmax(a.y_high, d->curves[c].y[i]);
            }
        }
    if (!(a.x_high > a.x_low))
        a = (axes){isfinite(a.x_low) ? a.x_low : 0, isfinite(a.x_low) ? a.x_low + 1 : 1, a.y_low, a.y_high, 0};
    if (!(a.y_high - a.y_low > 1e-9 * fmax(fabs(a.y_high), fabs(a.y_low)))) { /* all but alike: no steps between them */
        a.y_low = isfinite(a.y_low) ? a.y_low : 0;
        a.y_high = a.y_low + fmax(1, fabs(a.y_low));
    }
    if (open) { /* whole steps */
        double step = svg_step(a.y_high - a.y_low);
        a.y_low = floor(a.y_low / step + 1e-9) * step;
        a.y_high = ceil(a.y_high / step - 1e-9) * step;
    }
    return a;
}

static double x_of(const axes *a, double x)
{
    return LEFT + WIDTH * (x - a->x_low) / (a->x_high - a->x_low);
}

static double y_of(const axes *a, double y)
{
    double inside = fmin(fmax(y, a->y_low), a->y_high);
    return a->top + HEIGHT * (1 - (inside - a->y_low) / (a->y_high - a->y_low));
}

static void draw_axes(FILE *file, const line_diagram *d, const axes *a)
{
    char label[32];
    double step = svg_step(a->y_high - a->y_low);
    for (double y = ceil(a->y_low / step - 1e-9) * step; y <= a->y_high + 1e-9 * step; y += step) {
        double shown = fabs(y) < 1e-9 * step ? 0 : y;
        snprintf(label, sizeof label, d->percent ? "%.4g %%" : "%.4g", d->percent ? 100 * shown : shown);
        svg_level(file, LEFT, LEFT + WIDTH, y_of(a, y), label);
    }
    step = svg_step(a->x_high - a->x_low);
    for (double x = ceil(a->x_low / step - 1e-9) * step; x <= a->x_high + 1e-9 * step; x += step) {
        snprintf(label, sizeof label, "%.4g", fabs(x) < 1e-9 * step ? 0 : x);
        svg_notch(file, x_of(a, x), a->top + HEIGHT, label);
    }
    svg_axes(file, LEFT, a->top, LEFT + WIDTH, a->top + HEIGHT, d->x_name);
}

static void draw_curve(FILE *file, const line_curve *c, const axes *a, const char *colour)
{
    fprintf(file, "<polyline fill='none' stroke='%s' stroke-width='2' stroke-linejoin='round' points='", colour);
    for (size_t i = 0; i < c->count; i++)
        if (isfinite(c->y[i]))
            fprintf(file, "%.1f,%.1f ", x_of(a, c->x[i]), y_of(a, c->y[i]));
    fputs("'/>\n", file);
    for (size_t i = 0; c->count <= MOST_DOTS && i < c->count; i++)
        if (isfinite(c->y[i]))
            fprintf(file, "<circle cx='%.1f' cy='%.1f' r='3.5' fill='%s'/>\n", x_of(a, c->x[i]), y_of(a, c->y[i]),
                    colour);
}

static int legend_lines(const line_diagram *d)
{
    double x = LEFT;
    int lines = 1;
    for (size_t i = 0; i < d->count; i++) {
        if (x > LEFT && x + svg_legend_width(d->curves[i].name) > LEFT + WIDTH + 30) {
            lines++;
            x = LEFT;
        }
        x += svg_legend_width(d->curves[i].name);
    }
    return lines;
}

/* Names from left to right above the diagram, in as many lines as they need; the first one's foot is at y. */
static void draw_legend(FILE *file, const line_diagram *d, int y)
{
    double x = LEFT;
    for (size_t i = 0; i < d->count; i++) {
        if (x > LEFT && x + svg_legend_width(d->curves[i].name) > LEFT + WIDTH + 30) {
            x = LEFT;
            y += LINE;
        }
        svg_legend(file, x, y - 4, svg_colour(i), d->curves[i].name);
        x += svg_legend_width(d->curves[i].name);
    }
}

static int diagram_height(const line_diagram *d)
{
    return (1 + legend_lines(d)) * LINE + ABOVE + HEIGHT + BELOW;
}

/* The name of y, the legend, the diagram. */
static void draw_diagram(FILE *file, const line_diagram *d, int top)
{
    axes a = find_axes(d);
    a.top = top + (1 + legend_lines(d)) * LINE + ABOVE;
    fprintf(file, "<text x='%d' y='%d' class='heading'>", LEFT, top + LINE - 4);
    svg_text(file, d->y_name);
    fputs("</text>\n", file);
    draw_axes(file, d, &a);
    draw_legend(file, d, top + 2 * LINE - 2);
    for (size_t i = 0; i < d->count; i++)
        draw_curve(file, &d->curves[i], &a, svg_colour(i));
}

static void draw(FILE *file, const void *what)
{
    const drawing *all = what;
    int height = TITLE;
    for (size_t i = 0; i < all->count; i++)
        height += diagram_height(&all->diagrams[i]);
    svg_begin(file, LEFT + WIDTH + 40, height, all->diagrams[0].title);
    for (size_t i = 0, top = TITLE; i < all->count; top += (size_t)diagram_height(&all->diagrams[i++]))
        draw_diagram(file, &all->diagrams[i], (int)top);
    svg_end(file);
}

int line_svg_write_all(const char *path, const line_diagram *diagrams, size_t count)
{
    const drawing all = {diagrams, count};
    return svg_write(path, draw, &all);
}

int line_svg_write(const char *path, const line_diagram *diagram)
{
    return line_svg_write_all(path, diagram, 1);
}
