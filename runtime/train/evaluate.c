/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy and loss over a loader; the classes of one sample. */
#include "../graph/session.h"
#include "linnet/train.h"

#include <math.h>
#include <string.h>

/* Settings that evaluation changes for a while. */
typedef struct saved_settings {
    linnet_behaviour behaviour;
    bool gradients;
} saved_settings;

static saved_settings evaluate_mode(linnet_session *session)
{
    saved_settings saved = {session->settings.behaviour, session->settings.gradients};
    session->settings.behaviour = LINNET_EVALUATE;
    session->settings.gradients = false;
    return saved;
}

static void restore_mode(linnet_session *session, saved_settings saved)
{
    session->settings.behaviour = saved.behaviour;
    session->settings.gradients = saved.gradients;
}

/* Outputs are readable anyway; anything else has to be kept from now on. */
static linnet_status make_readable(linnet_session *session, linnet_value value)
{
    const linnet_net *net = session->net;
    bool is_output = value.id >= 1 && value.id <= net->value_count &&
                     (net->values[value.id - 1].is_output || net->values[value.id - 1].uses == 0);
    return is_output ? LINNET_OK : linnet_session_keep(session, value);
}

/* The first of the largest; -1 where none is a number. */
static int32_t argmax(const float *scores, int64_t classes)
{
    int64_t best = -1;
    for (int64_t i = 0; i < classes; i++)
        if (!isnan(scores[i]) && (best < 0 || scores[i] > scores[best]))
            best = i;
    return (int32_t)best;
}

/* The i32 feed of a batch: its labels. NULL: it has none. */
static const int32_t *find_labels(const linnet_batch *batch)
{
    for (uint32_t i = 0; i < batch->feed_count; i++)
        if (batch->feeds[i].tensor.type == LINNET_I32)
            return batch->feeds[i].tensor.data;
    return NULL;
}

/* Scores of the last forward, [N,classes] in *scores, grown as needed. */
static linnet_status read_scores(linnet_session *session, linnet_value logits, float **scores, size_t *capacity,
                                 int64_t *out_classes)
{
    linnet_tensor shape;
    linnet_status status = linnet_session_shape(session, logits, &shape);
    if (status != LINNET_OK)
        return status;
    int64_t count = linnet_tensor_count(&shape);
    if (shape.rank < 2 || count < 1)
        return linnet_fail(session->context, LINNET_SHAPE, "scores have to be [N,classes]");
    *out_classes = count / shape.dims[0];
    if (!linnet_grow(scores, capacity, (size_t)count, sizeof **scores))
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for scores");
    return linnet_session_read(session, logits, *scores, (size_t)count * sizeof **scores);
}

/* A forward and its scores; once more where the device was lost meanwhile, since a session may get over that. */
static linnet_status score(linnet_session *session, const linnet_batch *batch, linnet_value logits, float **scores,
                           size_t *capacity, int64_t *out_classes)
{
    linnet_status status = LINNET_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        status = linnet_forward(session, batch);
        if (status == LINNET_OK)
            status = read_scores(session, logits, scores, capacity, out_classes);
        if (status != LINNET_DEVICE_LOST)
            break;
    }
    return status;
}

static linnet_status evaluate_batch(linnet_session *session, const linnet_batch *batch, linnet_value logits,
                                    linnet_value loss, float **scores, size_t *capacity, int32_t *predictions,
                                    linnet_evaluation *sum)
{
    int64_t classes = 0;
    const int32_t *labels = find_labels(batch);
    linnet_status status = score(session, batch, logits, scores, capacity, &classes);
    if (status == LINNET_OK && loss.id) {
        float mean = 0;
        status = linnet_session_read(session, loss, &mean, sizeof mean);
        sum->loss += (double)mean * (double)batch->size;
    }
    for (int64_t i = 0; status == LINNET_OK && i < batch->size; i++) {
        int32_t best = argmax(*scores + i * classes, classes);
        sum->correct += labels && best >= 0 && labels[i] == best;
        if (predictions)
            predictions[sum->count + i] = best;
    }
    sum->count += batch->size;
    return status;
}

