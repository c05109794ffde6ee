/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Minimising a function of many numbers on the host: the pixels of a picture, while the function runs on a device.
 * Parameters of a network are trained by the optimisers of train.h instead.
 *
 *     static linnet_status distance(void *user, const float *x, float *out_gradient, double *out_value);
 *     ...
 *     float x[2] = {3, 4};
 *     linnet_minimize(NULL, 2, x, distance, NULL, NULL, .iterations = 50);
 *
 * Two methods. L-BFGS (Liu and Nocedal 1989; line search by More and Thuente 1994) reads the course of the last steps
 * and is the faster one on pictures; it needs liblbfgs when Linnet is built. Adam (Kingma and Ba 2015) is always there.
 *
 * A box [low, high]: Adam clamps x after every step. L-BFGS, which knows no box, minimises the function of x clamped;
 * beyond the box only slopes that lead back count. (Gatys, Ecker and Bethge (2016) let it run free and clamp the
 * result: that ended 10 % higher on a style of the VGG-19, and much higher from noise of full contrast.) The result,
 * and what progress sees, lie in the box.
 *
 * Threads: several minimisations may run at once, each calls back on the thread that started it.
 */
#ifndef LINNET_MINIMIZE_H
#define LINNET_MINIMIZE_H

#include "context.h"

#include <stddef.h>
#include <stdint.h>

LINNET_BEGIN_DECLS

typedef enum linnet_minimizer {
    LINNET_MINIMIZER_DEFAULT = 0, /* L-BFGS where this build has it, else Adam */
    LINNET_MINIMIZER_LBFGS = 1,
    LINNET_MINIMIZER_ADAM = 2
} linnet_minimizer;

/* "lbfgs", "adam": what a method is called; the default's is that of the method it stands for. NULL for a number that
   is none. */
LINNET_API const char *linnet_minimizer_name(linnet_minimizer method);
/* Whether this build has the method. */
LINNET_API int linnet_minimizer_available(linnet_minimizer method);

/* The function: its value and its gradient (count numbers) at x. Any status but LINNET_OK ends the minimisation with
   it; the callee has said why (linnet_context_message). */
typedef linnet_status (*linnet_objective_function)(void *user, const float *x, float *out_gradient, double *out_value);

/* Called after every iteration with the value at x. Non-zero: stop here. */
typedef int (*linnet_minimize_progress)(void *user, uint64_t iteration, double value, const float *x);

typedef struct linnet_minimize_options {
    uint32_t struct_size;
    linnet_minimizer method;
    uint64_t iterations; /* so many more; default 100 */
    uint64_t done;       /* iterations before: Adam's count of steps, and the number progress goes on from */
    float low, high;     /* the box; none where they are equal */
    float rate;          /* Adam; default 0.02 */
    uint32_t history;    /* L-BFGS: how many steps it remembers; default 10 */
    /* Adam: room for 2 * count numbers, its moments, read (where done is not 0) and written; NULL: forgotten at the
       end. With x and done they are all that a run needs to go on as if it had never stopped. L-BFGS has no such state:
       going on means starting from x with a fresh history. */
    float *moments;
    linnet_minimize_progress progress;
    void *progress_user;
} linnet_minimize_options;

typedef struct linnet_minimize_result {
    uint64_t iterations;  /* taken now */
    uint64_t evaluations; /* of the function */
    double first, last;   /* its value at the start, and where it was last evaluated and kept */
    int converged;        /* no step went further down before the iterations were over */
} linnet_minimize_result;

/* Moves x, count numbers, towards a minimum. options and out_result may be NULL. LINNET_INTERRUPTED: progress stopped
   it; x is what progress saw. LINNET_INVALID: the value is no number any more (with Adam: the rate is too large).
   LINNET_UNSUPPORTED: L-BFGS is not in this build. */
#define linnet_minimize(context, count, x, function, user, out_result, ...)                                            \
    linnet_minimize_with(context, count, x, function, user,                                                            \
                         &(linnet_minimize_options){.struct_size = sizeof(linnet_minimize_options), __VA_ARGS__},      \
                         out_result)
LINNET_API linnet_status linnet_minimize_with(linnet_context *context, size_t count, float *x,
                                              linnet_objective_function function, void *user,
                                              const linnet_minimize_options *options,
                                              linnet_minimize_result *out_result);

LINNET_END_DECLS
#endif
