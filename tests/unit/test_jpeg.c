/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG there and back, Exif's orientation, inks, damaged and hostile files. */
#include "files.h"
#include "formats/jpeg_markers.h"
#include "formats/picture.h"

#ifdef LINNET_HAVE_JPEG
#include <turbojpeg.h>
#endif

/* ---- Exif ---- */

/* A TIFF structure with one entry before the orientation. */
static size_t exif_make(uint8_t *out, bool big, int orientation)
{
    static const uint8_t entries[2][26] = {
        {2, 0, 0x0f, 1, 2, 0, 4, 0, 0, 0, 'a', 'b', 'c', 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0},
        {0, 2, 1, 0x0f, 0, 2, 0, 0, 0, 4, 'a', 'b', 'c', 0, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0},
    };
    memcpy(out, big ? "MM\0*\0\0\0\10" : "II*\0\10\0\0\0", 8);
    memcpy(out + 8, entries[big], 26);
    out[8 + 22 + big] = (uint8_t)orientation;
    memset(out + 34, 0, 4); /* no further directory */
    return 38;
}

static void orientation_is_read(void **state)
{
    (void)state;
    uint8_t bytes[38];
    for (int big = 0; big < 2; big++)
        for (int orientation = 0; orientation < 20; orientation++) {
            size_t size = exif_make(bytes, big, orientation);
            int expected = orientation >= 1 && orientation <= 8 ? orientation : 1;
            assert_int_equal(linnet_exif_orientation(bytes, size), expected);
        }
}

/* Cut anywhere, any byte anything: an orientation, and nothing outside the bytes is read (the sanitizers look). */
static void damaged_exif(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++)
        for (size_t size = 0; size <= 38; size++) {
            uint8_t whole[38], *exact = malloc(size ? size : 1);
            exif_make(whole, big, 6);
            memcpy(exact, whole, size);
            assert_int_equal(linnet_exif_orientation(exact, size), size < 34 ? 1 : 6);
            for (size_t at = 0; at < size; at++)
                for (int value = 0; value < 256; value += value < 16 || value > 250 ? 1 : 13) {
                    uint8_t kept = exact[at];
                    exact[at] = (uint8_t)value;
                    int orientation = linnet_exif_orientation(exact, size);
                    assert_true(orientation >= 1 && orientation <= 8);
                    exact[at] = kept;
                }
            free(exact);
        }
    assert_int_equal(linnet_exif_orientation(NULL, 0), 1);
}

#ifdef LINNET_HAVE_JPEG

typedef struct file {
    uint8_t *bytes;
    size_t size;
} file;

/* Soft in x and y, as photographs are. */
static linnet_image *soft(int32_t width, int32_t height, int32_t channels)
{
    linnet_image *image = linnet_image_new(NULL, width, height, channels);
    assert_non_null(image);
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++)
            for (int32_t c = 0; c < channels; c++)
                image->pixels[(y * width + x) * channels + c] = (uint8_t)(30 + (x * (c + 1) + 2 * y) / 2);
    return image;
}

static file encoded(const linnet_image *image, int32_t quality)
{
    file out = {NULL, 0};
    assert_int_equal(linnet_jpeg_encode(NULL, image, quality, "picture", &out.bytes, &out.size), LINNET_OK);
    return out;
}

/* Encoded by TurboJPEG with other settings than the library's. */
static file encoded_by(const uint8_t *pixels, int width, int height, int format, int sampling, int flags)
{
    unsigned char *made = NULL;
    unsigned long size = 0;
    tjhandle handle = tjInitCompress();
    assert_int_equal(tjCompress2(handle, pixels, width, 0, height, format, &made, &size, sampling, 95, flags), 0);
    file out = {linnet_allocate(size, 1), size};
    memcpy(out.bytes, made, size);
    tjFree(made);
    tjDestroy(handle);
    return out;
}

static linnet_image *decoded(file f)
{
    linnet_image *image = linnet_image_decode(NULL, f.bytes, f.size, "picture");
    if (!image)
        fail_msg("%s", linnet_context_message(NULL));
    return image;
}

