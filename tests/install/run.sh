#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs a build into a new folder, moves that folder, and builds and runs an outside program against it by pkg-config
# and by CMake; compiles every public header alone, as C and as C++. usage: run.sh TEST_DIR BUILD_DIR
set -eu
here=${1:?usage: run.sh TEST_DIR BUILD_DIR}
build=${2:?usage: run.sh TEST_DIR BUILD_DIR}
: "${CC:=cc}" "${CXX:=c++}" "${CFLAGS:=}" "${CMAKE:=cmake}"
export CC CFLAGS
# The plugins must be found beside the installed library, whatever the environment says.
unset LINNET_PLUGIN_PATH LINNET_BACKEND LD_LIBRARY_PATH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$CMAKE" --install "$build" --prefix "$work/first" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
mv "$work/first" "$work/moved"
prefix=$work/moved
libdir=$(dirname "$(find "$prefix" -name liblinnet.so)")

echo "== what is there"
for file in "$libdir/liblinnet.so.0" "$libdir/linnet" "$libdir/pkgconfig/linnet.pc" "$libdir/cmake/linnet/linnetConfig.cmake" \
    "$prefix/include/linnet/linnet.h" "$prefix/include/linnet/layers.def" "$prefix/bin/linnet" \
    "$prefix/libexec/linnet/linnet-probe"; do
    [ -e "$file" ] || { echo "not installed: $file"; exit 1; }
done
for plugin in "$build"/lib/linnet/*.so; do
    [ -f "$libdir/linnet/${plugin##*/}" ] || { echo "not installed: ${plugin##*/}"; exit 1; }
done
if grep -rIl "$build" "$prefix"; then
    echo "these installed files name the build folder"
    exit 1
fi

echo "== every public header alone"
for header in "$prefix"/include/linnet/*.h; do
    name=linnet/${header##*/}
    for compiler in "$CC -std=c11 -x c" "$CXX -std=c++17 -x c++"; do
        # shellcheck disable=SC2086 # the compiler comes with its flags
        printf '#include <%s>\n#include <%s>\nextern int something;\n' "$name" "$name" |
            $compiler -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$prefix/include" - ||
            { echo "$name does not compile with $compiler"; exit 1; }
    done
done

echo "== by pkg-config"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
[ -d "$(pkg-config --variable=plugindir linnet)" ] || { echo "plugindir is wrong"; exit 1; }
# shellcheck disable=SC2046,SC2086 # lists of flags
$CC $CFLAGS -std=c11 -Wall -Wextra -Werror "$here/outside/outside.c" -o "$work/outside" \
    $(pkg-config --cflags --libs linnet) -Wl,-rpath,"$libdir"
"$work/outside"

echo "== by CMake"
{
    "$CMAKE" -S "$here/outside" -B "$work/outside-build" -DCMAKE_PREFIX_PATH="$prefix"
    "$CMAKE" --build "$work/outside-build"
} >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log"; exit 1; }
"$work/outside-build/outside"

echo "== the program"
"$prefix/bin/linnet" --version
"$prefix/bin/linnet" devices
if LINNET_VERBOSE=2 "$prefix/bin/linnet" devices 2>&1 | grep 'no linnet-probe here'; then
    exit 1
fi
