/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines on stdout: one object a line, members in the order they were set. */
#ifndef LINNET_TOOLS_JSON_LINES_H
#define LINNET_TOOLS_JSON_LINES_H

#include <jansson.h>

/* Prints the object as one line, flushes, and drops it. Numbers that are not finite were left out by json_number. */
void json_line(json_t *object);

/* Sets members; a failing allocation leaves the member out. */
void json_text(json_t *object, const char *key, const char *value);
void json_count(json_t *object, const char *key, long long value);
void json_number(json_t *object, const char *key, double value); /* null when not finite */
void json_bool(json_t *object, const char *key, int value);

#endif
