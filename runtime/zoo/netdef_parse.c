/* SPDX-License-Identifier: Apache-2.0 */
/* From text to statements. Everything that a text can get wrong by itself is found here; shapes are the builder's. */
#include "../core/text.h"
#include "netdef.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 72 /* columns of a line that messages show */ };

typedef struct parser {
    netdef *d;
    const char *text;
    size_t at;
    linnet_status status;
} parser;

/* A word: everything up to a blank or a separator. */
typedef struct token {
    size_t at, length;
    char word[NETDEF_NAME + 1]; /* cut; length tells */
} token;

/* ---- Messages ---- */

/* Columns [from, ...) of the line that starts at start, as printable ASCII, and the caret's line. */
static void show(const char *text, size_t start, size_t column, char out[2 * SHOWN + 16])
{
    size_t from = column > SHOWN - 12 ? column - (SHOWN - 12) : 0;
    char line[SHOWN + 1];
    size_t length = 0;
    for (const char *c = text + start + from; *c && *c != '\n' && length < SHOWN; c++)
        line[length++] = *c >= 0x20 && *c < 0x7F ? *c : *c == '\t' ? ' ' : '?';
    while (length && line[length - 1] == ' ')
        length--;
    line[length] = '\0';
    snprintf(out, 2 * SHOWN + 16, "\n  %s\n  %*s^", line, (int)(column - from), "");
}

linnet_status netdef_fail(const netdef *d, linnet_status status, size_t at, const char *format, ...)
{
    char sentence[600], where[2 * SHOWN + 16];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    size_t line = 1, start = 0;
    for (size_t i = 0; i < at; i++)
        if (d->text[i] == '\n') {
            line++;
            start = i + 1;
        }
    show(d->text, start, at - start, where);
    return linnet_fail(d->context, status, "%zu:%zu: %s%s", line, at - start + 1, sentence, where);
}

#define wrong(p, where, ...) ((p)->status = netdef_fail((p)->d, LINNET_INVALID, where, __VA_ARGS__), false)

/* ---- Tokens ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == ',';
}

static bool is_separator(char c)
{
    return c == ';' || c == '\n' || c == '\0' || c == '#';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The next word of the statement; false at its end. A ':' ends a word and belongs to it. */
static bool next(parser *p, token *out)
{
    while (is_blank(p->text[p->at]))
        p->at++;
    *out = (token){.at = p->at};
    while (!is_blank(p->text[p->at]) && !is_separator(p->text[p->at])) {
        char c = p->text[p->at++];
        if (out->length < NETDEF_NAME)
            out->word[out->length] = c;
        out->length++;
        if (c == ':')
            break;
    }
    return out->length > 0;
}

/* Past the end of the statement. */
static void end_statement(parser *p)
{
    if (p->text[p->at] == '#')
        while (p->text[p->at] && p->text[p->at] != '\n')
            p->at++;
    p->at += p->text[p->at] != '\0';
}

/* ---- Numbers ---- */

/* A whole number at *text, moving it on; false when there is none or it is far too large. */
static bool whole(const char **text, int64_t *out)
{
    const char *start = *text;
    for (*out = 0; is_digit(**text); ++*text)
        if ((*out = 10 * *out + (**text - '0')) > INT32_MAX)
            return false;
    return *text != start;
}

static bool take_number(parser *p, netdef_layer *layer, const token *t)
{
    const netdef_kind *kind = layer->kind;
    const char *end = NULL, *word = t->word;
    double number = 0;
    if (layer->number_count == kind->most)
        return kind->most ? wrong(p, t->at, "one number too many: %s wants %s", kind->keyword, kind->numbers)
                          : wrong(p, t->at, "%s takes no numbers", kind->keyword);
    if (kind->real) {
        end = linnet_text_decimal(word, &number);
    } else {
        int64_t integer;
        end = whole(&word, &integer) ? word : NULL;
        number = (double)integer;
    }
    if (!end || *end || t->length >= NETDEF_TOKEN)
        return wrong(p, t->at, "'%s' is no %snumber", t->word, kind->real ? "" : "whole ");
    if (!(number >= kind->low && number <= kind->high))
        return wrong(p, t->at, "'%s' is out of range: %s, %g to %g", t->word, kind->numbers, kind->low, kind->high);
    memcpy(layer->written[layer->number_count], t->word, t->length + 1);
    layer->numbers[layer->number_count++] = number;
    return true;
}

