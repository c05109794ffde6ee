/* SPDX-License-Identifier: Apache-2.0 */
/* Turns somebody's picture of a digit into what MNIST would have made of it. */
#include "core/core.h"
#include "digits.h"
#include "linnet/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORK = 512, BINS = 256 }; /* larger pictures are reduced first; bins of the histogram */

#define LEAST_CONTRAST 0.06f /* between paper and ink, of the whole range */
#define LEAST_SPOT     0.02f /* of the largest spot's area: smaller ones are dirt */
#define THINNEST       1.4f  /* pixels of the 28x28 picture: thinner lines are thickened */
#define BOX            20.0f /* MNIST's frame */
#define CENTRE         14.5f /* middle of pixel 14 */

typedef struct workbench {
    int width, height;
    float ink[WORK * WORK]; /* 0 paper to 1 ink */
    float spare[WORK * WORK];
    int32_t spot[WORK * WORK]; /* number of the connected spot from 1, 0 none */
    int32_t queue[WORK * WORK];
    int box[4]; /* left, top, right, bottom: first inside, first outside */
} workbench;

typedef struct paper {
    float threshold; /* Otsu's */
    float low, high; /* becomes 0, becomes 1 */
} paper;

/* Luminance of a pixel over a backing, 0..1; *out_alpha 0..1. */
static float luminance(const linnet_image *image, size_t pixel, float backing, float *out_alpha)
{
    const uint8_t *p = image->pixels + pixel * (size_t)image->channels;
    float light = image->channels >= 3 ? 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2] : (float)p[0];
    float alpha = image->channels % 2 == 0 ? p[image->channels - 1] / 255.0f : 1;
    *out_alpha = alpha;
    return light / 255.0f * alpha + backing * (1 - alpha);
}

/* What to put behind a transparent picture: the opposite of what is drawn on it. */
static float choose_backing(const linnet_image *image)
{
    double light = 0, weight = 0;
    for (size_t i = 0; i < (size_t)image->width * (size_t)image->height; i++) {
        float alpha;
        light += luminance(image, i, 0, &alpha);
        weight += alpha;
    }
    return light < 0.5 * weight ? 1 : 0;
}

/* Luminance at working size, each pixel the mean of those that fall into it. */
static void reduce(const linnet_image *image, workbench *bench)
{
    float backing = choose_backing(image), alpha;
    int longer = image->width > image->height ? image->width : image->height;
    int side = longer < WORK ? longer : WORK;
    bench->width = (int)((int64_t)image->width * side / longer);
    bench->height = (int)((int64_t)image->height * side / longer);
    bench->width += bench->width == 0;
    bench->height += bench->height == 0;
    for (int y = 0; y < bench->height; y++)
        for (int x = 0; x < bench->width; x++) {
            int64_t top = (int64_t)y * image->height / bench->height,
                    bottom = (y + 1LL) * image->height / bench->height;
            int64_t left = (int64_t)x * image->width / bench->width, right = (x + 1LL) * image->width / bench->width;
            double sum = 0;
            for (int64_t v = top; v < bottom; v++)
                for (int64_t u = left; u < right; u++)
                    sum += luminance(image, (size_t)(v * image->width + u), backing, &alpha);
            bench->ink[y * bench->width + x] = (float)(sum / (double)((bottom - top) * (right - left)));
        }
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The outermost pixels into spare as (x, y, luminance), places in -0.5..0.5; how many. */
static int border_take(workbench *bench)
{
    int count = 0, w = bench->width, h = bench->height;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x += y == 0 || y == h - 1 || w == 1 ? 1 : w - 1) {
            float *point = bench->spare + 3 * count++;
            point[0] = ((float)x + 0.5f) / (float)w - 0.5f;
            point[1] = ((float)y + 0.5f) / (float)h - 0.5f;
            point[2] = bench->ink[y * w + x];
        }
    return count;
}

static float plane_at(const double plane[3], float x, float y)
{
    return (float)(plane[0] + plane[1] * x + plane[2] * y);
}

