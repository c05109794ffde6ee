/* SPDX-License-Identifier: Apache-2.0 */
#include "folder_scan.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* Without parts, of each class this picture and every fifth one after it is for testing. */
enum { SPLIT_EVERY = 5, SPLIT_FIRST = 1 };

typedef enum entry_kind { ENTRY_FOLDER, ENTRY_PICTURE } entry_kind;

void linnet_names_free(linnet_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        linnet_release(names->items[i]);
    linnet_release(names->items);
    *names = (linnet_names){0};
}

void linnet_folder_list_free(linnet_folder_list *list)
{
    linnet_names_free(&list->classes);
    for (size_t i = 0; i < list->count; i++)
        linnet_release(list->pictures[i].path);
    linnet_release(list->pictures);
    linnet_release(list->real);
    *list = (linnet_folder_list){0};
}

static linnet_status no_memory(const linnet_folder_list *list)
{
    return linnet_fail(list->context, LINNET_OUT_OF_MEMORY, "%s: out of memory", list->folder);
}

/* ---- One folder's entries ---- */

static bool is_picture_name(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && (strcasecmp(end, ".png") == 0 || strcasecmp(end, ".jpg") == 0 || strcasecmp(end, ".jpeg") == 0);
}

/* Whether a path, links followed, lies in the folder. */
static bool lies_inside(const linnet_folder_list *list, const char *path)
{
    char *real = realpath(path, NULL);
    size_t length = strlen(list->real);
    bool inside =
        real && strncmp(real, list->real, length) == 0 && (real[length] == '/' || list->real[length - 1] == '/');
    free(real);
    return inside;
}

/* Whether path is a folder or a file of the wanted kind that may be looked at. */
static bool is_wanted(linnet_folder_list *list, const char *path, entry_kind kind)
{
    struct stat info;
    if (lstat(path, &info))
        return false;
    if (S_ISLNK(info.st_mode)) {
        if (!lies_inside(list, path)) {
            list->left_out++;
            return false;
        }
        if (stat(path, &info))
            return false;
    }
    return kind == ENTRY_FOLDER ? S_ISDIR(info.st_mode) : S_ISREG(info.st_mode);
}

static bool names_add(linnet_names *names, const char *name)
{
    char *copy = linnet_duplicate(name);
    if (!copy || !linnet_grow(&names->items, &names->room, names->count + 1, sizeof *names->items)) {
        linnet_release(copy);
        return false;
    }
    names->items[names->count++] = copy;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static linnet_status take_entry(linnet_folder_list *list, const char *folder, const char *name, entry_kind kind,
                                linnet_names *out_names)
{
    if (*name == '.' || (kind == ENTRY_PICTURE && !is_picture_name(name)))
        return LINNET_OK;
    char *path = linnet_format("%s/%s", folder, name);
    if (!path)
        return no_memory(list);
    bool wanted = is_wanted(list, path, kind);
    linnet_release(path);
    return !wanted || names_add(out_names, name) ? LINNET_OK : no_memory(list);
}

/* Adds the names of this kind in folder, sorted; hidden ones and links out of the list's folder are left out. */
static linnet_status list_folder(linnet_folder_list *list, const char *folder, entry_kind kind, linnet_names *out_names)
{
    DIR *stream = opendir(folder);
    if (!stream)
        return linnet_fail(list->context, LINNET_IO, "%s: %s", folder, strerror(errno));
    linnet_status status = LINNET_OK;
    struct dirent *entry;
    while (status == LINNET_OK && (errno = 0, entry = readdir(stream))) {
        status = take_entry(list, folder, entry->d_name, kind, out_names);
        if (status == LINNET_OK && out_names->count > LINNET_FOLDER_MAX_PICTURES)
            status = linnet_fail(list->context, LINNET_LIMIT, "%s: more than %d entries", folder,
                                 LINNET_FOLDER_MAX_PICTURES);
    }
    if (status == LINNET_OK && errno)
        status = linnet_fail(list->context, LINNET_IO, "%s: %s", folder, strerror(errno));
    closedir(stream);
    if (out_names->count)
        qsort(out_names->items, out_names->count, sizeof *out_names->items, compare_names);
    return status;
}

/* ---- Parts ---- */

typedef struct folder_parts {
    bool train, test, val; /* there is a folder called so, with folders in it */
} folder_parts;

static linnet_status look_for_part(linnet_folder_list *list, const char *name, bool *out_found)
{
    *out_found = false;
    char *path = linnet_format("%s/%s", list->folder, name);
    if (!path)
        return no_memory(list);
    linnet_names classes = {0};
    linnet_status status = LINNET_OK;
    size_t left_out = list->left_out;
    if (is_wanted(list, path, ENTRY_FOLDER))
        status = list_folder(list, path, ENTRY_FOLDER, &classes);
    *out_found = classes.count > 0;
    list->left_out = left_out; /* they are counted when the classes are */
    linnet_names_free(&classes);
    linnet_release(path);
    return status;
}

static linnet_status look_for_parts(linnet_folder_list *list, folder_parts *out_parts)
{
    linnet_status status = look_for_part(list, "train", &out_parts->train);
    if (status == LINNET_OK)
        status = look_for_part(list, "test", &out_parts->test);
    if (status == LINNET_OK)
        status = look_for_part(list, "val", &out_parts->val);
    return status;
}

/* ---- Classes ---- */

/* Sorted names without what comes twice. */
static void drop_doubles(linnet_names *names)
{
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++)
        if (kept && strcmp(names->items[kept - 1], names->items[i]) == 0)
            linnet_release(names->items[i]);
        else
            names->items[kept++] = names->items[i];
    names->count = kept;
}

