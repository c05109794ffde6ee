/* SPDX-License-Identifier: Apache-2.0 */
/* The state file of `linnet style`. */
#include "style.h"

#include "json_lines.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT          "linnet-style-1"
#define MOST_ITERATIONS 1000000

typedef struct text_member {
    const char *key;
    size_t offset;
} text_member;
#define TEXT(name)                                                                                                     \
    {                                                                                                                  \
#name, offsetof(style_settings, name)                                                                          \
    }
static const text_member texts[] = {TEXT(content), TEXT(style),  TEXT(model),
                                    TEXT(weights), TEXT(layers), TEXT(content_layers)};
static const text_member integers[] = {TEXT(size), TEXT(style_size), TEXT(seed), TEXT(iterations), TEXT(every)};
static const text_member numbers[] = {TEXT(content_weight), TEXT(style_weight), TEXT(tv_weight), TEXT(noise),
                                      TEXT(rate)};
static const text_member flags[] = {TEXT(absolute), TEXT(average_pooling), TEXT(method)};

#define FOR_EACH(table)                for (size_t i = 0; i < sizeof(table) / sizeof(table)[0]; i++)
#define MEMBER(type, settings, member) ((type *)(void *)((char *)(settings) + (member).offset))

static json_t *settings_json(const style_settings *settings)
{
    style_settings copy = *settings;
    json_t *object = json_object();
    FOR_EACH(texts)
    if (*MEMBER(const char *, &copy, texts[i]))
        json_text(object, texts[i].key, *MEMBER(const char *, &copy, texts[i]));
    FOR_EACH(integers)
    json_count(object, integers[i].key, *MEMBER(int64_t, &copy, integers[i]));
    FOR_EACH(numbers)
    json_number(object, numbers[i].key, *MEMBER(double, &copy, numbers[i]));
    FOR_EACH(flags)
    json_count(object, flags[i].key, *MEMBER(int, &copy, flags[i]));
    return object;
}

static void settings_from_json(json_t *object, style_settings *out)
{
    *out = (style_settings){.content = NULL};
    FOR_EACH(texts)
    *MEMBER(const char *, out, texts[i]) = json_string_value(json_object_get(object, texts[i].key));
    FOR_EACH(integers)
    *MEMBER(int64_t, out, integers[i]) = json_integer_value(json_object_get(object, integers[i].key));
    FOR_EACH(numbers)
    *MEMBER(double, out, numbers[i]) = json_number_value(json_object_get(object, numbers[i].key));
    FOR_EACH(flags)
    *MEMBER(int, out, flags[i]) = (int)json_integer_value(json_object_get(object, flags[i].key));
}

int style_state_save(const char *path, const style_settings *settings, const descent *d)
{
    char done[32];
    linnet_tensor moments = {
        LINNET_F32, 4, {2, d->picture.dims[0], d->picture.dims[1], d->picture.dims[2]}, d->moments};
    linnet_tensor losses = {LINNET_F64, 2, {(int64_t)d->done + 1, (int64_t)d->terms + 1}, d->losses};
    const linnet_named_tensor tensors[] = {{"picture", d->picture}, {"moments", moments}, {"losses", losses}};
    json_t *object = settings_json(settings);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(object);
    if (!text)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a state file");
    snprintf(done, sizeof done, "%llu", (unsigned long long)d->done);
    const linnet_metadata notes[] = {{"format", FORMAT}, {"iterations", done}, {"settings", text}};
    int code = cli_check(linnet_safetensors_write(NULL, path, tensors, 3, notes, 3));
    free(text);
    return code;
}

/* Opens the file and reads the notes; *out_file NULL on failure. */
static int open_state(const char *path, linnet_safetensors **out_file, int64_t *out_done, json_t **out_settings)
{
    *out_settings = NULL;
    *out_file = linnet_safetensors_read(NULL, path);
    if (!*out_file)
        return cli_check_last_input();
    const char *format = linnet_safetensors_metadata(*out_file, "format");
    const char *done = linnet_safetensors_metadata(*out_file, "iterations");
    const char *text = linnet_safetensors_metadata(*out_file, "settings");
    char *end = NULL;
    *out_done = done ? strtoll(done, &end, 10) : -1;
    *out_settings = text ? json_loads(text, 0, NULL) : NULL;
    if (format && strcmp(format, FORMAT) == 0 && end && !*end && *out_done >= 0 && json_is_object(*out_settings))
        return EXIT_GO_ON;
    linnet_safetensors_free(out_file);
    json_decref(*out_settings);
    *out_settings = NULL;
    return cli_fail(EXIT_BAD_INPUT, "%s is no state of linnet style", path);
}

int style_state_settings(const char *path, style_settings *out, int64_t *out_done, json_t **out_settings_json)
{
    linnet_safetensors *file;
    int code = open_state(path, &file, out_done, out_settings_json);
    linnet_safetensors_free(&file);
    if (code != EXIT_GO_ON)
        return code;
    settings_from_json(*out_settings_json, out);
    bool sane = (out->content || out->style) && out->size > 0 && out->size <= OPTION_MOST_PIXELS &&
                out->style_size >= 0 && out->style_size <= OPTION_MOST_PIXELS && out->method >= 0 && out->method <= 2 &&
                out->iterations >= 0 && out->iterations <= MOST_ITERATIONS && out->every >= 0;
    return sane ? EXIT_GO_ON : cli_fail(EXIT_BAD_INPUT, "%s: its settings make no sense", path);
}

static bool take(const linnet_safetensors *file, const char *name, linnet_type type, int64_t count, void *out)
{
    linnet_tensor tensor;
    if (linnet_safetensors_find(file, name, &tensor) != LINNET_OK || tensor.type != type ||
        linnet_tensor_count(&tensor) != count)
        return false;
    memcpy(out, tensor.data, (size_t)count * linnet_type_size(type));
    return true;
}

int style_state_load(const char *path, descent *d)
{
    linnet_safetensors *file;
    json_t *settings;
    int64_t done, count = linnet_tensor_count(&d->picture);
    int code = open_state(path, &file, &done, &settings);
    if (code != EXIT_GO_ON)
        return code;
    bool fits = (uint64_t)done <= d->total && take(file, "picture", LINNET_F32, count, d->picture.data) &&
                take(file, "moments", LINNET_F32, 2 * count, d->moments) &&
                take(file, "losses", LINNET_F64, (done + 1) * ((int64_t)d->terms + 1), d->losses);
    json_decref(settings);
    linnet_safetensors_free(&file);
    d->done = (uint64_t)done;
    return fits ? EXIT_GO_ON
                : cli_fail(EXIT_BAD_INPUT, "%s does not fit the pictures and layers that it names (have they changed?)",
                           path);
}
