/* SPDX-License-Identifier: Apache-2.0 */
/* Equivariance and invariance under shifts of the picture. */
#include "linnet/equivariance.h"
#include "linnet/receptive_field.h"
#include "options.h"
#include "probe.h"
#include "shift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_STEPS 8

typedef struct shift_job {
    linnet_probe p;
    const linnet_tensor *picture;
    linnet_shift_options o;
    linnet_shift_report *report;
    linnet_maps *still; /* of the layers for the unmoved picture */
    linnet_maps scores; /* for the unmoved picture */
    linnet_shift_axis (*axes)[2];
    float *moved; /* picture */
} shift_job;

void linnet_shift_report_free(linnet_shift_report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->layer_count && report->layers; i++)
        linnet_release(report->layers[i].error);
    linnet_release(report->layers);
    linnet_release(report->probability);
    linnet_release(report->cosine);
    linnet_release(report->best);
    memset(report, 0, sizeof *report);
}

static linnet_status take_options(shift_job *job, const linnet_shift_options *given)
{
    linnet_shift_options *o = &job->o;
    linnet_status status = linnet_vision_options(job->p.context, "shifts", given, o, sizeof *o);
    if (status != LINNET_OK)
        return status;
    o->steps = o->steps ? o->steps : DEFAULT_STEPS;
    if (!o->down && !o->right)
        o->right = 1;
    if (o->steps < 0 || o->down <= -job->p.height || o->down >= job->p.height || o->right <= -job->p.width ||
        o->right >= job->p.width || o->steps > LINNET_IMAGE_MAX_SIDE || llabs(o->down) * o->steps >= job->p.height ||
        llabs(o->right) * o->steps >= job->p.width)
        return linnet_fail(
            job->p.context, LINNET_INVALID,
            "%lld steps of %lld pixels down and %lld to the right leave nothing of a picture of %lld x %lld",
            (long long)o->steps, (long long)o->down, (long long)o->right, (long long)job->p.width,
            (long long)job->p.height);
    return LINNET_OK;
}

static linnet_status allocate(shift_job *job, const linnet_value *layers, size_t count)
{
    linnet_shift_report *r = job->report;
    size_t shifts = (size_t)job->o.steps + 1;
    r->steps = job->o.steps;
    r->layers = linnet_allocate(count ? count : 1, sizeof *r->layers);
    r->layer_count = r->layers ? count : 0;
    job->still = linnet_allocate(count ? count : 1, sizeof *job->still);
    job->axes = linnet_allocate(count ? count : 1, sizeof *job->axes);
    job->moved = linnet_allocate(job->p.picture_count, sizeof *job->moved);
    bool good = r->layers && job->still && job->axes && job->moved;
    for (size_t i = 0; i < count && good; i++) {
        r->layers[i].value = layers[i];
        r->layers[i].error = linnet_allocate(shifts, sizeof(double));
        good = r->layers[i].error != NULL;
    }
    if (good && job->p.model->logits.id) {
        r->probability = linnet_allocate(shifts, sizeof(double));
        r->cosine = linnet_allocate(shifts, sizeof(double));
        r->best = linnet_allocate(shifts, sizeof *r->best);
        good = r->probability && r->cosine && r->best;
    }
    return good ? LINNET_OK : linnet_fail(job->p.context, LINNET_OUT_OF_MEMORY, "no memory for %zu layers", count);
}

/* ---- Which units are compared ---- */

/* Where the layer's units look. false: all at the same, or nobody knows. */
static bool find_geometry(const shift_job *job, linnet_value value, linnet_shift_axis axes[2])
{
    linnet_field field;
    if (linnet_receptive_field(job->p.model->net, value, &field) != LINNET_OK)
        return false;
    for (int i = 0; i < 2; i++)
        axes[i] = (linnet_shift_axis){.stride = (double)field.stride[i],
                                      .start = field.offset[i] - (double)(field.size[i] - 1) / 2,
                                      .size = (double)field.size[i]};
    return axes[0].stride > 0 && axes[1].stride > 0 && axes[0].size > 0 && axes[1].size > 0;
}

/* Strides from the sizes of picture and map, where the net does not say. */
static void guess_geometry(const shift_job *job, const linnet_maps *maps, linnet_shift_axis axes[2])
{
    axes[0] = (linnet_shift_axis){.stride = (double)job->p.height / (double)maps->height};
    axes[1] = (linnet_shift_axis){.stride = (double)job->p.width / (double)maps->width};
}

static bool choose(const shift_job *job, const linnet_maps *maps, linnet_shift_axis axes[2], bool interior)
{
    bool down = linnet_shift_region_choose(&axes[0], maps->height, job->p.height, job->o.down * job->o.steps, interior);
    return linnet_shift_region_choose(&axes[1], maps->width, job->p.width, job->o.right * job->o.steps, interior) &&
           down;
}

