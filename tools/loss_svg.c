/* SPDX-License-Identifier: Apache-2.0 */
#include "loss_svg.h"

#include "svg.h"

#include <math.h>
#include <stdio.h>

#define WIDTH  760
#define HEIGHT 420
#define LEFT   78
#define RIGHT  560 /* of the panel; the legend stands beside it */
#define TOP    64
#define BOTTOM 360
#define DEEP   6 /* decades shown at most */

/* Colours far from each other, the first for what matters most: black, then a blue, the only one up to the eighth. */
static const char *const colours[LOSS_SERIES] = {"#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
                                                 "#8c6d31", "#7b2d8e", "#9aa0a6", "#c00020", "#56b4e9", "#6b8e23"};

typedef struct plot {
    FILE *file;
    double low, high; /* powers of ten */
    double iterations;
} plot;

typedef struct figure {
    const char *title;
    const loss_series *series;
    size_t count;
} figure;

static double x_of(const plot *p, double iteration)
{
    return LEFT + (RIGHT - LEFT) * iteration / p->iterations;
}

static double y_of(const plot *p, double loss)
{
    double power = loss > 0 ? log10(loss) : p->low;
    return BOTTOM - (BOTTOM - TOP) * (fmin(fmax(power, p->low), p->high) - p->low) / (p->high - p->low);
}

static void choose_range(plot *p, const loss_series *series, size_t count)
{
    p->low = INFINITY;
    p->high = -INFINITY;
    p->iterations = 1;
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < series[s].count; i++) {
            double loss = series[s].values[i * series[s].stride];
            p->iterations = fmax(p->iterations, (double)i);
            if (!(loss > 0) || !isfinite(loss))
                continue;
            p->low = fmin(p->low, log10(loss));
            p->high = fmax(p->high, log10(loss));
        }
    if (p->low > p->high) /* nothing to show */
        p->low = p->high = 0;
    p->high = ceil(p->high + 1e-9);
    p->low = fmin(fmax(floor(p->low), p->high - DEEP), p->high - 1);
}

static void draw_axes(const plot *p)
{
    char label[32];
    for (double power = p->low; power <= p->high + 1e-9; power++) {
        snprintf(label, sizeof label, "%g", pow(10, power));
        svg_level(p->file, LEFT, RIGHT, y_of(p, pow(10, power)), label);
    }
    double step = fmax(1, svg_step(p->iterations));
    for (double at = 0; at <= p->iterations + 1e-9; at += step) {
        snprintf(label, sizeof label, "%g", at);
        svg_notch(p->file, x_of(p, at), BOTTOM, label);
    }
    svg_axes(p->file, LEFT, TOP, RIGHT, BOTTOM, "iteration");
}

static void draw_series(const plot *p, const loss_series *s, size_t number)
{
    int y = TOP + 8 + 22 * (int)number;
    fprintf(p->file, "<polyline fill='none' stroke='%s' stroke-width='%g' stroke-linejoin='round' points='",
            colours[number], s->thick ? 2.5 : 1.5);
    for (size_t i = 0; i < s->count; i++)
        if (isfinite(s->values[i * s->stride]))
            fprintf(p->file, "%s%.1f,%.1f", i ? " " : "", x_of(p, (double)i), y_of(p, s->values[i * s->stride]));
    fprintf(p->file, "'/>\n<line x1='%d' y1='%d' x2='%d' y2='%d' stroke='%s' stroke-width='2.5'/>", RIGHT + 20, y,
            RIGHT + 44, y, colours[number]);
    fprintf(p->file, "<text x='%d' y='%d'>", RIGHT + 52, y + 4);
    svg_text(p->file, s->name);
    fputs("</text>\n", p->file);
}

static void draw(FILE *file, const void *what)
{
    const figure *f = what;
    plot p = {.file = file};
    svg_begin(file, WIDTH, HEIGHT, f->title);
    choose_range(&p, f->series, f->count);
    draw_axes(&p);
    for (size_t i = f->count; i-- > 0;) /* the first on top */
        draw_series(&p, &f->series[i], i);
    svg_end(file);
}

int loss_svg_write(const char *path, const char *title, const loss_series *series, size_t count)
{
    figure f = {title, series, count < LOSS_SERIES ? count : LOSS_SERIES};
    return svg_write(path, draw, &f);
}
