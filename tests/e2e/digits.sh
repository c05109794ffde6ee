#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# With no option at all LeNet-5 reads at least 97 % of fresh synthetic digits, and pictures of them in any colours.
# usage: digits.sh PROGRAM WORK_ROOT SELECTION MAKE_DIGIT
LINNET=$1
WORK_ROOT=$2
LINNET_BACKEND=$3
make_digit=$4
export LINNET_BACKEND
. "$(dirname "$0")/lib.sh"
need_device "$LINNET_BACKEND"

must train lenet5 --json -o "$WORK/lenet5"
at_least 0.97 test_accuracy
accuracy=$(field test_accuracy)
speed=$(field images_per_second)

# The first hundred test images as they come.
must predict "$WORK/lenet5/lenet5.safetensors" --index 0-99 --top 1
right=$(grep -c 'right *$' "$WORK/out")
[ "$right" -ge 93 ] || fail "$right of 100 test images read right"

# Pictures: light on dark, dark on light in colour, with transparency; large, and off the centre.
# Image n of ten in a row holds some digit; the name says which.
for style in light dark colour alpha; do
    right=0
    for index in 0 1 2 3 4 5 6 7 8 9; do
        digit=$("$make_digit" "$WORK/digit.png" "$index" "$style") || fail "make_digit $index $style"
        must predict "$WORK/lenet5/lenet5.safetensors" "$WORK/digit.png" --json
        [ "$(tail -n 1 "$WORK/out" | sed -n 's/^{"image":[^,]*,"class":\([0-9]\).*/\1/p')" = "$digit" ] && right=$((right + 1))
    done
    [ "$right" -ge 9 ] || fail "$right of 10 pictures read right: $style"
done
echo "accuracy $accuracy, $speed images/s"
