/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of an optimiser: its formula's numbers; its slots live in the session's places. Internal. */
#ifndef LINNET_TRAIN_OPTIMIZER_H
#define LINNET_TRAIN_OPTIMIZER_H

#include "../graph/session.h"
#include "linnet/train.h"

struct linnet_optimizer {
    linnet_session *session;
    linnet_optimizer_desc desc; /* step: taken so far */
    uint32_t slot_count;
};

/* Slots to zero, no steps taken. */
linnet_status linnet_optimizer_reset(linnet_optimizer *optimizer);

#endif
