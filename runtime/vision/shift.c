/* SPDX-License-Identifier: Apache-2.0 */
#include "shift.h"

#include "probe.h"

#include <math.h>
#include <string.h>

void linnet_picture_shift(const linnet_tensor *picture, int64_t down, int64_t right, int black, float *out_picture)
{
    int64_t height = picture->dims[1], width = picture->dims[2];
    const float *in = picture->data;
    for (int64_t c = 0; c < picture->dims[0]; c++)
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++) {
                int64_t from_y = y - down, from_x = x - right;
                bool outside = from_y < 0 || from_y >= height || from_x < 0 || from_x >= width;
                from_y = from_y < 0 ? 0 : from_y < height ? from_y : height - 1;
                from_x = from_x < 0 ? 0 : from_x < width ? from_x : width - 1;
                out_picture[(c * height + y) * width + x] =
                    black && outside ? 0.0f : in[(c * height + from_y) * width + from_x];
            }
}

/* Unit i of the moved maps and its partners i - shift / stride (both neighbours of it) exist and, for the interior, see
   only pixels that are in both pictures. Smaller shifts ask for less. */
static bool is_good(const linnet_shift_axis *axis, int64_t i, int64_t units, int64_t pixels, int64_t shift,
                    bool interior)
{
    double partner = (double)i - (double)shift / axis->stride;
    int64_t lowest = (int64_t)floor(fmin(partner, (double)i)), highest = (int64_t)ceil(fmax(partner, (double)i));
    if (lowest < 0 || highest >= units)
        return false;
    if (!interior)
        return true;
    double first = axis->start + (double)lowest * axis->stride;
    double last = axis->start + (double)highest * axis->stride + axis->size - 1;
    double own = axis->start + (double)i * axis->stride; /* in the moved picture something came in */
    double from = shift > 0 ? (double)shift : 0, to = (double)(pixels - 1) + (shift < 0 ? (double)shift : 0);
    return first >= 0 && last <= (double)(pixels - 1) && own >= from && own + axis->size - 1 <= to;
}

bool linnet_shift_region_choose(linnet_shift_axis *axis, int64_t units, int64_t pixels, int64_t shift, bool interior)
{
    axis->first = axis->count = 0;
    for (int64_t i = 0; i < units; i++)
        if (is_good(axis, i, units, pixels, shift, interior)) {
            axis->first = axis->count ? axis->first : i;
            axis->count++;
        }
    return axis->count > 0;
}

/* The map at (y, x), between units where these are no whole numbers. */
static double sample(const float *map, int64_t width, double y, double x)
{
    int64_t y0 = (int64_t)floor(y), x0 = (int64_t)floor(x);
    double b = y - (double)y0, a = x - (double)x0, sum = (1 - b) * (1 - a) * (double)map[y0 * width + x0];
    if (a > 0)
        sum += (1 - b) * a * (double)map[y0 * width + x0 + 1];
    if (b > 0)
        sum += b * (1 - a) * (double)map[(y0 + 1) * width + x0];
    if (a > 0 && b > 0)
        sum += b * a * (double)map[(y0 + 1) * width + x0 + 1];
    return sum;
}

double linnet_shift_compare(const linnet_maps *moved, const linnet_maps *still, const linnet_shift_axis axes[2],
                            const int64_t shift[2])
{
    double difference = 0, norm = 0;
    double down = (double)shift[0] / axes[0].stride, right = (double)shift[1] / axes[1].stride;
    int64_t positions = still->height * still->width;
    for (int64_t c = 0; c < still->channels; c++)
        for (int64_t y = axes[0].first; y < axes[0].first + axes[0].count; y++)
            for (int64_t x = axes[1].first; x < axes[1].first + axes[1].count; x++) {
                double wanted = sample(still->data + c * positions, still->width, (double)y - down, (double)x - right);
                double seen = (double)moved->data[c * positions + y * still->width + x];
                difference += (seen - wanted) * (seen - wanted);
                norm += wanted * wanted;
            }
    return difference == 0 ? 0 : sqrt(difference / norm);
}

linnet_status linnet_maps_shift(linnet_context *context, const linnet_maps *maps, double down, double right,
                                linnet_maps *out_maps)
{
    context = linnet_context_or_default(context);
    memset(out_maps, 0, sizeof *out_maps);
    if (!maps || !maps->data || !isfinite(down) || !isfinite(right))
        return linnet_fail(context, LINNET_INVALID, "there are no maps to move, or no distance");
    linnet_status status = linnet_maps_new(context, maps->channels, maps->height, maps->width, out_maps);
    int64_t positions = maps->height * maps->width;
    for (int64_t i = 0; status == LINNET_OK && i < maps->channels * positions; i++) {
        double y = (double)(i % positions / maps->width) - down, x = (double)(i % maps->width) - right;
        if (y >= 0 && y <= (double)(maps->height - 1) && x >= 0 && x <= (double)(maps->width - 1))
            out_maps->data[i] = (float)sample(maps->data + i / positions * positions, maps->width, y, x);
    }
    return status;
}
