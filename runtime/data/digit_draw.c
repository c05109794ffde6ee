/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one digit: picks a shape, bends it as a hand would, frames it as MNIST does and draws it with a pen. */
#include "digits.h"

#include <math.h>
#include <string.h>

enum { STEPS = 5, MAX_LINES = LINNET_DIGIT_MAX_POINTS * STEPS, KNOTS = 5 };

typedef struct pen_line {
    float from[2], to[2];
    float radius;
} pen_line;

typedef struct handwriting {
    float point[LINNET_DIGIT_MAX_POINTS][2];
    float pressure[LINNET_DIGIT_MAX_POINTS];
    uint8_t kind[LINNET_DIGIT_MAX_POINTS];
    int points;
    pen_line line[MAX_LINES];
    int lines;
    float radius;
} handwriting;

static const linnet_digit_shape *shape_pick(linnet_random *random, int label)
{
    uint32_t total = 0;
    for (size_t i = 0; i < linnet_digit_shape_count; i++)
        total += linnet_digit_shapes[i].digit == label ? linnet_digit_shapes[i].weight : 0;
    uint32_t left = (uint32_t)((uint64_t)linnet_random_word(random) * total >> 32);
    for (size_t i = 0;; i++) {
        const linnet_digit_shape *shape = &linnet_digit_shapes[i];
        if (shape->digit != label)
            continue;
        if (left < shape->weight)
            return shape;
        left -= shape->weight;
    }
}

/* Control points: somewhere in the family, each a little off; the ends of strokes further along or short. */
static void shape_bend(const linnet_digit_shape *shape, linnet_random *random, handwriting *hand)
{
    float along = linnet_random_range(random, -0.25f, 1.25f);
    float wobble = linnet_random_range(random, 0.015f, 0.07f);
    hand->points = shape->count;
    for (int i = 0; i < hand->points; i++) {
        const linnet_pen_point *point = &shape->points[i];
        hand->kind[i] = point->kind;
        hand->point[i][0] = 0.01f * ((float)point->ax + along * (float)(point->bx - point->ax)) - 0.5f +
                            wobble * linnet_random_bell(random);
        hand->point[i][1] = 0.01f * ((float)point->ay + along * (float)(point->by - point->ay)) - 0.5f +
                            wobble * linnet_random_bell(random);
        hand->pressure[i] = linnet_random_bell(random);
    }
    for (int i = 0; i < hand->points; i++) {
        int starts = hand->kind[i] == LINNET_PEN_START;
        int ends = i + 1 == hand->points || hand->kind[i + 1] == LINNET_PEN_START;
        if (starts == ends)
            continue;
        int next = starts ? i + 1 : i - 1;
        float more = 0.12f * linnet_random_bell(random);
        hand->point[i][0] += more * (hand->point[i][0] - hand->point[next][0]);
        hand->point[i][1] += more * (hand->point[i][1] - hand->point[next][1]);
    }
}

/* Catmull-Rom between points i and i+1; a corner or an end takes no direction from beyond. */
static void spline_at(const handwriting *hand, int i, float t, float out[2])
{
    int before = hand->kind[i] == LINNET_PEN_SMOOTH ? i - 1 : i;
    int last = i + 2 >= hand->points || hand->kind[i + 2] == LINNET_PEN_START || hand->kind[i + 1] == LINNET_PEN_CORNER;
    int after = last ? i + 1 : i + 2;
    for (int k = 0; k < 2; k++) {
        float p0 = hand->point[before][k], p1 = hand->point[i][k], p2 = hand->point[i + 1][k],
              p3 = hand->point[after][k];
        out[k] = p1 + 0.5f * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)));
    }
}

static void spline_flatten(handwriting *hand, float unevenness)
{
    hand->lines = 0;
    for (int i = 0; i + 1 < hand->points; i++) {
        if (hand->kind[i + 1] == LINNET_PEN_START)
            continue;
        for (int step = 0; step < STEPS; step++) {
            pen_line *line = &hand->line[hand->lines++];
            float t = (float)step / STEPS, middle = t + 0.5f / STEPS;
            spline_at(hand, i, t, line->from);
            spline_at(hand, i, t + 1.0f / STEPS, line->to);
            line->radius = 1 + unevenness * (hand->pressure[i] + middle * (hand->pressure[i + 1] - hand->pressure[i]));
        }
    }
}

