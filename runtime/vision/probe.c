/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <string.h>

linnet_status linnet_maps_new(linnet_context *context, int64_t channels, int64_t height, int64_t width,
                              linnet_maps *out)
{
    linnet_tensor shape = {.type = LINNET_F32, .rank = 3, .dims = {channels, height, width}};
    int64_t count = linnet_tensor_count(&shape);
    *out = (linnet_maps){.channels = channels, .height = height, .width = width};
    out->data = count > 0 ? linnet_allocate((size_t)count, sizeof(float)) : NULL;
    if (out->data)
        return LINNET_OK;
    memset(out, 0, sizeof *out);
    return linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for %lld maps of %lld x %lld", (long long)channels,
                       (long long)width, (long long)height);
}

void linnet_maps_free(linnet_maps *maps)
{
    if (!maps)
        return;
    linnet_release(maps->data);
    memset(maps, 0, sizeof *maps);
}

/* The session's settings, with their lists, move to saved; empty ones take their place. */
static void put_aside(linnet_session *s, linnet_session_settings *saved)
{
    *saved = s->settings;
    s->settings = (linnet_session_settings){.behaviour = LINNET_EVALUATE, .lazy = true};
    s->settings_version++;
    s->current = NULL;
}

static void put_back(linnet_session *s, const linnet_session_settings *saved)
{
    linnet_settings_free(&s->settings);
    s->settings = *saved;
    s->settings_version++;
    s->current = NULL;
}

/* The picture has the size of the net's input, where that is fixed. */
static linnet_status check_size(const linnet_probe *p)
{
    int64_t wanted[LINNET_MAX_RANK], given[4] = {LINNET_FREE, p->channels, p->height, p->width};
    uint32_t rank = linnet_value_shape(p->model->net, p->model->image, wanted);
    bool fits = rank == 4 && p->channels > 0 && p->height > 0 && p->width > 0 && p->batch > 0;
    for (uint32_t i = 1; i < rank && i < 4; i++)
        fits = fits && (wanted[i] == LINNET_FREE || wanted[i] == given[i]);
    if (fits)
        return LINNET_OK;
    if (rank != 4)
        return linnet_fail(p->context, LINNET_SHAPE, "the network takes no pictures: its input is no [N,C,H,W]");
    return linnet_fail(p->context, LINNET_SHAPE,
                       "the network takes pictures of %lld channels, %lld x %lld (-1: any), not %lld, %lld x %lld",
                       (long long)wanted[1], (long long)wanted[3], (long long)wanted[2], (long long)p->channels,
                       (long long)p->width, (long long)p->height);
}

linnet_status linnet_probe_open(linnet_probe *probe, linnet_session *session, const linnet_model *model,
                                int64_t channels, int64_t height, int64_t width, int64_t batch)
{
    memset(probe, 0, sizeof *probe);
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    *probe = (linnet_probe){.context = session->context,
                            .model = model,
                            .batch = batch,
                            .channels = channels,
                            .height = height,
                            .width = width};
    if (!model || model->net != session->net)
        return linnet_fail(session->context, LINNET_INVALID, "the session does not run this model's net");
    status = check_size(probe);
    linnet_tensor shape = {.type = LINNET_F32, .rank = 4, .dims = {batch, channels, height, width}};
    int64_t count = status == LINNET_OK ? linnet_tensor_count(&shape) : 0;
    if (status != LINNET_OK)
        return status;
    probe->input = count > 0 ? linnet_allocate((size_t)count, sizeof(float)) : NULL;
    if (!probe->input)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for %lld pictures of %lld x %lld",
                           (long long)batch, (long long)width, (long long)height);
    probe->picture_count = (size_t)(channels * height * width);
    probe->session = session;
    put_aside(session, &probe->saved);
    return LINNET_OK;
}

linnet_status linnet_probe_open_picture(linnet_probe *probe, linnet_session *session, const linnet_model *model,
                                        const linnet_tensor *picture, int64_t batch)
{
    memset(probe, 0, sizeof *probe);
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    if (!picture || picture->type != LINNET_F32 || picture->rank != 3 || !picture->data)
        return linnet_fail(session->context, LINNET_INVALID, "a picture is an f32 tensor [C,H,W]");
    return linnet_probe_open(probe, session, model, picture->dims[0], picture->dims[1], picture->dims[2], batch);
}

