/* SPDX-License-Identifier: Apache-2.0 */
/* A picture on its way down an objective, with all losses along it. Shared by style and invert. */
#ifndef LINNET_TOOLS_DESCENT_H
#define LINNET_TOOLS_DESCENT_H

#include "cli.h"

typedef struct descent descent;

struct descent {
    linnet_objective *objective; /* the caller's */
    const char *title;           /* of the progress bar */
    linnet_minimizer method;
    double rate;               /* Adam; 0: default */
    uint64_t total;            /* iterations in all */
    uint64_t every;            /* so often (and not at the end) moment is called; 0: never */
    int (*moment)(descent *d); /* EXIT_GO_ON, or the exit code to leave with */
    void *user;

    linnet_tensor picture; /* start: noise, or what descent_new's caller writes into it */
    float *moments;        /* twice as many numbers as the picture */
    uint64_t done;         /* iterations */
    size_t terms;          /* of the objective */
    double *losses;        /* rows of 1 + terms numbers, total first, then weight * loss: one a iteration, from 0 on */
    double first, last;    /* total loss of the start and of the picture as it is now, within 0 to 1 */
    double seconds;        /* spent so far */
    uint64_t evaluations;
    bool converged;
    int code; /* of the last moment */
};

/* What the command line says of one. */
typedef struct descent_settings {
    int64_t iterations, seed; /* in all; of the noise */
    int method;               /* linnet_minimizer */
    double rate;              /* Adam; 0: default */
} descent_settings;

/* A descent that starts at noise; moment and user are set afterwards. title is the caller's, too. */
int descent_new(descent *d, linnet_objective *objective, const char *title, const descent_settings *settings);
void descent_free(descent *d);
/* On from done to total. EXIT_INTERRUPTED after a SIGINT, with everything as the last iteration left it. */
int descent_run(descent *d);
/* Row iteration of losses. */
const double *descent_row(const descent *d, uint64_t iteration);

#endif
