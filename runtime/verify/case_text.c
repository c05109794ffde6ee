/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a case's text: keys with their numbers, names of operators. */
#include "case.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool linnet_case_item_read(const char **text, linnet_case_item *out)
{
    const char *p = *text;
    *out = (linnet_case_item){0};
    for (size_t i = 0; *p >= 'a' && *p <= 'z'; i++, p++) {
        if (i + 1 >= sizeof out->key)
            return false;
        out->key[i] = *p;
    }
    if (!out->key[0])
        return false;
    while (isdigit((unsigned char)*p) || *p == '-') {
        char number[24], *end;
        size_t length = strspn(p, "-.0123456789");
        if (length >= sizeof number || out->count == LINNET_MAX_RANK)
            return false;
        memcpy(number, p, length);
        number[length] = '\0';
        double value = strtod(number, &end);
        if (*end || value > 1e9 || value < -1e9)
            return false;
        out->values[out->count++] = value;
        p += length;
        if (*p != 'x' || !(isdigit((unsigned char)p[1]) || p[1] == '-'))
            break;
        p++;
    }
    *text = p;
    return true;
}

uint32_t linnet_case_operator_read(const char **text, const char *const *names, uint32_t count)
{
    uint32_t best = 0;
    size_t best_length = 0;
    for (uint32_t i = 1; i < count; i++) {
        size_t length = names[i] ? strlen(names[i]) : 0;
        char behind = length && strncmp(*text, names[i], length) == 0 ? (*text)[length] : 'z';
        if ((behind == '\0' || behind == '_' || behind == '+') && length > best_length) {
            best = i;
            best_length = length;
        }
    }
    *text += best_length;
    return best;
}
