/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: PNG there and back, damaged PNG, drawing. */
#include "files.h"
#include "formats/font.h"
#include "formats/picture.h"

#ifdef LINNET_HAVE_PNG
#include <png.h>
#include <sys/resource.h>
#include <zlib.h>
#endif

static linnet_image *gradient(int32_t width, int32_t height, int32_t channels)
{
    linnet_image *image = linnet_image_new(NULL, width, height, channels);
    assert_non_null(image);
    for (int32_t i = 0; i < width * height * channels; i++)
        image->pixels[i] = (uint8_t)(7 * i + i / 5);
    return image;
}

static void sizes_are_checked(void **state)
{
    (void)state;
    assert_null(linnet_image_new(NULL, 0, 5, 1));
    assert_failed_with(LINNET_INVALID, "0 x 5");
    assert_null(linnet_image_new(NULL, 5, 5, 5));
    assert_failed_with(LINNET_INVALID, "5 channels");
    assert_null(linnet_image_new(NULL, LINNET_IMAGE_MAX_SIDE, LINNET_IMAGE_MAX_SIDE, 1));
    assert_failed_with(LINNET_LIMIT, "16384");
    assert_null(linnet_image_new(NULL, LINNET_IMAGE_MAX_SIDE + 1, 1, 1));
    assert_failed_with(LINNET_LIMIT, "16385");
    linnet_memory_fail_after(1);
    assert_null(linnet_image_new(NULL, 5, 5, 1));
    linnet_memory_fail_after(-1);
    assert_failed_with(LINNET_OUT_OF_MEMORY, "5 x 5");
    linnet_image_free(NULL);
}

/* Pixels outside the rectangle stay as they were, whatever the rectangle. */
static void filling_is_cut_off(void **state)
{
    (void)state;
    static const int32_t edges[] = {INT32_MIN, -3, 0, 2, 5, 6, INT32_MAX};
    linnet_image *image = linnet_image_new(NULL, 5, 4, 3);
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 7; j++) {
            memset(image->pixels, 9, 60);
            linnet_image_fill(image, edges[i], 1, edges[j], 2, 0x010203);
            for (int64_t x = 0; x < 5; x++)
                for (int y = 0; y < 4; y++) {
                    bool inside = x >= edges[i] && x < (int64_t)edges[i] + edges[j] && y >= 1 && y < 3;
                    assert_memory_equal(image->pixels + (y * 5 + x) * 3, inside ? "\1\2\3" : "\t\t\t", 3);
                }
        }
    linnet_image_free(&image);
    image = linnet_image_new(NULL, 2, 1, 2);
    linnet_image_fill(image, 1, 0, 1, 1, 0x00FF00);
    assert_memory_equal(image->pixels, "\0\0\226\377", 4); /* luminance, opaque */
    linnet_image_free(&image);
}

static void every_letter_differs(void **state)
{
    (void)state;
    uint64_t sums[127];
    for (int letter = 32; letter < 127; letter++) {
        linnet_image *image = linnet_image_new(NULL, 6, 10, 1);
        char text[] = {(char)letter, '\0'};
        linnet_image_text(image, 0, 0, 1, 0xFFFFFF, text);
        for (int i = 0; i < 10; i++) /* the gap between letters stays free */
            assert_int_equal(image->pixels[6 * i + 5], 0);
        for (int i = 0; i < 6; i++)
            assert_int_equal(image->pixels[54 + i], 0);
        sums[letter] = sum_of(image->pixels, 60);
        for (int other = 32; other < letter; other++)
            assert_true(sums[other] != sums[letter]);
        linnet_image_free(&image);
    }
}

static void text_is_drawn_and_cut_off(void **state)
{
    (void)state;
    linnet_image *image = linnet_image_new(NULL, 40, 24, 1), *same = linnet_image_new(NULL, 40, 24, 1);
    assert_int_equal(linnet_image_text_width("abc", 2), 34);
    assert_int_equal(linnet_image_text_width("", 2), 0);
    assert_int_equal(linnet_image_text_width(NULL, 2), 0);
    linnet_image_text(image, 3, 4, 2, 0xFFFFFF, "p1");
    for (int y = 0; y < 24; y++)
        for (int x = 0; x < 40; x++) {
            int u = x - 3, v = y - 4;
            bool ink = u >= 0 && v >= 0 && u < 24 && v < 18 && linnet_glyph_pixel("p1"[u / 12], u % 12 / 2, v / 2);
            assert_int_equal(image->pixels[40 * y + x], ink ? 255 : 0);
        }
    linnet_image_text(same, 3, 4, 2, 0xFFFFFF, "\xc3\xa9");
    memset(image->pixels, 0, 960);
    linnet_image_text(image, 3, 4, 2, 0xFFFFFF, "??");
    assert_memory_equal(same->pixels, image->pixels, 960);
    static const int32_t places[] = {INT32_MIN, -1000, -5, 0, 39, 40, INT32_MAX};
    for (int i = 0; i < 49; i++) /* nothing is written beyond the picture (the sanitizers look) */
        linnet_image_text(image, places[i / 7], places[i % 7], 3, 0xFFFFFF, "Linnet");
    linnet_image_free(&image);
    linnet_image_free(&same);
}

