/* SPDX-License-Identifier: Apache-2.0 */
/* Sheets: where pictures, captions, labels and titles stand; nothing covers anything else, nothing is clipped. */
#include "files.h"
#include "formats/font.h"
#include "formats/sheet_layout.h"
#include "linnet/colour.h"

static linnet_image *plain(int32_t width, int32_t height, uint32_t colour)
{
    linnet_image *image = linnet_image_new(NULL, width, height, 3);
    assert_non_null(image);
    linnet_image_fill(image, 0, 0, width, height, colour);
    return image;
}

static void add(linnet_sheet *sheet, int32_t width, int32_t height, uint32_t colour, int32_t scale, const char *caption)
{
    linnet_image *image = plain(width, height, colour);
    assert_int_equal(linnet_sheet_add(sheet, image, scale, caption), LINNET_OK);
    linnet_image_free(&image);
}

/* The smallest rectangle with all pixels of a colour, and their number. */
typedef struct region {
    int32_t left, top, right, bottom; /* the last two just outside */
    int64_t count;
} region;

static uint32_t colour_at(const linnet_image *image, int32_t x, int32_t y)
{
    const uint8_t *pixel = image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
    return (uint32_t)pixel[0] << 16 | (uint32_t)pixel[1] << 8 | pixel[2];
}

static region find_in(const linnet_image *image, uint32_t colour, int32_t left, int32_t top, int32_t right,
                      int32_t bottom)
{
    region r = {INT32_MAX, INT32_MAX, 0, 0, 0};
    for (int32_t y = top; y < bottom; y++)
        for (int32_t x = left; x < right; x++)
            if (colour_at(image, x, y) == colour) {
                r.left = x < r.left ? x : r.left;
                r.top = y < r.top ? y : r.top;
                r.right = x >= r.right ? x + 1 : r.right;
                r.bottom = y + 1;
                r.count++;
            }
    return r;
}

static region find(const linnet_image *image, uint32_t colour)
{
    return find_in(image, colour, 0, 0, image->width, image->height);
}

/* Pixels that those letters ink at scale 1. */
static int64_t ink_of(const char *text)
{
    int64_t count = 0;
    for (; *text; text++)
        for (int i = 0; i < LINNET_GLYPH_WIDTH * LINNET_GLYPH_HEIGHT; i++)
            count += *text != '\n' && linnet_glyph_pixel(*text, i % LINNET_GLYPH_WIDTH, i / LINNET_GLYPH_WIDTH);
    return count;
}

#define TEXT 0x202020u

static linnet_image *drawn(linnet_sheet **sheet)
{
    linnet_image *image = linnet_sheet_draw(*sheet);
    if (!image)
        fail_msg("%s", linnet_context_message(NULL));
    for (int32_t x = 0; x < image->width; x++) /* the margin is free */
        for (int32_t i = 0; i < 8; i++) {
            assert_int_equal(colour_at(image, x, i), 0xFFFFFF);
            assert_int_equal(colour_at(image, x, image->height - 1 - i), 0xFFFFFF);
        }
    for (int32_t y = 0; y < image->height; y++)
        for (int32_t i = 0; i < 8; i++) {
            assert_int_equal(colour_at(image, i, y), 0xFFFFFF);
            assert_int_equal(colour_at(image, image->width - 1 - i, y), 0xFFFFFF);
        }
    linnet_sheet_free(sheet);
    return image;
}

/* ---- Text in lines ---- */

static void assert_wrapped(const char *text, size_t room, int most, const char *expected)
{
    char joined[2048] = "";
    linnet_wrapped w = linnet_wrap(text, room, most);
    for (int i = 0; i < w.count; i++) {
        assert_true(strlen(w.lines[i]) <= room);
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i ? "|" : "", w.lines[i]);
    }
    assert_string_equal(joined, expected);
    assert_int_equal(w.shortened, strstr(expected, "..") != NULL);
}

