/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resizing by separable filters. One new row at a time: the old rows under the filter are summed into one, this is then
 * filtered along x. So no picture of an intermediate size is kept, whatever the sizes.
 */
#include "core/core.h"
#include "picture.h"

#include <math.h>
#include <string.h>

/* For every new sample: the old ones under the filter, first..first + count - 1, and their weights, which sum to 1. */
typedef struct axis {
    int32_t *first, *count;
    float *weights; /* most for each */
    size_t most;
} axis;

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* R. Keys, Cubic convolution interpolation for digital image processing, 1981, with a = -1/2. */
static double cubic(double x)
{
    x = fabs(x);
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* The weight of the old sample at `at` (its left edge) for a new one that is ratio old ones wide around centre. */
static double weight(linnet_resize_filter filter, double at, double centre, double ratio)
{
    double stretch = ratio > 1 ? ratio : 1;
    if (filter == LINNET_RESIZE_AREA) {
        double from = fmax(at, centre - ratio / 2), to = fmin(at + 1, centre + ratio / 2);
        return to > from ? to - from : 0;
    }
    double x = (at + 0.5 - centre) / stretch;
    return filter == LINNET_RESIZE_BICUBIC ? cubic(x) : triangle(x);
}

static void axis_fill_one(const axis *a, int32_t i, int32_t old, double ratio, double reach,
                          linnet_resize_filter filter)
{
    double centre = (i + 0.5) * ratio, sum = 0;
    float *weights = a->weights + (size_t)i * a->most;
    int32_t first = (int32_t)fmax(floor(centre - reach), 0), end = (int32_t)fmin(ceil(centre + reach), old);
    first = first < old ? first : old - 1;
    end = end > first ? end : first + 1;
    if ((size_t)(end - first) > a->most)
        end = first + (int32_t)a->most;
    for (int32_t at = first; at < end; at++)
        sum += weight(filter, at, centre, ratio);
    for (int32_t at = first; at < end; at++)
        weights[at - first] = sum != 0 ? (float)(weight(filter, at, centre, ratio) / sum) : 1.0f / (float)(end - first);
    a->first[i] = first;
    a->count[i] = end - first;
}

static void axis_free(axis *a)
{
    linnet_release(a->first);
    linnet_release(a->count);
    linnet_release(a->weights);
}

static bool axis_make(axis *a, int32_t old, int32_t new_size, linnet_resize_filter filter)
{
    double ratio = (double)old / new_size, stretch = ratio > 1 ? ratio : 1;
    double reach = filter == LINNET_RESIZE_AREA ? ratio / 2 : filter == LINNET_RESIZE_BICUBIC ? 2 * stretch : stretch;
    a->most = (size_t)ceil(2 * reach) + 2;
    a->first = linnet_allocate((size_t)new_size, sizeof *a->first);
    a->count = linnet_allocate((size_t)new_size, sizeof *a->count);
    a->weights = linnet_allocate((size_t)new_size * a->most, sizeof *a->weights);
    if (!a->first || !a->count || !a->weights)
        return false;
    for (int32_t i = 0; i < new_size; i++)
        axis_fill_one(a, i, old, ratio, reach, filter);
    return true;
}

/* Colours times alpha, so that what is not seen does not count. */
static void alpha_multiply(float *row, size_t width, size_t channels)
{
    for (size_t x = 0; channels % 2 == 0 && x < width; x++)
        for (size_t c = 0; c + 1 < channels; c++)
            row[x * channels + c] *= row[x * channels + channels - 1];
}

static void alpha_divide(float *row, size_t width, size_t channels)
{
    for (size_t x = 0; channels % 2 == 0 && x < width; x++) {
        float alpha = row[x * channels + channels - 1];
        for (size_t c = 0; c + 1 < channels; c++)
            row[x * channels + c] = alpha > 0 ? row[x * channels + c] / alpha : 0;
    }
}

/* The old rows under new row y, summed into one of the old width. */
static void sum_rows(const linnet_image *image, const axis *rows, int32_t y, float *scratch, float *out)
{
    size_t channels = (size_t)image->channels, count = (size_t)image->width * channels;
    memset(out, 0, count * sizeof *out);
    for (int32_t i = 0; i < rows->count[y]; i++) {
        float factor = rows->weights[(size_t)y * rows->most + (size_t)i];
        linnet_image_row_get(image, rows->first[y] + i, scratch);
        alpha_multiply(scratch, (size_t)image->width, channels);
        for (size_t k = 0; k < count; k++)
            out[k] += factor * scratch[k];
    }
}

static void filter_row(const axis *columns, const float *in, size_t width, size_t channels, float *out)
{
    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < channels; c++) {
            const float *weights = columns->weights + x * columns->most;
            const float *from = in + (size_t)columns->first[x] * channels + c;
            float sum = 0;
            for (int32_t i = 0; i < columns->count[x]; i++)
                sum += weights[i] * from[(size_t)i * channels];
            out[x * channels + c] = sum;
        }
}

static linnet_image *resize(linnet_context *context, const linnet_image *image, linnet_image *out,
                            linnet_resize_filter filter)
{
    axis columns = {0}, rows = {0};
    size_t channels = (size_t)image->channels, old = (size_t)image->width * channels;
    float *scratch = linnet_allocate(2 * old + (size_t)out->width * channels, sizeof *scratch);
    if (scratch && axis_make(&columns, image->width, out->width, filter) &&
        axis_make(&rows, image->height, out->height, filter)) {
        for (int32_t y = 0; y < out->height; y++) {
            sum_rows(image, &rows, y, scratch, scratch + old);
            filter_row(&columns, scratch + old, (size_t)out->width, channels, scratch + 2 * old);
            alpha_divide(scratch + 2 * old, (size_t)out->width, channels);
            linnet_image_row_put(out, y, scratch + 2 * old);
        }
    } else {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "image resize: no memory for the filters");
        linnet_image_free(&out);
    }
    axis_free(&columns);
    axis_free(&rows);
    linnet_release(scratch);
    return out;
}

linnet_image *linnet_image_resize(linnet_context *context, const linnet_image *image, int32_t width, int32_t height,
                                  linnet_resize_filter filter)
{
    context = linnet_context_or_default(context);
    if (!linnet_image_whole(image) || (int)filter < LINNET_RESIZE_BILINEAR || (int)filter > LINNET_RESIZE_AREA) {
        linnet_fail(context, LINNET_INVALID, "image resize: no picture, or no such filter");
        return NULL;
    }
    linnet_image *out = linnet_image_new_like(context, image, width, height, image->channels);
    return out ? resize(context, image, out, filter) : NULL;
}
