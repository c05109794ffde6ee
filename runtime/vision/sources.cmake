# SPDX-License-Identifier: Apache-2.0
set(LINNET_VISION_SOURCES
  vision/adversarial.c
  vision/adversarial_measure.c
  vision/filter.c
  vision/kernel.c
  vision/kernel_parse.c
  vision/minimize.c
  vision/minimize_adam.c
  vision/options.c
  vision/template.c)
if(LINNET_LBFGS)
  list(APPEND LINNET_VISION_SOURCES vision/minimize_lbfgs.c)
else()
  list(APPEND LINNET_VISION_SOURCES vision/minimize_lbfgs_absent.c)
endif()
