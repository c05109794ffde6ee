/* SPDX-License-Identifier: Apache-2.0 */
/* A layer as linnet/verify.h writes it, as a net in a line (linnet/netdef.h): what can be tuned are the steps of nets.
 */
#include "bench.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "k3x5": a key and up to two numbers. */
typedef struct item {
    char key[8];
    long numbers[2];
    int count;
} item;

/* Layers that a net in a line has, too; their first number is that of the item called `first`. */
static const struct kind {
    const char *name, *word, *first;
} kinds[] = {{"conv2d", "conv", "oc"},
             {"local_conv2d", "local", "oc"},
             {"linear", "linear", "o"},
             {"max_pool2d", "maxpool", "k"},
             {"avg_pool2d", "avgpool", "k"}};

/* What is collected of a case. */
typedef struct layer {
    const struct kind *kind;
    long items, input[3]; /* images; channels, rows, columns */
    char first[32], options[128], behind[64];
} layer;

static const struct kind *find_kind(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, text, length) == 0)
            return &kinds[i];
    return NULL;
}

static bool append(char *out, size_t size, const char *before, const char *text)
{
    size_t length = strlen(out);
    return (size_t)snprintf(out + length, size - length, "%s%s", before, text) < size - length;
}

/* Moves *text behind an item; false: there is none. */
static bool read_item(const char **text, item *out)
{
    size_t length = strspn(*text, "abcdefghijklmnopqrstuvwxyz");
    char *end;
    *out = (item){.count = 0};
    if (length == 0 || length >= sizeof out->key)
        return false;
    memcpy(out->key, *text, length);
    for (*text += length; isdigit((unsigned char)**text) && out->count < 2; *text = end) {
        out->numbers[out->count++] = strtol(*text, &end, 10);
        if (*end == 'x' && isdigit((unsigned char)end[1]))
            end++;
    }
    return true;
}

static bool add_item(layer *l, const item *it)
{
    static const char *const shape = "chw";
    char text[64] = "";
    if (it->count > 0)
        snprintf(text, sizeof text, it->count > 1 ? "%ldx%ld" : "%ld", it->numbers[0], it->numbers[1]);
    const char *axis = strlen(it->key) == 1 ? strchr(shape, it->key[0]) : NULL;
    if (axis || strcmp(it->key, "i") == 0)
        l->input[axis ? axis - shape : 0] = it->numbers[0];
    else if (strcmp(it->key, "n") == 0)
        l->items = it->numbers[0];
    else if (strcmp(it->key, l->kind->first) == 0)
        return append(l->first, sizeof l->first, "", text);
    else
        return append(l->options, sizeof l->options, " ", it->key) && append(l->options, sizeof l->options, "", text);
    return it->count == 1;
}

static bool read_layer(const char *text, layer *out)
{
    item it;
    const char *colon = strchr(text, ':');
    *out = (layer){.kind = find_kind(text, (size_t)(colon - text)), .items = 1, .input = {1, 1, 1}};
    for (text = colon + 1; out->kind && *text && *text != '+';) {
        if (*text == '_')
            text++;
        else if (!read_item(&text, &it) || !add_item(out, &it))
            return false;
    }
    for (; out->kind && *text == '+'; text += 1 + strcspn(text + 1, "+")) {
        char name[32] = "";
        strncat(name, text + 1, strcspn(text + 1, "+") < 31 ? strcspn(text + 1, "+") : 31);
        if (!append(out->behind, sizeof out->behind, "; ", name))
            return false;
    }
    return out->kind && *out->first;
}

int tune_case_net(const char *text, int train, char *out, size_t size, int64_t *out_batch)
{
    layer l;
    if (!read_layer(text, &l))
        return cli_fail(EXIT_USAGE,
                        "%s: of single layers, conv2d, local_conv2d, linear, max_pool2d and avg_pool2d are tuned",
                        text);
    /* A layer with parameters before it, so that its input wants a gradient; classes behind it for a loss. */
    int length =
        snprintf(out, size, "input %ldx%ldx%ld; %s%s %s%s%s%s", l.input[0], l.input[1], l.input[2], train ? "bn; " : "",
                 l.kind->word, l.first, l.options, l.behind, train ? "; globalpool; linear 2" : "");
    *out_batch = l.items;
    if (length < 0 || (size_t)length >= size)
        return cli_fail(EXIT_USAGE, "%s: too long", text);
    return EXIT_GO_ON;
}
