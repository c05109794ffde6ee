#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Devices that say they have little memory (tests/icd has them say so). One whose largest buffer has no room for all
# parameters learns with the same bits; formats and algorithms that need more than there is give way to others, and where
# none is left, one sentence has the bytes that are needed and those that there are.
# usage: memory.sh PROGRAM WORK_ROOT SELECTION ICD
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
icd=$4
export LINNET_BACKEND
. "$(dirname "$0")/../e2e/lib.sh"
need_device "$LINNET_BACKEND"
through "$icd"
LINNET_CHECK=never LINNET_CACHE_DIR=$WORK/cache
export LINNET_CHECK LINNET_CACHE_DIR

# train NAME VARIABLE=VALUE...: a short training whose weights and optimiser's state are in $WORK/NAME, under a limit.
net="conv 4 k5 s2; relu; flatten; linear 300; relu; linear 300; relu; linear 10"
train() {
    name=$1
    shift
    code=0
    env "$@" "$LINNET" train "$net" --limit 256 --test-limit 64 --batch 16 --epochs 1 -o "$WORK/$name" --json \
        >"$WORK/out" 2>"$WORK/err" || code=$?
    [ "$code" -eq 0 ] || fail "exit code $code: $*"
    loss=$(field test_loss)
}

# The largest parameter has 691,200 bytes, all of them 1,066,056.
train whole LINNET_TEST_LARGEST=1100000
whole=$loss
for largest in 1066000 691200; do
    train "split-$largest" LINNET_TEST_LARGEST=$largest
    [ "$loss" = "$whole" ] || fail "buffers of $largest bytes: loss $loss instead of $whole"
    cmp "$WORK/whole/checkpoint.safetensors" "$WORK/split-$largest/checkpoint.safetensors" ||
        fail "buffers of $largest bytes: other weights"
done
echo "parameters in several buffers learn as in one"

# A format that pads channels would need a larger buffer: 32 items of 16 channels instead of 8.
LINNET_TEST_LARGEST=600000 must plan "conv 8 k5" --batch 32
grep -q "it needs a larger buffer than the device allows" "$WORK/out" || fail "no format gave way"

# What is needed is said; so much is enough, and a byte less is not. Workspaces gave way before.
LINNET_TEST_MEMORY=2200000 refuses 6 " bytes are needed" plan --train "$net" --batch 16
needed=$(sed -n 's/.* \([0-9]*\) bytes are needed (.* the device has 2200000$/\1/p' "$WORK/err")
[ -n "$needed" ] || fail "not the bytes that are needed and those that there are"
LINNET_TEST_MEMORY=$needed must plan --train "$net" --batch 16
LINNET_TEST_MEMORY=$((needed - 1)) refuses 6 " $needed bytes are needed" plan --train "$net" --batch 16

# Large workspaces come to an end, too, where some layer has no way within the smaller ones.
LINNET_TEST_MEMORY=80000000 refuses 6 " bytes are needed" plan --train vgg_cifar --batch 256

# One that fits in no buffer is said, with both numbers.
LINNET_TEST_LARGEST=691199 refuses 6 "'linear1.weight' needs 691200 bytes, the device's largest buffer has 691199" \
    train "$net" --limit 64 --epochs 1
