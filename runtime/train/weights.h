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

/* Checks that the file has every variable of the net with its shape and no tensor that is not of the net (all that does
   not fit is in the sentence), and that it was made for this architecture. */
linnet_status linnet_weights_check(const linnet_net *net, const linnet_safetensors *file, const char *path);
/* Writes the variables from a checked file into the session. */
linnet_status linnet_weights_apply(linnet_session *session, const linnet_safetensors *file);

/* What opens the net again, as metadata: its name, "linnet.input.NAME" and "linnet.output.NAME" with the dimensions
   behind the batch ("3x32x32", ? where free), the net's notes. Keys and texts last until linnet_metadata_list_clear. */
typedef struct linnet_metadata_list {
    linnet_metadata *items;
    size_t count, capacity;
    bool failed; /* out of memory */
} linnet_metadata_list;
void linnet_metadata_list_add(linnet_metadata_list *list, const char *key, const char *value);
void linnet_metadata_list_net(linnet_metadata_list *list, const linnet_net *net);
void linnet_metadata_list_clear(linnet_metadata_list *list);

#define LINNET_METADATA_ARCHITECTURE "linnet.architecture"
#define LINNET_METADATA_INPUT        "linnet.input."
#define LINNET_METADATA_OUTPUT       "linnet.output."
#define LINNET_METADATA_CHECKPOINT   "linnet-checkpoint" /* the note "format" of a checkpoint */

/* The network that a file names: what linnet_save wrote, else the first word of the note "architecture" that others
   write; "" when it names none. NULL: out of memory. Release with linnet_release. */
char *linnet_weights_name(const linnet_safetensors *file);

#endif
