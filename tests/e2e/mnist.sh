#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The real handwritten digits, where they are: $LINNET_TEST_DATA/mnist, or shared/data/mnist beside the source tree.
# usage: mnist.sh PROGRAM WORK_ROOT SOURCE_DIR SELECTION ACCURACY [option...]
LINNET=$1
WORK_ROOT=$2
source_dir=$3
LINNET_BACKEND=$4
wanted=$5
shift 5
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_FALLBACK=error
export LINNET_FALLBACK

data=${LINNET_TEST_DATA:-$source_dir/../shared/data}/mnist
[ -d "$data" ] || skip "no MNIST at $data (tools/fetch-mnist.sh gets it; LINNET_TEST_DATA names the folder above)"
must train lenet5 --data "$data" --epochs 2 --json "$@" -o "$WORK/lenet5"
at_least "$wanted" test_accuracy
[ "$(field fallbacks)" = 0 ] || fail "$(field fallbacks) nodes ran elsewhere"
accuracy=$(field test_accuracy)
speed=$(field images_per_second)
must eval "$WORK/lenet5/lenet5.safetensors" --data "$data" --json
[ "$(field test_accuracy)" = "$accuracy" ] || fail "eval says $(field test_accuracy), training said $accuracy"
echo "$LINNET_BACKEND: accuracy $accuracy, $speed images/s"