static void text_is_broken_between_words(void **state)
{
    (void)state;
    assert_wrapped(NULL, 10, 3, "");
    assert_wrapped("", 10, 3, "");
    assert_wrapped("one", 10, 3, "one");
    assert_wrapped("exactly 10", 10, 3, "exactly 10");
    assert_wrapped("exactly ten letters", 10, 3, "exactly|ten|letters");
    assert_wrapped("tiger cat 0.21", 9, 3, "tiger cat|0.21");
    assert_wrapped("two  blanks", 4, 3, "two|blan|ks");
    assert_wrapped("a\nb\n\nc", 10, 4, "a|b||c");
    assert_wrapped("features.0.weight", 14, 3, "features.0.|weight");
    assert_wrapped("conv1_1/relu", 9, 3, "conv1_1/|relu");
    assert_wrapped("abcdefghijkl", 5, 3, "abcde|fghij|kl");
    assert_true(linnet_wrap("abcdefghijkl", 5, 3).word_broken);
    assert_false(linnet_wrap("conv1_1/relu", 9, 3).word_broken);
}

static void text_is_shortened(void **state)
{
    (void)state;
    assert_wrapped("one two three", 5, 2, "one|two..");
    assert_wrapped("one two five six", 4, 2, "one|tw..");
    assert_wrapped("abcdefghijkl", 5, 2, "abcde|fgh..");
    assert_wrapped("first\nsecond", 20, 1, "first..");
    assert_string_equal(linnet_wrap("abc", 1, 1).lines[0], ".");
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    linnet_wrapped w = linnet_wrap(text, 100000, 9);
    assert_int_equal(w.count, LINNET_WRAP_LINES);
    assert_int_equal(strlen(w.lines[3]), LINNET_WRAP_LETTERS);
    assert_true(w.shortened);
}

/* ---- Pictures ---- */

static void one_picture(void **state)
{
    (void)state;
    linnet_sheet *sheet = linnet_sheet_new(NULL, NULL);
    add(sheet, 10, 6, 0xFF0000, 3, NULL);
    linnet_image *image = drawn(&sheet);
    assert_int_equal(image->width, 12 + 30 + 12);
    assert_int_equal(image->height, 12 + 18 + 12);
    region r = find(image, 0xFF0000);
    assert_int_equal(r.count, 30 * 18);
    assert_int_equal(r.left * 100 + r.top, 1212);
    linnet_image_free(&image);
    sheet = linnet_sheet_new(NULL, NULL);
    add(sheet, 28, 28, 0xFF0000, 0, NULL); /* about 84 wide */
    add(sheet, 85, 2, 0x00FF00, 0, NULL);
    image = drawn(&sheet);
    assert_int_equal(find(image, 0xFF0000).count, 84 * 84);
    assert_int_equal(find(image, 0x00FF00).count, 85 * 2);
    linnet_image_free(&image);
}

/* Alpha is laid over white, grey is grey. */
static void pictures_of_every_kind(void **state)
{
    (void)state;
    linnet_sheet *sheet = linnet_sheet_new(NULL, NULL);
    linnet_image *alpha = linnet_image_new(NULL, 20, 20, 4), *grey = linnet_image_new_deep(NULL, 20, 20, 1);
    alpha->pixels[3] = 255; /* one black pixel */
    grey->pixels16[0] = 0x8080;
    assert_int_equal(linnet_sheet_add(sheet, alpha, 1, NULL), LINNET_OK);
    linnet_image *image = linnet_sheet_draw(sheet);
    assert_int_equal(find(image, 0).count, 1);
    linnet_image_free(&image);
    assert_int_equal(linnet_sheet_add(sheet, grey, 1, NULL), LINNET_OK); /* and it may be drawn again */
    image = drawn(&sheet);
    assert_int_equal(find(image, 0).count, 400);
    assert_int_equal(find(image, 0x808080).count, 1);
    linnet_image_free(&image);
    linnet_image_free(&alpha);
    linnet_image_free(&grey);
}

