/* SPDX-License-Identifier: Apache-2.0 */
/* What all diagrams as SVG pictures share: the page, axes, legends, colours. Lengths are pixels. */
#ifndef LINNET_TOOLS_SVG_H
#define LINNET_TOOLS_SVG_H

#include "cli.h"

#include <stdio.h>

/* Draws a picture and writes it at once: path holds the old or the new one. Returns EXIT_GO_ON or the exit code to
   leave with. */
int svg_write(const char *path, void (*draw)(FILE *file, const void *what), const void *what);

/* The beginning of the picture up to its title, and its end. */
void svg_begin(FILE *file, double width, double height, const char *title);
void svg_end(FILE *file);
/* Text between tags: & < > as entities, '?' for what a file of text cannot hold. */
void svg_text(FILE *file, const char *text);

/* 1, 2 or 5 times a power of ten, so that about five of them fill the span, which is above 0. */
double svg_step(double span);
/* A light line across the diagram with its label at the left. */
void svg_level(FILE *file, double left, double right, double y, const char *label);
/* A notch below the diagram with its label. */
void svg_notch(FILE *file, double x, double bottom, const char *label);
/* The two axes, with the name of the lower one. */
void svg_axes(FILE *file, double left, double top, double right, double bottom, const char *name);

/* Colours of curves that stay apart for every eye, the strongest first; after eight they come again. */
const char *svg_colour(size_t index);
/* A curve's name with a piece of it; how wide that is with the gap behind it. */
void svg_legend(FILE *file, double x, double y, const char *colour, const char *name);
double svg_legend_width(const char *name);

#endif