linnet_status linnet_evaluate(linnet_session *session, linnet_loader *loader, linnet_value logits, linnet_value loss,
                              int32_t *out_predictions, linnet_progress_function progress, void *user,
                              linnet_evaluation *out_evaluation)
{
    linnet_batch batch;
    float *scores = NULL;
    size_t capacity = 0;
    linnet_evaluation sum = {0};
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    status = make_readable(session, logits);
    if (status == LINNET_OK && loss.id)
        status = make_readable(session, loss);
    saved_settings saved = evaluate_mode(session);
    while (status == LINNET_OK && linnet_loader_next(loader, &batch)) {
        status = evaluate_batch(session, &batch, logits, loss, &scores, &capacity, out_predictions, &sum);
        if (status == LINNET_OK && progress && progress(user, sum.count, linnet_loader_samples(loader)))
            status = linnet_fail(session->context, LINNET_INTERRUPTED, "evaluation was interrupted");
    }
    restore_mode(session, saved);
    linnet_release(scores);
    sum.accuracy = sum.count ? (double)sum.correct / (double)sum.count : 0.0;
    sum.loss = loss.id && sum.count ? sum.loss / (double)sum.count : (double)NAN;
    if (status == LINNET_OK)
        *out_evaluation = sum;
    return status;
}

/* ---- One sample ---- */

static void softmax(float *scores, int64_t classes)
{
    int32_t best = argmax(scores, classes);
    float top = best < 0 ? NAN : scores[best];
    double sum = 0;
    for (int64_t i = 0; i < classes; i++)
        sum += exp((double)scores[i] - top);
    for (int64_t i = 0; i < classes; i++)
        scores[i] = (float)(exp((double)scores[i] - top) / sum);
}

/* What is no number comes behind all probabilities, and before what was taken. */
static float rank_of(float probability)
{
    return isnan(probability) ? -0.5f : probability;
}

/* Takes the best k out of the scores, best first. */
static void take_best(float *probabilities, int64_t classes, size_t k, linnet_prediction *out)
{
    for (size_t i = 0; i < k; i++) {
        int32_t best = 0;
        for (int32_t c = 1; c < classes; c++)
            if (rank_of(probabilities[c]) > rank_of(probabilities[best]))
                best = c;
        out[i] = (linnet_prediction){best, probabilities[best]};
        probabilities[best] = -1.0f;
    }
}

/* The f32 input that a sample of this shape goes to. */
static const linnet_net_value *find_input(const linnet_net *net)
{
    for (size_t v = 0; v < net->value_count; v++)
        if (net->values[v].kind == LINNET_VALUE_INPUT && net->values[v].shape.type == LINNET_F32)
            return &net->values[v];
    return NULL;
}

static linnet_status predict(linnet_session *session, linnet_value logits, const linnet_batch *batch, size_t k,
                             linnet_prediction *out)
{
    float *scores = NULL;
    size_t capacity = 0;
    int64_t classes = 0;
    linnet_status status = score(session, batch, logits, &scores, &capacity, &classes);
    if (status == LINNET_OK && (int64_t)k > classes)
        status = linnet_fail(session->context, LINNET_INVALID, "%zu classes are wanted, the net has %lld", k,
                             (long long)classes);
    if (status == LINNET_OK) {
        softmax(scores, classes);
        take_best(scores, classes, k, out);
    }
    linnet_release(scores);
    return status;
}

linnet_status linnet_predict(linnet_session *session, linnet_value logits, const linnet_tensor *sample, size_t k,
                             linnet_prediction *out_predictions)
{
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    const linnet_net_value *input = find_input(session->net);
    if (!input || sample->rank + 1 > LINNET_MAX_RANK)
        return linnet_fail(session->context, LINNET_INVALID, "the net has no input that takes this sample");
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] = (linnet_feed){.name = input->name, .tensor = *sample};
    batch.feeds[0].tensor.rank = sample->rank + 1;
    batch.feeds[0].tensor.dims[0] = 1;
    memcpy(batch.feeds[0].tensor.dims + 1, sample->dims, sample->rank * sizeof *sample->dims);
    saved_settings saved = evaluate_mode(session);
    status = make_readable(session, logits);
    if (status == LINNET_OK)
        status = predict(session, logits, &batch, k, out_predictions);
    restore_mode(session, saved);
    return status;
}
