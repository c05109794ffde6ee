/* SPDX-License-Identifier: Apache-2.0 */
/* Synthetic handwritten digits: shapes (tables), a pen that deforms and draws them. Internal. */
#ifndef LINNET_DIGITS_H
#define LINNET_DIGITS_H

#include <stddef.h>
#include <stdint.h>

enum { LINNET_DIGIT_SIDE = 28, LINNET_DIGIT_PIXELS = 28 * 28, LINNET_DIGIT_MAX_POINTS = 20 };

enum {
    LINNET_PEN_SMOOTH = 0, /* the line runs through this point without a bend */
    LINNET_PEN_CORNER = 1, /* it may bend here */
    LINNET_PEN_START = 2   /* the pen comes down here */
};

/* A point of a shape lies anywhere between two extremes a and b, both in percent of the writing box, y downwards; one
   random number slides all points of a digit together, so that a shape is a family. */
typedef struct linnet_pen_point {
    int8_t ax, ay, bx, by;
    uint8_t kind; /* LINNET_PEN_... */
} linnet_pen_point;

typedef struct linnet_digit_shape {
    uint8_t digit;
    uint8_t weight; /* how often, against the other shapes of the digit */
    uint8_t count;  /* points, at most LINNET_DIGIT_MAX_POINTS */
    linnet_pen_point points[LINNET_DIGIT_MAX_POINTS];
} linnet_digit_shape;

extern const linnet_digit_shape linnet_digit_shapes[];
extern const size_t linnet_digit_shape_count;

/* Random numbers from Philox, block after block; (seed, index) names the stream. */
typedef struct linnet_random {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t words[4];
    uint32_t used;
} linnet_random;

void linnet_random_begin(linnet_random *random, uint64_t seed, uint64_t index, uint32_t domain);
uint32_t linnet_random_word(linnet_random *random);
/* Uniform in [low, high). */
float linnet_random_range(linnet_random *random, float low, float high);
/* Bell-shaped with mean 0 and variance 1, never beyond 3.5: no transcendental function, so that digits are the same
 * bits everywhere. */
float linnet_random_bell(linnet_random *random);

/* A grey picture being drawn, 0 background to 1 ink. */
typedef float linnet_digit_canvas[LINNET_DIGIT_SIDE][LINNET_DIGIT_SIDE];

/* Draws a line of this radius with round ends: coordinates in pixels, pixel (i, j) covers [j, j+1) x [i, i+1). softness
   is the width of the edge's ramp. Where ink is already darker it stays. */
void linnet_canvas_line(linnet_digit_canvas canvas, const float from[2], const float to[2], float radius,
                        float softness, float ink);

/* Writes digit number label of the stream into 28x28 pixels. */
void linnet_digit_draw(linnet_random *random, int label, uint8_t *out_pixels);

/* Label of image index. */
int linnet_digit_label(uint64_t seed, uint64_t index);

#endif
