/* SPDX-License-Identifier: Apache-2.0 */
/* What a given picture has in the layers of a network: computed once, by a session of its own. */
#include "extractor.h"

void linnet_targets_release(linnet_target *targets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        linnet_release(targets[i].data);
        targets[i].data = NULL;
    }
}

static linnet_status read_target(linnet_extractor *e, linnet_value value, linnet_target *target)
{
    target->count = linnet_extractor_elements(e, value, target->dims, &target->rank);
    target->data = target->count ? linnet_allocate(target->count, sizeof *target->data) : NULL;
    if (!target->data)
        return linnet_fail(e->context, LINNET_OUT_OF_MEMORY, "no memory for the maps of '%s'", target->layer);
    linnet_status status = linnet_session_read(e->session, value, target->data, target->count * sizeof *target->data);
    target->squares = 0;
    for (size_t i = 0; i < target->count; i++)
        target->squares += (double)target->data[i] * (double)target->data[i];
    return status;
}

static linnet_status read_all(linnet_extractor *e, const float *picture, linnet_target *targets, size_t count)
{
    linnet_value taps[LINNET_MAX_FEEDS];
    linnet_batch batch = {.feed_count = 0};
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < count && status == LINNET_OK; i++)
        status = linnet_extractor_tap(e, targets[i].layer, targets[i].gram, &taps[i]);
    if (status == LINNET_OK)
        status = linnet_extractor_start(e);
    for (size_t i = 0; i < count && status == LINNET_OK; i++)
        status = linnet_session_keep(e->session, taps[i]);
    if (status != LINNET_OK)
        return status;
    linnet_extractor_feed(e, picture, &batch);
    status = linnet_forward(e->session, &batch);
    for (size_t i = 0; i < count && status == LINNET_OK; i++)
        status = read_target(e, taps[i], &targets[i]);
    return status;
}

linnet_status linnet_targets_read(linnet_context *context, const linnet_feature_source *source,
                                  const linnet_tensor *picture, linnet_target *targets, size_t count)
{
    linnet_extractor extractor;
    if (count > LINNET_MAX_FEEDS)
        return linnet_fail(context, LINNET_LIMIT, "%zu layers are too many", count);
    linnet_status status = linnet_extractor_open(context, source, picture, &extractor);
    if (status == LINNET_OK)
        status = read_all(&extractor, picture->data, targets, count);
    linnet_extractor_close(&extractor);
    if (status != LINNET_OK)
        linnet_targets_release(targets, count);
    return status;
}
