/* SPDX-License-Identifier: Apache-2.0 */
#include "train_look.h"

#include <stdlib.h>
#include <string.h>

int train_look_open(train_look *l, int64_t batch, int64_t classes)
{
    *l = (train_look){.classes = classes};
    l->logits = calloc((size_t)(batch * classes), sizeof *l->logits);
    l->truth = calloc((size_t)batch, sizeof *l->truth);
    return l->logits && l->truth ? EXIT_GO_ON : cli_fail(EXIT_NO_MEMORY, "no memory for predictions");
}

int train_look_start(train_look *l, linnet_session *session, const linnet_model *model, const linnet_batch *batch,
                     double epoch, uint64_t step)
{
    l->size = batch->size;
    l->epoch = epoch;
    l->step = step;
    memcpy(l->truth, batch->feeds[1].tensor.data, (size_t)batch->size * sizeof *l->truth);
    linnet_status status = linnet_session_read_later(session, model->loss, &l->loss, sizeof l->loss, &l->loss_reading);
    if (status == LINNET_OK)
        status = linnet_session_read_later(session, model->logits, l->logits,
                                           (size_t)(batch->size * l->classes) * sizeof *l->logits, &l->logits_reading);
    return cli_check(status);
}

static int32_t best(const float *scores, int64_t classes)
{
    int32_t index = 0;
    for (int32_t i = 1; i < classes; i++)
        index = scores[i] > scores[index] ? i : index;
    return index;
}

int train_look_end(train_look *l, train_sight *out, bool *out_seen)
{
    int64_t correct = 0;
    *out_seen = l->loss_reading && l->logits_reading;
    linnet_status status = linnet_reading_wait(&l->loss_reading);
    if (status == LINNET_OK)
        status = linnet_reading_wait(&l->logits_reading);
    if (status != LINNET_OK || !*out_seen)
        return cli_check(status);
    for (int64_t i = 0; i < l->size; i++)
        correct += best(l->logits + i * l->classes, l->classes) == l->truth[i];
    *out = (train_sight){
        .epoch = l->epoch, .loss = (double)l->loss, .accuracy = (double)correct / (double)l->size, .step = l->step};
    return EXIT_GO_ON;
}

void train_look_close(train_look *l)
{
    linnet_reading_wait(&l->loss_reading);
    linnet_reading_wait(&l->logits_reading);
    free(l->logits);
    free(l->truth);
    *l = (train_look){.loss = 0};
}