/* Least squares through the points within reach of the plane so far; false when they do not make a plane. */
static bool plane_fit(const float *points, int count, float reach, double plane[3])
{
    double n = 0, sx = 0, sy = 0, sz = 0, sxx = 0, sxy = 0, syy = 0, sxz = 0, syz = 0;
    for (const float *p = points; p < points + 3 * count; p += 3) {
        if (fabsf(p[2] - plane_at(plane, p[0], p[1])) > reach)
            continue;
        n++;
        sx += p[0], sy += p[1], sz += p[2];
        sxx += p[0] * p[0], sxy += p[0] * p[1], syy += p[1] * p[1];
        sxz += p[0] * p[2], syz += p[1] * p[2];
    }
    if (n < 3)
        return false;
    double xx = sxx - sx * sx / n, xy = sxy - sx * sy / n, yy = syy - sy * sy / n;
    double xz = sxz - sx * sz / n, yz = syz - sy * sz / n, determinant = xx * yy - xy * xy;
    if (determinant < 1e-6 * n * n)
        return false;
    plane[1] = (xz * yy - yz * xy) / determinant;
    plane[2] = (yz * xx - xz * xy) / determinant;
    plane[0] = (sz - plane[1] * sx - plane[2] * sy) / n;
    return true;
}

/* The paper's luminance: the border's median, then a plane through what is near it, as light falls from one side. */
static void paper_find(workbench *bench, double plane[3])
{
    int count = border_take(bench);
    float *values = bench->spare + 3 * count;
    for (int i = 0; i < count; i++)
        values[i] = bench->spare[3 * i + 2];
    qsort(values, (size_t)count, sizeof(float), compare_floats);
    plane[0] = values[count / 2];
    plane[1] = plane[2] = 0;
    /* Half of the border is surely paper; as the plane comes closer, the reach shrinks. */
    float middle = values[count / 2], spread = fmaxf(values[3 * count / 4] - middle, middle - values[count / 4]);
    for (float reach = 2 * spread + 0.05f; reach > 0.04f; reach /= 2)
        if (!plane_fit(bench->spare, count, reach, plane))
            return;
}

/* Luminance becomes distance from the paper, in the direction in which most of the picture differs. */
static void subtract_paper(workbench *bench)
{
    double plane[3], darker = 0, lighter = 0;
    int w = bench->width, h = bench->height;
    paper_find(bench, plane);
    for (int i = 0; i < w * h; i++) {
        float x = ((float)(i % w) + 0.5f) / (float)w - 0.5f, y = ((float)(i / w) + 0.5f) / (float)h - 0.5f;
        float difference = bench->ink[i] - plane_at(plane, x, y);
        *(difference < 0 ? &darker : &lighter) += difference * difference;
        bench->ink[i] = difference;
    }
    float sign = darker > lighter ? -1 : 1;
    for (int i = 0; i < w * h; i++)
        bench->ink[i] = fminf(fmaxf(sign * bench->ink[i], 0.0f), 1.0f);
}

/* Otsu 1979: the threshold that separates paper and ink best. */
static int otsu(const double *histogram, double total)
{
    double sum = 0, below = 0, sum_below = 0, best = -1;
    int threshold = 0;
    for (int i = 0; i < BINS; i++)
        sum += i * histogram[i];
    for (int i = 0; i < BINS - 1; i++) {
        below += histogram[i];
        sum_below += i * histogram[i];
        double above = total - below;
        if (below == 0 || above == 0)
            continue;
        double difference = sum_below / below - (sum - sum_below) / above;
        double between = below * above * difference * difference;
        if (between > best) {
            best = between;
            threshold = i;
        }
    }
    return threshold;
}

/* false: all paper. */
static bool measure(const workbench *bench, paper *out)
{
    double histogram[BINS] = {0}, total = (double)bench->width * bench->height;
    for (int i = 0; i < bench->width * bench->height; i++)
        histogram[(int)(bench->ink[i] * (BINS - 1) + 0.5f)]++;
    int threshold = otsu(histogram, total), high = BINS - 1;
    double below = 0, sum = 0, squares = 0;
    for (int i = 0; i <= threshold; i++) {
        below += histogram[i];
        sum += i * histogram[i];
        squares += (double)i * i * histogram[i];
    }
    double mean = below > 0 ? sum / below : 0, variance = below > 0 ? squares / below - mean * mean : 0;
    for (double above = 0; high > threshold; high--) /* the darkest tenth of the ink is black */
        if ((above += histogram[high]) >= 0.1 * (total - below))
            break;
    out->threshold = ((float)threshold + 0.5f) / (BINS - 1);
    out->low = (float)((mean + sqrt(fmax(variance, 0))) / (BINS - 1));
    out->high = (float)high / (BINS - 1);
    return out->high - (float)(mean / (BINS - 1)) >= LEAST_CONTRAST && below < total;
}

