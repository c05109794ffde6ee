/* SPDX-License-Identifier: Apache-2.0 */
#include "labels.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST_CLASSES    100000
#define WORDNET_LETTERS 9 /* n01440764 */

/* The name in a line, without what stands around it. */
static char *trim(char *line)
{
    size_t digits = *line == 'n' ? strspn(line + 1, "0123456789") : 0;
    if (digits == WORDNET_LETTERS - 1 && line[WORDNET_LETTERS] == ' ')
        line += WORDNET_LETTERS;
    while (isspace((unsigned char)*line))
        line++;
    size_t length = strlen(line);
    while (length && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';
    return line;
}

static int read_lines(FILE *file, const char *path, labels *out)
{
    char *line = NULL;
    size_t capacity = 0, room = 0;
    int code = EXIT_GO_ON;
    while (code == EXIT_GO_ON && getline(&line, &capacity, file) >= 0) {
        if ((size_t)out->count == room) {
            room = room ? 2 * room : 64;
            char **grown = realloc(out->names, room * sizeof *grown);
            if (!grown) {
                code = cli_fail(EXIT_NO_MEMORY, "no memory for the names in %s", path);
                break;
            }
            out->names = grown;
        }
        char *name = strdup(trim(line));
        if (!name)
            code = cli_fail(EXIT_NO_MEMORY, "no memory for the names in %s", path);
        else
            out->names[out->count++] = name;
        if (out->count == MOST_CLASSES)
            code = cli_fail(EXIT_BAD_INPUT, "%s: more than %d lines are no names of classes", path, MOST_CLASSES);
    }
    if (code == EXIT_GO_ON && ferror(file))
        code = cli_fail(EXIT_BAD_INPUT, "%s: %s", path, strerror(errno));
    free(line);
    return code;
}

int labels_open(const char *path, labels *out)
{
    *out = (labels){.names = NULL};
    if (!path)
        return EXIT_GO_ON;
    FILE *file = fopen(path, "re");
    if (!file)
        return cli_fail(EXIT_BAD_INPUT, "%s: %s", path, strerror(errno));
    int code = read_lines(file, path, out);
    fclose(file);
    return code == EXIT_GO_ON && !out->count ? cli_fail(EXIT_BAD_INPUT, "%s: there are no names in it", path) : code;
}

void labels_free(labels *l)
{
    for (int32_t i = 0; i < l->count; i++)
        free(l->names[i]);
    free(l->names);
    *l = (labels){.names = NULL};
}

const char *labels_name(const labels *l, int32_t class_index, char out[LABEL_SIZE])
{
    if (class_index < 0 || class_index >= l->count || !*l->names[class_index])
        snprintf(out, LABEL_SIZE, "%d", class_index);
    else
        snprintf(out, LABEL_SIZE, "%.*s", (int)strcspn(l->names[class_index], ","), l->names[class_index]);
    for (char *c = out; *c; c++)
        *c = iscntrl((unsigned char)*c) ? '?' : *c;
    return out;
}

/* Whether text is one of the names between commas. */
static bool is_among(const char *names, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = names; *at;) {
        at += strspn(at, ", ");
        size_t here = strcspn(at, ",");
        if (here == length && strncasecmp(at, text, length) == 0)
            return true;
        at += here;
    }
    return false;
}

int32_t labels_find(const labels *l, const char *text, int32_t classes)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end != text && !*end)
        return number >= 0 && number < classes ? (int32_t)number : -1;
    for (int32_t i = 0; *text && i < l->count && i < classes; i++)
        if (is_among(l->names[i], text))
            return i;
    return -1;
}