/* Uniform cubic B-spline weights at u in [0, 1). */
static void bspline_weights(float u, float out[4])
{
    float v = 1 - u;
    out[0] = v * v * v / 6;
    out[1] = (3 * u * u * u - 6 * u * u + 4) / 6;
    out[2] = (3 * v * v * v - 6 * v * v + 4) / 6;
    out[3] = u * u * u / 6;
}

/* Elastic distortion (Simard, Steinkraus, Platt 2003) of the strokes: a displacement field, smooth between random
 * knots. */
static void field_move(const float field[KNOTS][KNOTS][2], float point[2])
{
    float weights[2][4];
    int cell[2];
    for (int k = 0; k < 2; k++) {
        float position = (point[k] + 0.75f) * ((float)(KNOTS - 3) / 1.5f);
        position = fminf(fmaxf(position, 0.0f), (float)(KNOTS - 3) - 0.001f);
        cell[k] = (int)position;
        bspline_weights(position - (float)cell[k], weights[k]);
    }
    float moved[2] = {0, 0};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 2; k++)
                moved[k] += weights[1][i] * weights[0][j] * field[cell[1] + i][cell[0] + j][k];
    point[0] += moved[0];
    point[1] += moved[1];
}

/* Bell-shaped without its ends: what nobody writes. */
static float habit(linnet_random *random, float deviation)
{
    return deviation * fminf(fmaxf(linnet_random_bell(random), -2.0f), 2.0f);
}

/* A wider top or bottom, a higher or lower waist, the elastic distortion; then stretch, slant and rotation. */
static void hand_deform(handwriting *hand, linnet_random *random)
{
    float slant = 0.14f + habit(random, 0.3f);
    float stretch = 0.95f + habit(random, 0.2f);
    float turn = habit(random, 0.15f);
    float strength = linnet_random_range(random, 0.05f, 0.19f);
    float waist = habit(random, 0.22f), keystone = habit(random, 0.3f);
    float field[KNOTS][KNOTS][2];
    for (int i = 0; i < KNOTS * KNOTS * 2; i++)
        (&field[0][0][0])[i] = strength * linnet_random_bell(random);
    float cosine = 1 - 0.5f * turn * turn, sine = turn * (1 - turn * turn / 6);
    for (int i = 0; i < hand->lines; i++) {
        for (int end = 0; end < 2; end++) {
            float *point = end ? hand->line[i].to : hand->line[i].from;
            point[0] *= 1 + keystone * point[1];
            point[1] += waist * (0.25f - point[1] * point[1]);
            field_move(field, point);
            float x = stretch * point[0] - slant * point[1], y = point[1];
            point[0] = cosine * x - sine * y;
            point[1] = sine * x + cosine * y;
        }
    }
}

/* MNIST's frame: the longer side of the ink 20 pixels, its centre of mass at the centre of the picture. */
static void hand_frame(handwriting *hand, int loops, linnet_random *random)
{
    float low[2] = {1e9f, 1e9f}, high[2] = {-1e9f, -1e9f}, mass = 0, sum[2] = {0, 0};
    for (int i = 0; i < hand->lines; i++) {
        const pen_line *line = &hand->line[i];
        float dx = line->to[0] - line->from[0], dy = line->to[1] - line->from[1];
        float weight = line->radius * sqrtf(dx * dx + dy * dy);
        mass += weight;
        for (int k = 0; k < 2; k++) {
            low[k] = fminf(low[k], fminf(line->from[k], line->to[k]));
            high[k] = fmaxf(high[k], fmaxf(line->from[k], line->to[k]));
            sum[k] += 0.5f * weight * (line->from[k] + line->to[k]);
        }
    }
    float size = fmaxf(high[0] - low[0], high[1] - low[1]);
    float side = 20.0f * linnet_random_range(random, 0.92f, 1.02f);
    /* A pen too thick for its loops would leave a blot that nobody can read; a bare stroke may be as thick as it likes.
     */
    float narrow = fminf(high[0] - low[0], high[1] - low[1]) / fmaxf(size, 0.1f);
    if (loops)
        hand->radius = fminf(hand->radius, 2.6f * narrow + 0.1f);
    float scale = (side - 2 * hand->radius) / fmaxf(size, 0.1f);
    float offset[2];
    for (int k = 0; k < 2; k++)
        offset[k] = 14.5f + linnet_random_range(random, -0.5f, 0.5f) - scale * sum[k] / fmaxf(mass, 1e-6f);
    for (int i = 0; i < hand->lines; i++)
        for (int k = 0; k < 2; k++) {
            hand->line[i].from[k] = scale * hand->line[i].from[k] + offset[k];
            hand->line[i].to[k] = scale * hand->line[i].to[k] + offset[k];
        }
}