/* Numbers the spot around start; returns its area. */
static int spot_fill(workbench *bench, int start, int32_t number, float threshold)
{
    int head = 0, tail = 0, w = bench->width, h = bench->height;
    bench->queue[tail++] = start;
    bench->spot[start] = number;
    while (head < tail) {
        int at = bench->queue[head++], x = at % w, y = at / w;
        for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < h; v++)
            for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < w; u++)
                if (!bench->spot[v * w + u] && bench->ink[v * w + u] > threshold) {
                    bench->spot[v * w + u] = number;
                    bench->queue[tail++] = v * w + u;
                }
    }
    return tail;
}

/* Paper becomes 0, ink 1; dirt (small spots) goes; the box is what is left. */
static void clean(workbench *bench, const paper *sheet)
{
    int w = bench->width, h = bench->height;
    float *area = bench->spare, largest = 0;
    int32_t spots = 0;
    memset(bench->spot, 0, sizeof bench->spot);
    for (int i = 0; i < w * h; i++)
        if (!bench->spot[i] && bench->ink[i] > sheet->threshold) {
            spots++;
            area[spots - 1] = (float)spot_fill(bench, i, spots, sheet->threshold);
            largest = fmaxf(largest, area[spots - 1]);
        }
    memcpy(bench->box, (int[]){w, h, 0, 0}, sizeof bench->box);
    for (int i = 0; i < w * h; i++) {
        int x = i % w, y = i / w, *box = bench->box;
        if (bench->spot[i] && area[bench->spot[i] - 1] < LEAST_SPOT * largest)
            bench->spot[i] = 0;
        if (!bench->spot[i])
            continue;
        box[0] = x < box[0] ? x : box[0];
        box[1] = y < box[1] ? y : box[1];
        box[2] = x >= box[2] ? x + 1 : box[2];
        box[3] = y >= box[3] ? y + 1 : box[3];
    }
    for (int i = 0; i < w * h; i++) { /* the soft edge of a spot, one pixel wide, belongs to it */
        int x = i % w, y = i / w;
        bool near = false;
        for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < h; v++)
            for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < w; u++)
                near = near || bench->spot[v * w + u];
        float value = (bench->ink[i] - sheet->low) / fmaxf(sheet->high - sheet->low, 1e-6f);
        bench->ink[i] = near ? fminf(fmaxf(value, 0.0f), 1.0f) : 0;
    }
}

/* Width of the lines in working pixels: of a long line, twice its area over its outline. */
static float line_width(const workbench *bench)
{
    int w = bench->width, h = bench->height;
    double area = 0, outline = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            bool here = bench->ink[y * w + x] > 0.5f;
            area += here;
            outline += here != (x + 1 < w && bench->ink[y * w + x + 1] > 0.5f);
            outline += here != (y + 1 < h && bench->ink[(y + 1) * w + x] > 0.5f);
            outline += here && (x == 0) ? 1 : 0;
            outline += here && (y == 0) ? 1 : 0;
        }
    return outline > 0 ? (float)(2 * area / (outline * 0.785))
                       : 0; /* steps are longer than a slope by 4/pi on average */
}

/* Maximum over (2 radius + 1)^2 pixels, one direction after the other. */
static void thicken(workbench *bench, int radius)
{
    int w = bench->width, h = bench->height;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            float most = 0;
            for (int u = x > radius ? x - radius : 0; u <= x + radius && u < w; u++)
                most = fmaxf(most, bench->ink[y * w + u]);
            bench->spare[y * w + x] = most;
        }
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            float most = 0;
            for (int v = y > radius ? y - radius : 0; v <= y + radius && v < h; v++)
                most = fmaxf(most, bench->spare[v * w + x]);
            bench->ink[y * w + x] = most;
        }
}

