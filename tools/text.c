/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *text_count(char out[TEXT_SIZE], uint64_t number)
{
    char digits[TEXT_SIZE];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    char *to = out;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

const char *text_tenths(char out[TEXT_SIZE], double number)
{
    snprintf(out, TEXT_SIZE, "%.1f", number);
    return out;
}

/* Three digits and a unit. */
static const char *scaled(char out[TEXT_SIZE], double number, double step, const char *const *units)
{
    int unit = 0;
    while (number >= step * 0.9995 && units[unit + 1]) {
        number /= step;
        unit++;
    }
    int digits = unit == 0 || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
    snprintf(out, TEXT_SIZE, "%.*f%s", digits, number, units[unit]);
    return out;
}

const char *text_short(char out[TEXT_SIZE], double number)
{
    static const char *const units[] = {"", " k", " M", " G", " T", " P", " E", NULL};
    return scaled(out, number, 1000, units);
}

const char *text_bytes(char out[TEXT_SIZE], uint64_t bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", NULL};
    return scaled(out, (double)bytes, 1024, units);
}

const char *text_clock(char out[TEXT_SIZE], double seconds)
{
    double sane = seconds > 0 ? seconds < 1e9 ? seconds : 1e9 : 0;
    unsigned long whole = (unsigned long)(sane + 0.5);
    if (whole >= 3600)
        snprintf(out, TEXT_SIZE, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(out, TEXT_SIZE, "%lu:%02lu", whole / 60, whole % 60);
    return out;
}

const char *text_percent(char out[TEXT_SIZE], double fraction)
{
    snprintf(out, TEXT_SIZE, "%.2f %%", 100 * fraction);
    return out;
}

bool text_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(stream)) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

bool text_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80; /* continuation bytes take no column */
    return width;
}

double text_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- Tables ---- */

void table_start(table *t, const char *const *headings)
{
    memset(t, 0, sizeof *t);
    for (; headings[t->columns] && t->columns < TABLE_COLUMNS; t->columns++) {
        const char *heading = headings[t->columns];
        t->right[t->columns] = *heading == '>';
        t->headings[t->columns] = heading + (*heading == '>');
    }
}

void table_row(table *t, const char *const *cells)
{
    if (t->rows == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 16;
        char **grown = realloc(t->cells, capacity * t->columns * sizeof *grown);
        if (!grown)
            return;
        t->cells = grown;
        t->capacity = capacity;
    }
    for (size_t i = 0; i < t->columns; i++)
        t->cells[t->rows * t->columns + i] = cells ? strdup(cells[i]) : NULL;
    t->rows++;
}

void table_rule(table *t)
{
    table_row(t, NULL);
}

/* One line; blanks are held back until something follows them, so that none ends it. */
static void print_cells(const table *t, const size_t *widths, const char *const *cells, int indent)
{
    int held = indent;
    for (size_t i = 0; i < t->columns; i++) {
        const char *text = cells[i] ? cells[i] : "";
        size_t own = text_width(text);
        int blanks = own < widths[i] ? (int)(widths[i] - own) : 0;
        held += t->right[i] ? blanks : 0;
        if (*text) {
            printf("%*s%s", held, "", text);
            held = 0;
        }
        held += (t->right[i] ? 0 : blanks) + 2;
    }
    putchar('\n');
}

static void print_rule(const size_t *widths, size_t columns)
{
    size_t total = 2 * (columns - 1);
    for (size_t i = 0; i < columns; i++)
        total += widths[i];
    for (size_t i = 0; i < total; i++)
        fputs(text_utf8() ? "─" : "-", stdout);
    putchar('\n');
}

void table_print(table *t, int indent)
{
    size_t widths[TABLE_COLUMNS];
    bool colour = text_colour(stdout);
    for (size_t i = 0; i < t->columns; i++) {
        widths[i] = text_width(t->headings[i]);
        for (size_t row = 0; row < t->rows; row++) {
            const char *cell = t->cells[row * t->columns + i];
            widths[i] = cell && text_width(cell) > widths[i] ? text_width(cell) : widths[i];
        }
    }
    fputs(colour ? "\033[1m" : "", stdout);
    print_cells(t, widths, t->headings, indent);
    fputs(colour ? "\033[0m" : "", stdout);
    for (size_t row = 0; row < t->rows; row++) {
        char **cells = t->cells + row * t->columns;
        if (cells[0]) {
            print_cells(t, widths, (const char *const *)cells, indent);
        } else {
            printf("%*s", indent, "");
            print_rule(widths, t->columns);
        }
        for (size_t i = 0; i < t->columns; i++)
            free(cells[i]);
    }
    free(t->cells);
    t->cells = NULL;
    t->rows = t->capacity = 0;
}
