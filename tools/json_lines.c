/* SPDX-License-Identifier: Apache-2.0 */
#include "json_lines.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void json_line(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}

/* Names of drivers and files may be no UTF-8: then each byte stands for the Latin-1 character. */
static json_t *latin(const char *value)
{
    char text[2 * 1024 + 1], *to = text;
    for (size_t i = 0; value[i] && i < 1024; i++) {
        unsigned char byte = (unsigned char)value[i];
        if (byte < 0x80) {
            *to++ = (char)byte;
        } else {
            *to++ = (char)(0xC0 | byte >> 6);
            *to++ = (char)(0x80 | (byte & 0x3F));
        }
    }
    *to = '\0';
    return json_string(text);
}

void json_text(json_t *object, const char *key, const char *value)
{
    json_t *string = json_string(value);
    json_object_set_new(object, key, string ? string : latin(value));
}

void json_count(json_t *object, const char *key, long long value)
{
    json_object_set_new(object, key, json_integer(value));
}

void json_number(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, isfinite(value) ? json_real(value) : json_null());
}

void json_bool(json_t *object, const char *key, int value)
{
    json_object_set_new(object, key, json_boolean(value));
}
