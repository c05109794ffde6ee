/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures from pictures and planes: resizing compared with Pillow's, channels, parts, depth, drawing. */
#include "files.h"
#include "formats/picture.h"

#include <math.h>

/* The same numbers as in the lines below that say how Pillow's were computed: (37 i i + 11 i) mod 256. */
static linnet_image *numbered(int32_t width, int32_t height, int32_t channels)
{
    linnet_image *image = linnet_image_new(NULL, width, height, channels);
    assert_non_null(image);
    for (int32_t i = 0; i < width * height * channels; i++)
        image->pixels[i] = (uint8_t)((37 * i * i + 11 * i) % 256);
    return image;
}

static void assert_near(const linnet_image *image, const uint8_t *expected, int tolerance)
{
    for (int32_t i = 0; i < image->width * image->height * image->channels; i++)
        if (abs(image->pixels[i] - expected[i]) > tolerance)
            fail_msg("sample %d is %d, not %d", (int)i, image->pixels[i], expected[i]);
}

static void assert_resized(const linnet_image *image, int32_t width, int32_t height, linnet_resize_filter filter,
                           const uint8_t *expected, int tolerance)
{
    linnet_image *out = linnet_image_resize(NULL, image, width, height, filter);
    assert_non_null(out);
    assert_int_equal(out->width, width);
    assert_int_equal(out->height, height);
    assert_int_equal(out->channels, image->channels);
    assert_near(out, expected, tolerance);
    linnet_image_free(&out);
}

/* Expected: Image.resize of Pillow 9.4 with BILINEAR, BICUBIC and BOX, of pictures of mode F
   (floats, nothing is rounded or clamped between the passes), then clamped and rounded. */
static void resized_as_by_pillow(void **state)
{
    (void)state;
    static const uint8_t bilinear_small[] = {73, 154, 156, 193, 121, 121, 167, 174, 172, 117, 168, 160, 141, 152, 113};
    static const uint8_t bicubic_small[] = {64, 156, 155, 201, 120, 118, 170, 180, 174, 115, 174, 159, 136, 154, 110};
    static const uint8_t area_small[] = {56, 188, 168, 124, 120, 188, 168, 124, 184, 124, 168, 124};
    static const uint8_t area_smallest[] = {141, 154, 146, 138};
    static const uint8_t bilinear_large[] = {
        0,   28,  87,  167, 124, 117, 144, 208, 148, 110, 98,  119, 66,  88,  214, 216, 155, 127, 237, 222,
        148, 54,  167, 122, 119, 183, 235, 196, 153, 193, 221, 174, 88,  124, 119, 137, 183, 191, 173, 159,
        183, 169, 131, 86,  81,  116, 155, 182, 148, 150, 166, 172, 117, 88,  84,  129, 172, 186, 148, 124,
        164, 192, 129, 116, 114, 118, 248, 210, 187, 186, 61,  101, 175, 157, 190, 152, 74};
    static const uint8_t bicubic_large[] = {
        0,   18,  88,  169, 118, 106, 144, 211, 145, 102, 99,  129, 50,  70,  225, 234, 143, 107, 247, 244,
        144, 38,  187, 126, 108, 180, 255, 208, 144, 189, 245, 187, 84,  124, 115, 133, 184, 196, 172, 155,
        184, 175, 129, 82,  62,  104, 158, 188, 142, 141, 166, 178, 105, 71,  80,  120, 179, 199, 141, 117,
        175, 207, 120, 105, 114, 126, 255, 211, 188, 191, 39,  89,  185, 157, 205, 156, 64};
    static const uint8_t bicubic_tall[] = {59,  142, 133, 90,  168, 151, 133, 197, 172, 155, 199, 176, 138, 179,
                                           141, 121, 160, 106, 144, 166, 110, 178, 145, 135, 201, 124, 156};
    linnet_image *image = numbered(8, 6, 1);
    assert_resized(image, 5, 3, LINNET_RESIZE_BILINEAR, bilinear_small, 0);
    assert_resized(image, 5, 3, LINNET_RESIZE_BICUBIC, bicubic_small, 0);
    assert_resized(image, 4, 3, LINNET_RESIZE_AREA, area_small, 0);
    assert_resized(image, 2, 2, LINNET_RESIZE_AREA, area_smallest, 0);
    assert_resized(image, 11, 7, LINNET_RESIZE_BILINEAR, bilinear_large, 0);
    assert_resized(image, 11, 7, LINNET_RESIZE_BICUBIC, bicubic_large, 0);
    assert_resized(image, 3, 9, LINNET_RESIZE_BICUBIC, bicubic_tall, 0);
    linnet_image_free(&image);
}

