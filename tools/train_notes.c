/* SPDX-License-Identifier: Apache-2.0 */
/* The settings in a checkpoint, read before there is a session to load it into. */
#include "train.h"

#include <string.h>

/* The note that save_checkpoint wrote; NULL: none. */
static json_t *find_notes(const linnet_safetensors *file)
{
    const char *key;
    for (size_t i = 0; (key = linnet_safetensors_metadata_key(file, i)); i++) {
        const char *text = linnet_safetensors_metadata(file, key);
        json_t *object = text && *text == '{' ? json_loads(text, 0, NULL) : NULL;
        if (json_integer_value(json_object_get(object, "linnet_train")) == 1)
            return object;
        json_decref(object);
    }
    return NULL;
}

int train_notes_read(const char *path, train_settings *out, history *out_history)
{
    linnet_safetensors *file = linnet_safetensors_read(NULL, path);
    if (!file)
        return cli_check_last_input();
    json_t *notes = find_notes(file);
    bool good = notes && train_settings_from_json(json_object_get(notes, "settings"), out) &&
                history_from_json(json_object_get(notes, "history"), out_history);
    json_decref(notes);
    linnet_safetensors_free(&file);
    return good ? EXIT_GO_ON : cli_fail(EXIT_BAD_INPUT, "%s is no checkpoint of linnet train", path);
}
