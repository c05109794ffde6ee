# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAMS=programs.def -DKERNELS=folder -DOUTPUT=file.c -P embed.cmake
# Writes the OpenCL sources that programs.def names as C strings. #include "file" of the same folder is put in place,
# once per program, since a driver gets source text and has no folder to look in.
cmake_minimum_required(VERSION 3.25)

# Source of one file with its includes, and theirs, resolved.
function(read_kernel file out)
  file(READ ${KERNELS}/${file} text)
  string(REGEX MATCHALL "#include \"[a-z0-9_]+\\.clh\"" includes "${text}")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE ".*\"(.*)\"" "\\1" included "${include}")
    read_kernel(${included} included_text)
    string(REPLACE "${include}" "${included_text}" text "${text}")
  endforeach()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

# As a C string literal, a line a line.
function(quote text out)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
  set(${out} "\"${text}\"" PARENT_SCOPE)
endfunction()

file(STRINGS ${PROGRAMS} rows REGEX "^LINNET_CL_PROGRAM")
set(sources "")
set(names "")
foreach(row IN LISTS rows)
  string(REGEX REPLACE "LINNET_CL_PROGRAM.([A-Z0-9_]+), .*" "\\1" id "${row}")
  string(REGEX REPLACE ".*\"(.*)\".*" "\\1" file "${row}")
  read_kernel(${file} text)
  quote("${text}" literal)
  string(APPEND sources "    [LINNET_CL_PROGRAM_${id}] = ${literal},\n")
  string(APPEND names "    [LINNET_CL_PROGRAM_${id}] = \"${file}\",\n")
endforeach()
file(WRITE ${OUTPUT} "/* Made from kernels/ by embed.cmake. */
#include \"opencl.h\"

const char *const linnet_cl_sources[LINNET_CL_PROGRAM_COUNT] = {
${sources}};

const char *const linnet_cl_source_names[LINNET_CL_PROGRAM_COUNT] = {
${names}};
")