static void colours_resized_as_by_pillow(void **state)
{
    (void)state;
    static const uint8_t rgb[] = {80, 129, 175, 79, 192, 215, 148, 172, 127, 153, 142, 173, 100, 86, 96, 113, 125, 147};
    static const uint8_t linear[] = {131, 133, 154, 155, 143, 102, 192, 130, 133, 124, 188, 84,
                                     119, 106, 123, 122, 107, 54,  147, 121, 141, 80,  146, 92};
    static const uint8_t cubic[] = {130, 138, 153, 156, 144, 102, 197, 132, 135, 125, 192, 81,
                                    123, 111, 117, 124, 102, 46,  142, 120, 147, 84,  144, 88};
    linnet_image *image = numbered(5, 4, 3);
    assert_resized(image, 2, 3, LINNET_RESIZE_BICUBIC, rgb, 0);
    linnet_image_free(&image);
    image = numbered(4, 5, 4); /* of mode RGBA, where Pillow rounds the colours times alpha to 8 bits */
    assert_resized(image, 3, 2, LINNET_RESIZE_BILINEAR, linear, 2);
    assert_resized(image, 3, 2, LINNET_RESIZE_BICUBIC, cubic, 2);
    linnet_image_free(&image);
}

/* 3 samples become 2: each new one covers one and a half. By hand. */
static void area_counts_parts_of_pixels(void **state)
{
    (void)state;
    linnet_image *image = linnet_image_new(NULL, 3, 1, 1);
    memcpy(image->pixels, "\0\x5a\xf0", 3); /* 0, 90, 240 */
    assert_resized(image, 2, 1, LINNET_RESIZE_AREA, (const uint8_t[]){30, 190}, 0);
    assert_resized(image, 1, 1, LINNET_RESIZE_AREA, (const uint8_t[]){110}, 0);
    assert_resized(image, 6, 1, LINNET_RESIZE_AREA, (const uint8_t[]){0, 0, 90, 90, 240, 240}, 0);
    assert_resized(image, 2, 2, LINNET_RESIZE_AREA, (const uint8_t[]){30, 190, 30, 190}, 0);
    linnet_image_free(&image);
}

/* The colour of what is not seen does not shine through. */
static void alpha_weighs_colours(void **state)
{
    (void)state;
    linnet_image *image = linnet_image_new(NULL, 2, 1, 4);
    memcpy(image->pixels, "\xff\0\0\xff\0\xff\0\0", 8); /* red, and green that is clear */
    for (int filter = LINNET_RESIZE_BILINEAR; filter <= LINNET_RESIZE_AREA; filter++)
        assert_resized(image, 1, 1, (linnet_resize_filter)filter, (const uint8_t[]){255, 0, 0, 128}, 0);
    linnet_image_free(&image);
    image = linnet_image_new(NULL, 3, 3, 2); /* nothing is seen at all */
    assert_resized(image, 2, 2, LINNET_RESIZE_BICUBIC, (const uint8_t[8]){0}, 0);
    linnet_image_free(&image);
}

static void resizing_keeps_what_is_even(void **state)
{
    (void)state;
    static const int32_t sizes[] = {1, 2, 3, 7, 16, 33};
    for (int filter = LINNET_RESIZE_BILINEAR; filter <= LINNET_RESIZE_AREA; filter++)
        for (int i = 0; i < 36; i++) {
            linnet_image *image = linnet_image_new(NULL, 7, 5, 3);
            memset(image->pixels, 201, 7 * 5 * 3);
            linnet_image *out =
                linnet_image_resize(NULL, image, sizes[i / 6], sizes[i % 6], (linnet_resize_filter)filter);
            for (int32_t k = 0; k < out->width * out->height * 3; k++)
                assert_int_equal(out->pixels[k], 201);
            linnet_image_free(&out);
            linnet_image_free(&image);
            image = numbered(7, 5, 3); /* and the same size is the same picture */
            out = linnet_image_resize(NULL, image, 7, 5, (linnet_resize_filter)filter);
            assert_memory_equal(out->pixels, image->pixels, 7 * 5 * 3);
            linnet_image_free(&out);
            linnet_image_free(&image);
        }
}

