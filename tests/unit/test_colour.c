/* SPDX-License-Identifier: Apache-2.0 */
/* Colour maps: even in CIELAB, neutral in the middle; numbers as pictures; the legend. */
#include "files.h"
#include "linnet/colour.h"

#include <math.h>

typedef struct lab {
    double l, a, b;
} lab;

static double linear(uint32_t byte)
{
    double value = (double)byte / 255;
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static double root(double t)
{
    return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

/* sRGB to CIELAB, D65: the way back from what the maps compute. */
static lab lab_of(uint32_t colour)
{
    double r = linear(colour >> 16 & 255), g = linear(colour >> 8 & 255), b = linear(colour & 255);
    double x = root((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
    double y = root(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
    double z = root((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);
    return (lab){116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

static double distance(lab p, lab q)
{
    return sqrt((p.l - q.l) * (p.l - q.l) + (p.a - q.a) * (p.a - q.a) + (p.b - q.b) * (p.b - q.b));
}

/* Rounding to bytes moves L* by at most 0.3. A colour that left sRGB and was clamped would lie elsewhere. */
static void lightness_rises_evenly(void **state)
{
    (void)state;
    double before = -1;
    for (int i = 0; i < 256; i++) {
        double t = i / 255.0;
        lab colour = lab_of(linnet_colour(LINNET_COLOUR_SEQUENTIAL, (float)t));
        assert_true(fabs(colour.l - (14 + 81 * t)) < 0.3);
        assert_true(colour.l > before);
        before = colour.l;
        colour = lab_of(linnet_colour(LINNET_COLOUR_GREY, (float)t));
        assert_true(fabs(colour.l - 100 * t) < 0.3);
        assert_true(hypot(colour.a, colour.b) < 0.1);
    }
    assert_int_equal(linnet_colour(LINNET_COLOUR_GREY, 0), 0);
    assert_int_equal(linnet_colour(LINNET_COLOUR_GREY, 1), 0xFFFFFF);
}

/* The whole difference, not only lightness: 8 steps of one length within 5 %, of which rounding to bytes is the half.
 */
static void steps_are_equally_large(void **state)
{
    (void)state;
    for (int map = LINNET_COLOUR_SEQUENTIAL; map <= LINNET_COLOUR_DIVERGING; map++) {
        double least = INFINITY, most = 0;
        for (int i = 0; i < 8; i++) {
            double step = distance(lab_of(linnet_colour((linnet_colour_map)map, (float)i / 8)),
                                   lab_of(linnet_colour((linnet_colour_map)map, (float)(i + 1) / 8)));
            least = fmin(least, step);
            most = fmax(most, step);
        }
        if (most > 1.05 * least)
            fail_msg("map %d: steps from %g to %g", map, least, most);
    }
}

static void both_sides_alike(void **state)
{
    (void)state;
    lab middle = lab_of(linnet_colour(LINNET_COLOUR_DIVERGING, 0.5f));
    assert_true(hypot(middle.a, middle.b) < 0.5);
    assert_true(fabs(middle.l - 92) < 0.3);
    double before = 93;
    for (int i = 0; i <= 128; i++) {
        double far = i / 128.0;
        lab low = lab_of(linnet_colour(LINNET_COLOUR_DIVERGING, (float)(0.5 - far / 2)));
        lab high = lab_of(linnet_colour(LINNET_COLOUR_DIVERGING, (float)(0.5 + far / 2)));
        assert_true(fabs(low.l - high.l) < 0.5);
        assert_true(fabs(hypot(low.a, low.b) - hypot(high.a, high.b)) < 1);
        assert_true(low.l < before);
        before = low.l;
    }
    uint32_t low = linnet_colour(LINNET_COLOUR_DIVERGING, 0), high = linnet_colour(LINNET_COLOUR_DIVERGING, 1);
    assert_true((low & 255) > 128 && (low >> 16) < 64);   /* blue */
    assert_true((high >> 16) > 128 && (high & 255) < 64); /* red */
}

static void outside_is_the_end(void **state)
{
    (void)state;
    for (int map = LINNET_COLOUR_SEQUENTIAL; map <= LINNET_COLOUR_GREY; map++) {
        linnet_colour_map m = (linnet_colour_map)map;
        assert_int_equal(linnet_colour(m, -3), linnet_colour(m, 0));
        assert_int_equal(linnet_colour(m, INFINITY), linnet_colour(m, 1));
        assert_int_equal(linnet_colour(m, NAN), LINNET_COLOUR_NAN);
    }
}

static uint32_t colour_at(const linnet_image *image, int32_t x, int32_t y)
{
    const uint8_t *pixel = image->pixels + (y * image->width + x) * 3;
    return (uint32_t)pixel[0] << 16 | (uint32_t)pixel[1] << 8 | pixel[2];
}

static void numbers_become_colours(void **state)
{
    (void)state;
    static const float map[] = {-2, -1, 0, 1, NAN, 9};
    linnet_image *image = linnet_image_from_map(NULL, map, 2, 3, -1, 1, LINNET_COLOUR_DIVERGING);
    assert_int_equal(image->channels * 100 + image->width * 10 + image->height, 332);
    static const float places[] = {0, 0, 128.0f / 255, 1, NAN, 1}; /* the middle of 256 steps: the upper of two */
    for (int i = 0; i < 6; i++)
        assert_int_equal(colour_at(image, i % 3, i / 3), linnet_colour(LINNET_COLOUR_DIVERGING, places[i]));
    linnet_image_free(&image);
    image = linnet_image_from_map(NULL, map, 2, 3, 0, 0, LINNET_COLOUR_SEQUENTIAL); /* from -2 to 9 */
    assert_int_equal(colour_at(image, 0, 0), linnet_colour(LINNET_COLOUR_SEQUENTIAL, 0));
    assert_int_equal(colour_at(image, 1, 0), linnet_colour(LINNET_COLOUR_SEQUENTIAL, 23.0f / 255)); /* 1/11 of 255 */
    assert_int_equal(colour_at(image, 2, 1), linnet_colour(LINNET_COLOUR_SEQUENTIAL, 1));
    linnet_image_free(&image);
    image = linnet_image_from_map(NULL, map, 2, 3, 1, -1, LINNET_COLOUR_GREY); /* the other way round */
    assert_int_equal(colour_at(image, 1, 0), 0xFFFFFF);
    assert_int_equal(colour_at(image, 0, 1), 0);
    linnet_image_free(&image);
    assert_null(linnet_image_from_map(NULL, NULL, 2, 3, 0, 1, LINNET_COLOUR_GREY));
    assert_null(linnet_image_from_map(NULL, map, 2, 3, NAN, 1, LINNET_COLOUR_GREY));
    assert_failed_with(LINNET_INVALID, "range");
    assert_null(linnet_image_from_map(NULL, map, 0, 3, 0, 1, LINNET_COLOUR_GREY));
}

static void ranges(void **state)
{
    (void)state;
    static const struct {
        linnet_colour_map map;
        float values[3], low, high;
    } cases[] = {
        {LINNET_COLOUR_SEQUENTIAL, {3, -1, 2}, -1, 3},   {LINNET_COLOUR_DIVERGING, {3, -1, 2}, -3, 3},
        {LINNET_COLOUR_DIVERGING, {-4, -1, NAN}, -4, 4}, {LINNET_COLOUR_SEQUENTIAL, {INFINITY, NAN, 2}, 0, 4},
        {LINNET_COLOUR_SEQUENTIAL, {-2, -2, -2}, -4, 0}, {LINNET_COLOUR_SEQUENTIAL, {0, 0, 0}, 0, 1},
        {LINNET_COLOUR_DIVERGING, {0, 0, 0}, -1, 1},     {LINNET_COLOUR_GREY, {NAN, NAN, -INFINITY}, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float low = 77, high = 77;
        linnet_colour_range(cases[i].map, cases[i].values, 3, &low, &high);
        assert_true(low == cases[i].low && high == cases[i].high);
    }
}

static void legends(void **state)
{
    (void)state;
    linnet_image *bar = linnet_image_colour_bar(NULL, LINNET_COLOUR_DIVERGING, -2, 2, 0);
    assert_int_equal(bar->width, 168);
    assert_int_equal(colour_at(bar, 1, 5), linnet_colour(LINNET_COLOUR_DIVERGING, 0));
    assert_int_equal(colour_at(bar, 166, 5), linnet_colour(LINNET_COLOUR_DIVERGING, 1));
    bool ink[3] = {false}; /* of the numbers, in three thirds, none at the very edge of the last row */
    for (int32_t x = 0; x < 168; x++)
        for (int32_t y = 15; y < bar->height; y++)
            ink[x / 56] = ink[x / 56] || colour_at(bar, x, y) != 0xFFFFFF;
    assert_true(ink[0] && ink[1] && ink[2]);
    linnet_image_free(&bar);
    bar = linnet_image_colour_bar(NULL, LINNET_COLOUR_SEQUENTIAL, -1.2345e-30f, -9.876e-31f, 60); /* wide numbers */
    assert_non_null(bar);
    linnet_image_free(&bar);
    assert_null(linnet_image_colour_bar(NULL, LINNET_COLOUR_SEQUENTIAL, 0, 1, 59));
    assert_failed_with(LINNET_INVALID, "at least 60");
    linnet_memory_fail_after(0);
    assert_null(linnet_image_colour_bar(NULL, LINNET_COLOUR_SEQUENTIAL, 0, 1, 0));
    linnet_memory_fail_after(-1);
    assert_failed_with(LINNET_OUT_OF_MEMORY, "image");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lightness_rises_evenly),
        cmocka_unit_test(steps_are_equally_large),
        cmocka_unit_test(both_sides_alike),
        cmocka_unit_test(outside_is_the_end),
        cmocka_unit_test(numbers_become_colours),
        cmocka_unit_test(ranges),
        cmocka_unit_test(legends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
