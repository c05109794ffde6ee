/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of filters: by name, from text, from files. */
#include "files.h"

#include <linnet/filter.h>

#include <math.h>

static void assert_kernel(linnet_kernel *kernel, int32_t height, int32_t width, const float *values)
{
    if (!kernel)
        fail_msg("%s", linnet_context_message(NULL));
    assert_int_equal(kernel->height, height);
    assert_int_equal(kernel->width, width);
    assert_memory_equal(kernel->values, values, (size_t)(height * width) * sizeof *values);
    linnet_kernel_free(&kernel);
    assert_null(kernel);
}

static void assert_no_kernel(linnet_kernel *kernel, linnet_status status, const char *part)
{
    assert_null(kernel);
    assert_string_equal(linnet_status_name(linnet_context_last_status(NULL)), linnet_status_name(status));
    if (!strstr(linnet_context_message(NULL), part))
        fail_msg("'%s' does not contain '%s'", linnet_context_message(NULL), part);
}

static void names_make_kernels(void **state)
{
    (void)state;
    assert_kernel(linnet_kernel_named(NULL, "laplacian"), 3, 3, (const float[]){0, 1, 0, 1, -4, 1, 0, 1, 0});
    assert_kernel(linnet_kernel_named(NULL, "shift-left"), 1, 3, (const float[]){0, 0, 1});
    assert_kernel(linnet_kernel_named(NULL, "shift-right", .by = 2), 1, 5, (const float[]){1, 0, 0, 0, 0});
    assert_kernel(linnet_kernel_named(NULL, "shift-up"), 3, 1, (const float[]){0, 0, 1});
    assert_kernel(linnet_kernel_named(NULL, "shift-down"), 3, 1, (const float[]){1, 0, 0});
    assert_kernel(linnet_kernel_named(NULL, "box", .size = 2), 2, 2, (const float[]){0.25f, 0.25f, 0.25f, 0.25f});
    assert_no_kernel(linnet_kernel_named(NULL, "gausian"), LINNET_NOT_FOUND,
                     "no kernel 'gausian'; there are: identity");
    assert_no_kernel(linnet_kernel_named(NULL, "shift-up", .by = 128), LINNET_INVALID, "128");
    assert_no_kernel(linnet_kernel_named(NULL, "gaussian", .sigma = -1), LINNET_INVALID, "-1");
    assert_no_kernel(linnet_kernel_named(NULL, "box", .size = 256), LINNET_INVALID, "256");
    const char *name, *description;
    for (size_t i = 0; (name = linnet_kernel_name(i, &description)); i++) {
        linnet_kernel *kernel = linnet_kernel_named(NULL, name);
        assert_non_null(kernel);
        assert_true(*description);
        linnet_kernel_free(&kernel);
    }
}

/* Sum 1, symmetric, falls as exp(-d^2 / 2 sigma^2). */
static void a_gaussian_is_one(void **state)
{
    (void)state;
    linnet_kernel *kernel = linnet_kernel_named(NULL, "gaussian", .sigma = 1.5f);
    assert_non_null(kernel);
    assert_int_equal(kernel->height, 11);
    assert_int_equal(kernel->width, 11);
    double sum = 0;
    for (int i = 0; i < 121; i++) {
        sum += (double)kernel->values[i];
        assert_true(kernel->values[i] == kernel->values[120 - i]);
    }
    assert_true(fabs(sum - 1) < 1e-6);
    double ratio = (double)kernel->values[5 * 11 + 7] / (double)kernel->values[5 * 11 + 5];
    assert_true(fabs(ratio - exp(-4 / (2 * 1.5 * 1.5))) < 1e-6);
    linnet_kernel_free(&kernel);
}

static void text_makes_kernels(void **state)
{
    (void)state;
    const float laplacian[] = {0, 1, 0, 1, -4, 1, 0, 1, 0};
    assert_kernel(linnet_kernel_parse(NULL, "0 1 0; 1 -4 1; 0 1 0", NULL), 3, 3, laplacian);
    assert_kernel(linnet_kernel_parse(NULL, " 0,1,0;1, -4 ,1;0 1 0; ", NULL), 3, 3, laplacian);
    assert_kernel(linnet_kernel_parse(NULL, "# edges\n0 1 0\n\n1 -4 1 # middle\r\n0 1 0\n", NULL), 3, 3, laplacian);
    assert_kernel(linnet_kernel_parse(NULL, "1/4 .5 1e-2 +2", NULL), 1, 4, (const float[]){0.25f, 0.5f, 1e-2f, 2});
    assert_kernel(linnet_kernel_parse(NULL, "7", NULL), 1, 1, (const float[]){7});
}