static void resizing_to_the_extremes(void **state)
{
    (void)state;
    linnet_image *image = linnet_image_new(NULL, LINNET_IMAGE_MAX_SIDE, 1, 1);
    memset(image->pixels, 77, LINNET_IMAGE_MAX_SIDE);
    linnet_image *out = linnet_image_resize(NULL, image, 1, 900, LINNET_RESIZE_BICUBIC);
    assert_non_null(out);
    assert_int_equal(out->pixels[899], 77);
    linnet_image_free(&out);
    assert_null(linnet_image_resize(NULL, image, LINNET_IMAGE_MAX_SIDE + 1, 1, LINNET_RESIZE_AREA));
    assert_failed_with(LINNET_LIMIT, "16385");
    assert_null(linnet_image_resize(NULL, image, 0, 1, LINNET_RESIZE_AREA));
    assert_failed_with(LINNET_INVALID, "0 x 1");
    assert_null(linnet_image_resize(NULL, image, 1, 1, (linnet_resize_filter)3));
    assert_failed_with(LINNET_INVALID, "filter");
    assert_null(linnet_image_resize(NULL, NULL, 1, 1, LINNET_RESIZE_AREA));
    assert_failed_with(LINNET_INVALID, "no picture");
    for (int64_t allowed = 0; !out && allowed < 20; allowed++) {
        linnet_memory_fail_after(allowed);
        out = linnet_image_resize(NULL, image, 2, 2, LINNET_RESIZE_AREA);
        linnet_memory_fail_after(-1);
        if (!out)
            assert_failed_with(LINNET_OUT_OF_MEMORY, "image");
    }
    assert_non_null(out);
    linnet_image_free(&out);
    linnet_image_free(&image);
}

/* ---- Channels and parts ---- */

static void converted(void **state)
{
    (void)state;
    linnet_image *image = linnet_image_new(NULL, 2, 1, 4);
    memcpy(image->pixels, "\xff\x80\0\xff\0\x80\xff\x40", 8); /* opaque; one quarter */
    linnet_image *rgb = linnet_image_convert(NULL, image, 3), *grey = linnet_image_convert(NULL, image, 1);
    assert_int_equal(rgb->channels * 10 + grey->channels, 31);
    assert_memory_equal(rgb->pixels, "\xff\x80\0\xbf\xdf\xff", 6); /* 255 - 64 = 191, 255 - 127 * 64 / 255 = 223 */
    assert_int_equal(grey->pixels[0], 151);                        /* 0.299 * 255 + 0.587 * 128 = 151.4 */
    assert_int_equal(grey->pixels[1], 217);                        /* 0.299 * 191 + 0.587 * 223.1 + 0.114 * 255 */
    linnet_image *back = linnet_image_convert(NULL, grey, 3);
    assert_memory_equal(back->pixels, "\x97\x97\x97\xd9\xd9\xd9", 6);
    assert_null(linnet_image_convert(NULL, image, 2));
    assert_failed_with(LINNET_INVALID, "channels");
    assert_null(linnet_image_convert(NULL, NULL, 1));
    linnet_image_free(&image);
    linnet_image_free(&rgb);
    linnet_image_free(&grey);
    linnet_image_free(&back);
}

