/* SPDX-License-Identifier: Apache-2.0 */
/* What the networks of the zoo look like to zoo.c: one function each, from images to scores. Internal. */
#ifndef LINNET_ZOO_ZOO_H
#define LINNET_ZOO_ZOO_H

#include "../core/core.h"
#include "linnet/safetensors.h"
#include "linnet/zoo.h"

/* Adds the network behind image [N,C,H,W]; returns the scores [N,classes], or what comes last where classes is 0
   (vgg19 and textures have that). Errors stick to the net. options are complete. */
linnet_value linnet_zoo_lenet5(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_lenet5_local(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_mlp(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_vgg_cifar(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_squeezenet1_1(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_vgg16(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_resnet18(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_resnet50(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_mobilenet_v2(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_vgg19(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_textures(linnet_net *net, linnet_value image, const linnet_model_options *options);

/* A row of the table of networks. */
typedef struct linnet_zoo_entry {
    const char *name, *description;
    linnet_value (*build)(linnet_net *net, linnet_value image, const linnet_model_options *options);
    /* What a weight file says about options that are still 0; NULL: nothing. */
    void (*fit)(const linnet_safetensors *file, linnet_model_options *options);
    linnet_model_options defaults;
    const linnet_preprocess *preprocess; /* NULL: pictures as they are */
    float learning_rate;                 /* as in linnet_model */
    int32_t complete;                    /* as in linnet_model */
} linnet_zoo_entry;
/* A caller's options, of any age, as a full struct; NULL, or what is wrong with them. options may be NULL. */
const char *linnet_zoo_take_options(const linnet_model_options *options, linnet_model_options *out);
/* NULL when there is none called so. */
const linnet_zoo_entry *linnet_zoo_find(const char *name);
void linnet_zoo_squeezenet1_1_fit(const linnet_safetensors *file, linnet_model_options *options);
void linnet_zoo_vgg16_fit(const linnet_safetensors *file, linnet_model_options *options);
void linnet_zoo_resnet_fit(const linnet_safetensors *file, linnet_model_options *options);
void linnet_zoo_mobilenet_v2_fit(const linnet_safetensors *file, linnet_model_options *options);
void linnet_zoo_vgg19_fit(const linnet_safetensors *file, linnet_model_options *options);
/* Labels, scores called "logits" and the loss of a model whose net has just made scores [N,classes]. */
void linnet_zoo_add_classes(linnet_model *model, linnet_value scores);
/* Dimension 0 of a tensor of the file; 0 when it is not there or too large. */
int32_t linnet_zoo_rows(const linnet_safetensors *file, const char *name);

/* Reads how pictures are prepared: "RGB, 0..1", "BGR, 0..255, minus (b, g, r)", "RGB, (x/255 - (r, g, b)) / (r, g, b)".
   false: it says something else. */
bool linnet_preprocess_parse(const char *note, linnet_preprocess *out);

/* A convolution called layer ("conv1_1") and the relu behind it called relu. Its parameters have torchvision's name,
   which is another one ("features.0": "features.0.weight", "features.0.bias"). */
typedef struct linnet_zoo_conv_options {
    const char *layer, *parameters, *relu;
    int64_t channels, kernel, stride, padding; /* stride 0: 1 */
    linnet_initial initial; /* of the weight; from LINNET_INITIAL_HE_UNIFORM on the bias starts at 0 */
} linnet_zoo_conv_options;
#define linnet_zoo_conv_relu(net, x, ...) linnet_zoo_conv_relu_with(net, x, &(linnet_zoo_conv_options){__VA_ARGS__})
linnet_value linnet_zoo_conv_relu_with(linnet_net *net, linnet_value x, const linnet_zoo_conv_options *options);
/* The same for a linear layer, without relu; its weight starts small and normal, its bias at 0. */
linnet_value linnet_zoo_linear(linnet_net *net, linnet_value x, const char *layer, const char *parameters,
                               int64_t features);

#endif
