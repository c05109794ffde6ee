/* SPDX-License-Identifier: Apache-2.0 */
#include "pictures.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS    12
#define TILES      96
#define MOST_WRONG 36 /* tiles given to them: the rest shows what goes well */

typedef struct mosaic {
    linnet_mosaic_tile tiles[TILES];
    char captions[TILES][64];
    size_t count;
} mosaic;

static void add_tile(mosaic *m, const linnet_dataset *data, int64_t index, int32_t read)
{
    linnet_mosaic_tile *tile = &m->tiles[m->count];
    int32_t label = linnet_dataset_label(data, index);
    const char *name = linnet_dataset_class_name(data, read), *truth = linnet_dataset_class_name(data, label);
    if (linnet_dataset_image(data, index, &tile->image) != LINNET_OK)
        return;
    snprintf(m->captions[m->count], sizeof m->captions[0], read == label ? "%s" : "%s not %s", name ? name : "?",
             truth ? truth : "?");
    tile->caption = m->captions[m->count];
    tile->mark = read == label ? 0 : LINNET_MARK_WRONG;
    m->count++;
}

static void gather(mosaic *m, const linnet_dataset *data, const int32_t *predictions, int64_t count, bool wrong,
                   size_t limit)
{
    for (int64_t i = 0; i < count && m->count < limit; i++)
        if ((predictions[i] != linnet_dataset_label(data, i)) == wrong)
            add_tile(m, data, i, predictions[i]);
}

int pictures_write(const char *path, const linnet_dataset *data, const int32_t *predictions, int64_t count)
{
    mosaic m = {.count = 0};
    gather(&m, data, predictions, count, true, MOST_WRONG);
    gather(&m, data, predictions, count, false, TILES);
    linnet_image *image = linnet_mosaic_draw(NULL, m.tiles, m.count, COLUMNS, 0);
    if (!image)
        return cli_check_last();
    linnet_status status = linnet_image_write(NULL, image, path);
    linnet_image_free(&image);
    return cli_check(status);
}
