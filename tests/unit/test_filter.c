/* SPDX-License-Identifier: Apache-2.0 */
/* Filters against loops written out here, with every border, stride and anchor; template matching. */
#include "sessions.h"

#include "core/core.h"

#include <math.h>

enum { N = 2, H = 7, W = 9, MOST = N * 20 * 20 };

static float picture[N * H * W];

static int64_t border_index(linnet_border border, int64_t i, int64_t size)
{
    if (i >= 0 && i < size)
        return i;
    if (border == LINNET_BORDER_REPLICATE)
        return i < 0 ? 0 : size - 1;
    if (border == LINNET_BORDER_REFLECT)
        return i < 0 ? -i : 2 * (size - 1) - i;
    return -1;
}

/* Pixel (y, x) of plane n, as the header says it. */
static double filtered(int n, int64_t y, int64_t x, const linnet_kernel *k, const linnet_filter_options *o)
{
    int64_t kh = k->height, kw = k->width, anchor_y = (kh - 1) / 2, anchor_x = (kw - 1) / 2;
    double sum = 0;
    if (o->border == LINNET_BORDER_NONE)
        anchor_y = anchor_x = 0;
    else if (o->flip)
        anchor_y = kh - 1 - anchor_y, anchor_x = kw - 1 - anchor_x;
    for (int64_t i = 0; i < kh; i++)
        for (int64_t j = 0; j < kw; j++) {
            int64_t py = border_index(o->border, y + i - anchor_y, H),
                    px = border_index(o->border, x + j - anchor_x, W);
            float weight = o->flip ? k->values[(kh - 1 - i) * kw + kw - 1 - j] : k->values[i * kw + j];
            if (py >= 0 && px >= 0)
                sum += (double)weight * (double)picture[(n * H + py) * W + px];
        }
    return sum;
}

static void check(linnet_device *device, const linnet_kernel *kernel, linnet_border border, int flip, int32_t stride)
{
    linnet_filter_options o = {.struct_size = sizeof o, .border = border, .flip = flip, .stride = stride};
    linnet_tensor x = {.type = LINNET_F32, .rank = 3, .dims = {N, H, W}, .data = picture};
    int64_t rows = 0, columns = 0;
    float out[MOST];
    int32_t step = stride ? stride : 1;
    assert_ok(
        linnet_filter_size(NULL, H, W, kernel, &rows, &columns, .border = border, .flip = flip, .stride = stride));
    int64_t lost = border == LINNET_BORDER_NONE;
    assert_int_equal(rows, (H - 1 - lost * (kernel->height - 1)) / step + 1);
    assert_int_equal(columns, (W - 1 - lost * (kernel->width - 1)) / step + 1);
    assert_ok(linnet_filter_apply_with(device, &x, kernel, &o, out));
    for (int n = 0; n < N; n++)
        for (int64_t i = 0; i < rows * columns; i++) {
            double wanted = filtered(n, i / columns * step, i % columns * step, kernel, &o);
            double got = (double)out[n * rows * columns + i];
            if (!(fabs(got - wanted) <= 1e-5))
                fail_msg("%d x %d, border %d, flip %d, stride %d: %.7g at %lld, wanted %.7g", kernel->height,
                         kernel->width, (int)border, flip, stride, got, (long long)i, wanted);
        }
}

static void filters_are_the_loops(void **state)
{
    static const int32_t sizes[][2] = {{3, 3}, {1, 5}, {4, 2}, {2, 2}, {5, 1}, {6, 7}, {1, 1}};
    fill_random(picture, N * H * W, 5, 1);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        linnet_kernel *kernel = linnet_kernel_new(NULL, sizes[s][0], sizes[s][1], NULL);
        assert_non_null(kernel);
        fill_random(kernel->values, (size_t)(sizes[s][0] * sizes[s][1]), 6, (uint32_t)s);
        for (int border = LINNET_BORDER_ZERO; border <= LINNET_BORDER_NONE; border++)
            for (int flip = 0; flip < 2; flip++)
                for (int32_t stride = 0; stride < 4; stride += 2)
                    check(*state, kernel, (linnet_border)border, flip, stride);
        linnet_kernel_free(&kernel);
    }
}

