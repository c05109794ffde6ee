/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of linear filters by name. */
#include "core/core.h"
#include "core/text.h"
#include "linnet/filter.h"
#include "options.h"

#include <math.h>
#include <string.h>

#define LARGEST_SHIFT (LINNET_KERNEL_MAX_SIDE / 2)

linnet_kernel *linnet_kernel_new(linnet_context *context, int32_t height, int32_t width, const float *values)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    if (height < 1 || width < 1 || height > LINNET_KERNEL_MAX_SIDE || width > LINNET_KERNEL_MAX_SIDE) {
        linnet_fail(context, LINNET_LIMIT, "a kernel of %d x %d (rows x columns): each is from 1 to %d", height, width,
                    LINNET_KERNEL_MAX_SIDE);
        return NULL;
    }
    size_t count = (size_t)height * (size_t)width;
    for (size_t i = 0; values && i < count; i++)
        if (!isfinite(values[i])) {
            linnet_fail(context, LINNET_INVALID, "kernel: number %zu of row %zu is not finite", i % (size_t)width + 1,
                        i / (size_t)width + 1);
            return NULL;
        }
    linnet_kernel *kernel = linnet_allocate(1, sizeof *kernel);
    float *copy = linnet_allocate(count, sizeof *copy);
    if (!kernel || !copy) {
        linnet_release(kernel);
        linnet_release(copy);
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for a kernel of %d x %d", height, width);
        return NULL;
    }
    if (values)
        memcpy(copy, values, count * sizeof *copy);
    *kernel = (linnet_kernel){.height = height, .width = width, .values = copy};
    return kernel;
}

void linnet_kernel_free(linnet_kernel **kernel)
{
    if (!kernel || !*kernel)
        return;
    linnet_release((*kernel)->values);
    linnet_release(*kernel);
    *kernel = NULL;
}

/* ---- Those with a size of their own ---- */

/* Moves the picture by (-dy, -dx): a single 1 that far from the middle. */
static linnet_kernel *shift(linnet_context *context, const linnet_kernel_options *o, int32_t dy, int32_t dx)
{
    int32_t by = o->by ? o->by : 1;
    if (by < 1 || by > LARGEST_SHIFT) {
        linnet_fail(context, LINNET_INVALID, "a shift by %d pixels: it is from 1 to %d", by, LARGEST_SHIFT);
        return NULL;
    }
    int32_t height = dy ? 2 * by + 1 : 1, width = dx ? 2 * by + 1 : 1;
    linnet_kernel *kernel = linnet_kernel_new(context, height, width, NULL);
    if (kernel)
        kernel->values[(height / 2 + dy * by) * width + width / 2 + dx * by] = 1;
    return kernel;
}

static linnet_kernel *shift_left(linnet_context *context, const linnet_kernel_options *o)
{
    return shift(context, o, 0, 1);
}

static linnet_kernel *shift_right(linnet_context *context, const linnet_kernel_options *o)
{
    return shift(context, o, 0, -1);
}

static linnet_kernel *shift_up(linnet_context *context, const linnet_kernel_options *o)
{
    return shift(context, o, 1, 0);
}

static linnet_kernel *shift_down(linnet_context *context, const linnet_kernel_options *o)
{
    return shift(context, o, -1, 0);
}

static bool check_size(linnet_context *context, int32_t size)
{
    if (size >= 1 && size <= LINNET_KERNEL_MAX_SIDE)
        return true;
    linnet_fail(context, LINNET_INVALID, "a kernel of size %d: it is from 1 to %d", size, LINNET_KERNEL_MAX_SIDE);
    return false;
}

static linnet_kernel *box(linnet_context *context, const linnet_kernel_options *o)
{
    int32_t size = o->size ? o->size : 3;
    linnet_kernel *kernel = check_size(context, size) ? linnet_kernel_new(context, size, size, NULL) : NULL;
    for (int32_t i = 0; kernel && i < size * size; i++)
        kernel->values[i] = 1.0f / (float)(size * size);
    return kernel;
}

