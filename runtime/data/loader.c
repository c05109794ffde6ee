/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a dataset into batches. The order is a function of (seed, epoch), so that a position says all there is to say.
 */
#include "augment.h"
#include "dataset.h"
#include "digits.h"
#include "linnet/device.h"

#include <math.h>
#include <string.h>

enum { SLOTS = 2, DEFAULT_BATCH = 64, MAX_MEANS = 4, SHUFFLE_DOMAIN = 0x73687566 };

struct linnet_loader {
    linnet_context *context;
    const linnet_dataset *dataset;
    char *image_name, *label_name;
    int64_t drawn; /* images that take part: the first so many of the dataset */
    int64_t batch, samples, batches;
    int64_t elements, plane; /* of an image, of a channel */
    bool shuffle;
    uint64_t seed;
    uint32_t *order; /* [drawn] of order_epoch; NULL: as in the dataset */
    uint64_t order_epoch;
    bool ordered; /* order is filled */
    uint32_t crop_padding;
    bool flip;
    int64_t *map; /* [plane], for one image at a time; NULL: images are taken as they are */
    linnet_loader_position position;
    int slot; /* the one filled next */
    float *images[SLOTS];
    int32_t *labels[SLOTS];
    bool is_pinned; /* images and labels are */
    float mean[MAX_MEANS], deviation[MAX_MEANS];
    float table[MAX_MEANS][256]; /* u8 -> f32 per channel; beyond the fourth channel all are like the first */
};

static linnet_status options_check(linnet_loader *loader, const linnet_loader_options *options)
{
    const linnet_dataset *dataset = loader->dataset;
    if (options->struct_size && options->struct_size < sizeof *options)
        return linnet_fail(loader->context, LINNET_INVALID, "loader: struct_size is %u",
                           (unsigned)options->struct_size);
    if (options->limit < 0)
        return linnet_fail(loader->context, LINNET_INVALID, "loader: limit is %lld", (long long)options->limit);
    for (int i = 0; i < MAX_MEANS; i++) {
        float mean = options->mean[i], deviation = options->deviation[i];
        if (!isfinite(mean) || !isfinite(deviation) || deviation < 0)
            return linnet_fail(loader->context, LINNET_INVALID, "loader: mean %g, deviation %g", (double)mean,
                               (double)deviation);
        if ((mean != 0 || deviation != 0) && dataset->channels > MAX_MEANS)
            return linnet_fail(loader->context, LINNET_INVALID, "loader: mean and deviation of %lld channels",
                               (long long)dataset->channels);
        loader->mean[i] = mean;
        loader->deviation[i] = deviation != 0 ? deviation : 1;
    }
    loader->drawn = options->limit && options->limit < dataset->count ? options->limit : dataset->count;
    loader->batch = options->batch ? options->batch : DEFAULT_BATCH;
    loader->batches = (loader->drawn + (options->drop_last ? 0 : loader->batch - 1)) / loader->batch;
    loader->samples = options->drop_last ? loader->batches * loader->batch : loader->drawn;
    if (!loader->batches)
        return linnet_fail(loader->context, LINNET_INVALID, "loader: %lld samples do not fill a batch of %lld",
                           (long long)loader->drawn, (long long)loader->batch);
    int64_t side = dataset->height < dataset->width ? dataset->height : dataset->width;
    if (options->crop_padding >= side)
        return linnet_fail(loader->context, LINNET_INVALID, "loader: crop_padding %u of images that are %lldx%lld",
                           (unsigned)options->crop_padding, (long long)dataset->width, (long long)dataset->height);
    if (loader->drawn > UINT32_MAX)
        return linnet_fail(loader->context, LINNET_LIMIT, "loader: %lld samples are too many",
                           (long long)loader->drawn);
    if (loader->batch > loader->drawn)
        loader->batch = loader->drawn;
    return LINNET_OK;
}

static linnet_status memory_take(linnet_loader *loader, const linnet_loader_options *options)
{
    loader->image_name = linnet_duplicate(options->image_name ? options->image_name : "image");
    loader->label_name = linnet_duplicate(options->label_name ? options->label_name : "label");
    bool done = loader->image_name && loader->label_name;
    if (loader->shuffle) {
        loader->order = linnet_allocate((size_t)loader->drawn, sizeof *loader->order);
        done = done && loader->order;
    }
    if (loader->crop_padding || loader->flip) {
        loader->map = linnet_allocate((size_t)loader->plane, sizeof *loader->map);
        done = done && loader->map;
    }
    size_t floats;
    if (__builtin_mul_overflow((size_t)loader->batch, (size_t)loader->elements, &floats))
        return linnet_fail(loader->context, LINNET_LIMIT, "loader: a batch of %lld is too large",
                           (long long)loader->batch);
    for (int i = 0; i < SLOTS; i++) {
        loader->images[i] = linnet_allocate(floats, sizeof(float));
        loader->labels[i] = linnet_allocate((size_t)loader->batch, sizeof(int32_t));
        done = done && loader->images[i] && loader->labels[i];
    }
    return done ? LINNET_OK : linnet_fail(loader->context, LINNET_OUT_OF_MEMORY, "loader: out of memory");
}

