/* SPDX-License-Identifier: Apache-2.0 */
#include "net_argument.h"

#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { START = 8 /* bytes in which a weight file has a NUL, and a text none */ };

/* The text of a file; NULL in *out_text when it is a weight file. */
static int read_text(const char *path, char **out_text)
{
    FILE *file = fopen(path, "rb");
    size_t room = LINNET_NETDEF_MAX_LENGTH + 2, size = 0;
    char *text = file ? calloc(room, 1) : NULL;
    if (!file)
        return cli_fail(EXIT_BAD_INPUT, "%s: %s", path, strerror(errno));
    if (text)
        size = fread(text, 1, room - 1, file);
    fclose(file);
    if (!text)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a net");
    *out_text = text;
    if (size < START || !memchr(text, 0, START)) {
        if (size > LINNET_NETDEF_MAX_LENGTH || strlen(text) != size)
            return cli_fail(EXIT_BAD_INPUT, "%s holds neither a net (of at most %d characters) nor weights", path,
                            LINNET_NETDEF_MAX_LENGTH);
        return EXIT_GO_ON;
    }
    free(text);
    *out_text = NULL;
    return EXIT_GO_ON;
}

/* A net's text is looked over now, so that what is wrong is said with the file's name. */
static int check_text(const char *path, const char *text)
{
    char *canonical = NULL;
    linnet_status status = linnet_netdef_canonical(NULL, text, &canonical);
    linnet_text_free(&canonical);
    if (status == LINNET_OK || status == LINNET_OUT_OF_MEMORY)
        return cli_check(status);
    return path ? cli_fail(EXIT_BAD_INPUT, "%s:%s", path, linnet_context_message(NULL))
                : cli_fail(EXIT_USAGE, "%s", linnet_context_message(NULL));
}

static bool ends_as_weights(const char *path)
{
    size_t length = strlen(path), end = strlen(".safetensors");
    return length >= end && strcmp(path + length - end, ".safetensors") == 0;
}

int net_argument(const char *argument, char **out_net)
{
    struct stat info;
    bool weights = ends_as_weights(argument), name = model_is_name(argument);
    bool file = !weights && !name && stat(argument, &info) == 0 && S_ISREG(info.st_mode); /* blanks or not */
    bool text = !weights && !file && linnet_netdef_is_text(argument);
    *out_net = NULL;
    if (file) {
        int code = read_text(argument, out_net);
        if (code == EXIT_GO_ON && *out_net)
            code = check_text(argument, *out_net);
        /* A single word would be taken for a name: a blank makes it a text. */
        if (code == EXIT_GO_ON && *out_net && !linnet_netdef_is_text(*out_net))
            strcat(*out_net, " ");
        return code;
    }
    if (weights || (!text && !name && (strchr(argument, '/') || strchr(argument, '.'))))
        return EXIT_GO_ON;
    *out_net = strdup(argument);
    if (!*out_net)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a name");
    return text ? check_text(NULL, argument) : EXIT_GO_ON;
}

int net_check_weights(const char *argument, const char *net, const char *weights)
{
    return net ? EXIT_GO_ON
               : cli_fail(EXIT_USAGE, "%s is a weight file itself: --weights %s is one too many", argument, weights);
}

void net_label(const char *net, char *out, size_t size)
{
    char *canonical = NULL;
    size_t used = 0;
    if (linnet_netdef_is_text(net) && linnet_netdef_canonical(NULL, net, &canonical) == LINNET_OK)
        net = canonical;
    bool text = linnet_netdef_is_text(net);
    for (; *net && used + 1 < size; net++) {
        bool plain = !text || (*net >= '0' && *net <= '9') || (*net >= 'a' && *net <= 'z') || *net == '.';
        if (plain)
            out[used++] = *net;
        else if (used && out[used - 1] != '-')
            out[used++] = '-';
    }
    while (used && out[used - 1] == '-')
        used--;
    out[used] = '\0';
    linnet_text_free(&canonical);
}

int net_check(linnet_status status, const char *net, bool from_file)
{
    int code = from_file ? cli_check_input(status) : cli_check(status);
    bool typed = net && (linnet_netdef_is_text(net) || !from_file) &&
                 (status == LINNET_SHAPE || status == LINNET_INVALID); /* the net itself, or a size asked for */
    return status == LINNET_NOT_FOUND || typed ? EXIT_USAGE : code;
}