/* The lecture's example, worked out by hand. */
static void the_lecture_s_example(void **state)
{
    static float image[36] = {1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0,
                              1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0};
    static const float first[16] = {3, -1, -3, -1, -3, 1, 0, -3, -3, -3, 0, 1, 3, -2, -2, -1};
    static const float first_by_two[4] = {3, -3, -3, 0};
    static const float second[16] = {-1, -1, -1, -1, -1, -1, -2, 1, -1, -1, -2, 1, -1, 0, -4, 3};
    linnet_tensor x = {.type = LINNET_F32, .rank = 3, .dims = {1, 6, 6}, .data = image};
    linnet_filter_options o = {.struct_size = sizeof o, .border = LINNET_BORDER_NONE};
    float out[16];
    linnet_kernel *kernel = linnet_kernel_parse(NULL, "1 -1 -1; -1 1 -1; -1 -1 1", NULL);
    assert_ok(linnet_filter_apply_with(*state, &x, kernel, &o, out));
    assert_memory_equal(out, first, sizeof first);
    o.stride = 2;
    assert_ok(linnet_filter_apply_with(*state, &x, kernel, &o, out));
    assert_memory_equal(out, first_by_two, sizeof first_by_two);
    linnet_kernel_free(&kernel);
    o.stride = 1;
    kernel = linnet_kernel_parse(NULL, "-1 1 -1; -1 1 -1; -1 1 -1", NULL);
    assert_ok(linnet_filter_apply_with(*state, &x, kernel, &o, out));
    assert_memory_equal(out, second, sizeof second);
    linnet_kernel_free(&kernel);
}

static void shifts_move_the_picture(void **state)
{
    float out[N * H * W];
    linnet_tensor x = {.type = LINNET_F32, .rank = 4, .dims = {1, N, H, W}, .data = picture};
    linnet_kernel *kernel = linnet_kernel_named(NULL, "shift-left", .by = 3);
    fill_random(picture, N * H * W, 5, 2);
    assert_ok(linnet_filter_apply_with(*state, &x, kernel, NULL, out));
    for (int i = 0; i < N * H * W; i++)
        assert_true(out[i] == (i % W + 3 < W ? picture[i + 3] : 0));
    linnet_kernel_free(&kernel);
    kernel = linnet_kernel_named(NULL, "shift-down", .by = 2);
    assert_ok(linnet_filter_apply_with(*state, &x, kernel, NULL, out));
    for (int i = 0; i < N * H * W; i++)
        assert_true(out[i] == (i / W % H >= 2 ? picture[i - 2 * W] : 0));
    linnet_kernel_free(&kernel);
}

static void wrong_arguments_are_refused(void **state)
{
    float out[N * H * W];
    linnet_tensor x = {.type = LINNET_F32, .rank = 3, .dims = {N, H, W}, .data = picture};
    linnet_filter_options o = {.struct_size = sizeof o, .border = LINNET_BORDER_NONE};
    linnet_kernel *kernel = linnet_kernel_new(NULL, 3, W + 1, NULL);
    assert_fails(linnet_filter_apply_with(*state, &x, kernel, &o, out), LINNET_SHAPE, "3 x 10 does not fit into 7 x 9");
    linnet_kernel_free(&kernel);
    kernel = linnet_kernel_new(NULL, 2 * H + 1, 1, NULL);
    o.border = LINNET_BORDER_REFLECT;
    assert_fails(linnet_filter_apply_with(*state, &x, kernel, &o, out), LINNET_SHAPE, "further than 7 x 9 pixels");
    o.border = (linnet_border)4;
    assert_fails(linnet_filter_apply_with(*state, &x, kernel, &o, out), LINNET_INVALID, "border 4");
    o.border = LINNET_BORDER_ZERO;
    o.struct_size = 0;
    assert_fails(linnet_filter_apply_with(*state, &x, kernel, &o, out), LINNET_INVALID, "struct_size");
    x.rank = 2;
    assert_fails(linnet_filter_apply_with(*state, &x, kernel, NULL, out), LINNET_SHAPE, "f32 [C,H,W]");
    assert_fails(linnet_filter_apply_with(*state, &x, NULL, NULL, out), LINNET_INVALID, "no kernel");
    linnet_kernel_free(&kernel);
}

