#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds, and runs the quick test set; --full adds the long tests (Valgrind among them),
# a clang build and the sanitizers. Ends with ctest's own summary of the quick (or full) set.
set -eu
cd "$(dirname "$0")/.."
. tools/lib.sh

usage() {
    cat <<'EOT'
usage: tools/test.sh [--full] [--no-install] [--help]

  --full         also: every long test, a clang build, AddressSanitizer with UndefinedBehaviorSanitizer,
                 ThreadSanitizer, Valgrind; the cpu backend's NEON kernels by qemu, where cmake/aarch64.cmake finds
                 what it needs
  --no-install   install nothing: print the line to type instead and stop when something is missing
  --help         this text
EOT
}

install=yes
set_name=quick
for argument; do
    case $argument in
    --full) set_name=full ;;
    --no-install) install=no ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
done
jobs=$(nproc)

# built PRESET: configured and built.
built() {
    say "== Building: $1"
    cmake --preset "$1"
    cmake --build --preset "$1" -j "$jobs"
}

# NEON kernels: cross-compiled, run by qemu.
tested_aarch64() {
    if ! command -v aarch64-linux-gnu-gcc >/dev/null || ! command -v qemu-aarch64-static >/dev/null ||
        ! cmake --preset aarch64 >/dev/null 2>&1; then
        say "== Skipped: aarch64. What it needs stands in cmake/aarch64.cmake"
        return
    fi
    say "== Building and testing: aarch64"
    cmake --build --preset aarch64 -j "$jobs" --target conformance linnet-cpu linnet-reference
    (cd build/aarch64 && ctest -R '^conformance-cpu' -j "$jobs" --output-on-failure)
}

say "== What is here"
describe_machine
# shellcheck disable=SC2086 # lists
need "$install" $LINNET_BUILD_PACKAGES $LINNET_RUN_PACKAGES $LINNET_TEST_PACKAGES

# What was installed has to work: without this a backend that does not open would be skipped.
export LINNET_REQUIRE="${LINNET_REQUIRE-reference,cpu,opencl}"

built dev
if [ "$set_name" = full ]; then
    for preset in clang asan tsan; do
        built "$preset"
        say "== Tests: $preset"
        ctest --preset "$preset" -j "$jobs"
    done
    tested_aarch64
fi
say "== Tests: $set_name"
ctest --preset "$set_name" -j "$jobs"