static void choose_region(shift_job *job, size_t index)
{
    linnet_shift_layer *layer = &job->report->layers[index];
    linnet_shift_axis *axes = job->axes[index];
    const linnet_maps *maps = &job->still[index];
    if (maps->height * maps->width == 1) {
        layer->region = LINNET_SHIFT_VECTOR;
        axes[0] = axes[1] = (linnet_shift_axis){.stride = INFINITY, .count = 1};
        layer->units[0] = layer->units[1] = 1;
        return;
    }
    bool known = find_geometry(job, layer->value, axes);
    if (!known)
        guess_geometry(job, maps, axes);
    layer->region = known && choose(job, maps, axes, true) ? LINNET_SHIFT_INTERIOR
                    : choose(job, maps, axes, false)       ? LINNET_SHIFT_OVERLAP
                                                           : LINNET_SHIFT_NONE;
    for (int i = 0; i < 2; i++) {
        layer->stride[i] = axes[i].stride;
        layer->units[i] = axes[i].count;
    }
}

/* ---- Scores ---- */

static void compare_scores(shift_job *job, const linnet_maps *scores, int64_t step)
{
    linnet_shift_report *r = job->report;
    double dot = 0, a = 0, b = 0, sum = 0;
    int64_t best = 0, count = scores->channels * scores->height * scores->width;
    for (int64_t i = 0; i < count; i++) {
        dot += (double)scores->data[i] * (double)job->scores.data[i];
        a += (double)scores->data[i] * (double)scores->data[i];
        b += (double)job->scores.data[i] * (double)job->scores.data[i];
        best = scores->data[i] > scores->data[best] ? i : best;
    }
    for (int64_t i = 0; i < count; i++)
        sum += exp((double)scores->data[i] - (double)scores->data[best]);
    r->top_class = step == 0 ? best : r->top_class;
    r->best[step] = best;
    r->cosine[step] = a > 0 && b > 0 ? dot / sqrt(a * b) : 1;
    r->probability[step] = exp((double)scores->data[r->top_class] - (double)scores->data[best]) / sum;
}

static linnet_status look_at_scores(shift_job *job, int64_t step)
{
    linnet_maps scores = {.data = NULL};
    if (!job->p.model->logits.id)
        return LINNET_OK;
    linnet_status status = linnet_probe_read(&job->p, job->p.model->logits, &scores);
    if (status != LINNET_OK)
        return status;
    if (step == 0) {
        job->scores = scores;
        compare_scores(job, &job->scores, 0);
        return LINNET_OK;
    }
    compare_scores(job, &scores, step);
    linnet_maps_free(&scores);
    return LINNET_OK;
}

/* ---- Shifts ---- */

static linnet_status compare_layer(shift_job *job, size_t index, int64_t step)
{
    linnet_maps moved;
    linnet_shift_layer *layer = &job->report->layers[index];
    const int64_t shift[2] = {job->o.down * step, job->o.right * step};
    if (layer->region == LINNET_SHIFT_NONE) {
        layer->error[step] = (double)NAN;
        return LINNET_OK;
    }
    linnet_status status = linnet_probe_read(&job->p, layer->value, &moved);
    if (status != LINNET_OK)
        return status;
    layer->error[step] = linnet_shift_compare(&moved, &job->still[index], job->axes[index], shift);
    linnet_maps_free(&moved);
    return LINNET_OK;
}

static linnet_status run_step(shift_job *job, int64_t step)
{
    linnet_shift_report *r = job->report;
    linnet_picture_shift(job->picture, job->o.down * step, job->o.right * step, job->o.black != 0, job->moved);
    linnet_status status = linnet_probe_forward(&job->p, job->moved, 1);
    for (size_t i = 0; i < r->layer_count && status == LINNET_OK; i++) {
        if (step > 0) {
            status = compare_layer(job, i, step);
            continue;
        }
        status = linnet_probe_read(&job->p, r->layers[i].value, &job->still[i]);
        if (status == LINNET_OK)
            choose_region(job, i);
    }
    return status == LINNET_OK ? look_at_scores(job, step) : status;
}

linnet_status linnet_shift_measure_with(linnet_session *session, const linnet_model *model,
                                        const linnet_tensor *picture, const linnet_value *layers, size_t count,
                                        const linnet_shift_options *options, linnet_shift_report *out_report)
{
    shift_job job = {.picture = picture, .report = out_report};
    memset(out_report, 0, sizeof *out_report);
    linnet_status status = linnet_probe_open_picture(&job.p, session, model, picture, 1);
    if (status == LINNET_OK)
        status = take_options(&job, options);
    for (size_t i = 0; i < count && status == LINNET_OK; i++)
        status = linnet_session_keep(session, layers[i]);
    if (status == LINNET_OK && model->logits.id)
        status = linnet_session_keep(session, model->logits);
    if (status == LINNET_OK)
        status = allocate(&job, layers, count);
    for (int64_t step = 0; step <= job.o.steps && status == LINNET_OK; step++)
        status = run_step(&job, step);
    for (size_t i = 0; i < out_report->layer_count && job.still; i++)
        linnet_maps_free(&job.still[i]);
    linnet_release(job.still);
    linnet_release(job.axes);
    linnet_release(job.moved);
    linnet_maps_free(&job.scores);
    if (status != LINNET_OK)
        linnet_shift_report_free(out_report);
    linnet_probe_close(&job.p);
    return status;
}
