/* SPDX-License-Identifier: Apache-2.0 */
/* A session's variables as named tensors, for weight files and checkpoints. Internal. */
#ifndef LINNET_TRAIN_WEIGHTS_H
#define LINNET_TRAIN_WEIGHTS_H

#include "../graph/session.h"
#include "linnet/safetensors.h"

/* Named tensors with memory of their own. */
typedef struct linnet_tensor_list {
    linnet_named_tensor *tensors;
    size_t count, capacity;
} linnet_tensor_list;

/* Reads bytes from a view of a place into a new tensor called name (copied), shaped as the value. */
linnet_status linnet_tensor_list_read(linnet_session *session, linnet_tensor_list *list, const char *name,
                                      uint32_t value, uint32_t place, linnet_view view, uint64_t bytes);
/* Every parameter and running statistic. */
linnet_status linnet_tensor_list_variables(linnet_session *session, linnet_tensor_list *list);
void linnet_tensor_list_clear(linnet_tensor_list *list);

/* Checks that the file has every variable of the net with its shape (all that does not fit is in the sentence), and
   that it was made for this architecture. */
linnet_status linnet_weights_check(linnet_session *session, const linnet_safetensors *file, const char *path);
/* Writes the variables from a checked file into the session. */
linnet_status linnet_weights_apply(linnet_session *session, const linnet_safetensors *file);

#define LINNET_METADATA_ARCHITECTURE "linnet.architecture"

#endif
