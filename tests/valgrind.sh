#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Memcheck over what needs no driver: the unit tests of the runtime, the small conformance table on the reference and on
# the AVX2 path of the cpu backend (Valgrind knows no AVX-512). usage: valgrind.sh BUILD_DIR
set -eu
build=$(cd "${1:?usage: valgrind.sh BUILD_DIR}" && pwd)
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
unset LINNET_BACKEND LINNET_FALLBACK LINNET_VERBOSE
export LINNET_CACHE_DIR="$cache" LINNET_CPU_ISA=avx2 LINNET_NUM_THREADS=2 OCL_ICD_VENDORS=/nonexistent
export LINNET_PLUGIN_PATH="$build/lib/linnet"

# memcheck NAME COMMAND...
memcheck() {
    printf 'valgrind: %s\n' "$1"
    shift
    valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite "$@" >"$cache/log" 2>&1 || {
        tail -n 60 "$cache/log"
        exit 1
    }
}

for test in abi augment cifar core filter_tiles folder kernels layers loader net safetensors selection; do
    memcheck "unit-$test" "$build/tests/unit/test_$test"
done
for backend in reference cpu; do
    memcheck "conformance of $backend" "$build/bin/conformance" --quick --backend "$backend"
done