/* Different sizes in one row: whole, apart, middle beside middle, captions on one line below. */
static void sizes_side_by_side(void **state)
{
    (void)state;
    linnet_sheet *sheet = linnet_sheet_new(NULL, NULL);
    add(sheet, 50, 90, 0xFF0000, 1, "a");
    add(sheet, 120, 40, 0x00FF00, 1, "b");
    add(sheet, 7, 7, 0x0000FF, 2, "a longer one");
    linnet_image *image = drawn(&sheet);
    region red = find(image, 0xFF0000), green = find(image, 0x00FF00), blue = find(image, 0x0000FF),
           text = find(image, TEXT);
    assert_int_equal(red.count, 50 * 90);
    assert_int_equal(green.count, 120 * 40);
    assert_int_equal(blue.count, 14 * 14);
    assert_true(red.right < green.left && green.right < blue.left);
    assert_int_equal(red.top + red.bottom, green.top + green.bottom);
    assert_int_equal(red.top + red.bottom, blue.top + blue.bottom);
    assert_true(text.top >= red.bottom + 3);
    assert_true(text.bottom <= image->height - 12);
    assert_true(text.right <= image->width - 12);
    assert_int_equal(text.count, 4 * ink_of("ab"
                                            "alongerone")); /* scale 2, nothing cut */
    linnet_image_free(&image);
}

/* What is too long for three lines is shortened, and stays within its cell. */
static void captions_keep_to_their_cells(void **state)
{
    (void)state;
    static const char *const captions[] = {
        "a caption that has far too many words for three lines below a picture so small",
        "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"};
    static const uint32_t pictures[] = {0xFF0000, 0x00FF00}, texts[] = {TEXT, 0x123456};
    linnet_sheet *sheet = linnet_sheet_new(NULL, NULL);
    add(sheet, 90, 30, pictures[0], 1, captions[0]);
    add(sheet, 90, 30, pictures[1], 1, captions[1]);
    linnet_sheet_mark(sheet, texts[1]);
    linnet_image *image = drawn(&sheet);
    for (int i = 0; i < 2; i++) {
        linnet_wrapped lines = linnet_wrap(captions[i], sheet_room(90, 1), 3);
        assert_true(lines.shortened);
        region picture = find(image, pictures[i]);
        region text = find_in(image, texts[i], 0, picture.bottom + 3, image->width, image->height);
        assert_true(text.left >= picture.left && text.right <= picture.right);
        assert_int_equal(text.count, ink_of(lines.lines[0]) + ink_of(lines.lines[1]) + ink_of(lines.lines[2]));
    }
    linnet_image_free(&image);
}

static void marks_frame_pictures(void **state)
{
    (void)state;
    linnet_sheet *sheet = linnet_sheet_new(NULL, NULL);
    add(sheet, 20, 20, 0xFF0000, 1, NULL);
    add(sheet, 20, 20, 0x00FF00, 1, NULL);
    assert_int_equal(linnet_sheet_mark(sheet, LINNET_MARK_WRONG), LINNET_OK);
    add(sheet, 20, 20, 0x0000FF, 1, NULL);
    linnet_image *image = drawn(&sheet);
    region green = find(image, 0x00FF00), mark = find(image, LINNET_MARK_WRONG);
    assert_int_equal(green.count + find(image, 0xFF0000).count + find(image, 0x0000FF).count, 1200);
    assert_int_equal(mark.count, 26 * 26 - 400);
    assert_int_equal(mark.left, green.left - 3);
    assert_int_equal(mark.bottom, green.bottom + 3);
    linnet_image_free(&image);
}

/* ---- Rows ---- */

static void rows_with_labels(void **state)
{
    (void)state;
    linnet_sheet *sheet = linnet_sheet_new(NULL, NULL);
    linnet_sheet_row(sheet, "before");
    add(sheet, 30, 30, 0xFF0000, 1, NULL);
    add(sheet, 60, 30, 0x00FF00, 1, NULL);
    linnet_sheet_row(sheet, "features.0.weight of it");
    add(sheet, 50, 30, 0x0000FF, 1, NULL);
    add(sheet, 20, 30, 0x00FFFF, 1, NULL);
    linnet_image *image = drawn(&sheet);
    region red = find(image, 0xFF0000), green = find(image, 0x00FF00), blue = find(image, 0x0000FF),
           cyan = find(image, 0x00FFFF), text = find(image, TEXT);
    assert_int_equal(red.count + green.count + blue.count + cyan.count, (30 + 60 + 50 + 20) * 30);
    assert_int_equal(red.left + red.right, blue.left + blue.right); /* columns */
    assert_int_equal(green.left + green.right, cyan.left + cyan.right);
    assert_true(red.bottom < blue.top);
    assert_true(text.right < blue.left && text.left >= 12);
    assert_int_equal(text.count, 4 * ink_of("beforefeatures.0.weightofit"));
    linnet_image_free(&image);
}

