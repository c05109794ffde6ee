# SPDX-License-Identifier: Apache-2.0
set(LINNET_FORMATS_SOURCES
  formats/colour.c
  formats/colour_bar.c
  formats/convert.c
  formats/cover.c
  formats/draw.c
  formats/exif.c
  formats/font.c
  formats/image.c
  formats/jpeg_markers.c
  formats/planes.c
  formats/resize.c
  formats/safetensors_read.c
  formats/safetensors_type.c
  formats/safetensors_write.c
  formats/sheet.c
  formats/sheet_draw.c
  formats/sheet_layout.c
  formats/wrap.c)
foreach(_format png jpeg)
  string(TOUPPER ${_format} _option)
  if(LINNET_${_option})
    list(APPEND LINNET_FORMATS_SOURCES formats/${_format}.c)
  else()
    list(APPEND LINNET_FORMATS_SOURCES formats/${_format}_absent.c)
  endif()
endforeach()
