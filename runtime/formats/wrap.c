/* SPDX-License-Identifier: Apache-2.0 */
#include "wrap.h"

#include <string.h>

/* How many of the next letters make a line of at most room; sets *broken when that ends inside a word. */
static size_t line_length(const char *text, size_t room, bool *broken)
{
    size_t length = strcspn(text, "\n");
    if (length <= room)
        return length;
    for (size_t end = room; end > 0; end--)
        if (text[end] == ' ')
            return end;
    for (size_t end = room; end > room / 2; end--)
        if (strchr("/_-,.:=", text[end - 1]))
            return end;
    *broken = true;
    return room;
}

/* Puts ".." at the end of a line of at most room letters. */
static void shorten(char *line, size_t room)
{
    size_t length = strlen(line);
    size_t dots = room < 2 ? room : 2;
    length = length + dots <= room ? length : room - dots;
    while (length > 0 && line[length - 1] == ' ')
        length--;
    memcpy(line + length, "..", dots);
    line[length + dots] = '\0';
}

linnet_wrapped linnet_wrap(const char *text, size_t room, int most)
{
    linnet_wrapped out = {.count = 0};
    room = room < 1 ? 1 : room < LINNET_WRAP_LETTERS ? room : LINNET_WRAP_LETTERS;
    most = most < LINNET_WRAP_LINES ? most : LINNET_WRAP_LINES;
    while (text && *text && out.count < most) {
        size_t length = line_length(text, room, &out.word_broken);
        size_t kept = length;
        while (kept > 0 && text[kept - 1] == ' ')
            kept--;
        memcpy(out.lines[out.count], text, kept);
        out.lines[out.count++][kept] = '\0';
        text += length;
        if (*text == '\n')
            text++;
        else
            text += strspn(text, " ");
    }
    if (text && *text && out.count > 0) {
        shorten(out.lines[out.count - 1], room);
        out.shortened = true;
    }
    return out;
}
