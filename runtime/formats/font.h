/* SPDX-License-Identifier: Apache-2.0 */
/* Bitmap letters. Internal. */
#ifndef LINNET_FONT_H
#define LINNET_FONT_H

#include <stdbool.h>

/* Seven rows stand on the line, two are for the tails below it. */
enum { LINNET_GLYPH_WIDTH = 5, LINNET_GLYPH_HEIGHT = 9, LINNET_GLYPH_PITCH = 6 };

/* Is there ink at (x, y) of this letter? ASCII; what is none looks like '?'. */
bool linnet_glyph_pixel(char letter, int x, int y);

#endif
