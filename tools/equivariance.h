/* SPDX-License-Identifier: Apache-2.0 */
/* The command `linnet equivariance`: options, what is measured, how it is shown. Functions return EXIT_GO_ON or the
   exit code to leave with. */
#ifndef LINNET_TOOLS_EQUIVARIANCE_H
#define LINNET_TOOLS_EQUIVARIANCE_H

#include "look.h"

typedef struct shift_settings {
    const char *model, *image, *weights, *labels, *layers, *compare, *compare_weights, *data, *output, *picture;
    int direction, border;           /* indices into shift_directions, shift_borders */
    int64_t steps, by, limit, index; /* index -1: none */
} shift_settings;

extern const char *const shift_directions[], *const shift_borders[];

/* One network, its layers, and the means over the pictures of what a shift does. */
typedef struct shift_subject {
    char title[32]; /* the network's name, or where that says too little or too much the file's */
    engine e;
    linnet_value *layers;
    const char **names;
    size_t layer_count;
    linnet_shift_layer *seen;            /* of the last picture; error NULL */
    double **error;                      /* [layer][steps + 1] */
    double *probability, *cosine, *same; /* [steps + 1]; same: the share of pictures whose best class stays */
    int64_t pictures;
    int64_t top_class; /* of the last picture */
} shift_subject;

/* "down" and "right": pixels that one step moves the picture by. */
void shift_way(const shift_settings *s, int64_t *out_down, int64_t *out_right);
/* The shift of a step, in pixels. */
double shift_pixels(const shift_settings *s, int64_t step);

/* Adds what happens to one picture; shift_finish makes means of the sums. */
int shift_add_picture(shift_subject *subject, const shift_settings *s, const photo *picture);
void shift_finish(shift_subject *subject, const shift_settings *s);

void shift_print(const shift_subject *subject, const shift_settings *s, const labels *names);
/* The curves of one network or two. */
int shift_draw_curves(const shift_subject *subjects, size_t count, const shift_settings *s);
/* One picture, moved by the last step: maps of some layers, moved before and behind. */
int shift_draw_maps(const shift_subject *subject, const shift_settings *s, const photo *picture);

extern const cli_command cmd_equivariance;

#endif
