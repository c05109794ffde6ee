#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Synthetic digits are like enough to real ones that LeNet-5 trained on them alone reads at least 80 % of MNIST's test
# images. usage: likeness.sh PROGRAM WORK_ROOT SOURCE_DIR SELECTION
LINNET=$1
WORK_ROOT=$2
source_dir=$3
LINNET_BACKEND=$4
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"

data=${LINNET_TEST_DATA:-$source_dir/../shared/data}/mnist
[ -d "$data" ] || skip "no MNIST at $data"
must train lenet5 -q -o "$WORK/digits.safetensors"
must eval "$WORK/digits.safetensors" --data "$data" --json
at_least 0.80 test_accuracy
echo "trained on synthetic digits, read $(field test_accuracy) of MNIST"
