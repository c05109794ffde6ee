/* SPDX-License-Identifier: Apache-2.0 */
/* The dataset of synthetic digits: the default where nobody names another. */
#include "dataset.h"
#include "digits.h"

enum { MAX_DIGITS = 10000000 };

static linnet_status fill(linnet_dataset *dataset, uint64_t seed)
{
    uint8_t *images = linnet_allocate((size_t)dataset->count, LINNET_DIGIT_PIXELS);
    dataset->images = dataset->owned = images;
    dataset->labels = linnet_allocate((size_t)dataset->count, sizeof *dataset->labels);
    if (!images || !dataset->labels)
        return linnet_fail(dataset->context, LINNET_OUT_OF_MEMORY, "%lld synthetic digits: out of memory",
                           (long long)dataset->count);
    for (int64_t i = 0; i < dataset->count; i++) {
        linnet_random random;
        dataset->labels[i] = linnet_digit_label(seed, (uint64_t)i);
        linnet_random_begin(&random, seed, (uint64_t)i, 0);
        linnet_digit_draw(&random, dataset->labels[i], images + i * LINNET_DIGIT_PIXELS);
    }
    return linnet_dataset_set_classes(dataset, 10, NULL);
}

linnet_dataset *linnet_dataset_digits(linnet_context *context, uint64_t seed, int64_t count)
{
    linnet_dataset *dataset = linnet_dataset_begin(context, "synthetic digits");
    if (!dataset)
        return NULL;
    linnet_status status = LINNET_OK;
    if (count < 1 || count > MAX_DIGITS)
        status = linnet_fail(dataset->context, LINNET_INVALID, "%lld synthetic digits: wanted 1 to %d",
                             (long long)count, (int)MAX_DIGITS);
    dataset->count = count;
    dataset->channels = 1;
    dataset->height = dataset->width = LINNET_DIGIT_SIDE;
    dataset->type = LINNET_U8;
    if (status != LINNET_OK || fill(dataset, seed) != LINNET_OK)
        linnet_dataset_free(&dataset);
    return dataset;
}
