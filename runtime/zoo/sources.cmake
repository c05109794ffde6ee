# SPDX-License-Identifier: Apache-2.0
set(LINNET_ZOO_SOURCES zoo/zoo.c zoo/preprocess.c zoo/lenet5.c zoo/mlp.c)
