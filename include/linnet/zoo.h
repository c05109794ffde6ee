/* SPDX-License-Identifier: Apache-2.0 */
/* Networks by name, written with the module API: runtime/zoo/. */
#ifndef LINNET_ZOO_H
#define LINNET_ZOO_H

#include "net.h"

LINNET_BEGIN_DECLS

/* How a picture, f32 [C,H,W] from 0 to 1, colours as RGB, becomes a net's input:
   input[c] = (scale * picture[bgr ? 2 - c : c] - mean[c]) / deviation[c]. All zero: the picture as it is. */
typedef struct linnet_preprocess {
    float scale; /* 0: 1 */
    int bgr;     /* 1: the net wants blue first (three channels) */
    float mean[4];
    float deviation[4]; /* 0: 1 */
} linnet_preprocess;

/* picture and out_input: channels (at most 4) planes of pixels elements each; not in place. preprocess NULL: a copy. */
LINNET_API void linnet_preprocess_apply(const linnet_preprocess *preprocess, const float *picture, int64_t channels,
                                        int64_t pixels, float *out_input);
/* From an input back to the picture. */
LINNET_API void linnet_preprocess_invert(const linnet_preprocess *preprocess, const float *input, int64_t channels,
                                         int64_t pixels, float *out_picture);
/* From the gradient of the input to that of the picture. */
LINNET_API void linnet_preprocess_gradient(const linnet_preprocess *preprocess, const float *input_gradient,
                                           int64_t channels, int64_t pixels, float *out_gradient);

/* A network: its input and, where it is a classifier, its labels, its scores and its loss. A network without classes
   (vgg19 unless asked otherwise) has null values there; what comes last is its output then. */
typedef struct linnet_model {
    linnet_net *net;
    linnet_preprocess preprocess; /* of pictures for image */
    linnet_value image;           /* input "image" [N,C,H,W] */
    linnet_value label;           /* input "label" [N] */
    linnet_value logits;          /* output "logits" [N,classes] */
    linnet_value loss;            /* cross-entropy */
    float learning_rate;          /* one to try with Adam first; 0: the usual one */
    int32_t complete;             /* 1: its parameters are made with it, no weight file belongs to it */
} linnet_model;

typedef struct linnet_model_options {
    uint32_t struct_size;
    int32_t classes;                 /* default: the network's own, see below */
    int64_t channels, height, width; /* default: the network's own; height and width may be LINNET_FREE where nothing
                                        behind them needs to know (squeezenet1_1, mobilenet_v2, resnets, vgg19 without
                                        classes) */
    int32_t depth;                   /* vgg19: so many of its 16 convolutions; default: all */
    int32_t average_pooling;         /* vgg19: averages instead of maxima, as in Gatys, Ecker and Bethge (2016) */
} linnet_model_options;

/* name:            classes   image           layers called
     lenet5              10   1 x 28 x 28     conv1, ..., fc3
     lenet5_local        10   1 x 28 x 28     conv1, ..., fc3: a filter of its own at every place
     mlp                 10   1 x 28 x 28     fc1, fc2, fc3
     vgg_cifar           10   3 x 32 x 32     conv1_1, relu1_1, ..., pool3, fc
     squeezenet1_1     1000   3 x 224 x 224   conv1, relu1, pool1, fire2, ..., fire9, conv10, relu10, pool10
     mobilenet_v2      1000   3 x 224 x 224   features.0.0, features.0.1, features.0.2, features.1.conv.0.0, ...
     resnet18          1000   3 x 224 x 224   conv1, bn1, relu1, maxpool, layer1.0.conv1, ..., layer1.0, ..., avgpool,
   fc resnet50          1000   3 x 224 x 224   as resnet18 vgg16             1000   3 x 224 x 224   conv1_1, relu1_1,
   conv1_2, ..., pool5, flatten1, fc6, fc7, fc8 vgg19             none   3 x 224 x 224   conv1_1, relu1_1, conv1_2, ...,
   pool5; with classes fc6, fc7, fc8 textures          none   3 x 224 x 224   filters1, scale1, ..., filters5, scale5
   Parameters from squeezenet1_1 to vgg19 are named as torchvision's, so that published weights load. Those of textures
   are made with it and never change: fixed random filters, whatever the seed.
   In mobilenet_v2, features.3 is the sum of a block; a block without one ends in features.1.conv.2.
   name may also be a net in a line (netdef.h): "conv 8 k3; relu; maxpool 2; linear 10". It is a classifier where it
   ends in scores [N,classes] or in maps of one pixel; a softmax at the end is taken to be in the loss. Its picture is
   what options say, else its statement "input", else 1 x 28 x 28; its net's name is linnet_netdef_canonical's text.
   options may be NULL. LINNET_NOT_FOUND names the networks that there are. */
LINNET_API linnet_status linnet_model_new(linnet_context *context, const char *name,
                                          const linnet_model_options *options, linnet_model *out_model);
/* The network that a weight file fits, its weights not yet loaded (linnet_load); every parameter of it is in the file
   with its shape, the file has no others (as linnet_load says), and what does not fit is listed (LINNET_BAD_FILE).
   name NULL: the network that the file is for, as it says or, where it says nothing, as its tensors have the names and
   shapes of one from elsewhere. What options leaves open comes from the file: the picture's size,
   classes, how deep vgg19 is (never deeper than the file).

   preprocess comes from the file's note "input": "RGB, (x/255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)" or
   "BGR, 0..255, minus (103.939, 116.779, 123.68)". Without one, pictures go into what Linnet trained as they are, and
   into squeezenet1_1, vgg19 and those between from elsewhere as torchvision prepares them. The note goes with the net
   into the files that linnet_save writes, and so does "classes": a JSON list of the classes' names, ["cat", "dog"]. */
LINNET_API linnet_status linnet_model_for_weights(linnet_context *context, const char *path, const char *name,
                                                  const linnet_model_options *options, linnet_model *out_model);
/* Frees the net and clears the struct. */
LINNET_API void linnet_model_free(linnet_model *model);
/* Name and one-line description of network number index; NULL behind the last. */
LINNET_API const char *linnet_model_name(size_t index, const char **out_description);

LINNET_END_DECLS
#endif