void linnet_probe_close(linnet_probe *probe)
{
    if (probe->session)
        put_back(probe->session, &probe->saved);
    linnet_release(probe->input);
    memset(probe, 0, sizeof *probe);
}

linnet_status linnet_probe_differentiate(linnet_probe *probe, linnet_value value)
{
    probe->session->settings.gradients = true;
    linnet_status status = linnet_session_want_gradient(probe->session, probe->model->image);
    if (status == LINNET_OK)
        status = linnet_session_keep(probe->session, value);
    return status == LINNET_OK ? linnet_session_add_loss(probe->session, value) : status;
}

linnet_status linnet_probe_forward(linnet_probe *probe, const float *pictures, int64_t count)
{
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = count};
    if (count < 1 || count > probe->batch)
        return linnet_fail(probe->context, LINNET_INVALID, "%lld pictures, room for %lld", (long long)count,
                           (long long)probe->batch);
    for (int64_t n = 0; n < count; n++) {
        size_t at = (size_t)n * probe->picture_count;
        linnet_preprocess_apply(&probe->model->preprocess, pictures + at, probe->channels, probe->height * probe->width,
                                probe->input + at);
    }
    batch.feeds[0] = (linnet_feed){.name = linnet_value_name(probe->model->net, probe->model->image),
                                   .tensor = {.type = LINNET_F32,
                                              .rank = 4,
                                              .dims = {count, probe->channels, probe->height, probe->width},
                                              .data = probe->input}};
    return linnet_forward(probe->session, &batch);
}

linnet_status linnet_probe_shape(linnet_probe *probe, linnet_value value, linnet_maps *out)
{
    linnet_tensor shape;
    memset(out, 0, sizeof *out);
    linnet_status status = linnet_session_shape(probe->session, value, &shape);
    if (status != LINNET_OK)
        return status;
    if (shape.type != LINNET_F32 || (shape.rank != 2 && shape.rank != 4))
        return linnet_fail(probe->context, LINNET_SHAPE, "'%s' makes no maps: it is no f32 [N,C,H,W] or [N,C]",
                           linnet_value_name(probe->model->net, value));
    *out = (linnet_maps){.channels = shape.dims[1],
                         .height = shape.rank == 4 ? shape.dims[2] : 1,
                         .width = shape.rank == 4 ? shape.dims[3] : 1};
    return LINNET_OK;
}

linnet_status linnet_probe_read(linnet_probe *probe, linnet_value value, linnet_maps *out)
{
    linnet_maps shape;
    linnet_tensor full = {.rank = 0};
    linnet_status status = linnet_probe_shape(probe, value, &shape);
    memset(out, 0, sizeof *out);
    if (status == LINNET_OK)
        status = linnet_session_shape(probe->session, value, &full);
    if (status != LINNET_OK)
        return status;
    size_t bytes = (size_t)linnet_tensor_bytes(&full);
    *out = shape;
    out->data = linnet_allocate(bytes, 1);
    if (!out->data)
        return linnet_fail(probe->context, LINNET_OUT_OF_MEMORY, "no memory for activations");
    status = linnet_session_read(probe->session, value, out->data, bytes);
    if (status != LINNET_OK)
        linnet_maps_free(out);
    return status;
}

linnet_status linnet_probe_backward(linnet_probe *probe, linnet_value value, const float *seed, size_t elements)
{
    return linnet_backward_from(probe->session, value, seed, elements * sizeof *seed);
}

linnet_status linnet_probe_picture_gradient(linnet_probe *probe, float *out)
{
    linnet_tensor shape;
    const linnet_preprocess *preprocess = &probe->model->preprocess;
    linnet_status status = linnet_session_shape(probe->session, probe->model->image, &shape);
    if (status != LINNET_OK)
        return status;
    size_t bytes = (size_t)linnet_tensor_bytes(&shape);
    status = linnet_session_read_gradient(probe->session, probe->model->image, probe->input, bytes);
    for (int64_t n = 0; status == LINNET_OK && n < shape.dims[0]; n++) {
        size_t at = (size_t)n * probe->picture_count;
        linnet_preprocess_gradient(preprocess, probe->input + at, probe->channels, probe->height * probe->width,
                                   out + at);
    }
    return status;
}
