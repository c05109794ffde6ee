/* SPDX-License-Identifier: Apache-2.0 */
/* Timing implementations that a plan could use, each compared with the first one. Internal. */
#ifndef LINNET_MEASURE_H
#define LINNET_MEASURE_H

#include "../device/device.h"
#include "linnet/backend.h"

#include <stdbool.h>

/* One implementation of one desc, as it was asked for: desc holds the formats of the question. */
typedef struct linnet_measured {
    linnet_layer_desc desc; /* points to the arrays below once linnet_measured_bind has run */
    linnet_tensor_desc inputs[LINNET_MAX_INPUTS], outputs[LINNET_MAX_OUTPUTS], parameters[LINNET_MAX_PARAMETERS],
        states[LINNET_MAX_STATES];
    linnet_epilogue epilogue[LINNET_MAX_EPILOGUE];
    const void *attributes; /* of the net's node, which outlives this; NULL: own */
    linnet_unary_attributes own;
    linnet_candidate candidate;
    uint64_t layer, key; /* linnet_tuned_layer, linnet_tuned_key */
    enum { LINNET_MEASURED_NOT, LINNET_MEASURED_TIMED, LINNET_MEASURED_WRONG } outcome;
    double seconds; /* TIMED: of one run */
} linnet_measured;

/* Points the desc at the arrays; again whenever it has moved. */
void linnet_measured_bind(linnet_measured *m);

/* Before the implementation behind so many others; true: stop. */
typedef bool linnet_measure_stop(void *context, size_t done);

/* Measures every one of count that has the layer of the first; each for about so many seconds. What is too large, or
   fails, stays as it is. LINNET_OK also then; LINNET_END: stopped. */
linnet_status linnet_measure_layer(linnet_device *device, linnet_measured *list, size_t count, double seconds,
                                   linnet_measure_stop *stop, void *context);

#endif