static int worst_difference(const linnet_image *a, const linnet_image *b)
{
    int worst = 0;
    assert_int_equal(a->width * 8 + a->channels, b->width * 8 + b->channels);
    assert_int_equal(a->height, b->height);
    for (int32_t i = 0; i < a->width * a->height * a->channels; i++) {
        int difference = abs(a->pixels[i] - b->pixels[i]);
        worst = difference > worst ? difference : worst;
    }
    return worst;
}

static void there_and_back(void **state)
{
    for (int32_t channels = 1; channels <= 3; channels += 2) {
        linnet_image *image = soft(37, 21, channels);
        assert_int_equal(linnet_image_write(NULL, image, path_in(*state, "a.jpg")), LINNET_OK);
        linnet_image *back = linnet_image_read(NULL, path_in(*state, "a.jpg"));
        assert_non_null(back);
        assert_int_equal(back->channels, channels);
        assert_true(worst_difference(image, back) <= 12);
        linnet_image_free(&back);
        assert_int_equal(linnet_image_write_jpeg(NULL, image, 100, path_in(*state, "a.jpg")), LINNET_OK);
        back = linnet_image_read_deep(NULL, path_in(*state, "a.jpg")); /* JPEG is never deep */
        assert_true(worst_difference(image, back) <= 3);
        linnet_image_free(&back);
        linnet_image_free(&image);
    }
}

static void quality_is_size(void **state)
{
    linnet_image *image = soft(64, 64, 3);
    size_t before = 0;
    static const int32_t qualities[] = {1, 30, 60, 89, 90, 100};
    for (size_t i = 0; i < 6; i++) {
        file f = encoded(image, qualities[i]);
        assert_true(f.size > before);
        before = f.size;
        linnet_release(f.bytes);
    }
    const char *path = path_in(*state, "a.jpg");
    assert_int_equal(linnet_image_write_jpeg(NULL, image, 101, path), LINNET_INVALID);
    assert_failed_with(LINNET_INVALID, "101");
    assert_int_equal(linnet_image_write_jpeg(NULL, image, -1, path), LINNET_INVALID);
    assert_int_equal(linnet_image_write_jpeg(NULL, NULL, 0, path), LINNET_INVALID);
    assert_int_equal(linnet_image_write_jpeg(NULL, image, 0, path_in(*state, "any.name")), LINNET_OK);
    linnet_image_free(&image);
}

static void alpha_and_depth_go(void **state)
{
    (void)state;
    linnet_image *image = linnet_image_new(NULL, 16, 16, 4); /* clear: white */
    file f = encoded(image, 95);
    linnet_image *back = decoded(f);
    assert_int_equal(back->channels, 3);
    for (int i = 0; i < 16 * 16 * 3; i++)
        assert_true(back->pixels[i] >= 254);
    linnet_image_free(&image);
    linnet_image_free(&back);
    linnet_release(f.bytes);
    image = linnet_image_new_deep(NULL, 16, 16, 1);
    for (int i = 0; i < 256; i++)
        image->pixels16[i] = 0x8080;
    f = encoded(image, 95);
    back = decoded(f);
    for (int i = 0; i < 256; i++)
        assert_int_equal(back->pixels[i], 0x80);
    linnet_image_free(&image);
    linnet_image_free(&back);
    linnet_release(f.bytes);
}

/* f with an Exif segment behind its first marker. */
static file with_exif(file f, bool big, int orientation)
{
    file out = {linnet_allocate(f.size + 48, 1), f.size + 48};
    memcpy(out.bytes, f.bytes, 2);
    memcpy(out.bytes + 2, "\377\341\0\056Exif\0\0", 10); /* 46 = 2 + 6 + 38 */
    exif_make(out.bytes + 12, big, orientation);
    memcpy(out.bytes + 50, f.bytes + 2, f.size - 2);
    return out;
}

