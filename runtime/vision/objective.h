/* SPDX-License-Identifier: Apache-2.0 */
/* How objectives are put together: open, terms, finish. Internal. */
#ifndef LINNET_VISION_OBJECTIVE_H
#define LINNET_VISION_OBJECTIVE_H

#include "extractor.h"

#define LINNET_MOST_TERMS 34

typedef struct linnet_term {
    const char *kind;
    char *layer;
    linnet_value loss; /* without the weight */
    double weight;
    size_t target; /* index of its feed, LINNET_MAX_FEEDS: none */
} linnet_term;

struct linnet_objective {
    linnet_extractor extractor;
    linnet_value picture; /* an input; null when no term looks at the picture itself */
    linnet_value total;
    linnet_term terms[LINNET_MOST_TERMS];
    size_t term_count;
    linnet_target targets[LINNET_MAX_FEEDS]; /* what their inputs are fed with */
    linnet_value target_inputs[LINNET_MAX_FEEDS];
    size_t target_count;
    float *gradient; /* of the net's input */
    bool evaluated;
};

/* An objective without terms for pictures of this size; NULL: see the context. */
linnet_objective *linnet_objective_new(linnet_context *context, const linnet_feature_source *source,
                                       const linnet_tensor *picture);
/* Adds weight * factor * sum of squared differences between the layer's maps (or G / M) and the target, which the
   objective takes over. kind: a literal. */
linnet_status linnet_objective_match(linnet_objective *objective, const char *kind, linnet_target *target,
                                     double factor, double weight);
/* The input that is the picture itself, for terms that look at it. */
linnet_value linnet_objective_picture(linnet_objective *objective);
/* Adds weight * loss, a scalar of the net. */
linnet_status linnet_objective_add(linnet_objective *objective, const char *kind, const char *layer, linnet_value loss,
                                   double weight);
/* Adds up the terms and starts the session. */
linnet_status linnet_objective_finish(linnet_objective *objective);

#endif
