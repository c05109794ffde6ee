/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and tables as people read them. */
#ifndef LINNET_TOOLS_TEXT_H
#define LINNET_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_SIZE 32 /* enough for every one of these */

/* "61,706" */
const char *text_count(char out[TEXT_SIZE], uint64_t number);
/* "6.1" */
const char *text_tenths(char out[TEXT_SIZE], double number);
/* "61.7 k", "1.23 G": three digits, powers of 1000 */
const char *text_short(char out[TEXT_SIZE], double number);
/* "512 B", "1.2 MiB" */
const char *text_bytes(char out[TEXT_SIZE], uint64_t bytes);
/* "0:07", "1:02:03" */
const char *text_clock(char out[TEXT_SIZE], double seconds);
/* "97.42 %" */
const char *text_percent(char out[TEXT_SIZE], double fraction);

/* Whether colours, bars and the like belong on this stream: a terminal, and neither NO_COLOR nor TERM=dumb. */
bool text_colour(FILE *stream);
/* Whether the terminal shows UTF-8. */
bool text_utf8(void);
/* Columns that text takes, one a code point. */
size_t text_width(const char *text);

/* Seconds on a clock that never goes back. */
double text_now(void);

/* ---- Tables: cells are copied; printed with the columns as wide as their widest cell. ---- */

#define TABLE_COLUMNS 12

typedef struct table {
    size_t columns, rows, capacity;
    const char *headings[TABLE_COLUMNS];
    bool right[TABLE_COLUMNS]; /* numbers */
    char **cells;
} table;

/* headings: one a column, starting with '>' where the column is flush right. NULL behind the last. */
void table_start(table *t, const char *const *headings);
/* One row: as many strings as there are columns. What does not fit into memory is left out. */
void table_row(table *t, const char *const *cells);
/* A rule across the table before the next row. */
void table_rule(table *t);
/* Prints to stdout, indented by so many blanks, and forgets all rows. */
void table_print(table *t, int indent);

#endif
