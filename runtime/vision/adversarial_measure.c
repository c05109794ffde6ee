/* SPDX-License-Identifier: Apache-2.0 */
/* Around an attack: what the net sees in a picture, 8 bits, how large a change is. */
#include "core/core.h"
#include "graph/session.h"
#include "linnet/adversarial.h"

#include <math.h>

linnet_status linnet_classify(linnet_session *session, const linnet_model *model, const linnet_tensor *picture,
                              size_t k, linnet_prediction *out_predictions)
{
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    if (!model || !model->logits.id)
        return linnet_fail(session->context, LINNET_INVALID, "the network has no classes");
    if (!picture || picture->rank != 3 || picture->type != LINNET_F32 || linnet_tensor_count(picture) < 1 ||
        picture->dims[0] > 4)
        return linnet_fail(session->context, LINNET_SHAPE, "the picture has to be f32 [C,H,W]");
    linnet_tensor input = *picture;
    input.data = linnet_allocate((size_t)linnet_tensor_count(picture), sizeof(float));
    if (!input.data)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a picture");
    linnet_preprocess_apply(&model->preprocess, picture->data, picture->dims[0], picture->dims[1] * picture->dims[2],
                            input.data);
    status = linnet_predict(session, model->logits, &input, k, out_predictions);
    linnet_release(input.data);
    return status;
}

/* A picture's value and epsilon are in single precision: 4/255 is four levels, not a little less. */
#define ROUNDING 1e-4

void linnet_attack_quantise(const float *picture, const float *adversarial, size_t count, float epsilon,
                            uint8_t *out_bytes)
{
    for (size_t i = 0; i < count; i++) {
        double middle = 255 * (double)picture[i], reach = 255 * (double)epsilon + ROUNDING;
        double low = fmax(ceil(middle - reach), 0), high = fmin(floor(middle + reach), 255);
        double level = low <= high ? fmin(fmax(round(255 * (double)adversarial[i]), low), high)
                                   : fmin(fmax(round(middle), 0), 255);
        out_bytes[i] = (uint8_t)level;
    }
}

void linnet_difference_measure(const float *a, const float *b, size_t count, linnet_difference *out_difference)
{
    linnet_difference d = {0};
    for (size_t i = 0; i < count; i++) {
        double distance = fabs((double)b[i] - (double)a[i]);
        d.largest = fmax(d.largest, distance);
        d.length += distance * distance;
        d.mean += distance;
    }
    d.length = sqrt(d.length);
    d.mean = count ? d.mean / (double)count : 0;
    *out_difference = d;
}
