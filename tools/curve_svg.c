/* SPDX-License-Identifier: Apache-2.0 */
#include "curve_svg.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Pixels. Two panels beside each other. */
#define WIDTH        920
#define HEIGHT       380
#define PANEL_WIDTH  360
#define PANEL_HEIGHT 250
#define TOP          72
#define LEFT_LOSS    64
#define LEFT_RIGHT   520
#define BATCH_COLOUR "#d9dfe6"
#define TRAIN_COLOUR "#7b8794"
#define TEST_COLOUR  "#1f6feb"

typedef struct panel {
    FILE *file;
    double left, low, high, epochs; /* low to high: the values from bottom to top */
    bool accuracy;
} panel;

static double value_of(const panel *p, const history_point *point)
{
    return p->accuracy ? point->accuracy : point->loss;
}

static double x_of(const panel *p, double epoch)
{
    return p->left + PANEL_WIDTH * epoch / p->epochs;
}

static double y_of(const panel *p, double value)
{
    double inside = fmin(fmax(value, p->low), p->high);
    return TOP + PANEL_HEIGHT * (1 - (inside - p->low) / (p->high - p->low));
}

/* 1, 2 or 5 times a power of ten, so that about five of them fill the span. */
static double nice_step(double span)
{
    double rough = span / 5, power = pow(10, floor(log10(rough)));
    double digit = rough / power;
    return power * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10);
}

static void draw_tick(const panel *p, double value)
{
    double y = y_of(p, value);
    char label[32];
    if (p->accuracy)
        snprintf(label, sizeof label, "%.4g %%", 100 * value);
    else
        snprintf(label, sizeof label, "%.4g", value);
    fprintf(p->file, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#e4e7eb'/>", p->left, y,
            p->left + PANEL_WIDTH, y);
    fprintf(p->file, "<text x='%.1f' y='%.1f' text-anchor='end'>%s</text>\n", p->left - 8, y + 4, label);
}

static void draw_axes(const panel *p)
{
    double step = nice_step(p->high - p->low);
    for (double value = ceil(p->low / step - 1e-9) * step; value <= p->high + 1e-9 * step; value += step)
        draw_tick(p, fabs(value) < 1e-9 * step ? 0 : value);
    step = fmax(1, nice_step(p->epochs));
    for (double epoch = 0; epoch <= p->epochs + 1e-9; epoch += step) {
        double x = x_of(p, epoch);
        fprintf(p->file, "<line x1='%.1f' y1='%d' x2='%.1f' y2='%d' stroke='#7b8794'/>", x, TOP + PANEL_HEIGHT, x,
                TOP + PANEL_HEIGHT + 5);
        fprintf(p->file, "<text x='%.1f' y='%d' text-anchor='middle'>%g</text>\n", x, TOP + PANEL_HEIGHT + 20, epoch);
    }
    fprintf(p->file, "<path d='M%.1f %d V%d H%.1f' fill='none' stroke='#7b8794'/>\n", p->left, TOP, TOP + PANEL_HEIGHT,
            p->left + PANEL_WIDTH);
    fprintf(p->file, "<text x='%.1f' y='%d' text-anchor='middle'>epoch</text>\n", p->left + PANEL_WIDTH / 2.0,
            TOP + PANEL_HEIGHT + 40);
    fprintf(p->file, "<text x='%.1f' y='%d' class='heading'>%s</text>\n", p->left, TOP - 14,
            p->accuracy ? "accuracy" : "loss");
}

static void draw_line(const panel *p, const history_point *points, size_t count, const char *colour, double width)
{
    if (!count)
        return;
    fprintf(p->file, "<polyline fill='none' stroke='%s' stroke-width='%g' stroke-linejoin='round' points='", colour,
            width);
    for (size_t i = 0; i < count; i++)
        fprintf(p->file, "%s%.1f,%.1f", i ? " " : "", x_of(p, points[i].epoch), y_of(p, value_of(p, &points[i])));
    fputs("'/>\n", p->file);
}

/* Each point the mean of those around it, a twentieth of all; the window shrinks towards the ends. */
static void smooth(const history_point *points, size_t count, history_point *out)
{
    size_t half = count / 40;
    for (size_t i = 0; i < count; i++) {
        size_t reach = half < i ? half : i;
        reach = reach < count - 1 - i ? reach : count - 1 - i;
        history_point sum = {0};
        for (size_t j = i - reach; j <= i + reach; j++) {
            sum.loss += points[j].loss;
            sum.accuracy += points[j].accuracy;
        }
        double n = (double)(2 * reach + 1);
        out[i] = (history_point){points[i].epoch, sum.loss / n, sum.accuracy / n};
    }
}

