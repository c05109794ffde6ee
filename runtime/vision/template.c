/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Template matching by normalised cross-correlation (Lewis 1995, "Fast Normalized Cross-Correlation"): three
 * convolutions, with the template less its mean, and with ones over the picture and over its square, give at every
 * place
 *
 *     score = sum p t' / sqrt((sum p^2 - (sum p)^2 / n) sum t'^2),   t' = t - mean t, n = C h w
 */
#include "core/core.h"
#include "device/device.h"
#include "linnet/filter.h"
#include "linnet/session.h"

#include <math.h>

/* Less contrast than this (standard deviation, in the picture's units) is none: a plain wall fits everything. */
#define LEAST_CONTRAST 1e-3

typedef struct matcher {
    linnet_context *context;
    int64_t channels, height, width, rows, columns; /* of the template; places */
    size_t area, pixels, places;                    /* values of the template, of the picture, of the scores */
    float *centred, *pattern, *ones;                /* picture and template less their means */
    float *sums, *squares;                          /* at every place: of each channel, of all */
    double norm;                                    /* sum of the centred template's squares */
} matcher;

static linnet_status matcher_start(matcher *m, const linnet_tensor *picture, const linnet_tensor *pattern)
{
    const linnet_tensor *both[2] = {picture, pattern};
    for (int i = 0; i < 2; i++)
        if (!both[i] || !both[i]->data || both[i]->type != LINNET_F32 || both[i]->rank != 3 ||
            linnet_tensor_count(both[i]) < 1)
            return linnet_fail(m->context, LINNET_SHAPE, "matching: the %s has to be f32 [C,H,W]",
                               i ? "template" : "picture");
    m->channels = pattern->dims[0];
    m->height = pattern->dims[1];
    m->width = pattern->dims[2];
    m->rows = picture->dims[1] - m->height + 1;
    m->columns = picture->dims[2] - m->width + 1;
    if (picture->dims[0] != m->channels || m->rows < 1 || m->columns < 1)
        return linnet_fail(m->context, LINNET_SHAPE,
                           "matching: a template [%lld,%lld,%lld] does not fit into a picture [%lld,%lld,%lld]",
                           (long long)m->channels, (long long)m->height, (long long)m->width,
                           (long long)picture->dims[0], (long long)picture->dims[1], (long long)picture->dims[2]);
    m->area = (size_t)linnet_tensor_count(pattern);
    m->pixels = (size_t)linnet_tensor_count(picture);
    m->places = (size_t)m->rows * (size_t)m->columns;
    m->centred = linnet_allocate(m->pixels, sizeof(float));
    m->pattern = linnet_allocate(m->area, sizeof(float));
    m->ones = linnet_allocate(m->area, sizeof(float));
    m->sums = linnet_allocate(m->places * (size_t)m->channels, sizeof(float));
    m->squares = linnet_allocate(m->places, sizeof(float));
    return m->centred && m->pattern && m->ones && m->sums && m->squares
               ? LINNET_OK
               : linnet_fail(m->context, LINNET_OUT_OF_MEMORY, "no memory for matching");
}

/* Each channel less its mean: sums stay small. */
static void centre(const linnet_tensor *tensor, float *out)
{
    size_t count = (size_t)(tensor->dims[1] * tensor->dims[2]);
    for (int64_t c = 0; c < tensor->dims[0]; c++) {
        const float *values = (const float *)tensor->data + (size_t)c * count;
        double mean = 0;
        for (size_t i = 0; i < count; i++)
            mean += (double)values[i] / (double)count;
        for (size_t i = 0; i < count; i++)
            out[(size_t)c * count + i] = (float)((double)values[i] - mean);
    }
}

