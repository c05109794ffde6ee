/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network for style without a weight file. One layer of random filters, the same for every machine, looks at the
 * picture at five scales, each half as large as the one before. That one layer is enough for textures when its filters
 * have several sizes was shown by Ustyuzhaninov, Brendel, Gatys and Bethge, "What does it take to generate natural
 * textures?" (2017); here the pyramid of Burt and Adelson (1983) makes the sizes. Layers: scale1, ..., scale5.
 *
 * The filters of a scale, 5x5 over three colours: DETAILS that see no mean colour, orthogonal to each other, so that
 * together they see every detail once; each with its negative, because relu cuts one side off. And COLOURS that see
 * nothing but the mean colour around a pixel.
 */
#include "zoo.h"

#include "linnet/backend.h"

#include <math.h>
#include <stdio.h>

#define SCALES  5
#define SIDE    5
#define TAPS    (SIDE * SIDE)
#define INPUTS  (3 * TAPS)
#define DETAILS 32
#define COLOURS 8
#define FILTERS (2 * DETAILS + COLOURS)
#define GAIN    2.0  /* of details, which are fainter than colours */
#define WINDOW  1.25 /* deviation of the Gaussian that filters fade out by, in pixels */
#define SEED    1983 /* any number: it is what makes the filters the same everywhere */

/* Number index of normal deviates (Box and Muller 1958). */
static double normal(uint32_t scale, uint64_t index)
{
    double radius = sqrt(-2 * log(1 - (double)linnet_philox_uniform(SEED, scale, 0, 2 * index)));
    return radius * cos(6.283185307179586 * (double)linnet_philox_uniform(SEED, scale, 0, 2 * index + 1));
}

static double window(int tap)
{
    double y = tap / SIDE - SIDE / 2, x = tap % SIDE - SIDE / 2;
    return exp(-(y * y + x * x) / (2 * WINDOW * WINDOW));
}

static void normalize(double *filter, double length)
{
    double squares = 0;
    for (int i = 0; i < INPUTS; i++)
        squares += filter[i] * filter[i];
    for (int i = 0; i < INPUTS; i++)
        filter[i] *= length / sqrt(squares);
}

/* A random filter without mean in any colour. */
static void draw_detail(uint32_t scale, int number, double *filter)
{
    for (int colour = 0; colour < 3; colour++) {
        double *plane = filter + colour * TAPS, sum = 0, windows = 0;
        for (int tap = 0; tap < TAPS; tap++) {
            plane[tap] = normal(scale, (uint64_t)(number * INPUTS + colour * TAPS + tap)) * window(tap);
            sum += plane[tap];
            windows += window(tap);
        }
        for (int tap = 0; tap < TAPS; tap++)
            plane[tap] -= sum * window(tap) / windows;
    }
}

/* Takes away from filter what the count before it see (Gram and Schmidt), none of them having a mean. */
static void orthogonalize(const double filters[][INPUTS], int count, double *filter)
{
    for (int k = 0; k < count; k++) {
        double product = 0;
        for (int i = 0; i < INPUTS; i++)
            product += filters[k][i] * filter[i];
        for (int i = 0; i < INPUTS; i++)
            filter[i] -= product * filters[k][i];
    }
}

static void draw_colour(uint32_t scale, int number, double *filter)
{
    for (int i = 0; i < INPUTS; i++)
        filter[i] = normal(scale, (uint64_t)((DETAILS + number) * INPUTS + i / TAPS)) * window(i % TAPS);
    double sum = 0;
    for (int tap = 0; tap < TAPS; tap++)
        sum += window(tap);
    double colour[3] = {filter[0], filter[TAPS], filter[2 * TAPS]}; /* all have the same window */
    double length = sqrt(colour[0] * colour[0] + colour[1] * colour[1] + colour[2] * colour[2]) / window(0);
    for (int i = 0; i < INPUTS; i++)
        filter[i] /= length * sum;
}

/* weight [FILTERS,3,SIDE,SIDE] */
static void draw_filters(uint32_t scale, float *weight)
{
    double details[DETAILS][INPUTS], colour[INPUTS];
    for (int k = 0; k < DETAILS; k++) {
        draw_detail(scale, k, details[k]);
        orthogonalize(details, k, details[k]);
        normalize(details[k], 1);
        for (int i = 0; i < INPUTS; i++) {
            weight[k * INPUTS + i] = (float)(GAIN * details[k][i]);
            weight[(DETAILS + k) * INPUTS + i] = (float)(-GAIN * details[k][i]);
        }
    }
    for (int k = 0; k < COLOURS; k++) {
        draw_colour(scale, k, colour);
        for (int i = 0; i < INPUTS; i++)
            weight[(2 * DETAILS + k) * INPUTS + i] = (float)colour[i];
    }
}

static linnet_value constant(linnet_net *net, const char *name, const int64_t dims[4], const float *values)
{
    linnet_parameter_options options = {
        .struct_size = sizeof options, .initial = LINNET_INITIAL_VALUES, .values = values};
    linnet_value parameter = linnet_parameter_with(net, name, 4, dims, &options);
    linnet_net_freeze(net, parameter, 1);
    return parameter;
}

/* With zeros around it a picture would have an edge there, and its border would be painted as one. */
static linnet_value extend(linnet_net *net, linnet_value x, int64_t pixels)
{
    return linnet_pad2d(net, x, .mode = LINNET_PAD_REPLICATE, .padding = pixels);
}

/* Half as large, blurred before by a binomial so that nothing aliases. */
static linnet_value halve(linnet_net *net, linnet_value x, linnet_value kernel, int scale)
{
    char name[32];
    snprintf(name, sizeof name, "halve%d", scale);
    return linnet_conv2d(net, extend(net, x, 1), .name = name, .weight = kernel, .no_bias = 1, .stride = 2,
                         .groups = 3);
}

static linnet_value binomial(linnet_net *net)
{
    static const float row[4] = {0.125f, 0.375f, 0.375f, 0.125f};
    float values[3 * 16];
    for (int i = 0; i < 3 * 16; i++)
        values[i] = row[i % 16 / 4] * row[i % 4];
    return constant(net, "binomial", (const int64_t[]){3, 1, 4, 4}, values);
}

linnet_value linnet_zoo_textures(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    float weight[FILTERS * INPUTS];
    linnet_value kernel = binomial(net), last = x;
    (void)options;
    for (int scale = 1; scale <= SCALES; scale++) {
        char layer[32], relu[32], name[40];
        snprintf(layer, sizeof layer, "filters%d", scale);
        snprintf(relu, sizeof relu, "scale%d", scale);
        snprintf(name, sizeof name, "%s.weight", layer);
        if (scale > 1)
            x = halve(net, x, kernel, scale);
        draw_filters((uint32_t)scale, weight);
        linnet_value filters = constant(net, name, (const int64_t[]){FILTERS, 3, SIDE, SIDE}, weight);
        last = linnet_conv2d(net, extend(net, x, SIDE / 2), .name = layer, .weight = filters, .no_bias = 1);
        last = linnet_name(net, linnet_relu(net, last), relu);
    }
    return last;
}