/* "k3" or "k3x5" */
static bool take_option(parser *p, netdef_layer *layer, const token *t)
{
    const char *letter = strchr(NETDEF_LETTERS, t->word[0]), *at = t->word + 1;
    size_t option = (size_t)(letter - NETDEF_LETTERS);
    int64_t *values = layer->options[option], low = option == NETDEF_P ? 0 : 1;
    if (layer->given[option])
        return wrong(p, t->at, "'%c' is given twice", *letter);
    bool good = whole(&at, &values[0]);
    values[1] = values[0];
    if (good && *at == 'x' && option != NETDEF_G) {
        at++;
        good = whole(&at, &values[1]);
    }
    if (!good || *at || t->length > NETDEF_NAME)
        return wrong(p, t->at, "'%c' wants a number", *letter);
    int64_t high = option == NETDEF_G ? 1 << 24 : 4096;
    for (int i = 0; i < 2; i++)
        if (values[i] < low || values[i] > high)
            return wrong(p, t->at, "'%c' is %" PRId64 ", wants %" PRId64 " to %" PRId64, *letter, values[i], low, high);
    layer->given[option] = true;
    return true;
}

/* "k, s, p, d, g, nb" */
static const char *option_list(const netdef_kind *kind, char out[64])
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *letter = kind->options; *letter; letter++) {
        char one[2] = {*letter, '\0'};
        const char *word = *letter == 'n' ? "nb" : *letter == 'r' ? "reflect, replicate" : one;
        used += (size_t)snprintf(out + used, 64 - used, "%s%s", used ? ", " : "", word);
    }
    return out;
}

/* "nb", "reflect", "replicate": true when it was one and the layer has it. */
static bool take_word(netdef_layer *layer, const char *word)
{
    const char *options = layer->kind->options;
    bool reflect = strcmp(word, "reflect") == 0, replicate = strcmp(word, "replicate") == 0;
    if (strchr(options, 'n') && strcmp(word, "nb") == 0)
        return layer->no_bias = true;
    if (strchr(options, 'r') && (reflect || replicate))
        layer->border = reflect ? LINNET_PAD_REFLECT : LINNET_PAD_REPLICATE;
    return strchr(options, 'r') && (reflect || replicate);
}

static bool take_argument(parser *p, netdef_layer *layer, const token *t)
{
    const netdef_kind *kind = layer->kind;
    char list[64];
    if (!is_letter(t->word[0]))
        return take_number(p, layer, t);
    if (take_word(layer, t->word))
        return true;
    if (strchr(NETDEF_LETTERS, t->word[0]) && strchr(kind->options, t->word[0]) && !is_letter(t->word[1]))
        return take_option(p, layer, t);
    return *kind->options
               ? wrong(p, t->at, "%s has no option '%s'; it has %s", kind->keyword, t->word, option_list(kind, list))
               : wrong(p, t->at, "%s has no option '%s'", kind->keyword, t->word);
}

/* ---- Statements ---- */

/* input CxHxW */
static bool take_input(parser *p, const token *keyword)
{
    token t, more;
    netdef *d = p->d;
    if (d->count || d->has_input)
        return wrong(p, keyword->at, "'input' comes first, and once");
    if (!next(p, &t))
        return wrong(p, keyword->at, "input wants channels x height x width, as in 'input 3x32x32'");
    const char *at = t.word;
    for (int i = 0; i < 3; i++) {
        bool good = true;
        if (i && *at == '?') {
            d->input[i] = LINNET_FREE;
            at++;
        } else {
            good = whole(&at, &d->input[i]) && d->input[i] > 0;
        }
        if (!good || *at != (i < 2 ? 'x' : '\0') || t.length > NETDEF_NAME)
            return wrong(p, t.at, "'%s' is no picture: channels x height x width, as in 3x32x32", t.word);
        at++;
    }
    if (next(p, &more))
        return wrong(p, more.at, "'%s' does not belong here", more.word);
    d->has_input = true;
    d->input_at = t.at;
    return true;
}

