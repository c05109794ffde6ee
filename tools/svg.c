/* SPDX-License-Identifier: Apache-2.0 */
#include "svg.h"

#include "text.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define CHARACTER 7.2 /* about the width of one */

/* Okabe and Ito (2008). */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#000000", "#8c6d31"};

int svg_write(const char *path, void (*draw)(FILE *file, const void *what), const void *what)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid()) >= (int)sizeof temporary)
        return cli_fail(EXIT_FAILED, "%s: the path is too long", path);
    FILE *file = fopen(temporary, "we");
    if (!file)
        return cli_fail(EXIT_FAILED, "%s: cannot be written: %s", path, strerror(errno));
    draw(file, what);
    bool good = !ferror(file);
    good = fclose(file) == 0 && good;
    if (good && rename(temporary, path) == 0)
        return EXIT_GO_ON;
    int error = errno;
    unlink(temporary);
    return cli_fail(EXIT_FAILED, "%s: cannot be written: %s", path, strerror(error));
}

void svg_text(FILE *file, const char *text)
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
            fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, file);
        }
}

void svg_begin(FILE *file, double width, double height, const char *title)
{
    fprintf(file,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%g' height='%g' viewBox='0 0 %g %g' font-size='12' "
            "font-family='system-ui, -apple-system, \"Segoe UI\", Helvetica, Arial, sans-serif' fill='#3e4c59'>\n",
            width, height, width, height);
    fputs("<style>.heading { font-size: 13px; font-weight: 600; }</style>\n"
          "<rect width='100%' height='100%' fill='#ffffff'/>\n",
          file);
    fputs("<text x='24' y='34' font-size='15' font-weight='600'>", file);
    svg_text(file, title);
    fputs("</text>\n", file);
}

void svg_end(FILE *file)
{
    fputs("</svg>\n", file);
}

double svg_step(double span)
{
    double rough = span / 5, power = pow(10, floor(log10(rough)));
    double digit = rough / power;
    return power * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10);
}

void svg_level(FILE *file, double left, double right, double y, const char *label)
{
    fprintf(file, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#e4e7eb'/>", left, y, right, y);
    fprintf(file, "<text x='%.1f' y='%.1f' text-anchor='end'>%s</text>\n", left - 8, y + 4, label);
}

void svg_notch(FILE *file, double x, double bottom, const char *label)
{
    fprintf(file, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#7b8794'/>", x, bottom, x, bottom + 5);
    fprintf(file, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n", x, bottom + 20, label);
}

void svg_axes(FILE *file, double left, double top, double right, double bottom, const char *name)
{
    fprintf(file, "<path d='M%.1f %.1f V%.1f H%.1f' fill='none' stroke='#7b8794'/>\n", left, top, bottom, right);
    fprintf(file, "<text x='%.1f' y='%.1f' text-anchor='middle'>", (left + right) / 2, bottom + 42);
    svg_text(file, name);
    fputs("</text>\n", file);
}

const char *svg_colour(size_t index)
{
    return colours[index % (sizeof colours / sizeof colours[0])];
}

void svg_legend(FILE *file, double x, double y, const char *colour, const char *name)
{
    fprintf(file, "<line x1='%g' y1='%g' x2='%g' y2='%g' stroke='%s' stroke-width='2'/>", x, y, x + 24, y, colour);
    fprintf(file, "<circle cx='%g' cy='%g' r='3.5' fill='%s'/><text x='%g' y='%g'>", x + 12, y, colour, x + 32, y + 4);
    svg_text(file, name);
    fputs("</text>\n", file);
}

double svg_legend_width(const char *name)
{
    return 56 + CHARACTER * (double)text_width(name);
}
