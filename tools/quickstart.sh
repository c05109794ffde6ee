#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh machine to a network that reads digits: packages, build, training.
set -eu
cd "$(dirname "$0")/.."
. tools/lib.sh

usage() {
    cat <<'EOT'
usage: tools/quickstart.sh [--no-install] [--help]

Looks what is there, installs what is missing (apt-get, with sudo when not root), builds Linnet into build/release and
trains LeNet-5 on its built-in handwritten digits. Results go to out/lenet5. Works offline once the packages are there.

  --no-install   install nothing: print the line to type instead and stop when something is missing
  --help         this text

LINNET_BACKEND=opencl tools/quickstart.sh trains on the first OpenCL device instead of the best device.
EOT
}

install=yes
for argument; do
    case $argument in
    --no-install) install=no ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
done

say "== What is here"
describe_machine
# shellcheck disable=SC2086 # lists
need "$install" $LINNET_BUILD_PACKAGES $LINNET_RUN_PACKAGES

say "== Building"
cmake --preset release
cmake --build --preset release

say "== Devices"
build/release/bin/linnet devices

say "== Training LeNet-5 on the built-in digits"
build/release/bin/linnet train lenet5 --epochs 3 -o out/lenet5

say ""
say "Look at the picture, test digits with what the network read, wrong ones first and marked: out/lenet5/predictions.png"
say "What else there is: build/release/bin/linnet --help"