static void stands_upright(void **state)
{
    (void)state;
    linnet_image *image = soft(24, 16, 3);
    file plain = encoded(image, 95);
    for (int orientation = 1; orientation <= 8; orientation++) {
        file f = with_exif(plain, orientation % 2, orientation);
        linnet_image *upright = decoded(f), *expected = decoded(plain);
        assert_int_equal(linnet_image_turn(NULL, &expected, orientation), LINNET_OK);
        assert_int_equal(worst_difference(upright, expected), 0);
        assert_int_equal(upright->width, orientation < 5 ? 24 : 16);
        linnet_image_free(&upright);
        linnet_image_free(&expected);
        linnet_release(f.bytes);
    }
    linnet_image_free(&image);
    linnet_release(plain.bytes);
}

/* ---- Four inks ---- */

static void assert_all_near(const linnet_image *image, int red, int green, int blue)
{
    assert_int_equal(image->channels, 3);
    for (int32_t i = 0; i < image->width * image->height; i++) {
        const uint8_t *p = image->pixels + 3 * i;
        if (abs(p[0] - red) > 3 || abs(p[1] - green) > 3 || abs(p[2] - blue) > 3)
            fail_msg("%d %d %d is not %d %d %d", p[0], p[1], p[2], red, green, blue);
    }
}

static file inks(uint8_t cyan, uint8_t magenta, uint8_t yellow, uint8_t black)
{
    uint8_t pixels[16 * 16 * 4];
    for (int i = 0; i < 256; i++)
        memcpy(pixels + 4 * i, (const uint8_t[]){cyan, magenta, yellow, black}, 4);
    return encoded_by(pixels, 16, 16, TJPF_CMYK, TJSAMP_444, 0);
}

/* What TurboJPEG writes is YCCK by Adobe's rules: 255 is no ink. */
static void inks_of_adobe(void **state)
{
    (void)state;
    static const struct {
        uint8_t inks[4];
        int lights[3];
    } cases[] = {
        {{255, 255, 255, 255}, {255, 255, 255}}, {{0, 255, 255, 255}, {0, 255, 255}},
        {{255, 0, 255, 255}, {255, 0, 255}},     {{255, 255, 0, 255}, {255, 255, 0}},
        {{255, 255, 255, 0}, {0, 0, 0}},         {{200, 100, 50, 128}, {100, 50, 25}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint8_t *c = cases[i].inks;
        file f = inks(c[0], c[1], c[2], c[3]);
        linnet_image *image = decoded(f);
        assert_all_near(image, cases[i].lights[0], cases[i].lights[1], cases[i].lights[2]);
        linnet_image_free(&image);
        linnet_release(f.bytes);
    }
}

/* Without the marker the same coefficients mean C, M, Y, K themselves: Y = 255 - 60, Cb = Cr = 128, K = 55. */
static void inks_of_others(void **state)
{
    (void)state;
    file f = inks(60, 60, 60, 55);
    uint8_t *adobe = memmem(f.bytes, f.size, "\377\356\0\016Adobe", 9);
    assert_non_null(adobe);
    size_t before = (size_t)(adobe - f.bytes);
    memmove(adobe, adobe + 16, f.size - before - 16);
    f.size -= 16;
    linnet_image *image = decoded(f);
    assert_all_near(image, 60 * 200 / 255, 127 * 200 / 255, 127 * 200 / 255);
    linnet_image_free(&image);
    linnet_release(f.bytes);
}

/* ---- Damage ---- */

static file small(int sampling, int flags)
{
    linnet_image *image = soft(20, 12, 3);
    file f = encoded_by(image->pixels, 20, 12, TJPF_RGB, sampling, flags);
    linnet_image_free(&image);
    return f;
}

/* Decodes a copy that ends where its memory ends. */
static linnet_image *decoded_exactly(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, bytes, size);
    linnet_image *image = linnet_image_decode(NULL, exact, size, "picture");
    free(exact);
    return image;
}

static void cut_short(void **state)
{
    (void)state;
    for (int progressive = 0; progressive < 2; progressive++) {
        file f = small(TJSAMP_420, progressive ? TJFLAG_PROGRESSIVE : 0);
        linnet_image *image = decoded(f);
        linnet_image_free(&image);
        for (size_t size = 0; size < f.size; size++) {
            assert_null(decoded_exactly(f.bytes, size));
            assert_failed_with(LINNET_BAD_FILE, "picture");
        }
        linnet_release(f.bytes);
    }
}

