/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking into a session without leaving a trace: its settings and lists are put aside, pictures go in, values and
 * gradients come out, and everything is as before afterwards. Internal to vision.
 */
#ifndef LINNET_VISION_PROBE_H
#define LINNET_VISION_PROBE_H

#include "../core/core.h"
#include "../graph/session.h"
#include "linnet/features.h"

typedef struct linnet_probe {
    linnet_session *session;
    linnet_context *context;
    const linnet_model *model;
    linnet_session_settings saved;
    int64_t batch;                   /* most pictures at once */
    int64_t channels, height, width; /* of a picture */
    size_t picture_count;            /* C * H * W */
    float *input;                    /* [batch,C,H,W], preprocessed */
} linnet_probe;

/* Puts the session's settings aside: evaluate, lazy, no gradients, nothing kept. A probe that failed to open is closed;
   closing it again does no harm. */
linnet_status linnet_probe_open(linnet_probe *probe, linnet_session *session, const linnet_model *model,
                                int64_t channels, int64_t height, int64_t width, int64_t batch);
/* The same for one picture of the size of the tensor, f32 [C,H,W]. */
linnet_status linnet_probe_open_picture(linnet_probe *probe, linnet_session *session, const linnet_model *model,
                                        const linnet_tensor *picture, int64_t batch);
void linnet_probe_close(linnet_probe *probe);

/* Turns gradients on, of value with respect to the picture. */
linnet_status linnet_probe_differentiate(linnet_probe *probe, linnet_value value);
/* Copies pictures, [count,C,H,W] of 0 to 1, through the preprocessing and runs the net. */
linnet_status linnet_probe_forward(linnet_probe *probe, const float *pictures, int64_t count);
/* Shape of a value for one picture after a forward: [C,H,W], [C,1,1] for [N,C]; data NULL. */
linnet_status linnet_probe_shape(linnet_probe *probe, linnet_value value, linnet_maps *out);
/* A value of the last forward, all its pictures one after the other; out->data is new. */
linnet_status linnet_probe_read(linnet_probe *probe, linnet_value value, linnet_maps *out);
/* Gradients of sum(seed * value): seed as large as the value in the last forward, of count pictures. */
linnet_status linnet_probe_backward(linnet_probe *probe, linnet_value value, const float *seed, size_t elements);
/* The gradient with respect to the pictures (0 to 1) of the last forward, [count,C,H,W]. */
linnet_status linnet_probe_picture_gradient(linnet_probe *probe, float *out);

/* Room for channels * height * width numbers, cleared. */
linnet_status linnet_maps_new(linnet_context *context, int64_t channels, int64_t height, int64_t width,
                              linnet_maps *out);

#endif