static void cropped_and_enlarged(void **state)
{
    (void)state;
    linnet_image *image = numbered(5, 4, 3);
    linnet_image *part = linnet_image_crop(NULL, image, 2, 1, 3, 2);
    for (int y = 0; y < 2; y++)
        assert_memory_equal(part->pixels + y * 9, image->pixels + ((y + 1) * 5 + 2) * 3, 9);
    linnet_image *large = linnet_image_enlarge(NULL, part, 3);
    assert_int_equal(large->width * 100 + large->height, 906);
    for (int y = 0; y < 6; y++)
        for (int x = 0; x < 9; x++)
            assert_memory_equal(large->pixels + (y * 9 + x) * 3, part->pixels + (y / 3 * 3 + x / 3) * 3, 3);
    static const int32_t outside[][4] = {{-1, 0, 1, 1}, {0, -1, 1, 1},        {0, 0, 6, 1},
                                         {3, 0, 3, 1},  {0, 0, 0, 1},         {0, 0, 1, -1},
                                         {0, 2, 1, 3},  {INT32_MAX, 0, 1, 1}, {1, 0, INT32_MAX, 1}};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_null(linnet_image_crop(NULL, image, outside[i][0], outside[i][1], outside[i][2], outside[i][3]));
        assert_failed_with(LINNET_INVALID, "not inside 5 x 4");
    }
    assert_null(linnet_image_enlarge(NULL, image, 0));
    assert_null(linnet_image_enlarge(NULL, image, LINNET_IMAGE_MAX_SIDE));
    assert_failed_with(LINNET_LIMIT, "at most");
    linnet_image_free(&image);
    linnet_image_free(&part);
    linnet_image_free(&large);
}

/* The eight ways of a 2 x 3 picture "ab / cd / ef", row by row (Exif 2.32, figure for tag 274). */
static void turned_upright(void **state)
{
    (void)state;
    static const struct {
        int32_t width;
        const char *pixels;
    } turned[9] = {{2, "abcdef"}, {2, "abcdef"}, {2, "badcfe"}, {2, "fedcba"}, {2, "efcdab"},
                   {3, "acebdf"}, {3, "ecafdb"}, {3, "fdbeca"}, {3, "bdface"}};
    for (int deep = 0; deep < 2; deep++)
        for (int orientation = 0; orientation <= 9; orientation++) {
            linnet_image *image = deep ? linnet_image_new_deep(NULL, 2, 3, 1) : linnet_image_new(NULL, 2, 3, 1);
            for (int i = 0; i < 6; i++)
                if (deep)
                    image->pixels16[i] = (uint16_t)('a' + i);
                else
                    image->pixels[i] = (uint8_t)('a' + i);
            assert_int_equal(linnet_image_turn(NULL, &image, orientation), LINNET_OK);
            assert_int_equal(image->width, turned[orientation % 9].width);
            for (int i = 0; i < 6; i++)
                assert_int_equal(deep ? image->pixels16[i] : image->pixels[i], turned[orientation % 9].pixels[i]);
            linnet_image_free(&image);
        }
}

/* ---- Planes and depth ---- */

static void planes_there_and_back(void **state)
{
    (void)state;
    static float planes[3 * 256 * 256];
    linnet_image *image = linnet_image_new(NULL, 256, 2, 3);
    for (int i = 0; i < 256 * 2 * 3; i++)
        image->pixels[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(linnet_image_to_planes(image, 3, planes), LINNET_OK);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 512; i++)
            assert_true(fabsf(planes[c * 512 + i] - (float)image->pixels[3 * i + c] / 255) < 1e-7f);
    linnet_image *back = linnet_image_from_planes(NULL, planes, 3, 2, 256);
    assert_memory_equal(back->pixels, image->pixels, 256 * 2 * 3);
    linnet_image_free(&back);
    linnet_image_free(&image);
    image = linnet_image_new_deep(NULL, 256, 256, 1);
    for (int i = 0; i < 65536; i++)
        image->pixels16[i] = (uint16_t)i;
    assert_int_equal(linnet_image_to_planes(image, 1, planes), LINNET_OK);
    back = linnet_image_from_planes_deep(NULL, planes, 1, 256, 256);
    assert_memory_equal(back->pixels16, image->pixels16, 65536 * 2);
    linnet_image_free(&back);
    linnet_image_free(&image);
}

