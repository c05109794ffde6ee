/* SPDX-License-Identifier: Apache-2.0 */
/* Many small pictures on one page, each with a line of text. */
#include "core/core.h"
#include "font.h"
#include "linnet/sheet.h"

#include <math.h>
#include <string.h>

enum { FRAME = 3, GAP = 4, CAPTION_MARGIN = 2, TILE_WIDTH = 84, CAPTION_MAX = 64 };

#define PAGE 0xFFFFFFu
#define TEXT 0x202020u

typedef struct layout {
    int64_t columns, rows;
    int64_t channels, tile_height, tile_width; /* of a tile's own pixels */
    int64_t scale, text_scale;
    int64_t width, height; /* of a tile on the page, without frame and caption */
    int64_t caption;       /* its height, 0 without captions */
} layout;

static linnet_status tiles_check(linnet_context *context, const linnet_mosaic_tile *tiles, size_t count)
{
    if (!tiles || count == 0 || count > LINNET_IMAGE_MAX_PIXELS)
        return linnet_fail(context, LINNET_INVALID, "mosaic: no tiles, or too many");
    for (size_t i = 0; i < count; i++) {
        const linnet_tensor *image = &tiles[i].image, *first = &tiles[0].image;
        bool fits = image->rank == 3 && image->data && linnet_tensor_bytes(image) > 0 &&
                    (image->dims[0] == 1 || image->dims[0] == 3) &&
                    (image->type == LINNET_U8 || image->type == LINNET_F32) &&
                    image->dims[1] <= LINNET_IMAGE_MAX_SIDE && image->dims[2] <= LINNET_IMAGE_MAX_SIDE;
        if (!fits)
            return linnet_fail(context, LINNET_SHAPE, "mosaic: tile %zu is no u8 or f32 image [1 or 3,H,W]", i);
        if (image->dims[1] != first->dims[1] || image->dims[2] != first->dims[2])
            return linnet_fail(context, LINNET_SHAPE, "mosaic: tile %zu is %lld x %lld, the first %lld x %lld", i,
                               (long long)image->dims[2], (long long)image->dims[1], (long long)first->dims[2],
                               (long long)first->dims[1]);
    }
    return LINNET_OK;
}

static layout lay_out(const linnet_mosaic_tile *tiles, size_t count, int32_t columns, int32_t scale)
{
    layout page = {.tile_height = tiles[0].image.dims[1], .tile_width = tiles[0].image.dims[2]};
    page.columns = columns > 0 ? columns : (int64_t)ceil(sqrt((double)count));
    page.columns = page.columns < (int64_t)count ? page.columns : (int64_t)count;
    page.rows = ((int64_t)count + page.columns - 1) / page.columns;
    page.scale = scale > 0 ? scale : TILE_WIDTH / page.tile_width;
    page.scale += page.scale == 0;
    page.width = page.tile_width * page.scale;
    page.height = page.tile_height * page.scale;
    page.text_scale = 2;
    bool captions = false;
    for (size_t i = 0; i < count; i++)
        if (tiles[i].caption) {
            captions = true;
            if (linnet_image_text_width(tiles[i].caption, 2) > page.width)
                page.text_scale = 1;
        }
    page.caption = captions ? LINNET_GLYPH_HEIGHT * page.text_scale + 2 * CAPTION_MARGIN : 0;
    return page;
}

static uint8_t tile_value(const linnet_tensor *image, int64_t channel, int64_t y, int64_t x)
{
    int64_t index = ((image->dims[0] == 3 ? channel : 0) * image->dims[1] + y) * image->dims[2] + x;
    if (image->type == LINNET_U8)
        return ((const uint8_t *)image->data)[index];
    float value = ((const float *)image->data)[index];
    return value >= 1 ? 255 : value > 0 ? (uint8_t)(255 * value + 0.5f) : 0;
}

static void tile_paint(linnet_image *image, const layout *page, const linnet_tensor *tile, int64_t left, int64_t top)
{
    for (int64_t y = 0; y < page->height; y++) {
        uint8_t *out = image->pixels + ((top + y) * image->width + left) * 3;
        for (int64_t x = 0; x < page->width; x++)
            for (int64_t channel = 0; channel < 3; channel++)
                *out++ = tile_value(tile, channel, y / page->scale, x / page->scale);
    }
}

/* The caption in the middle, as many letters as there is room for. */
static void caption_paint(linnet_image *image, const layout *page, const linnet_mosaic_tile *tile, int32_t left,
                          int32_t top)
{
    char text[CAPTION_MAX];
    size_t room =
        (size_t)((page->width / page->text_scale + LINNET_GLYPH_PITCH - LINNET_GLYPH_WIDTH) / LINNET_GLYPH_PITCH);
    size_t length = strnlen(tile->caption, room < CAPTION_MAX ? room : CAPTION_MAX - 1);
    memcpy(text, tile->caption, length);
    text[length] = '\0';
    int32_t width = linnet_image_text_width(text, (int32_t)page->text_scale);
    linnet_image_text(image, left + (int32_t)(page->width - width) / 2, top + CAPTION_MARGIN, (int32_t)page->text_scale,
                      tile->mark ? tile->mark : TEXT, text);
}

linnet_image *linnet_mosaic_draw(linnet_context *context, const linnet_mosaic_tile *tiles, size_t count,
                                 int32_t columns, int32_t scale)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK || tiles_check(context, tiles, count) != LINNET_OK)
        return NULL;
    layout page = lay_out(tiles, count, columns, scale);
    int64_t cell_width = page.width + 2 * FRAME + GAP, cell_height = page.height + page.caption + 2 * FRAME + GAP;
    int64_t width = page.columns * cell_width + GAP, height = page.rows * cell_height + GAP;
    if (width > LINNET_IMAGE_MAX_SIDE || height > LINNET_IMAGE_MAX_SIDE) {
        linnet_fail(context, LINNET_LIMIT, "mosaic: %zu tiles make a picture of %lld x %lld, at most %d on a side",
                    count, (long long)width, (long long)height, LINNET_IMAGE_MAX_SIDE);
        return NULL;
    }
    linnet_image *image = linnet_image_new(context, (int32_t)width, (int32_t)height, 3);
    if (!image)
        return NULL;
    linnet_image_fill(image, 0, 0, image->width, image->height, PAGE);
    for (size_t i = 0; i < count; i++) {
        int32_t x = (int32_t)(GAP + (int64_t)i % page.columns * cell_width);
        int32_t y = (int32_t)(GAP + (int64_t)i / page.columns * cell_height);
        if (tiles[i].mark) {
            linnet_image_fill(image, x, y, (int32_t)cell_width - GAP, (int32_t)cell_height - GAP, tiles[i].mark);
            linnet_image_fill(image, x + FRAME, y + FRAME, (int32_t)page.width, (int32_t)(page.height + page.caption),
                              PAGE);
        }
        tile_paint(image, &page, &tiles[i].image, x + FRAME, y + FRAME);
        if (tiles[i].caption)
            caption_paint(image, &page, &tiles[i], x + FRAME, y + FRAME + (int32_t)page.height);
    }
    return image;
}