/* A word that ends with ':' names the layer; takes the word behind it. */
static bool take_name(parser *p, netdef_layer *layer, token *t)
{
    if (t->length > NETDEF_NAME)
        return wrong(p, t->at, "'%.20s...' is too long for a word", t->word);
    if (t->word[t->length - 1] != ':')
        return true;
    for (size_t i = 0; i + 1 < t->length; i++)
        if (!is_letter(t->word[i]) && !(i && (is_digit(t->word[i]) || strchr(".-", t->word[i]))))
            return wrong(p, t->at, "'%.*s' is no name: letters, then digits, too", (int)t->length - 1, t->word);
    if (t->length == 1)
        return wrong(p, t->at, "a name is missing in front of ':'");
    memcpy(layer->name, t->word, t->length - 1);
    size_t end = t->at;
    return next(p, t) || wrong(p, end, "a layer is missing behind '%s:'", layer->name);
}

static bool unknown(parser *p, const token *t)
{
    char list[400];
    size_t used = 0;
    const netdef_kind *kind;
    for (size_t i = 0; (kind = netdef_kind_at(i)) && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", kind->keyword);
    return wrong(p, t->at, "there is no layer '%s'; there are: %s", t->word, list);
}

/* Numbers and options that have to be there. */
static bool check_complete(parser *p, const netdef_layer *layer, size_t at)
{
    const netdef_kind *kind = layer->kind;
    if (layer->number_count < kind->least && !(strchr(kind->required, '1') && layer->given[NETDEF_K]))
        return wrong(p, at, "%s wants %s", kind->keyword, kind->numbers);
    if (kind->most == 4 && (layer->number_count == 2 || layer->number_count == 3))
        return wrong(p, at, "%s wants %s", kind->keyword, kind->numbers);
    for (const char *letter = kind->required; *letter; letter++)
        if (*letter != '1' && !layer->given[strchr(NETDEF_LETTERS, *letter) - NETDEF_LETTERS])
            return wrong(p, at, "%s wants %c and a number, as in '%c3'", kind->keyword, *letter, *letter);
    if (strchr(kind->required, '1') && layer->number_count && layer->given[NETDEF_K])
        return wrong(p, at, "the kernel is given twice");
    return true;
}

static bool statement(parser *p)
{
    netdef *d = p->d;
    netdef_layer layer = {.kind = NULL};
    token t;
    if (!next(p, &t))
        return true;
    if (strcmp(t.word, "input") == 0)
        return take_input(p, &t);
    layer.at = t.at;
    if (!take_name(p, &layer, &t))
        return false;
    size_t keyword = t.at;
    layer.kind = netdef_kind_find(t.word);
    if (!layer.kind)
        return unknown(p, &t);
    while (next(p, &t))
        if (!take_argument(p, &layer, &t))
            return false;
    if (!check_complete(p, &layer, keyword))
        return false;
    if (d->count >= LINNET_NETDEF_MAX_LAYERS) {
        p->status = netdef_fail(d, LINNET_LIMIT, keyword, "more than %d layers", LINNET_NETDEF_MAX_LAYERS);
        return false;
    }
    if (!linnet_grow(&d->layers, &d->capacity, d->count + 1, sizeof *d->layers)) {
        p->status = linnet_fail(d->context, LINNET_OUT_OF_MEMORY, "no memory for a net");
        return false;
    }
    d->layers[d->count++] = layer;
    return true;
}

linnet_status netdef_parse(linnet_context *context, const char *text, netdef *out)
{
    *out = (netdef){.context = context, .text = text};
    parser p = {.d = out, .text = text};
    if (strlen(text) > LINNET_NETDEF_MAX_LENGTH)
        return linnet_fail(context, LINNET_LIMIT, "a net in a line has at most %d characters, this one has %zu",
                           LINNET_NETDEF_MAX_LENGTH, strlen(text));
    while (text[p.at]) {
        if (!statement(&p))
            return p.status;
        end_statement(&p);
    }
    if (!out->count)
        return netdef_fail(out, LINNET_INVALID, 0, "the net has no layers");
    return LINNET_OK;
}

void netdef_clear(netdef *d)
{
    linnet_release(d->layers);
    *d = (netdef){.context = NULL};
}
