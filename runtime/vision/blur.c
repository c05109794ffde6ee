/* SPDX-License-Identifier: Apache-2.0 */
#include "blur.h"

#include <math.h>
#include <string.h>

#define MOST_TAPS 129

/* Weights of offsets -reach to reach, sum 1; returns reach. */
static int make_kernel(float deviation, float *out)
{
    int reach = (int)ceil(3.0 * (double)deviation);
    double sum = 0;
    reach = reach < MOST_TAPS / 2 ? reach : MOST_TAPS / 2;
    for (int i = -reach; i <= reach; i++)
        sum += exp(-0.5 * i * i / ((double)deviation * deviation));
    for (int i = -reach; i <= reach; i++)
        out[i + reach] = (float)(exp(-0.5 * i * i / ((double)deviation * deviation)) / sum);
    return reach;
}

static int64_t clamp(int64_t i, int64_t count)
{
    return i < 0 ? 0 : i < count ? i : count - 1;
}

static void blur_line(const float *in, int64_t count, int64_t stride, const float *kernel, int reach, float *line)
{
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int k = -reach; k <= reach; k++)
            sum += (double)kernel[k + reach] * (double)in[clamp(i + k, count) * stride];
        line[i] = (float)sum;
    }
}

void linnet_blur(float *planes, int64_t channels, int64_t height, int64_t width, float deviation, float *line)
{
    float kernel[MOST_TAPS];
    if (!(deviation > 0.05f))
        return;
    int reach = make_kernel(deviation, kernel);
    for (int64_t c = 0; c < channels; c++) {
        float *plane = planes + c * height * width;
        for (int64_t y = 0; y < height; y++) {
            blur_line(plane + y * width, width, 1, kernel, reach, line);
            memcpy(plane + y * width, line, (size_t)width * sizeof *line);
        }
        for (int64_t x = 0; x < width; x++) {
            blur_line(plane + x, height, width, kernel, reach, line);
            for (int64_t y = 0; y < height; y++)
                plane[y * width + x] = line[y];
        }
    }
}