/* Mean of the ink under a tent one output pixel high and wide at half its height, around (x, y) in working pixels. */
static float sample(const workbench *bench, float x, float y, float radius)
{
    float sum = 0, weights = 0;
    for (int v = (int)floorf(y - radius); (float)v < y + radius; v++)
        for (int u = (int)floorf(x - radius); (float)u < x + radius; u++) {
            float weight = fmaxf(1 - fabsf((float)u + 0.5f - x) / radius, 0.0f) *
                           fmaxf(1 - fabsf((float)v + 0.5f - y) / radius, 0.0f);
            weights += weight;
            if (u >= 0 && v >= 0 && u < bench->width && v < bench->height)
                sum += weight * bench->ink[v * bench->width + u];
        }
    return weights > 0 ? sum / weights : 0;
}

/* Longer side of the box to 20 pixels, centre of mass to the centre, unless the box would leave the picture. */
static void frame(const workbench *bench, float scale, float *out_pixels)
{
    double mass = 0, centre[2] = {0, 0};
    for (int y = 0; y < bench->height; y++)
        for (int x = 0; x < bench->width; x++) {
            double ink = bench->ink[y * bench->width + x];
            mass += ink;
            centre[0] += ink * (x + 0.5);
            centre[1] += ink * (y + 0.5);
        }
    float origin[2], peak = 0;
    for (int k = 0; k < 2; k++) {
        origin[k] = CENTRE - scale * (float)(centre[k] / mass);
        float first = origin[k] + scale * (float)bench->box[k], last = origin[k] + scale * (float)bench->box[k + 2];
        origin[k] += first < 0 ? -first : last > LINNET_DIGIT_SIDE ? LINNET_DIGIT_SIDE - last : 0;
    }
    for (int i = 0; i < LINNET_DIGIT_PIXELS; i++) {
        float x = ((float)(i % LINNET_DIGIT_SIDE) + 0.5f - origin[0]) / scale;
        float y = ((float)(i / LINNET_DIGIT_SIDE) + 0.5f - origin[1]) / scale;
        out_pixels[i] = sample(bench, x, y, fmaxf(1 / scale, 1));
        peak = fmaxf(peak, out_pixels[i]);
    }
    for (int i = 0; i < LINNET_DIGIT_PIXELS && peak > 0; i++)
        out_pixels[i] /= peak;
}

static linnet_status convert(linnet_context *context, const linnet_image *image, workbench *bench, float *out_pixels)
{
    paper sheet;
    reduce(image, bench);
    subtract_paper(bench);
    if (!measure(bench, &sheet))
        return linnet_fail(context, LINNET_NOT_FOUND, "no digit in the picture: it is all of one shade");
    clean(bench, &sheet);
    int width = bench->box[2] - bench->box[0], height = bench->box[3] - bench->box[1];
    float scale = BOX / (float)(width > height ? width : height);
    float thin = line_width(bench) * scale;
    int radius = thin < THINNEST ? (int)(0.5f * (THINNEST + 0.4f - thin) / scale + 0.5f) : 0;
    if (radius > 0)
        thicken(bench, radius);
    frame(bench, scale, out_pixels);
    return LINNET_OK;
}

linnet_status linnet_digit_from_image(linnet_context *context, const linnet_image *image, float *out_pixels)
{
    context = linnet_context_or_default(context);
    linnet_status status = linnet_context_check(context);
    if (status != LINNET_OK)
        return status;
    if (!image || !image->pixels || image->width < 1 || image->height < 1 || image->channels < 1 ||
        image->channels > 4 || !out_pixels)
        return linnet_fail(context, LINNET_INVALID, "digit from image: no picture, or no place for the result");
    workbench *bench = linnet_allocate(1, sizeof *bench);
    if (!bench)
        return linnet_fail(context, LINNET_OUT_OF_MEMORY, "digit from image: out of memory");
    status = convert(context, image, bench, out_pixels);
    linnet_release(bench);
    return status;
}
