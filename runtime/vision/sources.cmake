# SPDX-License-Identifier: Apache-2.0
set(LINNET_VISION_SOURCES
  vision/minimize.c
  vision/minimize_adam.c)
if(LINNET_LBFGS)
  list(APPEND LINNET_VISION_SOURCES vision/minimize_lbfgs.c)
else()
  list(APPEND LINNET_VISION_SOURCES vision/minimize_lbfgs_absent.c)
endif()
