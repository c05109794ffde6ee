/* SPDX-License-Identifier: Apache-2.0 */
#include "photo.h"

#include <math.h>

#define DIGIT_SIDE 28
#define MARGIN     (8.0 / 7.0) /* 256 for 224 */

void photo_free(photo *p)
{
    linnet_image_free(&p->image);
    planes_free(&p->tensor);
}

/* image becomes the photo's. */
static int take_image(linnet_image *image, int32_t channels, photo *out)
{
    out->image = image;
    return image ? planes_of_image(image, channels, &out->tensor) : cli_check_last();
}

/* Shorter side to 8/7 of the network's, the longer one rounded down, then the middle: torchvision's Resize(256) and
   CenterCrop(224) to the pixel. */
static linnet_image *fit(const linnet_image *image, int32_t height, int32_t width)
{
    double high = round(MARGIN * height), wide = round(MARGIN * width); /* of what is cut from, at least */
    bool across = wide * image->height > high * image->width;
    double new_width = across ? wide : floor(high * image->width / image->height);
    double new_height = across ? floor(wide * image->height / image->width) : high;
    int32_t w = (int32_t)fmin(new_width, LINNET_IMAGE_MAX_SIDE), h = (int32_t)fmin(new_height, LINNET_IMAGE_MAX_SIDE);
    linnet_image *scaled = linnet_image_resize(NULL, image, w, h, LINNET_RESIZE_BILINEAR);
    if (!scaled)
        return NULL;
    int32_t x = (int32_t)rint((w - width) / 2.0), y = (int32_t)rint((h - height) / 2.0);
    linnet_image *middle = linnet_image_crop(NULL, scaled, x, y, width, height);
    linnet_image_free(&scaled);
    return middle;
}

static int fit_digit(const linnet_image *image, const char *path, photo *out)
{
    float pixels[DIGIT_SIDE * DIGIT_SIDE];
    linnet_status status = linnet_digit_from_image(NULL, image, pixels);
    if (status == LINNET_NOT_FOUND)
        return cli_fail(EXIT_BAD_INPUT, "%s: there is nothing to read in the picture", path);
    int code = cli_check_input(status);
    return code == EXIT_GO_ON ? take_image(linnet_image_from_planes(NULL, pixels, 1, DIGIT_SIDE, DIGIT_SIDE), 1, out)
                              : code;
}

static int fit_photo(const linnet_image *image, const char *path, const int64_t *dims, photo_way way, photo *out)
{
    int32_t channels = (int32_t)dims[1];
    bool its_own =
        (dims[2] == LINNET_FREE || dims[2] == image->height) && (dims[3] == LINNET_FREE || dims[3] == image->width);
    bool digit = channels == 1 && dims[2] == DIGIT_SIDE && dims[3] == DIGIT_SIDE;
    if (way == PHOTO_AS_IS && !its_own)
        return cli_fail(EXIT_BAD_INPUT, "%s is %d x %d pixels, the network takes %lld x %lld", path, image->width,
                        image->height, (long long)dims[3], (long long)dims[2]);
    if (digit && (way == PHOTO_DIGIT || !its_own))
        return fit_digit(image, path, out);
    linnet_image *fitted = its_own ? NULL : fit(image, (int32_t)dims[2], (int32_t)dims[3]);
    if (!its_own && !fitted)
        return cli_check_last();
    linnet_image *converted = linnet_image_convert(NULL, fitted ? fitted : image, channels);
    linnet_image_free(&fitted);
    return take_image(converted, channels, out);
}

int photo_open(const char *path, const linnet_model *model, photo_way way, photo *out)
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    *out = (photo){.image = NULL};
    linnet_value_shape(model->net, model->image, dims);
    if (dims[1] != 1 && dims[1] != 3)
        return cli_fail(EXIT_BAD_INPUT, "%s: a network of %lld channels takes no pictures", path, (long long)dims[1]);
    linnet_image *image = linnet_image_read(NULL, path);
    if (!image)
        return cli_check_last_input();
    int code = fit_photo(image, path, dims, way, out);
    linnet_image_free(&image);
    return code;
}

int photo_size(const char *path, linnet_model_options *out_options)
{
    linnet_image *image = linnet_image_read(NULL, path);
    if (!image)
        return cli_check_last_input();
    *out_options = (linnet_model_options){.struct_size = sizeof *out_options};
    out_options->height = image->height;
    out_options->width = image->width;
    linnet_image_free(&image);
    return EXIT_GO_ON;
}

int photo_check_index(const linnet_dataset *data, int64_t index)
{
    int64_t count = linnet_dataset_count(data);
    return index < count ? EXIT_GO_ON
                         : cli_fail(EXIT_USAGE, "there is no image %lld: they are numbered 0 to %lld", (long long)index,
                                    (long long)count - 1);
}

int photo_open_index(const linnet_dataset *data, int64_t index, photo *out)
{
    linnet_tensor stored;
    *out = (photo){.image = NULL};
    int code = photo_check_index(data, index);
    if (code == EXIT_GO_ON)
        code = cli_check(linnet_dataset_image(data, index, &stored));
    return code == EXIT_GO_ON ? take_image(linnet_image_from_tensor(NULL, &stored), (int32_t)stored.dims[0], out)
                              : code;
}
