# SPDX-License-Identifier: Apache-2.0
set(LINNET_DATA_SOURCES
  data/arrays.c
  data/augment.c
  data/cifar.c
  data/dataset.c
  data/digit_draw.c
  data/digit_image.c
  data/digit_random.c
  data/digit_shapes.c
  data/digits.c
  data/folder.c
  data/folder_scan.c
  data/idx.c
  data/loader.c
  data/open.c
  data/source.c)
