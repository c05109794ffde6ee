/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a test digit as somebody's picture of it, enlarged and off the centre, and prints which digit it is.
   usage: make_digit PATH INDEX light|dark|colour|alpha|deep (alpha in 16 bits, every sample another) */
#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCALE = 5, LEFT = 70, TOP = 12, WIDTH = 300, HEIGHT = 200 };

/* Ink 0 to 255 as a pixel of that style; returns how many channels. */
static int paint(const char *style, int ink, uint8_t *pixel)
{
    if (strcmp(style, "light") == 0) {
        pixel[0] = (uint8_t)ink;
        return 1;
    }
    if (strcmp(style, "dark") == 0) {
        pixel[0] = (uint8_t)(240 - ink * 220 / 255);
        return 1;
    }
    if (strcmp(style, "colour") == 0) { /* blue ink on yellow paper */
        pixel[0] = (uint8_t)(250 - ink * 230 / 255);
        pixel[1] = (uint8_t)(240 - ink * 200 / 255);
        pixel[2] = (uint8_t)(160 + ink * 40 / 255);
        return 3;
    }
    pixel[0] = pixel[1] = pixel[2] = 20; /* dark ink on nothing */
    pixel[3] = (uint8_t)ink;
    return 4;
}

/* The same picture in 16 bits a sample, with low bytes that 8 bits could not hold. */
static linnet_image *deepen(linnet_image *image)
{
    linnet_image *deep = linnet_image_new_deep(NULL, image->width, image->height, image->channels);
    for (size_t i = 0; deep && i < (size_t)(image->width * image->height * image->channels); i++)
        deep->pixels16[i] = (uint16_t)(image->pixels[i] << 8 | (i * 37 & 255));
    linnet_image_free(&image);
    return deep;
}

int main(int argc, char **argv)
{
    linnet_tensor digit;
    uint8_t pixel[4];
    if (argc != 4)
        return EXIT_FAILURE;
    long index = strtol(argv[2], NULL, 10);
    linnet_dataset *data = linnet_dataset_digits(NULL, 2, index + 10);
    int channels = paint(argv[3], 0, pixel);
    linnet_image *image = linnet_image_new(NULL, WIDTH, HEIGHT, channels);
    if (!data || !image || linnet_dataset_image(data, index, &digit) != LINNET_OK)
        return EXIT_FAILURE;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int row = (y - TOP) / SCALE, column = (x - LEFT) / SCALE;
            bool inside = y >= TOP && x >= LEFT && row < 28 && column < 28;
            paint(argv[3], inside ? ((const uint8_t *)digit.data)[row * 28 + column] : 0, pixel);
            memcpy(image->pixels + (size_t)(y * WIDTH + x) * (size_t)channels, pixel, (size_t)channels);
        }
    if (strcmp(argv[3], "deep") == 0 && !(image = deepen(image)))
        return EXIT_FAILURE;
    linnet_status status = linnet_image_write(NULL, image, argv[1]);
    printf("%d\n", linnet_dataset_label(data, index));
    linnet_image_free(&image);
    linnet_dataset_free(&data);
    return status == LINNET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
