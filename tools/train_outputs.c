/* SPDX-License-Identifier: Apache-2.0 */
#include "train.h"

#include "net_argument.h"
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX            ".safetensors"
#define CHECKPOINT        "checkpoint" SUFFIX
#define CHECKPOINT_SUFFIX ".checkpoint" SUFFIX

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

static char *join(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

static char *without_end(const char *text, const char *end, const char *instead)
{
    char *start = strndup(text, strlen(text) - strlen(end));
    char *whole = start ? join(start, instead, "") : NULL;
    free(start);
    return whole;
}

/* mkdir -p for the folder that path's last component lies in; for a path that ends in '/' all of it. */
static int make_folders(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a path");
    int code = EXIT_GO_ON;
    for (char *slash = strchr(copy + 1, '/'); slash && code == EXIT_GO_ON; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0777) && errno != EEXIST)
            code = cli_fail(EXIT_FAILED, "%s: %s", copy, strerror(errno));
        *slash = '/';
    }
    free(copy);
    return code;
}

static int check_folder(const char *folder)
{
    struct stat info;
    if (stat(folder, &info))
        return cli_fail(EXIT_FAILED, "%s: %s", folder, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return cli_fail(EXIT_FAILED, "%s is no folder; weights alone go to a file that ends in " SUFFIX, folder);
    if (access(folder, W_OK | X_OK))
        return cli_fail(EXIT_FAILED, "%s: %s", folder, strerror(errno));
    return EXIT_GO_ON;
}

/* Weights in one file, the checkpoint beside it. */
static int open_file(const char *path, train_outputs *out)
{
    out->weights = strdup(path);
    out->checkpoint = without_end(path, SUFFIX, CHECKPOINT_SUFFIX);
    if (!out->weights || !out->checkpoint)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a path");
    int code = make_folders(path);
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (code == EXIT_GO_ON)
        code = folder ? check_folder(folder) : cli_fail(EXIT_NO_MEMORY, "no memory for a path");
    free(folder);
    return code;
}

int train_make_folder(const char *folder)
{
    struct stat info;
    if (stat(folder, &info) == 0 && !S_ISDIR(info.st_mode))
        return cli_fail(EXIT_FAILED, "%s is no folder", folder);
    char *path = output_path(folder, "");
    int code = path ? make_folders(path) : cli_fail(EXIT_NO_MEMORY, "no memory for a path");
    free(path);
    return code == EXIT_GO_ON ? check_folder(folder) : code;
}

int train_outputs_open(const char *where, const char *net, train_outputs *out)
{
    char label[48];
    memset(out, 0, sizeof *out);
    net_label(net, label, sizeof label);
    if (!where)
        return EXIT_GO_ON;
    if (ends_with(where, SUFFIX))
        return open_file(where, out);
    char *folder = output_path(where, "");
    if (folder) {
        out->weights = join(folder, label, SUFFIX);
        out->checkpoint = output_path(folder, CHECKPOINT);
        out->curve = output_path(folder, "curve.svg");
        out->pictures = output_path(folder, "predictions.png");
    }
    int code = out->weights && out->checkpoint && out->curve && out->pictures
                   ? make_folders(folder)
                   : cli_fail(EXIT_NO_MEMORY, "no memory for a path");
    if (code == EXIT_GO_ON)
        code = check_folder(folder);
    free(folder);
    return code;
}

void train_outputs_close(train_outputs *o)
{
    free(o->weights);
    free(o->checkpoint);
    free(o->curve);
    free(o->pictures);
    memset(o, 0, sizeof *o);
}

int train_resume_paths(const char *resume, char **out_checkpoint, char **out_where)
{
    struct stat info;
    *out_where = NULL;
    if (stat(resume, &info) == 0 && S_ISDIR(info.st_mode)) {
        *out_checkpoint = output_path(resume, CHECKPOINT);
        *out_where = strdup(resume);
    } else {
        const char *slash = strrchr(resume, '/');
        *out_checkpoint = strdup(resume);
        if (strcmp(slash ? slash + 1 : resume, CHECKPOINT) == 0)
            *out_where = slash ? strndup(resume, (size_t)(slash - resume) + 1) : strdup(".");
        else if (ends_with(resume, CHECKPOINT_SUFFIX))
            *out_where = without_end(resume, CHECKPOINT_SUFFIX, SUFFIX);
    }
    return *out_checkpoint ? EXIT_GO_ON : cli_fail(EXIT_NO_MEMORY, "no memory for a path");
}
