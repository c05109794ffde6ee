#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts all that session.sh needs of this machine into a folder that can be copied to another one, x86-64 as well and with
# a C library that is no older: the build, stripped, the libraries that it was linked with, and the scripts.
# usage: carry.sh BUILD FOLDER
set -eu
build=${1:?usage: carry.sh BUILD FOLDER}
folder=${2:?usage: carry.sh BUILD FOLDER}
source=$(cd "$(dirname "$0")/../.." && pwd)
[ -x "$build/bin/linnet" ] || {
    echo "no $build/bin/linnet: build it first" >&2
    exit 1
}
mkdir -p "$folder/build/bin" "$folder/build/lib/linnet" "$folder/build/libexec/linnet" "$folder/libraries" \
    "$folder/tests/gpu" "$folder/tests/peers"
cp "$build/bin/linnet" "$folder/build/bin/"
cp "$build"/lib/liblinnet.so.[0-9] "$folder/build/lib/"
cp "$build"/lib/linnet/*.so "$folder/build/lib/linnet/"
cp "$build"/libexec/linnet/* "$folder/build/libexec/linnet/"
cp "$source/tests/gpu/session.sh" "$folder/tests/gpu/"
cp "$source"/tests/peers/*.py "$folder/tests/peers/"
git -C "$source" rev-parse --short HEAD >"$folder/build/revision" 2>/dev/null || rm -f "$folder/build/revision"

# The C and C++ libraries stay here: every machine has its own.
LD_LIBRARY_PATH=$folder/build/lib ldd "$folder/build/bin/linnet" "$folder"/build/lib/*.so* "$folder"/build/lib/linnet/*.so |
    sed -n 's|.* => \(/[^ ]*\) .*|\1|p' | sort -u |
    grep -vE '/(ld-linux|libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|liblinnet)[.-]' |
    while read -r library; do
        cp -L "$library" "$folder/libraries/"
    done
find "$folder/build" "$folder/libraries" -type f -perm -u+r ! -name revision -exec strip --strip-unneeded {} +
du -sh "$folder" | sed 's|\t| in |'
