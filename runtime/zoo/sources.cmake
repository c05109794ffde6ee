# SPDX-License-Identifier: Apache-2.0
set(LINNET_ZOO_SOURCES
  zoo/zoo.c zoo/for_weights.c zoo/layers.c zoo/preprocess.c zoo/preprocess_note.c
  zoo/netdef.c zoo/netdef_blocks.c zoo/netdef_build.c zoo/netdef_model.c zoo/netdef_parse.c
  zoo/lenet5.c zoo/lenet5_local.c zoo/mlp.c zoo/vgg_cifar.c zoo/squeezenet1_1.c zoo/textures.c
  zoo/vgg.c zoo/vgg16.c zoo/vgg19.c zoo/resnet.c zoo/resnet18.c zoo/resnet50.c zoo/mobilenet_v2.c)
