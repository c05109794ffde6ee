/* SPDX-License-Identifier: Apache-2.0 */
/* make_pictures CONTENT STYLE: two small pictures, a scene of plain shapes and a pattern of strokes. */
#include <linnet/linnet.h>

#include <math.h>
#include <stdio.h>

enum { WIDTH = 64, HEIGHT = 48, SIDE = 56 };

static int write_picture(const float *planes, int height, int width, const char *path)
{
    linnet_image *image = linnet_image_from_planes(NULL, planes, 3, height, width);
    int bad = !image || linnet_image_write(NULL, image, path) != LINNET_OK;
    if (bad)
        fprintf(stderr, "%s\n", linnet_context_message(NULL));
    linnet_image_free(&image);
    return bad;
}

static int scene(const char *path)
{
    static float planes[3][HEIGHT][WIDTH];
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int sun = (x - 46) * (x - 46) + (y - 13) * (y - 13) < 64;
            int house = x > 10 && x < 34 && y > 22 && y < 40, ground = y >= 40;
            planes[0][y][x] = sun ? 1 : house ? 0.8f : ground ? 0.2f : 0.4f;
            planes[1][y][x] = sun ? 0.9f : house ? 0.3f : ground ? 0.5f : 0.6f;
            planes[2][y][x] = sun ? 0.2f : house ? 0.2f : ground ? 0.2f : 0.9f - 0.01f * (float)y;
        }
    return write_picture(&planes[0][0][0], HEIGHT, WIDTH, path);
}

static int strokes(const char *path)
{
    static float planes[3][SIDE][SIDE];
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double wave = 0.5 + 0.5 * sin(0.7 * x + 0.4 * y + 2 * sin(0.15 * y));
            planes[0][y][x] = (float)(0.9 * wave);
            planes[1][y][x] = (float)(0.2 + 0.6 * wave);
            planes[2][y][x] = (float)(0.7 - 0.5 * wave);
        }
    return write_picture(&planes[0][0][0], SIDE, SIDE, path);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: make_pictures CONTENT STYLE\n");
        return 2;
    }
    return scene(argv[1]) || strokes(argv[2]);
}
