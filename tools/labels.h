/* SPDX-License-Identifier: Apache-2.0 */
/* Names of classes from a text file, one a line in the order of the classes: "tench, Tinca tinca"; a WordNet number in
   front ("n01440764 tench, Tinca tinca") is left out. */
#ifndef LINNET_TOOLS_LABELS_H
#define LINNET_TOOLS_LABELS_H

#include "cli.h"

typedef struct labels {
    char **names; /* all that the line says */
    int32_t count;
} labels;

/* path NULL: no names. Returns EXIT_GO_ON or the exit code to leave with. */
int labels_open(const char *path, labels *out);
void labels_free(labels *l);
/* Where there are none yet: those that came with the network's weights, if any did. */
int labels_of_net(const linnet_net *net, labels *l);
/* The same with the names of the dataset's classes, unless they are but numbers. */
int labels_of_data(const linnet_dataset *data, labels *l);
/* Gives the network the names of the dataset's classes to take along, unless they are but numbers. */
int labels_note(linnet_net *net, const linnet_dataset *data);

#define LABEL_SIZE 96
/* The first name of the class, "tench"; its number where it has none. What no terminal should get from a file stands as
   '?'. */
const char *labels_name(const labels *l, int32_t class_index, char out[LABEL_SIZE]);
/* The class that text names: a number below classes, or one of the names between commas, in any case. -1: none. */
int32_t labels_find(const labels *l, const char *text, int32_t classes);

#endif
