/* SPDX-License-Identifier: Apache-2.0 */
#include "pictures.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS    12
#define TILES      96
#define MOST_WRONG 36 /* tiles given to them: the rest shows what goes well */

typedef struct figure {
    linnet_sheet *sheet;
    int count;
} figure;

/* "7", or, framed, "1 not 7": read as 1, it is a 7. What goes wrong sticks to the sheet. */
static void add_tile(figure *f, const linnet_dataset *data, int64_t index, int32_t read)
{
    linnet_tensor tensor;
    char caption[64];
    int32_t label = linnet_dataset_label(data, index);
    const char *name = linnet_dataset_class_name(data, read), *truth = linnet_dataset_class_name(data, label);
    linnet_image *image =
        linnet_dataset_image(data, index, &tensor) == LINNET_OK ? linnet_image_from_tensor(NULL, &tensor) : NULL;
    snprintf(caption, sizeof caption, read == label ? "%s" : "%s not %s", name ? name : "?", truth ? truth : "?");
    linnet_sheet_add(f->sheet, image, 0, caption);
    if (read != label)
        linnet_sheet_mark(f->sheet, LINNET_MARK_WRONG);
    linnet_image_free(&image);
    f->count++;
}

static void gather(figure *f, const linnet_dataset *data, const int32_t *predictions, int64_t count, bool wrong,
                   int limit)
{
    for (int64_t i = 0; i < count && f->count < limit; i++)
        if ((predictions[i] != linnet_dataset_label(data, i)) == wrong)
            add_tile(f, data, i, predictions[i]);
}

int pictures_write(const char *path, const linnet_dataset *data, const int32_t *predictions, int64_t count)
{
    figure f = {.sheet = linnet_sheet_new(NULL, NULL)};
    linnet_sheet_set_columns(f.sheet, COLUMNS);
    gather(&f, data, predictions, count, true, MOST_WRONG);
    gather(&f, data, predictions, count, false, TILES);
    linnet_image *image = linnet_sheet_draw(f.sheet);
    linnet_sheet_free(&f.sheet);
    if (!image)
        return cli_check_last();
    linnet_status status = linnet_image_write(NULL, image, path);
    linnet_image_free(&image);
    return cli_check(status);
}
