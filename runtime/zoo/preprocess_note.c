/* SPDX-License-Identifier: Apache-2.0 */
/* How pictures are prepared, as weight files say it. */
#include "../core/text.h"
#include "zoo.h"

#include <string.h>

/* "(0.485, 0.456, 0.406)" anywhere in text; what follows it, or NULL. */
static const char *triple(const char *text, float out[3])
{
    for (const char *open = strchr(text, '('); open; open = strchr(open + 1, '(')) {
        const char *at = open + 1;
        for (int i = 0; i < 3 && at; i++) {
            double number;
            at += strspn(at, " ");
            at = linnet_text_decimal(at, &number);
            out[i] = (float)number;
            if (at && *at != (i < 2 ? ',' : ')'))
                at = NULL;
            else if (at)
                at++;
        }
        if (at)
            return at;
    }
    return NULL;
}

bool linnet_preprocess_parse(const char *note, linnet_preprocess *out)
{
    bool bgr = strncmp(note, "BGR", 3) == 0;
    if (!bgr && strncmp(note, "RGB", 3) != 0)
        return false;
    *out = (linnet_preprocess){.bgr = bgr, .scale = strstr(note, "0..255") ? 255 : 1};
    const char *rest = triple(note, out->mean);
    if (!rest)
        return strchr(note, '(') == NULL && (strstr(note, "0..1") || strstr(note, "0..255"));
    if (!strchr(rest, '('))
        return strstr(note, "0..255") || strstr(note, "x/255");
    rest = triple(rest, out->deviation);
    for (int i = 0; i < 3; i++)
        if (!(out->deviation[i] > 0))
            return false;
    return rest != NULL;
}
