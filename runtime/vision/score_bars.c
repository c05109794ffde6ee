/* SPDX-License-Identifier: Apache-2.0 */
#include "score_bars.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH      LINNET_SCORE_BARS_WIDTH
#define LINE       44
#define BAR_TOP    20
#define BAR_HEIGHT 14
#define BAR_WIDTH  160
#define LETTERS    21 /* of 12 pixels, in a line */

size_t linnet_best_classes(const linnet_maps *scores, size_t count, linnet_prediction *out)
{
    int64_t classes = scores->channels;
    double sum = 0, top = -INFINITY;
    count = (int64_t)count < classes ? count : (size_t)classes;
    for (int64_t i = 0; i < classes; i++)
        top = fmax(top, (double)scores->data[i]);
    for (int64_t i = 0; i < classes; i++)
        sum += exp((double)scores->data[i] - top);
    for (size_t k = 0; k < count; k++) {
        int64_t best = -1;
        for (int64_t i = 0; i < classes; i++) {
            bool taken = false;
            for (size_t j = 0; j < k; j++)
                taken = taken || out[j].class_index == i;
            if (!taken && (best < 0 || scores->data[i] > scores->data[best]))
                best = i;
        }
        out[k] = (linnet_prediction){(int32_t)best, (float)(exp((double)scores->data[best] - top) / sum)};
    }
    return count;
}

static void name_of(int32_t class_index, const char *const *names, int32_t count, char out[LETTERS + 1])
{
    if (!names || class_index >= count || !names[class_index]) {
        snprintf(out, LETTERS + 1, "class %d", class_index);
        return;
    }
    size_t length = strcspn(names[class_index], ",");
    bool cut = length > LETTERS;
    snprintf(out, LETTERS + 1, "%.*s%s", (int)(cut ? LETTERS - 2 : length), names[class_index], cut ? ".." : "");
}

linnet_image *linnet_score_bars(linnet_context *context, const linnet_prediction *classes, size_t count,
                                const char *const *names, int32_t name_count)
{
    linnet_image *image = linnet_image_new(context, WIDTH, LINE * (int32_t)(count ? count : 1), 3);
    if (!image)
        return NULL;
    linnet_image_fill(image, 0, 0, image->width, image->height, 0xFFFFFF);
    for (size_t i = 0; i < count; i++) {
        char text[LETTERS + 1];
        int32_t y = LINE * (int32_t)i;
        name_of(classes[i].class_index, names, name_count, text);
        linnet_image_text(image, 0, y, 2, 0x202020, text);
        linnet_image_fill(image, 0, y + BAR_TOP, BAR_WIDTH, BAR_HEIGHT, 0xE4E7EB);
        linnet_image_fill(image, 0, y + BAR_TOP, (int32_t)(BAR_WIDTH * classes[i].probability + 0.5f), BAR_HEIGHT,
                          0x1F6FEB);
        snprintf(text, sizeof text, "%.1f %%", 100 * (double)classes[i].probability);
        linnet_image_text(image, BAR_WIDTH + 8, y + BAR_TOP, 2, 0x202020, text);
    }
    return image;
}
