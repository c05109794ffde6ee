/* SPDX-License-Identifier: Apache-2.0 */
/* Which pictures lie in a folder of classes, before any of them is read. Internal. */
#ifndef LINNET_FOLDER_SCAN_H
#define LINNET_FOLDER_SCAN_H

#include "core/core.h"
#include "linnet/data.h"

/* Strings in a row. */
typedef struct linnet_names {
    char **items;
    size_t count, room;
} linnet_names;

void linnet_names_free(linnet_names *names);

typedef struct linnet_folder_picture {
    char *path;
    int32_t class_index;
    uint32_t rank; /* among the pictures of its class */
} linnet_folder_picture;

typedef struct linnet_folder_list {
    linnet_context *context;
    const char *folder; /* as it was named */
    char *real;         /* where it lies */
    linnet_names classes;
    linnet_folder_picture *pictures; /* the first of each class, the second of each, ... */
    size_t count, room;
    size_t left_out; /* symbolic links that lead out of the folder */
} linnet_folder_list;

/* The classes of a folder and the pictures of one part, or of the whole when there are no parts: as data.h says. To be
   freed after a failure, too. LINNET_NOT_FOUND: no such part, or no picture. */
linnet_status linnet_folder_scan(linnet_context *context, const char *folder, linnet_part part,
                                 linnet_folder_list *out_list);
void linnet_folder_list_free(linnet_folder_list *list);

#endif