/* Sampled at the pixels and scaled so that the sum is 1: the mean brightness stays. */
static linnet_kernel *gaussian(linnet_context *context, const linnet_kernel_options *o)
{
    double sigma = o->sigma != 0 ? (double)o->sigma : 1, sum = 0;
    if (!(sigma > 0) || sigma > LINNET_KERNEL_MAX_SIDE) {
        linnet_fail(context, LINNET_INVALID, "a Gaussian of sigma %g: it is above 0 and at most %d", sigma,
                    LINNET_KERNEL_MAX_SIDE);
        return NULL;
    }
    int32_t reach = (int32_t)ceil(3 * sigma), size = o->size ? o->size : 2 * reach + 1;
    if (!o->size && size > LINNET_KERNEL_MAX_SIDE)
        size = LINNET_KERNEL_MAX_SIDE;
    linnet_kernel *kernel = check_size(context, size) ? linnet_kernel_new(context, size, size, NULL) : NULL;
    double middle = (size - 1) / 2.0;
    for (int pass = 0; kernel && pass < 2; pass++)
        for (int32_t i = 0; i < size * size; i++) {
            double y = i / size - middle, x = i % size - middle;
            double weight = exp(-(y * y + x * x) / (2 * sigma * sigma));
            if (pass == 0)
                sum += weight;
            else
                kernel->values[i] = (float)(weight / sum);
        }
    return kernel;
}

/* ---- Those of 3 x 3 ---- */

typedef struct known_kernel {
    const char *name, *description;
    float values[9]; /* where make is NULL */
    linnet_kernel *(*make)(linnet_context *context, const linnet_kernel_options *o);
} known_kernel;

static const known_kernel kernels[] = {
    {"identity", "the picture as it is", {0, 0, 0, 0, 1, 0, 0, 0, 0}, NULL},
    {"shift-left", "moves the picture", {0}, shift_left},
    {"shift-right", "moves the picture", {0}, shift_right},
    {"shift-up", "moves the picture", {0}, shift_up},
    {"shift-down", "moves the picture", {0}, shift_down},
    {"box", "the mean of a square: a blur", {0}, box},
    {"gaussian", "a weighted mean: a smooth blur", {0}, gaussian},
    {"sharpen", "twice the pixel less the mean around it", {0, -1, 0, -1, 5, -1, 0, -1, 0}, NULL},
    {"laplacian", "second derivative: edges of every direction", {0, 1, 0, 1, -4, 1, 0, 1, 0}, NULL},
    {"laplacian8", "the same with the diagonals", {1, 1, 1, 1, -8, 1, 1, 1, 1}, NULL},
    {"sobel-x", "slope from left to right: vertical edges", {-1, 0, 1, -2, 0, 2, -1, 0, 1}, NULL},
    {"sobel-y", "slope from top to bottom: horizontal edges", {-1, -2, -1, 0, 0, 0, 1, 2, 1}, NULL},
    {"emboss", "relief lit from a corner", {-2, -1, 0, -1, 1, 1, 0, 1, 2}, NULL},
};
#define KERNEL_COUNT (sizeof kernels / sizeof kernels[0])

const char *linnet_kernel_name(size_t index, const char **out_description)
{
    if (index >= KERNEL_COUNT)
        return NULL;
    if (out_description)
        *out_description = kernels[index].description;
    return kernels[index].name;
}

static void fail_unknown(linnet_context *context, const char *name)
{
    linnet_text names = {0};
    for (size_t i = 0; i < KERNEL_COUNT; i++)
        linnet_text_append(&names, "%s%s", i ? ", " : "", kernels[i].name);
    linnet_fail(context, LINNET_NOT_FOUND, "no kernel '%s'; there are: %s", name, names.data ? names.data : "");
    linnet_release(names.data);
}

linnet_kernel *linnet_kernel_named_with(linnet_context *context, const char *name, const linnet_kernel_options *options)
{
    linnet_kernel_options o;
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK ||
        linnet_vision_options(context, "kernel", options, &o, sizeof o) != LINNET_OK)
        return NULL;
    for (size_t i = 0; name && i < KERNEL_COUNT; i++)
        if (strcmp(kernels[i].name, name) == 0)
            return kernels[i].make ? kernels[i].make(context, &o) : linnet_kernel_new(context, 3, 3, kernels[i].values);
    fail_unknown(context, name ? name : "");
    return NULL;
}
