# SPDX-License-Identifier: Apache-2.0
# linnet_plugin(NAME source...): a backend plugin, linnet-NAME-abi<major>.so in the plugin folder.
file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/include/linnet/backend.h _abi REGEX "^#define LINNET_ABI_MAJOR [0-9]+")
string(REGEX REPLACE ".* ([0-9]+)$" "\\1" LINNET_ABI_MAJOR "${_abi}")

function(linnet_plugin name)
  add_library(linnet-${name} MODULE ${ARGN})
  set_target_properties(linnet-${name} PROPERTIES
    PREFIX "" OUTPUT_NAME linnet-${name}-abi${LINNET_ABI_MAJOR} SUFFIX .so
    LIBRARY_OUTPUT_DIRECTORY ${LINNET_PLUGIN_OUTPUT_DIRECTORY})
  target_link_libraries(linnet-${name} PRIVATE m)
  install(TARGETS linnet-${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/linnet)
endfunction()
