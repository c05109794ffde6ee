/* SPDX-License-Identifier: Apache-2.0 */
/* What the taps of a kernel read, and the copying of it. */
#include "conv2d_channels.h"

#include <string.h>

enum {
    SHORT_ROW = 14,
    LONG_ROW = 28
}; /* columns; shorter output rows are joined to one run; runs of every second pixel pay from here */

/* The number of x among those of the taps before tap `count`, or how many there are. */
static int64_t different_x(const cpu_channels_window *w, int64_t count, int64_t x, bool *out_found)
{
    int64_t number = 0;
    *out_found = false;
    for (int64_t i = 0; i < count && !*out_found; i++) {
        bool is_first = true;
        for (int64_t k = 0; k < i && is_first; k++)
            is_first = w->tap[k].x != w->tap[i].x;
        *out_found = is_first && w->tap[i].x == x;
        number += is_first && !*out_found;
    }
    return number;
}

static int64_t count_x(const cpu_channels_window *w)
{
    bool found;
    return different_x(w, w->taps, INT64_MIN, &found);
}

/* Whether every tap of an output lies inside the input, in a column of its own. */
static bool lies_inside(const cpu_channels_window *w, int64_t high_y, int64_t high_x)
{
    return w->low_x == 0 && high_x == 0 && (w->ow - 1) * w->sw < w->w && w->low_y >= 0 &&
           high_y + (w->oh - 1) * w->sh < w->h;
}

/* Columns from one pixel of a run to the next. */
static int64_t phase_columns(const cpu_channels_window *w)
{
    return w->sw / w->step;
}

void cpu_channels_window_complete(cpu_channels_window *w, uint32_t reader)
{
    int64_t high_y = w->tap[0].y, high_x = w->tap[0].x; /* of no taps (a stride that skips all pixels): zeros */
    w->low_y = high_y;
    w->low_x = high_x;
    for (int64_t i = 1; i < w->taps; i++) {
        w->low_y = cpu_min(w->low_y, w->tap[i].y);
        w->low_x = cpu_min(w->low_x, w->tap[i].x);
        high_y = cpu_max(high_y, w->tap[i].y);
        high_x = cpu_max(high_x, w->tap[i].x);
    }
    w->span_y = high_y - w->low_y + 1;
    w->span_x = high_x - w->low_x + 1;
    bool is_dense = w->sh == 1 && w->sw == 1 && w->ow == w->w,
         joins = (reader & CPU_CHANNELS_JOINS) && w->ow < SHORT_ROW;
    w->step = w->sw == 2 && (reader & CPU_CHANNELS_STEPS) && w->ow >= LONG_ROW ? 2 : 1;
    w->in_place = (is_dense || w->step == 2) && lies_inside(w, high_y, high_x) && !(reader & CPU_CHANNELS_COPIES);
    w->is_spread = joins && !w->in_place;
    w->copies = w->in_place ? 0 : w->is_spread ? count_x(w) : cpu_min(phase_columns(w), w->span_x);
    w->pitch = w->in_place    ? w->sh * w->w
               : w->is_spread ? w->ow
                              : (w->ow - 1) * w->step + 1 + (w->span_x - 1) / phase_columns(w);
}

/* Phases of the row stride that a tap uses, and rows of each. */
static int64_t row_phases(const cpu_channels_window *w)
{
    return cpu_min(w->sh, w->span_y);
}

static int64_t phase_rows(const cpu_channels_window *w, int64_t rows)
{
    return rows + (w->span_y - 1) / w->sh;
}

int64_t cpu_channels_copy_floats(const cpu_channels_window *w, int64_t rows)
{
    return w->copies * row_phases(w) * phase_rows(w, rows) * w->pitch * w->lanes;
}

int64_t cpu_channels_tap_offset(const cpu_channels_window *w, const cpu_channels_tap *tap, int64_t rows)
{
    int64_t x = tap->x - w->low_x, y = tap->y - w->low_y;
    bool found;
    if (w->in_place)
        return tap->y * w->w * w->lanes;
    int64_t copy = w->is_spread ? different_x(w, w->taps, tap->x, &found) : x % phase_columns(w);
    int64_t shift = w->is_spread ? 0 : x / phase_columns(w);
    return (((copy * row_phases(w) + y % w->sh) * phase_rows(w, rows) + y / w->sh) * w->pitch + shift) * w->lanes;
}

/* Pixels of a row, step apart. */
static void copy_pixels(const cpu_channels_window *w, const float *in, float *out, int64_t count)
{
    if (w->lanes == CPU_LANES)
        cpu_table.copy_lines(in, phase_columns(w) * CPU_LANES, out, count);
    else
        cpu_table.copy_strided(in, phase_columns(w), out, count);
}

static void clear_pixels(const cpu_channels_window *w, float *out, int64_t count)
{
    if (count > 0)
        memset(out, 0, (size_t)(count * w->lanes) * sizeof *out);
}

/* pitch pixels of some input rows from column x on; zeros outside. */
static void copy_rows(const cpu_channels_window *w, const float *in, int64_t row, int64_t rows, int64_t x, float *out)
{
    int64_t first, last, columns = phase_columns(w);
    cpu_conv2d_range(columns, 0, x, w->w, w->pitch, &first, &last);
    for (int64_t phase = 0; phase < row_phases(w); phase++)
        for (int64_t i = 0; i < phase_rows(w, rows); i++, out += w->pitch * w->lanes) {
            int64_t y = (row + i) * w->sh + w->low_y + phase, end = y >= 0 && y < w->h ? last : first;
            clear_pixels(w, out, first);
            if (end > first)
                copy_pixels(w, in + (y * w->w + first * columns + x) * w->lanes, out + first * w->lanes, end - first);
            clear_pixels(w, out + end * w->lanes, w->pitch - end);
        }
}

void cpu_channels_copy(const cpu_channels_window *w, const float *plane, int64_t row, int64_t rows, float *out)
{
    int64_t floats = row_phases(w) * phase_rows(w, rows) * w->pitch * w->lanes;
    for (int64_t copy = 0; copy < w->copies && !w->is_spread; copy++)
        copy_rows(w, plane, row, rows, w->low_x + copy, out + copy * floats);
    for (int64_t i = 0; i < w->taps && w->is_spread; i++) {
        bool was_before;
        int64_t copy = different_x(w, i, w->tap[i].x, &was_before);
        if (!was_before)
            copy_rows(w, plane, row, rows, w->tap[i].x, out + copy * floats);
    }
}

void cpu_channels_forward_window(const cpu_conv2d_sizes *s, int64_t lanes, int64_t weight_floats, uint32_t reader,
                                 cpu_channels_window *out)
{
    *out =
        (cpu_channels_window){.h = s->h, .w = s->w, .oh = s->oh, .ow = s->ow, .sh = s->sh, .sw = s->sw, .lanes = lanes};
    for (int64_t u = 0; u < s->kh; u++)
        for (int64_t v = 0; v < s->kw; v++)
            out->tap[out->taps++] = (cpu_channels_tap){
                .y = u * s->dh - s->top, .x = v * s->dw - s->left, .weight = (u * s->kw + v) * weight_floats};
    cpu_channels_window_complete(out, reader);
}
