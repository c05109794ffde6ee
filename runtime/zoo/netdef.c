/* SPDX-License-Identifier: Apache-2.0 */
/* A net in a line: the public calls, and writing it down again. */
#include "../core/text.h"
#include "../graph/net.h"
#include "netdef.h"

#include <inttypes.h>
#include <string.h>

int linnet_netdef_is_text(const char *text)
{
    return text && strpbrk(text, " \t\r\n;") != NULL;
}

linnet_value linnet_netdef(linnet_net *net, linnet_value x, const char *text)
{
    netdef d;
    linnet_value scores, last = {0};
    if (linnet_net_check(net) != LINNET_OK)
        return last;
    linnet_status status = netdef_parse(net->context, text ? text : "", &d);
    if (status == LINNET_OK)
        last = netdef_build(&d, net, x, &scores);
    else
        linnet_net_fail(net, status, "%s", linnet_context_message(net->context));
    netdef_clear(&d);
    return last;
}

/* " k3" or " k3x5"; nothing where it is what is taken anyway. */
static void write_option(linnet_text *out, const netdef_layer *layer, int option)
{
    const int64_t *values = layer->options[option];
    bool is_pool = strchr(layer->kind->required, '1') != NULL;
    int64_t otherwise = option == NETDEF_P ? 0 : option == NETDEF_K ? -1 : 1;
    if (is_pool && option == NETDEF_S)
        otherwise = layer->number_count ? (int64_t)layer->numbers[0] : -1;
    if (!layer->given[option] || (values[0] == otherwise && values[1] == otherwise))
        return;
    linnet_text_append(out, " %c%" PRId64, NETDEF_LETTERS[option], values[0]);
    if (values[0] != values[1])
        linnet_text_append(out, "x%" PRId64, values[1]);
}

static void write_layer(linnet_text *out, const netdef_layer *layer)
{
    if (*layer->name)
        linnet_text_append(out, "%s: ", layer->name);
    linnet_text_append(out, "%s", layer->kind->keyword);
    for (uint32_t i = 0; i < layer->number_count; i++) {
        if (layer->kind->real)
            linnet_text_append(out, " %s", layer->written[i]);
        else
            linnet_text_append(out, " %" PRId64, (int64_t)layer->numbers[i]);
    }
    for (int option = 0; option < NETDEF_OPTIONS; option++)
        write_option(out, layer, option);
    if (layer->no_bias)
        linnet_text_append(out, " nb");
    if (layer->border)
        linnet_text_append(out, layer->border == LINNET_PAD_REFLECT ? " reflect" : " replicate");
}

/* "3x32x?" */
static void write_input(linnet_text *out, const netdef *d)
{
    for (int i = 0; i < 3; i++) {
        const char *separator = i ? "x" : "input ";
        if (d->input[i] == LINNET_FREE)
            linnet_text_append(out, "%s?", separator);
        else
            linnet_text_append(out, "%s%" PRId64, separator, d->input[i]);
    }
}

char *netdef_write(const netdef *d)
{
    linnet_text out = {0};
    if (d->has_input)
        write_input(&out, d);
    for (size_t i = 0; i < d->count; i++) {
        linnet_text_append(&out, "%s", i || d->has_input ? "; " : "");
        write_layer(&out, &d->layers[i]);
    }
    /* One layer without blanks would be taken for a name. */
    if (out.data && !linnet_netdef_is_text(out.data))
        linnet_text_append(&out, ";");
    return out.data;
}

linnet_status linnet_netdef_canonical(linnet_context *context, const char *text, char **out_text)
{
    netdef d;
    context = linnet_context_or_default(context);
    if (!text || !out_text)
        return linnet_fail(context, LINNET_INVALID, "a text and a place for its other form are needed");
    *out_text = NULL;
    linnet_status status = netdef_parse(context, text, &d);
    if (status == LINNET_OK)
        *out_text = netdef_write(&d);
    netdef_clear(&d);
    return status == LINNET_OK && !*out_text ? linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for a text")
                                             : status;
}
