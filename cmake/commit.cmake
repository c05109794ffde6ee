# SPDX-License-Identifier: Apache-2.0
# A script: fills in @COMMIT@, what git says of the sources at SOURCE, empty where they are no repository's. OUT is written
# only when that is another one. usage: cmake -D SOURCE=... -D IN=... -D OUT=... -P commit.cmake
find_program(GIT git)
set(COMMIT "")
if(GIT AND EXISTS ${SOURCE}/.git)
  execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty
    OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
configure_file(${IN} ${OUT} @ONLY)
