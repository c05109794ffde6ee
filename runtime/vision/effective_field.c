/* SPDX-License-Identifier: Apache-2.0 */
/* The effective receptive field (Luo et al. 2016): which pixels a unit really depends on. */
#include "linnet/attribution.h"
#include "options.h"
#include "probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CHANNELS 16
#define BATCH            4 /* channels differentiated at once: each sees a copy of the picture */

typedef struct channel_strength {
    int64_t channel;
    float strength;
} channel_strength;

typedef struct field_job {
    linnet_probe p;
    linnet_value layer;
    linnet_effective_options options;
    linnet_maps shape; /* of the layer, without data */
    float *pictures, *gradients, *seed;
    channel_strength *channels; /* the strongest first */
    int64_t count;              /* of them, averaged over */
} field_job;

static linnet_status choose_unit(field_job *job, linnet_effective *out)
{
    const linnet_maps *s = &job->shape;
    out->x = job->options.chosen ? job->options.x : s->width / 2;
    out->y = job->options.chosen ? job->options.y : s->height / 2;
    if (out->x >= 0 && out->x < s->width && out->y >= 0 && out->y < s->height)
        return LINNET_OK;
    return linnet_fail(job->p.context, LINNET_INVALID, "there is no unit at %lld,%lld: the map is %lld wide, %lld high",
                       (long long)out->x, (long long)out->y, (long long)s->width, (long long)s->height);
}

static linnet_status allocate(field_job *job)
{
    size_t picture = job->p.picture_count;
    const linnet_maps *s = &job->shape;
    job->gradients = linnet_allocate(picture * BATCH, sizeof(float));
    job->seed = linnet_allocate((size_t)(s->channels * s->height * s->width) * BATCH, sizeof(float));
    job->channels = linnet_allocate((size_t)s->channels, sizeof *job->channels);
    return job->gradients && job->seed && job->channels
               ? LINNET_OK
               : linnet_fail(job->p.context, LINNET_OUT_OF_MEMORY, "no memory for the gradients of a unit");
}

static int stronger(const void *a, const void *b)
{
    const channel_strength *x = a, *y = b;
    if (x->strength != y->strength)
        return x->strength < y->strength ? 1 : -1;
    return (x->channel > y->channel) - (x->channel < y->channel);
}

/* The channels that respond most strongly at the unit's position. */
static linnet_status choose_channels(field_job *job, const linnet_effective *unit)
{
    linnet_maps maps;
    int64_t most = job->options.channels ? job->options.channels : DEFAULT_CHANNELS;
    linnet_status status = linnet_probe_read(&job->p, job->layer, &maps);
    if (status != LINNET_OK)
        return status;
    for (int64_t c = 0; c < maps.channels; c++) {
        float value = maps.data[(c * maps.height + unit->y) * maps.width + unit->x];
        job->channels[c] = (channel_strength){c, isnan(value) ? 0 : fabsf(value)};
    }
    qsort(job->channels, (size_t)maps.channels, sizeof *job->channels, stronger);
    job->count = most < maps.channels ? most : maps.channels;
    linnet_maps_free(&maps);
    return LINNET_OK;
}

/* Sums |gradient| over the colour channels and adds it to the map. */
static void add_gradient(const field_job *job, const float *gradient, float *sum)
{
    int64_t pixels = job->p.height * job->p.width;
    for (int64_t c = 0; c < job->p.channels; c++)
        for (int64_t i = 0; i < pixels; i++)
            sum[i] += fabsf(gradient[c * pixels + i]) / (float)job->count;
}

/* Channels number first to first + count - 1 of those chosen, one a copy of the picture. The plan is the same for every
   round: what is left over is differentiated by nothing. */
