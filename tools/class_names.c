/* SPDX-License-Identifier: Apache-2.0 */
/* Names of classes that travel with the weights: the net's note "classes", a JSON list of texts. */
#include "labels.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#define NOTE "classes"

static bool is_number(const linnet_dataset *data, int32_t index)
{
    char number[16];
    snprintf(number, sizeof number, "%d", (int)index);
    return strcmp(linnet_dataset_class_name(data, index), number) == 0;
}

int labels_note(linnet_net *net, const linnet_dataset *data)
{
    json_t *names = json_array();
    bool numbers = true;
    for (int32_t i = 0; i < linnet_dataset_class_count(data); i++) {
        json_t *name = json_string(linnet_dataset_class_name(data, i)); /* NULL where it is no UTF-8 */
        json_array_append_new(names, name ? name : json_sprintf("%d", (int)i));
        numbers = numbers && is_number(data, i);
    }
    char *text = json_dumps(names, JSON_COMPACT);
    json_decref(names);
    int code = EXIT_GO_ON;
    if (!text)
        code = cli_fail(EXIT_NO_MEMORY, "no memory for the names of the classes");
    else if (!numbers)
        code = cli_check(linnet_net_set_note(net, NOTE, text));
    free(text);
    return code;
}

int labels_of_net(const linnet_net *net, labels *l)
{
    const char *text = linnet_net_note(net, NOTE);
    json_t *names = !l->count && text ? json_loads(text, 0, NULL) : NULL;
    size_t count = json_array_size(names); /* 0 for what is no list */
    int code = EXIT_GO_ON;
    l->names = count ? calloc(count, sizeof *l->names) : l->names;
    if (count && !l->names)
        code = cli_fail(EXIT_NO_MEMORY, "no memory for the names of the classes");
    for (size_t i = 0; i < count && code == EXIT_GO_ON; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        l->names[i] = strdup(name ? name : "");
        if (!l->names[i])
            code = cli_fail(EXIT_NO_MEMORY, "no memory for the names of the classes");
        else
            l->count++;
    }
    json_decref(names);
    return code;
}
