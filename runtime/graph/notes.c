/* SPDX-License-Identifier: Apache-2.0 */
/* Notes of a net: texts by key that travel with its weights. */
#include "net.h"

#include <string.h>

static size_t find(const linnet_net *net, const char *key)
{
    size_t i = 0;
    while (i < net->note_count && strcmp(net->notes[i].key, key) != 0)
        i++;
    return i;
}

linnet_status linnet_net_set_note(linnet_net *net, const char *key, const char *value)
{
    if (!net || !key || !*key || !value)
        return linnet_fail(net ? net->context : NULL, LINNET_INVALID, "a note needs a net, a key and a text");
    size_t at = find(net, key);
    char *text = linnet_duplicate(value);
    char *name = at == net->note_count ? linnet_duplicate(key) : net->notes[at].key;
    if (!text || !name || !linnet_grow(&net->notes, &net->note_capacity, at + 1, sizeof *net->notes)) {
        linnet_release(text);
        if (at == net->note_count)
            linnet_release(name);
        return linnet_fail(net->context, LINNET_OUT_OF_MEMORY, "no memory for a note");
    }
    linnet_release(net->notes[at].text);
    net->notes[at] = (linnet_net_text){name, text};
    net->note_count += at == net->note_count;
    return LINNET_OK;
}

const char *linnet_net_note(const linnet_net *net, const char *key)
{
    size_t at = net && key ? find(net, key) : 0;
    return net && key && at < net->note_count ? net->notes[at].text : NULL;
}

void linnet_net_clear_notes(linnet_net *net)
{
    for (size_t i = 0; i < net->note_count; i++) {
        linnet_release(net->notes[i].key);
        linnet_release(net->notes[i].text);
    }
    linnet_release(net->notes);
}