#ifdef LINNET_HAVE_PNG

static void png_there_and_back(void **state)
{
    const char *path = path_in(*state, "a.png");
    for (int32_t channels = 1; channels <= 4; channels++) {
        linnet_image *image = gradient(13, 7, channels);
        assert_int_equal(linnet_image_write(NULL, image, path), LINNET_OK);
        linnet_image *back = linnet_image_read(NULL, path);
        assert_non_null(back);
        assert_int_equal(back->width, 13);
        assert_int_equal(back->height, 7);
        assert_int_equal(back->channels, channels);
        assert_memory_equal(back->pixels, image->pixels, (size_t)(13 * 7 * channels));
        linnet_image_free(&image);
        linnet_image_free(&back);
    }
}

typedef struct memory {
    uint8_t data[1 << 16];
    size_t size;
} memory;

static void memory_add(png_structp png, png_bytep data, size_t size)
{
    memory *out = png_get_io_ptr(png);
    assert_true(size <= sizeof out->data - out->size);
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

/* A 3x2 picture of any kind; samples count up from 0. */
static void png_make(memory *out, int colour, int depth, int interlace, bool transparent)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color palette[4] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}, {1, 2, 3}};
    png_color_16 clear = {.gray = 0, .red = 0, .green = 0, .blue = 0};
    uint8_t alphas[2] = {0, 128};
    uint8_t rows[2][3 * 4 * 2], *pointers[2] = {rows[0], rows[1]};
    for (size_t i = 0; i < sizeof rows; i++)
        (&rows[0][0])[i] = depth == 8 && colour != PNG_COLOR_TYPE_PALETTE ? (uint8_t)(10 * i) : (uint8_t)(i % 4);
    out->size = 0;
    png_set_write_fn(png, out, memory_add, NULL);
    png_set_IHDR(png, info, 3, 2, depth, colour, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 4);
    if (transparent)
        png_set_tRNS(png, info, alphas, colour == PNG_COLOR_TYPE_PALETTE ? 2 : 0, &clear);
    png_write_info(png, info);
    if (depth < 8)
        png_set_packing(png);
    png_write_image(png, pointers);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
}

static void png_of_every_kind(void **state)
{
    (void)state;
    static const struct {
        int colour, depth;
        bool transparent;
        int32_t channels;
        uint8_t second[4]; /* of the second pixel */
    } kinds[] = {
        {PNG_COLOR_TYPE_GRAY, 1, false, 1, {255}},
        {PNG_COLOR_TYPE_GRAY, 2, false, 1, {85}},
        {PNG_COLOR_TYPE_GRAY, 4, false, 1, {17}},
        {PNG_COLOR_TYPE_GRAY, 8, false, 1, {10}},
        {PNG_COLOR_TYPE_GRAY, 16, false, 1, {2}},
        {PNG_COLOR_TYPE_GRAY, 8, true, 2, {10, 255}},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 8, false, 2, {20, 30}},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 16, false, 2, {0, 2}},
        {PNG_COLOR_TYPE_RGB, 8, false, 3, {30, 40, 50}},
        {PNG_COLOR_TYPE_RGB, 16, false, 3, {2, 0, 2}},
        {PNG_COLOR_TYPE_RGB, 8, true, 4, {30, 40, 50, 255}},
        {PNG_COLOR_TYPE_RGBA, 8, false, 4, {40, 50, 60, 70}},
        {PNG_COLOR_TYPE_RGBA, 16, false, 4, {0, 2, 0, 2}},
        {PNG_COLOR_TYPE_PALETTE, 2, false, 3, {40, 50, 60}},
        {PNG_COLOR_TYPE_PALETTE, 8, false, 3, {40, 50, 60}},
        {PNG_COLOR_TYPE_PALETTE, 4, true, 4, {40, 50, 60, 128}},
    };
    static memory file;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (int interlace = PNG_INTERLACE_NONE; interlace <= PNG_INTERLACE_ADAM7; interlace++) {
            png_make(&file, kinds[i].colour, kinds[i].depth, interlace, kinds[i].transparent);
            linnet_image *image = linnet_image_decode(NULL, file.data, file.size, "picture");
            if (!image)
                fail_msg("kind %zu: %s", i, linnet_context_message(NULL));
            assert_int_equal(image->width * 10 + image->height, 32);
            assert_int_equal(image->channels, kinds[i].channels);
            assert_memory_equal(image->pixels + image->channels, kinds[i].second, (size_t)image->channels);
            linnet_image_free(&image);
        }
}

