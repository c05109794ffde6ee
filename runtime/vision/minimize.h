/* SPDX-License-Identifier: Apache-2.0 */
/* What minimize.c and the methods share. Internal. */
#ifndef LINNET_VISION_MINIMIZE_H
#define LINNET_VISION_MINIMIZE_H

#include "../core/core.h"
#include "linnet/minimize.h"

typedef struct linnet_minimization {
    linnet_context *context;
    size_t count;
    float *x;        /* the caller's */
    float *gradient; /* of the last evaluation */
    linnet_objective_function function;
    void *user;
    linnet_minimize_options options; /* complete */
    linnet_minimize_result result;
} linnet_minimization;

/* The function at x; counts, refuses values that are no numbers. */
linnet_status linnet_minimization_evaluate(linnet_minimization *m, const float *x, double *out_value);
/* An iteration is over: m->x, moved into the box, has this value. LINNET_INTERRUPTED when progress says so. */
linnet_status linnet_minimization_report(linnet_minimization *m, double value);
/* m->x into the box. */
void linnet_minimization_clamp(linnet_minimization *m);

linnet_status linnet_minimize_adam(linnet_minimization *m);
/* LINNET_UNSUPPORTED in a build without liblbfgs. */
linnet_status linnet_minimize_lbfgs(linnet_minimization *m);
bool linnet_minimize_has_lbfgs(void);

#endif
