/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenBLAS as the engine of im2col: the matrix products of the layer, one per image (and all images into one sum for
 * the weights), without making the columns. An upper limit for everything that is built on it.
 *
 *   forward  y[O, P]  = w[O, K] columns[K, P]          K = C*kh*kw, P = OH*OW
 *   data     columns[K, P] = w[O, K]^T dy[O, P]
 *   weights  dw[O, K] += dy[O, P] columns[K, P]^T
 *
 * A linear layer is one product: y[P, O] = x[P, K] w[O, K]^T and so on, P = N.
 */
#include "peers.h"

#include <cblas.h>

#include <stdlib.h>

typedef struct state {
    peer_direction direction;
    bool linear;
    int outputs, depth, pixels, images; /* O, K, P, N */
    const float *weight, *dy;
    float *columns, *out; /* of one image */
} state;

static void close_state(void *memory)
{
    state *s = memory;
    if (s)
        linnet_release(s->columns), linnet_release(s->out);
    free(s);
}

static void *open_state(const peer_problem *p, const peer_settings *settings, const char **out_how)
{
    (void)settings;
    const linnet_case *layer = p->layer;
    bool linear = layer->layer->kind == LINNET_LAYER_LINEAR, grouped = !linear && layer->attributes.conv2d.groups > 1;
    *out_how = grouped ? "groups" : "sgemm";
    state *s = grouped ? NULL : calloc(1, sizeof *s);
    if (!s)
        return NULL;
    const int64_t *w = layer->parameters[0].dims, *y = layer->outputs[0].dims;
    *s = (state){.direction = p->direction, .linear = linear, .outputs = (int)w[0], .weight = p->weight, .dy = p->dy};
    s->depth = (int)(linear ? w[1] : w[1] * w[2] * w[3]);
    s->pixels = (int)(linear ? y[0] : y[2] * y[3]);
    s->images = linear ? 1 : (int)y[0];
    size_t columns = (size_t)s->depth * (size_t)s->pixels, weights = (size_t)s->outputs * (size_t)s->depth;
    size_t image = (size_t)s->outputs * (size_t)s->pixels;
    s->columns = linnet_allocate(columns, sizeof(float));
    s->out = linnet_allocate(image > weights ? image : weights, sizeof(float));
    for (size_t i = 0; s->columns && i < columns; i++)
        s->columns[i] = (float)(i % 13) * 0.1f - 0.6f;
    if (s->columns && s->out)
        return s;
    close_state(s);
    return NULL;
}

/* columns: x. */
static void run_linear(const state *s)
{
    int o = s->outputs, k = s->depth, p = s->pixels;
    if (s->direction == PEER_FORWARD)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p, o, k, 1, s->columns, k, s->weight, k, 0, s->out, o);
    else if (s->direction == PEER_DATA)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p, k, o, 1, s->dy, o, s->weight, k, 0, s->columns, k);
    else
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, o, k, p, 1, s->dy, o, s->columns, k, 0, s->out, k);
}

static bool run(void *memory)
{
    const state *s = memory;
    int o = s->outputs, k = s->depth, p = s->pixels;
    if (s->linear) {
        run_linear(s);
        return true;
    }
    for (int n = 0; n < s->images; n++) {
        const float *dy = s->dy + (size_t)n * (size_t)o * (size_t)p;
        if (s->direction == PEER_FORWARD)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, o, p, k, 1, s->weight, k, s->columns, p, 0, s->out,
                        p);
        else if (s->direction == PEER_DATA)
            cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, p, o, 1, s->weight, k, dy, p, 0, s->columns, p);
        else
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, o, k, p, 1, dy, p, s->columns, p, n > 0, s->out, k);
    }
    return true;
}

static bool result(void *memory, float *out)
{
    (void)memory;
    (void)out;
    return false;
}

const peer_engine peer_openblas = {"openblas", open_state, run, result, close_state, false};
