/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "cli.h"
#include "interrupt.h"
#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define INTERVAL   0.1 /* seconds between two drawings */
#define BAR_CELLS  24
#define BAR_LEAST  9 /* with less room the figures are shortened, with still less the bar is left out */
#define LINE_BYTES 512

static struct {
    bool active, drawn;
    char title[48];
    const char *unit;
    int64_t total, first; /* first: where it stood at the first update */
    double started, last;
    bool first_known;
} bar;

void progress_start(const char *title, const char *unit, int64_t total)
{
    progress_end();
    bar.active = isatty(STDERR_FILENO) && !cli_common_options.quiet && total > 0;
    snprintf(bar.title, sizeof bar.title, "%s", title);
    bar.unit = unit;
    bar.total = total;
    bar.first_known = false;
    bar.started = text_now();
    bar.last = 0;
}

void progress_clear(void)
{
    if (!bar.drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    bar.drawn = false;
}

void progress_end(void)
{
    progress_clear();
    bar.active = false;
}

static size_t terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

LINNET_PRINTF(2, 3) static void append(char line[LINE_BYTES], const char *format, ...)
{
    size_t used = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, LINE_BYTES - used, format, arguments);
    va_end(arguments);
}

static void append_bar(char line[LINE_BYTES], double fraction, int cells)
{
    bool utf8 = text_utf8(), colour = text_colour(stderr);
    int full = (int)(fraction * cells + 0.5);
    append(line, "%s", colour ? "\033[32m" : "");
    for (int i = 0; i < cells; i++) {
        if (i == full)
            append(line, "%s", colour ? "\033[90m" : "");
        append(line, "%s", !utf8 ? i < full ? "#" : "." : i < full || colour ? "━" : "╌");
    }
    append(line, "%s  ", colour ? "\033[0m" : "");
}

/* Cuts a line to so many columns; escape sequences take none. */
static void cut(char *line, size_t columns)
{
    size_t column = 0;
    for (char *at = line; *at; at++) {
        if (*at == '\033')
            while (at[1] && *at != 'm')
                at++;
        else if (((unsigned char)*at & 0xC0) != 0x80 && ++column > columns) {
            *at = '\0';
            return;
        }
    }
}

/* What stands behind the bar. */
static void append_figures(char line[LINE_BYTES], int64_t done, double rate, double loss, double accuracy, bool brief)
{
    char text[TEXT_SIZE];
    append(line, "%3.0f %%", 100 * (double)done / (double)bar.total);
    if (rate > 0)
        append(line, "  %s%s%s/s", rate < 9.95 ? text_tenths(text, rate) : text_count(text, (uint64_t)rate),
               brief ? "" : " ", brief ? "" : bar.unit);
    if (!isnan(loss))
        append(line, "  loss %.3f", loss);
    if (!isnan(accuracy))
        append(line, "  accuracy %.1f %%", 100 * accuracy);
    if (rate > 0)
        append(line, "  %s left", text_clock(text, (double)(bar.total - done) / rate));
}

static void draw(int64_t done, double loss, double accuracy, double elapsed)
{
    char line[LINE_BYTES] = "", figures[LINE_BYTES] = "";
    double rate = elapsed > 0 ? (double)(done - bar.first) / elapsed : 0;
    int room = (int)terminal_columns() - 1 - (int)strlen(bar.title) - 4; /* for bar and figures */
    append_figures(figures, done, rate, loss, accuracy, false);
    if (room - (int)strlen(figures) < BAR_LEAST) {
        *figures = '\0';
        append_figures(figures, done, rate, loss, accuracy, true);
    }
    append(line, "%s  ", bar.title);
    int cells = room - (int)strlen(figures);
    if (cells >= BAR_LEAST)
        append_bar(line, (double)done / (double)bar.total, cells < BAR_CELLS ? cells : BAR_CELLS);
    append(line, "%s", figures);
    cut(line, terminal_columns() - 1);
    fprintf(stderr, "\r%s%s\033[K", line, text_colour(stderr) ? "\033[0m" : "");
    fflush(stderr);
    bar.drawn = true;
}

void progress_update(int64_t done, double loss, double accuracy)
{
    if (!bar.active)
        return;
    double now = text_now();
    if (!bar.first_known) {
        bar.first_known = true;
        bar.first = done;
        bar.started = now;
        return;
    }
    if (now - bar.last < INTERVAL)
        return;
    bar.last = now;
    draw(done, loss, accuracy, now - bar.started);
}

void progress_skip(double seconds)
{
    bar.started += seconds;
}

int progress_report(void *user, int64_t done, int64_t total)
{
    (void)user, (void)total;
    progress_update(done, (double)NAN, (double)NAN);
    return interrupt_seen();
}
