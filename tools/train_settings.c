/* SPDX-License-Identifier: Apache-2.0 */
#include "train.h"

#include "json_lines.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

const char *const train_optimizer_names[] = {"sgd", "adam", NULL};
const char *const train_schedule_names[] = {"constant", "step", "cosine", NULL};

void train_options(train_settings *s, const char **data, const char **size, cli_option out[TRAIN_OPTION_COUNT])
{
    const cli_option table[TRAIN_OPTION_COUNT] = {
        option_data(data),
        {.name = "size",
         .kind = CLI_TEXT,
         .target = size,
         .argument = "SIDE|WxH",
         .help = "what pictures are resized to (default: the first one's size, at most 224)"},
        {.name = "limit",
         .kind = CLI_INTEGER,
         .target = &s->limit,
         .argument = "N",
         .low = 1,
         .high = 10000000,
         .help = "training images to use (default: all, or 40000 synthetic)"},
        {.name = "test-limit",
         .kind = CLI_INTEGER,
         .target = &s->test_limit,
         .argument = "N",
         .low = 1,
         .high = 10000000,
         .help = "test images to use (default: all, or 10000 synthetic)"},
        {.name = "epochs",
         .letter = 'e',
         .kind = CLI_INTEGER,
         .target = &s->epochs,
         .argument = "N",
         .low = 1,
         .high = HISTORY_EPOCHS,
         .help = "passes over the training images (default: 3)"},
        option_batch(&s->batch, "images a step (default: 64)"),
        {.name = "optimizer",
         .kind = CLI_CHOICE,
         .target = &s->optimizer,
         .argument = "NAME",
         .choices = train_optimizer_names,
         .help = "adam (default) or sgd"},
        {.name = "lr",
         .kind = CLI_REAL,
         .target = &s->rate,
         .argument = "RATE",
         .low = 1e-9,
         .high = 1000,
         .help = "learning rate (default: adam 0.007, for vgg_cifar 0.001; sgd 0.05)"},
        {.name = "momentum",
         .kind = CLI_REAL,
         .target = &s->momentum,
         .argument = "M",
         .low = 0,
         .high = 1,
         .help = "of sgd, which it chooses (default: 0.9)"},
        {.name = "weight-decay",
         .kind = CLI_REAL,
         .target = &s->weight_decay,
         .argument = "W",
         .low = 0,
         .high = 1000,
         .help = "pulls parameters to zero (default: 0)"},
        {.name = "schedule",
         .kind = CLI_CHOICE,
         .target = &s->schedule,
         .argument = "NAME",
         .choices = train_schedule_names,
         .help = "constant, step (a tenth after each third) or cosine (default)"},
        {.name = "warmup",
         .kind = CLI_INTEGER,
         .target = &s->warm_up,
         .argument = "STEPS",
         .low = 0,
         .high = 1e9,
         .help = "steps until the full rate (default: a twentieth)"},
        option_seed(&s->seed, "of the first weights, the order of images and augmentation (default: 1)"),
        {.name = "crop",
         .kind = CLI_INTEGER,
         .target = &s->crop,
         .argument = "PIXELS",
         .low = 0,
         .high = 16384,
         .help = "random crops of images padded by so much (default: 0)"},
        {.name = "flip", .kind = CLI_FLAG, .target = &s->flip, .help = "mirror half of the images, left and right"},
    };
    memcpy(out, table, sizeof table);
}

json_t *train_settings_json(const train_settings *s)
{
    char fingerprint[24];
    json_t *object = json_object();
    snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)s->fingerprint);
    json_text(object, "net", s->net);
    json_text(object, "data", s->data);
    json_text(object, "fingerprint", fingerprint);
    json_count(object, "limit", s->limit);
    json_count(object, "test_limit", s->test_limit);
    json_count(object, "width", s->size.width);
    json_count(object, "height", s->size.height);
    json_count(object, "epochs", s->epochs);
    json_count(object, "batch", s->batch);
    json_count(object, "warmup", s->warm_up);
    json_count(object, "seed", s->seed);
    json_count(object, "crop", s->crop);
    json_count(object, "flip", s->flip);
    json_text(object, "optimizer", train_optimizer_names[s->optimizer]);
    json_text(object, "schedule", train_schedule_names[s->schedule]);
    json_number(object, "lr", s->rate);
    json_number(object, "momentum", s->momentum);
    json_number(object, "weight_decay", s->weight_decay);
    return object;
}