static void wrong_text_is_pointed_at(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "k: there is no number in it"},
        {" # nothing", "there is no number in it"},
        {"0 1 0; 1 -4; 0 1 0", "k: row 2 (ends at column 12) has 2 numbers, the first has 3"},
        {"0 1 0; 1 -4 1; 0", "row 3 (ends at column 17) has 1 number, the first has 3"},
        {"0 1; 1 -4 1", "row 2 (ends at column 12) has 3 numbers, the first has 2"},
        {"0 1 0; 1 x 1; 0 1 0", "'x' in row 2 (column 10) is no number"},
        {"0 1 0; 1 4y 1; 0 1 0", "'4y' in row 2 (column 10) is no number"},
        {"0 1 0\n1 -4- 1\n0 1 0", "'-4-' in row 2 (line 2, column 3) is no number"},
        {"0 1 0;; 0 1 0", "row 2 (column 7) is empty"},
        {"; 1 2", "row 1 (column 1) is empty"},
        {"1,,2", "a number is missing beside the comma in row 1 (column 2)"},
        {",1", "a number is missing beside the comma"},
        {"1, ; 2", "a number is missing beside the comma"},
        {"1/0", "'1/0' in row 1 (column 1) is no number"},
        {"1/", "'1/' in row 1"},
        {"1e99", "'1e99' in row 1"},
        {"nan", "'nan' in row 1"},
        {"inf 1", "'inf' in row 1"},
        {"0x10", "'0x10' in row 1"},
        {"1 2\n3\n", "row 2 (ends at line 2, column 2) has 1 number, the first has 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_no_kernel(linnet_kernel_parse(NULL, cases[i].text, "k"), LINNET_BAD_FILE, cases[i].says);
    assert_no_kernel(linnet_kernel_parse(NULL, NULL, "k"), LINNET_INVALID, "no text");
}

static void sizes_are_limited(void **state)
{
    (void)state;
    char text[2 * 256 + 1];
    for (int i = 0; i < 256; i++)
        memcpy(text + 2 * i, "1 ", 3);
    assert_no_kernel(linnet_kernel_parse(NULL, text, "k"), LINNET_LIMIT, "more than 255");
    for (int i = 0; i < 256; i++)
        memcpy(text + 2 * i, "1;", 3);
    assert_no_kernel(linnet_kernel_parse(NULL, text, "k"), LINNET_LIMIT, "more than 255");
    assert_no_kernel(linnet_kernel_new(NULL, 0, 3, NULL), LINNET_LIMIT, "0 x 3");
    assert_no_kernel(linnet_kernel_new(NULL, 1, 2, (const float[]){1, NAN}), LINNET_INVALID, "number 2 of row 1");
}

static void files_make_kernels(void **state)
{
    const char *path = path_in(*state, "k.txt");
    file_put(path, "1 2\n3 4", 7);
    assert_kernel(linnet_kernel_read(NULL, path), 2, 2, (const float[]){1, 2, 3, 4});
    file_put(path, "1 2\n3\n", 6);
    assert_no_kernel(linnet_kernel_read(NULL, path), LINNET_BAD_FILE, "k.txt: row 2");
    file_put(path, "1\0", 2);
    assert_no_kernel(linnet_kernel_read(NULL, path), LINNET_BAD_FILE, "this is no text");
    file_put(path, "", 0);
    assert_no_kernel(linnet_kernel_read(NULL, path), LINNET_BAD_FILE, "no number");
    assert_no_kernel(linnet_kernel_read(NULL, path_in(*state, "absent")), LINNET_IO, "absent");
}

static void no_memory_is_said(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 4; i++) {
        linnet_memory_fail_after(i);
        linnet_kernel *kernel = linnet_kernel_parse(NULL, "1 2; 3 4", "k");
        linnet_memory_fail_after(-1);
        if (!kernel)
            assert_int_equal(linnet_context_last_status(NULL), LINNET_OUT_OF_MEMORY);
        linnet_kernel_free(&kernel);
    }
}

/* Any text: a kernel of finite numbers, or a sentence. */
static void any_text_is_safe(void **state)
{
    (void)state;
    static const char letters[] = "0123456789019.-+/;;,  \n#eExn";
    uint32_t random = 1;
    int kernels = 0;
    for (int n = 0; n < 20000; n++) {
        char text[24] = "";
        for (int i = 0; i < n % 23; i++) {
            random = random * 1664525u + 1013904223u;
            text[i] = letters[(random >> 16) % (sizeof letters - 1)];
        }
        linnet_kernel *kernel = linnet_kernel_parse(NULL, text, "k");
        kernels += kernel != NULL;
        for (int i = 0; kernel && i < kernel->height * kernel->width; i++)
            assert_true(isfinite(kernel->values[i]));
        if (!kernel)
            assert_true(strncmp(linnet_context_message(NULL), "k: ", 3) == 0);
        linnet_kernel_free(&kernel);
    }
    assert_true(kernels > 200 && kernels < 19000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_make_kernels),
        cmocka_unit_test(a_gaussian_is_one),
        cmocka_unit_test(text_makes_kernels),
        cmocka_unit_test(wrong_text_is_pointed_at),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test_setup_teardown(files_make_kernels, folder_make, folder_remove),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(any_text_is_safe),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
