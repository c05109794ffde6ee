/* SPDX-License-Identifier: Apache-2.0 */
#include "curve_panel.h"

#include "svg.h"

#include <math.h>
#include <stdlib.h>

#define MOST_DOTS 60

static double value_of(const curve_panel *p, const history_point *point)
{
    return p->accuracy ? point->accuracy : point->loss;
}

static double x_of(const curve_panel *p, double epoch)
{
    return p->left + CURVE_PANEL_WIDTH * epoch / p->epochs;
}

static double y_of(const curve_panel *p, double value)
{
    double inside = fmin(fmax(value, p->low), p->high);
    return p->top + CURVE_PANEL_HEIGHT * (1 - (inside - p->low) / (p->high - p->low));
}

static void draw_tick(const curve_panel *p, double value)
{
    char label[32];
    if (p->accuracy)
        snprintf(label, sizeof label, "%.4g %%", 100 * value);
    else
        snprintf(label, sizeof label, "%.4g", value);
    svg_level(p->file, p->left, p->left + CURVE_PANEL_WIDTH, y_of(p, value), label);
}

static void draw_axes(const curve_panel *p)
{
    double step = svg_step(p->high - p->low), bottom = p->top + CURVE_PANEL_HEIGHT;
    for (double value = ceil(p->low / step - 1e-9) * step; value <= p->high + 1e-9 * step; value += step)
        draw_tick(p, fabs(value) < 1e-9 * step ? 0 : value);
    step = fmax(1, svg_step(p->epochs));
    for (double epoch = 0; epoch <= p->epochs + 1e-9; epoch += step) {
        char label[32];
        snprintf(label, sizeof label, "%g", epoch);
        svg_notch(p->file, x_of(p, epoch), bottom, label);
    }
    svg_axes(p->file, p->left, p->top, p->left + CURVE_PANEL_WIDTH, bottom, "epoch");
    fprintf(p->file, "<text x='%.1f' y='%g' class='heading'>%s</text>\n", p->left, p->top - 14,
            p->accuracy ? "accuracy" : "loss");
}

void curve_panel_line(const curve_panel *p, const history_point *points, size_t count, const char *colour, double width)
{
    if (!count)
        return;
    fprintf(p->file, "<polyline fill='none' stroke='%s' stroke-width='%g' stroke-linejoin='round' points='", colour,
            width);
    for (size_t i = 0; i < count; i++)
        fprintf(p->file, "%s%.1f,%.1f", i ? " " : "", x_of(p, points[i].epoch), y_of(p, value_of(p, &points[i])));
    fputs("'/>\n", p->file);
}

void curve_smooth(const history_point *points, size_t count, history_point *out)
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

void curve_panel_dots(const curve_panel *p, const history_point *points, size_t count, const char *colour)
{
    for (size_t i = 0; count <= MOST_DOTS && i < count; i++)
        fprintf(p->file, "<circle cx='%.1f' cy='%.1f' r='3.5' fill='%s'/>\n", x_of(p, points[i].epoch),
                y_of(p, value_of(p, &points[i])), colour);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All values of the histories, sorted; *out_count of them. NULL: no memory. */
static double *gather(const curve_panel *p, const history *const *histories, size_t count, size_t *out_count)
{
    double *values = malloc((count * (HISTORY_POINTS + HISTORY_EPOCHS) + 1) * sizeof *values);
    *out_count = 0;
    for (size_t k = 0; values && k < count; k++) {
        const history *h = histories[k];
        for (size_t i = 0; i < h->point_count; i++)
            values[(*out_count)++] = value_of(p, &h->points[i]);
        for (size_t i = 0; i < h->epoch_count; i++)
            values[(*out_count)++] = value_of(p, &h->epochs[i]);
    }
    if (values)
        qsort(values, *out_count, sizeof *values, compare);
    return values;
}

/* The range that shows the course: what lies beyond the 98th percentile on the bad side is cut off. */
static void choose_range(curve_panel *p, const history *const *histories, size_t history_count)
{
    size_t count;
    double *values = gather(p, histories, history_count, &count);
    p->low = 0;
    p->high = 1;
    if (count && p->accuracy) {
        double low = values[count / 20]; /* the first steps guess */
        p->low = fmin(0.9, fmax(0, floor(10 * low) / 10));
    } else if (count) {
        double high = values[count - 1 - count / 50];
        double step = svg_step(fmax(high, 1e-6));
        p->high = ceil(fmax(high, 1e-6) / step) * step;
    }
    free(values);
}

curve_panel curve_panel_start(FILE *file, double left, double top, double epochs, bool accuracy,
                              const history *const *histories, size_t count)
{
    curve_panel p = {.file = file, .left = left, .top = top, .epochs = epochs, .accuracy = accuracy};
    choose_range(&p, histories, count);
    draw_axes(&p);
    return p;
}
