/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>

void linnet_text_append(linnet_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int needed = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (text->failed || needed < 0 ||
        !linnet_grow(&text->data, &text->capacity, text->length + (size_t)needed + 1, 1)) {
        linnet_release(text->data);
        *text = (linnet_text){.failed = true};
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->length, (size_t)needed + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)needed;
}

void linnet_text_append_json(linnet_text *text, const char *string)
{
    linnet_text_append(text, "\"");
    for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
        if (*c == '"' || *c == '\\')
            linnet_text_append(text, "\\%c", *c);
        else if (*c < 0x20)
            linnet_text_append(text, "\\u%04x", *c);
        else
            linnet_text_append(text, "%c", *c);
    }
    linnet_text_append(text, "\"");
}

const char *linnet_text_decimal(const char *text, double *out_number)
{
    double sign = *text == '-' ? -1 : 1, number = 0, unit = 1;
    int digits = 0;
    text += *text == '-';
    for (; *text >= '0' && *text <= '9'; text++, digits++)
        number = 10 * number + (*text - '0');
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++, digits++)
            number += (unit /= 10) * (*text - '0');
    *out_number = sign * number;
    return digits && digits < 300 ? text : NULL;
}
