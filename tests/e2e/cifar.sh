#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Real photographs, where they are: $LINNET_TEST_DATA/cifar10, or shared/data/cifar10 beside the source tree.
# usage: cifar.sh PROGRAM WORK_ROOT SOURCE_DIR SELECTION ACCURACY
LINNET=$1
WORK_ROOT=$2
source_dir=$3
LINNET_BACKEND=$4
wanted=$5
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"
LINNET_FALLBACK=error
export LINNET_FALLBACK

data=${LINNET_TEST_DATA:-$source_dir/../shared/data}/cifar10
[ -d "$data" ] || skip "no CIFAR-10 at $data (LINNET_TEST_DATA names the folder above)"
must train "conv 16 k3 p1; bn; relu; maxpool 2; conv 32 k3 p1; bn; relu; maxpool 2; conv 64 k3 p1; bn; relu; globalpool; linear 10" \
    --data "$data" --crop 4 --flip --epochs 4 --batch 32 --json -o "$WORK/small"
at_least "$wanted" test_accuracy
[ "$(field fallbacks)" = 0 ] || fail "$(field fallbacks) nodes ran elsewhere"
accuracy=$(field test_accuracy)
speed=$(field images_per_second)
must eval "$(field weights)" --data "$data" --json
[ "$(field test_accuracy)" = "$accuracy" ] || fail "eval says $(field test_accuracy), training said $accuracy"
echo "$LINNET_BACKEND: accuracy $accuracy, $speed images/s"
