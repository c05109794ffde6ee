# SPDX-License-Identifier: Apache-2.0
# Builds for aarch64 with Debian's cross compiler and runs what it builds with qemu:
#     dpkg --add-architecture arm64 && apt-get update
#     apt-get install gcc-aarch64-linux-gnu qemu-user-static zlib1g-dev:arm64 libjansson-dev:arm64 libcmocka-dev:arm64
#     cmake --preset aarch64 && cmake --build --preset aarch64
# LINNET_SYSROOT in the environment: a folder that holds usr/lib/aarch64-linux-gnu with those libraries instead.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(_root /)
if(DEFINED ENV{LINNET_SYSROOT})
  set(_root $ENV{LINNET_SYSROOT})
  set(CMAKE_FIND_ROOT_PATH ${_root})
  set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
  set(ENV{PKG_CONFIG_SYSROOT_DIR} ${_root})
endif()
set(ENV{PKG_CONFIG_LIBDIR} ${_root}/usr/lib/aarch64-linux-gnu/pkgconfig)
# The loader of the cross compiler's own C library, and where it finds the others.
set(CMAKE_CROSSCOMPILING_EMULATOR
    "qemu-aarch64-static;-L;/usr/aarch64-linux-gnu;-E;LD_LIBRARY_PATH=${_root}/usr/lib/aarch64-linux-gnu")