static void planes_of_every_kind(void **state)
{
    (void)state;
    float planes[6];
    linnet_image *image = linnet_image_new(NULL, 2, 1, 2);
    memcpy(image->pixels, "\x33\xff\x33\0", 4); /* grey 0.2 opaque; clear, i.e. white */
    assert_int_equal(linnet_image_to_planes(image, 3, planes), LINNET_OK);
    for (int i = 0; i < 6; i++)
        assert_true(fabsf(planes[i] - (i % 2 ? 1 : 0.2f)) < 1e-6f);
    assert_int_equal(linnet_image_to_planes(image, 2, planes), LINNET_INVALID);
    assert_int_equal(linnet_image_to_planes(NULL, 1, planes), LINNET_INVALID);
    linnet_image_free(&image);
    image = linnet_image_from_planes(NULL, (const float[]){-1, 0.5f, 2, NAN, INFINITY, -INFINITY}, 1, 2, 3);
    assert_memory_equal(image->pixels, "\0\x80\xff\0\xff\0", 6);
    linnet_image_free(&image);
    assert_null(linnet_image_from_planes(NULL, planes, 4, 1, 1));
    assert_null(linnet_image_from_planes(NULL, NULL, 1, 1, 1));
    assert_null(linnet_image_from_planes(NULL, planes, 1, 0, 1));
    assert_failed_with(LINNET_INVALID, "1 x 0");
}

static void pictures_of_tensors(void **state)
{
    (void)state;
    uint8_t bytes[] = {1, 2, 3, 4, 5, 6};
    linnet_image *image = linnet_image_from_tensor(NULL, &(linnet_tensor){LINNET_U8, 3, {3, 1, 2}, bytes});
    assert_memory_equal(image->pixels, "\1\3\5\2\4\6", 6);
    linnet_image_free(&image);
    float floats[] = {0, 0.5f, 1, 2};
    image = linnet_image_from_tensor(NULL, &(linnet_tensor){LINNET_F32, 3, {1, 2, 2}, floats});
    assert_int_equal(image->channels, 1);
    assert_memory_equal(image->pixels, "\0\x80\xff\xff", 4);
    linnet_image_free(&image);
    const linnet_tensor wrong[] = {{LINNET_U8, 3, {2, 1, 2}, bytes},
                                   {LINNET_U8, 2, {1, 2}, bytes},
                                   {LINNET_I32, 3, {1, 1, 1}, bytes},
                                   {LINNET_U8, 3, {1, 1, 0}, bytes},
                                   {LINNET_U8, 3, {1, (int64_t)1 << 32, 1}, bytes},
                                   {LINNET_U8, 3, {1, 1, 1}, NULL}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(linnet_image_from_tensor(NULL, &wrong[i]));
        assert_failed_with(LINNET_INVALID, "[1 or 3,H,W]");
    }
    assert_null(linnet_image_from_tensor(NULL, NULL));
}

/* Every function that makes pictures keeps 16 bits; what draws leaves them alone. */
static void deep_stays_deep(void **state)
{
    (void)state;
    linnet_image *image = linnet_image_new_deep(NULL, 4, 4, 3);
    assert_null(image->pixels);
    for (int i = 0; i < 48; i++)
        image->pixels16[i] = (uint16_t)(1000 * i + 7);
    uint16_t before[48];
    memcpy(before, image->pixels16, sizeof before);
    linnet_image_fill(image, 0, 0, 4, 4, 0xFFFFFF);
    linnet_image_line(image, 0, 0, 3, 3, 0xFFFFFF);
    linnet_image_frame(image, 0, 0, 4, 4, 0xFFFFFF);
    linnet_image_text(image, 0, 0, 1, 0xFFFFFF, "x");
    linnet_image *plain = numbered(2, 2, 3);
    linnet_image_blit(image, 0, 0, plain);
    linnet_image_blit(plain, 0, 0, image);
    assert_memory_equal(image->pixels16, before, sizeof before);
    linnet_image *half = linnet_image_resize(NULL, image, 2, 2, LINNET_RESIZE_AREA);
    assert_int_equal(half->pixels16[0], 7507); /* mean of samples 0, 3, 12, 15 */
    linnet_image *grey = linnet_image_convert(NULL, image, 1);
    assert_int_equal(grey->pixels16[0], 822); /* 0.299 * 7 + 0.587 * 1007 + 0.114 * 2007 = 822.0 */
    linnet_image *part = linnet_image_crop(NULL, image, 1, 1, 1, 1), *large = linnet_image_enlarge(NULL, part, 2);
    assert_int_equal(large->pixels16[11], before[17]);
    linnet_image_free(&image);
    linnet_image_free(&plain);
    linnet_image_free(&half);
    linnet_image_free(&grey);
    linnet_image_free(&part);
    linnet_image_free(&large);
}

