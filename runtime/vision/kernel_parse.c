/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of linear filters as people write them. */
#include "core/core.h"
#include "linnet/filter.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES (1 << 20) /* of a file */
#define SHOWN      16        /* letters of what makes no sense, in the sentence */

typedef struct reader {
    linnet_context *context;
    const char *name, *line_start, *at;
    int line; /* from 1 */
    float *values;
    size_t capacity, count;
    int32_t width, rows, row_width; /* numbers of the first row, complete rows, numbers of this one so far */
    bool has_lines;                 /* then places are given as line and column */
} reader;

/* "line 2, column 5", or only the column in a text of one line. */
static const char *place(const reader *r, const char *at, char out[64])
{
    int column = (int)(at - r->line_start) + 1;
    if (r->has_lines)
        snprintf(out, 64, "line %d, column %d", r->line, column);
    else
        snprintf(out, 64, "column %d", column);
    return out;
}

static linnet_status fail_number(const reader *r)
{
    char where[64];
    int length = (int)strcspn(r->at, " \t\r\n,;#");
    return linnet_fail(r->context, LINNET_BAD_FILE, "%s: '%.*s' in row %d (%s) is no number", r->name,
                       length < SHOWN ? length : SHOWN, r->at, r->rows + 1, place(r, r->at, where));
}

static bool ends_number(char c)
{
    return c == '\0' || isspace((unsigned char)c) || c == ',' || c == ';' || c == '#';
}

/* A decimal number: strtod without hexadecimals, nan and inf. */
static bool read_decimal(const char *text, char **out_end, double *out)
{
    const char *digit = text + (*text == '-' || *text == '+');
    if (!isdigit((unsigned char)*digit) && *digit != '.')
        return false;
    if (digit[0] == '0' && tolower((unsigned char)digit[1]) == 'x')
        return false;
    *out = strtod(text, out_end);
    return *out_end != text;
}

/* A number or a fraction. */
static linnet_status read_number(reader *r)
{
    char *end;
    double number, below = 1;
    if (!read_decimal(r->at, &end, &number))
        return fail_number(r);
    if (*end == '/' && !read_decimal(end + 1, &end, &below))
        return fail_number(r);
    if (!ends_number(*end) || below == 0 || !isfinite((float)(number / below)))
        return fail_number(r);
    if (r->row_width == LINNET_KERNEL_MAX_SIDE || r->rows == LINNET_KERNEL_MAX_SIDE)
        return linnet_fail(r->context, LINNET_LIMIT, "%s: more than %d rows or numbers in a row", r->name,
                           LINNET_KERNEL_MAX_SIDE);
    if (!linnet_grow(&r->values, &r->capacity, r->count + 1, sizeof *r->values))
        return linnet_fail(r->context, LINNET_OUT_OF_MEMORY, "no memory for the kernel %s", r->name);
    r->values[r->count++] = (float)(number / below);
    r->row_width++;
    r->at = end;
    return LINNET_OK;
}

/* needed: an empty row is an error (between semicolons), not an empty line. */
static linnet_status end_row(reader *r, bool needed)
{
    char where[64];
    if (!r->row_width)
        return needed ? linnet_fail(r->context, LINNET_BAD_FILE, "%s: row %d (%s) is empty", r->name, r->rows + 1,
                                    place(r, r->at, where))
                      : LINNET_OK;
    if (!r->rows)
        r->width = r->row_width;
    if (r->row_width != r->width)
        return linnet_fail(r->context, LINNET_BAD_FILE, "%s: row %d (ends at %s) has %d number%s, the first has %d",
                           r->name, r->rows + 1, place(r, r->at, where), r->row_width, r->row_width == 1 ? "" : "s",
                           r->width);
    r->rows++;
    r->row_width = 0;
    return LINNET_OK;
}

/* A comma stands between two numbers of a row. */
static linnet_status read_comma(reader *r)
{
    char where[64];
    const char *next = r->at + 1 + strspn(r->at + 1, " \t\r");
    if (!r->row_width || *next == ',' || *next == ';' || *next == '\n' || *next == '\0')
        return linnet_fail(r->context, LINNET_BAD_FILE, "%s: a number is missing beside the comma in row %d (%s)",
                           r->name, r->rows + 1, place(r, r->at, where));
    r->at++;
    return LINNET_OK;
}

static linnet_status read_next(reader *r)
{
    linnet_status status = LINNET_OK;
    if (*r->at == ';') {
        status = end_row(r, true);
        r->at++;
    } else if (*r->at == '\n') {
        status = end_row(r, false);
        r->line_start = ++r->at;
        r->line++;
    } else if (*r->at == '#') {
        r->at += strcspn(r->at, "\n");
    } else if (*r->at == ',') {
        status = read_comma(r);
    } else if (isspace((unsigned char)*r->at)) {
        r->at++;
    } else {
        status = read_number(r);
    }
    return status;
}

linnet_kernel *linnet_kernel_parse(linnet_context *context, const char *text, const char *name)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    reader r = {.context = context, .name = name ? name : "kernel", .line_start = text, .at = text, .line = 1};
    linnet_status status = text ? LINNET_OK : linnet_fail(context, LINNET_INVALID, "%s: there is no text", r.name);
    r.has_lines = text && strchr(text, '\n');
    while (status == LINNET_OK && *r.at)
        status = read_next(&r);
    if (status == LINNET_OK)
        status = end_row(&r, false);
    if (status == LINNET_OK && !r.rows)
        status = linnet_fail(context, LINNET_BAD_FILE, "%s: there is no number in it", r.name);
    linnet_kernel *kernel = status == LINNET_OK ? linnet_kernel_new(context, r.rows, r.width, r.values) : NULL;
    linnet_release(r.values);
    return kernel;
}

linnet_kernel *linnet_kernel_read(linnet_context *context, const char *path)
{
    void *bytes = NULL;
    size_t size = 0;
    linnet_kernel *kernel = NULL;
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK ||
        linnet_file_read(context, path, MOST_BYTES, &bytes, &size) != LINNET_OK)
        return NULL;
    char *text = linnet_allocate(size + 1, 1);
    if (!text) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for %s", path);
    } else if (size && memchr(bytes, '\0', size)) {
        linnet_fail(context, LINNET_BAD_FILE, "%s: this is no text", path);
    } else {
        if (size)
            memcpy(text, bytes, size);
        kernel = linnet_kernel_parse(context, text, path);
    }
    linnet_release(text);
    linnet_release(bytes);
    return kernel;
}
