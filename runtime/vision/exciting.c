/* SPDX-License-Identifier: Apache-2.0 */
/* The images of a data set that excite a unit most. */
#include "options.h"
#include "probe.h"

#include <string.h>

#define DEFAULT_BATCH 32

typedef struct exciting_job {
    linnet_probe p;
    linnet_value layer;
    const int64_t *units;
    size_t unit_count, count;
    linnet_excitation *list; /* count for each unit, the strongest first */
    linnet_exciting_options options;
    const linnet_dataset *dataset;
} exciting_job;

/* Where a channel is strongest; of equal positions the first. */
static linnet_excitation strongest(const linnet_maps *maps, int64_t sample, int64_t unit)
{
    const float *map = maps->data + (sample * maps->channels + unit) * maps->height * maps->width;
    int64_t best = 0;
    for (int64_t i = 1; i < maps->height * maps->width; i++)
        if (map[i] > map[best])
            best = i;
    return (linnet_excitation){
        .unit = unit, .row = best / maps->width, .column = best % maps->width, .value = map[best]};
}

/* Keeps the list sorted; what came first stays before its equals. */
static void insert(linnet_excitation *list, size_t count, linnet_excitation candidate)
{
    size_t at = count;
    while (at > 0 && (list[at - 1].index < 0 || candidate.value > list[at - 1].value))
        at--;
    if (at == count)
        return;
    memmove(list + at + 1, list + at, (count - at - 1) * sizeof *list);
    list[at] = candidate;
}

static linnet_status look_at_batch(exciting_job *job, const linnet_batch *batch, int64_t first)
{
    linnet_maps maps;
    linnet_status status = linnet_probe_forward(&job->p, batch->feeds[0].tensor.data, batch->size);
    if (status == LINNET_OK)
        status = linnet_probe_read(&job->p, job->layer, &maps);
    if (status != LINNET_OK)
        return status;
    for (size_t u = 0; u < job->unit_count && status == LINNET_OK; u++) {
        if (job->units[u] < 0 || job->units[u] >= maps.channels)
            status = linnet_fail(job->p.context, LINNET_INVALID, "there is no unit %lld: they are numbered 0 to %lld",
                                 (long long)job->units[u], (long long)maps.channels - 1);
        for (int64_t n = 0; n < batch->size && status == LINNET_OK; n++) {
            linnet_excitation candidate = strongest(&maps, n, job->units[u]);
            candidate.index = first + n;
            insert(job->list + u * job->count, job->count, candidate);
        }
    }
    linnet_maps_free(&maps);
    return status;
}

static linnet_status look_at_all(exciting_job *job, linnet_loader *loader)
{
    linnet_batch batch;
    int64_t done = 0, total = linnet_loader_samples(loader);
    linnet_status status = linnet_session_keep(job->p.session, job->layer);
    while (status == LINNET_OK && linnet_loader_next(loader, &batch)) {
        status = look_at_batch(job, &batch, done);
        done += batch.size;
        if (status == LINNET_OK && job->options.progress && job->options.progress(job->options.user, done, total))
            status = linnet_fail(job->p.context, LINNET_INTERRUPTED, "looking for exciting images was interrupted");
    }
    return status;
}

static linnet_status start(exciting_job *job, linnet_session *session, const linnet_model *model,
                           const linnet_exciting_options *options)
{
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    status = linnet_vision_options(session->context, "exciting images", options, &job->options, sizeof job->options);
    if (status != LINNET_OK)
        return status;
    if (!job->dataset || !job->units || !job->list || !job->unit_count || !job->count)
        return linnet_fail(session->context, LINNET_INVALID, "units, images and room for the result are needed");
    if (job->options.batch == 0)
        job->options.batch = DEFAULT_BATCH;
    for (size_t i = 0; i < job->unit_count * job->count; i++)
        job->list[i] = (linnet_excitation){.index = -1, .unit = job->units[i / job->count]};
    return linnet_probe_open(&job->p, session, model, linnet_dataset_channels(job->dataset),
                             linnet_dataset_height(job->dataset), linnet_dataset_width(job->dataset),
                             job->options.batch);
}

linnet_status linnet_exciting_find_with(linnet_session *session, const linnet_model *model, linnet_value layer,
                                        const int64_t *units, size_t unit_count, const linnet_dataset *dataset,
                                        size_t count, const linnet_exciting_options *options,
                                        linnet_excitation *out_list)
{
    exciting_job job = {
        .layer = layer, .units = units, .unit_count = unit_count, .count = count, .list = out_list, .dataset = dataset};
    linnet_status status = start(&job, session, model, options);
    linnet_loader *loader = NULL;
    if (status == LINNET_OK) {
        loader = linnet_loader_new(job.p.context, dataset, .batch = job.options.batch, .limit = job.options.limit);
        status = loader ? look_at_all(&job, loader) : linnet_context_last_status(job.p.context);
    }
    linnet_loader_free(&loader);
    linnet_probe_close(&job.p);
    return status;
}