static linnet_status run_round(field_job *job, int64_t first, int64_t count, const linnet_effective *unit, float *sum)
{
    const linnet_maps *s = &job->shape;
    size_t maps = (size_t)(s->channels * s->height * s->width);
    memset(job->seed, 0, maps * BATCH * sizeof *job->seed);
    for (int64_t n = 0; n < count; n++) {
        int64_t channel = job->channels[first + n].channel;
        job->seed[(size_t)n * maps + (size_t)((channel * s->height + unit->y) * s->width + unit->x)] = 1.0f;
    }
    linnet_status status = linnet_probe_forward(&job->p, job->pictures, BATCH);
    if (status == LINNET_OK)
        status = linnet_probe_backward(&job->p, job->layer, job->seed, maps * BATCH);
    if (status == LINNET_OK)
        status = linnet_probe_picture_gradient(&job->p, job->gradients);
    for (int64_t n = 0; n < count && status == LINNET_OK; n++)
        add_gradient(job, job->gradients + (size_t)n * job->p.picture_count, sum);
    return status;
}

/* Learns the layer's shape from a first run. */
static linnet_status prepare(field_job *job, const linnet_tensor *picture, linnet_effective *out)
{
    size_t picture_bytes = job->p.picture_count * sizeof(float);
    linnet_status status = linnet_probe_differentiate(&job->p, job->layer);
    job->pictures = status == LINNET_OK ? linnet_allocate(job->p.picture_count * BATCH, sizeof(float)) : NULL;
    if (!job->pictures)
        return status != LINNET_OK
                   ? status
                   : linnet_fail(job->p.context, LINNET_OUT_OF_MEMORY, "no memory for %d pictures", BATCH);
    for (int n = 0; n < BATCH; n++)
        memcpy(job->pictures + (size_t)n * job->p.picture_count, picture->data, picture_bytes);
    status = linnet_probe_forward(&job->p, job->pictures, BATCH);
    if (status == LINNET_OK)
        status = linnet_probe_shape(&job->p, job->layer, &job->shape);
    if (status == LINNET_OK)
        status = choose_unit(job, out);
    if (status == LINNET_OK)
        status = allocate(job);
    return status == LINNET_OK ? choose_channels(job, out) : status;
}

linnet_status linnet_effective_field_with(linnet_session *session, const linnet_model *model,
                                          const linnet_tensor *picture, linnet_value layer,
                                          const linnet_effective_options *options, linnet_effective *out_effective)
{
    field_job job = {.layer = layer};
    memset(out_effective, 0, sizeof *out_effective);
    linnet_status status = linnet_probe_open_picture(&job.p, session, model, picture, BATCH);
    if (status == LINNET_OK)
        status = linnet_vision_options(job.p.context, "effective field", options, &job.options, sizeof job.options);
    if (status == LINNET_OK)
        status = prepare(&job, picture, out_effective);
    if (status == LINNET_OK)
        status = linnet_maps_new(job.p.context, 1, job.p.height, job.p.width, &out_effective->map);
    for (int64_t i = 0; i < job.count && status == LINNET_OK; i += BATCH)
        status =
            run_round(&job, i, job.count - i < BATCH ? job.count - i : BATCH, out_effective, out_effective->map.data);
    if (status != LINNET_OK)
        linnet_maps_free(&out_effective->map);
    linnet_release(job.pictures);
    linnet_release(job.gradients);
    linnet_release(job.seed);
    linnet_release(job.channels);
    linnet_probe_close(&job.p);
    return status;
}

/* ---- How far it reaches ---- */

typedef struct ring {
    double distance, weight;
} ring;

static int nearer(const void *a, const void *b)
{
    double x = ((const ring *)a)->distance, y = ((const ring *)b)->distance;
    return (x > y) - (x < y);
}

double linnet_maps_radius(const linnet_maps *map, double x, double y, double share)
{
    int64_t pixels = map && map->data ? map->height * map->width : 0;
    ring *rings = pixels ? linnet_allocate((size_t)pixels, sizeof *rings) : NULL;
    double total = 0, sum = 0, radius = 0;
    if (!rings)
        return 0;
    for (int64_t i = 0; i < pixels; i++) {
        rings[i] = (ring){hypot((double)(i % map->width) - x, (double)(i / map->width) - y), (double)map->data[i]};
        total += rings[i].weight;
    }
    qsort(rings, (size_t)pixels, sizeof *rings, nearer);
    for (int64_t i = 0; i < pixels && total > 0 && sum < share * total; i++) {
        sum += rings[i].weight;
        radius = rings[i].distance;
    }
    linnet_release(rings);
    return radius;
}
