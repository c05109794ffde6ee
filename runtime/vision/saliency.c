/* SPDX-License-Identifier: Apache-2.0 */
/* What a class score depends on: saliency (Simonyan et al. 2014) and Grad-CAM (Selvaraju et al. 2017). */
#include "linnet/attribution.h"
#include "probe.h"

#include <math.h>
#include <string.h>

/* A network has scores, and the class is one of them. */
static linnet_status choose_class(const linnet_probe *p, const linnet_maps *scores, int64_t wanted,
                                  linnet_attribution *out)
{
    int64_t classes = scores->channels, best = 0;
    double sum = 0;
    if (wanted >= classes || wanted < LINNET_CLASS_BEST)
        return linnet_fail(p->context, LINNET_INVALID, "there is no class %lld: they are numbered 0 to %lld",
                           (long long)wanted, (long long)classes - 1);
    for (int64_t i = 1; i < classes; i++)
        if (scores->data[i] > scores->data[best])
            best = i;
    for (int64_t i = 0; i < classes; i++)
        sum += exp((double)scores->data[i] - (double)scores->data[best]);
    out->class_index = wanted == LINNET_CLASS_BEST ? best : wanted;
    out->score = scores->data[out->class_index];
    out->probability = (float)(exp((double)out->score - (double)scores->data[best]) / sum);
    return LINNET_OK;
}

/* Forward, then the gradient of one class's score. */
static linnet_status differentiate_class(linnet_probe *p, const linnet_tensor *picture, int64_t class_index,
                                         linnet_attribution *out)
{
    linnet_maps scores = {.data = NULL};
    linnet_status status = linnet_probe_forward(p, picture->data, 1);
    if (status == LINNET_OK)
        status = linnet_probe_read(p, p->model->logits, &scores);
    if (status == LINNET_OK && scores.height * scores.width != 1)
        status = linnet_fail(p->context, LINNET_SHAPE, "the scores are no [N,classes]");
    if (status == LINNET_OK)
        status = choose_class(p, &scores, class_index, out);
    if (status == LINNET_OK) {
        memset(scores.data, 0, (size_t)scores.channels * sizeof *scores.data);
        scores.data[out->class_index] = 1.0f; /* the scores are read: their memory becomes the seed */
        status = linnet_probe_backward(p, p->model->logits, scores.data, (size_t)scores.channels);
    }
    linnet_maps_free(&scores);
    return status;
}

static linnet_status open_class(linnet_probe *p, linnet_session *session, const linnet_model *model,
                                const linnet_tensor *picture)
{
    linnet_status status = linnet_probe_open_picture(p, session, model, picture, 1);
    if (status == LINNET_OK && !model->logits.id)
        status = linnet_fail(p->context, LINNET_INVALID, "the network '%s' has no class scores",
                             linnet_net_name(model->net));
    return status == LINNET_OK ? linnet_probe_differentiate(p, model->logits) : status;
}

/* The largest |gradient| over the channels of every pixel. */
static void largest(const float *gradient, int64_t channels, int64_t pixels, float *out)
{
    for (int64_t i = 0; i < pixels; i++) {
        out[i] = 0;
        for (int64_t c = 0; c < channels; c++)
            out[i] = fmaxf(out[i], fabsf(gradient[c * pixels + i]));
    }
}

linnet_status linnet_saliency_map(linnet_session *session, const linnet_model *model, const linnet_tensor *picture,
                                  int64_t class_index, linnet_attribution *out_attribution)
{
    linnet_probe p;
    linnet_maps gradient = {.data = NULL};
    memset(out_attribution, 0, sizeof *out_attribution);
    linnet_status status = open_class(&p, session, model, picture);
    if (status == LINNET_OK)
        status = differentiate_class(&p, picture, class_index, out_attribution);
    if (status == LINNET_OK)
        status = linnet_maps_new(p.context, p.channels, p.height, p.width, &gradient);
    if (status == LINNET_OK)
        status = linnet_probe_picture_gradient(&p, gradient.data);
    if (status == LINNET_OK)
        status = linnet_maps_new(p.context, 1, p.height, p.width, &out_attribution->map);
    if (status == LINNET_OK)
        largest(gradient.data, p.channels, p.height * p.width, out_attribution->map.data);
    linnet_maps_free(&gradient);
    linnet_probe_close(&p);
    return status;
}

linnet_value linnet_last_maps(const linnet_model *model)
{
    linnet_value last = {0};
    for (size_t i = 0; model && i < linnet_net_node_count(model->net); i++) {
        linnet_node_info info;
        int64_t dims[LINNET_MAX_RANK];
        bool maps = linnet_net_node(model->net, i, &info) == LINNET_OK &&
                    linnet_value_shape(model->net, info.output, dims) == 4 && dims[2] != 1 && dims[3] != 1;
        last = maps ? info.output : last;
    }
    return last;
}

/* max(0, sum over channels of mean gradient times map) */
static void weigh(const linnet_maps *maps, const float *gradient, float *out)
{
    int64_t positions = maps->height * maps->width;
    for (int64_t i = 0; i < positions; i++) {
        double sum = 0;
        for (int64_t c = 0; c < maps->channels; c++)
            sum += (double)gradient[c] * (double)maps->data[c * positions + i];
        out[i] = sum > 0 ? (float)sum : 0;
    }
}

/* The mean over positions, in place: channel c's comes to lie at c. */
static void average(float *gradient, int64_t channels, int64_t positions)
{
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (int64_t i = 0; i < positions; i++)
            sum += (double)gradient[c * positions + i];
        gradient[c] = (float)(sum / (double)positions);
    }
}

static linnet_status make_cam(linnet_probe *p, linnet_value layer, linnet_maps *out)
{
    linnet_maps maps, gradient = {.data = NULL};
    linnet_status status = linnet_probe_read(p, layer, &maps);
    if (status != LINNET_OK)
        return status;
    int64_t positions = maps.height * maps.width;
    status = linnet_maps_new(p->context, maps.channels, maps.height, maps.width, &gradient);
    if (status == LINNET_OK)
        status = linnet_session_read_gradient(p->session, layer, gradient.data,
                                              (size_t)(maps.channels * positions) * sizeof(float));
    if (status == LINNET_OK)
        status = linnet_maps_new(p->context, 1, maps.height, maps.width, out);
    if (status == LINNET_OK) {
        average(gradient.data, maps.channels, positions);
        weigh(&maps, gradient.data, out->data);
    }
    linnet_maps_free(&maps);
    linnet_maps_free(&gradient);
    return status;
}

linnet_status linnet_grad_cam_map(linnet_session *session, const linnet_model *model, const linnet_tensor *picture,
                                  linnet_value layer, int64_t class_index, linnet_attribution *out_attribution)
{
    linnet_probe p;
    memset(out_attribution, 0, sizeof *out_attribution);
    linnet_status status = open_class(&p, session, model, picture);
    if (status == LINNET_OK && !layer.id)
        layer = linnet_last_maps(model);
    if (status == LINNET_OK && !layer.id)
        status = linnet_fail(p.context, LINNET_INVALID, "the network '%s' has no layer with maps",
                             linnet_net_name(model->net));
    if (status == LINNET_OK)
        status = linnet_session_want_gradient(session, layer);
    if (status == LINNET_OK)
        status = linnet_session_keep(session, layer);
    if (status == LINNET_OK)
        status = differentiate_class(&p, picture, class_index, out_attribution);
    if (status == LINNET_OK)
        status = make_cam(&p, layer, &out_attribution->map);
    linnet_probe_close(&p);
    return status;
}
