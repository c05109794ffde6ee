/* SPDX-License-Identifier: Apache-2.0 */
/*
 * style_losses CONTENT STYLE WEIGHTS OUT: one evaluation of the paper's objective with VGG-19 on pictures of 64 pixels,
 * the picture half content, half a wave. Prints each loss and the length of the gradient; OUT gets the pictures, the
 * gradient and the losses (safetensors), for whoever wants to compute the same in another way.
 */
#include <linnet/linnet.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 64, HEIGHT = 48, STYLE_WIDTH = 60, STYLE_HEIGHT = 64, COUNT = 3 * HEIGHT * WIDTH, TERMS = 5 };
#define CONTENT_WEIGHT 1e-3
#define STYLE_WEIGHT   1.0
#define TV_WEIGHT      1e4

static float content_planes[COUNT], style_planes[3 * STYLE_HEIGHT * STYLE_WIDTH], picture_planes[COUNT],
    gradient[COUNT];
static double losses[TERMS + 1];

static int stop(void)
{
    fprintf(stderr, "%s\n", linnet_context_message(NULL));
    return 1;
}

static int read_planes(const char *path, int32_t height, int32_t width, float *out)
{
    linnet_image *image = linnet_image_read(NULL, path);
    linnet_image *small = image ? linnet_image_resize(NULL, image, width, height, LINNET_RESIZE_BICUBIC) : NULL;
    linnet_status status = small ? linnet_image_to_planes(small, 3, out) : LINNET_IO;
    linnet_image_free(&image);
    linnet_image_free(&small);
    return status != LINNET_OK;
}

static int evaluate(linnet_objective *objective)
{
    linnet_objective_term term;
    double squares = 0;
    if (linnet_objective_evaluate(objective, picture_planes, gradient, &losses[TERMS]) != LINNET_OK)
        return stop();
    for (size_t i = 0; linnet_objective_get_term(objective, i, &term) == LINNET_OK; i++) {
        losses[i] = term.loss;
        printf("%s%s%s %.7g\n", term.kind, *term.layer ? " " : "", term.layer, term.loss);
    }
    for (int i = 0; i < COUNT; i++)
        squares += (double)gradient[i] * (double)gradient[i];
    printf("sum %.7g\ngradient %.7g\n", losses[TERMS], sqrt(squares));
    return 0;
}

int main(int argc, char **argv)
{
    linnet_tensor content = {LINNET_F32, 3, {3, HEIGHT, WIDTH}, content_planes}, picture = content, slope = content;
    linnet_tensor style = {LINNET_F32, 3, {3, STYLE_HEIGHT, STYLE_WIDTH}, style_planes};
    linnet_tensor numbers = {LINNET_F64, 1, {TERMS + 1}, losses};
    picture.data = picture_planes;
    slope.data = gradient;
    if (argc != 5 || read_planes(argv[1], HEIGHT, WIDTH, content_planes) ||
        read_planes(argv[2], STYLE_HEIGHT, STYLE_WIDTH, style_planes))
        return stop();
    for (int i = 0; i < COUNT; i++)
        picture_planes[i] = 0.5f * content_planes[i] + (float)(0.25 + 0.25 * sin(0.37 * i));
    const linnet_feature_source source = {.struct_size = sizeof source, .weights = argv[3], .model = "vgg19"};
    linnet_objective *objective =
        linnet_style_new(NULL, .absolute = 1, .source = &source, .content = &content, .style = &style,
                         .content_weight = CONTENT_WEIGHT, .style_weight = STYLE_WEIGHT, .tv_weight = TV_WEIGHT);
    if (!objective || evaluate(objective))
        return stop();
    const linnet_named_tensor tensors[] = {
        {"content", content}, {"style", style}, {"picture", picture}, {"gradient", slope}, {"losses", numbers}};
    linnet_status status = linnet_safetensors_write(NULL, argv[4], tensors, 5, NULL, 0);
    linnet_objective_free(&objective);
    return status == LINNET_OK ? 0 : stop();
}
