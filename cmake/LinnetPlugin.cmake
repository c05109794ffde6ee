# SPDX-License-Identifier: Apache-2.0
# linnet_plugin(NAME source...): a backend plugin, linnet-NAME-abi<major>.so in the plugin folder.
set(_abi_header ${CMAKE_CURRENT_SOURCE_DIR}/include/linnet/backend.h)
file(STRINGS ${_abi_header} _abi REGEX "^#define LINNET_ABI_MAJOR +[0-9]+")
string(REGEX REPLACE ".* ([0-9]+)$" "\\1" LINNET_ABI_MAJOR "${_abi}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${_abi_header})

function(linnet_plugin name)
  add_library(linnet-${name} MODULE ${ARGN})
  set_target_properties(linnet-${name} PROPERTIES
    PREFIX "" OUTPUT_NAME linnet-${name}-abi${LINNET_ABI_MAJOR} SUFFIX .so
    LIBRARY_OUTPUT_DIRECTORY ${LINNET_PLUGIN_OUTPUT_DIRECTORY})
  target_link_libraries(linnet-${name} PRIVATE m)
  if(NOT LINNET_SANITIZE)
    # A plugin that needs a symbol of Linnet fails here, not on a user's machine.
    target_link_options(linnet-${name} PRIVATE LINKER:-z,defs)
  endif()
  install(TARGETS linnet-${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/linnet)
endfunction()