/* The end marker is there, what was before it is not. */
static void cut_out(void **state)
{
    (void)state;
    file f = small(TJSAMP_444, 0);
    uint8_t *scan = memmem(f.bytes, f.size, "\377\332", 2);
    for (size_t size = (size_t)(scan - f.bytes) + 14; size < f.size - 8; size++) {
        uint8_t kept[2];
        memcpy(kept, f.bytes + size, 2);
        memcpy(f.bytes + size, "\377\331", 2);
        assert_null(decoded_exactly(f.bytes, size + 2));
        assert_failed_with(LINNET_BAD_FILE, "damaged JPEG");
        memcpy(f.bytes + size, kept, 2);
    }
    linnet_release(f.bytes);
}

/* A picture or an error with a sentence; for Exif, both kinds of coding, grey and colour. */
static void flipped(void **state)
{
    (void)state;
    linnet_image *grey = soft(16, 8, 1);
    file plain = encoded(grey, 60);
    file files[] = {small(TJSAMP_420, 0), small(TJSAMP_444, TJFLAG_PROGRESSIVE), with_exif(plain, true, 6)};
    for (size_t i = 0; i < 3; i++) {
        for (size_t bit = 0; bit < 8 * files[i].size; bit++) {
            files[i].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            linnet_image *image = decoded_exactly(files[i].bytes, files[i].size);
            if (!image)
                assert_failed_with(linnet_context_last_status(NULL), "picture");
            linnet_image_free(&image);
            files[i].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        linnet_release(files[i].bytes);
    }
    linnet_release(plain.bytes);
    linnet_image_free(&grey);
}

/* Changes the size in the frame header. */
static void claim(file f, uint32_t width, uint32_t height)
{
    uint8_t *frame = memmem(f.bytes, f.size, "\377\300", 2);
    assert_non_null(frame);
    const uint8_t size[] = {(uint8_t)(height >> 8), (uint8_t)height, (uint8_t)(width >> 8), (uint8_t)width};
    memcpy(frame + 5, size, 4);
}

static void claims_too_much(void **state)
{
    (void)state;
    file f = small(TJSAMP_420, 0);
    claim(f, 65535, 65535);
    assert_null(linnet_image_decode(NULL, f.bytes, f.size, "picture"));
    assert_failed_with(LINNET_LIMIT, "65535 x 65535");
    claim(f, 16384, 16384);
    assert_null(linnet_image_decode(NULL, f.bytes, f.size, "picture"));
    assert_failed_with(LINNET_LIMIT, "16384");
    claim(f, 16384, 4096);
    assert_null(linnet_image_decode(NULL, f.bytes, f.size, "picture"));
    assert_failed_with(LINNET_BAD_FILE, "16384 x 4096 pixels in");
    claim(f, 20, 0);
    assert_null(linnet_image_decode(NULL, f.bytes, f.size, "picture"));
    assert_failed_with(LINNET_BAD_FILE, "picture");
    claim(f, 20, 500);
    assert_null(linnet_image_decode(NULL, f.bytes, f.size, "picture"));
    assert_failed_with(LINNET_BAD_FILE, "damaged");
    linnet_release(f.bytes);
}

static void too_many_scans(void **state)
{
    (void)state;
    file f = small(TJSAMP_444, TJFLAG_PROGRESSIVE);
    enum { SCANS = 100 };
    file out = {linnet_allocate(f.size + 10 * SCANS, 1), f.size + 10 * SCANS};
    memcpy(out.bytes, f.bytes, f.size - 2);
    for (size_t i = 0; i < SCANS; i++)
        memcpy(out.bytes + f.size - 2 + 10 * i, "\377\332\0\10\1\1\0\0\0\0", 10);
    memcpy(out.bytes + out.size - 2, "\377\331", 2);
    assert_null(linnet_image_decode(NULL, out.bytes, out.size, "picture"));
    assert_failed_with(LINNET_LIMIT, "scans, at most 64");
    linnet_release(f.bytes);
    linnet_release(out.bytes);
}

/* Segments that hold markers, e.g. of a thumbnail, and bytes behind the end do not matter. */
static void what_lies_around(void **state)
{
    (void)state;
    file f = small(TJSAMP_420, 0);
    file out = {linnet_allocate(f.size + 20, 1), f.size + 20};
    memcpy(out.bytes, f.bytes, 2);
    memcpy(out.bytes + 2, "\377\342\0\012\377\331\377\332\377\331\377\331", 12);
    memcpy(out.bytes + 14, f.bytes + 2, f.size - 2);
    memcpy(out.bytes + f.size + 12, "trailing", 8);
    linnet_image *a = decoded(f), *b = decoded(out);
    assert_int_equal(worst_difference(a, b), 0);
    linnet_jpeg_facts facts = linnet_jpeg_look(out.bytes, out.size);
    assert_true(facts.framed && facts.ended && !facts.adobe);
    assert_int_equal(facts.scans, 1);
    assert_int_equal(facts.width * 100 + facts.height, 2012);
    linnet_image_free(&a);
    linnet_image_free(&b);
    linnet_release(f.bytes);
    linnet_release(out.bytes);
}

static void without_memory_or_place(void **state)
{
    linnet_image *image = soft(16, 16, 3), *back = NULL;
    file plain = encoded(image, 90), f = with_exif(plain, false, 6);
    for (int64_t allowed = 0; !back && allowed < 20; allowed++) {
        linnet_memory_fail_after(allowed);
        back = linnet_image_decode(NULL, f.bytes, f.size, "picture");
        linnet_memory_fail_after(-1);
        if (!back)
            assert_int_equal(linnet_context_last_status(NULL), LINNET_OUT_OF_MEMORY);
    }
    assert_non_null(back);
    linnet_status status = LINNET_OUT_OF_MEMORY;
    for (int64_t allowed = 0; status != LINNET_OK && allowed < 20; allowed++) {
        linnet_memory_fail_after(allowed);
        status = linnet_image_write(NULL, image, path_in(*state, "a.jpg"));
        linnet_memory_fail_after(-1);
    }
    assert_int_equal(status, LINNET_OK);
    assert_int_equal(linnet_image_write(NULL, image, "/nonexistent/a.jpg"), LINNET_IO);
    assert_failed_with(LINNET_IO, "/nonexistent/a.jpg");
    linnet_image_free(&image);
    linnet_image_free(&back);
    linnet_release(plain.bytes);
    linnet_release(f.bytes);
}

#else

static void is_not_in_this_build(void **state)
{
    linnet_image *image = linnet_image_new(NULL, 3, 2, 1);
    const char *path = path_in(*state, "a.jpg");
    file_put(path, "\377\330\377\331", 4);
    assert_null(linnet_image_read(NULL, path));
    assert_failed_with(LINNET_UNSUPPORTED, "a.jpg");
    assert_int_equal(linnet_image_write(NULL, image, path), LINNET_UNSUPPORTED);
    assert_failed_with(LINNET_UNSUPPORTED, "a.jpg");
    assert_int_equal(linnet_image_write_jpeg(NULL, image, 0, path), LINNET_UNSUPPORTED);
    linnet_image_free(&image);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orientation_is_read),
        cmocka_unit_test(damaged_exif),
#ifdef LINNET_HAVE_JPEG
        cmocka_unit_test_setup_teardown(there_and_back, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(quality_is_size, folder_make, folder_remove),
        cmocka_unit_test(alpha_and_depth_go),
        cmocka_unit_test(stands_upright),
        cmocka_unit_test(inks_of_adobe),
        cmocka_unit_test(inks_of_others),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(cut_out),
        cmocka_unit_test(flipped),
        cmocka_unit_test(claims_too_much),
        cmocka_unit_test(too_many_scans),
        cmocka_unit_test(what_lies_around),
        cmocka_unit_test_setup_teardown(without_memory_or_place, folder_make, folder_remove),
#else
        cmocka_unit_test_setup_teardown(is_not_in_this_build, folder_make, folder_remove),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