#ifdef LINNET_HAVE_PNG

static void deep_png_there_and_back(void **state)
{
    const char *path = path_in(*state, "deep.png");
    for (int32_t channels = 1; channels <= 4; channels++) {
        linnet_image *image = linnet_image_new_deep(NULL, 9, 5, channels);
        for (int i = 0; i < 45 * channels; i++)
            image->pixels16[i] = (uint16_t)(911 * i + 3);
        assert_int_equal(linnet_image_write(NULL, image, path), LINNET_OK);
        linnet_image *back = linnet_image_read_deep(NULL, path), *plain = linnet_image_read(NULL, path);
        assert_non_null(back);
        assert_null(back->pixels);
        assert_memory_equal(back->pixels16, image->pixels16, (size_t)(90 * channels));
        assert_null(plain->pixels16);
        for (int i = 0; i < 45 * channels; i++)
            assert_int_equal(plain->pixels[i], (image->pixels16[i] * 255 + 32895) >> 16); /* as libpng rounds */
        linnet_image_free(&back);
        linnet_image_free(&plain);
        linnet_image_free(&image);
    }
    linnet_image *image = numbered(3, 3, 1); /* one of 8 bits stays so */
    assert_int_equal(linnet_image_write(NULL, image, path), LINNET_OK);
    linnet_image *back = linnet_image_read_deep(NULL, path);
    assert_non_null(back->pixels);
    assert_null(back->pixels16);
    linnet_image_free(&back);
    linnet_image_free(&image);
}

#endif

/* ---- Drawing ---- */

/* The picture as letters: '#' where it is not 0. */
static void assert_drawn(linnet_image *image, const char *expected)
{
    for (int32_t i = 0; i < image->width * image->height; i++)
        if ((image->pixels[i] != 0) != (expected[i] == '#'))
            fail_msg("pixel %d, %d", (int)(i % image->width), (int)(i / image->width));
    memset(image->pixels, 0, (size_t)(image->width * image->height));
}

static void lines_and_frames(void **state)
{
    (void)state;
    linnet_image *image = linnet_image_new(NULL, 6, 4, 1);
    linnet_image_line(image, 0, 0, 5, 3, 0xFFFFFF);
    assert_drawn(image, "#....."
                        ".##..."
                        "...##."
                        ".....#");
    linnet_image_line(image, 2, 3, 1, 0, 0xFFFFFF);
    assert_drawn(image, ".#...."
                        ".#...."
                        "..#..."
                        "..#...");
    linnet_image_line(image, 4, 2, 4, 2, 0xFFFFFF);
    linnet_image_line(image, 9, 0, -9, 0, 0xFFFFFF);
    assert_drawn(image, "######"
                        "......"
                        "....#."
                        "......");
    linnet_image_line(image, INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX, 0xFFFFFF);
    assert_drawn(image, "#....."
                        ".#...."
                        "..#..."
                        "...#..");
    linnet_image_line(image, INT32_MAX, -5, INT32_MAX, INT32_MAX, 0xFFFFFF);
    linnet_image_frame(image, 1, 1, 4, 3, 0xFFFFFF);
    assert_drawn(image, "......"
                        ".####."
                        ".#..#."
                        ".####.");
    linnet_image_frame(image, -1, -1, 3, 3, 0xFFFFFF);
    linnet_image_frame(image, 4, 2, INT32_MAX, INT32_MAX, 0xFFFFFF);
    linnet_image_frame(image, 0, 0, 0, 5, 0xFFFFFF);
    assert_drawn(image, ".#...."
                        "##...."
                        "....##"
                        "....#.");
    linnet_image_line(NULL, 0, 0, 1, 1, 0);
    linnet_image_frame(NULL, 0, 0, 1, 1, 0);
    linnet_image_free(&image);
}

