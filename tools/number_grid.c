/* SPDX-License-Identifier: Apache-2.0 */
#include "number_grid.h"

#include <math.h>
#include <stdio.h>

#define LINE     0x9AA5B1u
#define EMPTY    0xF1F3F5u
#define INK      0x243B53u
#define TEXT_DIM 0x7B8794u

const char *number_grid_text(float value, char out[16])
{
    snprintf(out, 16, "%.4g", (double)(value == 0 ? 0 : value)); /* no -0 */
    return out;
}

static uint32_t colour_of(const number_grid *grid, float value)
{
    float t = grid->limit > 0 ? value / grid->limit : 0;
    switch (grid->colours) {
    case GRID_SIGNED:
        return linnet_colour(LINNET_COLOUR_DIVERGING, 0.5f + 0.5f * t);
    case GRID_AMOUNT: /* the warm half of the same map */
        return linnet_colour(LINNET_COLOUR_DIVERGING, 0.5f + 0.4f * t);
    case GRID_INK:
        break;
    }
    return value > 0.5f ? INK : 0xFFFFFFu;
}

/* Black or white, whichever is read more easily on it. */
static uint32_t text_on(uint32_t colour)
{
    double luminance = 0.299 * (colour >> 16 & 255) + 0.587 * (colour >> 8 & 255) + 0.114 * (colour & 255);
    return luminance > 140 ? GRID_TEXT : 0xFFFFFFu;
}

static void draw_cell(linnet_image *image, int x, int y, const number_grid *grid, int index)
{
    char text[16];
    int side = grid->cell - 1;
    bool filled = index < grid->filled;
    uint32_t colour = filled ? colour_of(grid, grid->values[index]) : EMPTY;
    linnet_image_fill(image, x, y, grid->cell + 1, grid->cell + 1, LINE);
    linnet_image_fill(image, x + 1, y + 1, side, side, colour);
    if (!filled)
        return;
    number_grid_text(grid->values[index], text);
    int scale = linnet_image_text_width(text, 2) <= side ? 2 : 1;
    uint32_t ink = grid->colours == GRID_INK && grid->values[index] <= 0.5f ? TEXT_DIM : text_on(colour);
    linnet_image_text(image, x + 1 + (side - linnet_image_text_width(text, scale)) / 2, y + 1 + (side - 7 * scale) / 2,
                      scale, ink, text);
}

void number_grid_frame(linnet_image *image, int x, int y, const number_grid *grid)
{
    int left = x + grid->marked[1] * grid->cell, top = y + grid->marked[0] * grid->cell;
    int width = grid->marked[3] * grid->cell + 1, height = grid->marked[2] * grid->cell + 1, thick = 3;
    linnet_image_fill(image, left - 1, top - 1, width + 2, thick, grid->mark);
    linnet_image_fill(image, left - 1, top + height + 1 - thick, width + 2, thick, grid->mark);
    linnet_image_fill(image, left - 1, top - 1, thick, height + 2, grid->mark);
    linnet_image_fill(image, left + width + 1 - thick, top - 1, thick, height + 2, grid->mark);
}

void number_grid_draw(linnet_image *image, int x, int y, const number_grid *grid)
{
    for (int i = 0; i < grid->rows * grid->columns; i++)
        draw_cell(image, x + i % grid->columns * grid->cell, y + i / grid->columns * grid->cell, grid, i);
    if (grid->marked[2] > 0 && grid->marked[3] > 0)
        number_grid_frame(image, x, y, grid);
}