static void png_that_is_none(void **state)
{
    const char *path = path_in(*state, "none.png");
    file_put(path, "GIF89a and so on", 16);
    assert_null(linnet_image_read(NULL, path));
    assert_failed_with(LINNET_BAD_FILE, "none.png: not a PNG or JPEG");
    file_put(path, "", 0);
    assert_null(linnet_image_read(NULL, path));
    assert_failed_with(LINNET_BAD_FILE, "not a PNG");
    assert_null(linnet_image_read(NULL, "/nonexistent.png"));
    assert_failed_with(LINNET_IO, "/nonexistent.png");
    assert_null(linnet_image_read(NULL, NULL));
    assert_failed_with(LINNET_INVALID, "path");
}

static void png_cut_and_flipped(void **state)
{
    (void)state;
    static memory file;
    png_make(&file, PNG_COLOR_TYPE_PALETTE, 4, PNG_INTERLACE_ADAM7, true);
    for (size_t size = 0; size < file.size; size++) {
        uint8_t *exact = malloc(size ? size : 1);
        memcpy(exact, file.data, size);
        assert_null(linnet_image_decode(NULL, exact, size, "picture"));
        assert_failed_with(LINNET_BAD_FILE, "picture");
        free(exact);
    }
    for (size_t bit = 0; bit < 8 * file.size; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        linnet_image *image = linnet_image_decode(NULL, file.data, file.size, "picture");
        if (!image)
            assert_failed_with(linnet_context_last_status(NULL), "picture");
        linnet_image_free(&image);
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* Puts an Exif chunk with that orientation, low byte first, behind the header. */
static void png_add_exif(memory *file, uint8_t orientation)
{
    uint8_t chunk[38] = {0, 0, 0, 26, 'e',  'X', 'I', 'f', 'I', 'I', '*', 0, 8,          0,
                         0, 0, 1, 0,  0x12, 1,   3,   0,   1,   0,   0,   0, orientation};
    uint32_t sum = (uint32_t)crc32(0, chunk + 4, 30);
    for (int i = 0; i < 4; i++)
        chunk[34 + i] = (uint8_t)(sum >> (24 - 8 * i));
    memmove(file->data + 33 + 38, file->data + 33, file->size - 33);
    memcpy(file->data + 33, chunk, 38);
    file->size += 38;
}

static void png_stands_upright(void **state)
{
    (void)state;
    static memory file;
    for (uint8_t orientation = 0; orientation <= 9; orientation++) {
        png_make(&file, PNG_COLOR_TYPE_RGB, 16, PNG_INTERLACE_NONE, false);
        linnet_image *expected = linnet_image_decode_deep(NULL, file.data, file.size, "picture");
        assert_int_equal(linnet_image_turn(NULL, &expected, orientation), LINNET_OK);
        png_add_exif(&file, orientation);
        linnet_image *image = linnet_image_decode_deep(NULL, file.data, file.size, "picture");
        if (!image)
            fail_msg("%s", linnet_context_message(NULL));
        assert_int_equal(image->width, orientation >= 5 && orientation <= 8 ? 2 : 3);
        assert_memory_equal(image->pixels16, expected->pixels16, 36);
        linnet_image_free(&image);
        linnet_image_free(&expected);
    }
}

/* With 16 bits and Exif: every bit flipped, a picture or an error; every beginning, an error. */
static void deep_png_cut_and_flipped(void **state)
{
    (void)state;
    static memory file;
    png_make(&file, PNG_COLOR_TYPE_RGBA, 16, PNG_INTERLACE_ADAM7, false);
    png_add_exif(&file, 7);
    for (size_t bit = 0; bit < 8 * file.size; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        linnet_image *image = linnet_image_decode_deep(NULL, file.data, file.size, "picture");
        if (!image)
            assert_failed_with(linnet_context_last_status(NULL), "picture");
        linnet_image_free(&image);
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        uint8_t *exact = malloc(bit / 8 + 1);
        memcpy(exact, file.data, bit / 8);
        assert_null(linnet_image_decode_deep(NULL, exact, bit / 8, "picture"));
        free(exact);
    }
}

/* Changes the size in the header and makes its sum right again. */
static void png_resize(memory *file, uint32_t width, uint32_t height)
{
    for (int i = 0; i < 4; i++) {
        file->data[16 + i] = (uint8_t)(width >> (24 - 8 * i));
        file->data[20 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
    uint32_t sum = (uint32_t)crc32(0, file->data + 12, 17);
    for (int i = 0; i < 4; i++)
        file->data[29 + i] = (uint8_t)(sum >> (24 - 8 * i));
}

static void png_that_claims_too_much(void **state)
{
    (void)state;
    static memory file;
    png_make(&file, PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE, false);
    png_resize(&file, 0x7fffffff, 0x7fffffff);
    assert_null(linnet_image_decode(NULL, file.data, file.size, "picture"));
    assert_int_equal(linnet_context_last_status(NULL), LINNET_LIMIT);
    png_resize(&file, LINNET_IMAGE_MAX_SIDE, LINNET_IMAGE_MAX_SIDE);
    assert_null(linnet_image_decode(NULL, file.data, file.size, "picture"));
    assert_failed_with(LINNET_LIMIT, "16384");
    png_resize(&file, 8000, 8000);
    assert_null(linnet_image_decode(NULL, file.data, file.size, "picture"));
    assert_failed_with(LINNET_BAD_FILE, "cut short");
    png_resize(&file, 0, 2);
    assert_null(linnet_image_decode(NULL, file.data, file.size, "picture"));
    assert_failed_with(LINNET_BAD_FILE, "picture");
    png_resize(&file, 3, 3);
    assert_null(linnet_image_decode(NULL, file.data, file.size, "picture"));
    assert_failed_with(LINNET_BAD_FILE, "picture");
}

/* A text chunk of two thousand million bytes: refused before anybody takes memory for it. */
static void png_with_a_chunk_that_claims_too_much(void **state)
{
    (void)state;
    static memory file;
    png_make(&file, PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE, false);
    memmove(file.data + 33 + 12, file.data + 33, file.size - 33);
    memcpy(file.data + 33, "\177\377\377\377tEXt\0\0\0\0", 12);
    struct rusage before, after;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    linnet_image *image = linnet_image_decode(NULL, file.data, file.size + 12, "picture");
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 1 << 18); /* kilobytes */
    assert_null(image);
    assert_failed_with(LINNET_BAD_FILE, "cut short");
}

static void png_without_memory_or_place(void **state)
{
    static memory file;
    png_make(&file, PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE, false);
    linnet_image *image = NULL;
    for (int64_t allowed = 0; !image && allowed < 10; allowed++) {
        linnet_memory_fail_after(allowed);
        image = linnet_image_decode(NULL, file.data, file.size, "picture");
        linnet_memory_fail_after(-1);
        if (!image)
            assert_failed_with(LINNET_OUT_OF_MEMORY, "picture");
    }
    assert_non_null(image);
    linnet_memory_fail_after(0);
    assert_int_equal(linnet_image_write(NULL, image, path_in(*state, "c.png")), LINNET_OUT_OF_MEMORY);
    linnet_memory_fail_after(-1);
    assert_int_equal(linnet_image_write(NULL, image, "/nonexistent/c.png"), LINNET_IO);
    assert_failed_with(LINNET_IO, "/nonexistent/c.png");
    assert_int_equal(linnet_image_write(NULL, NULL, "c.png"), LINNET_INVALID);
    linnet_image_free(&image);
}

#else

static void png_is_not_in_this_build(void **state)
{
    linnet_image *image = gradient(3, 2, 1);
    file_put(path_in(*state, "a.png"), "\211PNG\r\n\032\n", 8);
    assert_null(linnet_image_read(NULL, path_in(*state, "a.png")));
    assert_failed_with(LINNET_UNSUPPORTED, "a.png");
    assert_int_equal(linnet_image_write(NULL, image, path_in(*state, "a.png")), LINNET_UNSUPPORTED);
    assert_failed_with(LINNET_UNSUPPORTED, "a.png");
    linnet_image_free(&image);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(filling_is_cut_off),
        cmocka_unit_test(every_letter_differs),
        cmocka_unit_test(text_is_drawn_and_cut_off),
#ifdef LINNET_HAVE_PNG
        cmocka_unit_test_setup_teardown(png_there_and_back, folder_make, folder_remove),
        cmocka_unit_test(png_of_every_kind),
        cmocka_unit_test_setup_teardown(png_that_is_none, folder_make, folder_remove),
        cmocka_unit_test(png_cut_and_flipped),
        cmocka_unit_test(png_stands_upright),
        cmocka_unit_test(deep_png_cut_and_flipped),
        cmocka_unit_test(png_that_claims_too_much),
        cmocka_unit_test(png_with_a_chunk_that_claims_too_much),
        cmocka_unit_test_setup_teardown(png_without_memory_or_place, folder_make, folder_remove),
#else
        cmocka_unit_test_setup_teardown(png_is_not_in_this_build, folder_make, folder_remove),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