/* The classes are those of all parts, so that each part numbers them alike. place: "" for the folder itself. */
static linnet_status add_classes(linnet_folder_list *list, const char *place)
{
    char *path = linnet_format("%s/%s", list->folder, place);
    if (!path)
        return no_memory(list);
    linnet_status status = list_folder(list, path, ENTRY_FOLDER, &list->classes);
    drop_doubles(&list->classes);
    if (status == LINNET_OK && list->classes.count > LINNET_FOLDER_MAX_CLASSES)
        status = linnet_fail(list->context, LINNET_LIMIT, "%s: more than %d folders, which would be classes", path,
                             LINNET_FOLDER_MAX_CLASSES);
    linnet_release(path);
    return status;
}

/* ---- Pictures ---- */

static linnet_status add_picture(linnet_folder_list *list, const char *folder, const char *name, int32_t class_index,
                                 uint32_t rank)
{
    if (list->count >= LINNET_FOLDER_MAX_PICTURES)
        return linnet_fail(list->context, LINNET_LIMIT, "%s: more than %d pictures", list->folder,
                           LINNET_FOLDER_MAX_PICTURES);
    char *path = linnet_format("%s/%s", folder, name);
    if (!path || !linnet_grow(&list->pictures, &list->room, list->count + 1, sizeof *list->pictures)) {
        linnet_release(path);
        return no_memory(list);
    }
    list->pictures[list->count++] = (linnet_folder_picture){path, class_index, rank};
    return LINNET_OK;
}

/* The pictures of one class folder: all of them, or those that the split gives to split_part. */
static linnet_status add_class(linnet_folder_list *list, const char *folder, int32_t class_index,
                               linnet_part split_part)
{
    linnet_names names = {0};
    linnet_status status = list_folder(list, folder, ENTRY_PICTURE, &names);
    uint32_t rank = 0;
    for (size_t i = 0; i < names.count && status == LINNET_OK; i++) {
        bool test = i % SPLIT_EVERY == SPLIT_FIRST;
        if (!split_part || test == (split_part == LINNET_PART_TEST))
            status = add_picture(list, folder, names.items[i], class_index, rank++);
    }
    linnet_names_free(&names);
    return status;
}

static linnet_status add_part(linnet_folder_list *list, const char *place, linnet_part split_part)
{
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < list->classes.count && status == LINNET_OK; i++) {
        char *path = linnet_format("%s/%s%s%s", list->folder, place, *place ? "/" : "", list->classes.items[i]);
        if (!path)
            return no_memory(list);
        if (is_wanted(list, path, ENTRY_FOLDER))
            status = add_class(list, path, (int32_t)i, split_part);
        linnet_release(path);
    }
    return status;
}

/* Class after class in turn: whoever takes only the first so many gets some of each. */
static int compare_pictures(const void *a, const void *b)
{
    const linnet_folder_picture *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->class_index < y->class_index ? -1 : x->class_index > y->class_index;
}

/* ---- All of it ---- */

static linnet_status scan_parts(linnet_folder_list *list, linnet_part part, const folder_parts *parts)
{
    static const char *const names[] = {"train", "test", "val"};
    const bool there[] = {parts->train, parts->test, parts->val};
    int wanted = part == LINNET_PART_TRAIN ? 0 : parts->test ? 1 : 2;
    if (!there[wanted])
        return linnet_fail(list->context, LINNET_NOT_FOUND, "%s: no folder %s with classes in it", list->folder,
                           part == LINNET_PART_TRAIN ? "train" : "test or val");
    linnet_status status = LINNET_OK;
    for (int i = 0; i < 3 && status == LINNET_OK; i++)
        if (there[i])
            status = add_classes(list, names[i]);
    return status == LINNET_OK ? add_part(list, names[wanted], (linnet_part)0) : status;
}

static linnet_status scan(linnet_folder_list *list, linnet_part part)
{
    folder_parts parts = {0};
    linnet_status status = look_for_parts(list, &parts);
    if (status != LINNET_OK)
        return status;
    if (parts.train || parts.test || parts.val)
        return scan_parts(list, part, &parts);
    status = add_classes(list, "");
    return status == LINNET_OK ? add_part(list, "", part) : status;
}

static linnet_status check_pictures(const linnet_folder_list *list, linnet_part part)
{
    if (!list->count && list->left_out)
        return linnet_fail(list->context, LINNET_NOT_FOUND,
                           "%s: no pictures: %zu symbolic links lead out of the folder and are not followed",
                           list->folder, list->left_out);
    if (!list->count)
        return linnet_fail(list->context, LINNET_NOT_FOUND, "%s: no pictures to %s (CLASS/PICTURE.png or .jpg)",
                           list->folder, part == LINNET_PART_TRAIN ? "train with" : "test with");
    if (list->left_out)
        linnet_log(list->context, LINNET_LOG_WARNING, "%s: %zu symbolic links lead out of the folder and are left out",
                   list->folder, list->left_out);
    return LINNET_OK;
}

linnet_status linnet_folder_scan(linnet_context *context, const char *folder, linnet_part part,
                                 linnet_folder_list *out_list)
{
    *out_list = (linnet_folder_list){.context = context, .folder = folder};
    char *real = realpath(folder, NULL);
    if (!real)
        return linnet_fail(context, errno == ENOMEM ? LINNET_OUT_OF_MEMORY : LINNET_IO, "%s: %s", folder,
                           strerror(errno));
    out_list->real = linnet_duplicate(real);
    free(real);
    linnet_status status = out_list->real ? scan(out_list, part) : no_memory(out_list);
    if (status == LINNET_OK)
        status = check_pictures(out_list, part);
    if (status == LINNET_OK)
        qsort(out_list->pictures, out_list->count, sizeof *out_list->pictures, compare_pictures);
    return status;
}