static void draw_dots(const panel *p, const history_point *points, size_t count)
{
    for (size_t i = 0; count <= 60 && i < count; i++)
        fprintf(p->file, "<circle cx='%.1f' cy='%.1f' r='3.5' fill='" TEST_COLOUR "'/>\n", x_of(p, points[i].epoch),
                y_of(p, value_of(p, &points[i])));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The range that shows the course: what lies beyond the 98th percentile on the bad side is cut off. */
static void choose_range(panel *p, const history *h)
{
    double values[HISTORY_POINTS + HISTORY_EPOCHS];
    size_t count = 0;
    for (size_t i = 0; i < h->point_count; i++)
        values[count++] = value_of(p, &h->points[i]);
    for (size_t i = 0; i < h->epoch_count; i++)
        values[count++] = value_of(p, &h->epochs[i]);
    qsort(values, count, sizeof *values, compare);
    p->low = 0;
    p->high = 1;
    if (!count)
        return;
    if (p->accuracy) {
        double low = values[count / 20]; /* the first steps guess */
        p->low = fmin(0.9, fmax(0, floor(10 * low) / 10));
    } else {
        double high = values[count - 1 - count / 50];
        double step = nice_step(fmax(high, 1e-6));
        p->high = ceil(fmax(high, 1e-6) / step) * step;
    }
}

static void draw_panel(FILE *file, const history *h, double left, double epochs, bool accuracy)
{
    panel p = {.file = file, .left = left, .epochs = epochs, .accuracy = accuracy};
    history_point smoothed[HISTORY_POINTS];
    choose_range(&p, h);
    draw_axes(&p);
    smooth(h->points, h->point_count, smoothed);
    draw_line(&p, h->points, h->point_count, BATCH_COLOUR, 1);
    draw_line(&p, smoothed, h->point_count, TRAIN_COLOUR, 1.5);
    draw_line(&p, h->epochs, h->epoch_count, TEST_COLOUR, 2);
    draw_dots(&p, h->epochs, h->epoch_count);
}

static void draw_legend(FILE *file)
{
    int y = 30, x = WIDTH - 240;
    fprintf(file, "<line x1='%d' y1='%d' x2='%d' y2='%d' stroke='" TRAIN_COLOUR "' stroke-width='2'/>", x, y, x + 24,
            y);
    fprintf(file, "<text x='%d' y='%d'>training</text>", x + 32, y + 4);
    fprintf(file, "<line x1='%d' y1='%d' x2='%d' y2='%d' stroke='" TEST_COLOUR "' stroke-width='2'/>", x + 104, y,
            x + 128, y);
    fprintf(file, "<circle cx='%d' cy='%d' r='3.5' fill='" TEST_COLOUR "'/>", x + 116, y);
    fprintf(file, "<text x='%d' y='%d'>test images</text>\n", x + 136, y + 4);
}

/* & < > and quotes as entities. */
static void print_escaped(FILE *file, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", file);
            break;
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        default:
            fputc(*text, file);
        }
}

static void draw(FILE *file, const char *title, const history *h, double epochs)
{
    fprintf(file,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d' font-size='12' "
            "font-family='system-ui, -apple-system, \"Segoe UI\", Helvetica, Arial, sans-serif' fill='#3e4c59'>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    fputs("<style>.heading { font-size: 13px; font-weight: 600; }</style>\n"
          "<rect width='100%' height='100%' fill='#ffffff'/>\n",
          file);
    fputs("<text x='24' y='34' font-size='15' font-weight='600'>", file);
    print_escaped(file, title);
    fputs("</text>\n", file);
    draw_legend(file);
    draw_panel(file, h, LEFT_LOSS, epochs, false);
    draw_panel(file, h, LEFT_RIGHT, epochs, true);
    fputs("</svg>\n", file);
}

int curve_svg_write(const char *path, const char *title, const history *h, double epochs)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid()) >= (int)sizeof temporary)
        return cli_fail(EXIT_FAILED, "%s: the path is too long", path);
    FILE *file = fopen(temporary, "we");
    if (!file)
        return cli_fail(EXIT_FAILED, "%s: %s", temporary, strerror(errno));
    draw(file, title, h, epochs);
    bool good = !ferror(file);
    good = fclose(file) == 0 && good;
    if (good && rename(temporary, path) == 0)
        return EXIT_GO_ON;
    int error = errno;
    unlink(temporary);
    return cli_fail(EXIT_FAILED, "%s: %s", path, strerror(error));
}
