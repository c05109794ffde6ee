/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that look inside a network share: layers by name, lists of units, figures. Functions return
   EXIT_GO_ON or the exit code to leave with, having said why. */
#ifndef LINNET_TOOLS_LOOK_H
#define LINNET_TOOLS_LOOK_H

#include "labels.h"
#include "model.h"
#include "photo.h"

/* The test images of a folder, or those that Linnet draws itself (NULL or "digits"), in the size that the network
   takes, or size x size where size is not 0. The first `limit` of them (0: all); where one is wanted, index is not
   negative. */
int look_data(const char *data, const char *model, const char *weights, int64_t size, int64_t limit, int64_t index,
              linnet_dataset **out_data);
/* The layer called name. EXIT_USAGE with a list of all layers where there is none, or where it is a loss. */
int look_layer(const linnet_model *model, const char *name, linnet_value *out);
/* Whether a file is called like a picture, .png or .jpg: nobody calls a network so. */
bool look_is_picture(const char *path);
/* Names from a file that are fewer than the network's classes belong to other classes: EXIT_BAD_INPUT. */
int look_labels(const linnet_model *model, const char *path, const labels *names);
/* All layers whose values are maps or vectors, in the net's order; free *out_layers and *out_names (not the names). */
int look_layers(const linnet_model *model, linnet_value **out_layers, const char ***out_names, size_t *out_count);
/* Whether all that becomes of a value is its relu, which shows it, too. */
bool look_only_for_relu(const linnet_net *net, linnet_value value);
/* "0,3,7-9": numbers from 0 on, at most `most` of them. what: as the option is called. Free *out_list. */
int look_numbers(const cli_command *command, const char *what, const char *text, size_t most, int64_t **out_list,
                 size_t *out_count);

/* How many times an image is enlarged to be about side pixels large; 1 for one that is larger. */
int32_t look_scale(const linnet_image *image, int32_t side);
/* The photo in RGB, enlarged to about side pixels. NULL: see linnet_context_message. */
linnet_image *look_image(const photo *p, int32_t side);
/* Adds the image to the sheet, enlarged to about side pixels (0: as it is), and frees it. */
int look_add(linnet_sheet *sheet, linnet_image **image, int32_t side, const char *caption);
/* Writes the image and frees it. path NULL: only frees. */
int look_write(linnet_image **image, const char *path);

#endif
