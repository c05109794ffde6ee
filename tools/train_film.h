/* SPDX-License-Identifier: Apache-2.0 */
/* A film of how the first layer's filters come to be: looked at every so many steps, drawn on one scale at the end.
   Functions return EXIT_GO_ON or the exit code to leave with. */
#ifndef LINNET_TOOLS_TRAIN_FILM_H
#define LINNET_TOOLS_TRAIN_FILM_H

#include "cli.h"

/* frame_0000.png, frame_0001.png, ... */
#define FILM_MOST_FRAMES 2000

typedef struct film_frame {
    uint64_t step;
    linnet_filters filters;
} film_frame;

typedef struct film {
    char *folder;   /* NULL: no film */
    char *strip;    /* the picture of a few frames */
    char *weights;  /* the file with all that was seen */
    int64_t every;  /* steps */
    uint64_t total; /* steps of the run */
    film_frame *frames;
    size_t count, room;
} film;

/* A film in that folder, made if need be; every 0: about fifty frames. A run that goes on after done steps takes over
   what was seen before. */
int film_open(film *f, const char *folder, int64_t every, uint64_t total, linnet_session *session, uint64_t done);
/* Looks at the filters when it is time to: at step 0, every so many, and at the last one. */
int film_look(film *f, linnet_session *session, uint64_t step);
/* What was seen so far, so that a run can go on; with every checkpoint. */
int film_save(const film *f);
/* The frames and the strip; net is its name. */
int film_write(const film *f, const char *net);
void film_close(film *f);

#endif
