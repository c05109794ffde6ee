/* SPDX-License-Identifier: Apache-2.0 */
/* The best classes as bars. Internal to vision. */
#ifndef LINNET_VISION_SCORE_BARS_H
#define LINNET_VISION_SCORE_BARS_H

#include "linnet/features.h"

/* Pixels of its side. */
#define LINNET_SCORE_BARS_WIDTH 252
/* The count most probable classes (softmax over the scores of one picture), best first; returns how many there are. */
size_t linnet_best_classes(const linnet_maps *scores, size_t count, linnet_prediction *out);
/* One line a class: its name, cut at the first comma, a bar as long as it is probable, the probability. names NULL or
   too few: the class's number. */
linnet_image *linnet_score_bars(linnet_context *context, const linnet_prediction *classes, size_t count,
                                const char *const *names, int32_t name_count);

#endif
