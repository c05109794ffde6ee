# SPDX-License-Identifier: Apache-2.0
set(LINNET_FORMATS_SOURCES
  formats/font.c
  formats/image.c
  formats/mosaic.c
  formats/safetensors_read.c
  formats/safetensors_type.c
  formats/safetensors_write.c)
if(LINNET_PNG)
  list(APPEND LINNET_FORMATS_SOURCES formats/png.c)
else()
  list(APPEND LINNET_FORMATS_SOURCES formats/png_absent.c)
endif()
