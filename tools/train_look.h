/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at the loss of a training step without stalling the device: what is asked for behind one step is read once
   the next one has been given to it. */
#ifndef LINNET_TOOLS_TRAIN_LOOK_H
#define LINNET_TOOLS_TRAIN_LOOK_H

#include "cli.h"

typedef struct train_look {
    linnet_reading *loss_reading, *logits_reading; /* NULL: nothing is under way */
    float loss, *logits;                           /* of a batch: [batch, classes] */
    int32_t *truth;
    int64_t classes, size; /* size: of the batch at hand */
    double epoch;          /* where it stands, in epochs */
    uint64_t step;
} train_look;

/* What a look found. */
typedef struct train_sight {
    double epoch, loss, accuracy;
    uint64_t step;
} train_sight;

int train_look_open(train_look *l, int64_t batch, int64_t classes);
/* Asks for the loss and the scores of the batch just trained, the step-th of all. Nothing is under way. */
int train_look_start(train_look *l, linnet_session *session, const linnet_model *model, const linnet_batch *batch,
                     double epoch, uint64_t step);
/* Waits for what is under way; *out_seen false: nothing was. */
int train_look_end(train_look *l, train_sight *out, bool *out_seen);
/* Before its session is freed. */
void train_look_close(train_look *l);

#endif