static bool get_text(const json_t *object, const char *key, char *out, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && snprintf(out, size, "%s", value) < (int)size;
}

static bool get_integer(const json_t *object, const char *key, int64_t low, int64_t high, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= low && *out <= high;
}

static bool get_real(const json_t *object, const char *key, double high, double *out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_number_value(value);
    return json_is_number(value) && *out >= 0 && *out <= high;
}

static bool get_choice(const json_t *object, const char *key, const char *const *choices, int *out)
{
    const char *value = json_string_value(json_object_get(object, key));
    for (*out = 0; value && choices[*out]; ++*out)
        if (strcmp(choices[*out], value) == 0)
            return true;
    return false;
}

bool train_settings_from_json(const json_t *object, train_settings *out)
{
    char fingerprint[24];
    unsigned long long number = 0;
    int64_t flip = 0, width = 0, height = 0;
    memset(out, 0, sizeof *out);
    bool good = get_text(object, "net", out->net, sizeof out->net) &&
                get_text(object, "data", out->data, sizeof out->data) &&
                get_text(object, "fingerprint", fingerprint, sizeof fingerprint) &&
                sscanf(fingerprint, "%llx", &number) == 1 && get_integer(object, "limit", 0, 10000000, &out->limit) &&
                get_integer(object, "test_limit", 0, 10000000, &out->test_limit) &&
                get_integer(object, "width", 0, LINNET_IMAGE_MAX_SIDE, &width) &&
                get_integer(object, "height", 0, LINNET_IMAGE_MAX_SIDE, &height) &&
                get_integer(object, "epochs", 1, HISTORY_EPOCHS, &out->epochs) &&
                get_integer(object, "batch", 1, 65536, &out->batch) &&
                get_integer(object, "warmup", 0, 1000000000, &out->warm_up) &&
                get_integer(object, "seed", 0, 1000000000000000, &out->seed) &&
                get_integer(object, "crop", 0, 16384, &out->crop) && get_integer(object, "flip", 0, 1, &flip) &&
                get_choice(object, "optimizer", train_optimizer_names, &out->optimizer) &&
                get_choice(object, "schedule", train_schedule_names, &out->schedule) &&
                get_real(object, "lr", 1000, &out->rate) && get_real(object, "momentum", 1, &out->momentum) &&
                get_real(object, "weight_decay", 1000, &out->weight_decay);
    out->fingerprint = number;
    out->flip = (int)flip;
    out->size = (data_size){.width = (int32_t)width, .height = (int32_t)height};
    return good;
}

const char *train_contradiction(const cli_option *options, const train_settings *given, const train_settings *kept)
{
    const struct {
        const char *name;
        bool same;
    } checks[] = {
        {"limit", given->limit == kept->limit},
        {"test-limit", given->test_limit == kept->test_limit},
        {"size", given->size.width == kept->size.width && given->size.height == kept->size.height},
        {"epochs", given->epochs == kept->epochs},
        {"batch", given->batch == kept->batch},
        {"optimizer", given->optimizer == kept->optimizer},
        {"lr", given->rate == kept->rate},
        {"momentum", given->momentum == kept->momentum},
        {"weight-decay", given->weight_decay == kept->weight_decay},
        {"schedule", given->schedule == kept->schedule},
        {"warmup", given->warm_up == kept->warm_up},
        {"seed", given->seed == kept->seed},
        {"crop", given->crop == kept->crop},
        {"flip", given->flip == kept->flip},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (!checks[i].same && cli_given(options, TRAIN_OPTION_COUNT, checks[i].name))
            return checks[i].name;
    return NULL;
}
