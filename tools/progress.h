/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar: one line on stderr, only where that is a terminal. One at a time. */
#ifndef LINNET_TOOLS_PROGRESS_H
#define LINNET_TOOLS_PROGRESS_H

#include <stdint.h>

/* title: "epoch 1/2"; total in unit ("images"). Does nothing off a terminal, or with -q or --json where that is one,
   too. */
void progress_start(const char *title, const char *unit, int64_t total);
/* done of total; loss and accuracy (0 to 1) where not NaN. Draws at most ten times a second. */
void progress_update(int64_t done, double loss, double accuracy);
/* So many seconds until now are not counted in the rate. */
void progress_skip(double seconds);
/* The same as a linnet_progress_function, which stops the work after a SIGINT (interrupt_watch). */
int progress_report(void *user, int64_t done, int64_t total);
/* Ends the bar and takes its line away. */
void progress_end(void);
/* Takes the line away so that something else can be printed; the next update draws it again. */
void progress_clear(void);

#endif
