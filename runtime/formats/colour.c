/* SPDX-License-Identifier: Apache-2.0 */
/* Colour maps as curves in CIELAB, and pictures of numbers. */
#include "linnet/colour.h"

#include "core/core.h"
#include "picture.h"

#include <math.h>

typedef struct lch {
    double lightness, chroma, hue; /* L*, C*, degrees */
} lch;

/*
 * L* even in t. Chroma is a parabola that stays inside sRGB along this path of hues; the hue is the cubic that makes
 * the whole way, measured as the distance in CIELAB, even in t, too (fitted numerically: steps differ by 2 % at most).
 */
static lch sequential(double t)
{
    return (lch){14 + 81 * t, 33 - 11 * t + 4 * 31 * t * (1 - t), 290.04 + t * (193.98 + t * (-85.35 + t * 62.85))};
}

/* Two straight lines from the middle; both hues keep chroma 54 at lightness 38 inside sRGB. */
static lch diverging(double t)
{
    double far = fabs(2 * t - 1);
    return (lch){92 - 54 * far, 54 * far, t < 0.5 ? 285 : 35};
}

/* CIELAB's inverse of its cube root with a straight foot. */
static double lab_inverse(double f)
{
    return f > 6.0 / 29 ? f * f * f : 3 * (6.0 / 29) * (6.0 / 29) * (f - 4.0 / 29);
}

/* IEC 61966-2-1. */
static uint32_t srgb_byte(double linear)
{
    linear = linear < 0 ? 0 : linear > 1 ? 1 : linear;
    double value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
    return (uint32_t)(255 * value + 0.5);
}

static uint32_t to_srgb(lch colour)
{
    double angle = colour.hue * 0.017453292519943295;
    double y = (colour.lightness + 16) / 116;
    double big_x = 0.95047 * lab_inverse(y + colour.chroma * cos(angle) / 500);
    double big_y = lab_inverse(y);
    double big_z = 1.08883 * lab_inverse(y - colour.chroma * sin(angle) / 200);
    uint32_t red = srgb_byte(3.2404542 * big_x - 1.5371385 * big_y - 0.4985314 * big_z);
    uint32_t green = srgb_byte(-0.9692660 * big_x + 1.8760108 * big_y + 0.0415560 * big_z);
    uint32_t blue = srgb_byte(0.0556434 * big_x - 0.2040259 * big_y + 1.0572252 * big_z);
    return red << 16 | green << 8 | blue;
}

uint32_t linnet_colour(linnet_colour_map map, float t)
{
    if (isnan(t))
        return LINNET_COLOUR_NAN;
    double at = t < 0 ? 0 : t > 1 ? 1 : (double)t;
    return to_srgb(map == LINNET_COLOUR_DIVERGING ? diverging(at)
                   : map == LINNET_COLOUR_GREY    ? (lch){100 * at, 0, 0}
                                                  : sequential(at));
}

void linnet_colour_range(linnet_colour_map map, const float *values, size_t count, float *out_low, float *out_high)
{
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; values && i < count; i++)
        if (isfinite(values[i])) {
            low = values[i] < low ? values[i] : low;
            high = values[i] > high ? values[i] : high;
        }
    if (low > high || (low == 0 && high == 0)) {
        low = 0;
        high = 1;
    }
    if (map == LINNET_COLOUR_DIVERGING) {
        high = fmaxf(fabsf(low), fabsf(high));
        low = -high;
    } else if (low == high) { /* all alike: the middle */
        low -= fabsf(high);
        high += fabsf(high);
    }
    *out_low = low;
    *out_high = high;
}

/* The colour of a number by a table of 256. */
static uint32_t look_up(const uint32_t *table, float value, float low, float high)
{
    if (isnan(value))
        return LINNET_COLOUR_NAN;
    double t = ((double)value - low) / ((double)high - low);
    return table[t <= 0 ? 0 : t >= 1 ? 255 : (size_t)(255 * t + 0.5)];
}

linnet_image *linnet_image_from_map(linnet_context *context, const float *map, int32_t height, int32_t width, float low,
                                    float high, linnet_colour_map colours)
{
    context = linnet_context_or_default(context);
    if (!map || !isfinite(low) || !isfinite(high)) {
        linnet_fail(context, LINNET_INVALID, "image from map: no numbers, or no range");
        return NULL;
    }
    linnet_image *image = linnet_image_new(context, width, height, 3);
    if (!image)
        return NULL;
    size_t count = (size_t)width * (size_t)height;
    if (low == high)
        linnet_colour_range(colours, map, count, &low, &high);
    uint32_t table[256];
    for (int i = 0; i < 256; i++)
        table[i] = linnet_colour(colours, (float)i / 255);
    for (size_t i = 0; i < count; i++) {
        uint32_t colour = look_up(table, map[i], low, high);
        for (int c = 0; c < 3; c++)
            image->pixels[3 * i + (size_t)c] = (uint8_t)(colour >> (16 - 8 * c));
    }
    return image;
}