static void wide_rows_go_on_below(void **state)
{
    (void)state;
    for (int columns = 0; columns < 2; columns++) {
        linnet_sheet *sheet = linnet_sheet_new(NULL, NULL);
        if (columns)
            linnet_sheet_set_columns(sheet, 4);
        else
            linnet_sheet_set_width(sheet, 12 + 4 * 40 + 3 * 10 + 12);
        for (int i = 0; i < 10; i++)
            add(sheet, 40, 20, i == 9 ? 0x00FF00 : 0xFF0000, 1, NULL);
        linnet_image *image = drawn(&sheet);
        region red = find(image, 0xFF0000), last = find(image, 0x00FF00);
        assert_int_equal(image->width, 12 + 4 * 40 + 3 * 10 + 12);
        assert_int_equal(red.count, 9 * 800);
        assert_int_equal(last.left, 12 + 50);
        assert_int_equal(last.bottom, red.bottom);
        linnet_image_free(&image);
    }
    linnet_sheet *sheet = linnet_sheet_new(NULL, NULL); /* a single one may be wider */
    linnet_sheet_set_width(sheet, 100);
    add(sheet, 300, 20, 0xFF0000, 1, NULL);
    add(sheet, 40, 20, 0x00FF00, 1, NULL);
    linnet_image *image = drawn(&sheet);
    assert_int_equal(image->width, 324);
    assert_true(find(image, 0x00FF00).top > find(image, 0xFF0000).bottom);
    linnet_image_free(&image);
}

static void titles(void **state)
{
    (void)state;
    static const char longest[] =
        "A title that is even longer than what the page is made wider for, so that it goes on "
        "in a second line, or a third one";
    const char *const cases[] = {"Title", "A title that is longer than the picture is wide", longest};
    for (size_t i = 0; i < 3; i++) {
        linnet_sheet *sheet = linnet_sheet_new(NULL, cases[i]);
        add(sheet, 100, 100, 0xFF0000, 1, NULL);
        linnet_image *image = drawn(&sheet);
        region red = find(image, 0xFF0000), text = find(image, TEXT);
        assert_int_equal(red.count, 10000);
        assert_true(text.left >= 12 && text.right <= image->width - 12 && text.bottom < red.top);
        assert_int_equal(text.count, (i ? 4 : 9) * ink_of(cases[i])); /* scales 3, 2, 2 */
        linnet_image_free(&image);
    }
}

/* A legend is a tile like any other. */
static void colour_bars_fit(void **state)
{
    (void)state;
    linnet_sheet *sheet = linnet_sheet_new(NULL, NULL);
    linnet_image *bar = linnet_image_colour_bar(NULL, LINNET_COLOUR_SEQUENTIAL, 0, 1, 100);
    assert_int_equal(linnet_sheet_add(sheet, bar, 1, "activation"), LINNET_OK);
    linnet_image *image = drawn(&sheet);
    assert_int_equal(image->width, 124);
    for (int32_t y = 0; y < bar->height; y++)
        for (int32_t x = 0; x < bar->width; x++)
            assert_int_equal(colour_at(image, 12 + x, 12 + y), colour_at(bar, x, y));
    linnet_image_free(&image);
    linnet_image_free(&bar);
}

/* ---- Limits and errors ---- */

