/* SPDX-License-Identifier: Apache-2.0 */
#include "train.h"

#include <math.h>
#include <string.h>

/* Half as many points, each the mean of two. */
static void merge_pairs(history *h)
{
    for (size_t i = 0; i < h->point_count / 2; i++) {
        const history_point *a = &h->points[2 * i], *b = a + 1;
        h->points[i] =
            (history_point){(a->epoch + b->epoch) / 2, (a->loss + b->loss) / 2, (a->accuracy + b->accuracy) / 2};
    }
    h->point_count /= 2;
    h->stride *= 2;
}

void history_add(history *h, double epoch, double loss, double accuracy)
{
    h->epoch_loss += loss;
    h->epoch_accuracy += accuracy;
    h->epoch_samples++;
    h->sum.epoch += epoch;
    h->sum.loss += loss;
    h->sum.accuracy += accuracy;
    h->stride = h->stride ? h->stride : 1;
    if (++h->pending < h->stride)
        return;
    double n = (double)h->pending;
    h->points[h->point_count++] = (history_point){h->sum.epoch / n, h->sum.loss / n, h->sum.accuracy / n};
    h->sum = (history_point){0};
    h->pending = 0;
    if (h->point_count == HISTORY_POINTS)
        merge_pairs(h);
}

void history_end_epoch(history *h, double epoch, double test_loss, double test_accuracy, double *out_loss,
                       double *out_accuracy)
{
    *out_loss = h->epoch_samples ? h->epoch_loss / (double)h->epoch_samples : NAN;
    *out_accuracy = h->epoch_samples ? h->epoch_accuracy / (double)h->epoch_samples : NAN;
    h->epoch_loss = h->epoch_accuracy = 0;
    h->epoch_samples = 0;
    if (h->epoch_count < HISTORY_EPOCHS)
        h->epochs[h->epoch_count++] = (history_point){epoch, test_loss, test_accuracy};
}

/* ---- In the checkpoint ---- */

static json_t *point_json(const history_point *point)
{
    return json_pack("[f,f,f]", point->epoch, point->loss, point->accuracy);
}

static json_t *points_json(const history_point *points, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, point_json(&points[i]));
    return list;
}

json_t *history_json(const history *h)
{
    return json_pack("{s:o,s:o,s:I,s:I,s:o,s:f,s:f,s:I}", "points", points_json(h->points, h->point_count), "epochs",
                     points_json(h->epochs, h->epoch_count), "stride", (json_int_t)h->stride, "pending",
                     (json_int_t)h->pending, "sum", point_json(&h->sum), "epoch_loss", h->epoch_loss, "epoch_accuracy",
                     h->epoch_accuracy, "epoch_samples", (json_int_t)h->epoch_samples);
}

static bool read_point(const json_t *list, history_point *out)
{
    if (json_array_size(list) != 3)
        return false;
    out->epoch = json_number_value(json_array_get(list, 0));
    out->loss = json_number_value(json_array_get(list, 1));
    out->accuracy = json_number_value(json_array_get(list, 2));
    return true;
}

static bool read_points(const json_t *list, history_point *out, size_t limit, size_t *out_count)
{
    *out_count = json_array_size(list);
    if (!json_is_array(list) || *out_count > limit)
        return false;
    for (size_t i = 0; i < *out_count; i++)
        if (!read_point(json_array_get(list, i), &out[i]))
            return false;
    return true;
}

bool history_from_json(const json_t *object, history *out)
{
    memset(out, 0, sizeof *out);
    out->stride = json_integer_value(json_object_get(object, "stride"));
    out->pending = json_integer_value(json_object_get(object, "pending"));
    out->epoch_loss = json_number_value(json_object_get(object, "epoch_loss"));
    out->epoch_accuracy = json_number_value(json_object_get(object, "epoch_accuracy"));
    out->epoch_samples = json_integer_value(json_object_get(object, "epoch_samples"));
    return out->stride >= 0 && out->stride <= INT32_MAX && out->pending >= 0 && out->pending <= out->stride &&
           out->epoch_samples >= 0 && read_point(json_object_get(object, "sum"), &out->sum) &&
           read_points(json_object_get(object, "points"), out->points, HISTORY_POINTS - 1, &out->point_count) &&
           read_points(json_object_get(object, "epochs"), out->epochs, HISTORY_EPOCHS, &out->epoch_count);
}