/* Of two windows, each channel less its mean, in double precision. */
static double correlation(const float *a, int64_t a_plane, int64_t a_row, const float *b, int64_t h, int64_t w)
{
    double aa = 0, bb = 0, ab = 0;
    for (int64_t c = 0; c < N; c++) {
        double mean_a = 0, mean_b = 0;
        for (int64_t i = 0; i < h * w; i++) {
            mean_a += (double)a[c * a_plane + i / w * a_row + i % w] / (double)(h * w);
            mean_b += (double)b[c * h * w + i] / (double)(h * w);
        }
        for (int64_t i = 0; i < h * w; i++) {
            double p = (double)a[c * a_plane + i / w * a_row + i % w] - mean_a, t = (double)b[c * h * w + i] - mean_b;
            aa += p * p;
            bb += t * t;
            ab += p * t;
        }
    }
    return ab / sqrt(aa * bb);
}

static void a_template_is_found(void **state)
{
    enum { TH = 3, TW = 4, ROWS = H - TH + 1, COLUMNS = W - TW + 1 };
    float pattern[N * TH * TW], scores[ROWS * COLUMNS];
    linnet_tensor x = {.type = LINNET_F32, .rank = 3, .dims = {N, H, W}, .data = picture};
    linnet_tensor t = {.type = LINNET_F32, .rank = 3, .dims = {N, TH, TW}, .data = pattern};
    linnet_match best;
    fill_random(picture, N * H * W, 5, 3);
    for (int i = 0; i < N * TH * TW; i++) /* what lies at (2, 4), darker and with less contrast */
        pattern[i] = 0.5f * picture[i / (TH * TW) * H * W + (2 + i / TW % TH) * W + 4 + i % TW] - 0.3f;
    assert_ok(linnet_template_match(*state, &x, &t, scores, &best));
    assert_int_equal(best.y, 2);
    assert_int_equal(best.x, 4);
    assert_true(fabsf(best.score - 1) < 1e-5f);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        const float *corner = picture + i / COLUMNS * W + i % COLUMNS;
        assert_true(fabs((double)scores[i] - correlation(corner, H * W, W, pattern, TH, TW)) < 1e-5);
    }
    memset(pattern, 0, sizeof pattern);
    assert_ok(linnet_template_match(*state, &x, &t, scores, NULL));
    assert_true(scores[0] == 0);
    t.dims[1] = H + 1;
    assert_fails(linnet_template_match(*state, &x, &t, scores, NULL), LINNET_SHAPE, "[2,8,4] does not fit");
}

/* Every allocation of the library fails once: a status, nothing else. */
static void no_memory_is_said(void **state)
{
    float out[N * H * W];
    linnet_match best;
    linnet_tensor x = {.type = LINNET_F32, .rank = 3, .dims = {N, H, W}, .data = picture};
    linnet_tensor t = {.type = LINNET_F32, .rank = 3, .dims = {N, 3, 3}, .data = picture};
    linnet_filter_options o = {.struct_size = sizeof o, .border = LINNET_BORDER_REFLECT};
    linnet_kernel *kernel = linnet_kernel_named(NULL, "sharpen");
    for (int template = 0; template <2; template ++) {
        linnet_status status = LINNET_OUT_OF_MEMORY;
        int64_t allocations = 0;
        for (; status != LINNET_OK && allocations < 2000; allocations++) {
            linnet_memory_fail_after(allocations);
            status = template ? linnet_template_match(*state, &x, &t, out, &best)
                              : linnet_filter_apply_with(*state, &x, kernel, &o, out);
            linnet_memory_fail_after(-1);
            if (status != LINNET_OK && status != LINNET_OUT_OF_MEMORY)
                fail_msg("allocation %lld: %s", (long long)allocations, linnet_context_message(NULL));
        }
        assert_int_equal(status, LINNET_OK);
        assert_true(allocations > 10);
    }
    linnet_kernel_free(&kernel);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(filters_are_the_loops),   DEVICE_TEST(the_lecture_s_example),
        DEVICE_TEST(shifts_move_the_picture), DEVICE_TEST(wrong_arguments_are_refused),
        DEVICE_TEST(a_template_is_found),     DEVICE_TEST(no_memory_is_said),
    };
    return run_on_devices("filters", tests, sizeof tests / sizeof tests[0], argc, argv);
}
