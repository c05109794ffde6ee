/* SPDX-License-Identifier: Apache-2.0 */
/* What the taps of a kernel read in nchw16c, and the spreading of it. */
#include "conv2d_channels.h"

#include <string.h>

static void add_x(cpu_channels_window *w, int64_t x)
{
    for (int64_t i = 0; i < w->xs; i++)
        if (w->x[i] == x)
            return;
    w->x[w->xs++] = x;
}

void cpu_channels_window_complete(cpu_channels_window *w)
{
    int64_t high_y = 0;
    w->low_y = w->xs = w->span_y = 0;
    for (int64_t i = 0; i < w->taps; i++) {
        const cpu_channels_tap *tap = &w->tap[i];
        add_x(w, tap->x);
        w->low_y = i == 0 ? tap->y : cpu_min(w->low_y, tap->y);
        high_y = i == 0 ? tap->y : cpu_max(high_y, tap->y);
    }
    if (w->taps > 0)
        w->span_y = high_y - w->low_y + 1;
    w->in_place = w->sh == 1 && w->sw == 1 && w->xs == 1 && w->x[0] == 0 && w->ow == w->w && w->low_y >= 0 &&
                  high_y + w->oh <= w->h;
}

/* Phases of the row stride that a tap uses, and rows of each. */
static int64_t phases(const cpu_channels_window *w)
{
    return cpu_min(w->sh, w->span_y);
}

static int64_t phase_rows(const cpu_channels_window *w, int64_t rows)
{
    return rows + (w->span_y - 1) / w->sh;
}

int64_t cpu_channels_spread_floats(const cpu_channels_window *w, int64_t rows)
{
    return w->in_place ? 0 : w->xs * phases(w) * phase_rows(w, rows) * w->ow * CPU_LANES;
}

int64_t cpu_channels_tap_offset(const cpu_channels_window *w, const cpu_channels_tap *tap, int64_t rows)
{
    int64_t x = 0, y = tap->y - w->low_y;
    if (w->in_place)
        return tap->y * w->w * CPU_LANES;
    while (w->x[x] != tap->x)
        x++;
    return ((x * phases(w) + y % w->sh) * phase_rows(w, rows) + y / w->sh) * w->ow * CPU_LANES;
}

/* One row of the input as a tap sees it, or zeros. */
static void spread_row(const cpu_channels_window *w, const float *in, int64_t row, int64_t x, float *out)
{
    int64_t first = 0, last = 0;
    if (row >= 0 && row < w->h)
        cpu_conv2d_range(w->sw, 0, x, w->w, w->ow, &first, &last);
    cpu_table.copy_lines(in + (row * w->w + first * w->sw + x) * CPU_LANES, w->sw * CPU_LANES, out + first * CPU_LANES,
                         last - first);
    memset(out, 0, (size_t)(first * CPU_LANES) * sizeof *out);
    memset(out + last * CPU_LANES, 0, (size_t)((w->ow - last) * CPU_LANES) * sizeof *out);
}

void cpu_channels_spread(const cpu_channels_window *w, const float *in, int64_t row, int64_t rows, float *out)
{
    for (int64_t x = 0; x < w->xs; x++)
        for (int64_t phase = 0; phase < phases(w); phase++)
            for (int64_t i = 0; i < phase_rows(w, rows); i++, out += w->ow * CPU_LANES)
                spread_row(w, in, (row + i) * w->sh + w->low_y + phase, w->x[x], out);
}

void cpu_channels_forward_window(const cpu_conv2d_sizes *s, cpu_channels_window *out)
{
    *out = (cpu_channels_window){.h = s->h, .w = s->w, .oh = s->oh, .ow = s->ow, .sh = s->sh, .sw = s->sw};
    for (int64_t u = 0; u < s->kh; u++)
        for (int64_t v = 0; v < s->kw; v++)
            out->tap[out->taps++] = (cpu_channels_tap){
                .y = u * s->dh - s->top, .x = v * s->dw - s->left, .weight = (u * s->kw + v) * CPU_LANES * CPU_LANES};
    cpu_channels_window_complete(out);
}

void cpu_channels_backward_window(const cpu_conv2d_sizes *s, int64_t i0, int64_t j0, cpu_channels_window *out)
{
    *out = (cpu_channels_window){
        .h = s->oh, .w = s->ow, .oh = cpu_ceil(s->h - i0, s->sh), .ow = cpu_ceil(s->w - j0, s->sw), .sh = 1, .sw = 1};
    for (int64_t u = 0; u < s->kh; u++)
        for (int64_t v = 0; v < s->kw; v++) {
            int64_t y = i0 + s->top - u * s->dh, x = j0 + s->left - v * s->dw;
            if (y % s->sh == 0 && x % s->sw == 0)
                out->tap[out->taps++] = (cpu_channels_tap){
                    .y = y / s->sh, .x = x / s->sw, .weight = (u * s->kw + v) * CPU_LANES * CPU_LANES};
        }
    cpu_channels_window_complete(out);
}