static void large_sheets_shrink(void **state)
{
    (void)state;
    linnet_sheet *sheet = linnet_sheet_new(NULL, NULL);
    linnet_image *image = plain(2, 2, 0xFF0000);
    for (int i = 0; i < 5000; i++) /* at 84 pixels they would be 23,000 high */
        assert_int_equal(linnet_sheet_add(sheet, image, 0, NULL), LINNET_OK);
    linnet_image *page = linnet_sheet_draw(sheet);
    assert_non_null(page);
    assert_true(page->height <= LINNET_IMAGE_MAX_SIDE);
    assert_int_equal(find(page, 0xFF0000).count, 5000 * 42 * 42);
    linnet_image_free(&page);
    linnet_sheet_add(sheet, image, 16000, NULL); /* asked for: is not lowered */
    assert_null(linnet_sheet_draw(sheet));
    assert_failed_with(LINNET_LIMIT, "5001 pictures");
    linnet_image_free(&image);
    linnet_sheet_free(&sheet);
}

static void errors_stick(void **state)
{
    (void)state;
    linnet_sheet *sheet = linnet_sheet_new(NULL, "t");
    assert_null(linnet_sheet_draw(sheet));
    assert_failed_with(LINNET_INVALID, "no pictures");
    add(sheet, 3, 3, 0xFF0000, 1, NULL);
    assert_int_equal(linnet_sheet_add(sheet, NULL, 1, "x"), LINNET_INVALID);
    assert_failed_with(LINNET_INVALID, "picture 2");
    add(sheet, 3, 3, 0xFF0000, 1, NULL);
    assert_int_equal(linnet_sheet_set_width(sheet, -1), LINNET_INVALID);
    assert_null(linnet_sheet_draw(sheet));
    assert_failed_with(LINNET_INVALID, "picture 2");
    linnet_sheet_free(&sheet);
    sheet = linnet_sheet_new(NULL, NULL);
    assert_int_equal(linnet_sheet_mark(sheet, 1), LINNET_INVALID);
    assert_int_equal(linnet_sheet_set_columns(sheet, -1), LINNET_INVALID);
    linnet_sheet_free(&sheet);
    linnet_sheet_free(&sheet);
    linnet_sheet_free(NULL);
    assert_int_equal(linnet_sheet_row(NULL, NULL), LINNET_INVALID);
    assert_int_equal(linnet_sheet_add(NULL, NULL, 0, NULL), LINNET_INVALID);
    assert_int_equal(linnet_sheet_mark(NULL, 0), LINNET_INVALID);
    assert_int_equal(linnet_sheet_set_width(NULL, 0), LINNET_INVALID);
    assert_int_equal(linnet_sheet_set_columns(NULL, 0), LINNET_INVALID);
    assert_null(linnet_sheet_draw(NULL));
    assert_failed_with(LINNET_INVALID, "none was given");
}

static void without_memory(void **state)
{
    (void)state;
    linnet_image *tile = plain(5, 5, 0xFF0000), *image = NULL;
    for (int64_t allowed = 0; !image && allowed < 60; allowed++) {
        linnet_memory_fail_after(allowed);
        linnet_sheet *sheet = linnet_sheet_new(NULL, "title");
        linnet_sheet_row(sheet, "label");
        linnet_sheet_add(sheet, tile, 2, "caption");
        image = linnet_sheet_draw(sheet);
        linnet_memory_fail_after(-1);
        if (!image && sheet)
            assert_int_equal(linnet_context_last_status(NULL), LINNET_OUT_OF_MEMORY);
        linnet_sheet_free(&sheet);
    }
    assert_non_null(image);
    linnet_image_free(&image);
    linnet_image_free(&tile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_broken_between_words),
        cmocka_unit_test(text_is_shortened),
        cmocka_unit_test(one_picture),
        cmocka_unit_test(pictures_of_every_kind),
        cmocka_unit_test(sizes_side_by_side),
        cmocka_unit_test(captions_keep_to_their_cells),
        cmocka_unit_test(marks_frame_pictures),
        cmocka_unit_test(rows_with_labels),
        cmocka_unit_test(wide_rows_go_on_below),
        cmocka_unit_test(titles),
        cmocka_unit_test(colour_bars_fit),
        cmocka_unit_test(large_sheets_shrink),
        cmocka_unit_test(errors_stick),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