static void table_fill(linnet_loader *loader)
{
    for (int channel = 0; channel < MAX_MEANS; channel++)
        for (int i = 0; i < 256; i++)
            loader->table[channel][i] = ((float)i / 255.0f - loader->mean[channel]) / loader->deviation[channel];
}

linnet_loader *linnet_loader_new_with(linnet_context *context, const linnet_dataset *dataset,
                                      const linnet_loader_options *options)
{
    linnet_loader_options defaults = {.struct_size = sizeof defaults};
    options = options ? options : &defaults;
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    if (!dataset) { /* most often one that could not be opened */
        const char *before = linnet_context_message(context);
        linnet_fail(context, LINNET_INVALID, "loader: no dataset%s%s", *before ? "; the failure before: " : "", before);
        return NULL;
    }
    linnet_loader *loader = linnet_allocate(1, sizeof *loader);
    if (!loader) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "loader: out of memory");
        return NULL;
    }
    *loader = (linnet_loader){.context = context,
                              .dataset = dataset,
                              .plane = dataset->height * dataset->width,
                              .elements = dataset->channels * dataset->height * dataset->width,
                              .shuffle = options->shuffle != 0,
                              .seed = options->seed,
                              .crop_padding = options->crop_padding,
                              .flip = options->flip != 0};
    if (options_check(loader, options) != LINNET_OK || memory_take(loader, options) != LINNET_OK) {
        linnet_loader_free(&loader);
        return NULL;
    }
    table_fill(loader);
    return loader;
}

static void slots_release(linnet_loader *loader)
{
    void (*release)(void *memory) = loader->is_pinned ? linnet_pinned_free : linnet_release;
    for (int i = 0; i < SLOTS; i++) {
        release(loader->images[i]);
        release(loader->labels[i]);
    }
}

linnet_status linnet_loader_pin(linnet_loader *loader, linnet_device *device)
{
    linnet_loader pinned = {.is_pinned = true};
    bool done = true;
    if (!loader || !device)
        return linnet_fail(loader ? loader->context : NULL, LINNET_INVALID, "linnet_loader_pin: a loader and a device");
    for (int i = 0; i < SLOTS; i++) {
        pinned.images[i] = linnet_pinned_new(device, (size_t)(loader->batch * loader->elements) * sizeof(float));
        pinned.labels[i] = linnet_pinned_new(device, (size_t)loader->batch * sizeof(int32_t));
        done = done && pinned.images[i] && pinned.labels[i];
    }
    if (!done) {
        slots_release(&pinned);
        return linnet_fail(loader->context, LINNET_OUT_OF_MEMORY, "loader: out of memory");
    }
    slots_release(loader);
    memcpy(loader->images, pinned.images, sizeof pinned.images);
    memcpy(loader->labels, pinned.labels, sizeof pinned.labels);
    loader->is_pinned = true;
    return LINNET_OK;
}

void linnet_loader_free(linnet_loader **loader)
{
    if (!loader || !*loader)
        return;
    slots_release(*loader);
    linnet_release((*loader)->order);
    linnet_release((*loader)->map);
    linnet_release((*loader)->image_name);
    linnet_release((*loader)->label_name);
    linnet_release(*loader);
    *loader = NULL;
}

/* Fisher and Yates; a multiplied word is biased by less than drawn / 2^32. */
static void order_shuffle(linnet_loader *loader)
{
    linnet_random random;
    linnet_random_begin(&random, loader->seed, loader->position.epoch, SHUFFLE_DOMAIN);
    for (uint32_t i = 0; i < (uint32_t)loader->drawn; i++) {
        uint32_t j = (uint32_t)((uint64_t)linnet_random_word(&random) * ((uint64_t)i + 1) >> 32);
        loader->order[i] = loader->order[j];
        loader->order[j] = i;
    }
    loader->order_epoch = loader->position.epoch;
    loader->ordered = true;
}