void linnet_canvas_line(linnet_digit_canvas canvas, const float from[2], const float to[2], float radius,
                        float softness, float ink)
{
    float outer = radius + 0.5f * softness, edge = 1.0f / (2 * radius * softness);
    float dx = to[0] - from[0], dy = to[1] - from[1];
    float length = dx * dx + dy * dy, over = length > 1e-9f ? 1 / length : 0;
    int left = (int)fmaxf(fminf(from[0], to[0]) - outer, 0),
        right = (int)fminf(fmaxf(from[0], to[0]) + outer, LINNET_DIGIT_SIDE - 1);
    int top = (int)fmaxf(fminf(from[1], to[1]) - outer, 0),
        bottom = (int)fminf(fmaxf(from[1], to[1]) + outer, LINNET_DIGIT_SIDE - 1);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            float px = (float)x + 0.5f - from[0], py = (float)y + 0.5f - from[1];
            float t = fminf(fmaxf((px * dx + py * dy) * over, 0.0f), 1.0f);
            float ex = px - t * dx, ey = py - t * dy;
            float cover = fminf((outer * outer - ex * ex - ey * ey) * edge, 1.0f) * ink;
            canvas[y][x] = fmaxf(canvas[y][x], cover);
        }
}

/* Something on the paper that is no part of the digit: a short stroke or a dot. One draw a statement: C does not say in
   which order an expression's parts are evaluated. */
static void canvas_clutter(linnet_digit_canvas canvas, linnet_random *random)
{
    float from[2], to[2];
    for (int k = 0; k < 2; k++) {
        from[k] = linnet_random_range(random, 1, 27);
        to[k] = from[k] + 1.5f * linnet_random_bell(random);
    }
    float radius = linnet_random_range(random, 0.4f, 0.9f);
    float ink = linnet_random_range(random, 0.3f, 1);
    linnet_canvas_line(canvas, from, to, radius, 1, ink);
}

/* Grain of paper and scanner: ink is uneven, paper only on few pictures. */
static void canvas_finish(linnet_digit_canvas canvas, linnet_random *random, uint8_t *out_pixels)
{
    float grain = linnet_random_range(random, 0, 0.12f);
    float paper = linnet_random_word(random) % 16 == 0 ? linnet_random_range(random, 0.01f, 0.06f) : 0;
    uint32_t state = linnet_random_word(random) | 1;
    for (int i = 0; i < LINNET_DIGIT_PIXELS; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        float noise = (float)(int32_t)state * (1.0f / 2147483648.0f);
        float ink = (&canvas[0][0])[i];
        ink += ink > 0 ? grain * noise : 0;
        ink += paper * fmaxf(noise, 0);
        out_pixels[i] = (uint8_t)(255 * fminf(fmaxf(ink, 0.0f), 1.0f) + 0.5f);
    }
}

void linnet_digit_draw(linnet_random *random, int label, uint8_t *out_pixels)
{
    handwriting hand;
    linnet_digit_canvas canvas;
    memset(canvas, 0, sizeof canvas);
    shape_bend(shape_pick(random, label), random, &hand);
    float weight = linnet_random_range(random, 0, 1);
    hand.radius = 0.65f + 0.9f * weight + (label == 1 ? 1.3f : 0.8f) * weight * weight * weight * weight;
    spline_flatten(&hand, linnet_random_range(random, 0, 0.2f));
    hand_deform(&hand, random);
    hand_frame(&hand, label != 1, random);
    float softness = linnet_random_range(random, 0.9f, 1.7f), ink = linnet_random_range(random, 0.9f, 1.15f);
    for (int i = 0; i < hand.lines; i++) {
        const pen_line *line = &hand.line[i];
        linnet_canvas_line(canvas, line->from, line->to, fmaxf(hand.radius * line->radius, 0.4f), softness, ink);
    }
    if (linnet_random_word(random) % 32 == 0)
        canvas_clutter(canvas, random);
    canvas_finish(canvas, random, out_pixels);
}