static void laid_on_one_another(void **state)
{
    (void)state;
    linnet_image *page = linnet_image_new(NULL, 3, 3, 3), *tile = numbered(2, 2, 3);
    static const int32_t places[] = {INT32_MIN, -2, -1, 0, 1, 2, 3, INT32_MAX};
    for (int i = 0; i < 64; i++) {
        memset(page->pixels, 9, 27);
        linnet_image_blit(page, places[i / 8], places[i % 8], tile);
        for (int p = 0; p < 9; p++) {
            int64_t u = p % 3 - (int64_t)places[i / 8], v = p / 3 - (int64_t)places[i % 8];
            bool inside = u >= 0 && u < 2 && v >= 0 && v < 2;
            assert_memory_equal(page->pixels + 3 * p,
                                inside ? tile->pixels + (v * 2 + u) * 3 : (const uint8_t *)"\t\t\t", 3);
        }
    }
    linnet_image_free(&tile);
    tile = linnet_image_new(NULL, 1, 1, 4);
    memcpy(tile->pixels, "\xff\x64\0\x80", 4); /* 128 of 255 */
    memset(page->pixels, 100, 27);
    linnet_image_blit(page, 0, 0, tile);
    assert_memory_equal(page->pixels, "\xb2\x64\x32", 3); /* 255 * .502 + 100 * .498 = 177.8; 100; 49.8 */
    linnet_image *clear = linnet_image_new(NULL, 1, 1, 4);
    linnet_image_blit(clear, 0, 0, tile);
    assert_memory_equal(clear->pixels, tile->pixels, 4);
    linnet_image_blit(clear, 0, 0, tile); /* half over half: three quarters, the same colour */
    assert_memory_equal(clear->pixels, "\xff\x64\0\xc0", 4);
    linnet_image_free(&page);
    linnet_image_free(&tile);
    linnet_image_free(&clear);
}

/* ---- Names of files ---- */

static void endings_say_the_format(void **state)
{
    linnet_image *image = numbered(3, 2, 1);
    static const char *const wrong[] = {"a.gif", "a", "png", "a.png.txt", "folder.png/a", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(linnet_image_check_path(NULL, wrong[i]), LINNET_INVALID);
        assert_failed_with(LINNET_INVALID, ".png, .jpg or .jpeg");
        assert_int_equal(linnet_image_write(NULL, image, wrong[i]), LINNET_INVALID);
    }
    assert_int_equal(linnet_image_check_path(NULL, NULL), LINNET_INVALID);
    assert_int_equal(linnet_image_write(NULL, image, NULL), LINNET_INVALID);
    linnet_image both = {2, 2, 1, image->pixels, (uint16_t *)(void *)image->pixels};
    assert_int_equal(linnet_image_write(NULL, &both, path_in(*state, "a.png")), LINNET_INVALID);
    linnet_status png = linnet_png_built() ? LINNET_OK : LINNET_UNSUPPORTED;
    linnet_status jpeg = linnet_jpeg_built() ? LINNET_OK : LINNET_UNSUPPORTED;
    assert_int_equal(linnet_image_check_path(NULL, "a.PNG"), png);
    assert_int_equal(linnet_image_check_path(NULL, "b/a.JPeg"), jpeg);
    assert_int_equal(linnet_image_write(NULL, image, path_in(*state, "a.Jpg")), jpeg);
    assert_int_equal(linnet_image_write(NULL, image, path_in(*state, "a.png")), png);
    linnet_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resized_as_by_pillow),
        cmocka_unit_test(colours_resized_as_by_pillow),
        cmocka_unit_test(area_counts_parts_of_pixels),
        cmocka_unit_test(alpha_weighs_colours),
        cmocka_unit_test(resizing_keeps_what_is_even),
        cmocka_unit_test(resizing_to_the_extremes),
        cmocka_unit_test(converted),
        cmocka_unit_test(cropped_and_enlarged),
        cmocka_unit_test(turned_upright),
        cmocka_unit_test(planes_there_and_back),
        cmocka_unit_test(planes_of_every_kind),
        cmocka_unit_test(pictures_of_tensors),
        cmocka_unit_test(deep_stays_deep),
        cmocka_unit_test(lines_and_frames),
        cmocka_unit_test(laid_on_one_another),
        cmocka_unit_test_setup_teardown(endings_say_the_format, folder_make, folder_remove),
#ifdef LINNET_HAVE_PNG
        cmocka_unit_test_setup_teardown(deep_png_there_and_back, folder_make, folder_remove),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