static linnet_status correlate(matcher *m, linnet_device *device, const linnet_tensor *picture, float *out_scores)
{
    linnet_net *net = linnet_net_new(m->context);
    if (!net)
        return linnet_context_last_status(m->context);
    linnet_value x = linnet_input(net, "picture", m->channels, picture->dims[1], picture->dims[2]);
    linnet_value products = linnet_conv2d(net, x, .no_bias = 1, .name = "template", .out_channels = 1,
                                          .kernel_h = m->height, .kernel_w = m->width);
    linnet_value sums = linnet_conv2d(net, x, .no_bias = 1, .name = "sum", .out_channels = m->channels,
                                      .groups = m->channels, .kernel_h = m->height, .kernel_w = m->width);
    linnet_value squares = linnet_conv2d(net, linnet_mul(net, x, x), .no_bias = 1, .name = "square", .out_channels = 1,
                                         .kernel_h = m->height, .kernel_w = m->width);
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] = (linnet_feed){
        .name = "picture",
        .tensor = {.type = LINNET_F32, .rank = 4, .dims = {1, m->channels, picture->dims[1], picture->dims[2]}}};
    batch.feeds[0].tensor.data = m->centred;
    linnet_session *session = linnet_session_new(net, device);
    linnet_status status = session ? LINNET_OK : linnet_context_last_status(m->context);
    if (status == LINNET_OK)
        status = linnet_session_set(session, "template.weight", m->pattern, m->area * sizeof(float));
    if (status == LINNET_OK)
        status = linnet_session_set(session, "sum.weight", m->ones, m->area * sizeof(float));
    if (status == LINNET_OK)
        status = linnet_session_set(session, "square.weight", m->ones, m->area * sizeof(float));
    if (status == LINNET_OK)
        status = linnet_forward(session, &batch);
    if (status == LINNET_OK)
        status = linnet_session_read(session, products, out_scores, m->places * sizeof(float));
    if (status == LINNET_OK)
        status = linnet_session_read(session, sums, m->sums, m->places * (size_t)m->channels * sizeof(float));
    if (status == LINNET_OK)
        status = linnet_session_read(session, squares, m->squares, m->places * sizeof(float));
    linnet_session_free(&session);
    linnet_net_free(&net);
    return status;
}

static void normalise(const matcher *m, float *scores, linnet_match *out_best)
{
    size_t best = 0;
    double n = (double)(m->height * m->width), least = (double)m->area * LEAST_CONTRAST * LEAST_CONTRAST;
    for (size_t i = 0; i < m->places; i++) {
        double spread = (double)m->squares[i];
        for (size_t c = 0; c < (size_t)m->channels; c++)
            spread -= (double)m->sums[c * m->places + i] * (double)m->sums[c * m->places + i] / n;
        bool plain = spread < least || m->norm < least;
        double score = plain ? 0 : (double)scores[i] / sqrt(spread * m->norm);
        scores[i] = (float)fmin(fmax(score, -1), 1);
        if (scores[i] > scores[best])
            best = i;
    }
    if (out_best)
        *out_best = (linnet_match){(int64_t)best / m->columns, (int64_t)best % m->columns, scores[best]};
}

linnet_status linnet_template_match(linnet_device *device, const linnet_tensor *picture, const linnet_tensor *pattern,
                                    float *out_scores, linnet_match *out_best)
{
    matcher m = {.context = linnet_context_or_default(device ? device->context : NULL)};
    linnet_status status = linnet_context_check(m.context);
    if (status == LINNET_OK)
        status = matcher_start(&m, picture, pattern);
    if (status == LINNET_OK) {
        centre(picture, m.centred);
        centre(pattern, m.pattern);
        for (size_t i = 0; i < m.area; i++) {
            m.ones[i] = 1;
            m.norm += (double)m.pattern[i] * (double)m.pattern[i];
        }
        status = correlate(&m, device, picture, out_scores);
    }
    if (status == LINNET_OK)
        normalise(&m, out_scores, out_best);
    float *const memory[] = {m.centred, m.pattern, m.ones, m.sums, m.squares};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        linnet_release(memory[i]);
    return status;
}