/* One channel of an image, like: whose mean and deviation it has. */
static void plane_copy(const linnet_loader *loader, const void *images, int64_t from, int64_t like, float *out)
{
    const float *table = loader->table[like], mean = loader->mean[like], deviation = loader->deviation[like];
    if (loader->dataset->type == LINNET_U8) {
        const uint8_t *pixels = (const uint8_t *)images + from;
        for (int64_t i = 0; i < loader->plane; i++)
            out[i] = table[pixels[i]];
    } else {
        const float *pixels = (const float *)images + from;
        for (int64_t i = 0; i < loader->plane; i++)
            out[i] = (pixels[i] - mean) / deviation;
    }
}

/* The same of an augmented image; what lies outside is 0 before it is normalised. */
static void plane_gather(const linnet_loader *loader, const void *images, int64_t from, int64_t like, float *out)
{
    const float *table = loader->table[like], mean = loader->mean[like], deviation = loader->deviation[like];
    const int64_t *map = loader->map;
    if (loader->dataset->type == LINNET_U8) {
        const uint8_t *pixels = (const uint8_t *)images + from;
        for (int64_t i = 0; i < loader->plane; i++)
            out[i] = table[map[i] < 0 ? 0 : pixels[map[i]]];
    } else {
        const float *pixels = (const float *)images + from;
        for (int64_t i = 0; i < loader->plane; i++)
            out[i] = ((map[i] < 0 ? 0 : pixels[map[i]]) - mean) / deviation;
    }
}

static void image_copy(const linnet_loader *loader, int64_t index, float *out)
{
    const linnet_dataset *dataset = loader->dataset;
    if (loader->map) {
        linnet_augmentation augmentation = linnet_augmentation_draw(
            loader->seed, loader->position.epoch, (uint32_t)index, loader->crop_padding, loader->flip);
        linnet_augmentation_map(&augmentation, dataset->height, dataset->width, loader->map);
    }
    for (int64_t channel = 0; channel < dataset->channels; channel++, out += loader->plane) {
        int64_t from = index * loader->elements + channel * loader->plane;
        int64_t like = channel < MAX_MEANS ? channel : 0;
        (loader->map ? plane_gather : plane_copy)(loader, dataset->images, from, like, out);
    }
}

bool linnet_loader_next(linnet_loader *loader, linnet_batch *out_batch)
{
    if (!loader || !out_batch)
        return false;
    if (loader->position.batch >= loader->batches) {
        loader->position = (linnet_loader_position){.epoch = loader->position.epoch + 1};
        return false;
    }
    if (loader->shuffle && (!loader->ordered || loader->order_epoch != loader->position.epoch))
        order_shuffle(loader);
    int64_t first = loader->position.batch * loader->batch;
    int64_t size = loader->samples - first < loader->batch ? loader->samples - first : loader->batch;
    float *images = loader->images[loader->slot];
    int32_t *labels = loader->labels[loader->slot];
    for (int64_t i = 0; i < size; i++) {
        int64_t index = loader->shuffle ? loader->order[first + i] : first + i;
        image_copy(loader, index, images + i * loader->elements);
        labels[i] = loader->dataset->labels[index];
    }
    const linnet_dataset *dataset = loader->dataset;
    *out_batch = (linnet_batch){.struct_size = sizeof *out_batch, .feed_count = 2, .size = size};
    out_batch->feeds[0] = (linnet_feed){
        loader->image_name, {LINNET_F32, 4, {size, dataset->channels, dataset->height, dataset->width}, images}};
    out_batch->feeds[1] = (linnet_feed){loader->label_name, {LINNET_I32, 1, {size}, labels}};
    loader->slot = (loader->slot + 1) % SLOTS;
    loader->position.batch++;
    return true;
}

int64_t linnet_loader_samples(const linnet_loader *loader)
{
    return loader ? loader->samples : 0;
}

int64_t linnet_loader_batches(const linnet_loader *loader)
{
    return loader ? loader->batches : 0;
}

linnet_loader_position linnet_loader_tell(const linnet_loader *loader)
{
    return loader ? loader->position : (linnet_loader_position){0};
}

linnet_status linnet_loader_seek(linnet_loader *loader, linnet_loader_position position)
{
    if (!loader)
        return linnet_fail(NULL, LINNET_INVALID, "loader seek: no loader");
    if (position.batch < 0 || position.batch > loader->batches)
        return linnet_fail(loader->context, LINNET_INVALID, "loader: no batch %lld, an epoch has %lld",
                           (long long)position.batch, (long long)loader->batches);
    loader->position = position;
    return LINNET_OK;
}
