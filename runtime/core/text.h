/* SPDX-License-Identifier: Apache-2.0 */
/* A growing string. Errors stick: after one failed allocation text is NULL and stays so. Internal. */
#ifndef LINNET_CORE_TEXT_H
#define LINNET_CORE_TEXT_H

#include "core.h"

typedef struct linnet_text {
    char *data; /* NUL-terminated; NULL while empty or after a failure */
    size_t length, capacity;
    bool failed;
} linnet_text;

void linnet_text_append(linnet_text *text, const char *format, ...) LINNET_PRINTF(2, 3);
/* As a JSON string with its quotes, escapes where needed. */
void linnet_text_append_json(linnet_text *text, const char *string);

/* Reads a decimal number ("-0.485", "3", ".5") whatever the locale; NULL when there is none, else what follows it. */
const char *linnet_text_decimal(const char *text, double *out_number);

#endif
