/* SPDX-License-Identifier: Apache-2.0 */
/* The command `linnet features`, split by what it shows. Each function returns EXIT_GO_ON or the exit code to leave
   with. */
#ifndef LINNET_TOOLS_FEATURES_H
#define LINNET_TOOLS_FEATURES_H

#include "look.h"

typedef struct features_options {
    const char *model, *image, *weights, *labels, *layer, *output;
    double blur;
    const char *class_text, *unit, *exciting, *maximise, *data;
    int all, filters, saliency, grad_cam, receptive_field;
    int64_t maps, count, limit, size, steps, seed, index; /* index -1: none */
} features_options;

typedef struct features {
    const features_options *o;
    engine e;
    labels names;
    linnet_dataset *data; /* NULL: none was asked for */
    photo picture;        /* empty: none was asked for */
    linnet_value layer;   /* null: none was named */
    int64_t class_index;  /* LINNET_CLASS_BEST: none was named */
} features;

/* Side of a picture in a figure, about. */
#define FEATURES_SIDE 224

int features_layer(features *f);
int features_strip(features *f);
int features_filters(features *f);
int features_exciting(features *f);
int features_maximise(features *f);
int features_saliency(features *f);
int features_grad_cam(features *f);
int features_field(features *f);

/* The layer named with --layer, else `instead`; its name. */
linnet_value features_layer_or(const features *f, linnet_value instead);
const char *features_layer_name(const features *f, linnet_value layer);

/* For overlays. Means over square cells; the same map where it is small. Free out->data with free. */
int features_coarse(const linnet_maps *map, linnet_maps *out);
/* The few largest values are cut off, so that a few pixels do not make all others dark. */
int features_limit_peaks(linnet_maps *map);

extern const cli_command cmd_features;

#endif
