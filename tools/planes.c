/* SPDX-License-Identifier: Apache-2.0 */
#include "planes.h"

#include <math.h>
#include <stdlib.h>

void planes_free(linnet_tensor *planes)
{
    free(planes->data);
    planes->data = NULL;
}

int planes_of_image(const linnet_image *image, int64_t channels, linnet_tensor *out)
{
    *out = (linnet_tensor){LINNET_F32, 3, {channels, image->height, image->width}, NULL};
    out->data = malloc((size_t)linnet_tensor_bytes(out)); /* pictures have a largest size */
    return out->data ? cli_check(linnet_image_to_planes(image, (int32_t)channels, out->data))
                     : cli_fail(EXIT_NO_MEMORY, "no memory for a picture");
}

/* side * length / longer, at least 1. */
static int32_t scaled(int64_t length, int64_t longer, int64_t side)
{
    int64_t pixels = (2 * length * side + longer) / (2 * longer);
    return (int32_t)(pixels < 1 ? 1 : pixels);
}

static linnet_image *resize(linnet_image *image, int32_t width, int32_t height)
{
    linnet_image *resized = linnet_image_resize(NULL, image, width, height, LINNET_RESIZE_BICUBIC);
    linnet_image_free(&image);
    return resized;
}

int planes_read(const char *path, int64_t channels, int64_t side, linnet_tensor *out)
{
    linnet_image *image = linnet_image_read(NULL, path);
    if (!image)
        return cli_check_last_input();
    int64_t width = image->width, height = image->height, longer = width > height ? width : height;
    if (side && side != longer)
        image = resize(image, scaled(width, longer, side), scaled(height, longer, side));
    if (!image)
        return cli_check_last();
    int code = planes_of_image(image, channels, out);
    linnet_image_free(&image);
    return code;
}

linnet_image *planes_image(const linnet_tensor *planes)
{
    return linnet_image_from_tensor(NULL, planes);
}

int planes_write(const linnet_tensor *planes, const char *path)
{
    linnet_image *image = planes_image(planes);
    if (!image)
        return cli_check_last();
    int code = cli_check(linnet_image_write(NULL, image, path));
    linnet_image_free(&image);
    return code;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int planes_usual(const float *values, size_t count, float *out)
{
    float *sizes = malloc(count * sizeof *sizes);
    *out = 0;
    if (!sizes)
        return cli_fail(EXIT_NO_MEMORY, "no memory to sort the values of a picture");
    for (size_t i = 0; i < count; i++)
        sizes[i] = isnan(values[i]) ? 0 : fabsf(values[i]);
    qsort(sizes, count, sizeof *sizes, compare);
    *out = sizes[count - 1 - count / 200];
    free(sizes);
    return EXIT_GO_ON;
}
