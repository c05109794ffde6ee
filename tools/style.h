/* SPDX-License-Identifier: Apache-2.0 */
/* The insides of `linnet style`. Functions return EXIT_GO_ON or the exit code to leave with, having said why. */
#ifndef LINNET_TOOLS_STYLE_H
#define LINNET_TOOLS_STYLE_H

#include "descent.h"

#include <jansson.h>

/* What decides the picture and its run: kept in the state file, so that a resumed run is the same one. */
typedef struct style_settings {
    const char *content, *style; /* files; NULL: without */
    const char *model, *weights, *layers, *content_layers;
    int64_t size, style_size, seed;
    int64_t iterations, every;                      /* in all; snapshots, 0: none */
    double content_weight, style_weight, tv_weight; /* 0: default */
    double noise, rate;                             /* noise: its share in the start */
    int absolute, average_pooling, method;          /* method: index into minimizer_names */
} style_settings;

typedef struct style_outputs {
    const char *picture, *state; /* state NULL: only where a run is interrupted */
} style_outputs;

/* A comma-separated list: names, each perhaps with :weight. */
typedef struct layer_list {
    char *text;
    linnet_weighted_layer layers[32];
    size_t count;
} layer_list;
/* text NULL: an empty list. option: what to call it. */
int layer_list_parse(const char *text, const char *option, layer_list *out);
void layer_list_free(layer_list *list);

descent_settings style_descent(const style_settings *settings);

/* The state of a run: safetensors with the picture, Adam's moments, the losses so far, and the settings as a note. */
int style_state_save(const char *path, const style_settings *settings, const descent *d);
/* The settings and the iterations done; strings live as long as *out_settings_json (json_decref). */
int style_state_settings(const char *path, style_settings *out, int64_t *out_done, json_t **out_settings_json);
/* Everything else into a descent whose objective was made from those settings. */
int style_state_load(const char *path, descent *d);

/* One picture. resume: a state file, or NULL. */
int style_transfer(const style_settings *settings, const style_outputs *outputs, const char *resume);
/* Content and/or style reconstructed from one layer after another, as rows of a sheet (figure 1 of the paper). */
int style_figure(const style_settings *settings, const style_outputs *outputs, bool content, bool style);

#endif
