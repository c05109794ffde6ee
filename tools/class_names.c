/* SPDX-License-Identifier: Apache-2.0 */
/* Names of classes that come with data, and travel with the weights: the net's note "classes", a JSON list of texts. */
#include "labels.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#define NOTE "classes"

static int no_memory(void)
{
    return cli_fail(EXIT_NO_MEMORY, "no memory for the names of the classes");
}

static bool is_number(const linnet_dataset *data, int32_t index)
{
    char number[16];
    snprintf(number, sizeof number, "%d", (int)index);
    return strcmp(linnet_dataset_class_name(data, index), number) == 0;
}

/* Whether the classes have names. */
static bool are_named(const linnet_dataset *data)
{
    for (int32_t i = 0; i < linnet_dataset_class_count(data); i++)
        if (!is_number(data, i))
            return true;
    return false;
}

int labels_note(linnet_net *net, const linnet_dataset *data)
{
    if (!are_named(data))
        return EXIT_GO_ON;
    json_t *names = json_array();
    for (int32_t i = 0; i < linnet_dataset_class_count(data); i++) {
        json_t *name = json_string(linnet_dataset_class_name(data, i)); /* NULL where it is no UTF-8 */
        json_array_append_new(names, name ? name : json_sprintf("%d", (int)i));
    }
    char *text = json_dumps(names, JSON_COMPACT);
    json_decref(names);
    int code = text ? cli_check(linnet_net_set_note(net, NOTE, text)) : no_memory();
    free(text);
    return code;
}

/* Room for count names; no names are there yet. */
static int make_room(labels *l, size_t count)
{
    l->names = count ? calloc(count, sizeof *l->names) : NULL;
    return l->names || !count ? EXIT_GO_ON : no_memory();
}

static int add(labels *l, const char *name)
{
    l->names[l->count] = strdup(name ? name : "");
    if (!l->names[l->count])
        return no_memory();
    l->count++;
    return EXIT_GO_ON;
}

int labels_of_net(const linnet_net *net, labels *l)
{
    const char *text = linnet_net_note(net, NOTE);
    json_t *names = !l->count && text ? json_loads(text, 0, NULL) : NULL;
    size_t count = json_array_size(names); /* 0 for what is no list */
    int code = count ? make_room(l, count) : EXIT_GO_ON;
    for (size_t i = 0; i < count && code == EXIT_GO_ON; i++)
        code = add(l, json_string_value(json_array_get(names, i)));
    json_decref(names);
    return code;
}

int labels_of_data(const linnet_dataset *data, labels *l)
{
    if (l->count || !are_named(data))
        return EXIT_GO_ON;
    int code = make_room(l, (size_t)linnet_dataset_class_count(data));
    for (int32_t i = 0; i < linnet_dataset_class_count(data) && code == EXIT_GO_ON; i++)
        code = add(l, linnet_dataset_class_name(data, i));
    return code;
}
