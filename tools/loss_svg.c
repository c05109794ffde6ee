/* SPDX-License-Identifier: Apache-2.0 */
#include "loss_svg.h"

#include "curve_panel.h"

#include <math.h>
#include <stdio.h>

#define WIDTH  760
#define HEIGHT 420
#define LEFT   78
#define RIGHT  560 /* of the panel; the legend stands beside it */
#define TOP    64
#define BOTTOM 360
#define DEEP   6 /* decades shown at most */

/* Colours that stay apart for most eyes, the first for what matters most. */
static const char *const colours[LOSS_SERIES] = {"#111827", "#1f6feb", "#d9480f", "#2b8a3e", "#9c36b5", "#e8a10c",
                                                 "#0b7285", "#a61e4d", "#74808d", "#5c940d", "#862e9c", "#1098ad"};

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

/* 1, 2 or 5 times a power of ten: at most six of them in total. */
static double nice_step(double total)
{
    double power = pow(10, floor(log10(total / 6))), digit = total / 6 / power;
    return fmax(1, power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10));
}

static void draw_axes(const plot *p)
{
    for (double power = p->low; power <= p->high + 1e-9; power++) {
        double y = y_of(p, pow(10, power));
        fprintf(p->file, "<line x1='%d' y1='%.1f' x2='%d' y2='%.1f' stroke='#e4e7eb'/>", LEFT, y, RIGHT, y);
        fprintf(p->file, "<text x='%d' y='%.1f' text-anchor='end'>%g</text>\n", LEFT - 8, y + 4, pow(10, power));
    }
    double step = nice_step(p->iterations);
    for (double at = 0; at <= p->iterations + 1e-9; at += step) {
        double x = x_of(p, at);
        fprintf(p->file, "<line x1='%.1f' y1='%d' x2='%.1f' y2='%d' stroke='#7b8794'/>", x, BOTTOM, x, BOTTOM + 5);
        fprintf(p->file, "<text x='%.1f' y='%d' text-anchor='middle'>%g</text>\n", x, BOTTOM + 20, at);
    }
    fprintf(p->file, "<path d='M%d %d V%d H%d' fill='none' stroke='#7b8794'/>\n", LEFT, TOP, BOTTOM, RIGHT);
    fprintf(p->file, "<text x='%d' y='%d' text-anchor='middle'>iteration</text>\n", (LEFT + RIGHT) / 2, BOTTOM + 42);
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
    curve_text(p->file, s->name);
    fputs("</text>\n", p->file);
}

static void draw(FILE *file, const void *what)
{
    const figure *f = what;
    plot p = {.file = file};
    curve_begin(file, WIDTH, HEIGHT, f->title);
    choose_range(&p, f->series, f->count);
    draw_axes(&p);
    for (size_t i = f->count; i-- > 0;) /* the first on top */
        draw_series(&p, &f->series[i], i);
    curve_end(file);
}

int loss_svg_write(const char *path, const char *title, const loss_series *series, size_t count)
{
    figure f = {title, series, count < LOSS_SERIES ? count : LOSS_SERIES};
    return curve_write(path, draw, &f);
}
