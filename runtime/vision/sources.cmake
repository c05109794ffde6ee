# SPDX-License-Identifier: Apache-2.0
set(LINNET_VISION_SOURCES
  vision/activations.c
  vision/adversarial.c
  vision/adversarial_measure.c
  vision/blur.c
  vision/drawing.c
  vision/effective_field.c
  vision/equivariance.c
  vision/exciting.c
  vision/extractor.c
  vision/filter.c
  vision/invert.c
  vision/kernel.c
  vision/kernel_parse.c
  vision/maps_draw.c
  vision/maximise.c
  vision/minimize.c
  vision/minimize_adam.c
  vision/objective.c
  vision/options.c
  vision/overlay.c
  vision/probe.c
  vision/receptive_field.c
  vision/saliency.c
  vision/score_bars.c
  vision/shift.c
  vision/strip.c
  vision/style.c
  vision/style_layers.c
  vision/targets.c
  vision/template.c)
if(LINNET_LBFGS)
  list(APPEND LINNET_VISION_SOURCES vision/minimize_lbfgs.c)
else()
  list(APPEND LINNET_VISION_SOURCES vision/minimize_lbfgs_absent.c)
endif()
